"""The runtime API's answers, errors in AWS's words.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import urllib3

from local_aws.sagemaker.endpoints.container_http import Reply

CUSTOM_ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
MAX_MESSAGE_CHARACTERS = 2048


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer of the runtime API."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def success(reply: Reply, variant: str) -> Answer:
    """Return a container's answer as the endpoint's."""
    headers = {
        "Content-Type": reply.headers.get("Content-Type", "application/octet-stream"),
        "x-Amzn-Invoked-Production-Variant": variant,
    }
    if CUSTOM_ATTRIBUTES in reply.headers:
        headers[CUSTOM_ATTRIBUTES] = reply.headers[CUSTOM_ATTRIBUTES]
    return Answer(200, headers, reply.body)


def error(status: int, code: str, message: str, **fields: object) -> Answer:
    """Return an error of the runtime API; `fields` are those of the error's own shape."""
    body = json.dumps({"Message": message, "message": message, **fields}).encode()
    return Answer(status, {"Content-Type": "application/json", "x-amzn-errortype": code}, body)


def validation_error(message: str) -> Answer:
    """Return the error of a request that cannot be answered as it is."""
    return error(400, "ValidationError", message)


def model_error(region: str, account: str, endpoint: str, status: int, message: str) -> Answer:
    """Return the error of a container that refused, or 0 as its status for one that was mute."""
    group = f"/aws/sagemaker/Endpoints/{endpoint}"
    text = (
        f"{received(status, message)}. See "
        f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}"
        f"#logEventViewer:group={group} in account {account} for more information."
    )
    return error(
        424,
        "ModelError",
        text,
        OriginalStatusCode=status,
        OriginalMessage=message,
        LogStreamArn=f"arn:aws:logs:{region}:{account}:log-group:{group}",
    )


def received(status: int, message: str) -> str:
    """Return AWS's words for a container's refusal."""
    kind = "client" if 400 <= status < 500 else "server"
    return f'Received {kind} error ({status}) from primary with message "{message}"'


def refusal(reply: Reply) -> str:
    """Return what a container's refusal says, at most 2048 bytes of it."""
    return reply.body[:MAX_MESSAGE_CHARACTERS].decode("utf-8", errors="replace")


def no_answer(failure: urllib3.exceptions.HTTPError, seconds: float) -> str:
    """Return the words for a container that did not answer in time, or at all."""
    if isinstance(failure, urllib3.exceptions.TimeoutError):
        return (
            "Your invocation timed out while waiting for a response from container primary "
            f"({seconds:.0f} s)."
        )
    return f"The container closed the connection without an answer: {failure}"
