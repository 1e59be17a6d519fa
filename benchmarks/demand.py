"""How well the demand is forecast, and how long the training takes.

    python benchmarks/demand.py bike-sharing/train.csv
    python benchmarks/demand.py --rows 10000000

The file has the form of Kaggle's competition "Bike Sharing Demand"; a folder with a `train.csv`
will do. Each month's days from the 9th to the last known one are forecast by a model that saw the
hours before them and no later one. With `--rows` so many rows are read instead, of all the hours
that there may be, over and over: how fast, and how much memory it takes. Ends with 1 where a limit
below is missed.
"""

import argparse
import io
import os
import platform
import resource
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, cast

# A pooled thread that spins takes the time of whatever else runs; OpenMP reads this once.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

from scones_core.errors import SconesError
from scones_demand.fit import DemandSettings, train
from scones_demand.hours import FIRST_YEAR, LAST_YEAR, parse_hours, read_hours

MAX_RMSLE, MAX_SECONDS = 0.38, 120
MAX_READING_MB = 250
HEADER = "datetime,season,holiday,workingday,weather,temp,atemp,humidity,windspeed"


def main() -> int:
    """Run the benchmark; return 1 for a limit missed or a file that cannot be used."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("data", type=Path, nargs="?", help="train.csv, or the folder with it")
    parser.add_argument("--rows", type=int, default=0, help="read so many generated rows instead")
    parser.add_argument("--seeds", type=int, default=3, help="how many seeds, from 0")
    given = parser.parse_args()
    if given.rows:
        return read_rows(given.rows)
    if given.data is None:
        parser.error("give the file, or --rows")
    missed = False
    try:
        path = given.data / "train.csv" if given.data.is_dir() else given.data
        hours = read_hours(path, known=True)
        counts = ", ".join(f"{text}: {count:,}" for text, count in hours.excluded.counts().items())
        print(f"{len(hours):,} hours of {path.name}; {counts or 'nothing left out'}")
        for seed in range(given.seeds):
            settings = DemandSettings(seed=seed)
            started, worked = time.perf_counter(), processor_seconds()
            model, validated = train(hours, settings)
            seconds = time.perf_counter() - started
            if seed == 0:
                for score in validated.folds:
                    print(
                        f"  {score.name}: RMSLE {score.rmsle:.4f} of {score.hours} hours after "
                        f"{score.trained} known ones, interval holds {score.coverage:.3f}"
                    )
            found = model.card.metrics
            print(
                f"seed {seed}: RMSLE {found['rmsle']:.4f} by {len(validated.folds)} folds, "
                f"{settings.coverage:.0%} interval holds {found['interval_coverage']:.3f}; "
                f"{seconds:.1f} s ({processor_seconds() - worked:.1f} s of the processor) for the "
                "folds and the model",
                flush=True,
            )
            missed = missed or found["rmsle"] > MAX_RMSLE or seconds > MAX_SECONDS
    except SconesError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    print_host()
    if missed:
        sys.stderr.write(f"Asked for are RMSLE {MAX_RMSLE} in {MAX_SECONDS} s.\n")
    return int(missed)


class Rows(io.TextIOBase):
    """A CSV file that is nowhere: each row is made when it is read."""

    def __init__(self, rows: int) -> None:
        self._lines = self._made(rows)

    def readline(self, size: int | None = -1, /) -> str:  # type: ignore[override]
        """Return the next line, an empty text at the end; none is longer than a size."""
        del size
        return next(self._lines, "")

    @staticmethod
    def _made(rows: int) -> Iterator[str]:
        yield HEADER + "\n"
        first, hour = datetime(FIRST_YEAR, 1, 1), timedelta(hours=1)
        hours = (datetime(LAST_YEAR + 1, 1, 1) - first) // hour
        for number in range(rows):
            yield f"{first + hour * (number % hours)},1,0,1,1,9.84,14.395,81,12.5\n"


def read_rows(rows: int) -> int:
    """Print how fast rows are read and what memory that takes; return 1 for too much of it."""
    before, started, worked = peak_mb(), time.perf_counter(), processor_seconds()
    hours = parse_hours(cast(IO[str], Rows(rows)), "rows.csv", known=False)
    seconds, memory = time.perf_counter() - started, peak_mb() - before
    print(
        f"{rows:,} rows, {len(hours):,} hours, {hours.excluded.duplicates:,} further rows of the "
        f"same; {seconds:.0f} s ({processor_seconds() - worked:.0f} s of the processor, making the "
        f"rows among them); {memory:.0f} MB more than before, {peak_mb():.0f} MB in all"
    )
    print_host()
    if memory > MAX_READING_MB:
        sys.stderr.write(f"Asked for are {MAX_READING_MB} MB.\n")
    return int(memory > MAX_READING_MB)


def peak_mb() -> float:
    """Return the most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def print_host() -> None:
    """Print what the figures are of."""
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"host: {platform.machine()}, {os.cpu_count()} cores, load {load}")


def processor_seconds() -> float:
    """Return what this process took of the processor up to now."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    sys.exit(main())
