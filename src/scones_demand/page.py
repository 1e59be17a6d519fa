"""The demand report: one self-contained page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scones_core.files import write_atomically
from scones_demand.charts import bars, week
from scones_demand.hours import Exclusions, Hours
from scones_demand.model import Card
from scones_demand.validation import Validated

WEATHER_NAMES = {1.0: "clear", 2.0: "mist", 3.0: "light rain or snow", 4.0: "heavy rain or snow"}
WEEK_HOURS = 7 * 24
STYLE = """
:root{color-scheme:light dark;--ink:#1d2433;--soft:#5b6577;--line:#d8dde6;--panel:#fff;
--back:#f5f6f9;--blue:#2b62c9;--band:#2b62c933;--red:#c2410c}
@media(prefers-color-scheme:dark){:root{--ink:#e8ebf2;--soft:#9aa5b8;--line:#343c4c;--panel:#1b212d;
--back:#12161f;--blue:#7aa7ff;--band:#7aa7ff33;--red:#ff9a5c}}
*{box-sizing:border-box}body{margin:0 auto;max-width:1120px;padding:24px 20px 64px;
background:var(--back);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
h1{font-size:25px;margin:4px 0 8px}
h2{font-size:17px;margin:0 0 6px}.eyebrow,.hint,.meta{color:var(--soft);margin:0 0 8px}
.panel{background:var(--panel);border:1px solid var(--line);border-radius:8px;padding:16px 20px;
margin:16px 0;overflow-x:auto}.tiles{display:flex;flex-wrap:wrap;gap:12px;margin:16px 0;padding:0}
.tile{background:var(--panel);border:1px solid var(--line);border-radius:8px;padding:10px 16px;
flex:1 1 150px}.tile dt{color:var(--soft)}.tile dd{margin:0}.tile .value{font-size:22px}
.banner{background:#fde68a;color:#422006;border-radius:8px;padding:10px 16px;margin-bottom:16px}
table{border-collapse:collapse;width:100%}th,td{text-align:right;padding:5px 10px;
border-bottom:1px solid var(--line);font-variant-numeric:tabular-nums}th:first-child,
td:first-child{text-align:left}.chart{width:100%;height:auto;font:12px system-ui,sans-serif}
.chart text{fill:var(--soft)}.chart .value{fill:var(--ink)}.bar{fill:var(--blue)}
.grid{stroke:var(--line)}.band{fill:var(--band)}.forecast,.actual{fill:none;stroke-width:1.8}
.forecast{stroke:var(--blue)}.actual{stroke:var(--red)}
.key b{font-weight:600}.key .f{color:var(--blue)}.key .a{color:var(--red)}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemandReport:
    """What the page shows. `synthetic` says that nobody counted these riders.

    `leaderboard` has rows of (model, RMSLE, seconds), `versions` of (version, RMSLE), both in the
    order to show. `validated` are the blocked folds over `hours`; `asked` counts what the file to
    forecast had besides usable rows, where there was one.
    """

    environment: str
    generated: datetime
    hours: Hours
    card: Card
    validated: Validated
    importance: Mapping[str, float]
    leaderboard: Sequence[tuple[str, float, float]]
    versions: Sequence[tuple[str, float]]
    synthetic: bool = False
    asked: Mapping[str, Exclusions] = field(default_factory=dict)


def write_page(path: Path, report: DemandReport) -> None:
    """Write the page: one HTML file that loads nothing; an older one stays until it is whole."""
    write_atomically(path, render(report))


def render(report: DemandReport) -> str:
    """Return the page's HTML; every text from outside is escaped."""
    found, card = report.validated, report.card
    summary = (
        f"Forecasts miss by {found.metrics['rmsle']:.3f} RMSLE, and "
        f"{found.metrics['interval_coverage']:.0%} of the hours are within their interval."
    )
    banner = (
        '<div class="banner" role="alert"><strong>Synthetic hours.</strong> A program made them: '
        "the figures show that the workflow runs, and nothing about a real city.</div>"
        if report.synthetic
        else ""
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; \
style-src 'unsafe-inline'">
<title>{escape(report.environment)} · {escape(summary)}</title>
<link rel="icon" href="data:,">
<style>{STYLE}</style>
</head>
<body>
{banner}
<header><p class="eyebrow">Demand forecast · {escape(report.environment)}</p>
<h1>{escape(summary)}</h1>
<p class="meta">{report.generated:%Y-%m-%d %H:%M} · {escape(report.hours.name)}</p></header>
<main>
{_tiles(found.metrics, card)}
{_panel("Actual against forecast over a week", _WEEK_HINT, _week(report))}
{_panel("Error by hour of the day", _ERROR_HINT, bars("RMSLE by hour", error_by_hour(report)))}
{_panel("Error by weather", _ERROR_HINT, bars("RMSLE by weather", error_by_weather(report)))}
{_panel("What the model relies on", _IMPORTANCE_HINT, bars("Importance", report.importance))}
{_panel("Models tried", _BOARD_HINT, _leaderboard(report.leaderboard))}
{_panel("Score by model version", _VERSION_HINT, bars("RMSLE", dict(report.versions)))}
{_panel("Blocks", _FOLD_HINT, _folds(found))}
{_panel("The data", "What the files had besides usable rows.", _excluded(report))}
</main>
</body>
</html>
"""


_WEEK_HINT = (
    "The last days that were held out, forecast by a model that saw no hour of them or after "
    'them. <span class="key"><b class="a">Actual</b>, <b class="f">forecast</b>, and the '
    "prediction interval as a band.</span>"
)
_ERROR_HINT = "Root mean squared logarithmic error over all blocks; lower is better."
_IMPORTANCE_HINT = (
    "By how much RMSLE rises when a feature's values are shuffled among the hours. It says what "
    "the model uses, not what causes demand."
)
_BOARD_HINT = "By the same blocked folds; seconds of training and forecasting them."
_VERSION_HINT = "RMSLE by the blocked folds; lower is better."
_FOLD_HINT = (
    "Each block is the last known days of a month; its model was trained on the hours before it."
)


def error_by_hour(report: DemandReport) -> dict[str, float]:
    """Return RMSLE by hour of the day over all blocks."""
    clock = report.hours.hour[report.validated.position] % 24
    return {
        f"{int(hour):02}:00": value for hour, value in _errors(report, clock.astype(float)).items()
    }


def error_by_weather(report: DemandReport) -> dict[str, float]:
    """Return RMSLE by weather over all blocks; hours of unknown weather are named so."""
    weather = report.hours.values["weather"][report.validated.position]
    found = _errors(report, np.where(np.isnan(weather), 0.0, weather))
    return {WEATHER_NAMES.get(code, "unknown"): value for code, value in found.items()}


def _errors(report: DemandReport, groups: NDArray[np.float64]) -> dict[float, float]:
    found, truth = report.validated, report.hours.values["count"][report.validated.position]
    squared = (np.log1p(found.count) - np.log1p(truth)) ** 2
    return {
        float(group): float(np.sqrt(squared[groups == group].mean())) for group in np.unique(groups)
    }


def _week(report: DemandReport) -> str:
    found = report.validated
    last = report.hours.hour[found.position]
    kept = last > last.max() - WEEK_HOURS
    position = found.position[kept]
    every = report.hours.times()
    return week(
        "Riders an hour",
        [every[at] for at in position],
        actual=report.hours.values["count"][position],
        forecast=found.count[kept],
        low=found.low[kept],
        high=found.high[kept],
    )


def _tiles(metrics: Mapping[str, float], card: Card) -> str:
    tiles = [
        ("RMSLE", f"{metrics['rmsle']:.4f}", f"of {metrics['folds']:.0f} blocks"),
        ("Worst block", f"{metrics['worst_fold_rmsle']:.4f}", "RMSLE"),
        ("Mean error", f"{metrics['mean_absolute_error']:.1f}", "riders an hour"),
        ("Interval holds", f"{metrics['interval_coverage']:.1%}", f"asked: {card.coverage:.0%}"),
        ("Interval width", f"{metrics['interval_width']:.0f}", "riders, on average"),
        ("Days known", f"{len(card.days):,}", "trained on"),
    ]
    return (
        '<dl class="tiles">'
        + "".join(
            f'<div class="tile"><dt>{escape(name)}</dt><dd class="value">{escape(value)}</dd>'
            f"<dd>{escape(detail)}</dd></div>"
            for name, value, detail in tiles
        )
        + "</dl>"
    )


def _panel(title: str, hint: str, body: str) -> str:
    return (
        f'<section class="panel"><h2>{escape(title)}</h2><p class="hint">{hint}</p>{body}</section>'
    )


def _table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in header)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _leaderboard(rows: Sequence[tuple[str, float, float]]) -> str:
    return _table(
        ("Model", "RMSLE", "Seconds"),
        [(name, f"{score:.4f}", f"{seconds:.1f}") for name, score, seconds in rows],
    )


def _folds(found: Validated) -> str:
    return _table(
        ("Month", "Known hours", "Hours asked", "RMSLE", "Interval holds", "Interval width"),
        [
            (f.name, f.trained, f.hours, f"{f.rmsle:.4f}", f"{f.coverage:.1%}", f"{f.width:.0f}")
            for f in found.folds
        ],
    )


def _excluded(report: DemandReport) -> str:
    files = {report.hours.name: report.hours.excluded, **report.asked}
    rows = [
        (name, text, f"{count:,}")
        for name, excluded in files.items()
        for text, count in (excluded.counts() or {"nothing left out": excluded.rows}).items()
    ]
    return _table(("File", "What", "Rows"), rows)
