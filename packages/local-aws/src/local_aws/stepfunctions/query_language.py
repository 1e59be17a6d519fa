"""Expressions in states: JSONata between `{%` and `%}`, and variables in both languages.

https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html
https://docs.aws.amazon.com/step-functions/latest/dg/workflow-variables.html
"""

import copy
import json
import re
from typing import Any

from local_aws.core.patching import implement, replace, wrap
from local_aws.stepfunctions.error_names import within_quota
from local_aws.stepfunctions.failures import failure_event
from local_aws.stepfunctions.jsonata import QueryFailed, evaluate

_VARIABLE = re.compile(r"\$(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?P<path>.*)", re.DOTALL)


def install() -> None:
    """Have expressions evaluated with values beside them, and not written into their text."""
    _evaluate_jsonata()
    _read_variables()
    _read_texts()
    _output_before_assignment()
    _limit_variables()
    _tell_variables()
    _refuse_other_conditions()


def _evaluate_jsonata() -> None:
    from moto.stepfunctions.parser.asl.component.common.string.string_expression import (
        StringJSONata,
    )

    @wrap(StringJSONata, "_eval_body", fault="has no evaluator of JSONata")
    def evaluated(_: Any, component: Any, env: Any) -> None:
        bindings = {**_variables(env), "states": env.states._states_data}
        try:
            env.stack.append(evaluate(component.expression, bindings))
        except QueryFailed as error:
            raise query_failure(env, str(error)) from error


def query_failure(env: Any, cause: str) -> Exception:
    """Return the exception that fails a state by States.QueryEvaluationError.

    The event EvaluationFailed, which AWS writes before that of the failure, is in the history.
    """
    failure: Any = failure_event(env, "States.QueryEvaluationError", cause, "EvaluationFailed")
    event = failure.failure_event
    env.event_manager.add_event(
        context=env.event_history_context,
        event_type=event.event_type,
        event_details=event.event_details,
    )
    return failure  # type: ignore[no-any-return]


def _variables(env: Any) -> dict[str, Any]:
    store = env.variable_store
    return {**store._outer_scope, **store._inner_scope}


def _read_variables() -> None:
    from moto.stepfunctions.parser.asl.component.common.string.string_expression import (
        StringVariableSample,
    )
    from moto.stepfunctions.parser.asl.utils.json_path import extract_json

    @wrap(StringVariableSample, "_eval_body", fault="reads variables by JSONata, which it has not")
    def sampled(_: Any, component: Any, env: Any) -> None:
        found = _VARIABLE.fullmatch(component.expression)
        variables = _variables(env)
        if found is None or found["name"] not in variables:
            cause = f"The variable '{component.expression}' has no value in this scope."
            raise failure_event(env, "States.Runtime", cause, "ExecutionFailed")
        value = variables[found["name"]]
        path = found["path"]
        env.stack.append(copy.deepcopy(extract_json(f"${path}", value) if path else value))


def _read_texts() -> None:
    from moto.stepfunctions.parser.asl.component.common.assign.assign_template_value_terminal import (  # noqa: E501
        AssignTemplateValueTerminalLit,
    )
    from moto.stepfunctions.parser.asl.parse import preprocessor

    def text_of(parser_rule_context: Any) -> str:
        found = parser_rule_context.getText()
        return str(json.loads(found)) if found.startswith('"') else found

    fault = "reads a text's escapes as Python's, which are not quite JSON's"
    replace(preprocessor, "from_string_literal", text_of, fault=fault)

    name = "visitAssign_template_value_terminal_string_literal"

    @wrap(preprocessor.Preprocessor, name, fault="leaves the escapes of an assigned text in it")
    def visit(_: Any, __: Any, ctx: Any) -> Any:
        return AssignTemplateValueTerminalLit(value=text_of(ctx.string_literal()))


def _output_before_assignment() -> None:
    """Have a state's Output see the variables as they were when the state began.

    Assign and Output are evaluated side by side; what is assigned is there in the next state.
    """
    from moto.stepfunctions.parser.asl.component.common.outputdecl import Output
    from moto.stepfunctions.parser.asl.eval.variable_store import VariableStore

    fault = "shows a state's Output the variables that it assigns"
    implement(VariableStore, "local_aws_before", fault=fault)(None)

    @wrap(VariableStore, "reset_tracing", fault=fault)
    def reset(original: Any, store: Any) -> None:
        original(store)
        store.local_aws_before = None

    @wrap(Output, "_eval_body", fault=fault)
    def evaluated(original: Any, output: Any, env: Any) -> None:
        store = env.variable_store
        assigned = store._inner_scope
        if store.local_aws_before is not None:
            store._inner_scope = store.local_aws_before
        try:
            original(output, env)
        finally:
            store._inner_scope = assigned


def _limit_variables() -> None:
    from moto.stepfunctions.parser.asl.eval.variable_store import VariableStore

    # https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
    @wrap(VariableStore, "set", fault="takes variables of any size, and shares them with the state")
    def assign(original: Any, store: Any, variable_identifier: str, variable_value: Any) -> None:
        if not within_quota(variable_value):
            raise VariableTooLarge(variable_identifier)
        original(store, variable_identifier, copy.deepcopy(variable_value))

    from moto.stepfunctions.parser.asl.component.common.assign.assign_decl import AssignDecl

    @wrap(AssignDecl, "_eval_body", fault="does not say that a variable is too large")
    def declare(original: Any, declaration: Any, env: Any) -> None:
        store = env.variable_store
        if store.local_aws_before is None:
            store.local_aws_before = dict(store._inner_scope)
        try:
            original(declaration, env)
        except VariableTooLarge as error:
            cause = f"The variable '{error}' has more than the 256 KiB that one may have."
            raise failure_event(
                env, "States.DataLimitExceeded", cause, "ExecutionFailed"
            ) from error


class VariableTooLarge(Exception):
    """A variable has more bytes than AWS keeps of one; the message is its name."""


def _tell_variables() -> None:
    from moto.stepfunctions.parser.asl.eval.variable_store import VariableStore

    @wrap(VariableStore, "get_assigned_variables", fault="writes texts with quotes as no JSON")
    def told(_: Any, store: Any) -> dict[str, str]:
        return {
            name: json.dumps(store.get(name), separators=(",", ":"), ensure_ascii=False)
            for name in store._declaration_tracing
        }


def _refuse_other_conditions() -> None:
    from moto.stepfunctions.parser.asl.component.state.choice.comparison.comparison import (
        ConditionStringJSONata,
    )

    @wrap(ConditionStringJSONata, "_eval_body", fault="names a wrong condition States.Runtime")
    def condition(_: Any, component: Any, env: Any) -> None:
        component.string_jsonata.eval(env=env)
        if not isinstance(env.stack[-1], bool):
            said = json.dumps(env.stack[-1])[:100]
            raise query_failure(
                env,
                f"The JSONata expression '{component.string_jsonata.expression}' specified for the "
                f"field 'Condition' returned an unexpected result type. Expected 'boolean', but "
                f"was {said}.",
            )
