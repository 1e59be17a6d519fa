"""Definitions: read once, with the parts that moto's grammar lacks taken out and kept."""

import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser

from local_aws.core.patching import patch, set_value
from local_aws.stepfunctions.validation import inner_flows, is_distributed, processor_config

# moto's grammar knows CSV and JSON only; the reader itself looks at what was asked for.
_GRAMMAR_INPUT_TYPE = "JSON"
_ATTRIBUTE = "local_aws_distributed"


def _scopes(preprocessor: Any) -> list[Any]:
    """Return the query languages of the scopes that one reading of a definition is in."""
    found: list[Any] = preprocessor.__dict__.setdefault("local_aws_scopes", [])
    return found


set_value(
    "moto.stepfunctions.parser.asl.parse.preprocessor.Preprocessor._query_language_per_scope",
    property(_scopes),
    why="shares its scopes among all definitions: after a refused one, others are misread",
)


@patch(
    "moto.stepfunctions.parser.asl.parse.preprocessor.Preprocessor._open_query_language_scope",
    why="has states inherit the language of the Map around them; AWS, that of the state machine",
)
def open_query_language_scope(original: Any, preprocessor: Any, parse_tree: Any) -> None:
    """Begin a state or flow: its own language, or else that of the whole state machine."""
    scopes = _scopes(preprocessor)
    around = scopes[1:]
    del scopes[1:]
    original(preprocessor, parse_tree)
    scopes[1:1] = around


@dataclass(frozen=True, slots=True)
class DistributedSettings:
    """What a Distributed Map says that moto's grammar does not know; None where it says nothing.

    `batcher`, `reader_config` and `writer` are the definition's own objects. The two flags say
    whether a tolerated failure count and percentage were given at all.
    """

    batcher: Mapping[str, Any] | None
    reader_config: Mapping[str, Any]
    writer: Mapping[str, Any] | None
    counts_failures: bool
    measures_failures: bool
    express: bool
    jsonata: bool


@patch(
    "moto.stepfunctions.parser.asl.parse.asl_parser.AmazonStateLanguageParser.parse",
    why="reads the text at each execution, and knows no ItemBatcher, JSONL and writer's options",
)
def parse(original: Callable[[str], tuple[Any, Any]], definition: str) -> tuple[Any, Any]:
    """Return moto's program for a definition, parsed once for each text."""
    return _parsed(original, definition)


@functools.lru_cache(maxsize=128)
def _parsed(original: Callable[[str], tuple[Any, Any]], definition: str) -> tuple[Any, Any]:
    parsed = json.loads(definition)
    if not isinstance(parsed, dict):
        return original(definition)  # which says what is wrong
    kept: dict[tuple[str, ...], DistributedSettings] = {}
    _extract_distributed_maps(parsed, (), kept)
    program, _ = original(json.dumps(parsed, ensure_ascii=False))
    _attach(program.states, (), kept)
    return program, None  # the syntax tree is large, and nothing that runs asks for it


def settings_of(component: Any) -> DistributedSettings:
    """Return what was kept of the Distributed Map whose iteration component this is."""
    found: DistributedSettings = getattr(component, _ATTRIBUTE)
    return found


def evaluate(template: Any, env: Any, value: Any, *, jsonata: bool) -> Any:
    """Return a template applied to a state's input: of JSONata, or with `.$` keys of JSONPath."""
    frame = env.open_inner_frame()
    frame.states.reset(value)
    frame.stack.append(value)
    try:
        _template(json.dumps(template), jsonata).eval(frame)
        return frame.stack.pop()
    finally:
        env.delete_frame(frame)


@functools.lru_cache(maxsize=256)
def _template(text: str, jsonata: bool) -> Any:
    field, language = ("Output", "JSONata") if jsonata else ("Parameters", "JSONPath")
    state = {"Type": "Pass", "QueryLanguage": language, field: json.loads(text), "End": True}
    read: Any = AmazonStateLanguageParser.parse
    program, _ = read(json.dumps({"StartAt": "T", "States": {"T": state}}))
    made = program.states.states["T"]
    return made.output.jsonata_template_value if jsonata else made.parameters


def _extract_distributed_maps(
    flow: dict[str, Any],
    path: tuple[str, ...],
    kept: dict[tuple[str, ...], DistributedSettings],
    language: str = "JSONPath",
) -> None:
    language = str(flow.get("QueryLanguage", language))
    for name, state, inner in inner_flows(flow):
        for number, part in enumerate(inner):
            _extract_distributed_maps(
                part, (*path, name, str(number)), kept, language
            )  # not the state's own
        percentage = state.get("ToleratedFailurePercentage")
        if isinstance(percentage, int):  # moto's grammar knows it with a decimal point only
            state["ToleratedFailurePercentage"] = float(percentage)
        if is_distributed(state):
            own = str(state.get("QueryLanguage", language))
            kept[*path, name] = _settings(state, jsonata=own == "JSONata")
            _rewrite(state)


def _settings(state: Mapping[str, Any], *, jsonata: bool) -> DistributedSettings:
    reader = state.get("ItemReader")
    config = reader.get("ReaderConfig") if isinstance(reader, dict) else None
    return DistributedSettings(
        batcher=state.get("ItemBatcher"),
        reader_config=dict(config) if isinstance(config, dict) else {},
        writer=state.get("ResultWriter"),
        counts_failures=bool({"ToleratedFailureCount", "ToleratedFailureCountPath"} & state.keys()),
        measures_failures=bool(
            {"ToleratedFailurePercentage", "ToleratedFailurePercentagePath"} & state.keys()
        ),
        express=processor_config(state).get("ExecutionType") == "EXPRESS",
        jsonata=jsonata,
    )


def _rewrite(state: dict[str, Any]) -> None:
    state.pop("ItemBatcher", None)
    state.pop("ResultWriter", None)
    processor_config(state)["ExecutionType"] = "STANDARD"  # moto's grammar knows no other
    reader = state.get("ItemReader")
    config = reader.get("ReaderConfig") if isinstance(reader, dict) else None
    if isinstance(config, dict):
        config.pop("CSVDelimiter", None)
        config.pop("ManifestType", None)
        config.pop("ItemsPointer", None)
        if config.get("InputType") in ("JSONL", "MANIFEST"):
            config["InputType"] = _GRAMMAR_INPUT_TYPE


def _attach(
    states: Any, path: tuple[str, ...], kept: dict[tuple[str, ...], DistributedSettings]
) -> None:
    for name, state in states.states.items():
        component = getattr(state, "iteration_component", None)
        if component is not None:
            _attach(component._states, (*path, name, "0"), kept)
            if (*path, name) in kept:
                setattr(component, _ATTRIBUTE, kept[*path, name])
        branches = getattr(state, "branches", None)
        for number, branch in enumerate(branches.programs if branches else []):
            _attach(branch.states, (*path, name, str(number)), kept)
