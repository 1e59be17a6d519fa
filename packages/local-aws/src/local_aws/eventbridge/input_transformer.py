"""What a target of a rule gets of an event: all of it, a part, a text, or a template filled in.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from local_aws.eventbridge.delivery import DeliveryFailed, compact

_VARIABLE = re.compile(r"<([A-Za-z0-9_.\-]+)>")
_STEP = re.compile(r"\.([A-Za-z0-9_\-]+)|\[(\d+)\]|\['([^']*)'\]|\[\"([^\"]*)\"\]")
_MISSING = object()


def target_input(target: Mapping[str, Any], event: Mapping[str, Any], rule_arn: str) -> str:
    """Return the text for a target; raises DeliveryFailed where a template gives no JSON."""
    if target.get("Input") is not None:
        return str(target["Input"])
    if target.get("InputPath"):
        found = at_path(event, target["InputPath"])
        return compact({} if is_missing(found) else found)
    transformer = target.get("InputTransformer")
    return compact(event) if not transformer else _filled(transformer, event, rule_arn)


def is_missing(value: Any) -> bool:
    """Return whether `at_path` found nothing."""
    return value is _MISSING


def is_path(text: str) -> bool:
    """Return whether a text is a path that `at_path` can read."""
    return text.startswith("$") and re.fullmatch(f"(?:{_STEP.pattern})+", text[1:]) is not None


def at_path(event: Any, path: str) -> Any:
    """Return what is at a path such as `$.detail.object.key` or `$.resources[0]`.

    Raises DeliveryFailed for a path that cannot be read.
    """
    at, value = 1, event
    while at < len(path):
        step = _STEP.match(path, at)
        if step is None:
            raise DeliveryFailed("INVALID_PARAMETER", f"The path {path} cannot be read.")
        name, index = step[1] or step[3] or step[4], step[2]
        if index is not None and isinstance(value, list) and int(index) < len(value):
            value = value[int(index)]
        elif name is not None and isinstance(value, Mapping) and name in value:
            value = value[name]
        else:
            return _MISSING
        at = step.end()
    return value


def _filled(transformer: Mapping[str, Any], event: Mapping[str, Any], rule_arn: str) -> str:
    paths = transformer.get("InputPathsMap") or {}
    values = {name: at_path(event, path) for name, path in paths.items()}
    values |= _reserved(event, rule_arn)
    template = transformer["InputTemplate"]
    parts, end = [], 0
    for found in _VARIABLE.finditer(template):
        if found[1] not in values:
            continue
        parts.append(template[end : found.start()])
        quoted = _is_within_quotes(template, found.start())
        parts.append(_text(values[found[1]], quoted=quoted))
        end = found.end()
    return _valid("".join([*parts, template[end:]]), template)


def _reserved(event: Mapping[str, Any], rule_arn: str) -> dict[str, Any]:
    # As AWS writes it: without the detail, and this one name in camel case.
    without_detail = {
        "detailType" if name == "detail-type" else name: value
        for name, value in event.items()
        if name != "detail"
    }
    return {
        "aws.events.rule-arn": rule_arn,
        "aws.events.rule-name": rule_arn.rsplit("/", 1)[-1],
        "aws.events.event.ingestion-time": event["time"],
        "aws.events.event": without_detail,
        "aws.events.event.json": dict(event),
    }


def _is_within_quotes(template: str, at: int) -> bool:
    return template[:at].replace('\\"', "").count('"') % 2 == 1


def _text(value: Any, *, quoted: bool) -> str:
    """Return a variable's text; one whose path is not in the event leaves nothing behind.

    Within quotes, lists and objects lose the quotes of their own.
    """
    if is_missing(value):
        return ""
    if not quoted:
        return compact(value)
    if isinstance(value, list | Mapping):
        return compact(value).replace('\\"', "").replace('"', "")
    text = value if isinstance(value, str) else compact(value)
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _valid(text: str, template: str) -> str:
    """Return the text, checked; several quoted lines are as valid as one JSON value."""
    try:
        json.loads(text)
    except ValueError:
        try:
            for line in filter(str.strip, text.splitlines()):
                json.loads(line)
        except ValueError as error:
            raise DeliveryFailed(
                "INVALID_JSON", f"The template {template} gives no JSON: {text}"
            ) from error
    return text
