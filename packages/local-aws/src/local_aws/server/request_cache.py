"""Cache what moto recomputes on every request, and keep nothing of what is gone.

Of a short request such as DescribeExecution these took half of the processor's time.
"""

import functools
import sys
import uuid
from typing import Any

from moto.core import responses
from moto.core.common_models import BaseModel
from moto.core.serialize import AttributePickerContext
from moto.utilities import aws_headers

from local_aws.core.patching import patch, replace, set_value

_MISSING = object()
_LOCKS = "takes a lock and compares a list of all services, each time that a backend is used"
_LETTERS = "draws the 52 letters of a request's id one by one"


@patch("moto.core.base_backend.BackendDict.__getitem__", why=_LOCKS)
def account_backends(original: Any, services: Any, account_id: str) -> Any:
    """Return the backends of an account, made on the first call."""
    found = dict.get(services, account_id)
    return original(services, account_id) if found is None else found


@patch("moto.core.base_backend.AccountSpecificBackend.__getitem__", why=_LOCKS)
def region_backend(original: Any, backends: Any, region_name: str) -> Any:
    """Return the backend of a region, made on the first call."""
    found = dict.get(backends, region_name)
    return original(backends, region_name) if found is None else found


@patch(
    "moto.core.common_models.BaseModel.__new__",
    why="keeps every message, object, item and execution there ever was, for a page of its own",
)
def make_record(original: Any, kind: Any, *args: Any, **more: Any) -> Any:
    """Return a new record, which goes when nothing has it any more."""
    del original, args, more
    return super(BaseModel, kind).__new__(kind)


for _name in ("method_names_from_class", "camelcase_to_underscores"):
    set_value(
        f"moto.core.responses.{_name}",
        functools.lru_cache(maxsize=4096)(vars(responses)[_name]),
        why="looks through all attributes of a class for its methods, at each request",
    )


def install() -> None:
    """Have every module that imported moto's maker of request ids use the fast one."""
    original = aws_headers.gen_amzn_requestid_long
    for name, module in sorted(sys.modules.items()):
        if name.startswith("moto.") and vars(module).get(original.__name__) is original:
            replace(module, original.__name__, request_id, fault=_LETTERS)


def request_id(headers: dict[str, Any] | None = None) -> str:
    """Return a new id of a request, and put it into the headers of its answer."""
    made = str(uuid.uuid4())
    if isinstance(headers, dict):
        headers["x-amzn-requestid"] = made
    return made


@patch(
    "moto.core.responses.BaseResponse._enrich_response",
    why="searches each answer for the place of an id",
)
def enrich(whole: Any, headers: dict[str, Any], body: Any) -> tuple[dict[str, Any], Any]:
    """Put the request's id into an answer that has a place for it."""
    if isinstance(body, str) and "<RequestId>" in body:
        found: tuple[dict[str, Any], Any] = whole(headers, body)
        return found
    if "status" in headers:
        headers["status"] = str(headers["status"])
    request_id(headers)
    return headers, body


@patch(
    "moto.core.serialize.XFormedAttributePicker.__call__",
    why="makes six objects to find out by which names a value may be there, for each value",
)
def pick(original: Any, picker: Any, context: AttributePickerContext) -> Any:
    """Return a member's value of a plain dictionary."""
    if type(context.obj) is not dict or picker.response_transformers or context.shape is None:
        return original(picker, context)
    for name in _names(picker, context):
        value = context.obj.get(name, _MISSING)
        if value is not _MISSING:
            return value
    return None


def _names(picker: Any, context: Any) -> tuple[str, ...]:
    """Return the names in a dictionary, which depend on the shape and the name asked for only."""
    known: dict[str, tuple[str, ...]] = context.shape.__dict__.setdefault("picked_names", {})
    names = known.get(context.key)
    if names is None:
        names = known[context.key] = tuple(picker.get_possible_keys(context))
    return names
