import functools
import io
import json
import time
import uuid
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import boto3
import pytest
from botocore.config import Config

from scones_local.process import LocalAws

Found = TypeVar("Found")

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": ["lambda.amazonaws.com", "states.amazonaws.com"]},
            "Action": "sts:AssumeRole",
        }
    ],
}

EVERYTHING = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
}


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
        iam = _client(local.endpoint_url, "iam")
        role = iam.create_role(RoleName="test", AssumeRolePolicyDocument=json.dumps(TRUST))
        iam.put_role_policy(
            RoleName="test", PolicyName="everything", PolicyDocument=json.dumps(EVERYTHING)
        )
        return cls(local, role["Role"]["Arn"])

    package = staticmethod(package)
    eventually = staticmethod(eventually)

    def client(self, service: str) -> Any:
        return _client(self.local.endpoint_url, service)

    def function(self, source: str, **more: Any) -> str:
        name = f"f-{uuid.uuid4().hex[:8]}"
        settings = {"Timeout": 10, "MemorySize": 256, "Role": self.role, **more}
        self.client("lambda").create_function(
            FunctionName=name,
            Runtime="python3.12",
            Handler="app.handler",
            Code={"ZipFile": package({"app.py": source})},
            **settings,
        )
        return name

    def invoke(self, name: str, event: Any = None, **more: Any) -> tuple[Any, dict[str, Any]]:
        answer = self.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event), **more)
        body = answer["Payload"].read()
        return (json.loads(body) if body else None), answer

    def machine(self, definition: dict[str, Any], **more: Any) -> str:
        arn: str = self.client("stepfunctions").create_state_machine(
            name=f"m-{uuid.uuid4().hex[:8]}",
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


@functools.cache
def _client(endpoint_url: str, service: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
    )


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    home: Path = tmp_path_factory.mktemp("aws")
    with LocalAws.start(home, 0, {}) as local:
        yield Aws.of(local)
