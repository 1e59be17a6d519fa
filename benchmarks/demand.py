"""How well the demand is forecast, and how long the training takes.

    python benchmarks/demand.py bike-sharing/train.csv

The file has the form of Kaggle's competition "Bike Sharing Demand"; a folder with a `train.csv`
will do. Each month's days from the 9th to the last known one are forecast by a model that saw the
hours before them and no later one. Ends with 1 where a limit below is missed.
"""

import argparse
import os
import platform
import resource
import sys
import time
from pathlib import Path

# A pooled thread that spins takes the time of whatever else runs; OpenMP reads this once.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

from scones_core.errors import SconesError
from scones_demand.fit import DemandSettings, train
from scones_demand.hours import read_hours

MAX_RMSLE, MAX_SECONDS = 0.38, 120


def main() -> int:
    """Run the benchmark; return 1 for a limit missed or a file that cannot be used."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("data", type=Path, help="train.csv, or the folder with it")
    parser.add_argument("--seeds", type=int, default=3, help="how many seeds, from 0")
    given = parser.parse_args()
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
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"host: {platform.machine()}, {os.cpu_count()} cores, load {load}")
    if missed:
        sys.stderr.write(f"Asked for are RMSLE {MAX_RMSLE} in {MAX_SECONDS} s.\n")
    return int(missed)


def processor_seconds() -> float:
    """Return what this process took of the processor up to now."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    sys.exit(main())
