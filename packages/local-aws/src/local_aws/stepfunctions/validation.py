"""Validation of definitions: what AWS refuses, and what the embedded AWS cannot run.

Nothing here is moto's.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from local_aws.stepfunctions.field_validation import (
    MAX_NAME,
    Problem,
    invalid,
    objects_in,
    problems_of_timeout,
    problems_of_values,
)
from local_aws.stepfunctions.integrations import PREFIX, problems_of_task

# What a Distributed Map's ItemReader and ResultWriter may name.
INPUT_TYPES = frozenset(("CSV", "JSON", "JSONL", "MANIFEST"))
DELIMITERS = {"COMMA": ",", "PIPE": "|", "SEMICOLON": ";", "SPACE": " ", "TAB": "\t"}
TRANSFORMATIONS = frozenset(("NONE", "COMPACT", "FLATTEN"))
OUTPUT_TYPES = frozenset(("JSON", "JSONL"))


@dataclass(frozen=True, slots=True)
class Job:
    """How a kind of job is asked about and stopped: boto3's names, and those of its fields."""

    describe: str
    stop: str
    name: str
    status: str


JOBS = {
    "createtrainingjob": Job(
        "describe_training_job", "stop_training_job", "TrainingJobName", "TrainingJobStatus"
    ),
    "createhyperparametertuningjob": Job(
        "describe_hyper_parameter_tuning_job",
        "stop_hyper_parameter_tuning_job",
        "HyperParameterTuningJobName",
        "HyperParameterTuningJobStatus",
    ),
    "createtransformjob": Job(
        "describe_transform_job", "stop_transform_job", "TransformJobName", "TransformJobStatus"
    ),
    "createprocessingjob": Job(
        "describe_processing_job",
        "stop_processing_job",
        "ProcessingJobName",
        "ProcessingJobStatus",
    ),
}

_HERE = "which the embedded AWS does not support"
SERVICES = frozenset(
    ("aws-sdk", "dynamodb", "events", "lambda", "sagemaker", "sns", "sqs", "states")
)
_SYNC_JOBS = frozenset(("sync", action) for action in JOBS)
_DISTRIBUTED_ONLY = ("ItemReader", "ItemBatcher", "ResultWriter", "Label")
_FLOW = {"Comment", "StartAt", "States"}
_LANGUAGES = ("JSONPath", "JSONata")
_ANY = {"Type", "Comment", "QueryLanguage"}
_PATHS = {"InputPath", "OutputPath"}
_GOES_ON = {"Next", "End", "Assign", "Output", *_PATHS}
_WORKS = {*_GOES_ON, "Parameters", "ResultPath", "ResultSelector", "Retry", "Catch"}
_TIMES = {"TimeoutSeconds", "TimeoutSecondsPath", "HeartbeatSeconds", "HeartbeatSecondsPath"}
_LIMITS = {
    f"{name}{path}"
    for name in ("MaxConcurrency", "ToleratedFailureCount", "ToleratedFailurePercentage")
    for path in ("", "Path")
}
# https://docs.aws.amazon.com/step-functions/latest/dg/statemachine-structure.html
_FIELDS = {
    "Task": {*_WORKS, *_TIMES, "Resource", "Credentials", "Arguments"},
    "Pass": {*_GOES_ON, "Parameters", "Result", "ResultPath"},
    "Wait": {*_GOES_ON, "Seconds", "SecondsPath", "Timestamp", "TimestampPath"},
    "Choice": {*_PATHS, "Choices", "Default", "Assign", "Output"},
    "Succeed": {*_PATHS, "Output"},
    "Fail": {"Error", "Cause", "ErrorPath", "CausePath"},
    "Parallel": {*_WORKS, "Branches", "Arguments"},
    "Map": {
        *_WORKS,
        *_LIMITS,
        *_DISTRIBUTED_ONLY,
        "ItemProcessor",
        "Iterator",
        "ItemsPath",
        "Items",
        "ItemSelector",
    },
}
_ENDS = ("Succeed", "Fail")
# https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html
_ONLY_JSONPATH = (
    "InputPath",
    "ItemsPath",
    "OutputPath",
    "Parameters",
    "ResultPath",
    "ResultSelector",
)
_ONLY_JSONATA = ("Arguments", "Items", "Output")


def inner_flows(flow: Any) -> Iterator[tuple[str, dict[str, Any], list[dict[str, Any]]]]:
    """Yield each state's name, the state, and the flows within it (a Map's one, a Parallel's)."""
    states = flow.get("States") if isinstance(flow, dict) else None
    for name, state in (states if isinstance(states, dict) else {}).items():
        if isinstance(state, dict):
            inner = [state.get("ItemProcessor") or state.get("Iterator")]
            branches = state.get("Branches")
            inner += branches if isinstance(branches, list) else []
            yield name, state, [part for part in inner if isinstance(part, dict)]


def is_distributed(state: Mapping[str, Any]) -> bool:
    """Return whether a parsed state is a Map in mode DISTRIBUTED."""
    return processor_config(state).get("Mode") == "DISTRIBUTED"


def processor_config(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return a Map state's `ProcessorConfig`; empty where there is none."""
    flow = state.get("ItemProcessor") or state.get("Iterator")
    config = flow.get("ProcessorConfig") if isinstance(flow, dict) else None
    return config if isinstance(config, dict) else {}


def problems_of(definition: Any, machine_type: str = "STANDARD") -> Iterator[Problem]:
    """Yield each reason why AWS refuses a parsed definition, or it cannot run here.

    https://docs.aws.amazon.com/step-functions/latest/apireference/API_ValidateStateMachineDefinition.html
    """
    if isinstance(definition, dict):
        language = definition.get("QueryLanguage", "JSONPath")
        yield from _of_flow(
            definition, "", {*_FLOW, "QueryLanguage", "TimeoutSeconds", "Version"}, language
        )
        yield from problems_of_timeout(definition)
        yield from _reused_names(definition, "", {})
    sentences = [*unsupported_features(definition, machine_type), *reused_variables(definition)]
    yield from (Problem("SCHEMA_VALIDATION_FAILED", sentence) for sentence in sentences)


def _of_flow(
    flow: Mapping[str, Any], place: str, fields: set[str], language: Any
) -> Iterator[Problem]:
    """Yield what is wrong with a flow's own states, then with those of the flows within.

    `language` is the state machine's: a Map or Parallel does not hand its own on.
    """
    yield from _unknown_fields(flow, fields, place or "/")
    if flow.get("QueryLanguage", "JSONPath") not in _LANGUAGES:
        yield invalid("'QueryLanguage' is JSONPath or JSONata", place or "/")
    states = flow.get("States")
    if not isinstance(states, dict) or not states:
        yield invalid("The field 'States' must be an object with at least one state", place or "/")
        return
    targets = [(f"{place}/StartAt", flow.get("StartAt"))]
    for name, state in states.items():
        location = f"{place}/States/{name}"
        if not isinstance(state, dict):
            yield invalid("A state must be an object", location)
            continue
        if len(name) > MAX_NAME:
            yield invalid(f"A state's name has at most {MAX_NAME} characters", location)
        yield from _of_state(state, location)
        yield from _of_language(state, location, language)
        targets += _targets(state, location)
    for location, target in targets:
        if not isinstance(target, str) or target not in states:
            yield Problem("MISSING_TRANSITION_TARGET", f"Missing target: {target}", location)
    if not any(_is_end(state) for state in states.values()):
        yield Problem("MISSING_END_STATE", "No state ends the flow", f"{place}/States")
    for name in states.keys() - _reached(flow.get("StartAt"), states):
        location = f"{place}/States/{name}"
        yield Problem("MISSING_TRANSITION_TARGET", f'State "{name}" is not reachable.', location)
    for name, state, inner in inner_flows(flow):
        for number, part in enumerate(inner):
            where = f"{place}/States/{name}/{_field_of(state, number)}"
            yield from _of_flow(part, where, {*_FLOW, "ProcessorConfig"}, language)


def _field_of(state: Mapping[str, Any], number: int) -> str:
    """Return the field that has an inner flow of a state, as `inner_flows` counts them."""
    flow = "ItemProcessor" if state.get("ItemProcessor") else "Iterator"
    is_map = isinstance(state.get(flow), dict)
    return flow if is_map and number == 0 else f"Branches[{number - is_map}]"


def _reused_names(flow: Mapping[str, Any], place: str, known: dict[str, str]) -> Iterator[Problem]:
    """Yield a problem for each name that two states of a state machine have."""
    for name, state, inner in inner_flows(flow):
        location = f"{place}/States/{name}"
        if name in known:
            yield Problem("DUPLICATE_STATE_NAME", f"Duplicate State name: {name}", location)
        known.setdefault(name, location)
        for number, part in enumerate(inner):
            yield from _reused_names(part, f"{location}/{_field_of(state, number)}", known)


def _of_language(state: Mapping[str, Any], place: str, machines: Any) -> Iterator[Problem]:
    """Yield what is wrong with a state's language, and with its fields in that language."""
    language = state.get("QueryLanguage", machines)
    if language not in _LANGUAGES:
        yield invalid("'QueryLanguage' is JSONPath or JSONata", place)
        return
    if (machines, language) == ("JSONata", "JSONPath"):
        yield invalid(
            "'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine",
            place,
        )
    other = _LANGUAGES[1 - _LANGUAGES.index(language)]
    for field in _ONLY_JSONPATH if language == "JSONata" else _ONLY_JSONATA:
        if field in state:
            yield invalid(
                f"The QueryLanguage is set to '{language}', but field '{field}' is only supported "
                f"for the '{other}' QueryLanguage",
                place,
            )
    yield from problems_of_values(state, place, jsonata=language == "JSONata")
    yield from problems_of_task(state, place)


def _unknown_fields(part: Mapping[str, Any], known: set[str], place: str) -> Iterator[Problem]:
    for field in part:
        if field not in known:
            yield invalid(f"Field '{field}' is not supported", place)


def _of_state(state: Mapping[str, Any], place: str) -> Iterator[Problem]:
    kind = state.get("Type")
    if not isinstance(kind, str) or kind not in _FIELDS:
        yield invalid(f"The field 'Type' is one of {', '.join(_FIELDS)}", place)
        return
    yield from _unknown_fields(state, _ANY | _FIELDS[kind], place)
    if "Next" in _FIELDS[kind] and ("Next" in state) == (state.get("End") is True):
        yield invalid("A state has either 'Next' or 'End': true", place)
    for names in _REQUIRED.get(kind, ()):
        if sum(name in state for name in names) != 1:
            yield invalid(f"A {kind} state has exactly one of {', '.join(names)}", place)
    for field in (*_TIMES, "Error", "Cause", *_LIMITS):
        if f"{field}Path" in state and field in state:
            yield invalid(f"A state has only one of '{field}' and '{field}Path'", place)
    if kind == "Choice" and not objects_in(state, "Choices"):
        yield invalid("'Choices' must be a list of at least one rule", place)
    if kind == "Map":
        if {"Parameters", "ItemSelector"} <= state.keys():
            yield invalid("A Map has only one of 'Parameters' and 'ItemSelector'", place)
        if is_distributed(state) and "ExecutionType" not in processor_config(state):
            yield invalid("'ExecutionType' is required in the mode DISTRIBUTED", place)


_REQUIRED = {
    "Task": (("Resource",),),
    "Wait": (("Seconds", "SecondsPath", "Timestamp", "TimestampPath"),),
    "Choice": (("Choices",),),
    "Parallel": (("Branches",),),
    "Map": (("ItemProcessor", "Iterator"),),
}


def _targets(state: Mapping[str, Any], place: str) -> list[tuple[str, Any]]:
    """Return the names of states that a state leads to, each with its place."""
    found = [(f"{place}/{name}", state[name]) for name in ("Next", "Default") if name in state]
    for field in ("Choices", "Catch"):
        for number, one in enumerate(objects_in(state, field)):
            found.append((f"{place}/{field}[{number}]/Next", one.get("Next")))
    return found


def _is_end(state: Any) -> bool:
    return isinstance(state, dict) and (state.get("End") is True or state.get("Type") in _ENDS)


def _reached(start: Any, states: Mapping[str, Any]) -> set[str]:
    reached: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if isinstance(name, str) and name in states and name not in reached:
            reached.add(name)
            state = states[name] if isinstance(states[name], dict) else {}
            waiting += [target for _, target in _targets(state, "")]
    return reached


def unsupported_features(definition: Any, machine_type: str = "STANDARD") -> Iterator[str]:
    """Yield a sentence for each part of a parsed definition that must be refused."""
    if not isinstance(definition, dict):
        return
    for name, state, inner in inner_flows(definition):
        yield from _of_task(name, state, machine_type)
        yield from _of_map(name, state, machine_type)
        express = processor_config(state).get("ExecutionType") == "EXPRESS"
        inner_type = "EXPRESS" if is_distributed(state) and express else machine_type
        for part in inner:
            yield from unsupported_features(part, inner_type)


def _of_task(name: str, state: Mapping[str, Any], machine_type: str) -> Iterator[str]:
    resource = state.get("Resource")
    if state.get("Type") != "Task" or not isinstance(resource, str):
        return
    if ":activity:" in resource:
        yield f"State {name} waits for an activity's worker, {_HERE}."
    if not resource.startswith(PREFIX):
        return
    service, _, action = resource.removeprefix(PREFIX).partition(":")
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
    if kind == "CSV":
        yield from _of_header(name, config)
    if "Transformation" in config:
        yield f"State {name} has Transformation in its ReaderConfig, {_HERE}."
    if "ItemsPointer" in config and kind != "JSON":
        yield f"State {name}: ItemsPointer is for the InputType JSON only."


def _of_header(name: str, config: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with where a CSV file's header is.

    https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itemreader.html
    """
    where, header = config.get("CSVHeaderLocation"), config.get("CSVHeaders")
    if where not in ("FIRST_ROW", "GIVEN"):
        yield f"State {name}: CSVHeaderLocation is FIRST_ROW or GIVEN for the InputType CSV."
    elif where == "GIVEN" and not header:
        yield f"State {name}: CSVHeaders are required where CSVHeaderLocation is GIVEN."
    elif where == "FIRST_ROW" and header is not None:
        yield f"State {name}: CSVHeaders are for the CSVHeaderLocation GIVEN only."


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
    place = "Parameters" in writer or "Arguments" in writer
    if ("Resource" in writer) != place or not writer:
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


def reused_variables(flow: Any, outer: frozenset[str] = frozenset()) -> Iterator[str]:
    """Yield a sentence for each variable of an inner flow that has the name of one around it."""
    own = {variable for _, state, _ in inner_flows(flow) for variable in _assigned(state)}
    for variable in sorted(own & outer):
        yield f"The variable {variable} is assigned in an outer scope as well."
    for _, _, inner in inner_flows(flow):
        for part in inner:
            yield from reused_variables(part, outer | own)


def _assigned(state: Mapping[str, Any]) -> Iterator[str]:
    """Yield the variables that a state assigns, by itself, by its rules, and by its catchers."""
    places = [state, *objects_in(state, "Choices"), *objects_in(state, "Catch")]
    for place in places:
        given = place.get("Assign")
        yield from (key.removesuffix(".$") for key in (given if isinstance(given, dict) else {}))
