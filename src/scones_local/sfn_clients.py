"""The AWS clients of running executions."""

import io
import sys
import threading
import uuid
from typing import Any

from scones_local.context import ACCOUNT_ID, Context
from scones_local.registry import replace


class InProcessLambda:
    """The Lambda client of executions: it invokes without a request to the server itself.

    A task is by far the most frequent call. It would otherwise pass through a client, a
    connection and a thread more, all in this one process.
    """

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def invoke(self, **parameters: Any) -> dict[str, Any]:
        """Return what Lambda's Invoke does; raises botocore's ClientError as the client would."""
        from moto.awslambda.utils import get_backend
        from moto.core.exceptions import JsonRESTError, ServiceException

        headers = {
            "X-Amz-Invocation-Type": parameters.get("InvocationType", "RequestResponse"),
            "X-Amz-Log-Type": parameters.get("LogType", "None"),
        }
        answer: dict[str, str] = {}
        backend = get_backend(ACCOUNT_ID, self._client.meta.region_name)
        try:
            function = backend.get_function(parameters["FunctionName"], parameters.get("Qualifier"))
            payload: Any = function.invoke(parameters.get("Payload", b""), headers, answer)
        except (JsonRESTError, ServiceException) as error:
            raise _client_error(error) from error
        return _invocation_response(payload, answer, headers)


def _invocation_response(
    payload: bytes, answer: dict[str, str], headers: dict[str, str]
) -> dict[str, Any]:
    response: dict[str, Any] = {
        "StatusCode": 202 if headers["X-Amz-Invocation-Type"] == "Event" else 200,
        "Payload": io.BytesIO(payload),
        "ExecutedVersion": answer.get("X-Amz-Executed-Version", "$LATEST"),
    }
    if "x-amz-function-error" in answer:
        response["FunctionError"] = answer["x-amz-function-error"]
    if headers["X-Amz-Log-Type"] == "Tail":
        response["LogResult"] = answer.get("x-amz-log-result", "")
    return response


def _client_error(error: Any) -> Exception:
    from botocore.exceptions import ClientError

    code = getattr(error, "error_type", None) or error.code
    status = error.code if isinstance(error.code, int) else 400
    response: Any = {
        "Error": {"Code": code, "Message": error.message},
        "ResponseMetadata": {"HTTPStatusCode": status, "RequestId": str(uuid.uuid4())},
    }
    return ClientError(response, "Invoke")


class ClientCache:
    """One client a region and service: making one takes longer than a whole task."""

    def __init__(self, endpoint_url: str) -> None:
        import boto3

        self._endpoint_url = endpoint_url
        self._session = boto3.Session()
        self._lock = threading.Lock()
        self._clients: dict[tuple[str, str], Any] = {}

    def get(self, region: str, service: str, state_credentials: Any = None) -> Any:
        """Return the client that a task of a state machine uses; it is safe to share."""
        del state_credentials  # every caller may do everything: policies are not enforced
        with self._lock:
            client = self._clients.get((region, service))
            if client is None:
                client = self._clients[region, service] = self._make(region, service)
            return client

    def _make(self, region: str, service: str) -> Any:
        from botocore.config import Config

        make: Any = self._session.client
        client = make(
            service,
            region_name=region,
            endpoint_url=self._endpoint_url,
            config=Config(
                parameter_validation=False,
                retries={"total_max_attempts": 1},
                read_timeout=900,  # the longest that a function may run
                max_pool_connections=100,
                inject_host_prefix=False,
            ),
        )
        return InProcessLambda(client) if service == "lambda" else client


def install(context: Context) -> None:
    """Have every task module of moto use the cache."""
    cache = ClientCache(context.endpoint_url)
    fault = "makes a new client for each task, at localhost, which may be IPv6"
    for name, module in sorted(sys.modules.items()):
        if name.startswith("moto.stepfunctions.parser.") and hasattr(module, "boto_client_for"):
            replace(module, "boto_client_for", cache.get, fault=fault)
