"""The AWS clients of running executions."""

import email.utils
import io
import threading
import uuid
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from moto.core.exceptions import JsonRESTError, ServiceException

from local_aws.core.context import ACCOUNT_ID, Context
from local_aws.core.patching import set_value
from local_aws.core.request_chains import send_along
from local_aws.iam.access_decisions import AccessDenied, authorise
from local_aws.iam.policy_evaluation import Access
from local_aws.iam.roles import RoleCredentials, RoleSessions, is_enforced
from local_aws.lambda_.invoke import Answer, Request
from local_aws.stepfunctions.interpreter import modules_with

ANSWERED: ContextVar[Mapping[str, Any] | None] = ContextVar("answered", default=None)
"""What botocore says of the last response in this thread: its status, headers and request id."""
# As the services spell them; botocore gives them in lower case.
_HEADERS = {
    "content-length": "Content-Length",
    "content-type": "Content-Type",
    "date": "Date",
    "x-amz-executed-version": "X-Amz-Executed-Version",
    "x-amzn-requestid": "x-amzn-RequestId",
}


def sdk_metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an optimized integration adds to its output, as the Java SDK has it."""
    given = metadata.get("HTTPHeaders", {})
    headers = {name: str(given[key]) for key, name in _HEADERS.items() if key in given}
    return {
        "SdkHttpMetadata": {
            "AllHttpHeaders": {name: [text] for name, text in headers.items()},
            "HttpHeaders": headers,
            "HttpStatusCode": metadata.get("HTTPStatusCode"),
        },
        "SdkResponseMetadata": {"RequestId": metadata.get("RequestId", "")},
    }


class InProcessLambda:
    """The Lambda client of executions: it invokes without a request to the server itself.

    A task is by far the most frequent call. It would otherwise pass through a client, a
    connection and a thread more, all in this one process.
    """

    def __init__(
        self, client: Any, invoke: Callable[[Request], Answer], access_key_id: str = ""
    ) -> None:
        self._client, self._invoke, self._access_key_id = client, invoke, access_key_id

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def invoke(self, **parameters: Any) -> dict[str, Any]:
        """Return what Lambda's Invoke does; raises botocore's ClientError as the client would."""
        region = self._client.meta.region_name
        payload = parameters.get("Payload", b"")
        request = Request(
            name=parameters["FunctionName"],
            body=payload.encode() if isinstance(payload, str) else bytes(payload),
            region=region,
            qualifier=parameters.get("Qualifier"),
            kind=parameters.get("InvocationType", "RequestResponse"),
        )
        try:
            authorise(self._access_key_id, [_invocation_access(parameters, region)])
            answer = self._invoke(request)
        except AccessDenied as error:
            raise _error("AccessDeniedException", str(error), 403) from error
        except (JsonRESTError, ServiceException) as error:
            raise _client_error(error) from error
        ANSWERED.set(_invocation_metadata(answer))
        return _invocation_response(answer, tail=parameters.get("LogType") == "Tail")


def _invocation_response(answer: Answer, *, tail: bool) -> dict[str, Any]:
    response: dict[str, Any] = {
        "StatusCode": answer.status,
        "Payload": io.BytesIO(answer.payload),
        "ExecutedVersion": answer.version or "$LATEST",
    }
    if answer.failed:
        response["FunctionError"] = "Unhandled"
    if tail:
        response["LogResult"] = answer.tail()
    return response


def _invocation_metadata(answer: Answer) -> dict[str, Any]:
    request_id = answer.request_id or str(uuid.uuid4())
    headers = {
        "content-length": len(answer.payload),
        "content-type": "application/json",
        "date": email.utils.formatdate(usegmt=True),
        "x-amz-executed-version": answer.version or "$LATEST",
        "x-amzn-requestid": request_id,
    }
    return {"HTTPStatusCode": answer.status, "RequestId": request_id, "HTTPHeaders": headers}


def _invocation_access(parameters: dict[str, Any], region: str) -> Access:
    arn = str(parameters["FunctionName"])
    if not arn.startswith("arn:"):
        arn = f"arn:aws:lambda:{region}:{ACCOUNT_ID}:function:{arn}"
    if qualifier := parameters.get("Qualifier"):
        arn = f"{arn}:{qualifier}"
    values = {"aws:requestedregion": region, "aws:securetransport": "true"}
    return Access("lambda:InvokeFunction", arn, values)


def _client_error(error: Any) -> Exception:
    status = error.code if isinstance(error.code, int) else 400
    return _error(getattr(error, "error_type", None) or error.code, error.message, status)


def _error(code: str, message: str, status: int) -> Exception:
    response: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status, "RequestId": str(uuid.uuid4())},
    }
    return ClientError(response, "Invoke")


class ClientCache:
    """One client a region, service and role: making one takes longer than a whole task."""

    def __init__(
        self,
        endpoint_url: str,
        invoke: Callable[[Request], Answer],
        roles: RoleSessions | None = None,
    ) -> None:
        self._endpoint_url, self._invoke = endpoint_url, invoke
        self._roles = roles
        self._session_name = uuid.uuid4().hex
        self._session = boto3.Session()
        self._lock = threading.Lock()
        self._clients: dict[tuple[str, str, str], tuple[str, Any]] = {}

    def get(self, region: str, service: str, state_credentials: Any = None) -> Any:
        """Return the client that a task of a state machine uses; it is safe to share.

        It acts with the role of the state machine, or of the state's own `Credentials`.
        """
        role_arn = getattr(state_credentials, "role_arn", "")
        found = self._credentials(role_arn)
        key_id = found.access_key_id if found else ""
        with self._lock:
            made, client = self._clients.get((region, service, role_arn), ("", None))
            if client is None or made != key_id:
                client = self._make(region, service, found)
                self._clients[region, service, role_arn] = key_id, client
            return client

    def denial(self, role_arn: str, action: str, resource: str) -> str | None:
        """Return AWS's sentence when a role may not do something; None when it may."""
        found = self._credentials(role_arn)
        if found is None:
            return None
        try:
            authorise(found.access_key_id, [Access(action, resource)])
        except AccessDenied as error:
            return str(error)
        return None

    def _credentials(self, role_arn: str) -> RoleCredentials | None:
        if self._roles is None or not role_arn:
            return None
        return self._roles.credentials(role_arn, self._session_name)

    def _make(self, region: str, service: str, credentials: RoleCredentials | None) -> Any:
        make: Any = self._session.client
        client = make(
            service,
            region_name=region,
            endpoint_url=self._endpoint_url,
            aws_access_key_id=credentials.access_key_id if credentials else None,
            aws_secret_access_key=credentials.secret_access_key if credentials else None,
            aws_session_token=credentials.session_token if credentials else None,
            config=Config(
                parameter_validation=False,
                retries={"total_max_attempts": 1},
                read_timeout=900,  # the longest that a function may run
                max_pool_connections=100,
                inject_host_prefix=False,
            ),
        )
        send_along(client)
        client.meta.events.register("after-call", _remember)
        key_id = credentials.access_key_id if credentials else ""
        return InProcessLambda(client, self._invoke, key_id) if service == "lambda" else client


def _remember(parsed: Mapping[str, Any], **_: Any) -> None:
    ANSWERED.set(parsed.get("ResponseMetadata"))


_cache: list[ClientCache] = []


def use(context: Context) -> None:
    """Have executions use the clients of this server."""
    roles = RoleSessions("states.amazonaws.com")
    _cache[:] = [
        ClientCache(context.endpoint_url, context.invoke, roles if is_enforced() else None)
    ]


def client_for(region: str, service: str, state_credentials: Any = None) -> Any:
    """Return the client that a task uses; see `ClientCache.get`."""
    return _cache[0].get(region, service, state_credentials)


def denial(role_arn: str, action: str, resource: str) -> str | None:
    """Return AWS's sentence when a role may not do something; None when it may."""
    return _cache[0].denial(role_arn, action, resource)


for _symbol in modules_with("boto_client_for"):
    set_value(
        _symbol,
        client_for,
        why="makes a new client for each task, at localhost, which may be IPv6",
    )
