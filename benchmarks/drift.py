"""How soon, and how wrongly, drift is found: two samples compared, and image by image.

    python benchmarks/drift.py cifar-100-python.tar.gz --cache build/drift
    python benchmarks/drift.py cifar-100-python.tar.gz --cache build/drift --rivals venv/bin/python
    python benchmarks/drift.py --thresholds

`--rivals` names a Python of another environment that has evidently and alibi-detect, which need
an older NumPy: `pip install evidently alibi-detect`. They get the same records in the same run.
A drift is one of nineteen corruptions in five severities, a vehicle that the model does not
know (drawn), nine of ten images of one class instead of half, another camera; of 10, 50 or
100 % of the images. Records are drawn with replacement from a pool that the model never saw.
Ends with 1 where an aim is missed.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scones_core.errors import SconesError
from scones_images.distortions import CORRUPTIONS, SEVERITIES
from scones_monitor.drift.online import WINDOWS, OnlineDetector, normal_scores
from scones_monitor.drift.samples import Sample, sample_of
from scones_monitor.drift.two_sample_tests import compare, drifted

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.drift_records import (  # noqa: E402
    CAMERA,
    CLEAN,
    COLUMNS,
    NEW_VEHICLE,
    Records,
    records,
)

LABELS = ("bicycle", "motorcycle")
CLASS_SHIFT = "class shift"
REFERENCE = 500
SIZES = (10, 20, 50, 100, 200, 500, 1_000, 10_000)
PARTS = ("online", "rivals", "batches")
SHARES = (0.1, 0.5, 1.0)
RIVAL_SIZES = (20, 100, 1_000)
BEFORE, AFTER = 200, 2_000
RUN = 10_000
QUIET_STREAMS = 1
# What alibi-detect is asked for; see drift_rivals.py.
RIVAL_RUN = 1_500

Rows = NDArray[np.float64]


def sample(rows: Rows) -> Sample:
    """Return records, as drift_records has them, as a sample."""
    inputs = {name: rows[:, 1 + index] for index, name in enumerate(COLUMNS[1:])}
    return sample_of(LABELS, np.column_stack([1 - rows[:, 0], rows[:, 0]]), inputs)


@dataclass(frozen=True)
class Draw:
    """Draws records of a condition, of which a share is drifted and the others are clean."""

    found: Records

    def rows(self, n: int, condition: str, share: float, rng: np.random.Generator) -> Rows:
        """Return n records, shape (n, 1 + statistics)."""
        clean = self.found[CLEAN]
        rows: Rows = clean[rng.integers(len(clean), size=n)]
        if condition == CLEAN:
            return rows
        # The pool has its first class first.
        pool = clean if condition == CLASS_SHIFT else self.found[condition]
        moved = rng.random(n) < share
        if condition == CLASS_SHIFT:
            first = rng.random(n) < 0.9
            half = len(clean) // 2
            places = rng.integers(half, size=n) + np.where(first, 0, half)
        else:
            places = rng.integers(len(pool), size=n)
        drawn: Rows = np.where(moved[:, None], pool[places], rows)
        return drawn


def conditions() -> dict[str, list[str]]:
    """Return the conditions by the row of the tables that they are in."""
    return {
        **{f"severity {s}": [f"{name} {s}" for name in CORRUPTIONS] for s in SEVERITIES},
        NEW_VEHICLE: [NEW_VEHICLE],
        CLASS_SHIFT: [CLASS_SHIFT],
        CAMERA: [CAMERA],
    }


def batches(draw: Draw, sizes: Sequence[int], draws: int, quiet_draws: int) -> None:
    """Print the share of comparisons that find drift, by row, share of drift and sample size."""
    print(f"\nTwo samples: {REFERENCE} images of reference, n images; percent called drift")
    print(f"{'':22}{'share':>6}" + "".join(f"{n:>8,}" for n in sizes))
    _line("nothing", "", [_found(draw, n, [CLEAN], 1.0, quiet_draws) for n in sizes])
    for row, names in conditions().items():
        repeats = draws if len(names) > 1 else draws * 10
        for share in SHARES:
            found = [_found(draw, n, names, share, repeats) for n in sizes]
            _line(row, f"{share:.0%}", found)


def _line(row: str, share: str, found: list[float]) -> None:
    print(f"{row:22}{share:>6}" + "".join(f"{100 * each:8.1f}" for each in found), flush=True)


def _found(draw: Draw, n: int, names: list[str], share: float, draws: int) -> float:
    # The largest sample costs most, and says the same at each draw.
    draws = max(1, draws // 4) if n > 1_000 else draws
    verdicts = [
        drifted(compare(sample(a), sample(b))) for a, b in _pairs(draw, n, names, share, draws)
    ]
    return verdicts.count("drift") / len(verdicts)


def _pairs(
    draw: Draw, n: int, names: list[str], share: float, draws: int
) -> Iterator[tuple[Rows, Rows]]:
    for index, name in enumerate(names):
        rng = np.random.default_rng([n, round(100 * share), index])
        for _ in range(draws):
            yield draw.rows(REFERENCE, CLEAN, 0, rng), draw.rows(n, name, share, rng)


def streams(draw: Draw, names: list[str], share: float, draws: int) -> Iterator[tuple[Rows, Rows]]:
    """Yield references, and streams whose drift begins after BEFORE images."""
    for index, name in enumerate(names):
        rng = np.random.default_rng([7, round(100 * share), index])
        for _ in range(draws):
            parts = [draw.rows(BEFORE, CLEAN, 0, rng), draw.rows(AFTER, name, share, rng)]
            yield draw.rows(REFERENCE, CLEAN, 0, rng), np.concatenate(parts)


def delay(reference: Rows, stream: Rows, run_time: float = RUN) -> float:
    """Return after how many drifted images the detector alarms, inf for not at all.

    False alarms before the drift are passed over, as a person would.
    """
    detector = OnlineDetector(sample(reference), expected_run_time=run_time)
    start = 0
    while start < len(stream):
        alarm = detector.update(sample(stream[start:]))
        if alarm is None:
            return float("inf")
        if alarm.image >= BEFORE:
            return float(alarm.image - BEFORE + 1)
        start = alarm.image + 1
    return float("inf")


def online(draw: Draw, draws: int, runs: int) -> list[str]:
    """Print the delays and the false alarms of the online detector; return the aims missed."""
    print(f"\nImage by image: {REFERENCE} images of reference; delay in images")
    print(f"{'':22}{'share':>6}{'median':>8}{'90 %':>8}{'missed in ' + f'{AFTER:,}':>18}{'n':>6}")
    strong: list[float] = []
    for row, names in conditions().items():
        repeats = draws if len(names) > 1 else draws * 10
        for share in SHARES:
            found = [delay(a, b) for a, b in streams(draw, names, share, repeats)]
            _delays(row, f"{share:.0%}", found)
            if share == 1 and row in ("severity 3", "severity 4", "severity 5"):
                strong += found
    alarms = sum(false_alarms(draw, seed) for seed in range(runs))
    per_run = alarms / runs
    median = float(np.median(strong))
    print(f"severity 3 and up, all images: median delay {median:.0f} images, n = {len(strong)}")
    print(f"false alarms: {alarms} in {runs} streams of {RUN:,} images, {per_run:.2f} each")
    missed = {
        f"the median delay is {median:.0f}, above 100 images": median > 100,
        # Two standard errors of a Poisson count.
        f"{per_run:.2f} false alarms in {RUN:,} images, above 1": alarms - 2 * alarms**0.5 > runs,
    }
    return [sentence for sentence, is_missed in missed.items() if is_missed]


def _delays(row: str, share: str, found: list[float]) -> None:
    values = np.array(found)
    median, late = np.quantile(values, [0.5, 0.9], method="higher")
    missed = f"{100 * np.isinf(values).mean():.0f} %"
    print(f"{row:22}{share:>6}{median:8.0f}{late:8.0f}{missed:>18}{len(found):>6}", flush=True)


def false_alarms(draw: Draw, seed: int) -> int:
    """Return the alarms in RUN images without drift, of a reference of its own."""
    rng = np.random.default_rng([3, seed])
    detector = OnlineDetector(sample(draw.rows(REFERENCE, CLEAN, 0, rng)))
    stream, count, start = sample(draw.rows(RUN, CLEAN, 0, rng)), 0, 0
    while (alarm := detector.update(stream.rows(slice(start, None)))) is not None:
        count, start = count + 1, alarm.image + 1
    return count


def beside_rivals(draw: Draw, python: str, quiet_draws: int) -> None:
    """Print what evidently and alibi-detect find in the same records, and this project."""
    plan: dict[str, Any] = {}
    rows = {"nothing": [CLEAN], **{k: v for k, v in conditions().items() if k[-1] in "135"}}
    for n in RIVAL_SIZES:
        for row, names in rows.items():
            draws = quiet_draws if row == "nothing" else 1 if len(names) > 1 else 10
            for index, (a, b) in enumerate(_pairs(draw, n, names, 1.0, draws)):
                plan[f"batch|{row}|{n}|{index}|a"], plan[f"batch|{row}|{n}|{index}|b"] = a, b
    strong = conditions()["severity 3"]
    # One reference: alibi-detect simulates its thresholds for each.
    reference = draw.rows(REFERENCE, CLEAN, 0, np.random.default_rng(5))
    for index, (_, b) in enumerate(streams(draw, strong, 1.0, 1)):
        plan[f"stream|strong|{BEFORE}|{index}|a"] = reference
        plan[f"stream|strong|{BEFORE}|{index}|b"] = b
    for seed in range(QUIET_STREAMS):
        rng = np.random.default_rng([3, seed])
        plan[f"stream|nothing|0|{seed}|a"] = reference
        plan[f"stream|nothing|0|{seed}|b"] = draw.rows(RUN, CLEAN, 0, rng)
    with tempfile.TemporaryDirectory() as folder:
        path, answers = Path(folder) / "plan.npz", Path(folder) / "answers.json"
        np.savez(path, **plan)
        script = Path(__file__).with_name("drift_rivals.py")
        subprocess.run([python, script, path, answers], check=True, stdout=subprocess.DEVNULL)
        rivals = json.loads(answers.read_text(encoding="utf-8"))
    ours = _ours(plan)
    preset = rivals.pop("evidently's preset")
    print(
        f"\nevidently's preset agrees with its documented test in {preset['agreed']} of "
        f"{preset['checked']} comparisons of 100 images"
    )
    print("The same records: percent called drift, n images against the reference")
    for row in rows:
        for name, found in {"scones": ours, **rivals}.items():
            cells = [found["batch"].get(f"{row}|{n}") for n in RIVAL_SIZES]
            if None not in cells:
                shown = "".join(f"{100 * each:8.1f}" for each in cells)
                print(f"{row:14}{name:34}{shown}   (n = {', '.join(map(str, RIVAL_SIZES))})")
    streamed = {key: rows for key, rows in plan.items() if key.startswith("stream")}
    sooner = {f"scones, run time {RIVAL_RUN:,}": _ours(streamed, RIVAL_RUN)}
    print("\nThe same streams: median delay at severity 3; false alarms in 10,000 images")
    for name, found in {"scones": ours, **sooner, **rivals}.items():
        if "delays" in found:
            delays = np.array([np.inf if each is None else each for each in found["delays"]])
            median = np.quantile(delays, 0.5, method="higher")
            missed = int(np.isinf(delays).sum())
            print(
                f"{name:34} median {median:6.0f}, missed {missed} of {len(delays)}; "
                f"false alarms {found['alarms']} in {QUIET_STREAMS * RUN:,} images"
            )


def _ours(plan: dict[str, Any], run_time: float = RUN) -> dict[str, Any]:
    batch: dict[str, list[bool]] = {}
    delays = []
    for key in [key for key in plan if key.endswith("|a")]:
        kind, row, n, _, _ = key.split("|")
        a, b = plan[key], plan[key[:-1] + "b"]
        if kind == "batch":
            verdict = drifted(compare(sample(a), sample(b)))
            batch.setdefault(f"{row}|{n}", []).append(verdict == "drift")
        elif row == "strong":
            delays.append(delay(a, b, run_time))
    shares = {key: sum(found) / len(found) for key, found in batch.items()}
    alarms = 0
    for seed in range(QUIET_STREAMS):
        reference = sample(plan[f"stream|nothing|0|{seed}|a"])
        detector, start = OnlineDetector(reference, expected_run_time=run_time), 0
        stream = sample(plan[f"stream|nothing|0|{seed}|b"])
        while (alarm := detector.update(stream.rows(slice(start, None)))) is not None:
            alarms, start = alarms + 1, alarm.image + 1
    return {"batch": shares, "delays": delays, "alarms": alarms}


def thresholds(images: int = 20_000, references: int = 1_000) -> None:
    """Print the mean run time of one quantity by threshold and size of the reference."""
    levels = (3.6, 4.0, 4.4, 4.6, 4.8, 5.0, 5.2)
    print("reference" + "".join(f"{level:>12}" for level in levels))
    for size in (100, 200, 500, 1_000, 5_000):
        rng, counts = np.random.default_rng(size), np.zeros(len(levels), dtype=int)
        for _ in range(references):
            scores = normal_scores(rng.random(images), np.sort(rng.random(size)))
            sums, highest = np.concatenate([[0.0], scores.cumsum()]), np.zeros(images)
            for window in WINDOWS:
                values = np.abs(sums[window:] - sums[:-window])
                values /= (window + window * window / size) ** 0.5
                np.maximum(highest[window - 1 :], values, out=highest[window - 1 :])
            for index, level in enumerate(levels):
                over = np.flatnonzero(highest > level)
                # What follows within the longest window is the same alarm.
                counts[index] += len(over) and 1 + int((np.diff(over) > max(WINDOWS)).sum())
        times = images * references / np.maximum(counts, 1)
        print(f"{size:9,}" + "".join(f"{time:12,.0f}" for time in times), flush=True)


def main() -> int:
    """Run the benchmark; return 1 for an aim missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("archive", nargs="?", help="a CIFAR-100 archive")
    parser.add_argument("--cache", type=Path, default=Path("build/drift"))
    parser.add_argument("--pool", type=int, default=400, help="images that the model never sees")
    parser.add_argument("--recipe", choices=("scratch", "pretrained"), default="scratch")
    parser.add_argument("--draws", type=int, default=2, help="draws of each corruption")
    parser.add_argument("--quiet-draws", type=int, default=400, help="draws without drift")
    parser.add_argument("--runs", type=int, default=100, help="streams without drift")
    parser.add_argument("--rivals", help="Python with evidently and alibi-detect")
    parser.add_argument("--part", choices=PARTS, help="one of the parts; default: all")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="images compared")
    parser.add_argument("--thresholds", action="store_true", help="simulate the thresholds alone")
    given = parser.parse_args()
    if given.thresholds:
        thresholds()
        return 0
    if not given.archive:
        parser.error("name an archive")
    try:
        draw = Draw(records(given.archive, given.cache, given.pool, given.recipe))
    except SconesError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    half = given.pool // 2
    right = np.concatenate([draw.found[CLEAN][:half, 0] < 0.5, draw.found[CLEAN][half:, 0] >= 0.5])
    print(f"{given.recipe}: accuracy {right.mean():.3f} of the pool's {given.pool} images")
    wanted = [given.part] if given.part else PARTS
    missed = online(draw, given.draws, given.runs) if "online" in wanted else []
    if given.rivals and "rivals" in wanted:
        beside_rivals(draw, given.rivals, min(100, given.quiet_draws))
    if "batches" in wanted:
        batches(draw, given.sizes, given.draws, given.quiet_draws)
    sys.stderr.writelines(f"{sentence}\n" for sentence in missed)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
