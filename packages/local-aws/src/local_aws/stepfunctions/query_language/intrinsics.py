"""The intrinsic functions of JSONPath states: `States.Format('{}', $.a)` and the others.

https://docs.aws.amazon.com/step-functions/latest/dg/intrinsic-functions.html
"""

import base64
import functools
import hashlib
import json
import math
import random
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from moto.stepfunctions.parser.asl.component.common.query_language import QueryLanguageMode
from moto.stepfunctions.parser.asl.component.common.string.string_expression import (
    StringContextPath,
    StringIntrinsicFunction,
    StringJsonPath,
    StringVariableSample,
)
from moto.stepfunctions.parser.asl.component.eval_component import EvalComponent
from moto.stepfunctions.parser.asl.component.intrinsic.functionname.state_function_name_types import (  # noqa: E501
    StatesFunctionNameType,
)
from moto.stepfunctions.parser.asl.component.intrinsic.functionname.states_function_name import (
    StatesFunctionName,
)

from local_aws.core.patching import patch
from local_aws.errors import LocalAwsError
from local_aws.stepfunctions.errors import failure_event
from local_aws.stepfunctions.json_data import compact, strict_json
from local_aws.stepfunctions.query_language import jsonpath

MAX_CHARACTERS = 10_000
MAX_ARRAY_ITEMS = 1_000
_MAX_NESTED = 10
_CALL = re.compile(r"\s*States\.([A-Za-z0-9]+)\s*\(")
_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?")
_LITERALS = {"true": True, "false": False, "null": None}
_ESCAPED = "'{}\\"
_HASHES = ("MD5", "SHA-1", "SHA-256", "SHA-384", "SHA-512")


class IntrinsicFailed(LocalAwsError):
    """A function cannot be evaluated; the message is the cause of States.IntrinsicFailure."""


class InvalidIntrinsic(LocalAwsError):
    """A string that is not a call of an intrinsic function."""


@dataclass(frozen=True, slots=True)
class Text:
    """A literal string as it is written between its quotes, escapes included."""

    source: str

    def value(self) -> str:
        """Return the string itself; raises IntrinsicFailed at an open escape."""
        return "".join(part for part, _ in _letters(self.source))


@dataclass(frozen=True, slots=True)
class Reference:
    """A path of the input, of the context object (`$$`), or of a variable."""

    path: str


@dataclass(frozen=True, slots=True)
class Call:
    """A call: a name without `States.`, and its arguments."""

    name: str
    arguments: tuple[Any, ...]


@functools.lru_cache(maxsize=1024)
def parse(text: str) -> Call:
    """Return the parsed call; raises InvalidIntrinsic."""
    call, end = _call(text, 0, 1)
    if text[end:].strip():
        raise InvalidIntrinsic(f"The intrinsic function '{text}' has more after its end.")
    return call


def _call(text: str, position: int, depth: int) -> tuple[Call, int]:
    match = _CALL.match(text, position)
    if match is None or match[1] not in FUNCTIONS:
        raise InvalidIntrinsic(f"'{text[position:]}' is not a call of an intrinsic function.")
    if depth > _MAX_NESTED:
        raise InvalidIntrinsic(f"At most {_MAX_NESTED} intrinsic functions may be nested.")
    arguments: list[Any] = []
    position = _blank(text, match.end())
    while not text.startswith(")", position):
        value, position = _argument(text, position, depth)
        arguments.append(value)
        position = _blank(text, position)
        if text.startswith(",", position):
            position = _blank(text, position + 1)
            if text.startswith(")", position):
                raise InvalidIntrinsic(f"'{text}' has a comma without an argument after it.")
        elif not text.startswith(")", position):
            raise InvalidIntrinsic(f"'{text}' is not closed, or lacks a comma.")
    min_count, max_count = FUNCTIONS[match[1]].arguments
    if not min_count <= len(arguments) <= max_count:
        raise InvalidIntrinsic(f"States.{match[1]} does not take {len(arguments)} arguments.")
    return Call(match[1], tuple(arguments)), position + 1


def _blank(text: str, position: int) -> int:
    while text[position : position + 1].isspace():
        position += 1
    return position


def _argument(text: str, position: int, depth: int) -> tuple[Any, int]:
    if text.startswith("'", position):
        end = position + 1
        while end < len(text) and text[end] != "'":
            end += 2 if text[end] == "\\" else 1
        if end >= len(text):
            raise InvalidIntrinsic(f"'{text}' has a string that is not closed.")
        return Text(text[position + 1 : end]), end + 1
    if text.startswith("$", position):
        end = _end_of_path(text, position)
        path = text[position:end].strip()
        _check_path(path)
        return Reference(path), end
    if text.startswith("States.", position):
        return _call(text, position, depth + 1)
    number = _NUMBER.match(text, position)
    if number:
        return json.loads(number[0]), number.end()
    for literal, value in _LITERALS.items():
        if text.startswith(literal, position):
            return value, position + len(literal)
    raise InvalidIntrinsic(f"'{text}' has an argument that is not valid: '{text[position:]}'.")


def _end_of_path(text: str, position: int) -> int:
    """Return where a path ends: at a comma or parenthesis outside of brackets and quotes."""
    depth, quote = 0, ""
    while position < len(text):
        letter = text[position]
        if quote:
            if letter == "\\":
                position += 1
            elif letter == quote:
                quote = ""
        elif letter in "'\"" and depth:
            quote = letter
        elif letter in "[(":
            depth += 1
        elif letter in "])":
            if depth == 0:
                return position
            depth -= 1
        elif letter == "," and depth == 0:
            return position
        position += 1
    return position


def _check_path(path: str) -> None:
    if path[1:2] in ("", ".", "[", "$"):
        try:
            jsonpath.parse(path[1:] if path.startswith("$$") else path)
        except jsonpath.InvalidPath as error:
            raise InvalidIntrinsic(str(error)) from error


def _letters(source: str) -> list[tuple[str, bool]]:
    """Return a string's letters, each with whether it was escaped; raises IntrinsicFailed."""
    letters: list[tuple[str, bool]] = []
    position = 0
    while position < len(source):
        escaped = source[position] == "\\"
        if escaped:
            position += 1
            if source[position : position + 1] not in tuple(_ESCAPED):
                raise IntrinsicFailed(f"The string '{source}' has an open escape backslash.")
        letters.append((source[position], escaped))
        position += 1
    return letters


def evaluate(call: Call, resolve: Callable[[str], Any]) -> Any:
    """Return a call's value; `resolve` returns that of a path. Raises IntrinsicFailed."""
    arguments = [
        evaluate(argument, resolve)
        if isinstance(argument, Call)
        else resolve(argument.path)
        if isinstance(argument, Reference)
        else argument
        if isinstance(argument, Text) and call.name == "Format" and index == 0
        else argument.value()
        if isinstance(argument, Text)
        else argument
        for index, argument in enumerate(call.arguments)
    ]
    return FUNCTIONS[call.name].apply(*arguments)


def _format(template: Any, *values: Any) -> str:
    if isinstance(template, Text):
        letters = _letters(template.source)
    elif isinstance(template, str):
        letters = [(letter, False) for letter in template]
    else:
        raise IntrinsicFailed("The template of States.Format must be a string.")
    parts, waiting, position = [], list(values), 0
    while position < len(letters):
        if letters[position : position + 2] == [("{", False), ("}", False)]:
            if not waiting:
                raise IntrinsicFailed("States.Format has more {} than arguments.")
            parts.append(_formatted(waiting.pop(0)))
            position += 2
        else:
            parts.append(letters[position][0])
            position += 1
    if waiting:
        raise IntrinsicFailed("States.Format has more arguments than {}.")
    return "".join(parts)


def _formatted(value: Any) -> str:
    """Return a value as States.Format writes it: objects and arrays as Java does."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return f"[{', '.join(map(_formatted, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{name}={_formatted(inner)}' for name, inner in value.items())}}}"
    return json.dumps(value)


def _string_to_json(text: Any) -> Any:
    if text is None:
        return None
    _require(isinstance(text, str), "States.StringToJson takes a string")
    try:
        return strict_json(text) if text.strip() else None
    except ValueError as error:
        raise IntrinsicFailed(f"The string is not valid JSON: {error}") from error


def _partition(items: Any, size: Any) -> list[Any]:
    array, step = _array(items), _whole(size)
    _require(step > 0, "The size of States.ArrayPartition must be positive")
    return [array[start : start + step] for start in range(0, len(array), step)]


def _contains(items: Any, value: Any) -> bool:
    return _text_of(value) in {_text_of(item) for item in _array(items)}


def _unique(items: Any) -> list[Any]:
    by_text: dict[str, Any] = {}
    for item in _array(items):
        by_text.setdefault(_text_of(item), item)
    return list(by_text.values())


def _text_of(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _range(first: Any, last: Any, step: Any) -> list[int]:
    start, end, by = _whole(first), _whole(last), _whole(step)
    _require(by != 0, "The step of States.ArrayRange must not be 0")
    numbers = range(start, end + (1 if by > 0 else -1), by)
    _require(len(numbers) <= MAX_ARRAY_ITEMS, f"An array has at most {MAX_ARRAY_ITEMS} items")
    return list(numbers)


def _get_item(items: Any, index: Any) -> Any:
    array = _array(items)
    _require(type(index) is int, "The index of States.ArrayGetItem must be an integer")
    _require(0 <= index < len(array), f"The array has no item {index}")
    return array[index]


def _encode(text: Any) -> str:
    return base64.b64encode(_short(text).encode()).decode()


def _decode(text: Any) -> str:
    try:
        return base64.b64decode(_short(text), validate=True).decode()
    except ValueError as error:
        raise IntrinsicFailed(f"The string is not Base64 of UTF-8: {error}") from error


def _hash(data: Any, algorithm: Any) -> str:
    _require(algorithm in _HASHES, f"States.Hash knows {', '.join(_HASHES)}")
    text = _short(data if isinstance(data, str) else compact(data))
    name = algorithm.lower().replace("-", "")
    return hashlib.new(name, text.encode(), usedforsecurity=False).hexdigest()


def _merge(first: Any, second: Any, deep: Any) -> dict[str, Any]:
    _require(isinstance(first, dict) and isinstance(second, dict), "JsonMerge takes two objects")
    _require(deep is False, "States.JsonMerge is shallow only: its last argument must be false")
    return {**first, **second}


def _random(start: Any, end: Any, *seed: Any) -> int:
    first, last = _whole(start), _whole(end)
    _require(first < last, "The start of States.MathRandom must be less than its end")
    # A number for jitter and samples, as AWS's; nothing secret is made of it.
    source = random.Random(_whole(seed[0])) if seed else random  # noqa: S311
    return source.randrange(first, last)


def _add(first: Any, second: Any) -> int:
    return _whole(first) + _whole(second)


def _split(text: Any, delimiters: Any) -> list[str]:
    """Return the parts between any of the delimiters' letters; empty ones are left out."""
    _require(isinstance(text, str) and isinstance(delimiters, str), "StringSplit takes strings")
    if not delimiters:
        return [text]
    return [part for part in re.split(f"[{re.escape(delimiters)}]", text) if part]


def _require(fact: bool, cause: str) -> None:
    if not fact:
        raise IntrinsicFailed(f"{cause}.")


def _array(value: Any) -> list[Any]:
    _require(isinstance(value, list), f"An array is needed, but got {_text_of(value)[:100]}")
    return value  # type: ignore[no-any-return]


def _whole(value: Any) -> int:
    """Return a number rounded to the nearest integer, as AWS does."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    _require(number, f"A number is needed, but got {_text_of(value)[:100]}")
    return math.floor(float(value) + 0.5) if isinstance(value, float) else int(value)


def _short(value: Any) -> str:
    _require(isinstance(value, str), f"A string is needed, but got {_text_of(value)[:100]}")
    _require(len(value) <= MAX_CHARACTERS, f"A string has at most {MAX_CHARACTERS} characters")
    return value  # type: ignore[no-any-return]


def _uuid() -> str:
    return str(uuid.uuid4())


@dataclass(frozen=True, slots=True)
class Function:
    """An intrinsic function, and its least and greatest number of arguments."""

    apply: Callable[..., Any]
    arguments: tuple[int, int]


def _items(*values: Any) -> list[Any]:
    return list(values)


def _length(items: Any) -> int:
    return len(_array(items))


FUNCTIONS = {
    "Array": Function(_items, (0, 1_000)),
    "ArrayContains": Function(_contains, (2, 2)),
    "ArrayGetItem": Function(_get_item, (2, 2)),
    "ArrayLength": Function(_length, (1, 1)),
    "ArrayPartition": Function(_partition, (2, 2)),
    "ArrayRange": Function(_range, (3, 3)),
    "ArrayUnique": Function(_unique, (1, 1)),
    "Base64Decode": Function(_decode, (1, 1)),
    "Base64Encode": Function(_encode, (1, 1)),
    "Format": Function(_format, (1, 1_000)),
    "Hash": Function(_hash, (2, 2)),
    "JsonMerge": Function(_merge, (3, 3)),
    "JsonToString": Function(compact, (1, 1)),
    "MathAdd": Function(_add, (2, 2)),
    "MathRandom": Function(_random, (2, 3)),
    "StringSplit": Function(_split, (2, 2)),
    "StringToJson": Function(_string_to_json, (1, 1)),
    "UUID": Function(_uuid, (0, 0)),
}


class IntrinsicFunction(EvalComponent):
    """moto's component for a call: puts its value on the stack."""

    def __init__(self, source: str) -> None:
        self._source, self._call = source, parse(source)
        # moto looks at the name where a function must return a string.
        self.name = StatesFunctionName(function_type=StatesFunctionNameType[self._call.name])

    def _eval_body(self, env: Any) -> None:
        def resolve(path: str) -> Any:
            _sampler(path).eval(env=env)
            return env.stack.pop()

        try:
            env.stack.append(evaluate(self._call, resolve))
        except IntrinsicFailed as error:
            cause = f"The function '{self._source}' had the following error: {error}"
            raise failure_event(env, "States.IntrinsicFailure", cause, "TaskFailed") from error


@functools.lru_cache(maxsize=1024)
def _sampler(path: str) -> Any:
    if path.startswith("$$"):
        return StringContextPath(context_object_path=path)
    if path[1:2] in ("", ".", "["):
        return StringJsonPath(json_path=path)
    return StringVariableSample(query_language_mode=QueryLanguageMode.JSONPath, expression=path)


@patch(
    "moto.stepfunctions.parser.asl.parse.preprocessor.Preprocessor.visitString_intrinsic_function",
    why="fails at escapes, null, names that are not ASCII, and filters in arguments",
)
def visit_intrinsic_function(_: Any, __: Any, ctx: Any) -> Any:
    """Return the component for a call of an intrinsic function."""
    source = json.loads(ctx.STRINGINTRINSICFUNC().getText())
    return StringIntrinsicFunction(
        intrinsic_function_derivation=source, function=IntrinsicFunction(source)
    )


@patch(
    "moto.stepfunctions.parser.asl.static_analyser.variable_references_static_analyser"
    ".VariableReferencesStaticAnalyser.visitString_intrinsic_function",
    why="cannot read the calls that its own grammar does not know",
)
def visit_variables_of_intrinsic_function(_: Any, analyser: Any, ctx: Any) -> None:
    """Note the variables that a call refers to."""
    for path in _references(parse(json.loads(ctx.getText()))):
        if path[1:2] not in ("", ".", "[", "$"):
            analyser._put_variable_name(re.split(r"[.\[]", path[1:], maxsplit=1)[0])


def _references(call: Call) -> list[str]:
    paths: list[str] = []
    for argument in call.arguments:
        if isinstance(argument, Call):
            paths += _references(argument)
        elif isinstance(argument, Reference):
            paths.append(argument.path)
    return paths
