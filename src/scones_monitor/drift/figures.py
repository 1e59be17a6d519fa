"""The outcome of one test for drift, as the report and the metrics show it."""

from dataclasses import dataclass
from typing import Literal

from scones_monitor.statistics import Interval

Verdict = Literal["none", "drift", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftFigure:
    """One figure compared between a reference and the current sample.

    `name` says what was compared ("confidence", "brightness", "class mix"), `method` how
    ("Kolmogorov-Smirnov"). `statistic` is the method's own; `p_value` is corrected for the number
    of figures tested together, and None where the method has none. `interval` is the 95 %
    interval of the statistic, None where it is not known. The verdict is "unknown" where either
    sample is too small for the method.
    """

    name: str
    method: str
    statistic: float
    p_value: float | None
    n_reference: int
    n_current: int
    interval: Interval | None
    verdict: Verdict
