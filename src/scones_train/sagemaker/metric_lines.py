"""The `name=value` lines on a training job's output, written and read in one place."""

import math
import re
from collections.abc import Mapping, Sequence

_PAIR = re.compile(r"(?<!\S)([a-z_]+)=([0-9][0-9.e+-]*)(?:/([0-9]+))?(?!\S)")

# Names that SageMaker records for a job, each found on the lines by this project's own format.
RECORDED = (
    "train_loss",
    "fold_accuracy",
    "calibration_accuracy",
    "calibration_coverage_at_threshold",
    "test_accuracy",
    "test_precision_at_threshold",
    "test_coverage_at_threshold",
    "test_expected_calibration_error",
    "threshold",
    "temperature",
)


def metric_line(values: Mapping[str, float | str]) -> str:
    """Return the values as one line; floats have four decimals, texts stand as they are."""
    return " ".join(
        f"{name}={value:.4f}" if isinstance(value, float) else f"{name}={value}"
        for name, value in values.items()
    )


def parse_line(line: str) -> dict[str, float]:
    """Return the values that a line carries, and of `epoch=3/24` both `epoch` and `epochs`.

    A line without any, or with something else between, gives what there is.
    """
    values: dict[str, float] = {}
    for name, text, total in _PAIR.findall(line):
        try:
            values[name] = float(text)
        except ValueError:
            continue
        if total:
            values[f"{name}s"] = float(total)
    return {name: value for name, value in values.items() if math.isfinite(value)}


def metric_definitions(names: Sequence[str] = RECORDED) -> list[dict[str, str]]:
    """Return the MetricDefinitions of CreateTrainingJob for lines that carry these names."""
    return [{"Name": name, "Regex": rf"(?:^|\s){name}=([0-9][0-9.e+-]*)"} for name in names]
