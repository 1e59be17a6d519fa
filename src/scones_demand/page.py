"""The demand report: one self-contained page."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scones_core.files import write_atomically
from scones_demand.charts import Bar, bars, key, week
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
h1{font-size:25px;line-height:1.25;margin:4px 0 8px}
h2{font-size:17px;margin:0 0 6px}.eyebrow,.hint,.meta{color:var(--soft);margin:0 0 8px}
.meta{overflow-wrap:anywhere}
.panel{background:var(--panel);border:1px solid var(--line);border-radius:8px;padding:16px 20px;
margin:16px 0}.scroll{overflow-x:auto;background:linear-gradient(to left,var(--panel) 40%,\
transparent) right/44px 100% no-repeat local,linear-gradient(to left,#0004,transparent) right/16px \
100% no-repeat scroll}.scroll tr>:first-child{position:sticky;left:0;background:var(--panel);
min-width:7rem;overflow-wrap:anywhere}.pair{display:grid;gap:16px;
grid-template-columns:repeat(auto-fit,minmax(min(100%,440px),1fr));margin:16px 0}
.pair .panel{margin:0}.pair .panel+.panel{margin-top:16px}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px;
margin:16px 0;padding:0}
.tile{background:var(--panel);border:1px solid var(--line);border-radius:8px;padding:10px 16px}
.tile dt{color:var(--soft)}.tile dd{margin:0}.tile .value{font-size:22px}
.banner{background:#fde68a;color:#422006;border-radius:8px;padding:10px 16px;margin-bottom:16px}
table{border-collapse:separate;border-spacing:0;width:100%}th,td{text-align:right;padding:5px 10px;
border-bottom:1px solid var(--line);font-variant-numeric:tabular-nums;font-weight:400}
thead th{color:var(--soft);vertical-align:bottom}th:first-child,td:first-child{text-align:left}
.text td:nth-child(2),.text th:nth-child(2){text-align:left}
.first td:first-child{white-space:nowrap}
.bars th,.bars td{padding:3px 8px;white-space:nowrap}.bars .track{width:60%;min-width:60px}
.bar{height:14px;background:var(--blue);border-radius:2px;print-color-adjust:exact}
.chart{width:100%;min-width:760px;height:auto;font:14px system-ui,sans-serif}
.chart text{fill:var(--soft)}.grid{stroke:var(--line)}.band{fill:var(--band)}
.forecast,.actual{fill:none;stroke-width:1.8}.forecast{stroke:var(--blue)}
.actual{stroke:var(--red);stroke-dasharray:5 3}
.key{display:flex;flex-wrap:wrap;gap:4px 20px;margin:0 0 8px}.key svg{margin-right:8px}
@media(max-width:600px){body{padding:16px 10px 40px}h1{font-size:20px}.panel{padding:12px}
th,td{padding:4px 6px}.bars .track{width:36%}.bars th{white-space:normal}}
@media print{:root{color-scheme:light;--ink:#000;--soft:#444;--line:#bbb;--panel:#fff;--back:#fff;
--blue:#2b62c9;--band:#2b62c933;--red:#c2410c}body{max-width:none;padding:0;font-size:11px}
.panel{break-inside:avoid}.scroll{overflow:visible;background:none}.chart{min-width:0}
.band,.banner{print-color-adjust:exact}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemandReport:
    """What the page shows. `synthetic` says that nobody counted these riders.

    `leaderboard` has rows of (model, RMSLE, seconds, hours scored), `versions` of (version, RMSLE,
    hours scored), both in the order to show; the hours are 0 where nobody knows them. `validated`
    are the blocked folds over `hours`; `asked` counts what the file to
    forecast had besides usable rows, where there was one.
    """

    environment: str
    generated: datetime
    hours: Hours
    card: Card
    validated: Validated
    importance: Mapping[str, float]
    leaderboard: Sequence[tuple[str, float, float, int]]
    versions: Sequence[tuple[str, float, int]]
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
<p class="meta">RMSLE is the root mean squared logarithmic error: 0.3 is a typical miss by a third.
</p><p class="meta">{report.generated:%Y-%m-%d %H:%M} · {escape(report.hours.name)}</p></header>
<main>
{_tiles(found, card)}
{_panel("Actual against forecast over a week", _week_hint(report), key() + _scroll(_week(report)))}
<div class="pair">
{_panel("Error by hour of the day", _ERROR_HINT, _errors_table(error_by_hour(report)))}
<div>
{_panel("Error by weather", _ERROR_HINT, _errors_table(error_by_weather(report)))}
{_panel("What the model relies on", _importance_hint(report), _importance(report))}
</div>
</div>
{_panel("Models tried", _BOARD_HINT, _leaderboard(report.leaderboard))}
{_panel("Score by model version", _VERSION_HINT, _versions(report.versions))}
{_panel("Blocks", _FOLD_HINT, _folds(found))}
{_panel("The data", "What the files had besides usable rows.", _excluded(report))}
</main>
</body>
</html>
"""


_ERROR_HINT = "Root mean squared logarithmic error over all blocks; lower is better."
_BOARD_HINT = (
    "By blocks of later days; lower is better. Models that were scored on as many hours compare. "
    "Seconds of training and forecasting the blocks."
)
_VERSION_HINT = "RMSLE by the blocked folds; lower is better."
_FOLD_HINT = (
    "Each block is the last known days of a month; its model was trained on the hours before it."
)


def error_by_hour(report: DemandReport) -> list[Bar]:
    """Return RMSLE by hour of the day over all blocks, and how many hours each is of."""
    clock = report.hours.hour[report.validated.position] % 24
    return [
        Bar(f"{int(hour):02}:00", value, count)
        for hour, value, count in _errors(report, clock.astype(float))
    ]


def error_by_weather(report: DemandReport) -> list[Bar]:
    """Return RMSLE by weather over all blocks; hours of unknown weather are named so."""
    weather = report.hours.values["weather"][report.validated.position]
    found = _errors(report, np.where(np.isnan(weather), 0.0, weather))
    return [Bar(WEATHER_NAMES.get(code, "unknown"), value, n) for code, value, n in found]


def _errors(
    report: DemandReport, groups: NDArray[np.float64]
) -> Iterator[tuple[float, float, int]]:
    """Yield each group, its error, and how many hours it has."""
    found, truth = report.validated, report.hours.values["count"][report.validated.position]
    squared = (np.log1p(found.count) - np.log1p(truth)) ** 2
    for group in np.unique(groups):
        inside = squared[groups == group]
        yield float(group), float(np.sqrt(inside.mean())), len(inside)


def _errors_table(errors: Sequence[Bar]) -> str:
    return bars("RMSLE", errors, counted="hours")


def _importance_hint(report: DemandReport) -> str:
    return (
        f"By how much RMSLE of the {len(report.hours):,} hours rises when a feature's values are "
        "shuffled among them. It says what the model uses, not what causes demand."
    )


def _importance(report: DemandReport) -> str:
    return bars("RMSLE rises by", [Bar(name, rise) for name, rise in report.importance.items()])


def _versions(versions: Sequence[tuple[str, float, int]]) -> str:
    return bars("RMSLE", [Bar(*version) for version in versions], counted="hours scored")


def _week_hint(report: DemandReport) -> str:
    return (
        f"The last {_last_week(report.hours, report.validated).sum()} hours that were held out, "
        "forecast by a model that saw no hour of them or after them."
    )


def _last_week(hours: Hours, found: Validated) -> NDArray[np.bool_]:
    last = hours.hour[found.position]
    return np.asarray(last > last.max() - WEEK_HOURS)


def _week(report: DemandReport) -> str:
    found = report.validated
    kept = _last_week(report.hours, found)
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


def _tiles(found: Validated, card: Card) -> str:
    metrics = found.metrics
    hours, blocks = f"{len(found.position):,} hours", len(found.folds)
    of_blocks = f"of {hours} in {blocks} block{'' if blocks == 1 else 's'}"
    # The first block has no earlier one to widen its interval by.
    judged = sum(fold.hours for fold in found.folds[1:] or found.folds)
    held = f"of {judged:,} hours; asked: {card.coverage:.0%}"
    worst = max(found.folds, key=lambda fold: fold.rmsle)
    tiles = [
        ("RMSLE", f"{metrics['rmsle']:.4f}", of_blocks),
        ("Worst block", f"{worst.rmsle:.4f}", f"RMSLE of {worst.hours} hours in {worst.name}"),
        ("Mean error", f"{metrics['mean_absolute_error']:.1f}", "riders an hour"),
        ("Interval holds", f"{metrics['interval_coverage']:.1%}", held),
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


def _table(header: Sequence[str], rows: Sequence[Sequence[Any]], css: str = "") -> str:
    """Return a table; `text` has its second column on the left, `first` wraps no first cell."""
    head = "".join(f"<th>{escape(name)}</th>" for name in header)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows
    )
    return _scroll(
        f'<table class="{css}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    )


def _scroll(body: str) -> str:
    """Return what may be wider than a phone, to be scrolled by hand or by the keyboard."""
    return f'<div class="scroll" tabindex="0">{body}</div>'


def _leaderboard(rows: Sequence[tuple[str, float, float, int]]) -> str:
    return _table(
        ("Model", "RMSLE", "Hours scored", "Seconds"),
        [
            (name, f"{score:.4f}", f"{hours:,}" if hours else "-", f"{seconds:.1f}")
            for name, score, seconds, hours in rows
        ],
    )


def _folds(found: Validated) -> str:
    return _table(
        ("Month", "Known hours", "Hours asked", "RMSLE", "Interval holds", "Interval width"),
        [
            (
                f.name,
                f"{f.trained:,}",
                f.hours,
                f"{f.rmsle:.4f}",
                f"{f.coverage:.1%}",
                f"{f.width:.0f}",
            )
            for f in found.folds
        ],
        "first",
    )


def _excluded(report: DemandReport) -> str:
    files = {report.hours.name: report.hours.excluded, **report.asked}
    rows = [
        (name, text, f"{count:,}")
        for name, excluded in files.items()
        for text, count in (excluded.counts() or {"nothing left out": excluded.rows}).items()
    ]
    return _table(("File", "What", "Rows"), rows, "text")
