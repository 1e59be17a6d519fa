import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from rich.console import Console as RichConsole

from scones_core.terraform_outputs import Deployment
from scones_toolkit.console import Console
from scones_toolkit.project import Project

# Its clients share the descriptions of the services, which take long to read.
SESSION = boto3.Session("test", "test", region_name="us-east-1")

MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:scones-local-classify"
NAMES = {one.name: one.name for one in fields(Deployment)}
DEPLOYMENT = Deployment.of(
    {
        **NAMES,
        "labels": ["bicycle", "motorcycle"],
        "data_bucket": "data",
        "state_machine_arn": MACHINE,
        "endpoint_name": "scones-local",
        "challenger": None,
    }
)


@dataclass
class States:
    """Step Functions, whose executions end at once with what `end` makes of their input."""

    end: Any = None
    executions: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add(self, name: str, given: Any, output: Any = None, **values: Any) -> str:
        arn = f"{MACHINE.replace(':stateMachine:', ':execution:')}:{name}"
        now = datetime.now(UTC)
        self.executions[arn] = {
            "executionArn": arn,
            "name": name,
            "status": "SUCCEEDED",
            "startDate": now - timedelta(seconds=2),
            "stopDate": now,
            "input": json.dumps(given),
            "output": json.dumps(output),
            **values,
        }
        return arn

    def start_execution(self, *, stateMachineArn: str, name: str, input: str) -> dict[str, str]:
        if any(one["name"] == name for one in self.executions.values()):
            raise refusal("ExecutionAlreadyExists", "StartExecution")
        given = json.loads(input)
        return {"executionArn": self.add(name, given, self.end(given) if self.end else None)}

    def describe_execution(self, *, executionArn: str) -> dict[str, Any]:
        if executionArn not in self.executions:
            raise refusal("ExecutionDoesNotExist", "DescribeExecution")
        return self.executions[executionArn]

    def redrive_execution(self, *, executionArn: str) -> None:
        found = self.executions[executionArn]
        found |= {"status": "RUNNING", "redriveStatus": "NOT_REDRIVABLE"}
        found |= {"redriveCount": 1, "redriveStatusReason": "Execution is RUNNING."}

    def get_paginator(self, _name: str) -> "States":
        return self

    def paginate(self, *, stateMachineArn: str) -> list[dict[str, Any]]:
        newest = sorted(self.executions.values(), key=lambda one: one["startDate"], reverse=True)
        return [{"executions": newest}]


def refusal(code: str, operation: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": code}}, operation)


@dataclass(frozen=True)
class LocalProject(Project):
    clients: dict[str, Any] = field(default_factory=dict)

    @property
    def deployment(self) -> Deployment:
        return DEPLOYMENT

    def client(self, service: str) -> Any:
        return self.clients[service]

    @property
    def printed(self) -> str:
        output = self.console.rich.file
        assert isinstance(output, io.StringIO)
        return output.getvalue()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalProject]:
    """A project whose S3 and SQS are in this process, and whose executions end at once."""
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        clients = {name: SESSION.client(name) for name in ("s3", "sqs")}
        clients["s3"].create_bucket(Bucket="data")
        console = Console(RichConsole(file=io.StringIO(), width=300, soft_wrap=True))
        yield LocalProject(
            tmp_path, console=console, clients={**clients, "stepfunctions": States()}
        )
