"""Map Runs and their child executions, as the API shows them."""

from collections.abc import Iterator
from typing import Any

from local_aws.core.patching import wrap
from local_aws.stepfunctions.distributed_map.child_executions import children_of
from local_aws.stepfunctions.distributed_map.result_writer import ChildRecord

_PAGE = 1000


def install() -> None:
    """Mend the operations that take a Map Run's ARN, or a child execution's."""
    _leave_versions_out()
    _describe_map_runs()
    _list_children()
    _describe_children()


def map_runs(backend: Any) -> Iterator[Any]:
    """Yield moto's record of each Map Run that is known."""
    for machine in list(backend.state_machines):
        for execution in list(machine.executions):
            if execution.exec_worker:
                yield from execution.exec_worker.env.map_run_record_pool_manager.get_all()


def child_execution(backend: Any, arn: str) -> Any:
    """Return the child execution of that ARN, or None."""
    if "/" not in arn.rsplit(":", 2)[-2]:
        return None
    for record in map_runs(backend):
        if (execution := record.executions.get(arn)) is not None:
            return execution
    return None


def _map_run(backend: Any, arn: str) -> Any:
    from moto.stepfunctions.parser.api import ResourceNotFound

    for record in map_runs(backend):
        if record.map_run_arn == arn:
            return record
    raise ResourceNotFound(f"Resource not found: '{arn}'")


def _leave_versions_out() -> None:
    from moto.stepfunctions.parser import models

    @wrap(
        vars(models)["MapRunRecord"],
        "_generate_map_run_arns",
        fault="takes a version for a part of the name",
    )
    def generate(original: Any, state_machine_arn: str, label: str | None) -> Any:
        base = ":".join(state_machine_arn.split(":")[:7])
        return original(state_machine_arn=base, label=label)


def _describe_map_runs() -> None:
    from moto.stepfunctions.parser.models import StepFunctionsParserBackend

    fault = "answers without redrive counts, and with an error that has no text"

    @wrap(StepFunctionsParserBackend, "describe_map_run", fault=fault)
    def describe_map_run(_: Any, backend: Any, map_run_arn: str) -> dict[str, Any]:
        found = _map_run(backend, map_run_arn).describe()
        more = {"failuresNotRedrivable": 0, "pendingRedrive": 0}
        found["itemCounts"].update(more)
        found["executionCounts"].update(more)
        return {**found, "redriveCount": 0}

    @wrap(StepFunctionsParserBackend, "update_map_run", fault=fault)
    def update_map_run(_: Any, backend: Any, map_run_arn: str, *args: Any, **more: Any) -> None:
        _map_run(backend, map_run_arn).update(*args, **more)


def _list_children() -> None:
    from moto.core.responses import ActionResult
    from moto.stepfunctions.parser.api import StateMachineTypeNotSupported
    from moto.stepfunctions.responses import StepFunctionResponse

    unsupported = "This operation is not supported by this type of state machine"

    @wrap(StepFunctionResponse, "list_executions", fault="answers 500 for a Map Run's ARN")
    def list_executions(original: Any, response: Any) -> Any:
        backend, arn = response.stepfunction_backend, response._get_param("mapRunArn")
        if not arn:
            machine = backend.describe_state_machine(response._get_param("stateMachineArn"))
            if machine.type == "EXPRESS":
                raise StateMachineTypeNotSupported(unsupported)
            return original(response)
        record = _map_run(backend, arn)
        if record.express:
            raise StateMachineTypeNotSupported(unsupported)
        status = response._get_param("statusFilter")
        children = [
            _listed(child, record)
            for child in children_of(record)
            if child.status == status or (not status and child.status != "PENDING")
        ]
        return ActionResult(_page(response, children))


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
    }
    return {name: value for name, value in found.items() if value is not None}


def _page(response: Any, children: list[dict[str, Any]]) -> dict[str, Any]:
    start = int(response._get_param("nextToken") or 0)
    size = min(int(response._get_param("maxResults") or 0) or 100, _PAGE)
    page: dict[str, Any] = {"executions": children[start : start + size]}
    if start + size < len(children):
        page["nextToken"] = str(start + size)
    return page


def _describe_children() -> None:
    from moto.stepfunctions.parser.models import StepFunctionsParserBackend

    fault = "does not know the child executions of a Map Run"

    @wrap(StepFunctionsParserBackend, "_get_executions", fault=fault)
    def get_executions(original: Any, backend: Any, execution_status: Any = None) -> list[Any]:
        """Return those in which a task's token is looked for."""
        children = (child for record in map_runs(backend) for child in record.executions.values())
        found = [*original(backend, execution_status), *children]
        return [
            execution
            for execution in found
            if execution_status in (None, execution.status) and execution.exec_worker
        ]

    @wrap(StepFunctionsParserBackend, "describe_execution", fault=fault)
    def describe_execution(original: Any, backend: Any, execution_arn: str) -> Any:
        found = child_execution(backend, execution_arn)
        return found if found is not None else original(backend, execution_arn)
