"""The functions of metric math that are known here.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
"""

import itertools
import math
import statistics
from collections.abc import Callable, Sequence
from typing import Any

from local_aws.cloudwatch.metric_math import MathError, Scope, Series, Value, as_series

Function = Callable[[Scope, Sequence[Any]], Value]

_REPEAT, _LINEAR = math.inf, -math.inf


def _reduced(reduce: Callable[[list[float]], float]) -> Function:
    """Return a function of one series to a number, or of an array to a series."""

    def call(scope: Scope, arguments: Sequence[Any]) -> Value:
        (argument,) = _exactly(arguments, 1)
        if isinstance(argument, list):
            times = sorted({at for series in argument for at in series})
            return {at: reduce([s[at] for s in argument if at in s]) for at in times}
        values = list(as_series(argument, scope).values())
        return reduce(values) if values else {}

    return call


def _each(function: Callable[[float], float]) -> Function:
    def call(scope: Scope, arguments: Sequence[Any]) -> Value:
        (argument,) = _exactly(arguments, 1)
        if isinstance(argument, float):
            return function(argument)
        return {at: function(value) for at, value in as_series(argument, scope).items()}

    return call


def _exactly(arguments: Sequence[Any], count: int) -> Sequence[Any]:
    if len(arguments) != count:
        raise MathError(f"{count} arguments are needed, not {len(arguments)}")
    return arguments


def _if(scope: Scope, arguments: Sequence[Any]) -> Value:
    if len(arguments) not in (2, 3):
        raise MathError(f"IF takes 2 or 3 arguments, not {len(arguments)}")
    condition = as_series(arguments[0], scope)
    chosen = [as_series(argument, scope) for argument in arguments[1:]]
    then, otherwise = chosen[0], chosen[1] if len(chosen) > 1 else {}
    found: Series = {}
    for at, truth in condition.items():
        branch = then if truth else otherwise
        if at in branch:
            found[at] = branch[at]
    return found


def _fill(scope: Scope, arguments: Sequence[Any]) -> Value:
    series, filler = _exactly(arguments, 2)
    if isinstance(series, list):
        return [_filled(one, filler, scope) for one in series]
    return _filled(as_series(series, scope), filler, scope)


def _filled(series: Series, filler: Any, scope: Scope) -> Series:
    if filler in (_REPEAT, _LINEAR):
        return _carried(series, scope, linear=filler == _LINEAR)
    fill = as_series(filler, scope)
    return {**fill, **series}


def _carried(series: Series, scope: Scope, *, linear: bool) -> Series:
    found: Series = {}
    known = sorted(series)
    for at in scope.times:
        before = [time for time in known if time <= at]
        after = [time for time in known if time >= at]
        if before and after and linear and before[-1] != after[0]:
            share = (at - before[-1]) / (after[0] - before[-1])
            found[at] = series[before[-1]] * (1 - share) + series[after[0]] * share
        elif before:
            found[at] = series[before[-1]]
    return found


def _difference(scope: Scope, arguments: Sequence[Any]) -> Value:
    (argument,) = _exactly(arguments, 1)
    items = sorted(as_series(argument, scope).items())
    pairs = itertools.pairwise(items)
    return {at: value - before for (_, before), (at, value) in pairs}


def _rate(scope: Scope, arguments: Sequence[Any]) -> Value:
    (argument,) = _exactly(arguments, 1)
    items = sorted(as_series(argument, scope).items())
    pairs = itertools.pairwise(items)
    return {at: (value - before) / (at - earlier) for (earlier, before), (at, value) in pairs}


def _running_sum(scope: Scope, arguments: Sequence[Any]) -> Value:
    (argument,) = _exactly(arguments, 1)
    found, total = {}, 0.0
    for at, value in sorted(as_series(argument, scope).items()):
        total += value
        found[at] = total
    return found


def _metrics(scope: Scope, arguments: Sequence[Any]) -> Value:
    _exactly(arguments, 0)
    return [scope.series[name] for name in scope.metric_ids]


def _period(scope: Scope, arguments: Sequence[Any]) -> Value:
    _exactly(arguments, 1)
    return float(scope.period)


FUNCTIONS: dict[str, Function] = {
    "ABS": _each(abs),
    "AVG": _reduced(statistics.fmean),
    "CEIL": _each(lambda value: float(math.ceil(value))),
    "DATAPOINT_COUNT": _reduced(lambda values: float(len(values))),
    "DIFF": _difference,
    "FILL": _fill,
    "FLOOR": _each(lambda value: float(math.floor(value))),
    "IF": _if,
    "MAX": _reduced(max),
    "METRICS": _metrics,
    "MIN": _reduced(min),
    "PERIOD": _period,
    "RATE": _rate,
    "RUNNING_SUM": _running_sum,
    "STDDEV": _reduced(statistics.pstdev),
    "SUM": _reduced(math.fsum),
}
