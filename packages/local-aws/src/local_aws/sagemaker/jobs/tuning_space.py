"""A tuning job's hyperparameter ranges, each as the interval [0, 1].

https://docs.aws.amazon.com/sagemaker/latest/dg/automatic-model-tuning-define-ranges.html
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from local_aws.errors import LocalAwsError

# `Auto` searches a range on a logarithmic scale from this ratio of its ends on.
_AUTO_LOGARITHMIC_RATIO = 100.0


class InvalidTuning(LocalAwsError):
    """A tuning job cannot be run as it is asked for; the message is the ValidationException's."""


@dataclass(frozen=True, slots=True)
class Range:
    """One hyperparameter that is tuned; `values` are those of a categorical one."""

    name: str
    low: float = 0.0
    high: float = 1.0
    scaling: str = "Linear"
    integer: bool = False
    values: tuple[str, ...] = ()

    def value(self, unit: float) -> str:
        """Return the hyperparameter for a place between 0 and 1, as a training job gets it."""
        if self.values:
            return self.values[min(int(unit * len(self.values)), len(self.values) - 1)]
        found = min(max(self._scaled(unit), self.low), self.high)
        if self.integer:
            return str(min(max(round(found), math.ceil(self.low)), math.floor(self.high)))
        return repr(found)

    def _scaled(self, unit: float) -> float:
        if self.scaling == "Logarithmic":
            return math.exp(_between(math.log(self.low), math.log(self.high), unit))
        if self.scaling == "ReverseLogarithmic":
            return 1 - math.exp(_between(math.log(1 - self.low), math.log(1 - self.high), unit))
        return _between(self.low, self.high, unit)


def parse_ranges(ranges: Mapping[str, Sequence[Mapping[str, Any]]] | None) -> list[Range]:
    """Return the ranges of a `ParameterRanges`; raises InvalidTuning."""
    ranges = ranges or {}
    if ranges.get("AutoParameters"):
        raise InvalidTuning(
            "The embedded AWS does not choose ranges by itself: give ranges in place of "
            "AutoParameters."
        )
    found = [
        *(_numeric(entry, integer=True) for entry in ranges.get("IntegerParameterRanges") or ()),
        *(
            _numeric(entry, integer=False)
            for entry in ranges.get("ContinuousParameterRanges") or ()
        ),
        *(
            Range(entry["Name"], values=tuple(entry["Values"]))
            for entry in ranges.get("CategoricalParameterRanges") or ()
        ),
    ]
    names = [entry.name for entry in found]
    if not names or len(set(names)) != len(names):
        raise InvalidTuning("A tuning job needs at least one range, and one for each name.")
    return found


def _numeric(entry: Mapping[str, Any], *, integer: bool) -> Range:
    name = entry["Name"]
    try:
        low, high = float(entry["MinValue"]), float(entry["MaxValue"])
    except ValueError as error:
        raise InvalidTuning(
            f"The range of {name} needs numbers as MinValue and MaxValue."
        ) from error
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise InvalidTuning(f"The range of {name} needs a MinValue below its MaxValue.")
    scaling = entry.get("ScalingType") or "Auto"
    if scaling == "Auto":
        wide = low > 0 and high / low >= _AUTO_LOGARITHMIC_RATIO
        scaling = "Logarithmic" if wide else "Linear"
    if scaling == "Logarithmic" and low <= 0:
        raise InvalidTuning(f"The range of {name} must be above 0 to be searched logarithmically.")
    if scaling == "ReverseLogarithmic" and (integer or not 0 <= low < high < 1):
        raise InvalidTuning(
            f"The range of {name} must be continuous and within 0 <= x < 1 to be searched in "
            "reverse logarithmic scale."
        )
    return Range(name, low, high, scaling, integer)


def _between(low: float, high: float, unit: float) -> float:
    return low + (high - low) * unit
