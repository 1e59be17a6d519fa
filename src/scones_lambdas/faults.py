"""Faults of S3 and of the endpoint, translated from botocore into errors of one image.

Translated here once. A code that is not listed (a wrong credential, say) is no fault of the
image: it goes up as botocore raised it, and the result shows botocore's own message.
"""

from urllib.parse import unquote_plus

from botocore.exceptions import (
    ClientError,
    ConnectionError,
    HTTPClientError,
    IncompleteReadError,
    ParamValidationError,
)

from scones_core.errors import (
    EndpointNotFound,
    EndpointThrottled,
    EndpointUnavailable,
    ImageNotFound,
    InvalidRequest,
    UnsupportedImage,
    WorkflowError,
)
from scones_core.events import ImageRef
from scones_core.uris import S3Uri

NETWORK_FAULTS = (ConnectionError, HTTPClientError, IncompleteReadError)
"""No connection, no answer in time, or an answer that broke off."""

SERVICE_FAULTS = (ClientError, ParamValidationError, *NETWORK_FAULTS)

_THROTTLED = frozenset(
    {"SlowDown", "Throttling", "ThrottlingException", "TooManyRequestsException"}
    | {"ProvisionedThroughputExceededException", "RequestLimitExceeded", "RequestThrottled"}
)
_NOT_READY = frozenset(
    {"ServiceUnavailable", "InternalFailure", "ModelNotReadyException"}
    | {"InternalDependencyException"}
)
_REFUSED_IMAGE = frozenset({400, 413, 415, 422})

_IMPOSSIBLE = (InvalidRequest, "{uri} cannot be an S3 object; give its bucket and key.")
_ABSENT = (ImageNotFound, "There is no object {uri}.{hint}")
_FORBIDDEN = (
    ImageNotFound,
    "{uri} is absent or not readable for the workflow (S3 answers both alike); "
    "check the key, and put images into the workflow's data bucket.",
)
_REPLACED = (ImageNotFound, "{uri} was replaced since it was checked; classify it again.")
_EMPTY = (UnsupportedImage, "{uri} is empty; upload the image again.")
_FOLDER = (UnsupportedImage, "{uri} is a folder, not an image; give the images in it.")
_OBJECT_FAULTS: dict[str, tuple[type[WorkflowError], str]] = {
    "NoSuchKey": _ABSENT,
    "404": _ABSENT,
    "NoSuchBucket": (ImageNotFound, "There is no bucket {bucket}; check the image's bucket."),
    "AccessDenied": _FORBIDDEN,
    "403": _FORBIDDEN,
    "InvalidObjectState": (ImageNotFound, "{uri} is archived; restore it in S3 first."),
    "PreconditionFailed": _REPLACED,
    "412": _REPLACED,
    "InvalidRange": _EMPTY,
    "416": _EMPTY,
    "InvalidBucketName": _IMPOSSIBLE,
    "KeyTooLongError": _IMPOSSIBLE,
}


def storage_fault(error: Exception, image: ImageRef) -> Exception:
    """Return the WorkflowError that an S3 fault means, or the fault itself if none fits."""
    uri = S3Uri(image["bucket"], image["key"])
    if isinstance(error, NETWORK_FAULTS):
        return EndpointUnavailable(f"S3 did not hand over {uri}: {error}")
    if isinstance(error, ParamValidationError):
        return InvalidRequest(_IMPOSSIBLE[1].format(uri=uri))
    if not isinstance(error, ClientError):
        return error
    return _general_fault(error, f"S3, asked for {uri},") or _object_fault(error, uri) or error


def endpoint_fault(error: Exception, endpoint: str, image: ImageRef) -> Exception:
    """Return the WorkflowError that an endpoint's fault means, or the fault if none fits."""
    if isinstance(error, NETWORK_FAULTS):
        return EndpointUnavailable(f"Endpoint {endpoint} did not answer: {error}")
    if not isinstance(error, ClientError):
        return error
    if _code(error) == "ModelError":
        return _model_fault(error, endpoint, S3Uri(image["bucket"], image["key"]))
    if _code(error) == "ValidationError":
        return _refusal(error, endpoint)
    return _general_fault(error, f"Endpoint {endpoint}") or error


def may_pass(error: Exception) -> bool:
    """Return whether a service was too busy for a request, or did not answer it in time."""
    return isinstance(error, NETWORK_FAULTS) or (
        isinstance(error, ClientError) and _code(error) in _THROTTLED
    )


def _object_fault(error: ClientError, uri: S3Uri) -> WorkflowError | None:
    kind, sentence = _OBJECT_FAULTS.get(_code(error), (None, ""))
    if sentence == _EMPTY[1] and uri.key.endswith("/"):
        kind, sentence = _FOLDER
    hint = _encoding_hint(uri.key)
    return kind(sentence.format(uri=uri, bucket=uri.bucket, hint=hint)) if kind else None


def _model_fault(error: ClientError, endpoint: str, uri: S3Uri) -> WorkflowError:
    """Translate what the container answered: its 4xx blames the image, its 5xx itself."""
    status = error.response.get("OriginalStatusCode")
    message = str(error.response.get("OriginalMessage") or _message(error))[:300]
    if status in _REFUSED_IMAGE:
        return UnsupportedImage(f"Endpoint {endpoint} refused {uri} ({status}): {message}")
    if status == 429:
        return EndpointThrottled(f"Endpoint {endpoint} asked to slow down: {message}")
    return EndpointUnavailable(f"The model of endpoint {endpoint} failed ({status}): {message}")


def _refusal(error: ClientError, endpoint: str) -> WorkflowError:
    if "not found" in _message(error).lower():
        return EndpointNotFound(
            f"There is no endpoint {endpoint}: inv apply makes it once a model is released, and "
            "again after inv pause."
        )
    return InvalidRequest(f"Endpoint {endpoint} refused the request: {_message(error)[:300]}")


def _general_fault(error: ClientError, service: str) -> WorkflowError | None:
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    sentence = f"{service} answered {_code(error)}: {_message(error)[:300]}"
    if _code(error) in _NOT_READY:
        return EndpointUnavailable(sentence)
    if _code(error) in _THROTTLED or status == 429:
        return EndpointThrottled(sentence)
    return EndpointUnavailable(sentence) if status >= 500 else None


def _encoding_hint(key: str) -> str:
    decoded = unquote_plus(key)
    if decoded == key:
        return " Check the bucket and the key."
    return f" If the key comes from an S3 notification, decode it: {decoded!r}."


def _code(error: ClientError) -> str:
    return error.response.get("Error", {}).get("Code", "")


def _message(error: ClientError) -> str:
    return error.response.get("Error", {}).get("Message", "")
