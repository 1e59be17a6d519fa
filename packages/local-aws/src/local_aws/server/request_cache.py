"""What moto works out anew for each request, though it is always the same: worked out once.

Of a short request such as DescribeExecution these took half of the processor's time.
"""

import functools
import sys
import uuid
from typing import Any

from local_aws.core.patching import replace, wrap

_MISSING = object()


def install() -> None:
    """Mend what every request of every service goes through."""
    _find_backends()
    _know_methods()
    _number_requests()
    _pick_plain_values()


def _find_backends() -> None:
    from moto.core.base_backend import AccountSpecificBackend, BackendDict

    fault = "takes a lock and compares a list of all services, each time that a backend is used"

    @wrap(BackendDict, "__getitem__", fault=fault)
    def account(original: Any, services: Any, account_id: str) -> Any:
        found = dict.get(services, account_id)
        return original(services, account_id) if found is None else found

    @wrap(AccountSpecificBackend, "__getitem__", fault=fault)
    def region(original: Any, backends: Any, region_name: str) -> Any:
        found = dict.get(backends, region_name)
        return original(backends, region_name) if found is None else found


def _know_methods() -> None:
    from moto.core import responses

    fault = "looks through all attributes of a class for its methods, at each request"
    for name in ("method_names_from_class", "camelcase_to_underscores"):
        once = functools.lru_cache(maxsize=4096)(vars(responses)[name])
        replace(responses, name, once, fault=fault)


def _number_requests() -> None:
    from moto.core.responses import BaseResponse
    from moto.utilities import aws_headers

    fault = "draws the 52 letters of a request's id one by one"
    original = aws_headers.gen_amzn_requestid_long

    def request_id(headers: dict[str, Any] | None = None) -> str:
        made = str(uuid.uuid4())
        if isinstance(headers, dict):
            headers["x-amzn-requestid"] = made
        return made

    for name, module in sorted(sys.modules.items()):
        if name.startswith("moto.") and vars(module).get(original.__name__) is original:
            replace(module, original.__name__, request_id, fault=fault)

    @wrap(BaseResponse, "_enrich_response", fault="searches each answer for the place of an id")
    def enrich(whole: Any, headers: dict[str, Any], body: Any) -> tuple[dict[str, Any], Any]:
        if isinstance(body, str) and "<RequestId>" in body:
            found: tuple[dict[str, Any], Any] = whole(headers, body)
            return found
        if "status" in headers:
            headers["status"] = str(headers["status"])
        request_id(headers)
        return headers, body


def _pick_plain_values() -> None:
    from moto.core.serialize import AttributePickerContext, XFormedAttributePicker

    fault = "makes six objects to find out by which names a value may be there, for each value"

    @wrap(XFormedAttributePicker, "__call__", fault=fault)
    def pick(original: Any, picker: Any, context: AttributePickerContext) -> Any:
        if type(context.obj) is not dict or picker.response_transformers or context.shape is None:
            return original(picker, context)
        for name in _names(picker, context):
            value = context.obj.get(name, _MISSING)
            if value is not _MISSING:
                return value
        return None


def _names(picker: Any, context: Any) -> tuple[str, ...]:
    """Return the names in a dictionary; they hang on the shape and the name asked for alone."""
    known: dict[str, tuple[str, ...]] = context.shape.__dict__.setdefault("picked_names", {})
    names = known.get(context.key)
    if names is None:
        names = known[context.key] = tuple(picker.get_possible_keys(context))
    return names
