"""The operations of Step Functions that moto lacks, or answers otherwise than AWS."""

import datetime
import threading
import uuid
from collections.abc import Iterator
from typing import Any

from moto.core.exceptions import AWSError
from moto.core.responses import ActionResult, EmptyResult
from moto.stepfunctions.exceptions import InvalidArn
from moto.stepfunctions.parser import api as shapes
from moto.stepfunctions.parser.api import InvalidDefinition, StateMachineTypeNotSupported
from moto.stepfunctions.parser.asl.eval.callback.callback import (
    CallbackOutcomeFailure,
    CallbackOutcomeSuccess,
)
from moto.stepfunctions.parser.backend.execution import SyncExecution
from moto.stepfunctions.parser.models import StepFunctionsParserBackend

from local_aws.core.patching import add, patch, set_value
from local_aws.core.stores import wait_until_saved
from local_aws.stepfunctions.execution_log import check_configuration
from local_aws.stepfunctions.executions import (
    check_input,
    new_execution,
    output_text,
    request_data,
    split,
)
from local_aws.stepfunctions.field_validation import Problem
from local_aws.stepfunctions.history import without_data
from local_aws.stepfunctions.json_data import strict_json
from local_aws.stepfunctions.redrive import redrive_fields
from local_aws.stepfunctions.validation import problems_of

MAX_PAGE = 1000
MAX_DIAGNOSTICS = 100
_BACKEND = "moto.stepfunctions.parser.models.StepFunctionsParserBackend"
_answering = threading.Lock()
UNSUPPORTED = "This operation is not supported by this type of state machine"
_PAGE = 100
_RESPONSE = "moto.stepfunctions.responses.StepFunctionResponse"
_DEFINITION_WHY = "takes what it cannot run, or log, and then fails at each execution"
# Express executions are billed for memory in steps of 64 MB and time in steps of 100 ms.
_BILLED_MB, _BILLED_MILLISECONDS = 64, 100

for _name, _kind in sorted(vars(shapes).items()):
    _is_error = isinstance(_kind, type) and issubclass(_kind, AWSError) and _kind is not AWSError
    if _is_error and _kind.TYPE is None:
        set_value(
            f"moto.stepfunctions.parser.api.{_name}.TYPE",
            _name,
            why="answers with an error that has no code",
        )


@patch(f"{_RESPONSE}.create_state_machine", why=_DEFINITION_WHY)
def create_state_machine(original: Any, response: Any) -> Any:
    """Answer CreateStateMachine."""
    kind = response._get_param("type") or "STANDARD"
    logging = response._get_param("loggingConfiguration") or {}
    require_runnable(response._get_param("definition"), kind)
    check_configuration(logging, response._get_param("roleArn"), response.region)
    return original(response)


@patch(f"{_RESPONSE}.update_state_machine", why=_DEFINITION_WHY)
def update_state_machine(original: Any, response: Any) -> Any:
    """Answer UpdateStateMachine."""
    machine = _state_machine(response, response._get_param("stateMachineArn"))
    definition = response._get_param("definition")
    logging = response._get_param("loggingConfiguration") or {}
    role_arn = response._get_param("roleArn") or machine.roleArn
    if definition is not None:
        require_runnable(definition, machine.type)
    check_configuration(logging, role_arn, response.region)
    return original(response)


@add(f"{_RESPONSE}.validate_state_machine_definition", why="is missing")
def validate_state_machine_definition(response: Any) -> Any:
    """Answer ValidateStateMachineDefinition."""
    text = response._get_param("definition")
    kind = response._get_param("type") or "STANDARD"
    problems = list(_problems(text, kind))
    if not problems:
        try:
            StepFunctionsParserBackend._validate_definition(text)
        except InvalidDefinition as error:
            problems = [Problem("SCHEMA_VALIDATION_FAILED", str(getattr(error, "message", error)))]
    max_diagnostics = int(response._get_param("maxResults") or 0) or MAX_DIAGNOSTICS
    diagnostics = [
        {
            "severity": "ERROR",
            "code": problem.code,
            "message": problem.message,
            **({"location": problem.location} if problem.location else {}),
        }
        for problem in problems
    ]
    return ActionResult(
        {
            "result": "FAIL" if diagnostics else "OK",
            "diagnostics": diagnostics[:max_diagnostics],
            "truncated": len(diagnostics) > max_diagnostics,
        }
    )


def require_runnable(text: str, machine_type: str) -> None:
    """Raise InvalidDefinition for a definition that AWS refuses, or that cannot run here."""
    found = ", ".join(str(problem) for problem in _problems(text, machine_type))
    if found:
        raise InvalidDefinition(f"Invalid State Machine Definition: '{found}'")
    StepFunctionsParserBackend._validate_definition(text)


def _problems(text: str, machine_type: str) -> Iterator[Problem]:
    try:
        definition = strict_json(text)
    except ValueError as error:
        yield Problem("INVALID_JSON_DESCRIPTION", str(error))
        return
    yield from problems_of(definition, machine_type)


@patch(
    "moto.stepfunctions.parser.models.StepFunctionsParserBackend.create_state_machine",
    why="answers with the state machine of that name, whatever was asked for",
)
def make_state_machine(
    original: Any, backend: Any, name: str, definition: str, *args: Any, **more: Any
) -> Any:
    """Return a new state machine, or the one of that name and definition."""
    machine = original(backend, name, definition, *args, **more)
    if machine.definition != definition:
        raise AWSError(
            f"State Machine Already Exists: '{machine.arn}'", "StateMachineAlreadyExists"
        )
    return machine


@add(f"{_RESPONSE}.list_state_machine_versions", why="is missing")
def list_state_machine_versions(response: Any) -> Any:
    """Answer ListStateMachineVersions, the latest first."""
    machine = _state_machine(response, response._get_param("stateMachineArn"))
    versions = [
        {"stateMachineVersionArn": version.arn, "creationDate": version.creation_date}
        for _, version in sorted(machine.versions.items(), reverse=True)
    ]
    return ActionResult({"stateMachineVersions": versions})


@add(f"{_RESPONSE}.publish_state_machine_version", why="is missing")
def publish_state_machine_version(response: Any) -> Any:
    """Answer PublishStateMachineVersion."""
    machine = _state_machine(response, response._get_param("stateMachineArn"))
    machine.publish(response._get_param("description"))
    version = machine.latest_version
    return ActionResult(
        {"stateMachineVersionArn": version.arn, "creationDate": version.creation_date}
    )


@add(f"{_RESPONSE}.delete_state_machine_version", why="is missing")
def delete_state_machine_version(response: Any) -> Any:
    """Answer DeleteStateMachineVersion; one that an alias leads to stays."""
    version_arn = response._get_param("stateMachineVersionArn")
    arn, _, number = version_arn.rpartition(":")
    machine = _state_machine(response, arn)
    for alias in machine.aliases.values():
        routed = [route["stateMachineVersionArn"] for route in alias.routing_configuration]
        if version_arn in routed:
            raise AWSError(
                f"Version to be deleted must not be referenced by an alias: {alias.arn}",
                "ConflictException",
            )
    machine.versions.pop(int(number), None)
    return EmptyResult()


def _state_machine(response: Any, arn: str) -> Any:
    return response.stepfunction_backend.describe_state_machine(arn)


@patch(
    "moto.stepfunctions.models.StepFunctionBackend._validate_execution_arn",
    why="says that an Express execution does not exist, where it cannot be asked about",
)
def validate_execution_arn(original: Any, backend: Any, execution_arn: str) -> None:
    """Refuse the ARN of an Express execution, and what is no ARN of an execution."""
    if ":express:" in execution_arn:
        raise InvalidArn("Invalid Arn: 'Resource type not valid in this context: express'")
    original(backend, execution_arn)


@add(f"{_RESPONSE}.start_sync_execution", why="is missing")
def start_sync_execution(response: Any) -> Any:
    """Answer StartSyncExecution: an Express execution whose outcome is the answer."""
    backend, arn = response.stepfunction_backend, response._get_param("stateMachineArn")
    if backend.describe_state_machine(split(arn)[0]).type != "EXPRESS":
        raise StateMachineTypeNotSupported(UNSUPPORTED)
    text, name = response._get_param("input"), response._get_param("name")
    check_input(text)
    if name:
        backend._validate_name(name)
    given = request_data(text, response._get_param("traceHeader"))
    execution = new_execution(SyncExecution, backend, arn, name or str(uuid.uuid4()), given)
    execution.start()
    return ActionResult(_sync_answer(execution))


def _sync_answer(execution: Any) -> dict[str, Any]:
    succeeded = execution.status == "SUCCEEDED"
    seconds = (execution.stop_date - execution.start_date).total_seconds()
    steps = -(-int(seconds * 1000) // _BILLED_MILLISECONDS) or 1
    answer = {
        "executionArn": execution.exec_arn,
        "stateMachineArn": execution.state_machine_arn,
        "name": execution.name,
        "startDate": execution.start_date,
        "stopDate": execution.stop_date,
        "status": execution.status if execution.status != "ABORTED" else "FAILED",
        "error": execution.error,
        "cause": execution.cause,
        "input": execution.execution_input,
        "inputDetails": {"included": True},
        "output": output_text(execution) if succeeded else None,
        "outputDetails": {"included": True} if succeeded else None,
        "traceHeader": execution.trace_header,
        "billingDetails": {
            "billedMemoryUsedInMB": _BILLED_MB,
            "billedDurationInMilliseconds": steps * _BILLED_MILLISECONDS,
        },
    }
    return {name: value for name, value in answer.items() if value is not None}


@patch(f"{_RESPONSE}.stop_execution", why="drops the error and the cause")
def stop_execution(_: Any, response: Any) -> Any:
    """Answer StopExecution."""
    execution = response.stepfunction_backend.describe_execution(
        response._get_param("executionArn")
    )
    now = datetime.datetime.now(datetime.UTC)
    execution.stop(now, response._get_param("error"), response._get_param("cause"))
    return ActionResult({"stopDate": execution.stop_date})


_ANSWER_WHY = "takes a task that has ended for one that never was, and any text for its output"


@patch(f"{_BACKEND}.send_task_success", why=_ANSWER_WHY)
def send_task_success(_: Any, backend: Any, task_token: str, outcome: str) -> None:
    """End a task that waits for its token with an output in JSON."""
    try:
        strict_json(outcome)
    except ValueError as error:
        raise shapes.InvalidOutput(f"Invalid Output: '{error}'") from error
    _answer(backend, task_token, CallbackOutcomeSuccess(task_token, outcome))


@patch(f"{_RESPONSE}.send_task_failure", why="drops the cause")
def send_task_failure(_: Any, response: Any) -> Any:
    """Answer SendTaskFailure."""
    token = response._get_param("taskToken")
    error, cause = response._get_param("error"), response._get_param("cause")
    failure = CallbackOutcomeFailure(token, error or "", cause or "")
    _answer(response.stepfunction_backend, token, failure)
    return EmptyResult()


@patch(f"{_BACKEND}.send_task_heartbeat", why=_ANSWER_WHY)
def send_task_heartbeat(_: Any, backend: Any, task_token: str) -> None:
    """Note that a task is still worked on."""
    _waiting_task(backend, task_token).notify_heartbeat()


def _answer(backend: Any, token: str, outcome: Any) -> None:
    with _answering:
        _waiting_task(backend, token).notify(outcome)


def _waiting_task(backend: Any, token: str) -> Any:
    """Return what waits for a token; raises InvalidToken, and TaskTimedOut once it has ended."""
    for execution in backend._get_executions():
        env = execution.exec_worker.env if execution.exec_worker else None
        endpoint = env.callback_pool_manager.get(token) if env is not None else None
        if env is None or endpoint is None:
            continue
        ended = endpoint.consumer_error is not None or endpoint.get_outcome() is not None
        if ended or not env.is_running():
            raise shapes.TaskTimedOut("Task Timed Out: 'Provided task does not exist anymore'")
        return endpoint
    raise AWSError("Invalid Token: 'Invalid token'", "InvalidToken")


@patch(
    f"{_RESPONSE}.describe_execution",
    why="has no version, alias or time-out's stop date, and a text or null not as JSON",
)
def describe_execution(original: Any, response: Any) -> Any:
    """Answer DescribeExecution."""
    result = original(response)
    execution = response.stepfunction_backend.describe_execution(
        response._get_param("executionArn")
    )
    if execution.stop_date is not None:
        wait_until_saved()
    succeeded = execution.status == "SUCCEEDED"
    more = {
        "stateMachineVersionArn": getattr(execution, "version_arn", None),
        "stateMachineAliasArn": getattr(execution, "alias_arn", None),
        "mapRunArn": getattr(execution, "map_run_arn", None),
        "itemCount": getattr(execution, "item_count", None),
        "stopDate": execution.stop_date,
        "inputDetails": {"included": True},
        "outputDetails": {"included": True} if succeeded else None,
        "output": output_text(execution) if succeeded else None,
        "traceHeader": execution.trace_header,
        **redrive_fields(execution),
    }
    result.result.update({key: value for key, value in more.items() if value is not None})
    return result


@patch(
    f"{_RESPONSE}.get_execution_history",
    why="answers with the whole history, whatever part was asked for",
)
def get_execution_history(original: Any, response: Any) -> Any:
    """Answer GetExecutionHistory, page by page."""
    events = original(response).result["events"]
    if response._get_param("reverseOrder"):
        events = events[::-1]
    if response._get_param("includeExecutionData") is False:
        events = [without_data(event) for event in events]
    return ActionResult(page_of(response, "events", events))


def page_of(response: Any, name: str, entries: list[Any]) -> dict[str, Any]:
    """Return the page of a listing that a request asks for by `nextToken` and `maxResults`."""
    start = int(response._get_param("nextToken") or 0)
    size = min(int(response._get_param("maxResults") or 0) or _PAGE, MAX_PAGE)
    page: dict[str, Any] = {name: entries[start : start + size]}
    if start + size < len(entries):
        page["nextToken"] = str(start + size)
    return page
