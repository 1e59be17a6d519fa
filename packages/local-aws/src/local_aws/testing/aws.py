"""A view of an embedded AWS that tests share: clients, a role, functions, state machines, waits."""

import functools
import http.client
import io
import json
import time
import urllib.parse
import uuid
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import boto3
from botocore.config import Config

from local_aws.control import LocalAws
from local_aws.core.admin_api import CLOCK_PATH

Found = TypeVar("Found")

ACCOUNT = "123456789012"
REGION = "us-east-1"
SERVICES = ("lambda", "states", "sagemaker", "events", "scheduler")
ANYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}


def unique(prefix: str) -> str:
    """Return a name that no other test uses."""
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def package(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return buffer.getvalue()


def eventually(probe: Callable[[], Found | None], seconds: float = 20) -> Found:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if (found := probe()) is not None:
            return found
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s")


@dataclass(frozen=True)
class Aws:
    """Clients of one server, and the few things that most tests ask of them."""

    local: LocalAws
    role: str

    @classmethod
    def of(cls, local: LocalAws) -> "Aws":
        made = cls(local, "")
        return cls(local, made.role_with(ANYTHING, name="test"))

    package = staticmethod(package)
    eventually = staticmethod(eventually)

    def client(self, service: str) -> Any:
        return _client(self.local.endpoint_url, service)

    def advance(self, seconds: float) -> None:
        """Move the server's clock forward, with all that falls due on the way."""
        url = urllib.parse.urlsplit(self.local.endpoint_url)
        connection = http.client.HTTPConnection(url.netloc, timeout=60)
        connection.request("POST", CLOCK_PATH, json.dumps({"advance_seconds": seconds}))
        assert connection.getresponse().status == 200
        connection.close()

    def queue(self) -> tuple[str, str]:
        """Make a queue; return its URL and ARN."""
        name = unique("q")
        url: str = self.client("sqs").create_queue(QueueName=name)["QueueUrl"]
        return url, f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"

    def topic(self) -> tuple[str, str]:
        """Make a topic with a queue subscribed to it; return the ARN and the queue's URL."""
        url, queue = self.queue()
        topic: str = self.client("sns").create_topic(Name=unique("t"))["TopicArn"]
        lets = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": queue,
            "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
        }
        self.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy(lets)})
        self.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
        return topic, url

    def message(self, url: str) -> dict[str, Any]:
        """Return the next message of a queue, once there is one."""
        sqs = self.client("sqs")
        request = {"QueueUrl": url, "WaitTimeSeconds": 0, "MessageAttributeNames": ["All"]}
        found = eventually(lambda: sqs.receive_message(**request).get("Messages"))
        message: dict[str, Any] = found[0]
        return message

    def role_with(
        self, *statements: dict[str, Any], services: Sequence[str] = SERVICES, name: str = ""
    ) -> str:
        """Make a role that the services may take, with one inline policy; return its ARN."""
        iam, name = self.client("iam"), name or unique("r")
        principal = {"Service": [f"{service}.amazonaws.com" for service in services]}
        trust = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
        made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(trust))
        if statements:
            iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy(*statements))
        arn: str = made["Role"]["Arn"]
        return arn

    def function(self, source: str, **more: Any) -> str:
        """Deploy `app.py` as a function of one file with the handler `app.handler`."""
        name = more.pop("FunctionName", None) or unique("f")
        settings = {
            "Runtime": "python3.12",
            "Timeout": 10,
            "MemorySize": 256,
            "Role": self.role,
            **more,
        }
        self.client("lambda").create_function(
            FunctionName=name,
            Handler="app.handler",
            Code={"ZipFile": package({"app.py": source})},
            **settings,
        )
        return name

    def invoke(self, name: str, event: Any = None, **more: Any) -> tuple[Any, dict[str, Any]]:
        answer = self.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event), **more)
        body = answer["Payload"].read()
        return (json.loads(body) if body else None), answer

    def state_machine(self, definition: dict[str, Any], **more: Any) -> str:
        arn: str = self.client("stepfunctions").create_state_machine(
            name=unique("m"),
            definition=json.dumps(definition),
            **{"roleArn": self.role, **more},
        )["stateMachineArn"]
        return arn

    def run(self, machine: str, event: Any = None, seconds: float = 60) -> dict[str, Any]:
        states = self.client("stepfunctions")
        arn = states.start_execution(stateMachineArn=machine, input=json.dumps(event))
        return self.wait(arn["executionArn"], seconds)

    def wait(self, execution: str, seconds: float = 60) -> dict[str, Any]:
        states = self.client("stepfunctions")

        def ended() -> dict[str, Any] | None:
            found: dict[str, Any] = states.describe_execution(executionArn=execution)
            return found if found["status"] != "RUNNING" else None

        return eventually(ended, seconds)


def new_client(endpoint_url: str, service: str, **keys: str) -> Any:
    """Return a client that asks once, of a session with these keys; else an administrator's."""
    return boto3.client(  # type: ignore[call-overload]
        service,
        endpoint_url=endpoint_url,
        region_name=REGION,
        config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
        **(keys or {"aws_access_key_id": "test", "aws_secret_access_key": "test"}),
    )


def plain_client(endpoint_url: str, service: str) -> Any:
    """Return an administrator's client whose requests count as sent without TLS."""
    made = new_client(endpoint_url, service)
    made.meta.events.register("before-send", send_plain)
    return made


def send_plain(request: Any, **_: Any) -> None:
    """Have a request of a client count as sent without TLS."""
    request.headers["X-Forwarded-Proto"] = "http"


_client = functools.cache(new_client)
