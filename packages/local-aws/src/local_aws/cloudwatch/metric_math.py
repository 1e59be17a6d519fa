"""CloudWatch's metric math: an expression over metrics, period by period.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
"""

import bisect
import itertools
import math
import operator
import re
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# By the period's begin, in seconds since 1970. A period without data has no entry.
Series = dict[int, float]
Value = float | Series | list[Series]


class MathError(Exception):
    """An expression that cannot be read, or that uses what is not known here."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What an expression may refer to: series by id, all begins of periods, their length."""

    series: Mapping[str, Series]
    times: Sequence[int]
    period: int
    metric_ids: Sequence[str] = ()


Node = Callable[[Scope], Value]

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+)|(?P<name>[A-Za-z_]\w*)"
    r"|(?P<text>\"[^\"]*\"|'[^']*')|(?P<sign>==|!=|<=|>=|&&|\|\||[-+*/^<>(),\[\]]))"
)
# The loosest first; each level's operators bind to the left.
_LEVELS: tuple[frozenset[str], ...] = (
    frozenset(("OR", "||")),
    frozenset(("AND", "&&")),
    frozenset(("==", "!=", "<", "<=", ">", ">=")),
    frozenset(("+", "-")),
    frozenset(("*", "/")),
)
_OPERATORS: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "^": operator.pow,
    "==": lambda a, b: float(a == b),
    "!=": lambda a, b: float(a != b),
    "<": lambda a, b: float(a < b),
    "<=": lambda a, b: float(a <= b),
    ">": lambda a, b: float(a > b),
    ">=": lambda a, b: float(a >= b),
    "AND": lambda a, b: float(bool(a) and bool(b)),
    "OR": lambda a, b: float(bool(a) or bool(b)),
}
_SYNONYMS = {"&&": "AND", "||": "OR"}


def compiled(expression: str) -> Node:
    """Return a function from a scope to the expression's value; raises MathError."""
    try:
        return _Parser(expression).parse()
    except RecursionError as error:
        raise MathError("it is nested too deeply") from error


def evaluate(expression: str, scope: Scope) -> Series:
    """Return the expression's series; a number holds in every period. Raises MathError."""
    value = compiled(expression)(scope)
    if isinstance(value, list):
        if len(value) != 1:
            raise MathError(f"{expression} gives {len(value)} series, where one is needed")
        return value[0]
    return value if isinstance(value, dict) else dict.fromkeys(scope.times, value)


def names_in(expression: str) -> set[str]:
    """Return the names that an expression has, of metrics and functions."""
    return {token for token in _tokens(expression) if re.match(r"[A-Za-z_]", token)}


def parts_of(expression: str) -> int:
    """Return how many names, numbers and signs an expression has."""
    return len(_tokens(expression))


class _Parser:
    def __init__(self, text: str) -> None:
        self._text, self._tokens, self._at = text, _tokens(text), 0

    def parse(self) -> Node:
        node = self._level(0)
        if self._peek():
            raise MathError(f"{self._text}: {self._peek()} is not expected there")
        return node

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _next(self) -> str:
        token = self._peek()
        self._at += 1
        return token

    def _expect(self, token: str) -> None:
        if self._next() != token:
            raise MathError(f"{self._text}: {token} is missing")

    def _level(self, level: int) -> Node:
        if level == len(_LEVELS):
            return self._power()
        node = self._level(level + 1)
        while self._peek() in _LEVELS[level]:
            sign = self._next()
            node = _binary(_OPERATORS[_SYNONYMS.get(sign, sign)], node, self._level(level + 1))
        return node

    def _power(self) -> Node:
        base = self._unary()
        if self._peek() != "^":
            return base
        self._next()
        return _binary(operator.pow, base, self._power())

    def _unary(self) -> Node:
        if self._peek() == "-":
            self._next()
            return _binary(operator.sub, _constant(0.0), self._unary())
        return self._atom()

    def _atom(self) -> Node:
        sign = self._next()
        if sign == "(":
            node = self._level(0)
            self._expect(")")
            return node
        if sign == "[":
            return _array(self._list("]"))
        if re.fullmatch(r"\d.*|\.\d+", sign):
            return _constant(float(sign))
        if re.match(r"[A-Za-z_\"']", sign):
            if self._peek() == "(":
                self._next()
                return self._call(sign)
            return _reference(sign)
        raise MathError(f"{self._text}: {sign or 'the end'} is not expected there")

    def _list(self, end: str) -> list[Node]:
        nodes: list[Node] = []
        while self._peek() != end:
            if nodes:
                self._expect(",")
            nodes.append(self._level(0))
        self._next()
        return nodes

    def _call(self, name: str) -> Node:
        function = _FUNCTIONS.get(name)
        if function is None:
            known = ", ".join(sorted(_FUNCTIONS))
            raise MathError(f"{self._text}: {name} is not known here; known are {known}")
        arguments = self._list(")")
        return lambda scope: function(scope, [argument(scope) for argument in arguments])


def _tokens(text: str) -> list[str]:
    tokens, at = [], 0
    while text[at:].strip():
        found = _TOKEN.match(text, at)
        if found is None:
            raise MathError(f"{text}: {text[at:].strip()[0]} cannot be read")
        tokens.append(found.group().strip())
        at = found.end()
    return tokens


def _constant(number: float) -> Node:
    return lambda _: number


def _reference(name: str) -> Node:
    if name in ("REPEAT", "LINEAR"):
        return lambda _: {"REPEAT": math.inf, "LINEAR": -math.inf}[name]

    def look_up(scope: Scope) -> Value:
        if name not in scope.series:
            raise MathError(f"no metric has the id {name}")
        return scope.series[name]

    return look_up


def _array(nodes: list[Node]) -> Node:
    def collect(scope: Scope) -> Value:
        return [as_series(node(scope), scope) for node in nodes]

    return collect


def as_series(value: Value, scope: Scope) -> Series:
    """Return a value as one series; raises MathError for several."""
    if isinstance(value, list):
        raise MathError("several series are given, where one is needed")
    return value if isinstance(value, dict) else dict.fromkeys(scope.times, value)


def combine(function: Callable[[float, float], float], left: Any, right: Any) -> Value:
    """Return the function's value in each period that both have; a quotient by 0 is none."""
    if isinstance(left, list) or isinstance(right, list):
        return _combine_arrays(function, left, right)
    if not isinstance(left, dict) and not isinstance(right, dict):
        result = _applied(function, left, right)
        return math.nan if result is None else result
    times = _common(left, right)
    found = {at: _applied(function, _at(left, at), _at(right, at)) for at in times}
    return {at: value for at, value in found.items() if value is not None}


def _combine_arrays(function: Callable[[float, float], float], left: Any, right: Any) -> Value:
    size = len(left) if isinstance(left, list) else len(right)
    lefts = left if isinstance(left, list) else [left] * size
    rights = right if isinstance(right, list) else [right] * size
    if len(lefts) != len(rights):
        raise MathError("the two sides have different numbers of series")
    return [combine(function, a, b) for a, b in zip(lefts, rights, strict=True)]  # type: ignore[misc]


def _common(left: Any, right: Any) -> list[int]:
    if not isinstance(left, dict):
        return sorted(right)
    return sorted(left) if not isinstance(right, dict) else sorted(left.keys() & right.keys())


def _at(value: Any, at: int) -> float:
    return value[at] if isinstance(value, dict) else value  # type: ignore[no-any-return]


def _applied(function: Callable[..., float], *operands: Any) -> float | None:
    """Return a function's value; None where it has none, as a quotient by 0 or one too large."""
    try:
        result = function(*operands)
    except (ZeroDivisionError, OverflowError, ValueError):
        return None
    return None if isinstance(result, complex) or not math.isfinite(result) else result


def _binary(function: Callable[[float, float], float], left: Node, right: Node) -> Node:
    return lambda scope: combine(function, left(scope), right(scope))


Function = Callable[[Scope, Sequence[Any]], Value]

_REPEAT, _LINEAR = math.inf, -math.inf


def _reduced(reduce: Callable[[list[float]], float]) -> Function:
    """Return a function of one series to a number, or of an array to a series."""

    def call(scope: Scope, arguments: Sequence[Any]) -> Value:
        (argument,) = _exactly(arguments, 1)
        if isinstance(argument, list):
            times = sorted({at for series in argument for at in series})
            found = {at: _applied(reduce, [s[at] for s in argument if at in s]) for at in times}
            return {at: value for at, value in found.items() if value is not None}
        values = list(as_series(argument, scope).values())
        reduced = _applied(reduce, values) if values else None
        return {} if reduced is None else reduced

    return call


def _each(function: Callable[[float], float]) -> Function:
    def call(scope: Scope, arguments: Sequence[Any]) -> Value:
        (argument,) = _exactly(arguments, 1)
        if isinstance(argument, float):
            result = _applied(function, argument)
            return {} if result is None else result
        found = {at: _applied(function, value) for at, value in as_series(argument, scope).items()}
        return {at: value for at, value in found.items() if value is not None}

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
        place = bisect.bisect_right(known, at)
        if place == 0:
            continue
        before = known[place - 1]
        found[at] = series[before]
        if linear and before != at and place < len(known):
            share = (at - before) / (known[place] - before)
            found[at] = series[before] * (1 - share) + series[known[place]] * share
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


def _deviation(values: list[float]) -> float:
    return statistics.pstdev(values) if all(map(math.isfinite, values)) else math.nan


def _metrics(scope: Scope, arguments: Sequence[Any]) -> Value:
    _exactly(arguments, 0)
    return [scope.series[name] for name in scope.metric_ids]


def _period(scope: Scope, arguments: Sequence[Any]) -> Value:
    _exactly(arguments, 1)
    return float(scope.period)


_FUNCTIONS: dict[str, Function] = {
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
    "STDDEV": _reduced(_deviation),
    "SUM": _reduced(math.fsum),
}
