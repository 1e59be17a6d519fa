"""What a definition must not have: what AWS refuses, and what the embedded AWS cannot run."""

from collections.abc import Iterator, Mapping
from typing import Any

from local_aws.stepfunctions.definitions import inner_flows, is_distributed, processor_config
from local_aws.stepfunctions.distributed_map.item_reader import DELIMITERS, INPUT_TYPES
from local_aws.stepfunctions.distributed_map.result_writer import OUTPUT_TYPES, TRANSFORMATIONS
from local_aws.stepfunctions.query_checks import of_expressions
from local_aws.stepfunctions.sagemaker_tasks import JOBS

_HERE = "which the embedded AWS does not support"
_INTEGRATION = "arn:aws:states:::"
SERVICES = frozenset(
    ("aws-sdk", "dynamodb", "events", "lambda", "sagemaker", "sns", "sqs", "states")
)
_SYNC_JOBS = frozenset(("sync", action) for action in JOBS)
_DISTRIBUTED_ONLY = (
    "ItemReader",
    "ItemBatcher",
    "ResultWriter",
    "Label",
    "ToleratedFailureCount",
    "ToleratedFailureCountPath",
    "ToleratedFailurePercentage",
    "ToleratedFailurePercentagePath",
)


def unsupported_features(
    definition: Any, machine_type: str = "STANDARD", language: str = "JSONPath"
) -> Iterator[str]:
    """Yield a sentence for each part of a parsed definition that must be refused.

    `language` is what the flow around this one is written in.
    """
    if not isinstance(definition, dict):
        return
    language = str(definition.get("QueryLanguage", language))
    for name, state, inner in inner_flows(definition):
        yield from of_expressions(name, state, str(state.get("QueryLanguage", language)))
        yield from _of_task(name, state, machine_type)
        yield from _of_map(name, state, machine_type)
        express = processor_config(state).get("ExecutionType") == "EXPRESS"
        inner_type = "EXPRESS" if is_distributed(state) and express else machine_type
        for part in inner:
            yield from unsupported_features(part, inner_type, language)


def _of_task(name: str, state: Mapping[str, Any], machine_type: str) -> Iterator[str]:
    resource = state.get("Resource")
    if state.get("Type") != "Task" or not isinstance(resource, str):
        return
    if ":activity:" in resource:
        yield f"State {name} waits for an activity's worker, {_HERE}."
    if not resource.startswith(_INTEGRATION):
        return
    service, _, action = resource.removeprefix(_INTEGRATION).partition(":")
    action, _, pattern = action.partition(".")
    if service not in SERVICES:
        yield f"State {name} calls {service}, {_HERE}."
    if service == "sagemaker" and pattern and (pattern, action.lower()) not in _SYNC_JOBS:
        yield f"State {name} waits for sagemaker:{action}.{pattern}, {_HERE}."
    if machine_type == "EXPRESS" and pattern:
        yield f"State {name}: Express state machine does not support '.{pattern}' integration."


def _of_map(name: str, state: Mapping[str, Any], machine_type: str) -> Iterator[str]:
    if state.get("Type") != "Map":
        return
    if not is_distributed(state):
        for field in _DISTRIBUTED_ONLY:
            if field in state:
                yield f"State {name}: {field} is for the mode DISTRIBUTED only."
        return
    if machine_type == "EXPRESS":
        yield f"State {name}: Express state machine does not support the mode DISTRIBUTED."
    yield from _of_reader(name, _object(state, "ItemReader"))
    yield from _of_batcher(name, state)
    yield from _of_writer(name, state)


def _of_reader(name: str, reader: Mapping[str, Any]) -> Iterator[str]:
    config = _object(reader, "ReaderConfig")
    kind, manifest = config.get("InputType", "JSON"), config.get("ManifestType", "S3_INVENTORY")
    if kind not in INPUT_TYPES:
        yield f"State {name} reads {kind}, {_HERE}."
    if manifest != "S3_INVENTORY":
        yield f"State {name} reads a manifest of type {manifest}, {_HERE}."
    if config.get("CSVDelimiter", "COMMA") not in DELIMITERS:
        yield f"State {name}: CSVDelimiter is one of {', '.join(DELIMITERS)}."
    for field in ("ItemsPointer", "Transformation"):
        if field in config:
            yield f"State {name} has {field} in its ReaderConfig, {_HERE}."


def _of_batcher(name: str, state: Mapping[str, Any]) -> Iterator[str]:
    limits = ("MaxItemsPerBatch", "MaxInputBytesPerBatch")
    given = _object(state, "ItemBatcher").keys()
    if "ItemBatcher" in state and not given & {*limits, *(f"{limit}Path" for limit in limits)}:
        yield f"State {name}: ItemBatcher must have {' or '.join(limits)}."


def _of_writer(name: str, state: Mapping[str, Any]) -> Iterator[str]:
    if "ResultWriter" not in state:
        return
    writer = _object(state, "ResultWriter")
    config = _object(writer, "WriterConfig")
    if ("Resource" in writer) != ("Parameters" in writer) or not writer:
        yield f"State {name}: ResultWriter must have Resource and Parameters, or a WriterConfig."
    if config.get("Transformation", "NONE") not in TRANSFORMATIONS:
        yield f"State {name}: Transformation is one of {', '.join(sorted(TRANSFORMATIONS))}."
    if config.get("OutputType", "JSON") not in OUTPUT_TYPES:
        yield f"State {name}: OutputType is one of {', '.join(sorted(OUTPUT_TYPES))}."
    if config.get("OutputType") == "JSONL" and "Resource" not in writer:
        yield f"State {name} writes JSONL without a place in S3, {_HERE}."


def _object(parent: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = parent.get(name)
    return found if isinstance(found, dict) else {}
