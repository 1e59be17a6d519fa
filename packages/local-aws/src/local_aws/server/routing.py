"""Routing of a request into moto: which service it is for, and what is not implemented."""

import functools
import gzip
import io
import zlib
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

import botocore.session
from moto import backends

from local_aws.core.context import Context
from local_aws.core.open_services import SETTING, is_open, opened
from local_aws.core.patching import patch, set_value
from local_aws.core.refusals import refuse, refuse_action, signed_service
from local_aws.errors import LocalAwsError
from local_aws.server import request_cache
from local_aws.server.lazy_imports import defer_services

# A DELETE of one of these would delete the bucket.
_MISSING_S3_SUBRESOURCES = frozenset(
    ("metrics", "analytics", "intelligent-tiering", "metadataTable", "metadataConfiguration")
)
# moto's own pages: they reset everything, record requests, or give out credentials.
_OWN_SERVICES = ("moto_api", "instance_metadata")
_OWN_PATHS = ("/moto-api", "/latest/")
_LISTS = "lists its own folder and tries 200 patterns under one lock, for each request"


def install(context: Context) -> None:
    """Check the setting of the open services, and prepare what every request goes through."""
    del context
    opened()
    defer_services()
    request_cache.install()


_names = tuple(backends.list_of_moto_modules())
set_value("moto.backends.list_of_moto_modules", lambda: _names, why=_LISTS)
_services_by_host: dict[str, Any] = {}


@patch("moto.moto_server.werkzeug_app.DomainDispatcherApplication.get_backend_for_host", why=_LISTS)
def get_backend_for_host(original: Any, application: Any, host: str | None) -> Any:
    """Return the service of a host; raises a refusal for one that is not open."""
    if host is None:
        return original(application, host)
    if host not in _services_by_host:
        _services_by_host[host] = original(application, host)
    service = _services_by_host[host]
    if service is not None and not is_open(service):
        raise _NotOpen(service)
    return service


class _NotOpen(Exception):
    """A request is for a service that is not open."""


@patch(
    "moto.moto_server.werkzeug_app.DomainDispatcherApplication.get_application",
    why="answers 500 for a service that it lacks, which clients try again for minutes, "
    "and resets everything for whoever asks /moto-api/reset",
)
def get_application(original: Any, application: Any, environ: dict[str, Any]) -> Any:
    """Return the application of the request's service, or one that refuses the request."""
    if environ.get("PATH_INFO", "").startswith(_OWN_PATHS):
        return _not_found
    try:
        return original(application, environ)
    except _NotOpen as error:
        return _not_found if error.args[0] in _OWN_SERVICES else _no_such_service
    except AttributeError:  # what moto makes of a service that none of its patterns knows
        return _no_such_service
    except (ImportError, KeyError, ValueError):  # a service that needs what is not installed
        return _no_such_service


def _not_found(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    sentence = f"The embedded AWS has no {environ.get('PATH_INFO')}."
    return refuse(environ, start_response, "NotFound", sentence, HTTPStatus.NOT_FOUND)


def _no_such_service(
    environ: dict[str, Any], start_response: Callable[..., Any]
) -> Iterable[bytes]:
    service = signed_service(environ) or "this service"
    sentence = (
        f"The embedded AWS does not implement {service}; "
        f"moto's, unreviewed and not saved, opens with {SETTING}={signed_service(environ)}."
    )
    return refuse(environ, start_response, "NotImplemented", sentence)


MAX_UNPACKED_BYTES = 64 << 20
"""Of a body that a client compressed, which is one of PutMetricData: 1 MB at most on AWS."""


class BodyRefused(LocalAwsError):
    """A compressed body that is damaged, or too large."""


@patch(
    "moto.core.responses.BaseResponse.decompress_request_body",
    why="unpacks a body of any service without a bound",
)
def unpack_body(original: Any, response: Any, request: Any) -> None:
    """Have a request's compressed body read as what it unpacks to; raises BodyRefused."""
    del original
    if request.content_encoding != "gzip" or not response.allow_request_decompression:
        return
    try:
        with gzip.GzipFile(fileobj=request.stream) as stream:
            body = stream.read(MAX_UNPACKED_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise BodyRefused(f"The request's body cannot be unpacked: {error}.") from error
    if len(body) > MAX_UNPACKED_BYTES:
        raise BodyRefused(f"The request's body unpacks to over {MAX_UNPACKED_BYTES:,} bytes.")
    request.stream = io.BytesIO(body)
    request.get_data(parse_form_data=True)


# No parameter of an operation is within so many others.
_MAX_LEVELS = 32


@patch(
    "moto.core.parse.QueryParser._gonna_recurse",
    why="looks through all parameters of a form for each of them: minutes for some thousands",
)
def is_absent(original: Any, parser: Any, parameters: Iterable[str], prefix: str) -> bool:
    """Return whether a form has no parameter of that name, nor one within it."""
    del original
    if not prefix:
        return False
    known: set[str] | None = parser.__dict__.get("local_aws_names")
    if known is None:
        known = parser.local_aws_names = set()
        for name in parameters:
            parts = name.split(".", _MAX_LEVELS)
            known.update(".".join(parts[:count]) for count in range(1, len(parts) + 1))
    return prefix not in known


def refuse_missing_action(original: Any, response: Any) -> Any:
    """Answer 400 for an action that is not implemented, in the protocol of the service."""
    try:
        return original(response)
    except NotImplementedError as error:
        name = f"{response.boto3_service_name}:{response._get_action() or 'this request'}"
        sentence = f"The embedded AWS does not implement {name} ({error})."
        return refuse_action(response, "NotImplemented", sentence)


def refuse_unknown_region(original: Any, response: Any) -> Any:
    """Answer 403, as AWS does, for a signature of a region that does not exist."""
    if response.region in _regions():
        return original(response)
    sentence = f"Credential should be scoped to a valid region, not '{response.region}'. "
    is_query = response.boto3_service_name in _QUERY_SERVICES
    code = "SignatureDoesNotMatch" if is_query else "InvalidSignatureException"
    return refuse_action(response, code, sentence, HTTPStatus.FORBIDDEN)


_QUERY_SERVICES = ("cloudwatch", "iam", "sns", "sts")


@functools.cache
def _regions() -> frozenset[str]:
    """Return the names of all regions of all partitions."""
    session = botocore.session.get_session()
    return frozenset(
        region
        for partition in session.get_available_partitions()
        for region in session.get_available_regions("sqs", partition)
    )


@patch(
    "moto.s3.responses.S3Response._bucket_response",
    why="takes a subresource that it lacks for the bucket",
)
def bucket_response(original: Any, response: Any, *args: Any, **more: Any) -> Any:
    """Refuse a subresource that is not implemented."""
    missing = _MISSING_S3_SUBRESOURCES.intersection(response.querystring)
    if missing:
        raise NotImplementedError(f"the bucket's {min(missing)}")
    return original(response, *args, **more)


@patch(
    "moto.s3.responses.S3Response._set_action",
    why="fails with a KeyError for a method that S3 does not have, as POST to an object",
)
def set_action(original: Any, response: Any, kind: str, method: str, query: Any) -> Any:
    """Refuse a request that is none of S3's: another service's without a signature, say."""
    try:
        return original(response, kind, method, query)
    except KeyError as error:
        sentence = f"S3 has no {method} of this kind; other services need a signature"
        raise NotImplementedError(sentence) from error
