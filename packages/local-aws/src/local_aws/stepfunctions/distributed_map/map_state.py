"""The Distributed Map: items from S3, batches, child executions of their own, results in S3."""

import datetime
import itertools
from collections.abc import Callable, Iterator
from typing import Any

from botocore.exceptions import ClientError
from moto.stepfunctions.parser.api import HistoryEventType, MapRunStatus
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.itemprocessor.map_run_record import (  # noqa: E501
    ExecutionCounter,
    ItemCounter,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.credentials import (
    StateCredentials,
)

from local_aws.core.patching import patch
from local_aws.stepfunctions.clients import client_for, denial
from local_aws.stepfunctions.definitions import DistributedSettings, evaluate, settings_of
from local_aws.stepfunctions.distributed_map.child_executions import (
    ChildExecution,
    followed,
    forget_data,
    inputs_again,
    pending_record,
    remember,
)
from local_aws.stepfunctions.distributed_map.item_batcher import (
    ChildInput,
    batched_inputs,
    single_inputs,
)
from local_aws.stepfunctions.distributed_map.item_reader import UnreadableItems
from local_aws.stepfunctions.distributed_map.map_run import MapRun, Tolerance
from local_aws.stepfunctions.distributed_map.object_items import context_item
from local_aws.stepfunctions.distributed_map.result_writer import transformed
from local_aws.stepfunctions.distributed_map.s3_access import export_results, read_items
from local_aws.stepfunctions.errors import StateFailed, failure_event
from local_aws.stepfunctions.interpreter import in_background


@patch(
    "moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration"
    ".distributed_iteration_component.DistributedIterationComponent._eval_body",
    why="runs the items as frames of one execution, and takes failed ones for null results",
)
def evaluate_distributed_map(_: Any, component: Any, env: Any) -> None:
    """Run a Map in mode DISTRIBUTED as AWS does; its result is on the stack."""
    given = env.stack.pop()
    given.map_run_record, redriven = _record_of(env, given.map_run_record)
    run = _Run(component, env, given, settings_of(component), redriven)
    arn = given.map_run_record.map_run_arn
    if redriven:
        count = given.map_run_record.redrive_count
        _add_event(env, "MapRunRedriven", mapRunArn=arn, redriveCount=count)
    else:
        _add_event(env, "MapRunStarted", mapRunArn=arn)
    try:
        result = run.result()
    except StateFailed as error:
        given.map_run_record.set_stop(MapRunStatus("FAILED"))
        details = {"error": error.error, "cause": error.cause}
        _add_event(env, "MapRunFailed", **details)
        raise failure_event(env, **details, event="MapRunFailed") from error
    except Exception:  # a path of the ItemSelector that is not there, say
        given.map_run_record.set_stop(MapRunStatus("FAILED"))
        _add_event(env, "MapRunFailed")
        raise
    if not env.is_running():
        given.map_run_record.set_stop(MapRunStatus("ABORTED"))
        return
    given.map_run_record.set_stop(MapRunStatus("SUCCEEDED"))
    forget_data(given.map_run_record)
    _add_event(env, "MapRunSucceeded")
    env.stack.append(result)


def _record_of(env: Any, made: Any) -> tuple[Any, bool]:
    """Return the record of a state's Map Run, which is the old one in a redrive, and whether."""
    records = env.map_run_record_pool_manager
    found = records.get(env.progress.get("map_run", ""))
    # One that succeeded just before its process was killed has no data of its children any more.
    if found is None or found.status == MapRunStatus.SUCCEEDED:
        env.progress["map_run"] = made.map_run_arn
        made.redrive_count, made.redrive_date = 0, None
        return made, False
    del records._pool[made.map_run_arn]
    counters: Any = ExecutionCounter, ItemCounter
    found.execution_counter, found.item_counter = (make() for make in counters)
    found.status, found.stop_date = MapRunStatus("RUNNING"), None
    found.redrive_count = getattr(found, "redrive_count", 0) + 1
    found.redrive_date = datetime.datetime.now(datetime.UTC)
    return found, True


@patch(
    "moto.stepfunctions.parser.asl.component.state.exec.state_map.item_reader.reader_config"
    ".max_items_decl.MaxItemsPath._validate_value",
    why="fails the Map Run without the details of the failure",
)
def validate_max_items(_: Any, path: Any, __: Any = None, *, env: Any = None, value: Any) -> None:
    """Raise StateFailed unless a MaxItemsPath leads to an integer that is not negative."""
    del env
    if not isinstance(value, int) or isinstance(value, bool):
        raise StateFailed(
            "States.ItemReaderFailed",
            f"The MaxItemsPath field refers to value '{value}' which is not a valid integer: "
            f"{path.string_sampler.literal_value}",
        )
    if value < 0:
        raise StateFailed("States.ItemReaderFailed", "field MaxItems must be positive")


class _Run:
    """One evaluation of a Distributed Map state."""

    def __init__(
        self,
        component: Any,
        env: Any,
        given: Any,
        settings: DistributedSettings,
        redriven: bool,
    ) -> None:
        self._component, self._env, self._given = component, env, given
        self._settings = settings
        self._record, self._input = given.map_run_record, env.stack[-1]
        self._record.express = settings.express
        self._again = inputs_again(self._record) if redriven else []
        if not redriven:
            self._record.children, self._record.executions = [], {}

    def result(self) -> Any:
        """Return the state's result; raises StateFailed."""
        self._require_permission()
        inputs = self._again or self._inputs()
        run = MapRun(self._record, inputs, self._launch, self._pending, self._tolerance)
        with followed(self._record, run):
            succeeded = run.run(self._env.is_running)
        records = run.records()
        written = self._write(records)
        if not succeeded:
            raise StateFailed(
                "States.ExceedToleratedFailureThreshold",
                "The specified tolerated failure threshold was exceeded",
            )
        for record in records:
            self._record.execution_counter.results_written.offset(1)
            self._record.item_counter.results_written.offset(record.item_count)
        return written

    def _require_permission(self) -> None:
        machine = self._record.map_state_machine_arn.split("/")[0]
        denied = denial(self._role_arn, "states:StartExecution", machine)
        if denied is not None:
            raise StateFailed("States.Permissions", denied)

    @property
    def _role_arn(self) -> str:
        return str(self._env.aws_execution_details.role_arn)

    def _s3(self) -> Any:
        region = self._env.aws_execution_details.region
        return client_for(region, "s3", StateCredentials(role_arn=self._role_arn))

    def _inputs(self) -> list[ChildInput]:
        try:
            items = list(self._items())
        except (ClientError, UnreadableItems) as error:
            raise StateFailed("States.ItemReaderFailed", str(error)) from error
        batcher = self._settings.batcher
        if batcher is None:
            return single_inputs(items)
        values = self._evaluated(_dynamic(batcher))
        return batched_inputs(
            items,
            int(values.get("MaxItemsPerBatch", 0)),
            int(values.get("MaxInputBytesPerBatch", 0)),
            values.get("BatchInput"),
        )

    def _evaluated(self, template: Any) -> Any:
        return evaluate(template, self._env, self._input, jsonata=self._settings.jsonata)

    def _items(self) -> Iterator[Any]:
        selector = self._given.item_selector or self._given.parameters
        for index, item in enumerate(self._source()):
            yield item if selector is None else self._selected(selector, index, item)

    def _source(self) -> Iterator[Any]:
        reader = self._given.item_reader
        if reader is None:
            return iter(self._given.input_items)
        max_items = None
        if reader.reader_config:
            reader.reader_config.eval(self._env)
            max_items = self._env.stack.pop()["MaxItemsValue"]
            if max_items < 0:
                raise StateFailed("States.ItemReaderFailed", "field MaxItems must be positive")
        reader.parargs.eval(self._env)
        parameters = self._env.stack.pop()
        config, action = self._settings.reader_config, reader.resource.api_action
        return itertools.islice(read_items(self._s3(), action, parameters, config), max_items)

    def _selected(self, selector: Any, index: int, item: Any) -> Any:
        frame = self._env.open_inner_frame()
        data = frame.states.context_object.context_object_data
        data["Map"] = {"Item": context_item(self._given.input_items, index, item)}
        frame.states.reset(self._input)
        frame.stack.append(self._input)
        try:
            selector.eval(frame)
            return frame.stack.pop()
        finally:
            self._env.delete_frame(frame)

    def _launch(self, given: ChildInput, ended: Callable[[], None]) -> ChildExecution:
        program = self._component._get_iteration_program()
        child = ChildExecution(self._env, self._record, program, given, self._settings.express)
        if not self._settings.express:
            remember(self._record.executions, child.execution)

        def run() -> None:
            child.run()
            ended()

        in_background(run)
        return child

    def _pending(self, given: ChildInput) -> Any:
        return pending_record(self._record, given)

    def _tolerance(self) -> Tolerance:
        count, percentage = (
            self._record.tolerated_failure_count,
            self._record.tolerated_failure_percentage,
        )
        return Tolerance(
            count if self._settings.counts_failures or count else None,
            percentage if self._settings.measures_failures or percentage else None,
        )

    def _write(self, records: list[Any]) -> Any:
        writer = self._settings.writer or {}
        config = writer.get("WriterConfig", {})
        if "Resource" not in writer:
            return transformed(records, config.get("Transformation", "COMPACT"))
        field = "Arguments" if self._settings.jsonata else "Parameters"
        target = self._evaluated(writer.get(field, {}))
        return export_results(self._s3(), target, config, records, self._record.map_run_arn)


def _dynamic(batcher: Any) -> dict[str, Any]:
    """Return an ItemBatcher as a payload template: its `Path` fields become `.$` fields."""
    template = dict(batcher)
    for name in ("MaxItemsPerBatch", "MaxInputBytesPerBatch"):
        if f"{name}Path" in template:
            template[f"{name}.$"] = template.pop(f"{name}Path")
    return template


def _add_event(env: Any, kind: str, **details: Any) -> None:
    name = f"{kind[0].lower()}{kind[1:]}EventDetails"
    env.event_manager.add_event(
        context=env.event_history_context,
        event_type=HistoryEventType(kind),
        event_details={name: details} if details else None,
    )
