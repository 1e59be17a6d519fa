"""The commands of a runbook, read from its fenced blocks."""

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import botocore.session
from botocore import xform_name

FOLDER = Path(__file__).parents[3] / "docs" / "runbooks"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# Commands of the AWS CLI that are a service under another name.
SERVICES = {"s3api": "s3"}
_SESSION = botocore.session.Session()


@dataclass(frozen=True)
class Command:
    """One line of a block without a language, or a whole block of HCL."""

    runbook: str
    text: str
    hcl: bool = False

    def words(self, values: Mapping[str, str] | None = None) -> list[str]:
        """Return the command's words, `<name>` replaced by its value."""
        text = self.text
        for name, value in (values or {}).items():
            text = text.replace(f"<{name}>", value)
        return shlex.split(text)


def commands(name: str = "*") -> Iterator[Command]:
    """Yield the commands of the runbooks of this name, in order."""
    for path in sorted(FOLDER.glob(f"{name}.md")):
        for language, body in BLOCK.findall(path.read_text()):
            if language == "hcl":
                yield Command(path.stem, body.strip(), hcl=True)
            elif not language:
                for line in body.strip().splitlines():
                    yield Command(path.stem, line)


@dataclass(frozen=True)
class AwsCall:
    """An `aws` command as a call of botocore."""

    service: str
    operation: str
    arguments: dict[str, Any]


def aws_call(words: list[str]) -> AwsCall:
    """Return the call of an `aws <service> <operation> --parameter value …` command.

    Raises ValueError where the service's model has no such operation or parameter, or one
    that it requires is missing.
    """
    service = SERVICES.get(words[1], words[1])
    model = _SESSION.get_service_model(service)
    found = {xform_name(name, "-"): name for name in model.operation_names}
    if words[2] not in found:
        raise ValueError(f"{service} has no {words[2]}")
    shape = model.operation_model(found[words[2]]).input_shape
    if shape is None:
        raise ValueError(f"{service} {words[2]} has no parameters")
    members = {xform_name(name, "-"): name for name in shape.members}
    # The CLI pages by itself, under this name, where the service has another.
    members.setdefault("max-items", members.get("max-results", ""))
    arguments: dict[str, Any] = {}
    option = ""
    for word in words[3:]:
        if word.startswith("--"):
            option = members.get(word[2:], "")
            if not option:
                raise ValueError(f"{service} {words[2]} has no {word}")
        elif option not in arguments or isinstance(arguments[option], list):
            # Else it is the file that the CLI writes a body to, which is no parameter.
            arguments[option] = _value(shape.members[option], word, arguments.get(option))
    if missing := set(shape.required_members) - set(arguments):
        raise ValueError(f"{service} {words[2]} lacks {min(missing)}")
    return AwsCall(service, xform_name(found[words[2]]), arguments)


def _value(shape: Any, word: str, before: Any) -> Any:
    if shape.type_name == "integer":
        return int(word)
    if shape.type_name == "list" and shape.member.type_name == "structure":
        parts = dict(part.split("=", 1) for part in re.split(r",(?=[A-Z]\w*=)", word))
        values = {
            key: [value] if shape.member.members[key].type_name == "list" else value
            for key, value in parts.items()
        }
        return [*(before or []), values]
    if shape.type_name == "list":
        return [*(before or []), word]
    return word
