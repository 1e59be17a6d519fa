"""What evidently and alibi-detect find in the records of benchmarks/drift.py.

Runs in an environment of its own, which has both and an older NumPy; imports nothing of the
project. Reads the samples and streams from its first file, writes JSON to its second.
"""

import json
import sys
import warnings
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

# The confidence, the probability and the statistics; the size never changes.
NAMES = ["confidence", "probability", "brightness", "contrast", "sharpness", "saturation"]
CHECKED = 5
# Its thresholds of a longer run time need more bootstrap samples than anybody waits for.
RUN_TIME = 1_500
BOOTSTRAPS = 12_000
WINDOW = 100


def columns(rows: Any) -> Any:
    """Return the quantities that the tools get, shape (n, 6), float32."""
    confidence = np.maximum(rows[:, 0], 1 - rows[:, 0])
    return np.column_stack([confidence, rows[:, :5]]).astype(np.float32)


def evidently(a: Any, b: Any) -> tuple[bool, bool]:
    """Return whether evidently's preset finds drift: of any column, of half of them."""
    import pandas as pd
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    definition = DataDefinition(numerical_columns=NAMES)
    frames = [
        Dataset.from_pandas(pd.DataFrame(columns(each), columns=NAMES), data_definition=definition)
        for each in (b, a)
    ]
    result = Report([DataDriftPreset()]).run(frames[0], frames[1]).dict()
    drifted = next(
        metric["value"] for metric in result["metrics"] if "count" in str(metric["value"])
    )
    return drifted["count"] > 0, drifted["share"] >= 0.5


def evidently_test(a: Any, b: Any) -> tuple[bool, bool]:
    """Return the same by its documented default, which takes a hundredth of the time.

    For up to 1,000 rows of reference: Kolmogorov-Smirnov, p < 0.05 for each column.
    """
    from scipy.stats import ks_2samp

    before, now = columns(a), columns(b)
    hits = [ks_2samp(before[:, i], now[:, i]).pvalue < 0.05 for i in range(len(NAMES))]
    return any(hits), sum(hits) >= len(NAMES) / 2


def alibi(a: Any, b: Any) -> bool:
    """Return whether alibi-detect's KSDrift finds drift; its default is Bonferroni at 5 %."""
    from alibi_detect.cd import KSDrift

    found = KSDrift(columns(a), p_val=0.05).predict(columns(b))
    return bool(found["data"]["is_drift"])


@lru_cache(1)
def _online_detector(reference: bytes) -> Any:
    from alibi_detect.cd import CVMDriftOnline

    rows = np.frombuffer(reference, np.float32).reshape(-1, len(NAMES))
    return CVMDriftOnline(
        rows, ert=RUN_TIME, window_sizes=[10, 20, 50], n_bootstraps=BOOTSTRAPS, verbose=False
    )


def alibi_online(reference: Any, stream: Any, before: int) -> list[int]:
    """Return the images, counted from the drift's first, that CVMDriftOnline alarms at.

    Ends at the first alarm of the drift; false alarms are passed over and restart it.
    """
    detector = _online_detector(columns(reference).tobytes())
    detector.reset_state()
    found = []
    for index, row in enumerate(columns(stream)):
        if detector.predict(row)["data"]["is_drift"]:
            found.append(index - before + 1)
            if index >= before > 0:
                return found
            detector.reset_state()
    return found


def evidently_windows(reference: Any, stream: Any, before: int) -> dict[str, list[int]]:
    """Return the ends of consecutive windows that evidently calls drift, by the way it is asked."""
    found: dict[str, list[int]] = {"any": [], "whole": []}
    for end in range(WINDOW, len(stream) + 1, WINDOW):
        answers = evidently_test(reference, stream[end - WINDOW : end])
        for name, answer in zip(found, answers, strict=True):
            if answer:
                found[name].append(end - before)
        if before and all(any(place > 0 for place in places) for places in found.values()):
            break
    return found


def main() -> int:
    """Write the findings as JSON."""
    plan = np.load(sys.argv[1], allow_pickle=False)
    batch: dict[str, dict[str, list[bool]]] = {}
    online: dict[str, dict[str, Any]] = {}

    checked = agreed = 0

    def say(tool: str, key: str, answer: bool) -> None:
        batch.setdefault(tool, {}).setdefault(key, []).append(bool(answer))

    def follow(tool: str, row: str, places: list[int]) -> None:
        entry = online.setdefault(tool, {"delays": [], "alarms": 0})
        if row == "strong":
            entry["delays"].append(next((place for place in places if place > 0), None))
        else:
            entry["alarms"] += len(places)

    for key in [key for key in plan.files if key.endswith("|a")]:
        kind, row, n, _, _ = key.split("|")
        a, b = plan[key], plan[key[:-1] + "b"]
        if kind == "batch":
            some, whole = evidently_test(a, b)
            if checked < CHECKED and int(n) == 100:
                # The preset itself must say the same of these.
                checked += 1
                agreed += evidently(a, b) == (some, whole)
            say("evidently, any column", f"{row}|{n}", some)
            say("evidently, half of the columns", f"{row}|{n}", whole)
            say("alibi-detect KSDrift", f"{row}|{n}", alibi(a, b))
        else:
            follow("alibi-detect CVMDriftOnline", row, alibi_online(a, b, int(n)))
            windows = evidently_windows(a, b, int(n))
            follow("evidently, any column", row, windows["any"])
            follow("evidently, half of the columns", row, windows["whole"])
    found: dict[str, Any] = {"evidently's preset": {"checked": checked, "agreed": agreed}}
    for tool, cells in batch.items():
        found[tool] = {"batch": {key: sum(got) / len(got) for key, got in cells.items()}}
    for tool, entry in online.items():
        found.setdefault(tool, {"batch": {}}).update(entry)
    with Path(sys.argv[2]).open("w", encoding="utf-8") as out:
        json.dump(found, out)
    return 0


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.exit(main())
