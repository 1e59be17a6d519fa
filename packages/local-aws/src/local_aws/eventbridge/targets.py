"""Targets of rules and schedules: how each kind is handed an event.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-targets.html
"""

import json
import time
import uuid
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from types import SimpleNamespace
from typing import Any

from local_aws.core.context import ACCOUNT_ID
from local_aws.eventbridge.delivery import DeliveryFailed, Sender, invoke_function, send_to_queue
from local_aws.eventbridge.delivery import publish_to_topic as publish
from local_aws.iam.access_decisions import AccessDenied, authorise
from local_aws.iam.policy_evaluation import Access, Principal, Verdict, verdict
from local_aws.iam.required_access import common_values
from local_aws.iam.roles import RoleNotAssumable, is_enforced, require_trust
from local_aws.stepfunctions.clients import ClientCache

Target = Mapping[str, Any]
FORWARDED: ContextVar[bool] = ContextVar("forwarded", default=False)
"""Whether the event that is being sent came from another bus: those go to no third one.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-bus-to-bus.html
"""
_THROTTLES = ("ThrottlingException", "TooManyRequestsException", "ServiceUnavailable")


class RoleClients:
    """AWS clients that act with a target's role, each made once."""

    def __init__(self, cache: ClientCache, service: str) -> None:
        self._cache, self._service = cache, service

    def get(self, service: str, region: str, role_arn: str, source_arn: str) -> Any:
        """Return a client; raises DeliveryFailed when the role cannot be taken."""
        try:
            if is_enforced():
                require_trust(self._service, role_arn, source_arn)
            return self._cache.get(region, service, SimpleNamespace(role_arn=role_arn))
        except RoleNotAssumable as error:
            raise DeliveryFailed("FAILED_TO_ASSUME_ROLE", str(error)) from error


def queue_url(client: Any, arn: str) -> str:
    """Return the URL of a queue; to ask for it would take a permission of its own."""
    account, name = arn.split(":")[4:6]
    return f"{client.meta.endpoint_url}/{account}/{name}"


def call(client: Any, operation: str, **parameters: Any) -> Any:
    """Return the answer of an AWS call; raises DeliveryFailed with its error's code."""
    from botocore.exceptions import ClientError

    try:
        return getattr(client, operation)(**parameters)
    except ClientError as error:
        code = error.response["Error"].get("Code", "")
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        lasting = status < 500 and code not in _THROTTLES
        raise DeliveryFailed(_code(code), str(error), lasting=lasting) from error


def _code(code: str) -> str:
    if code.startswith(("AccessDenied", "AuthorizationError")):
        return "NO_PERMISSIONS"
    if "NotFound" in code or "DoesNotExist" in code or "NonExistent" in code:
        return "NO_RESOURCE"
    return "THROTTLING" if code in _THROTTLES else "SDK_CLIENT_ERROR"


class Delivery:
    """Hands texts to targets in the name of a service and of one of its resources."""

    def __init__(self, clients: RoleClients, sender: Sender) -> None:
        self._clients, self._sender = clients, sender

    def deliver(self, target: Target, text: str) -> None:
        """Hand a text to a target. Raises DeliveryFailed."""
        service = target["Arn"].split(":")[2]
        kind = _KINDS.get(service)
        if kind is None:
            raise DeliveryFailed(
                "INVALID_PARAMETER",
                f"The embedded AWS does not implement targets of the service {service}.",
            )
        kind(self, target, text)

    def _role_client(self, service: str, target: Target) -> Any:
        region = target["Arn"].split(":")[3]
        return self._clients.get(service, region, target["RoleArn"], self._sender.source_arn)

    def _states(self, target: Target, text: str) -> None:
        if not target.get("RoleArn"):
            raise DeliveryFailed("NO_PERMISSIONS", "A state machine as a target needs a role.")
        client = self._role_client("stepfunctions", target)
        name = str(uuid.uuid4())
        call(client, "start_execution", stateMachineArn=target["Arn"], name=name, input=text)

    def _lambda(self, target: Target, text: str) -> None:
        if not target.get("RoleArn"):
            invoke_function(self._sender, target["Arn"], text)
            return
        client = self._role_client("lambda", target)
        named = {"FunctionName": target["Arn"], "InvocationType": "Event"}
        call(client, "invoke", **named, Payload=text.encode())

    def _queue(self, target: Target, text: str) -> None:
        group = (target.get("SqsParameters") or {}).get("MessageGroupId")
        if not target.get("RoleArn"):
            send_to_queue(self._sender, target["Arn"], text, group_id=group)
            return
        client = self._role_client("sqs", target)
        url = queue_url(client, target["Arn"])
        more = {"MessageGroupId": group} if group else {}
        call(client, "send_message", QueueUrl=url, MessageBody=text, **more)

    def _topic(self, target: Target, text: str) -> None:
        if not target.get("RoleArn"):
            publish(self._sender, target["Arn"], text)
            return
        call(self._role_client("sns", target), "publish", TopicArn=target["Arn"], Message=text)

    def _bus(self, target: Target, text: str) -> None:
        event = json.loads(text)
        bus_parameters = target.get("EventBridgeParameters") or {}
        entry = {
            "Source": bus_parameters.get("Source") or event["source"],
            "DetailType": bus_parameters.get("DetailType") or event["detail-type"],
            "Detail": text if bus_parameters else json.dumps(event["detail"]),
            "Resources": event.get("resources", []),
            "EventBusName": target["Arn"],
        }
        if target.get("RoleArn"):
            self._require_bus(target)
        from moto.events.models import events_backends

        token = FORWARDED.set(True)
        try:
            region = target["Arn"].split(":")[3]
            (answer,) = events_backends[ACCOUNT_ID][region].put_events([entry])
        finally:
            FORWARDED.reset(token)
        if "ErrorCode" in answer:
            raise DeliveryFailed(answer["ErrorCode"], answer["ErrorMessage"])

    def _require_bus(self, target: Target) -> None:
        """Raise DeliveryFailed unless the target's role may put events on its bus."""
        client, arn = self._role_client("events", target), target["Arn"]
        key = client._request_signer._credentials.access_key
        access = Access("events:PutEvents", arn, common_values(arn.split(":")[3], {}))
        try:
            authorise(key, [access])
        except AccessDenied as error:
            raise DeliveryFailed("NO_PERMISSIONS", str(error)) from error

    def _logs(self, target: Target, text: str) -> None:
        from moto.logs.models import logs_backends

        region = target["Arn"].split(":")[3]
        group = target["Arn"].split(":log-group:")[1].removesuffix(":*")
        backend = logs_backends[ACCOUNT_ID][region]
        if group not in backend.groups:
            raise DeliveryFailed("NO_RESOURCE", f"The log group {group} does not exist.")
        self._require_logs(backend, target["Arn"])
        stream = str(uuid.uuid4())
        backend.create_log_stream(group, stream)
        at = int(time.time() * 1000)  # logs are in real time, as those of programs are
        backend.put_log_events(group, stream, [{"timestamp": at, "message": text}])

    def _require_logs(self, backend: Any, group_arn: str) -> None:
        """Raise DeliveryFailed unless a resource policy of CloudWatch Logs lets the service write.

        https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html
        """
        if not is_enforced():
            return
        documents = [json.loads(p.policy_document) for p in backend.describe_resource_policies()]
        resource = f"{group_arn.removesuffix(':*')}:log-stream:any"
        principal = Principal(ACCOUNT_ID, service=self._sender.service)
        for action in ("logs:CreateLogStream", "logs:PutLogEvents"):
            access = Access(action, resource, {"aws:sourcearn": self._sender.source_arn})
            if verdict(documents, access, principal) is not Verdict.ALLOW:
                raise DeliveryFailed(
                    "NO_PERMISSIONS",
                    f"No resource policy of CloudWatch Logs lets {self._sender.service} perform "
                    f"{action} on {group_arn}.",
                )


_KINDS: dict[str, Callable[[Delivery, Target, str], None]] = {
    "events": Delivery._bus,
    "lambda": Delivery._lambda,
    "logs": Delivery._logs,
    "sns": Delivery._topic,
    "sqs": Delivery._queue,
    "states": Delivery._states,
}
TARGET_SERVICES = frozenset(_KINDS)
