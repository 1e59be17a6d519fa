"""Every action of a service, called once with parameters that are made from botocore's model."""

import collections
import random
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import boto3
import botocore.exceptions
import botocore.parsers
import botocore.session
from botocore.config import Config

from local_aws.testing.aws import ACCOUNT, REGION

# How long one call may take: an action that hangs is a finding of its own.
CALL_SECONDS = 15.0
_MAX_DEPTH = 5
_KEY = "key"
_SCALARS: dict[str, Any] = {
    "boolean": True,
    "blob": b"body",
    "timestamp": 1_767_225_600,
    "float": 1.5,
    "double": 1.5,
}
# Values that most parameters do not take.
_WRONG: tuple[Any, ...] = (
    *(-1, 0, 10**9, 2**40, -(2**63), 1.5, float("nan"), True),
    *(
        "",
        " ",
        "x" * 3000,
        "a/b",
        "a b",
        "\u00e4\u20ac\U0001f600",
        "abc\0",
        "${x}",
        "{",
        "arn:aws:x",
    ),
    *("-1", "99999999999", "NaN", "true", "../..", "%", "a:b:c:d:e:f:g", [], {}, [None], {"": ""}),
)


@dataclass
class Calls:
    """What came of the calls: how many of each status, and those that must not be."""

    statuses: collections.Counter[str] = field(default_factory=collections.Counter)
    # Actions that were answered with 500 or more, or not answered: with what was seen.
    faults: dict[str, str] = field(default_factory=dict)
    # Actions at which the embedded AWS failed within, which it answers with a 400.
    failures: dict[str, str] = field(default_factory=dict)
    # Actions that were not called as the time was up.
    left: int = 0


class Parameters:
    """Makes parameters for operations: what is required, and each other member by a draw.

    `wrong` is the share of values that are drawn from those that most parameters do not take.
    """

    def __init__(self, seed: int, wrong: float = 0) -> None:
        self._random = random.Random(seed)  # noqa: S311 - a draw of test cases
        self._wrong = wrong

    def of(self, shape: Any, name: str = "", depth: int = 0) -> Any:
        """Return a value of a botocore shape, or a wrong one; a map's keys are right ones."""
        is_wrong = depth and name != _KEY and self._random.random() < self._wrong
        return self._random.choice(_WRONG) if is_wrong else self._right(shape, name, depth)

    def _right(self, shape: Any, name: str, depth: int) -> Any:
        kind = shape.type_name
        if kind == "structure":
            return self._structure(shape, depth)
        if kind == "list":
            count = max(1, int(shape.metadata.get("min", 1)))
            return [self.of(shape.member, name, depth + 1)] * min(count, 10)
        if kind == "map":
            return {self.of(shape.key, _KEY, depth + 1): self.of(shape.value, name, depth + 1)}
        if kind in ("integer", "long"):
            return max(1, int(shape.metadata.get("min", 1)))
        if kind == "string":
            return self._text(shape, name)
        return _SCALARS[kind]

    def _structure(self, shape: Any, depth: int) -> dict[str, Any]:
        required = set(shape.required_members)
        members = {}
        for name, member in shape.members.items():
            if name == "ContentLength":  # the length is that of the body, else the server waits
                continue
            drawn = depth < _MAX_DEPTH and self._random.random() < 0.5**depth / 2
            if name in required or drawn:
                members[name] = self.of(member, name, depth + 1)
        if getattr(shape, "is_tagged_union", False):
            return dict(list(members.items())[:1])
        return members

    def _text(self, shape: Any, name: str) -> str:
        choices = shape.metadata.get("enum")
        if choices:
            return str(self._random.choice(choices))
        lowered = name.lower()
        if lowered.endswith("arn"):
            return f"arn:aws:iam::{ACCOUNT}:role/service-role/any-role"
        if "uri" in lowered or "url" in lowered:
            return "s3://any-bucket/any-key"
        text = "any-bucket" if "bucket" in lowered else "any-name"
        return text.ljust(int(shape.metadata.get("min", 0)), "x")


def call_actions(
    endpoint_url: str,
    services: Iterable[str],
    *,
    seconds: float,
    seed: int = 0,
    wrong: float = 0,
) -> Calls:
    """Call every action of these services, by botocore's names, for so many seconds at most.

    `wrong` is the share of wrong values.
    """
    calls, deadline = Calls(), time.monotonic() + seconds
    for service, operation in actions(services):
        if time.monotonic() > deadline:
            calls.left += 1
            continue
        # A seed for each action, so that one is called alike whatever the others are.
        made = Parameters(seed + hash_of(operation), wrong).of
        client = _client(endpoint_url, service)
        shape = client.meta.service_model.operation_model(operation).input_shape
        _call(client, operation, made(shape) if shape is not None else {}, calls)
    return calls


def actions(services: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield each service with each of its operations."""
    models = botocore.session.get_session()
    for service in services:
        for operation in models.get_service_model(service).operation_names:
            yield service, operation


def hash_of(text: str) -> int:
    """Return a number for a text, the same in each process."""
    return sum(ord(character) * 31**index for index, character in enumerate(text[:12]))


_clients: dict[tuple[str, str], Any] = {}


def _client(endpoint_url: str, service: str) -> Any:
    if (endpoint_url, service) not in _clients:
        _clients[endpoint_url, service] = boto3.client(  # type: ignore[call-overload]
            service,
            endpoint_url=endpoint_url,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106 - the embedded AWS checks none
            config=Config(
                parameter_validation=False,
                inject_host_prefix=False,
                read_timeout=CALL_SECONDS,
                retries={"total_max_attempts": 1},
                s3={"addressing_style": "path"},
            ),
        )
    return _clients[endpoint_url, service]


def _call(client: Any, operation: str, parameters: dict[str, Any], calls: Calls) -> None:
    name = f"{client.meta.service_model.service_name}:{operation}"
    try:
        client._make_api_call(operation, parameters)
        status = 200
    except botocore.exceptions.ClientError as error:
        status = error.response["ResponseMetadata"].get("HTTPStatusCode", 0)
        if status >= 500:
            calls.faults[name] = f"{status}: {error}"
        elif error.response["Error"].get("Code") == "EmbeddedAwsFailure":
            calls.failures[name] = str(error)
    except (botocore.exceptions.HTTPClientError, botocore.parsers.ResponseParserError) as error:
        calls.faults[name] = f"{type(error).__name__}: {error}"
        status = 0
    except Exception as error:  # what botocore cannot send is no request
        calls.statuses[f"not sent ({type(error).__name__})"] += 1
        return
    calls.statuses[str(status or "no answer")] += 1
