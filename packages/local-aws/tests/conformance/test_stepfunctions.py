"""Step Functions, case by case, against its Developer Guide and API reference."""

import json
import time
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from local_aws.testing.aws import REGION, Aws, policy, unique

PASS = {"P": {"Type": "Pass", "End": True}}
ECHO = "def handler(event, context):\n    return event\n"


def flow(states: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"StartAt": next(iter(states)), "States": states, **more}


def task(resource: str, parameters: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    state = {"Type": "Task", "Resource": f"arn:aws:states:::{resource}", **more}
    if parameters is not None:
        state["Parameters"] = parameters
    return flow({"T": {"End": True, **state}})


def output(ended: dict[str, Any]) -> Any:
    assert ended["status"] == "SUCCEEDED", (ended.get("error"), ended.get("cause"))
    return json.loads(ended["output"])


def kinds(aws: Aws, ended: dict[str, Any]) -> list[str]:
    pages = aws.client("stepfunctions").get_paginator("get_execution_history")
    history = pages.paginate(executionArn=ended["executionArn"]).build_full_result()["events"]
    return [event["type"] for event in history]


@pytest.fixture(scope="module")
def sync(aws: Aws) -> Any:
    """A client that does not put `sync-` before the address, which no resolver knows."""
    return boto3.client(
        "stepfunctions",
        endpoint_url=aws.local.endpoint_url,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(inject_host_prefix=False, retries={"total_max_attempts": 1}),
    )


# Express executions


def test_a_synchronous_express_execution_answers_with_its_outcome(aws: Aws, sync: Any) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartSyncExecution.html"""
    machine = aws.state_machine(flow(PASS), type="EXPRESS")
    ended = sync.start_sync_execution(stateMachineArn=machine, name="one", input='{"a": 1}')
    assert (ended["status"], ended["output"], ended["name"]) == ("SUCCEEDED", '{"a":1}', "one")
    assert ended["stateMachineArn"] == machine
    assert ended["executionArn"].startswith(machine.replace(":stateMachine:", ":express:"))
    assert ended["billingDetails"]["billedDurationInMilliseconds"] % 100 == 0
    assert ended["startDate"] <= ended["stopDate"]


def test_a_synchronous_express_execution_reports_its_failure(aws: Aws, sync: Any) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartSyncExecution.html"""
    fail = {"F": {"Type": "Fail", "Error": "Own", "Cause": "why"}}
    machine = aws.state_machine(flow(fail), type="EXPRESS")
    ended = sync.start_sync_execution(stateMachineArn=machine)
    assert (ended["status"], ended["error"], ended["cause"]) == ("FAILED", "Own", "why")
    slow = flow({"W": {"Type": "Wait", "Seconds": 9, "End": True}}, TimeoutSeconds=1)
    ended = sync.start_sync_execution(stateMachineArn=aws.state_machine(slow, type="EXPRESS"))
    assert ended["status"] == "TIMED_OUT"


def test_a_standard_state_machine_cannot_be_started_synchronously(aws: Aws, sync: Any) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartSyncExecution.html"""
    with pytest.raises(sync.exceptions.StateMachineTypeNotSupported):
        sync.start_sync_execution(stateMachineArn=aws.state_machine(flow(PASS)))


def test_an_alias_of_an_express_state_machine_can_be_started_synchronously(
    aws: Aws, sync: Any
) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/concepts-state-machine-alias.html"""
    machine = aws.state_machine(flow(PASS), type="EXPRESS", publish=True)
    routes = [{"stateMachineVersionArn": f"{machine}:1", "weight": 100}]
    made = sync.create_state_machine_alias(name="live", routingConfiguration=routes)
    alias = made["stateMachineAliasArn"]
    ended = sync.start_sync_execution(stateMachineArn=alias, input="3")
    assert (ended["output"], ended["stateMachineArn"]) == ("3", machine)


def test_an_express_execution_cannot_be_asked_about(aws: Aws) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/apireference/API_DescribeExecution.html"""
    states = aws.client("stepfunctions")
    machine = aws.state_machine(flow(PASS), type="EXPRESS")
    arn = states.start_execution(stateMachineArn=machine, name="same")["executionArn"]
    again = states.start_execution(stateMachineArn=machine, name="same")["executionArn"]
    assert ":express:" in arn and again != arn
    for call in (states.describe_execution, states.get_execution_history, states.stop_execution):
        with pytest.raises(states.exceptions.InvalidArn, match="express"):
            call(executionArn=arn)
    with pytest.raises(states.exceptions.StateMachineTypeNotSupported):
        states.list_executions(stateMachineArn=machine)


# What a definition must not have


@pytest.mark.parametrize(
    ("definition", "kind", "said"),
    [
        (task("batch:submitJob"), "STANDARD", "batch"),
        (task("sagemaker:createEndpoint.sync"), "STANDARD", "createEndpoint"),
        (task("states:startExecution.sync:2"), "EXPRESS", r"Express .* '.sync:2'"),
        (task("sqs:sendMessage.waitForTaskToken"), "EXPRESS", "waitForTaskToken"),
        (
            flow({"P": {"Type": "Pass", "QueryLanguage": "JSONata", "Output": "{% ( %}"}}),
            "STANDARD",
            "INVALID_JSONATA_EXPRESSION",
        ),
    ],
)
def test_what_cannot_run_is_refused_at_its_creation_its_update_and_its_validation(
    aws: Aws, definition: dict[str, Any], kind: str, said: str
) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/apireference/API_CreateStateMachine.html"""
    states, text = aws.client("stepfunctions"), json.dumps(definition)
    with pytest.raises(states.exceptions.InvalidDefinition, match=said):
        aws.state_machine(definition, type=kind)
    machine = aws.state_machine(flow(PASS), type=kind)
    with pytest.raises(states.exceptions.InvalidDefinition, match=said):
        states.update_state_machine(stateMachineArn=machine, definition=text)
    found = states.validate_state_machine_definition(definition=text, type=kind)
    assert found["result"] == "FAIL"


# Service integrations


def test_a_child_execution_is_started_and_waited_for(aws: Aws) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/connect-stepfunctions.html"""
    child = aws.state_machine(flow({"P": {"Type": "Pass", "Result": {"n": 1}, "End": True}}))
    given = {"StateMachineArn": child, "Input": {"a": 1}}
    started = output(aws.run(aws.state_machine(task("states:startExecution", given)), {}))
    assert started["ExecutionArn"].startswith(child.replace(":stateMachine:", ":execution:"))
    waited = output(aws.run(aws.state_machine(task("states:startExecution.sync", given)), {}))
    assert waited["Output"] == '{"n":1}'
    waited = output(aws.run(aws.state_machine(task("states:startExecution.sync:2", given)), {}))
    assert (waited["Output"], waited["Input"], waited["Status"]) == (
        {"n": 1},
        {"a": 1},
        "SUCCEEDED",
    )


def test_a_failed_child_execution_fails_its_task(aws: Aws) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/connect-stepfunctions.html"""
    child = aws.state_machine(flow({"F": {"Type": "Fail", "Error": "Own"}}))
    ended = aws.run(
        aws.state_machine(task("states:startExecution.sync:2", {"StateMachineArn": child})), {}
    )
    assert ended["error"] == "States.TaskFailed"
    assert json.loads(ended["cause"])["Error"] == "Own"


def test_stopping_an_execution_stops_the_child_that_it_waits_for(aws: Aws) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/connect-to-resource.html#connect-sync"""
    states = aws.client("stepfunctions")
    child = aws.state_machine(flow({"W": {"Type": "Wait", "Seconds": 60, "End": True}}))
    machine = aws.state_machine(task("states:startExecution.sync:2", {"StateMachineArn": child}))
    arn = states.start_execution(stateMachineArn=machine)["executionArn"]
    aws.eventually(lambda: states.list_executions(stateMachineArn=child)["executions"] or None)
    states.stop_execution(executionArn=arn)
    assert aws.wait(arn)["status"] == "ABORTED"
    aws.eventually(
        lambda: (
            states.list_executions(stateMachineArn=child, statusFilter="ABORTED")["executions"]
            or None
        )
    )


def test_a_message_is_sent_to_a_queue(aws: Aws) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/connect-sqs.html"""
    sqs = aws.client("sqs")
    queue = sqs.create_queue(QueueName=unique("q"))["QueueUrl"]
    machine = aws.state_machine(task("sqs:sendMessage", {"QueueUrl": queue, "MessageBody.$": "$"}))
    sent = output(aws.run(machine, {"a": 1}))
    (message,) = sqs.receive_message(QueueUrl=queue)["Messages"]
    assert json.loads(message["Body"]) == {"a": 1}
    assert (sent["MessageId"], sent["MD5OfMessageBody"]) == (
        message["MessageId"],
        message["MD5OfBody"],
    )


def test_an_optimized_integration_puts_out_what_its_response_said_of_itself(aws: Aws) -> None:
    """As recorded outputs have it; of `.sync` and `aws-sdk` integrations nothing is added."""
    name, (topic, _), (queue, _) = aws.function(ECHO), aws.topic(), aws.queue()
    child = aws.state_machine({"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}})
    table = unique("table")
    aws.client("dynamodb").create_table(
        TableName=table,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    entry = {"Source": "s", "DetailType": "d", "Detail": {}}
    calls: dict[str, dict[str, Any]] = {
        "lambda:invoke": {"FunctionName": name, "Payload": {}},
        "sqs:sendMessage": {"QueueUrl": queue, "MessageBody": "m"},
        "sns:publish": {"TopicArn": topic, "Message": "m"},
        "events:putEvents": {"Entries": [entry]},
        "dynamodb:putItem": {"TableName": table, "Item": {"id": {"S": "1"}}},
        "states:startExecution": {"StateMachineArn": child},
    }
    for action, parameters in calls.items():
        found = output(aws.run(aws.state_machine(task(action, parameters)), {}))
        http, request = found["SdkHttpMetadata"], found["SdkResponseMetadata"]["RequestId"]
        assert http["HttpStatusCode"] == 200
        assert http["HttpHeaders"]["x-amzn-RequestId"] == request != ""
        assert http["AllHttpHeaders"] == {n: [text] for n, text in http["HttpHeaders"].items()}
    assert http["HttpHeaders"]["Content-Type"].startswith("application/")


@pytest.mark.parametrize(
    ("action", "parameters"),
    [("aws-sdk:sqs:listQueues", {}), ("states:startExecution.sync:2", None)],
)
def test_other_integrations_put_out_the_response_alone(
    aws: Aws, action: str, parameters: dict[str, Any] | None
) -> None:
    child = aws.state_machine({"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}})
    given = {"StateMachineArn": child} if parameters is None else parameters
    found = output(aws.run(aws.state_machine(task(action, given)), {}))
    assert not {"SdkHttpMetadata", "SdkResponseMetadata"} & found.keys()


def test_a_message_is_published_to_a_topic(aws: Aws) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/connect-sns.html"""
    topic, queue = aws.topic()
    machine = aws.state_machine(task("sns:publish", {"TopicArn": topic, "Message": {"a": 1}}))
    assert output(aws.run(machine, {}))["MessageId"]
    assert json.loads(json.loads(aws.message(queue)["Body"])["Message"]) == {"a": 1}


def test_an_item_is_put_into_a_table_and_a_failed_condition_has_its_name(aws: Aws) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/connect-ddb.html"""
    dynamodb, table = aws.client("dynamodb"), unique("table")
    dynamodb.create_table(
        TableName=table,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    given = {
        "TableName": table,
        "Item": {"id": {"S.$": "$.id"}},
        "ConditionExpression": "attribute_not_exists(id)",
    }
    machine = aws.state_machine(task("dynamodb:putItem", given))
    put = output(aws.run(machine, {"id": "a"}))
    assert put.keys() == {"SdkHttpMetadata", "SdkResponseMetadata"}
    found = dynamodb.get_item(TableName=table, Key={"id": {"S": "a"}})
    assert found["Item"] == {"id": {"S": "a"}}
    ended = aws.run(machine, {"id": "a"})
    assert ended["error"] == "DynamoDB.ConditionalCheckFailedException"


def test_an_event_is_put_on_a_bus_with_the_execution_as_its_resource(aws: Aws) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/connect-eventbridge.html"""
    events = aws.client("events")
    queue, arn = aws.queue()
    may_send = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
    }
    aws.client("sqs").set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy(may_send)})
    source, rule = unique("own"), unique("rule")
    events.put_rule(Name=rule, EventPattern=json.dumps({"source": [source]}))
    events.put_targets(Rule=rule, Targets=[{"Id": "q", "Arn": arn}])
    entry = {"Source": source, "DetailType": "Done", "Detail": {"n.$": "$.n"}}
    machine = aws.state_machine(task("events:putEvents", {"Entries": [entry]}))
    ended = aws.run(machine, {"n": 1})
    assert output(ended)["FailedEntryCount"] == 0
    event = json.loads(aws.message(queue)["Body"])
    assert event["detail"] == {"n": 1}
    assert event["resources"] == [machine, ended["executionArn"]]


@pytest.mark.parametrize(
    ("resource", "parameters", "error"),
    [
        (
            "sqs:sendMessage",
            {"QueueUrl": "http://127.0.0.1/123456789012/nobody", "MessageBody": "x"},
            "SQS.QueueDoesNotExistException",
        ),
        (
            "sns:publish",
            {"TopicArn": "arn:aws:sns:us-east-1:123456789012:nobody", "Message": "x"},
            "SNS.NotFoundException",
        ),
        (
            "dynamodb:putItem",
            {"TableName": "nobody", "Item": {"id": {"S": "a"}}},
            "DynamoDB.ResourceNotFoundException",
        ),
        (
            "states:startExecution",
            {"StateMachineArn": "arn:aws:states:us-east-1:123456789012:stateMachine:nobody"},
            "StepFunctions.StateMachineDoesNotExistException",
        ),
        (
            "aws-sdk:s3:getObject",
            {"Bucket": "nobody-has-this-bucket", "Key": "k"},
            "S3.NoSuchBucketException",
        ),
        (
            "sagemaker:createEndpoint",
            {"EndpointName": "e", "EndpointConfigName": "nobody"},
            "SageMaker.AmazonSageMakerException",
        ),
    ],
)
def test_a_services_error_has_the_name_that_retry_and_catch_expect(
    aws: Aws, resource: str, parameters: dict[str, Any], error: str
) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html"""
    ended = aws.run(aws.state_machine(task(resource, parameters)), {})
    assert (ended["status"], ended["error"]) == ("FAILED", error), ended["cause"]


@pytest.mark.parametrize(
    ("resource", "parameters", "error"),
    [
        (
            "events:putEvents",
            {"Entries": [{"Source": "s", "DetailType": "d", "Detail": {}}]},
            "EventBridge.AmazonEventBridgeException",
        ),
        (
            "sqs:sendMessage",
            {"QueueUrl": "http://127.0.0.1/123456789012/any", "MessageBody": "x"},
            "SQS.AmazonSQSException",
        ),
        (
            "states:startExecution",
            {"StateMachineArn": "arn:aws:states:us-east-1:123456789012:stateMachine:any"},
            "StepFunctions.AWSStepFunctionsException",
        ),
    ],
)
def test_every_task_acts_with_the_state_machines_role(
    aws: Aws, resource: str, parameters: dict[str, Any], error: str
) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/procedure-create-iam-role.html"""
    role = aws.role_with({"Effect": "Allow", "Action": "s3:*", "Resource": "*"})
    ended = aws.run(aws.state_machine(task(resource, parameters), roleArn=role), {})
    assert ended["error"] == error
    assert "is not authorized to perform" in ended["cause"]


@pytest.mark.parametrize("given", ["RoleArn", "RoleArn.$"])
def test_a_task_takes_another_role_only_as_both_roles_allow(aws: Aws, given: str) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/concepts-access-cross-acct-resources.html"""
    reading = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    taking = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}
    role, other = aws.role_with(taking), aws.role_with(reading, services=["lambda"])
    value = "$.role" if given.endswith("$") else other
    definition = task("aws-sdk:s3:listBuckets", {}, Credentials={given: value})
    machine = aws.state_machine(definition, roleArn=role)
    refused = aws.run(machine, {"role": other})
    assert refused["error"] == "States.Permissions"
    assert "sts:AssumeRole" in refused["cause"]
    trust = {"Effect": "Allow", "Principal": {"AWS": role}, "Action": "sts:AssumeRole"}
    aws.client("iam").update_assume_role_policy(
        RoleName=other.rpartition("/")[2], PolicyDocument=policy(trust)
    )
    assert "Buckets" in output(aws.run(machine, {"role": other}))


def test_a_function_is_not_called_with_a_role_that_the_state_machine_may_not_take(
    aws: Aws,
) -> None:
    name = aws.function(ECHO)
    arn = aws.client("lambda").get_function(FunctionName=name)["Configuration"]["FunctionArn"]
    other = aws.role_with({"Effect": "Allow", "Action": "lambda:*", "Resource": "*"})
    state = {"Type": "Task", "Resource": arn, "Credentials": {"RoleArn": other}, "End": True}
    machine = aws.state_machine(flow({"T": state}), roleArn=aws.role_with())
    assert aws.run(machine, {})["error"] == "States.Permissions"


def test_an_sdk_integration_takes_and_gives_names_in_pascal_case(aws: Aws) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/supported-services-awssdk.html"""
    bucket = unique("sdk")
    aws.client("s3").create_bucket(Bucket=bucket)
    aws.client("s3").put_object(Bucket=bucket, Key="k", Body=b"text")
    found = output(
        aws.run(aws.state_machine(task("aws-sdk:s3:getObject", {"Bucket": bucket, "Key": "k"})), {})
    )
    assert found["Body"] == "text" and found["LastModified"].endswith("Z")


def test_an_sdk_integration_of_lambda_gives_the_payload_as_a_text(aws: Aws) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/supported-services-awssdk.html"""
    function = aws.function("def handler(event, context):\n    return {'answer': 1}\n")
    invoking = aws.state_machine(task("aws-sdk:lambda:invoke", {"FunctionName": function}))
    found = output(aws.run(invoking, {}))
    assert found["StatusCode"] == 200
    assert json.loads(found["Payload"]) == {"answer": 1}
    # The execution's records are saved, so other state machines can be made.
    assert aws.state_machine({"StartAt": "S", "States": {"S": {"Type": "Succeed"}}})


# Timeouts


def test_a_tasks_timeout_and_heartbeat_have_their_names(aws: Aws) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html"""
    queue = aws.client("sqs").create_queue(QueueName=unique("q"))["QueueUrl"]
    given = {"QueueUrl": queue, "MessageBody.$": "$$.Task.Token"}
    waiting = "sqs:sendMessage.waitForTaskToken"
    ended = aws.run(aws.state_machine(task(waiting, given, TimeoutSecondsPath="$.t")), {"t": 1})
    assert ended["error"] == "States.Timeout"
    machine = aws.state_machine(task(waiting, given, TimeoutSeconds=30, HeartbeatSeconds=1))
    assert aws.run(machine, {})["error"] == "States.HeartbeatTimeout"
    catch = [{"ErrorEquals": ["States.Timeout"], "Next": "C"}]
    definition = task(waiting, given, HeartbeatSeconds=1, Catch=catch)
    definition["States"]["C"] = {"Type": "Pass", "Result": "caught", "End": True}
    assert output(aws.run(aws.state_machine(definition), {})) == "caught"


def test_a_state_machines_timeout_does_not_wait_for_the_task_at_hand(aws: Aws) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/statemachine-structure.html"""
    slow = aws.function("import time\ndef handler(e, c):\n    time.sleep(25)\n", Timeout=30)
    definition = task("lambda:invoke", {"FunctionName": slow})
    machine = aws.state_machine({**definition, "TimeoutSeconds": 1})
    began = time.monotonic()
    ended = aws.run(machine, {})
    assert ended["status"] == "TIMED_OUT" and time.monotonic() - began < 20
    assert kinds(aws, ended)[-1] == "ExecutionTimedOut"


def test_stopping_does_not_wait_for_the_task_at_hand(aws: Aws) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/apireference/API_StopExecution.html"""
    states = aws.client("stepfunctions")
    slow = aws.function("import time\ndef handler(e, c):\n    time.sleep(25)\n", Timeout=30)
    machine = aws.state_machine(task("lambda:invoke", {"FunctionName": slow}))
    arn = states.start_execution(stateMachineArn=machine)["executionArn"]
    states.stop_execution(executionArn=arn, error="Own", cause="why")
    began = time.monotonic()
    ended = aws.wait(arn)
    assert (ended["status"], ended["error"]) == ("ABORTED", "Own")
    assert time.monotonic() - began < 20
    assert kinds(aws, ended)[-1] == "ExecutionAborted"


# Histories, logs and metrics


def test_a_history_is_returned_in_pages_in_either_order(aws: Aws) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/apireference/API_GetExecutionHistory.html"""
    states = aws.client("stepfunctions")
    arn = aws.run(aws.state_machine(flow(PASS)), {"a": 1})["executionArn"]
    first = states.get_execution_history(executionArn=arn, maxResults=3)
    rest = states.get_execution_history(executionArn=arn, nextToken=first["nextToken"])
    assert [event["id"] for event in first["events"] + rest["events"]] == [1, 2, 3, 4]
    last = states.get_execution_history(executionArn=arn, reverseOrder=True)["events"][0]
    assert last["type"] == "ExecutionSucceeded"
    bare = states.get_execution_history(executionArn=arn, includeExecutionData=False)["events"]
    assert "input" not in bare[0]["executionStartedEventDetails"]


def test_an_execution_fails_where_its_history_is_full(aws: Aws) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html"""
    processor = {"ItemProcessor": flow(PASS), "ItemsPath": "$", "Type": "Map", "End": True}
    machine = aws.state_machine(flow({"M": {**processor, "MaxConcurrency": 4}}))
    ended = aws.run(machine, [0] * 6500)
    assert (ended["status"], ended["error"]) == ("FAILED", "States.Runtime")
    assert "25000" in ended["cause"]


@pytest.mark.parametrize(
    "kept",
    [{}, {"Assign": {"text.$": "$.text"}, "OutputPath": "$.small"}],
    ids=["input", "variable"],
)
def test_a_history_of_more_data_than_is_kept_ends_its_execution(
    aws: Aws, kept: dict[str, Any]
) -> None:
    again = [{"Variable": "$.none", "IsPresent": False, "Next": "P"}]
    states = {
        "A": {"Type": "Pass", "Next": "P", **kept},
        "P": {"Type": "Pass", "Next": "C", **({"Assign": {"text.$": "$text"}} if kept else {})},
        "C": {"Type": "Choice", "Choices": again, "Default": "S"},
        "S": {"Type": "Succeed"},
    }
    given = {"text": "x" * 250_000, "small": {}}
    ended = aws.run(aws.state_machine(flow(states)), given, seconds=120)
    assert ended["error"] == "States.Runtime"
    assert "268,435,456 bytes" in ended["cause"]


def log_group(aws: Aws) -> str:
    name = f"/aws/vendedlogs/states/{unique('log')}"
    aws.client("logs").create_log_group(logGroupName=name)
    return name


def logging(group: str, level: str = "ALL", include: bool = True) -> dict[str, Any]:
    arn = f"arn:aws:logs:{REGION}:123456789012:log-group:{group}:*"
    destination = {"cloudWatchLogsLogGroup": {"logGroupArn": arn}}
    return {"level": level, "includeExecutionData": include, "destinations": [destination]}


def logged(aws: Aws, group: str, count: int) -> list[dict[str, Any]]:
    def found() -> list[dict[str, Any]] | None:
        events = aws.client("logs").filter_log_events(logGroupName=group)["events"]
        return events if len(events) >= count else None

    return [json.loads(event["message"]) for event in aws.eventually(found)]


@pytest.mark.parametrize("kind", ["STANDARD", "EXPRESS"])
def test_executions_are_logged(aws: Aws, kind: str) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html"""
    group = log_group(aws)
    machine = aws.state_machine(flow(PASS), type=kind, loggingConfiguration=logging(group))
    started = aws.client("stepfunctions").start_execution(stateMachineArn=machine, input="7")
    entries = logged(aws, group, 4)
    assert [entry["type"] for entry in entries] == [
        "ExecutionStarted",
        "PassStateEntered",
        "PassStateExited",
        "ExecutionSucceeded",
    ]
    assert {entry["execution_arn"] for entry in entries} == {started["executionArn"]}
    assert entries[0]["details"]["input"] == "7"
    assert [entry["previous_event_id"] for entry in entries] == ["0", "0", "2", "3"]
    (stream,) = aws.client("logs").describe_log_streams(logGroupName=group)["logStreams"]
    assert stream["logStreamName"].startswith(f"states/{machine.rsplit(':', 1)[-1]}/")


def test_a_level_of_error_logs_errors_only_and_data_only_where_it_is_included(aws: Aws) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html#cloudwatch-log-level"""
    group = log_group(aws)
    function = aws.function("def handler(e, c):\n    raise ValueError('no')\n")
    machine = aws.state_machine(
        task("lambda:invoke", {"FunctionName": function}),
        loggingConfiguration=logging(group, "ERROR", include=False),
    )
    aws.run(machine, {})
    entries = logged(aws, group, 2)
    assert [entry["type"] for entry in entries] == ["TaskFailed", "ExecutionFailed"]
    assert entries[0]["details"]["error"] == "ValueError"


def test_a_log_group_that_is_not_there_or_not_allowed_is_refused(aws: Aws) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/apireference/API_CreateStateMachine.html"""
    states = aws.client("stepfunctions")
    refused = states.exceptions.InvalidLoggingConfiguration
    with pytest.raises(refused, match="not found"):
        aws.state_machine(flow(PASS), loggingConfiguration=logging("/nobody"))
    role = aws.role_with({"Effect": "Allow", "Action": "s3:*", "Resource": "*"})
    with pytest.raises(refused, match="not authorized"):
        aws.state_machine(flow(PASS), loggingConfiguration=logging(log_group(aws)), roleArn=role)


def test_executions_are_measured(aws: Aws) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/procedure-cw-metrics.html"""
    machine = aws.state_machine(flow(PASS))
    ended = aws.run(machine, {})

    def total(name: str) -> float:
        found = aws.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/States",
            MetricName=name,
            Dimensions=[{"Name": "StateMachineArn", "Value": machine}],
            # Wide, as other cases advance the clock that the metric's time is taken from.
            StartTime=ended["startDate"].timestamp() - 86_400,
            EndTime=ended["startDate"].timestamp() + 400 * 86_400,
            Period=86_400,
            Statistics=["Sum"],
        )
        total: float = sum(point["Sum"] for point in found["Datapoints"])
        return total

    assert (total("ExecutionsStarted"), total("ExecutionsSucceeded")) == (1, 1)
    assert total("ExecutionsFailed") == 0 and total("ExecutionTime") > 0


def test_a_weighted_alias_starts_both_of_its_versions(aws: Aws) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/concepts-state-machine-alias.html"""
    states = aws.client("stepfunctions")
    machine = aws.state_machine(flow(PASS), publish=True)
    changed = json.dumps(flow({"P": {"Type": "Pass", "Result": "new", "End": True}}))
    states.update_state_machine(stateMachineArn=machine, definition=changed, publish=True)
    routes = [{"stateMachineVersionArn": f"{machine}:{n}", "weight": 50} for n in (1, 2)]
    alias = states.create_state_machine_alias(name="half", routingConfiguration=routes)
    found = set()
    for _ in range(40):
        found.add(aws.run(alias["stateMachineAliasArn"], {})["output"])
        if len(found) == 2:
            break
    assert found == {"{}", '"new"'}


def test_no_input_is_an_empty_object(aws: Aws) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html"""
    states = aws.client("stepfunctions")
    machine = aws.state_machine(flow(PASS))
    arn = states.start_execution(stateMachineArn=machine)["executionArn"]
    assert aws.wait(arn)["output"] == "{}"
    with pytest.raises(ClientError, match="InvalidExecutionInput"):
        states.start_execution(stateMachineArn=machine, input="{")


# SageMaker


def training(name: str, bucket: str, **more: Any) -> dict[str, Any]:
    data = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{bucket}/in/"}}
    return {
        "TrainingJobName": name,
        "AlgorithmSpecification": {
            "TrainingImage": f"123456789012.dkr.ecr.{REGION}.amazonaws.com/toy-classifier:1",
            "TrainingInputMode": "File",
        },
        "InputDataConfig": [{"ChannelName": "train", "DataSource": data}],
        "OutputDataConfig": {"S3OutputPath": f"s3://{bucket}/model"},
        "ResourceConfig": {
            "InstanceType": "ml.m5.large",
            "InstanceCount": 1,
            "VolumeSizeInGB": 1,
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        **more,
    }


@pytest.fixture(scope="module")
def trained_on(aws: Aws) -> str:
    bucket = unique("training")
    aws.client("s3").create_bucket(Bucket=bucket)
    aws.client("s3").put_object(Bucket=bucket, Key="in/one.png", Body=b"one")
    return bucket


def test_a_training_job_is_started_and_waited_for(aws: Aws, trained_on: str) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/connect-sagemaker.html"""
    name = unique("job")
    given = training(name, trained_on, RoleArn=aws.role)
    found = output(aws.run(aws.state_machine(task("sagemaker:createTrainingJob.sync", given)), {}))
    assert (found["TrainingJobName"], found["TrainingJobStatus"]) == (name, "Completed")
    assert found["ModelArtifacts"]["S3ModelArtifacts"].endswith("model.tar.gz")
    assert isinstance(found["CreationTime"], int)


def test_a_failed_training_job_fails_its_task_with_the_jobs_description(
    aws: Aws, trained_on: str
) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/connect-to-resource.html#connect-sync"""
    given = training(
        unique("job"), trained_on, RoleArn=aws.role, HyperParameters={"fail": "broken"}
    )
    ended = aws.run(aws.state_machine(task("sagemaker:createTrainingJob.sync", given)), {})
    assert ended["error"] == "States.TaskFailed"
    assert json.loads(ended["cause"])["TrainingJobStatus"] == "Failed"


def test_a_taken_name_has_the_services_own_error(aws: Aws, trained_on: str) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/connect-sagemaker.html"""
    given = training(unique("job"), trained_on, RoleArn=aws.role)
    machine = aws.state_machine(task("sagemaker:createTrainingJob.sync", given))
    output(aws.run(machine, {}))
    assert aws.run(machine, {})["error"].startswith("SageMaker.")


# States


def test_a_retry_by_class_name_waits_longer_each_time_within_its_jitter(aws: Aws) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html"""
    source = "class Busy(Exception): pass\ndef handler(e, c):\n    raise Busy('again')\n"
    retry = [
        {
            "ErrorEquals": ["Busy"],
            "IntervalSeconds": 1,
            "MaxAttempts": 2,
            "BackoffRate": 2,
            "MaxDelaySeconds": 2,
            "JitterStrategy": "FULL",
        }
    ]
    definition = task("lambda:invoke", {"FunctionName": aws.function(source)}, Retry=retry)
    ended = aws.run(aws.state_machine(definition), {})
    assert (ended["status"], ended["error"]) == ("FAILED", "Busy")
    assert json.loads(ended["cause"])["errorMessage"] == "again"
    assert kinds(aws, ended).count("TaskFailed") == 3


def test_the_branches_of_a_parallel_state_have_their_places_and_their_errors(aws: Aws) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/state-parallel.html"""
    wait = {"W": {"Type": "Wait", "Seconds": 1, "Next": "P"}, **PASS}
    second = flow({"Q": {"Type": "Pass", "Result": 2, "End": True}})
    state = {"Type": "Parallel", "Branches": [flow(wait), second], "End": True}
    assert output(aws.run(aws.state_machine(flow({"Both": state})), {"a": 1})) == [{"a": 1}, 2]
    broken = flow({"F": {"Type": "Fail", "Error": "Own", "Cause": "why"}})
    caught = {"ErrorEquals": ["Own"], "Next": "C", "ResultPath": "$.error"}
    state = {**state, "Branches": [flow(wait), broken], "Catch": [caught]}
    definition = flow({"Both": state, "C": {"Type": "Pass", "End": True}})
    found = output(aws.run(aws.state_machine(definition), {"a": 1}))
    assert found == {"a": 1, "error": {"Error": "Own", "Cause": "why"}}


def test_a_choice_without_a_match_has_its_own_error(aws: Aws) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/state-choice.html"""
    choices = [
        {
            "And": [
                {"Variable": "$.n", "IsNumeric": True},
                {"Not": {"Variable": "$.n", "NumericLessThan": 5}},
            ],
            "Next": "P",
        },
        {"Variable": "$.s", "StringMatches": "a*c", "Next": "P"},
    ]
    machine = aws.state_machine(flow({"C": {"Type": "Choice", "Choices": choices}, **PASS}))
    assert output(aws.run(machine, {"n": 5, "s": ""})) == {"n": 5, "s": ""}
    assert output(aws.run(machine, {"n": 1, "s": "abc"})) == {"n": 1, "s": "abc"}
    ended = aws.run(machine, {"n": 1, "s": "x"})
    assert (ended["status"], ended["error"]) == ("FAILED", "States.NoChoiceMatched")


def test_a_wait_takes_seconds_or_a_time_from_its_input(aws: Aws) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/state-wait.html"""
    states = {
        "S": {"Type": "Wait", "SecondsPath": "$.seconds", "Next": "T"},
        "T": {"Type": "Wait", "TimestampPath": "$.until", "End": True},
    }
    began = time.monotonic()
    ended = aws.run(
        aws.state_machine(flow(states)), {"seconds": 1, "until": "2020-01-01T00:00:00Z"}
    )
    assert ended["status"] == "SUCCEEDED"
    assert time.monotonic() - began >= 1


def test_one_failed_item_fails_an_inline_map_with_its_error(aws: Aws) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/state-map-inline.html"""
    choice = {"Variable": "$.n", "NumericEquals": 1, "Next": "F"}
    inner = flow(
        {
            "C": {"Type": "Choice", "Choices": [choice], "Default": "P"},
            "F": {"Type": "Fail", "Error": "Own"},
            **PASS,
        }
    )
    state = {"Type": "Map", "ItemProcessor": inner, "MaxConcurrency": 1, "End": True}
    ended = aws.run(aws.state_machine(flow({"M": state})), [{"n": 0}, {"n": 1}, {"n": 2}])
    assert (ended["status"], ended["error"]) == ("FAILED", "Own")
    found = kinds(aws, ended)
    assert found.count("MapIterationSucceeded") == 1 and found.count("MapIterationFailed") == 1
    assert "MapStateFailed" in found
