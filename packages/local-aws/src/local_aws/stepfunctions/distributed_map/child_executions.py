"""The child executions of a Distributed Map: executions with an ARN, an input and a history."""

import contextlib
import dataclasses
import datetime
import uuid
from collections.abc import Iterator
from typing import Any

from moto.stepfunctions.parser.api import ExecutionStatus, MapRunStatus
from moto.stepfunctions.parser.backend.execution import Execution

from local_aws.stepfunctions import redrive
from local_aws.stepfunctions.distributed_map.item_batcher import ChildInput
from local_aws.stepfunctions.distributed_map.map_run import MapRun
from local_aws.stepfunctions.distributed_map.result_writer import ChildRecord
from local_aws.stepfunctions.executions import forget
from local_aws.stepfunctions.json_data import compact


@dataclasses.dataclass
class ChildStateMachine:
    """What a child execution goes by of its Map state; it is saved with the execution."""

    arn: str
    name: str
    sm_type: str
    definition: str = ""


class ChildExecution:
    """One child of a Map Run; `run` runs it in the caller's thread."""

    def __init__(
        self, parent: Any, map_run: Any, program: Any, given: ChildInput, express: bool
    ) -> None:
        previous: Any = None
        if given.previous is not None and not express:
            previous = map_run.executions.get(given.previous.arn)
        self._redriven = previous is not None and bool(getattr(previous, "progress", None))
        self._given = given
        self.execution: Any = previous
        if self._redriven:
            redrive.prepare(previous)
            previous.exec_worker.local_program = program
            return
        self.execution = _execution(parent, map_run, given, express)
        worker = self.execution._get_start_execution_worker()
        worker._get_evaluation_entrypoint = lambda: program
        self.execution.exec_worker = worker

    def run(self) -> None:
        """Run from start to end; how it ended is in `record`."""
        if self._redriven:
            redrive.run(self.execution)
        else:
            self.execution.exec_worker._execution_logic()

    def stop(self) -> None:
        """Abort it; returns once it counts as aborted."""
        self.execution.stop(datetime.datetime.now(datetime.UTC), None, None)

    def record(self) -> ChildRecord:
        """Return how it stands."""
        execution = self.execution
        return ChildRecord(
            arn=execution.exec_arn,
            name=execution.name,
            machine_arn=execution.state_machine.arn,
            status=execution.status,
            input=self._given.value,
            output=execution.output,
            error=execution.error,
            cause=execution.cause,
            started=execution.start_date,
            stopped=execution.stop_date,
            item_count=self._given.item_count,
            redrive_count=getattr(execution, "redrive_count", 0),
        )


def remember(executions: dict[str, Any], execution: Any) -> None:
    """Add a child to those that can be asked about; the oldest finished ones are forgotten."""
    executions[execution.exec_arn] = execution
    kept = list(executions.values())
    forget(kept)
    if len(kept) < len(executions):
        for arn in executions.keys() - {found.exec_arn for found in kept}:
            del executions[arn]


@contextlib.contextmanager
def followed(map_run: Any, run: MapRun) -> Iterator[None]:
    """Have `children_of` return how the children stand, while inside and afterwards.

    While inside, the run is saved in the place of the children (`state.executions.map_run`).
    """
    map_run.live_run = run
    try:
        yield
    finally:
        map_run.children = run.records()
        map_run.live_run = None


def end_interrupted(map_run: Any) -> None:
    """Have a Map Run that ran when its process ended be ABORTED, with its children as they stood.

    Those that ran are ABORTED too: a redrive starts them again, and those that were pending.
    """
    inputs, chunks = vars(map_run).pop("under_way", ((), ()))
    if map_run.status != MapRunStatus.RUNNING:
        return
    started: list[ChildRecord] = [record for chunk in chunks for record in chunk]
    children = []
    for place, (value, item_count) in enumerate(inputs):
        if place >= len(started):
            children.append(pending_record(map_run, ChildInput(value, item_count)))
            continue
        child = dataclasses.replace(started[place], input=value)
        if child.status == "RUNNING":
            child = dataclasses.replace(child, status="ABORTED")
        children.append(child)
    map_run.children = children
    for counter in (map_run.execution_counter, map_run.item_counter):
        running = counter.running.get()
        counter.running.offset(-running)
        counter.aborted.offset(running)
    map_run.set_stop(MapRunStatus.ABORTED)


def forget_data(map_run: Any) -> None:
    """Drop the children's inputs and outputs, which only a redrive needs."""
    map_run.children = [
        dataclasses.replace(child, input=None, output=None) for child in map_run.children
    ]


def inputs_again(map_run: Any) -> list[ChildInput]:
    """Return the inputs of a Map Run that is redriven; empty when it had not read its items."""
    return [ChildInput(child.input, child.item_count, child) for child in map_run.children]


def children_of(map_run: Any) -> list[ChildRecord]:
    """Return how each child of a Map Run stands, in the order of the inputs."""
    run: MapRun | None = getattr(map_run, "live_run", None)
    children: list[ChildRecord] = map_run.children if run is None else run.records()
    return children


def pending_record(map_run: Any, given: ChildInput) -> ChildRecord:
    """Return the record of a child that was never started."""
    name = str(uuid.uuid4())
    return ChildRecord(
        arn=_arn(map_run, name, express=False),
        name=name,
        machine_arn=map_run.map_state_machine_arn,
        status="PENDING",
        input=given.value,
        item_count=given.item_count,
    )


def _execution(parent: Any, map_run: Any, given: ChildInput, express: bool) -> Any:
    make: Any = Execution
    name, kind = str(uuid.uuid4()), "EXPRESS" if express else "STANDARD"
    machine_arn = map_run.map_state_machine_arn
    arn = _arn(map_run, name, express)
    machine = ChildStateMachine(machine_arn, machine_arn.rsplit(":", 1)[-1], kind)
    execution = make(
        name=name,
        sm_type=kind,
        role_arn=parent.aws_execution_details.role_arn,
        exec_arn=arn,
        account_id=parent.aws_execution_details.account,
        region_name=parent.aws_execution_details.region,
        state_machine=machine,
        start_date=datetime.datetime.now(datetime.UTC),
        cloud_watch_logging_session=_log_of(parent, arn),
        activity_store={},
        input_data=compact(given.value),
    )
    execution.map_run_arn = map_run.map_run_arn
    execution.item_count = given.item_count
    execution.exec_status = ExecutionStatus.RUNNING
    return execution


def _arn(map_run: Any, name: str, express: bool) -> str:
    machine: str = map_run.map_state_machine_arn
    if express:
        return f"{machine.replace(':stateMachine:', ':express:')}:{name}:{uuid.uuid4()}"
    return f"{machine.replace(':stateMachine:', ':execution:')}:{name}"


def _log_of(parent: Any, arn: str) -> Any:
    session = parent.cloud_watch_logging_session
    return None if session is None else session.of(arn)
