"""Forecasts as files: the competition's CSV, one with the interval, and Parquet."""

import csv
import io
from pathlib import Path

import numpy as np

from scones_core.errors import MalformedArtifact
from scones_core.files import write_atomically
from scones_demand.hours import FORMAT, Hours
from scones_demand.model import Card, Forecast
from scones_demand.validation import FoldScore, Validated

HELD_OUT = "held_out.csv"
MAX_HELD_OUT_BYTES = 100_000_000


def to_csv(hours: Hours, forecast: Forecast, *, interval: bool = True) -> str:
    """Return `datetime,count` and, with the interval, `low,high`: a header and a row an hour.

    Without the interval it is the competition's format.
    """
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["datetime", "count", *(["low", "high"] if interval else [])])
    columns = (forecast.riders, forecast.low, forecast.high)[: 3 if interval else 1]
    for position, time in enumerate(hours.times()):
        rows.writerow([time.strftime(FORMAT), *(f"{column[position]:.4f}" for column in columns)])
    return text.getvalue()


def to_parquet(hours: Hours, forecast: Forecast) -> bytes:
    """Return the same as a Parquet file: `datetime` a timestamp without zone, three doubles."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table(
        {
            "datetime": pa.array(hours.times(), pa.timestamp("s")),
            "count": forecast.riders,
            "low": forecast.low,
            "high": forecast.high,
        }
    )
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def write_held_out(folder: Path, hours: Hours, validated: Validated) -> None:
    """Write what was forecast of the blocks that were held out, next to the model."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["hour", "count", "low", "high"])
    columns = (validated.count, validated.low, validated.high)
    for number, position in enumerate(validated.position):
        rows.writerow([hours.hour[position], *(f"{column[number]:.4f}" for column in columns)])
    write_atomically(folder / HELD_OUT, text.getvalue())


def read_held_out(folder: Path, hours: Hours, card: Card) -> Validated:
    """Return what `write_held_out` wrote, over the hours that the model was trained on.

    Raises MalformedArtifact for a file that is none, or is of other hours.
    """
    path = folder / HELD_OUT
    try:
        if path.stat().st_size > MAX_HELD_OUT_BYTES:
            raise ValueError("it is too large")
        lines = path.read_text(encoding="utf-8").splitlines()[1:]
        if not lines:
            raise ValueError("it is empty")
        table = np.loadtxt(lines, delimiter=",", ndmin=2)
        folds = tuple(FoldScore(**fold) for fold in card.folds)
        if table.shape[1:] != (4,) or not len(table) or not np.isfinite(table).all():
            raise ValueError("it is no such table")
    except (OSError, ValueError, TypeError) as error:
        raise MalformedArtifact(
            f"{path} cannot be used: {error}; train the model again."
        ) from error
    hour = table[:, 0].astype(np.int64)
    position = np.searchsorted(hours.hour, hour)
    if position.max() >= len(hours) or not (hours.hour[position] == hour).all():
        raise MalformedArtifact(
            f"{path} is of other hours than {hours.name}: train the model on these."
        )
    return Validated(
        folds, position, table[:, 1], table[:, 2], table[:, 3], card.widening, card.metrics
    )
