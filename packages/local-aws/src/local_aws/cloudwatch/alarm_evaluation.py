"""Alarm evaluation: the state that data points, and missing ones, give a metric alarm.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
"""

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass

OK, ALARM, INSUFFICIENT_DATA = "OK", "ALARM", "INSUFFICIENT_DATA"
# The documentation's tables read five periods for an alarm over three.
EXTRA_PERIODS = 2

COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
_COMPARISON_TEXTS = {
    "GreaterThanOrEqualToThreshold": "greater than or equal to",
    "GreaterThanThreshold": "greater than",
    "LessThanThreshold": "less than",
    "LessThanOrEqualToThreshold": "less than or equal to",
}


@dataclass(frozen=True, slots=True)
class Rule:
    """`datapoints` of `periods` must be beyond the threshold; `missing` is TreatMissingData."""

    comparison: str
    threshold: float
    periods: int
    datapoints: int
    missing: str = "missing"

    def breaches(self, value: float) -> bool:
        """Return whether a value is beyond the threshold."""
        return COMPARISONS[self.comparison](value, self.threshold)


def new_state(rule: Rule, values: Sequence[float | None]) -> str | None:
    """Return the state for the evaluation range's values, None where the present one stays.

    `values` has the oldest period first, and None for a period without data.
    """
    real = [rule.breaches(value) for value in values if value is not None]
    recent = values[-rule.periods :]
    if None not in recent or len(real) >= rule.periods:
        return ALARM if sum(real[-rule.periods :]) >= rule.datapoints else OK
    if rule.missing in ("breaching", "notBreaching"):
        filled = rule.periods - len(real) if rule.missing == "breaching" else 0
        return ALARM if sum(real) + filled >= rule.datapoints else OK
    if not real:
        return None if rule.missing == "ignore" else INSUFFICIENT_DATA
    if sum(real) < rule.datapoints and _is_premature(rule, values):
        return None if rule.missing == "ignore" else ALARM
    return ALARM if sum(real) >= rule.datapoints else OK


def _is_premature(rule: Rule, values: Sequence[float | None]) -> bool:
    """Return whether all data are beyond the threshold and begin as long ago as is asked for.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
    (Avoiding premature transitions to alarm state)
    """
    real = [(index, value) for index, value in enumerate(values) if value is not None]
    if not all(rule.breaches(value) for _, value in real):
        return False
    return len(values) - real[0][0] >= rule.datapoints


def reason(rule: Rule, state: str, points: Sequence[tuple[str, float]], missing: int) -> str:
    """Return the sentence that goes with a state.

    `points` are the data that were looked at, the newest first, each with its time as text.
    """
    if not points:
        return (
            f"{'Insufficient Data' if state == INSUFFICIENT_DATA else 'Threshold Crossed'}: "
            f"no datapoints were received for {missing} period{_s(missing)} and {missing} missing "
            f"datapoint{_s(missing)} {'were' if missing != 1 else 'was'} treated as "
            f"[{_treatment(rule)}]."
        )
    beyond = [rule.breaches(value) for _, value in points]
    count = sum(beyond) if state == ALARM else len(points) - sum(beyond)
    listed = ", ".join(f"{value} ({at})" for at, value in points)
    comparison_text = _COMPARISON_TEXTS[rule.comparison]
    negated = "" if state == ALARM else "not "
    return (
        f"Threshold Crossed: {count} out of the last {len(points)} datapoint{_s(len(points))} "
        f"[{listed}] {'were' if count != 1 else 'was'} {negated}{comparison_text} the threshold "
        f"({rule.threshold}) (minimum {rule.datapoints} datapoint{_s(rule.datapoints)} for "
        f"{'OK -> ALARM' if state == ALARM else 'ALARM -> OK'} transition)."
    )


def _treatment(rule: Rule) -> str:
    return {"notBreaching": "NonBreaching", "breaching": "Breaching"}.get(
        rule.missing, rule.missing.capitalize()
    )


def _s(count: int) -> str:
    return "" if count == 1 else "s"
