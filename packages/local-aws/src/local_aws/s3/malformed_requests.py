"""Requests that S3 cannot read: numbers of the query, dates of headers, documents of another kind.

https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
"""

import contextlib
import logging
import re
from email.utils import parsedate_to_datetime
from typing import Any

from moto.s3.exceptions import InvalidArgumentError, MalformedXML, MissingKey, S3ClientError
from werkzeug.datastructures import Headers

from local_aws.core.patching import patch
from local_aws.s3.parts import MAX_PART_NUMBER

LOG = logging.getLogger(__name__)
MAX_NUMBER = 2**31 - 1
MAX_BUCKETS = 10_000
_BACKEND = "moto.s3.models.S3Backend"
_RESPONSE = "moto.s3.responses.S3Response"
_COUNTS = ("max-keys", "max-parts", "max-uploads", "part-number-marker")
_PART, _BUCKETS = "partNumber", "max-buckets"
_NUMBER = re.compile(r"[+-]?[0-9]{1,10}")
# Characters of ISO-8859-1 that are no control characters.
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\xa0-\xff]*")
_DATES = ("If-Modified-Since", "If-Unmodified-Since")
_WHY = "fails within at a number, a date or a document that it cannot read"


@patch(f"{_RESPONSE}._bucket_response", why=_WHY)
@patch(f"{_RESPONSE}._key_response", why=_WHY)
def respond(original: Any, response: Any, request: Any, full_url: str) -> Any:
    """Answer a request; raises InvalidArgument and MalformedXML for what cannot be read."""
    for name in _COUNTS:
        for value in response.querystring.get(name, ()):
            _require_count(name, value)
    for value in response.querystring.get(_BUCKETS, ()):
        if not _NUMBER.fullmatch(value) or not 1 <= int(value) <= MAX_BUCKETS:
            message = f"Argument {_BUCKETS} must be an integer between 1 and {MAX_BUCKETS}"
            raise InvalidArgumentError(message, _BUCKETS, value)
    for value in response.querystring.get(_PART, ()):
        require_part_number(value)
    response.headers = _readable(response.headers)
    try:
        return original(response, request, full_url)
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        if "<" not in _start(response.body):
            raise
        LOG.warning("%s %s is refused", request.method, full_url, exc_info=error)
        raise MalformedXML from error


def _require_count(name: str, value: str) -> None:
    if not _NUMBER.fullmatch(value) or int(value) > MAX_NUMBER:
        message = f"Provided {name} not an integer or within integer range"
        raise InvalidArgumentError(message, name, value)
    if int(value) < 0:
        words = name.split("-")
        argument = words[0] + "".join(word.title() for word in words[1:])
        message = f"Argument {argument} must be an integer between 0 and {MAX_NUMBER}"
        raise InvalidArgumentError(message, name, value)


def require_part_number(value: str) -> None:
    """Raise InvalidArgument for what is not the number of a part."""
    if not _NUMBER.fullmatch(value) or not 1 <= int(value) <= MAX_PART_NUMBER:
        message = f"Part number must be an integer between 1 and {MAX_PART_NUMBER}, inclusive"
        raise InvalidArgumentError(message, _PART, value)


def _readable(headers: Any) -> Any:
    """Return headers without dates that are none: those are as if they were not there.

    https://www.rfc-editor.org/rfc/rfc9110.html#section-13.1.3
    """
    wrong = [name for name in _DATES if name in headers and not _is_date(headers[name])]
    if not wrong:
        return headers
    return Headers([(name, value) for name, value in headers.items() if name not in wrong])


def _is_date(text: str) -> bool:
    with contextlib.suppress(ValueError):
        return parsedate_to_datetime(text) is not None
    return False


def _start(body: Any) -> str:
    text = body.decode(errors="replace") if isinstance(body, bytes) else str(body or "")
    return text[:64].lstrip()[:1]


@patch(f"{_RESPONSE}._bucket_response_post", why="fails at a form without a key")
def post_object(original: Any, response: Any, request: Any, bucket_name: str) -> Any:
    """Answer a form's upload, or DeleteObjects."""
    is_delete = "delete" in response.querystring
    if not is_delete and not response.querystring.get("key"):
        raise InvalidArgumentError(
            "Bucket POST must contain a field named 'key'.  If it is specified, please check the "
            "order of the fields.",
            "key",
            "",
        )
    return original(response, request, bucket_name)


@patch(f"{_BACKEND}.delete_object_tagging", why="fails at a key that is not there")
@patch(f"{_BACKEND}.put_object_legal_hold", why="fails at a key that is not there")
@patch(f"{_BACKEND}.put_object_retention", why="fails at a key that is not there")
def change_object(
    original: Any, backend: Any, bucket_name: str, key_name: str, *args: Any, **more: Any
) -> Any:
    """Change what belongs to an object; raises NoSuchKey where there is none."""
    version = more.get("version_id") or next(iter(args), None)
    if backend.get_object(bucket_name, key_name, version_id=version) is None:
        raise MissingKey(key=key_name)
    return original(backend, bucket_name, key_name, *args, **more)


@patch(f"{_RESPONSE}._get_key", why="puts any text of the query into the answer's head")
def get_key(original: Any, response: Any, *args: Any, **more: Any) -> Any:
    """Return the object of a request; raises InvalidArgument for what no header can hold."""
    for name, values in response.querystring.items():
        if name.startswith("response-") and not all(map(_HEADER_VALUE.fullmatch, values)):
            message = "Header value cannot be represented using ISO-8859-1."
            raise S3ClientError("InvalidArgument", message)
    return original(response, *args, **more)
