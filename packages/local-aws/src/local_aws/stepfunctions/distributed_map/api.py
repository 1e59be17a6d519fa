"""Map Runs and their child executions, as the API shows them."""

from collections.abc import Iterator
from typing import Any

from moto.core.responses import ActionResult
from moto.stepfunctions.exceptions import ValidationException
from moto.stepfunctions.parser.api import ResourceNotFound, StateMachineTypeNotSupported
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

from local_aws.core.patching import patch
from local_aws.stepfunctions.api import UNSUPPORTED, page_of
from local_aws.stepfunctions.distributed_map.child_executions import (
    children_of,
    end_interrupted,
)
from local_aws.stepfunctions.distributed_map.result_writer import ChildRecord

_BACKEND = "moto.stepfunctions.parser.models.StepFunctionsParserBackend"
_DESCRIBE_WHY = "answers without redrive counts, and with an error that has no text"
_CHILD_WHY = "does not know the child executions of a Map Run"


def map_runs(backend: Any) -> Iterator[Any]:
    """Yield moto's record of each Map Run that is known."""
    for machine in list(backend.state_machines):
        for execution in list(machine.executions):
            if execution.exec_worker:
                yield from execution.exec_worker.env.map_run_record_pool_manager.get_all()


def child_execution(backend: Any, arn: str) -> Any:
    """Return the child execution of that ARN, or None."""
    if "/" not in arn.rpartition(":")[0].rpartition(":")[2]:
        return None
    for record in map_runs(backend):
        if (execution := record.executions.get(arn)) is not None:
            return execution
    return None


def end_interrupted_map_runs() -> None:
    """Have the Map Runs that ran when their process ended be ABORTED."""
    for _, _, backend in stepfunctions_parser_backends.iter_backends():
        for record in map_runs(backend):
            end_interrupted(record)


def _map_run(backend: Any, arn: str) -> Any:
    for record in map_runs(backend):
        if record.map_run_arn == arn:
            return record
    raise ResourceNotFound(f"Resource not found: '{arn}'")


@patch(
    "moto.stepfunctions.parser.models.MapRunRecord._generate_map_run_arns",
    why="takes a version for a part of the name",
)
def generate_map_run_arns(original: Any, state_machine_arn: str, label: str | None) -> Any:
    """Return the ARNs of a Map Run and of its part of the state machine."""
    base = ":".join(state_machine_arn.split(":")[:7])
    return original(state_machine_arn=base, label=label)


@patch(f"{_BACKEND}.describe_map_run", why=_DESCRIBE_WHY)
def describe_map_run(_: Any, backend: Any, map_run_arn: str) -> dict[str, Any]:
    """Return what DescribeMapRun answers."""
    record = _map_run(backend, map_run_arn)
    found: dict[str, Any] = record.describe()
    more = {"failuresNotRedrivable": 0, "pendingRedrive": 0}
    found["itemCounts"].update(more)
    found["executionCounts"].update(more)
    redriven = getattr(record, "redrive_date", None)
    if redriven is not None:
        found["redriveDate"] = redriven
    return {**found, "redriveCount": getattr(record, "redrive_count", 0)}


@patch(f"{_BACKEND}.update_map_run", why=_DESCRIBE_WHY)
def update_map_run(_: Any, backend: Any, map_run_arn: str, *args: Any, **more: Any) -> None:
    """Change the limits of a Map Run."""
    _map_run(backend, map_run_arn).update(*args, **more)


@patch(
    "moto.stepfunctions.responses.StepFunctionResponse.list_executions",
    why="answers 500 for a Map Run's ARN",
)
def list_executions(original: Any, response: Any) -> Any:
    """Answer ListExecutions for a state machine, or a Map Run."""
    backend, arn = response.stepfunction_backend, response._get_param("mapRunArn")
    if bool(arn) == bool(response._get_param("stateMachineArn")):
        raise ValidationException(
            "Must provide exactly one of a State Machine ARN and a Map Run ARN"
        )
    if not arn:
        machine = backend.describe_state_machine(response._get_param("stateMachineArn"))
        if machine.type == "EXPRESS":
            raise StateMachineTypeNotSupported(UNSUPPORTED)
        answer = original(response)
        known = {execution.execution_arn: execution for execution in machine.executions}
        for entry in answer.result["executions"]:
            execution = known[entry["executionArn"]]
            entry["redriveCount"] = getattr(execution, "redrive_count", 0)
            if getattr(execution, "redrive_date", None) is not None:
                entry["redriveDate"] = execution.redrive_date
        return answer
    record = _map_run(backend, arn)
    if record.express:
        raise StateMachineTypeNotSupported(UNSUPPORTED)
    status = response._get_param("statusFilter")
    children = [
        _listed(child, record)
        for child in children_of(record)
        if child.status == status or (not status and child.status != "PENDING")
    ]
    return ActionResult(page_of(response, "executions", children))


def _listed(child: ChildRecord, record: Any) -> dict[str, Any]:
    found = {
        "executionArn": child.arn,
        "stateMachineArn": child.machine_arn,
        "name": child.name,
        "status": child.status,
        "startDate": child.started,
        "stopDate": child.stopped,
        "mapRunArn": record.map_run_arn,
        "itemCount": child.item_count,
        "redriveCount": child.redrive_count,
    }
    return {name: value for name, value in found.items() if value is not None}


@patch(f"{_BACKEND}._get_executions", why=_CHILD_WHY)
def get_executions(original: Any, backend: Any, execution_status: Any = None) -> list[Any]:
    """Return the executions in which a task's token is looked for."""
    children = (child for record in map_runs(backend) for child in record.executions.values())
    found = [*original(backend, execution_status), *children]
    return [
        execution
        for execution in found
        if execution_status in (None, execution.status) and execution.exec_worker
    ]


@patch(f"{_BACKEND}.describe_execution", why=_CHILD_WHY)
def find_execution(original: Any, backend: Any, execution_arn: str) -> Any:
    """Return an execution, or a child of a Map Run, by its ARN."""
    found = child_execution(backend, execution_arn)
    return found if found is not None else original(backend, execution_arn)
