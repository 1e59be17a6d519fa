"""Redriving executions that did not succeed.

https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html
https://docs.aws.amazon.com/step-functions/latest/dg/redrive-map-run.html
"""

import json
from pathlib import Path
from typing import Any

import pytest

from local_aws.control import LocalAws
from local_aws.testing.aws import Aws, unique
from local_aws.testing.refusals import error_code

# Fails for a value as long as the bucket has no object of that name, and notes each call.
FRAIL = """
import boto3, json
def handler(event, context):
    s3 = boto3.client("s3")
    bucket, value = event["bucket"], str(event["value"])
    s3.put_object(Bucket=bucket, Key=f"calls/{value}/{context.aws_request_id}")
    if s3.list_objects_v2(Bucket=bucket, Prefix=f"fixed/{value}")["KeyCount"] == 0:
        raise ValueError("not yet")
    return {"done": event["value"]}
"""


class Depot:
    """A bucket that says what works, and the function that asks it."""

    def __init__(self, aws: Aws) -> None:
        self.aws, self.bucket = aws, unique("frail")
        self.s3, self.states = aws.client("s3"), aws.client("stepfunctions")
        self.s3.create_bucket(Bucket=self.bucket)
        self.function = aws.function(FRAIL)

    def fix(self, *values: Any) -> None:
        for value in values:
            self.s3.put_object(Bucket=self.bucket, Key=f"fixed/{value}")

    def calls(self, value: Any) -> int:
        found: int = self.s3.list_objects_v2(Bucket=self.bucket, Prefix=f"calls/{value}/")[
            "KeyCount"
        ]
        return found

    def task(self, value: str, **more: Any) -> dict[str, Any]:
        return {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Parameters": {
                "FunctionName": self.function,
                "Payload": {"bucket": self.bucket, "value.$": value},
            },
            "OutputPath": "$.Payload.done",
            **more,
        }

    def redriven(self, arn: str) -> dict[str, Any]:
        self.states.redrive_execution(executionArn=arn)
        return self.aws.wait(arn)

    def kinds(self, arn: str) -> list[str]:
        pages = self.states.get_paginator("get_execution_history").paginate(executionArn=arn)
        events = pages.build_full_result()["events"]
        assert [event["id"] for event in events] == list(range(1, len(events) + 1))
        return [event["type"] for event in events]


@pytest.fixture
def depot(aws: Aws) -> Depot:
    return Depot(aws)


def flow(**states: Any) -> dict[str, Any]:
    return {"StartAt": next(iter(states)), "States": states}


def distributed(kind: str, **states: Any) -> dict[str, Any]:
    return {**flow(**states), "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": kind}}


def test_an_execution_goes_on_with_the_state_that_failed(depot: Depot) -> None:
    first = depot.task("States.Format('a')", ResultPath="$.a", Next="B", OutputPath="$")
    assign = {"Type": "Pass", "Assign": {"v.$": "$.n"}, "Next": "T"}
    second = depot.task("States.Format('b')", Next="Z")
    last = {"Type": "Pass", "Parameters": {"v.$": "$v", "out.$": "$"}, "End": True}
    machine = depot.aws.state_machine(flow(A=first, B=assign, T=second, Z=last))
    depot.fix("a")
    ended = depot.aws.run(machine, {"n": 5})
    arn = ended["executionArn"]
    assert (ended["status"], ended["redriveStatus"]) == ("FAILED", "REDRIVABLE")
    again = depot.redriven(arn)
    assert (again["status"], again["redriveCount"]) == ("FAILED", 1)
    depot.fix("b")
    done = depot.redriven(arn)
    assert done["status"] == "SUCCEEDED", done
    assert json.loads(done["output"]) == {"v": 5, "out": "b"}
    assert (done["redriveCount"], done["redriveStatus"]) == (2, "NOT_REDRIVABLE")
    assert done["redriveDate"] > done["startDate"] and done["stopDate"] > done["redriveDate"]
    assert "error" not in done
    assert (depot.calls("a"), depot.calls("b")) == (1, 3)
    kinds = depot.kinds(arn)
    assert kinds.count("ExecutionRedriven") == 2 and kinds.count("ExecutionStarted") == 1
    (listed,) = depot.states.list_executions(stateMachineArn=machine)["executions"]
    assert (listed["redriveCount"], listed["redriveDate"]) == (2, done["redriveDate"])


def test_what_succeeded_in_branches_and_iterations_is_not_repeated(depot: Depot) -> None:
    inner = {
        "Type": "Map",
        "ItemProcessor": flow(P={"Type": "Pass", "Next": "I"}, I=depot.task("$", End=True)),
        "MaxConcurrency": 1,
        "End": True,
    }
    branches = [flow(M=inner), flow(X=depot.task("$[0]", End=True))]
    both = {"Type": "Parallel", "Branches": branches, "End": True}
    depot.fix(1, 3)
    ended = depot.aws.run(depot.aws.state_machine(flow(Both=both)), [1, 2, 3])
    assert ended["status"] == "FAILED"
    # The other branch has succeeded by now, or the failure has cut it off.
    succeeded = depot.kinds(ended["executionArn"]).count("TaskSucceeded")
    assert succeeded in (1, 2)
    depot.fix(2)
    done = depot.redriven(ended["executionArn"])
    assert (done["status"], json.loads(done["output"])) == ("SUCCEEDED", [[1, 2, 3], 1])
    assert depot.calls(2) == 2
    assert 2 <= depot.calls(1) <= 4 - succeeded


@pytest.mark.parametrize("kind", ["STANDARD", "EXPRESS"])
def test_a_map_run_repeats_the_children_that_did_not_succeed(depot: Depot, kind: str) -> None:
    state = {
        "Type": "Map",
        "ItemProcessor": distributed(
            kind,
            A=depot.task("$.a", ResultPath="$.r", OutputPath="$", Next="B"),
            B=depot.task("$.b", End=True),
        ),
        "ToleratedFailureCount": 0,
        "MaxConcurrency": 1,
        "End": True,
    }
    depot.fix("a", "x", "z")
    items = [{"a": "a", "b": "x"}, {"a": "a", "b": "y"}, {"a": "a", "b": "z"}]
    ended = depot.aws.run(depot.aws.state_machine(flow(M=state)), items)
    arn = ended["executionArn"]
    assert ended["error"] == "States.ExceedToleratedFailureThreshold"
    (run,) = depot.states.list_map_runs(executionArn=arn)["mapRuns"]
    if kind == "STANDARD":
        listed = depot.states.list_executions(mapRunArn=run["mapRunArn"], statusFilter="FAILED")
        (failed,) = listed["executions"]
        child = depot.states.describe_execution(executionArn=failed["executionArn"])
        assert child["redriveStatus"] == "REDRIVABLE_BY_MAP_RUN"
        refused = error_code(depot.states.redrive_execution, executionArn=failed["executionArn"])
        assert refused == "ExecutionNotRedrivable"
    depot.fix("y")
    done = depot.redriven(arn)
    assert (done["status"], json.loads(done["output"])) == ("SUCCEEDED", ["x", "y", "z"])
    assert [
        again["mapRunArn"] for again in depot.states.list_map_runs(executionArn=arn)["mapRuns"]
    ] == [run["mapRunArn"]]
    found = depot.states.describe_map_run(mapRunArn=run["mapRunArn"])
    assert (found["status"], found["redriveCount"]) == ("SUCCEEDED", 1)
    assert found["redriveDate"] > found["startDate"]
    assert found["itemCounts"]["succeeded"] == found["itemCounts"]["total"] == 3
    assert found["itemCounts"]["failed"] == found["itemCounts"]["pending"] == 0
    # An Express child starts over; a Standard one goes on with the state that failed.
    assert (depot.calls("x"), depot.calls("y"), depot.calls("z")) == (1, 2, 1)
    assert depot.calls("a") == (3 if kind == "STANDARD" else 4)
    assert "MapRunRedriven" in depot.kinds(arn)
    if kind == "STANDARD":
        child = depot.states.describe_execution(executionArn=failed["executionArn"])
        assert (child["status"], child["redriveCount"]) == ("SUCCEEDED", 1)
        assert "ExecutionRedriven" in depot.kinds(failed["executionArn"])


def test_a_stopped_execution_and_one_out_of_time_go_on_with_a_new_budget(aws: Aws) -> None:
    states = aws.client("stepfunctions")
    wait = {"Type": "Wait", "SecondsPath": "$.seconds", "End": True}
    machine = aws.state_machine({**flow(W=wait), "TimeoutSeconds": 1})
    ended = aws.run(machine, {"seconds": 2})
    assert ended["status"] == "TIMED_OUT"
    states.redrive_execution(executionArn=ended["executionArn"])
    assert aws.wait(ended["executionArn"])["status"] == "TIMED_OUT"
    machine = aws.state_machine(flow(W=wait))
    started = states.start_execution(stateMachineArn=machine, input='{"seconds": 1}')
    states.stop_execution(executionArn=started["executionArn"], error="Mine", cause="c")
    first = states.redrive_execution(executionArn=started["executionArn"], clientToken="t")
    again = states.redrive_execution(executionArn=started["executionArn"], clientToken="t")
    assert first["redriveDate"] == again["redriveDate"]
    done = aws.wait(started["executionArn"])
    assert (done["status"], done["redriveCount"]) == ("SUCCEEDED", 1)


def test_what_cannot_be_redriven_says_why(aws: Aws) -> None:
    states = aws.client("stepfunctions")
    done = aws.run(aws.state_machine(flow(P={"Type": "Pass", "End": True})))
    assert done["redriveStatusReason"] == "Execution is SUCCEEDED and cannot be redriven"
    arn = done["executionArn"]
    assert error_code(states.redrive_execution, executionArn=arn) == "ExecutionNotRedrivable"
    absent = f"{arn[:-4]}none"
    assert error_code(states.redrive_execution, executionArn=absent) == "ExecutionDoesNotExist"
    running = aws.state_machine(flow(W={"Type": "Wait", "Seconds": 60, "End": True}))
    arn = states.start_execution(stateMachineArn=running)["executionArn"]
    assert error_code(states.redrive_execution, executionArn=arn) == "ExecutionNotRedrivable"
    states.stop_execution(executionArn=arn)


def test_a_map_run_is_redriven_after_a_restart(tmp_path: Path) -> None:
    with LocalAws.start(tmp_path, 0, {}) as local:
        depot = Depot(Aws.of(local))
        state = {
            "Type": "Map",
            "ItemProcessor": distributed("STANDARD", A=depot.task("$", End=True)),
            "MaxConcurrency": 1,
            "End": True,
        }
        depot.fix(1)
        ended = depot.aws.run(depot.aws.state_machine(flow(M=state)), [1, 2])
        assert ended["status"] == "FAILED"
    with LocalAws.start(tmp_path, 0, {}) as local:
        after = Aws(local, "")
        states, arn = after.client("stepfunctions"), ended["executionArn"]
        assert states.describe_execution(executionArn=arn)["redriveStatus"] == "REDRIVABLE"
        after.client("s3").put_object(Bucket=depot.bucket, Key="fixed/2")
        states.redrive_execution(executionArn=arn)
        assert json.loads(after.wait(arn)["output"]) == [1, 2]
        listing = after.client("s3").list_objects_v2(Bucket=depot.bucket, Prefix="calls/1/")
        assert listing["KeyCount"] == 1
