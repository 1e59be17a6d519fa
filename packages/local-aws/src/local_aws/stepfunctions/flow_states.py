"""Choice and Wait states: which rule matches, and until when to wait."""

import copy
import datetime
import re
import time
from typing import Any

from moto.stepfunctions.parser.asl.component.state.choice.comparison.comparison_operator_type import (  # noqa: E501
    ComparisonOperatorType,
)
from moto.stepfunctions.parser.asl.component.state.choice.comparison.variable import (
    NoSuchVariable,
)

from local_aws.core.expressions import wildcard
from local_aws.core.patching import patch
from local_aws.stepfunctions.errors import failure_event

_STATE = "moto.stepfunctions.parser.asl.component.state"
_CHOICE = f"{_STATE}.choice.state_choice.StateChoice"
_COMPARISON = f"{_STATE}.choice.comparison"
_WAIT = f"{_STATE}.wait.wait_function.timestamp.Timestamp"
_TIME_WHY = "knows no offsets, and takes the host's time zone for UTC"
# RFC 3339 with capital T and Z.
_TIME = re.compile(
    r"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2})?)(?:\.(\d+))?(Z|[+-]\d{2}:\d{2})", re.ASCII
)


def time_of(text: Any) -> datetime.datetime | None:
    """Return the time that a string in RFC 3339 gives, to the microsecond; None for any other."""
    found = _TIME.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        return None
    fraction = (found[2] or "0")[:6]
    try:
        return datetime.datetime.fromisoformat(f"{found[1]}{found[3]}") + datetime.timedelta(
            microseconds=int(fraction.ljust(6, "0"))
        )
    except (ValueError, OverflowError):
        return None


@patch(f"{_WAIT}._from_timestamp_string", why=_TIME_WHY)
def from_timestamp_string(_: Any, timestamp: str) -> datetime.datetime | None:
    """Return the time of a Wait; None where it is not one."""
    return time_of(timestamp)


@patch(f"{_WAIT}._get_wait_seconds", why=_TIME_WHY)
def wait_seconds(_: Any, wait: Any, env: Any) -> float:
    """Return the seconds until a Wait ends; 0 for the past."""
    wait.string.eval(env=env)
    text = env.stack.pop()
    until = time_of(text)
    if until is None:
        cause = (
            f"The {type(wait).__name__} parameter does not reference a valid ISO-8601 extended "
            f"offset date-time format string: {wait.string.literal_value} == {text}"
        )
        raise failure_event(env, "States.Runtime", cause, "ExecutionFailed")
    return max((until - datetime.datetime.now(datetime.UTC)).total_seconds(), 0.0)


@patch(
    f"{_COMPARISON}.operator.implementations.is_operator.IsTimestamp.string_to_timestamp",
    why="knows no offsets and no fractions of a second",
)
def string_to_timestamp(_: Any, string: str) -> datetime.datetime | None:
    """Return the time that a Choice compares; None where it is not one."""
    return time_of(string)


# A lock cannot be waited for until the year 9999; what waits looks again.
_LONGEST_WAIT = 86_400.0


@patch(
    "moto.stepfunctions.parser.asl.component.state.wait.wait_function.wait_function"
    ".WaitFunction._wait_interval",
    why="counts whole seconds only, and never ends with a fraction of one",
)
def wait_interval(_: Any, __: Any, env: Any, wait_seconds: float) -> None:
    """Wait for that time, or until the execution ends."""
    end = time.monotonic() + wait_seconds
    while env.is_running() and (left := end - time.monotonic()) > 0:
        env.program_state_event.wait(min(left, _LONGEST_WAIT))


@patch(
    f"{_COMPARISON}.comparison_variable.ComparisonVariable._eval_body",
    why="takes an absent value for one that matches no comparison",
)
def compare_variable(_: Any, comparison: Any, env: Any) -> None:
    """Put on the stack whether a comparison holds; only IsPresent may ask for what is absent."""
    comparison.variable.eval(env)
    function = comparison.comparison_function
    absent = isinstance(env.stack[-1], NoSuchVariable)
    if absent and function.operator_type is not ComparisonOperatorType.IsPresent:
        path = comparison.variable.string_sampler.literal_value
        cause = (
            f"Invalid path '{path}': The choice state's condition path references an invalid value."
        )
        raise failure_event(env, "States.Runtime", cause, "ExecutionFailed")
    function.eval(env)


@patch(
    f"{_COMPARISON}.operator.implementations.string_operators.StringMatches._compare",
    why="has ? and [ stand for other letters too, and no backslash before an asterisk",
)
def matches_wildcards(_: Any, variable: Any, comparison_value: Any) -> bool:
    """Return whether a string matches: `*` stands for any text, after a backslash for itself."""
    if not isinstance(variable, str):
        return False
    parts = [""]
    for sign in re.findall(r"\\[*\\]|.", comparison_value, re.DOTALL):
        if sign == "*":
            parts.append("")
        else:
            parts[-1] += re.escape(sign[-1])
    return wildcard(parts).fullmatch(variable) is not None


@patch(
    "moto.stepfunctions.parser.asl.parse.preprocessor.Preprocessor"
    ".visitChoice_rule_comparison_variable",
    why="drops what a rule in JSONPath assigns",
)
def visit_rule(original: Any, preprocessor: Any, context: Any) -> Any:
    """Return a rule of a Choice, with the variables that it assigns.

    https://docs.aws.amazon.com/step-functions/latest/dg/workflow-variables.html
    """
    rule = original(preprocessor, context)
    if rule.assign is not None:
        return rule
    for child in context.children:
        statement = getattr(child, "assign_decl", lambda: None)()
        if statement is not None:
            rule.assign = preprocessor.visit(statement)
    return rule


@patch(
    f"{_STATE}.choice.choice_rule.ChoiceRule._eval_body",
    why="reads what a rule in JSONPath assigns from the outcome of its comparison",
)
def evaluate_rule(_: Any, rule: Any, env: Any) -> None:
    """Put on the stack whether a rule matches; one that does assigns its variables."""
    rule.comparison.eval(env)
    if env.stack[-1] is not True:
        return
    if rule.assign:
        matched = env.stack.pop()
        rule.assign.eval(env=env)
        env.stack.append(matched)
    if rule.output:
        rule.output.eval(env=env)


class _RuleTarget(str):
    """The name of a state that a rule leads to, and not the Default."""

    __slots__ = ()


@patch(f"{_CHOICE}._eval_state", why="names a Choice without a match States.Runtime")
def evaluate_choice(_: Any, state: Any, env: Any) -> None:
    """Put the next state's name on the stack; raises States.NoChoiceMatched."""
    for rule in state.choices_decl.rules:
        rule.eval(env)
        if env.stack.pop() is True:
            env.stack.append(_RuleTarget(rule.next_stmt.name))
            return
    if state.default_state is None:
        cause = f"No rule of the Choice state {state.name} matched, and it has no Default."
        raise failure_event(env, "States.NoChoiceMatched", cause, "ExecutionFailed")
    env.stack.append(state.default_state.state_name)


@patch(f"{_CHOICE}._eval_state_output", why="takes a rule that leads to the Default for none")
def evaluate_choice_output(original: Any, state: Any, env: Any) -> None:
    """Put out what the Choice has, or the rule that matched."""
    if isinstance(env.stack[-1], _RuleTarget):
        env.stack[-1] = str(env.stack[-1])
        state = copy.copy(state)
        state.default_state = None  # the rule has assigned and put out what it has
    original(state, env)
