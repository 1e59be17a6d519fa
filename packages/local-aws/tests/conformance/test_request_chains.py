"""Loops among functions, queues, topics, buckets, rules and state machines come to an end."""

import json
from typing import Any

import pytest

from local_aws.core.request_chains import MAX_INVOCATIONS, Chain
from local_aws.testing.aws import ACCOUNT, REGION, Aws, unique
from local_aws.testing.refusals import error_code

COUNTS = """
import os, boto3

def handler(event, context):
    boto3.client("sqs").send_message(QueueUrl=os.environ["SEEN"], MessageBody="seen")
    %s
"""
TRACE = """
import os

def handler(event, context):
    return os.environ["_X_AMZN_TRACE_ID"]
"""


class Loop:
    """A function that counts its invocations, and where its undelivered events go."""

    def __init__(self, aws: Aws, again: str) -> None:
        self.aws, self.functions, self.name = aws, aws.client("lambda"), unique("loop")
        self.arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{self.name}"
        self.seen, _ = aws.queue()
        self.dead, dead_arn = aws.queue()
        self.queue, self.queue_arn = aws.queue()
        redrive = {"deadLetterTargetArn": dead_arn, "maxReceiveCount": 5}
        self.sqs = aws.client("sqs")
        self.sqs.set_queue_attributes(
            QueueUrl=self.queue, Attributes={"RedrivePolicy": json.dumps(redrive)}
        )
        aws.function(
            COUNTS % again,
            FunctionName=self.name,
            Environment={"Variables": {"SEEN": self.seen, "QUEUE": self.queue}},
            DeadLetterConfig={"TargetArn": dead_arn},
        )

    def count(self) -> int:
        attribute = "ApproximateNumberOfMessages"
        found = self.sqs.get_queue_attributes(QueueUrl=self.seen, AttributeNames=[attribute])
        return int(found["Attributes"][attribute])

    def let_in(self, service: str) -> None:
        self.functions.add_permission(
            FunctionName=self.name,
            StatementId=service,
            Action="lambda:InvokeFunction",
            Principal=f"{service}.amazonaws.com",
        )


TO_QUEUE = 'boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE"], MessageBody="again")'


def test_a_function_that_sends_to_its_own_queue_runs_16_times(aws: Aws) -> None:
    loop = Loop(aws, TO_QUEUE)
    loop.functions.create_event_source_mapping(
        EventSourceArn=loop.queue_arn, FunctionName=loop.name
    )
    loop.sqs.send_message(QueueUrl=loop.queue, MessageBody="first")
    assert aws.message(loop.dead)["Body"] == "again"
    assert loop.count() == MAX_INVOCATIONS


def test_a_function_that_may_loop_is_not_stopped(aws: Aws) -> None:
    loop = Loop(aws, f"{TO_QUEUE} if event['Records'][0]['body'] != 'end' else None")
    loop.functions.put_function_recursion_config(FunctionName=loop.name, RecursiveLoop="Allow")
    loop.functions.create_event_source_mapping(
        EventSourceArn=loop.queue_arn, FunctionName=loop.name
    )
    loop.sqs.send_message(QueueUrl=loop.queue, MessageBody="first")
    aws.eventually(lambda: loop.count() > MAX_INVOCATIONS + 2 or None)
    (mapping,) = loop.functions.list_event_source_mappings(FunctionName=loop.name)[
        "EventSourceMappings"
    ]
    loop.functions.delete_event_source_mapping(UUID=mapping["UUID"])


def test_a_function_that_invokes_itself_runs_16_times(aws: Aws) -> None:
    """The last event goes to the function's dead letters."""
    loop = Loop(
        aws,
        'boto3.client("lambda").invoke(FunctionName=context.function_name, InvocationType="Event")',
    )
    loop.functions.invoke(FunctionName=loop.name, InvocationType="Event")
    assert aws.message(loop.dead)["MessageAttributes"]["ErrorCode"]
    assert loop.count() == MAX_INVOCATIONS


def test_a_function_that_waits_for_itself_is_refused_the_17th_time(aws: Aws) -> None:
    """https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html"""
    name, client = aws.function(TRACE), aws.client("lambda")
    sent = [""]

    def send(request: Any, **_: Any) -> None:
        request.headers["X-Amzn-Trace-Id"] = sent[0]

    client.meta.events.register("before-send.lambda.Invoke", send)
    try:
        for _ in range(MAX_INVOCATIONS):
            sent[0] = json.load(client.invoke(FunctionName=name)["Payload"])
        assert error_code(client.invoke, FunctionName=name) == "RecursiveInvocationException"
    finally:  # other tests have the same client
        client.meta.events.unregister("before-send.lambda.Invoke", send)


def test_a_function_that_publishes_to_its_own_topic_runs_16_times(aws: Aws) -> None:
    topic = aws.client("sns").create_topic(Name=unique("t"))["TopicArn"]
    loop = Loop(aws, f'boto3.client("sns").publish(TopicArn="{topic}", Message="again")')
    loop.let_in("sns")
    aws.client("sns").subscribe(TopicArn=topic, Protocol="lambda", Endpoint=loop.arn)
    aws.client("sns").publish(TopicArn=topic, Message="first")
    assert aws.message(loop.dead)["Body"]
    assert loop.count() == MAX_INVOCATIONS


def test_a_function_that_writes_to_its_own_bucket_runs_16_times(aws: Aws) -> None:
    bucket = unique("loop")
    aws.client("s3").create_bucket(Bucket=bucket)
    loop = Loop(aws, f'boto3.client("s3").put_object(Bucket="{bucket}", Key="k", Body=b"")')
    loop.let_in("s3")
    aws.client("s3").put_bucket_notification_configuration(
        Bucket=bucket,
        NotificationConfiguration={
            "LambdaFunctionConfigurations": [
                {"LambdaFunctionArn": loop.arn, "Events": ["s3:ObjectCreated:*"]}
            ]
        },
    )
    aws.client("s3").put_object(Bucket=bucket, Key="k", Body=b"")
    assert aws.message(loop.dead)["Body"]
    assert loop.count() == MAX_INVOCATIONS


def passed(header: str) -> list[int]:
    return sorted(Chain.parse(header).passed.values())


def chooses(again: dict[str, Any], function: str) -> dict[str, Any]:
    """A state machine that goes on `again` until its input's `n` is used up, then asks."""
    choice = {"Variable": "$.left", "IsPresent": True, "Next": "Choose"}
    return {
        "StartAt": "First",
        "States": {
            "First": {"Type": "Choice", "Choices": [choice], "Default": "Ask"},
            "Choose": {"Type": "Pass", "Next": "Again"},
            "Again": {**again, "Type": "Task", "End": True},
            "Ask": {"Type": "Task", "Resource": function, "End": True},
        },
    }


def test_executions_that_start_one_another_are_one_chain(aws: Aws) -> None:
    function = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{aws.function(TRACE)}"
    name = unique("m")
    arn = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{name}"
    again = {
        "Resource": "arn:aws:states:::states:startExecution.sync:2",
        "Parameters": {"StateMachineArn": arn, "Input.$": "$.left"},
        "OutputPath": "$.Output",
    }
    client = aws.client("stepfunctions")
    client.create_state_machine(
        name=name, definition=json.dumps(chooses(again, function)), roleArn=aws.role
    )
    three = json.dumps({"left": {"left": {"left": {}}}})
    started = client.start_execution(stateMachineArn=arn, input=three)["executionArn"]
    ended = aws.eventually(
        lambda: (
            found
            if (found := client.describe_execution(executionArn=started))["status"] != "RUNNING"
            else None
        )
    )
    assert ended["status"] == "SUCCEEDED", ended
    assert passed(json.loads(ended["output"])) == [1, 4]


def test_executions_that_a_rule_starts_at_the_end_of_others_are_one_chain(aws: Aws) -> None:
    """A rule on the events of the state machine that it starts."""
    events, client = aws.client("events"), aws.client("stepfunctions")
    function = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{aws.function(TRACE)}"
    machine = aws.state_machine(
        {"StartAt": "Ask", "States": {"Ask": {"Type": "Task", "Resource": function, "End": True}}}
    )
    pattern = {
        "source": ["aws.states"],
        "detail": {"stateMachineArn": [machine], "status": ["SUCCEEDED"]},
    }
    rule = unique("loop")
    events.put_rule(Name=rule, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=rule, Targets=[{"Id": "m", "Arn": machine, "RoleArn": aws.role}])
    client.start_execution(stateMachineArn=machine)

    def fifth() -> list[dict[str, Any]] | None:
        found = client.list_executions(stateMachineArn=machine, statusFilter="SUCCEEDED")
        return found["executions"] if len(found["executions"]) >= 5 else None

    aws.eventually(fifth)
    events.remove_targets(Rule=rule, Ids=["m"])
    events.delete_rule(Name=rule)
    ended = sorted(fifth() or [], key=lambda one: one["stopDate"])
    outputs = [
        client.describe_execution(executionArn=one["executionArn"])["output"] for one in ended[:5]
    ]
    headers = [Chain.parse(json.loads(output)) for output in outputs]
    assert len({one.root for one in headers}) == 1
    assert [sorted(one.passed.values()) for one in headers] == [[1, n] for n in range(1, 6)]


@pytest.mark.parametrize("setting", ["Allow", "Terminate"])
def test_the_setting_of_a_function_is_answered(aws: Aws, setting: str) -> None:
    """https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionRecursionConfig.html"""
    client, name = aws.client("lambda"), aws.function(TRACE)
    assert client.get_function_recursion_config(FunctionName=name)["RecursiveLoop"] == "Terminate"
    client.put_function_recursion_config(FunctionName=name, RecursiveLoop=setting)
    assert client.get_function_recursion_config(FunctionName=name)["RecursiveLoop"] == setting
    put = client.put_function_recursion_config
    assert error_code(put, FunctionName=unique("none"), RecursiveLoop=setting) == (
        "ResourceNotFoundException"
    )
    wrong = error_code(put, FunctionName=name, RecursiveLoop="Never")
    assert wrong in ("ValidationException", "InvalidParameterValueException")


def test_functions_that_log_for_one_another_are_one_chain(aws: Aws) -> None:
    """A subscription filter on a function's log group invokes another function."""
    functions, logs = aws.client("lambda"), aws.client("logs")
    seen, _ = aws.queue()
    tells = (
        'boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE"], '
        'MessageBody=os.environ["_X_AMZN_TRACE_ID"]); print("told")'
    )
    first, second = unique("first"), unique("second")
    for name in (first, second):
        aws.function(
            COUNTS % tells,
            FunctionName=name,
            Environment={"Variables": {"SEEN": aws.queue()[0], "QUEUE": seen}},
        )
        functions.add_permission(
            FunctionName=name,
            StatementId="logs",
            Action="lambda:InvokeFunction",
            Principal="logs.amazonaws.com",
        )
    group = f"/aws/lambda/{first}"
    logs.create_log_group(logGroupName=group)
    logs.put_subscription_filter(
        logGroupName=group,
        filterName="f",
        filterPattern="told",
        destinationArn=f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{second}",
    )
    functions.invoke(FunctionName=first)
    headers = []
    for _ in range(2):
        message = aws.message(seen)
        aws.client("sqs").delete_message(QueueUrl=seen, ReceiptHandle=message["ReceiptHandle"])
        headers.append(Chain.parse(message["Body"]))
    once, twice = sorted(headers, key=lambda chain: len(chain.passed))
    assert twice.root == once.root
    assert (len(twice.passed), len(twice.lineage)) == (2, 1)
