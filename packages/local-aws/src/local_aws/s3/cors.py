"""Preflight requests: which other pages a bucket's CORS rules let in.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/ManageCorsUsing.html
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from moto.s3.exceptions import AccessForbidden, BadRequest

from local_aws.core.expressions import wildcard
from local_aws.core.patching import patch

_METHOD, _HEADERS = "Access-Control-Request-Method", "Access-Control-Request-Headers"


@patch(
    "moto.s3.responses.S3Response._response_options",
    why="lets every page in where a bucket has no rule, and fails at a request without an origin",
)
def preflight(original: Any, response: Any, headers: Mapping[str, str], bucket_name: str) -> Any:
    """Answer by the first rule that lets the page in; raises AccessForbidden where none does.

    No signature is asked for: browsers send none.
    """
    del original
    origin, method = headers.get("Origin"), headers.get(_METHOD)
    if not origin:
        raise BadRequest("Insufficient information. Origin request header needed.")
    if not method:
        raise BadRequest(f"Invalid {_METHOD}: null")
    bucket = response.backend.buckets.get(bucket_name)
    if bucket is None or not bucket.cors:
        raise _Forbidden("CORSResponse: CORS is not enabled for this bucket.")
    wanted = [one.strip() for one in (headers.get(_HEADERS) or "").split(",") if one.strip()]
    rule = next((one for one in bucket.cors if _lets_in(one, origin, method, wanted)), None)
    if rule is None:
        raise _Forbidden(
            "CORSResponse: This CORS request is not allowed. This is usually because the evalution "
            f"of Origin, request method / {_METHOD} or {_HEADERS} are not whitelisted by the "
            "resource's CORS spec."
        )
    answer = {
        "Access-Control-Allow-Origin": "*" if "*" in rule.allowed_origins else origin,
        "Access-Control-Allow-Methods": ", ".join(rule.allowed_methods),
        "Access-Control-Allow-Headers": ", ".join(wanted),
        "Access-Control-Expose-Headers": ", ".join(rule.exposed_headers or ()),
        "Access-Control-Max-Age": str(rule.max_age_seconds or ""),
        "Vary": f"Origin, {_HEADERS}, {_METHOD}",
    }
    return 200, {name: value for name, value in answer.items() if value}, ""


class _Forbidden(AccessForbidden):
    refusal_status = 403


def _lets_in(rule: Any, origin: str, method: str, wanted: Sequence[str]) -> bool:
    headers = [one.lower() for one in rule.allowed_headers or ()]
    return (
        _is_one_of(origin, rule.allowed_origins)
        and method in rule.allowed_methods
        and all(_is_one_of(one.lower(), headers) for one in wanted)
    )


def _is_one_of(text: str, patterns: Sequence[str]) -> bool:
    """Return whether a text is one of these, of which each may have one asterisk."""
    return any(
        wildcard([*map(re.escape, pattern.split("*"))]).fullmatch(text) for pattern in patterns
    )
