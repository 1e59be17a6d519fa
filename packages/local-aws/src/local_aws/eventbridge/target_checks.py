"""Checks of targets of rules and schedules: inputs, templates, windows, retries.

https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_Target.html
https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

MAX_PATHS = 100
MAX_WINDOW_MINUTES = 1_440
_INPUTS = ("Input", "InputPath", "InputTransformer")
_VARIABLE = re.compile(r"<([^<>\s\"]+)>")
_RESERVED = "aws."
# Services whose input must be JSON when a schedule calls them without an action of an SDK.
_JSON_SERVICES = ("lambda", "states", "events")


def target_problems(target: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for each thing that EventBridge refuses of a rule's target."""
    if sum(target.get(name) is not None for name in _INPUTS) > 1:
        yield (
            f"Only one of Input, InputPath, or InputTransformer must be provided for target "
            f"{target['Id']}."
        )
    if target.get("Input") is not None and not is_json(target["Input"]):
        yield f"JSON syntax error in input for target {target['Id']}."
    path = target.get("InputPath")
    if path is not None and not str(path).startswith("$"):
        yield f"Invalid InputPath for target {target['Id']} : Invalid JSON Path."
    transformer = target.get("InputTransformer")
    if transformer:
        yield from _transformer_problems(target["Id"], transformer)


def _transformer_problems(target: str, transformer: Mapping[str, Any]) -> Iterator[str]:
    paths = transformer.get("InputPathsMap") or {}
    if len(paths) > MAX_PATHS:
        yield f"InputPathsMap for target {target} has more than {MAX_PATHS} paths."
    for name, path in paths.items():
        if name.lower().startswith(_RESERVED):
            yield f"InputPathsMap for target {target} contains the reserved key {name}."
        if not str(path).startswith("$"):
            yield f"InputPathsMap for target {target} has an invalid JSON path for {name}."
    for name in _VARIABLE.findall(transformer.get("InputTemplate") or ""):
        if name not in paths and not name.startswith(f"{_RESERVED}events."):
            yield f"InputTemplate for target {target} contains invalid placeholder {name}."


def schedule_problems(given: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for each thing that Scheduler refuses of a schedule."""
    window = given.get("FlexibleTimeWindow") or {}
    minutes = window.get("MaximumWindowInMinutes")
    if window.get("Mode") == "FLEXIBLE" and minutes is None:
        yield "MaximumWindowInMinutes must be provided when FlexibleTimeWindow mode is FLEXIBLE."
    if window.get("Mode") == "OFF" and minutes is not None:
        yield "MaximumWindowInMinutes cannot be set when FlexibleTimeWindow mode is OFF."
    if minutes is not None and not 1 <= minutes <= MAX_WINDOW_MINUTES:
        yield f"MaximumWindowInMinutes must be from 1 to {MAX_WINDOW_MINUTES}."
    start, end = given.get("StartDate"), given.get("EndDate")
    if start is not None and end is not None and end <= start:
        yield "The EndDate must come after the StartDate."
    target = given.get("Target") or {}
    retry = target.get("RetryPolicy") or {}
    for name, minimum, maximum in (
        ("MaximumRetryAttempts", 0, 185),
        ("MaximumEventAgeInSeconds", 60, 86_400),
    ):
        value = retry.get(name)
        if value is not None and not minimum <= value <= maximum:
            yield f"{name} must be from {minimum} to {maximum}."
    service = [*str(target.get("Arn")).split(":"), "", "", ""][2]
    if service in _JSON_SERVICES and target.get("Input") and not is_json(target["Input"]):
        yield f"Invalid RequestPayload: the input for {service} must be well-formed JSON."


def is_json(text: Any) -> bool:
    """Return whether a text is valid JSON."""
    try:
        json.loads(text)
    except (TypeError, ValueError, RecursionError):
        return False
    return True
