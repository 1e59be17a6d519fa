"""State machines, versions and inline Maps, case by case, against AWS's pages."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.testing.aws import Aws

ECHO = "def handler(event, context):\n    return event\n"
RAISING = (
    "class EndpointThrottled(Exception): pass\n"
    "def handler(event, context):\n"
    "    if event.get('image') == event.get('bad', 7): raise EndpointThrottled('slow down')\n"
    "    return event\n"
)


def task(function: str, **more: Any) -> dict[str, Any]:
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": function, "Payload.$": "$"},
        "OutputPath": "$.Payload",
        **more,
    }


def flow(states: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"StartAt": next(iter(states)), "States": states, **more}


def mapped(states: dict[str, Any], **more: Any) -> dict[str, Any]:
    return flow(
        {
            "Map": {
                "Type": "Map",
                "ItemsPath": "$.images",
                "ItemSelector": {
                    "image.$": "$$.Map.Item.Value",
                    "index.$": "$$.Map.Item.Index",
                    "execution.$": "$$.Execution.Id",
                },
                "ItemProcessor": {"ProcessorConfig": {"Mode": "INLINE"}, **flow(states)},
                "ResultPath": "$.results",
                "End": True,
                **more,
            }
        }
    )


@pytest.fixture(scope="module")
def echo(aws: Aws) -> str:
    return aws.function(ECHO)


@pytest.fixture(scope="module")
def raising(aws: Aws) -> str:
    return aws.function(RAISING)


def test_a_map_of_a_hundred_items_over_three_functions_keeps_their_order(
    aws: Aws, echo: str
) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/state-map-inline.html"""
    second, third = aws.function(ECHO), aws.function(ECHO)
    states = {
        "A": task(echo, Next="B"),
        "B": task(second, Next="C"),
        "C": task(third, End=True),
    }
    machine = aws.state_machine(mapped(states, MaxConcurrencyPath="$.max_concurrency"))
    images = [f"image-{n}" for n in range(100)]
    ended = aws.run(machine, {"images": images, "max_concurrency": 10})
    results = json.loads(ended["output"])["results"]
    assert [result["image"] for result in results] == images
    assert [result["index"] for result in results] == list(range(100))
    assert {result["execution"] for result in results} == {ended["executionArn"]}
    pages = aws.client("stepfunctions").get_paginator("get_execution_history")
    history = pages.paginate(executionArn=ended["executionArn"]).build_full_result()["events"]
    kinds = [event["type"] for event in history]
    assert kinds[0] == "ExecutionStarted" and kinds[-1] == "ExecutionSucceeded"
    assert kinds.count("MapIterationSucceeded") == 100


def test_an_items_exception_is_caught_by_its_class_name(aws: Aws, raising: str) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html"""
    caught = {"Type": "Pass", "Parameters": {"decision": "failed", "error.$": "$"}, "End": True}
    catch = [{"ErrorEquals": ["EndpointThrottled"], "ResultPath": "$.error", "Next": "Failed"}]
    machine = aws.state_machine(
        mapped({"A": task(raising, Catch=catch, End=True), "Failed": caught})
    )
    ended = aws.run(machine, {"images": [1, 7, 3]})
    results = json.loads(ended["output"])["results"]
    assert [result.get("decision") for result in results] == [None, "failed", None]
    error = results[1]["error"]["error"]
    assert error["Error"] == "EndpointThrottled"
    assert json.loads(error["Cause"])["errorMessage"] == "slow down"


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("import os\ndef handler(event, context):\n    os._exit(1)\n", "Runtime.ExitError"),
        ("import missing\n", "Runtime.ImportModuleError"),
        ("import time\ndef handler(e, c):\n    time.sleep(9)\n", "Sandbox.Timedout"),
    ],
)
def test_a_broken_function_fails_the_execution_under_the_runtimes_name(
    aws: Aws, source: str, name: str
) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html"""
    machine = aws.state_machine(flow({"A": task(aws.function(source, Timeout=1), End=True)}))
    ended = aws.run(machine, {})
    assert (ended["status"], ended["error"]) == ("FAILED", name)


def test_a_missing_function_has_lambdas_own_error_name(aws: Aws) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html"""
    ended = aws.run(aws.state_machine(flow({"A": task("nobody", End=True)})), {})
    assert ended["error"] == "Lambda.ResourceNotFoundException"


def test_a_reserved_error_in_a_map_item_keeps_its_name_and_can_be_caught(aws: Aws) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html"""
    slow = aws.function("import time\ndef handler(event, context):\n    time.sleep(3)\n")
    states = {"A": task(slow, TimeoutSeconds=1, End=True)}
    assert aws.run(aws.state_machine(mapped(states)), {"images": [1]})["error"] == "States.Timeout"
    catch = [{"ErrorEquals": ["States.Timeout"], "Next": "Caught"}]
    states = {
        "A": task(slow, TimeoutSeconds=1, Catch=catch, End=True),
        "Caught": {"Type": "Pass", "Result": "late", "End": True},
    }
    ended = aws.run(aws.state_machine(mapped(states)), {"images": [1]})
    assert json.loads(ended["output"])["results"] == ["late"]


def test_a_throttled_function_is_tried_again_with_backoff(aws: Aws) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html"""
    name = aws.function(ECHO)
    aws.client("lambda").put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    retry = [
        {
            "ErrorEquals": ["Lambda.TooManyRequestsException"],
            "IntervalSeconds": 1,
            "MaxAttempts": 2,
            "BackoffRate": 10,
            "MaxDelaySeconds": 2,
            "JitterStrategy": "NONE",
        }
    ]
    started = time.monotonic()
    ended = aws.run(aws.state_machine(flow({"A": task(name, Retry=retry, End=True)})), {})
    assert ended["error"] == "Lambda.TooManyRequestsException"
    assert 3 <= time.monotonic() - started < 9


def test_a_state_machine_can_be_started_often_and_names_each_execution(aws: Aws) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html"""
    machine = aws.state_machine(flow({"P": {"Type": "Pass", "End": True}}))
    arns = {aws.run(machine, {"n": n})["executionArn"] for n in range(3)}
    assert len(arns) == 3


def test_a_used_name_is_refused(aws: Aws) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html"""
    states = aws.client("stepfunctions")
    machine = aws.state_machine(flow({"P": {"Type": "Pass", "End": True}}))
    first = states.start_execution(stateMachineArn=machine, name="one", input="{}")
    aws.wait(first["executionArn"])
    with pytest.raises(states.exceptions.ExecutionAlreadyExists):
        states.start_execution(stateMachineArn=machine, name="one", input='{"other": 1}')


def test_a_result_over_the_limit_is_caught_by_states_all(aws: Aws) -> None:
    """Recorded on AWS in March 2024; the Developer Guide says that it is not caught."""
    name = aws.function("def handler(event, context):\n    return 'x' * event\n")
    catch = [{"ErrorEquals": ["States.ALL"], "Next": "Caught"}]
    machine = aws.state_machine(
        flow({"A": task(name, Catch=catch, End=True), "Caught": {"Type": "Pass", "End": True}})
    )
    fits = 262_144 - 2
    assert aws.run(machine, 100_000)["status"] == "SUCCEEDED"
    ended = aws.run(machine, fits + 1)
    assert ended["status"] == "SUCCEEDED"
    assert json.loads(ended["output"])["Error"] == "States.DataLimitExceeded"
    uncaught = aws.run(aws.state_machine(flow({"A": task(name, End=True)})), fits + 1)
    assert (uncaught["status"], uncaught["error"]) == ("FAILED", "States.DataLimitExceeded")


def test_the_limit_holds_for_what_a_map_collects(aws: Aws) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html"""
    name = aws.function("def handler(event, context):\n    return 'x' * 10_000\n")
    machine = aws.state_machine(mapped({"A": task(name, End=True)}))
    assert aws.run(machine, {"images": list(range(20))})["status"] == "SUCCEEDED"
    ended = aws.run(machine, {"images": list(range(30))})
    assert ended["error"] == "States.DataLimitExceeded"


def test_an_input_over_the_limit_is_refused(aws: Aws) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html"""
    machine = aws.state_machine(flow({"P": {"Type": "Pass", "End": True}}))
    with pytest.raises(ClientError, match="less than or equal to 262144"):
        aws.client("stepfunctions").start_execution(
            stateMachineArn=machine, input=json.dumps("x" * 262_143)
        )


def test_an_inline_map_runs_at_most_forty_items_at_once(aws: Aws) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/state-map-inline.html"""
    wait = {"Type": "Wait", "Seconds": 1, "End": True}
    machine = aws.state_machine(mapped({"Wait": wait}, MaxConcurrency=1000))
    ended = aws.run(machine, {"images": list(range(60))})
    history = aws.client("stepfunctions").get_execution_history(
        executionArn=ended["executionArn"], maxResults=1000
    )["events"]
    running = most = 0
    for event in history:
        running += {"MapIterationStarted": 1, "MapIterationSucceeded": -1}.get(event["type"], 0)
        most = max(most, running)
    assert most == 40


def test_one_worker_takes_hundreds_of_items(aws: Aws) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/state-map-inline.html"""
    machine = aws.state_machine(mapped({"P": {"Type": "Pass", "End": True}}, MaxConcurrency=1))
    ended = aws.run(machine, {"images": list(range(400))})
    assert len(json.loads(ended["output"])["results"]) == 400


def test_an_execution_ends_at_its_timeout(aws: Aws) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/statemachine-structure.html"""
    machine = aws.state_machine(
        flow({"W": {"Type": "Wait", "Seconds": 5, "End": True}}, TimeoutSeconds=1)
    )
    ended = aws.run(machine)
    assert ended["status"] == "TIMED_OUT" and "stopDate" in ended


def test_an_execution_can_be_stopped_at_once(aws: Aws) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/apireference/API_StopExecution.html"""
    states = aws.client("stepfunctions")
    machine = aws.state_machine(flow({"W": {"Type": "Wait", "Seconds": 2, "End": True}}))
    arn = states.start_execution(stateMachineArn=machine, input="{}")["executionArn"]
    assert states.stop_execution(executionArn=arn)["stopDate"]
    assert aws.wait(arn)["status"] == "ABORTED"


ACTIVITY = "arn:aws:states:us-east-1:123456789012:activity:a"


@pytest.mark.parametrize(
    ("definition", "said"),
    [
        ({"StartAt": "P"}, "States"),
        (flow({"P": {"Type": "Task", "Resource": ACTIVITY, "End": True}}), "activity"),
    ],
)
def test_what_cannot_run_is_refused_when_it_is_created_and_when_it_is_validated(
    aws: Aws, definition: dict[str, Any], said: str
) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/apireference/API_CreateStateMachine.html"""
    states = aws.client("stepfunctions")
    text = json.dumps(definition)
    with pytest.raises(states.exceptions.InvalidDefinition, match=said):
        states.create_state_machine(name="invalid", definition=text, roleArn=aws.role)
    found = states.validate_state_machine_definition(definition=text)
    assert found["result"] == "FAIL" and said in found["diagnostics"][0]["message"]


def test_a_sound_definition_is_valid(aws: Aws) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/apireference/API_ValidateStateMachineDefinition.html"""
    found = aws.client("stepfunctions").validate_state_machine_definition(
        definition=json.dumps(flow({"P": {"Type": "Pass", "End": True}}))
    )
    assert (found["result"], found["diagnostics"]) == ("OK", [])


def test_versions_can_be_published_listed_started_and_deleted(aws: Aws) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/concepts-state-machine-version.html"""
    states = aws.client("stepfunctions")
    machine = aws.state_machine(flow({"P": {"Type": "Pass", "Result": "old", "End": True}}))
    first = states.publish_state_machine_version(stateMachineArn=machine)
    states.update_state_machine(
        stateMachineArn=machine,
        definition=json.dumps(flow({"P": {"Type": "Pass", "Result": "new", "End": True}})),
    )
    second = states.publish_state_machine_version(stateMachineArn=machine)
    arns = [first["stateMachineVersionArn"], second["stateMachineVersionArn"]]
    listed = states.list_state_machine_versions(stateMachineArn=machine)
    found = [version["stateMachineVersionArn"] for version in listed["stateMachineVersions"]]
    assert found == arns[::-1]
    ended = aws.run(arns[0])
    assert (ended["output"], ended["stateMachineVersionArn"]) == ('"old"', arns[0])
    states.delete_state_machine_version(stateMachineVersionArn=arns[0])
    listed = states.list_state_machine_versions(stateMachineArn=machine)
    assert len(listed["stateMachineVersions"]) == 1


def test_an_alias_can_be_started_and_keeps_its_version_from_deletion(aws: Aws) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/concepts-state-machine-alias.html"""
    states = aws.client("stepfunctions")
    machine = aws.state_machine(
        flow({"P": {"Type": "Pass", "Result": 1, "End": True}}), publish=True
    )
    version = f"{machine}:1"
    alias = states.create_state_machine_alias(
        name="live", routingConfiguration=[{"stateMachineVersionArn": version, "weight": 100}]
    )["stateMachineAliasArn"]
    ended = aws.run(alias)
    assert ended["output"] == "1"
    assert ended["stateMachineArn"] == machine and ended["stateMachineAliasArn"] == alias
    listed = states.list_executions(stateMachineArn=machine)["executions"]
    assert [found["executionArn"] for found in listed] == [ended["executionArn"]]
    with pytest.raises(ClientError, match="must not be referenced"):
        states.delete_state_machine_version(stateMachineVersionArn=version)


def test_the_type_of_an_express_state_machine_is_kept(aws: Aws) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/apireference/API_DescribeStateMachine.html"""
    machine = aws.state_machine(flow({"P": {"Type": "Pass", "End": True}}), type="EXPRESS")
    found = aws.client("stepfunctions").describe_state_machine(stateMachineArn=machine)
    assert found["type"] == "EXPRESS"


def test_a_name_that_is_taken_by_another_definition_is_refused(aws: Aws) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/apireference/API_CreateStateMachine.html"""
    states = aws.client("stepfunctions")
    machine = aws.state_machine(flow({"P": {"Type": "Pass", "End": True}}))
    with pytest.raises(states.exceptions.StateMachineAlreadyExists):
        states.create_state_machine(
            name=machine.rsplit(":", 1)[1],
            definition=json.dumps(flow({"Q": {"Type": "Pass", "End": True}})),
            roleArn=aws.role,
        )


def test_requests_at_once_with_one_name_start_one_execution(aws: Aws) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html"""
    states = aws.client("stepfunctions")
    machine = aws.state_machine(flow({"Wait": {"Type": "Wait", "Seconds": 60, "End": True}}))
    for number in range(4):
        given = {"stateMachineArn": machine, "name": f"one-{number}", "input": "{}"}
        together = threading.Barrier(12)

        def start(
            given: dict[str, Any] = given, together: threading.Barrier = together
        ) -> dict[str, Any]:
            together.wait(20)
            return dict(states.start_execution(**given))

        with ThreadPoolExecutor(12) as pool:
            answers = [pool.submit(start) for _ in range(12)]
        assert len({str(answer.result()["startDate"]) for answer in answers}) == 1
    listed = states.list_executions(stateMachineArn=machine)["executions"]
    assert [one["name"] for one in listed] == [f"one-{number}" for number in (3, 2, 1, 0)]
