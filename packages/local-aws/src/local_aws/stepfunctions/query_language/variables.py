"""Expressions in states: JSONata between `{%` and `%}`, and variables in both languages.

https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html
https://docs.aws.amazon.com/step-functions/latest/dg/workflow-variables.html
"""

import copy
import json
import re
from typing import Any

from moto.stepfunctions.parser.asl.component.common.assign.assign_template_value_terminal import (
    AssignTemplateValueTerminalLit,
)

from local_aws.core.patching import add, patch, set_value
from local_aws.stepfunctions.errors import failure_event
from local_aws.stepfunctions.json_data import within_quota
from local_aws.stepfunctions.query_language import jsonpath
from local_aws.stepfunctions.query_language.jsonata import QueryFailed, evaluate

_VARIABLE = re.compile(r"\$(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?P<path>.*)", re.DOTALL)
_COMPONENT = "moto.stepfunctions.parser.asl.component"
_STRINGS = f"{_COMPONENT}.common.string.string_expression"
_STORE = "moto.stepfunctions.parser.asl.eval.variable_store.VariableStore"
_PREPROCESSOR = "moto.stepfunctions.parser.asl.parse.preprocessor"
# What an expression must give as the value of a state's own field.
_STRINGS_ONLY = frozenset(("Error", "Cause", "Timestamp"))
_NUMBERS = {
    "Seconds": (0, 99_999_999),
    "TimeoutSeconds": (1, 99_999_999),
    "HeartbeatSeconds": (1, 99_999_999),
    "MaxConcurrency": (0, 2**31 - 1),
    "ToleratedFailureCount": (0, 2**31 - 1),
}
_BEFORE_WHY = "shows a state's Output the variables that it assigns"


class VariableTooLarge(Exception):
    """A variable has more bytes than AWS keeps of one; the message is its name."""


@patch(f"{_STRINGS}.StringJSONata._eval_body", why="has no evaluator of JSONata")
def evaluate_jsonata(_: Any, component: Any, env: Any) -> None:
    """Put an expression's value on the stack; variables are bound, not written into its text."""
    bindings = {**_variables(env), "states": env.states._states_data}
    location = getattr(component, "location", "")
    try:
        value = evaluate(component.expression, bindings)
        _require_type(component.expression, location, value)
    except QueryFailed as error:
        field = f"' specified for the field '{location}' " if location else "' "
        raise query_failure(env, str(error).replace("' ", field, 1), location) from error
    env.stack.append(value)


def _require_type(expression: str, field: str, value: Any) -> None:
    """Raise QueryFailed where a field of a state cannot have this value."""
    prefix = f"The JSONata expression '{expression}' returned an unexpected result type."
    text = json.dumps(value)[:100]
    if field in _STRINGS_ONLY and not isinstance(value, str):
        raise QueryFailed(f"{prefix} Expected 'string', but was {text}.")
    if field not in _NUMBERS:
        return
    minimum, maximum = _NUMBERS[field]
    whole = isinstance(value, int | float) and not isinstance(value, bool) and value == int(value)
    if not whole or not minimum <= value <= maximum:
        raise QueryFailed(
            f"{prefix} Expected a number from {minimum} to {maximum}, but was {text}."
        )


@patch(
    f"{_PREPROCESSOR}.Preprocessor.visitString_jsonata",
    why="does not know where in its state an expression is",
)
def visit_jsonata(original: Any, preprocessor: Any, ctx: Any) -> Any:
    """Return the component of an expression, with its location such as `Output/key`."""
    component = original(preprocessor, ctx)
    component.location = _location(ctx)
    return component


def _location(ctx: Any) -> str:
    """Return the fields that lead to a part of a definition, from its state on."""
    parts: list[str] = []
    inner = ctx
    while (outer := inner.parentCtx) is not None:
        kind = type(outer).__name__
        if kind == "State_decl_bodyContext":
            break
        text = outer.children[0].getText()
        if text == "[":
            place = [child for child in outer.children[1:-1] if child.getText() != ","]
            parts.append(f"[{place.index(inner)}]")
        elif text.startswith('"') and len(outer.children) > 1 and outer.children[0] is not inner:
            parts.append(f"/{json.loads(text)}")
        inner = outer
    return "".join(reversed(parts)).removeprefix("/")


def query_failure(env: Any, cause: str, location: str = "") -> Exception:
    """Return the exception that fails a state by States.QueryEvaluationError.

    The event EvaluationFailed, which AWS writes before that of the failure, is in the history.
    """
    failure: Any = failure_event(env, "States.QueryEvaluationError", cause, "EvaluationFailed")
    event = failure.failure_event
    details = event.event_details["evaluationFailedEventDetails"]
    details |= {"state": env.next_state_name} | ({"location": location} if location else {})
    env.event_manager.add_event(
        context=env.event_history_context,
        event_type=event.event_type,
        event_details=event.event_details,
    )
    return failure  # type: ignore[no-any-return]


def _variables(env: Any) -> dict[str, Any]:
    store = env.variable_store
    return {**store._outer_scope, **store._inner_scope}


@patch(
    f"{_STRINGS}.StringVariableSample._eval_body",
    why="reads variables by JSONata, which it has not",
)
def sample_variable(_: Any, component: Any, env: Any) -> None:
    """Put the value of a variable, or of a path into it, on the stack."""
    found = _VARIABLE.fullmatch(component.expression)
    variables = _variables(env)
    if found is None or found["name"] not in variables:
        cause = f"The variable '{component.expression}' has no value in this scope."
        raise failure_event(env, "States.Runtime", cause, "ExecutionFailed")
    value = variables[found["name"]]
    path = found["path"]
    env.stack.append(copy.deepcopy(jsonpath.find(f"${path}", value) if path else value))


def _string_value(parser_rule_context: Any) -> str:
    found = parser_rule_context.getText()
    return str(json.loads(found)) if found.startswith('"') else found


@patch(
    f"{_PREPROCESSOR}.Preprocessor._inner_string_of",
    why="leaves JSON's escapes in paths and in the names of states",
)
def inner_string_of(_: Any, parser_rule_context: Any) -> str | None:
    """Return the string of a part of a definition; None for null."""
    found = parser_rule_context.getText()
    return None if found == "null" else str(json.loads(found)) if found[:1] == '"' else found


set_value(
    f"{_PREPROCESSOR}.from_string_literal",
    _string_value,
    why="reads a string's escapes as Python's, which are not quite JSON's",
)


@patch(
    f"{_PREPROCESSOR}.Preprocessor.visitAssign_template_value_terminal_string_literal",
    why="leaves the escapes of an assigned string in it",
)
def visit_assigned_string(_: Any, __: Any, ctx: Any) -> Any:
    """Return the component for a string that a variable gets."""
    return AssignTemplateValueTerminalLit(value=_string_value(ctx.string_literal()))


# Assign and Output are evaluated side by side; what is assigned is there in the next state.
add(f"{_STORE}.local_aws_before", why=_BEFORE_WHY)(None)


@patch(f"{_STORE}.reset_tracing", why=_BEFORE_WHY)
def reset_tracing(original: Any, store: Any) -> None:
    """Forget what the last state assigned."""
    original(store)
    store.local_aws_before = None


@patch(f"{_COMPONENT}.common.outputdecl.Output._eval_body", why=_BEFORE_WHY)
def evaluate_output(original: Any, output: Any, env: Any) -> None:
    """Evaluate Output with the variables as they were when the state began."""
    store = env.variable_store
    assigned = store._inner_scope
    if store.local_aws_before is not None:
        store._inner_scope = store.local_aws_before
    try:
        original(output, env)
    finally:
        store._inner_scope = assigned


# https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
@patch(f"{_STORE}.set", why="takes variables of any size, and shares them with the state")
def set_variable(original: Any, store: Any, variable_identifier: str, variable_value: Any) -> None:
    """Set a variable to a copy of the value; raises VariableTooLarge."""
    if not within_quota(variable_value):
        raise VariableTooLarge(variable_identifier)
    original(store, variable_identifier, copy.deepcopy(variable_value))


@patch(
    f"{_COMPONENT}.common.assign.assign_decl.AssignDecl._eval_body",
    why="does not say that a variable is too large",
)
def evaluate_assign(original: Any, declaration: Any, env: Any) -> None:
    """Assign a state's variables."""
    store = env.variable_store
    if store.local_aws_before is None:
        store.local_aws_before = dict(store._inner_scope)
    try:
        original(declaration, env)
    except VariableTooLarge as error:
        cause = f"The variable '{error}' has more than the 256 KiB that one may have."
        raise failure_event(env, "States.DataLimitExceeded", cause, "ExecutionFailed") from error


@patch(f"{_STORE}.get_assigned_variables", why="writes strings with quotes as invalid JSON")
def assigned_variables(_: Any, store: Any) -> dict[str, str]:
    """Return what a state assigned, as an event of its history has it."""
    return {
        name: json.dumps(store.get(name), separators=(",", ":"), ensure_ascii=False)
        for name in store._declaration_tracing
    }


@patch(
    f"{_COMPONENT}.state.choice.comparison.comparison.ConditionStringJSONata._eval_body",
    why="names a wrong condition States.Runtime",
)
def evaluate_condition(_: Any, component: Any, env: Any) -> None:
    """Put a condition's value on the stack; one that is not a boolean fails the state."""
    component.string_jsonata.eval(env=env)
    if not isinstance(env.stack[-1], bool):
        found = json.dumps(env.stack[-1])[:100]
        raise query_failure(
            env,
            f"The JSONata expression '{component.string_jsonata.expression}' specified for the "
            f"field 'Condition' returned an unexpected result type. Expected 'boolean', but "
            f"was {found}.",
            getattr(component.string_jsonata, "location", "Condition"),
        )
