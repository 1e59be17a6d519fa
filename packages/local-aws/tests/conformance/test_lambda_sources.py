"""Functions that a queue or a topic runs, against AWS's pages."""

import json

import pytest

from local_aws.testing.aws import Aws

KEEPS = """
import json, os, boto3
def handler(event, context):
    boto3.client("sqs").send_message(QueueUrl=os.environ["OUT"], MessageBody=json.dumps(event))
"""


@pytest.fixture
def kept(aws: Aws) -> tuple[str, str]:
    """A function that puts each event into a queue, and that queue."""
    url, _ = aws.queue()
    return aws.function(KEEPS, Environment={"Variables": {"OUT": url}}), url


def test_a_queue_runs_a_function_with_its_messages(aws: Aws, kept: tuple[str, str]) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html"""
    name, out = kept
    source, arn = aws.queue()
    aws.client("lambda").create_event_source_mapping(FunctionName=name, EventSourceArn=arn)
    aws.client("sqs").send_message(QueueUrl=source, MessageBody="work")
    (record,) = json.loads(aws.message(out)["Body"])["Records"]
    assert (record["eventSource"], record["body"]) == ("aws:sqs", "work")
    assert record["eventSourceARN"] == arn


def test_a_topic_runs_a_function_that_lets_it(aws: Aws, kept: tuple[str, str]) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html"""
    name, out = kept
    sns, functions = aws.client("sns"), aws.client("lambda")
    topic = sns.create_topic(Name=name)["TopicArn"]
    arn = functions.get_function_configuration(FunctionName=name)["FunctionArn"]
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=arn)
    sns.publish(TopicArn=topic, Message="before the function let it")
    functions.add_permission(
        FunctionName=name,
        StatementId="topic",
        Action="lambda:InvokeFunction",
        Principal="sns.amazonaws.com",
        SourceArn=topic,
    )
    sns.publish(TopicArn=topic, Message="since", Subject="s")
    (record,) = json.loads(aws.message(out)["Body"])["Records"]
    assert record["EventSource"] == "aws:sns"
    assert (record["Sns"]["Message"], record["Sns"]["Subject"]) == ("since", "s")


def test_what_a_subscriber_does_not_let_in_goes_to_the_dead_letters(aws: Aws) -> None:
    """https://docs.aws.amazon.com/sns/latest/dg/sns-dead-letter-queues.html"""
    (topic, open_url), (shut_url, shut) = aws.topic(), aws.queue()
    sns, sqs = aws.client("sns"), aws.client("sqs")
    asked = {"QueueUrl": open_url, "AttributeNames": ["QueueArn", "Policy"]}
    dead = sqs.get_queue_attributes(**asked)["Attributes"]["QueueArn"]
    redrive = json.dumps({"deadLetterTargetArn": dead})
    sns.unsubscribe(
        SubscriptionArn=sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"][0][
            "SubscriptionArn"
        ]
    )
    sns.subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=shut, Attributes={"RedrivePolicy": redrive}
    )
    sns.publish(TopicArn=topic, Message="kept out")
    assert json.loads(aws.message(open_url)["Body"])["Message"] == "kept out"
    assert "Messages" not in sqs.receive_message(QueueUrl=shut_url)
