"""What AWS was recorded to answer, where the documentation is silent or says otherwise."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.testing.aws import Aws, policy, unique
from local_aws.testing.refusals import error_code

NOT_JSON = "def handler(event, context): return {'confidence': float(event['value'])}\n"


def flow(**states: Any) -> dict[str, Any]:
    return {"StartAt": next(iter(states)), "States": states}


def jsonata(**states: Any) -> dict[str, Any]:
    return {"QueryLanguage": "JSONata", **flow(**states)}


def passing(**fields: Any) -> dict[str, Any]:
    return {"Type": "Pass", "End": True, **fields}


def ran(aws: Aws, definition: dict[str, Any], given: Any = None) -> dict[str, Any]:
    return aws.run(aws.state_machine(definition), given)


def output(aws: Aws, definition: dict[str, Any], given: Any = None) -> Any:
    ended = ran(aws, definition, given)
    assert ended["status"] == "SUCCEEDED", (ended.get("error"), ended.get("cause"))
    return json.loads(ended["output"])


def events(aws: Aws, ended: dict[str, Any]) -> list[dict[str, Any]]:
    states = aws.client("stepfunctions")
    found: list[dict[str, Any]] = states.get_execution_history(
        executionArn=ended["executionArn"], maxResults=1000
    )["events"]
    return found


# Values


def test_the_start_time_is_a_string_in_every_language(aws: Aws) -> None:
    path = output(aws, flow(P=passing(Parameters={"at.$": "$$.Execution.StartTime"})))
    context = output(aws, jsonata(P=passing(Output="{% $states.context %}")))
    for at in (path["at"], context["Execution"]["StartTime"]):
        assert len(at) == len("2030-01-01T00:00:00.000Z") and at.endswith("Z")
    assert context["State"]["Name"] == "P"


def test_a_range_of_one_number_is_that_number(aws: Aws) -> None:
    assert output(aws, jsonata(P=passing(Output="{% $range(4, 4, 1) %}"))) == 4


def test_an_expression_that_fails_names_its_state_and_its_place(aws: Aws) -> None:
    states = {
        "Output/a/b": passing(Output={"a": {"b": "{% $states.input.none %}"}}),
        "Output[1]": passing(Output=[1, "{% $states.input.none %}"]),
        "Assign/v": passing(Assign={"v": "{% $states.input.none %}"}),
    }
    for location, state in states.items():
        ended = ran(aws, jsonata(P=state), {})
        assert ended["error"] == "States.QueryEvaluationError"
        (failed,) = [event for event in events(aws, ended) if event["type"] == "EvaluationFailed"]
        details = failed["evaluationFailedEventDetails"]
        assert (details["state"], details["location"]) == ("P", location)
        assert f"specified for the field '{location}'" in details["cause"]


def test_items_that_are_null_fail_the_map(aws: Aws) -> None:
    state = {
        "Type": "Map",
        "Items": "{% null %}",
        "ItemProcessor": flow(I=passing()),
        "End": True,
    }
    ended = ran(aws, jsonata(M=state))
    assert (ended["status"], ended["error"]) == ("FAILED", "States.QueryEvaluationError")
    assert "Expected 'array', but was 'null'" in ended["cause"]


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_a_payload_that_is_not_json_fails_its_task(aws: Aws, value: str) -> None:
    arn = aws.client("lambda").get_function(FunctionName=aws.function(NOT_JSON))
    arn = arn["Configuration"]["FunctionArn"]
    for task in (
        {"Resource": arn},
        {
            "Resource": "arn:aws:states:::lambda:invoke",
            "Parameters": {"FunctionName": arn, "Payload.$": "$"},
        },
    ):
        ended = ran(aws, flow(T={"Type": "Task", "End": True, **task}), {"value": value})
        assert (ended["status"], ended["error"]) == ("FAILED", "States.Runtime"), ended
    with pytest.raises(ClientError) as refused:
        aws.client("stepfunctions").start_execution(
            stateMachineArn=aws.state_machine(flow(P=passing())), input='{"value": NaN}'
        )
    assert refused.value.response["Error"]["Code"] == "InvalidExecutionInput"


def test_an_inline_map_has_a_tolerance_that_changes_nothing(aws: Aws) -> None:
    state = {
        "Type": "Map",
        "ToleratedFailurePercentage": 100,
        "ItemProcessor": flow(I=passing()),
        "End": True,
    }
    assert output(aws, flow(M=state), [1, 2]) == [1, 2]


# Distributed Maps


def read(aws: Aws, key: str, body: str, config: dict[str, Any]) -> dict[str, Any]:
    bucket = unique("items")
    aws.client("s3").create_bucket(Bucket=bucket)
    aws.client("s3").put_object(Bucket=bucket, Key=key, Body=body.encode())
    inner = {
        **flow(I=passing()),
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
    }
    reader = {
        "Resource": "arn:aws:states:::s3:getObject",
        "ReaderConfig": config,
        "Parameters": {"Bucket": bucket, "Key": key},
    }
    return flow(M={"Type": "Map", "ItemReader": reader, "ItemProcessor": inner, "End": True})


def test_a_negative_limit_of_items_fails_the_map_run_with_its_details(aws: Aws) -> None:
    definition = read(aws, "a.json", "[1, 2]", {"InputType": "JSON", "MaxItemsPath": "$.most"})
    ended = ran(aws, definition, {"most": -1})
    failure = ("States.ItemReaderFailed", "field MaxItems must be positive")
    assert (ended["error"], ended["cause"]) == failure
    (failed,) = [event for event in events(aws, ended) if event["type"] == "MapRunFailed"]
    details = failed["mapRunFailedEventDetails"]
    assert (details["error"], details["cause"]) == failure
    assert output(aws, definition, {"most": 1}) == [1]


def test_rows_keep_the_order_of_the_headers_fields(aws: Aws) -> None:
    config = {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"}
    rows = output(aws, read(aws, "a.csv", "zeta,alpha,Mid\n1,2,3\n", config))
    assert [list(row.items()) for row in rows] == [[("zeta", "1"), ("alpha", "2"), ("Mid", "3")]]


def test_a_distributed_map_in_jsonata(aws: Aws) -> None:
    bucket = unique("items")
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="in.json", Body=b'{"rows": [1, 2, 3]}')
    inner = flow(I=passing(Output={"sum": "{% $sum($states.input.Items.n) %}"}))
    state = {
        "Type": "Map",
        "ItemReader": {
            "Resource": "arn:aws:states:::s3:getObject",
            "ReaderConfig": {
                "InputType": "JSON",
                "ItemsPointer": "/rows",
                "MaxItems": "{% 1 + 2 %}",
            },
            "Arguments": {"Bucket": "{% $states.input.bucket %}", "Key": "in.json"},
        },
        "ItemSelector": {
            "n": "{% $states.context.Map.Item.Value * $states.input.by %}",
            "at": "{% $states.context.Map.Item.Index %}",
        },
        "ItemBatcher": {
            "MaxItemsPerBatch": "{% 2 %}",
            "BatchInput": {"b": "{% $states.input.by %}"},
        },
        "ItemProcessor": {
            **inner,
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"},
        },
        "ResultWriter": {
            "Resource": "arn:aws:states:::s3:putObject",
            "Arguments": {"Bucket": "{% $states.input.bucket %}", "Prefix": "out"},
        },
        "Output": "{% $states.result.ResultWriterDetails.Key %}",
        "End": True,
    }
    key = output(aws, jsonata(M=state), {"bucket": bucket, "by": 10})
    manifest = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    (file,) = manifest["ResultFiles"]["SUCCEEDED"]
    results = json.loads(s3.get_object(Bucket=bucket, Key=file["Key"])["Body"].read())
    assert [json.loads(result["Output"]) for result in results] == [{"sum": 30}, {"sum": 30}]
    first = json.loads(results[0]["Input"])
    assert first == {"BatchInput": {"b": 10}, "Items": [{"n": 10, "at": 0}, {"n": 20, "at": 1}]}


def test_a_distributed_map_in_jsonata_takes_the_states_input(aws: Aws) -> None:
    inner = flow(I=passing(Output="{% $states.input * 2 %}"))
    state = {
        "Type": "Map",
        "Items": "{% $states.input.rows %}",
        "ItemProcessor": {
            **inner,
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        },
        "ToleratedFailureCount": "{% 1 %}",
        "End": True,
    }
    assert output(aws, jsonata(M=state), {"rows": [1, 2]}) == [2, 4]


# Task tokens


def asking(queue: str, **more: Any) -> dict[str, Any]:
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        "Parameters": {"QueueUrl": queue, "MessageBody.$": "$$.Task.Token"},
        "End": True,
        **more,
    }


def test_a_token_is_answered_once_while_its_task_waits(aws: Aws) -> None:
    states = aws.client("stepfunctions")
    queue, _ = aws.queue()
    catch = [{"ErrorEquals": ["Refused"], "Next": "C"}]
    machine = aws.state_machine(flow(T=asking(queue, Catch=catch), C=passing()))
    arn = states.start_execution(stateMachineArn=machine)["executionArn"]
    token = aws.message(queue)["Body"]
    for text in ("{no", '{"a": NaN}'):
        assert error_code(states.send_task_success, taskToken=token, output=text) == "InvalidOutput"
    states.send_task_heartbeat(taskToken=token)
    assert states.describe_execution(executionArn=arn)["status"] == "RUNNING"
    states.send_task_failure(taskToken=token, error="Refused", cause="by hand")
    ended = aws.wait(arn)
    assert json.loads(ended["output"]) == {"Error": "Refused", "Cause": "by hand"}
    for call, more in (
        (states.send_task_success, {"output": "1"}),
        (states.send_task_failure, {}),
        (states.send_task_heartbeat, {}),
    ):
        assert error_code(call, taskToken=token, **more) == "TaskTimedOut"
        assert error_code(call, taskToken="nobodys", **more) == "InvalidToken"


def test_a_token_is_too_late_after_a_timeout_and_after_a_stop(aws: Aws) -> None:
    states = aws.client("stepfunctions")
    queue, _ = aws.queue()
    catch = [{"ErrorEquals": ["States.Timeout"], "Next": "W"}]
    wait = {"Type": "Wait", "Seconds": 60, "End": True}
    machine = aws.state_machine(flow(T=asking(queue, Catch=catch, TimeoutSeconds=1), W=wait))
    arn = states.start_execution(stateMachineArn=machine)["executionArn"]
    token = aws.message(queue)["Body"]
    aws.eventually(
        lambda: (
            any(event["type"] == "WaitStateEntered" for event in events(aws, {"executionArn": arn}))
            or None
        )
    )
    assert error_code(states.send_task_success, taskToken=token, output="1") == "TaskTimedOut"
    states.stop_execution(executionArn=arn)
    machine = aws.state_machine(flow(T=asking(queue)))
    arn = states.start_execution(stateMachineArn=machine)["executionArn"]
    token = aws.message(queue)["Body"]
    states.stop_execution(executionArn=arn)
    assert error_code(states.send_task_success, taskToken=token, output="1") == "TaskTimedOut"


def test_each_try_has_a_token_of_its_own(aws: Aws) -> None:
    states = aws.client("stepfunctions")
    queue, _ = aws.queue()
    retry = [{"ErrorEquals": ["Again"], "IntervalSeconds": 1, "MaxAttempts": 1}]
    machine = aws.state_machine(flow(T=asking(queue, Retry=retry)))
    arn = states.start_execution(stateMachineArn=machine)["executionArn"]
    states.send_task_failure(taskToken=aws.message(queue)["Body"], error="Again")
    states.send_task_success(taskToken=aws.message(queue)["Body"], output='{"try": 2}')
    assert json.loads(aws.wait(arn)["output"]) == {"try": 2}


# Listings


def test_executions_are_listed_of_a_state_machine_or_of_a_map_run(aws: Aws) -> None:
    states = aws.client("stepfunctions")
    assert error_code(states.list_executions) == "ValidationException"


def test_an_event_of_a_status_has_its_version_and_alias_though_they_are_null(aws: Aws) -> None:
    url, arn = aws.queue()
    lets = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
    }
    aws.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy(lets)})
    machine, rule, events = (
        aws.state_machine(flow(P=passing())),
        unique("status"),
        aws.client("events"),
    )
    detail = {"stateMachineArn": [machine], "status": ["SUCCEEDED"]}
    events.put_rule(
        Name=rule, EventPattern=json.dumps({"source": ["aws.states"], "detail": detail})
    )
    events.put_targets(Rule=rule, Targets=[{"Id": "q", "Arn": arn}])
    aws.run(machine)
    found = json.loads(aws.message(url)["Body"])["detail"]
    for field in (
        "stateMachineVersionArn",
        "stateMachineAliasArn",
        "redriveDate",
        "error",
        "cause",
    ):
        assert field in found and found[field] is None
    assert found["redriveCount"] == 0
