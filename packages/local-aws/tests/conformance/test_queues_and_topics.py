"""What SQS and SNS refuse, and what they hand on, against their API pages."""

import json
import socket
from typing import Any

import pytest

from local_aws.testing.aws import Aws, unique
from local_aws.testing.clock import Clock
from local_aws.testing.refusals import error_code

FULL = {"DataType": "String", "StringValue": "x"}


def new_queue(aws: Aws, name: str = "", **attributes: str) -> str:
    given = {key: str(value) for key, value in attributes.items()}
    made = aws.client("sqs").create_queue(QueueName=name or unique("q"), Attributes=given)
    url: str = made["QueueUrl"]
    return url


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("VisibilityTimeout", 43_201),
        ("VisibilityTimeout", -1),
        ("VisibilityTimeout", "soon"),
        ("MessageRetentionPeriod", 59),
        ("DelaySeconds", 901),
        ("ReceiveMessageWaitTimeSeconds", 21),
        ("MaximumMessageSize", 1_023),
    ],
)
def test_an_attribute_out_of_range_is_refused(aws: Aws, name: str, value: int | str) -> None:
    """https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html"""
    sqs, url = aws.client("sqs"), new_queue(aws)
    asked = {"Attributes": {name: str(value)}}
    wrong = "InvalidAttributeValue"
    assert error_code(sqs.create_queue, QueueName=unique("q"), **asked) == wrong
    assert error_code(sqs.set_queue_attributes, QueueUrl=url, **asked) == wrong


def test_an_attribute_that_queues_do_not_have_is_refused(aws: Aws) -> None:
    sqs = aws.client("sqs")
    asked = {"QueueName": unique("q"), "Attributes": {"Visibility": "5"}}
    assert error_code(sqs.create_queue, **asked) == "InvalidAttributeName"
    assert error_code(sqs.create_queue, QueueName=unique("q") + ".fifo") == "InvalidParameterValue"


@pytest.mark.parametrize(
    "policy",
    ["no JSON", "[]", json.dumps({"maxReceiveCount": 0}), json.dumps({"maxReceiveCount": 1})],
)
def test_a_redrive_policy_needs_a_queue_and_a_count(aws: Aws, policy: str) -> None:
    """https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html"""
    if policy.startswith("{"):
        arn = "arn:aws:sqs:us-east-1:123456789012:absent"
        policy = json.dumps({**json.loads(policy), "deadLetterTargetArn": arn})
    asked = {"QueueName": unique("q"), "Attributes": {"RedrivePolicy": policy}}
    assert error_code(aws.client("sqs").create_queue, **asked) == "InvalidParameterValue"


def test_a_message_that_a_queue_cannot_hold_is_refused(aws: Aws) -> None:
    """https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html"""
    sqs, url = aws.client("sqs"), new_queue(aws)

    def sent(body: str, **more: Any) -> str | None:
        return error_code(sqs.send_message, QueueUrl=url, MessageBody=body, **more)

    assert sent("") == "MissingParameter"
    assert sent("a\x00b") == "InvalidMessageContents"
    assert sent("m", MessageAttributes={f"a{n}": FULL for n in range(10)}) is None
    too_many = {f"a{n}": FULL for n in range(11)}
    assert sent("m", MessageAttributes=too_many) == "InvalidParameterValue"
    empty = {"a": {**FULL, "StringValue": ""}}
    assert sent("m", MessageAttributes=empty) == "InvalidParameterValue"


def test_a_duplicate_in_a_fifo_queue_has_the_ids_of_the_first(aws: Aws, clock: Clock) -> None:
    """https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/using-messagededuplicationid-property.html"""
    sqs, url = aws.client("sqs"), new_queue(aws, unique("q") + ".fifo", FifoQueue="true")
    asked = {"QueueUrl": url, "MessageGroupId": "g", "MessageDeduplicationId": "d"}

    def ids(answer: dict[str, Any]) -> tuple[str, str]:
        return answer["MessageId"], answer["SequenceNumber"]

    first = ids(sqs.send_message(**asked, MessageBody="one"))
    (found,) = sqs.receive_message(QueueUrl=url)["Messages"]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=found["ReceiptHandle"])
    assert ids(sqs.send_message(**asked, MessageBody="two")) == first
    assert "Messages" not in sqs.receive_message(QueueUrl=url)
    clock.advance(301)
    later = ids(sqs.send_message(**asked, MessageBody="three"))
    assert later[0] != first[0] and int(later[1]) > int(first[1])
    (found,) = sqs.receive_message(QueueUrl=url)["Messages"]
    assert found["Body"] == "three"


@pytest.mark.parametrize(
    "asked",
    [
        {"Message": ""},
        {"Message": "m", "Subject": "two\nlines"},
        {"Message": "m", "Subject": ""},
        {"Message": '{"sqs": "m"}', "MessageStructure": "json"},
        {"Message": "no JSON", "MessageStructure": "json"},
    ],
)
def test_what_a_topic_does_not_publish(aws: Aws, asked: dict[str, str]) -> None:
    """https://docs.aws.amazon.com/sns/latest/api/API_Publish.html"""
    sns = aws.client("sns")
    topic = sns.create_topic(Name=unique("t"))["TopicArn"]
    assert error_code(sns.publish, TopicArn=topic, **asked) == "InvalidParameter"


@pytest.mark.parametrize("policy", [[1], {"k": []}, {"k": [{"prefix": 1}]}])
def test_a_filter_policy_that_is_none_is_refused(aws: Aws, policy: Any) -> None:
    """https://docs.aws.amazon.com/sns/latest/dg/subscription-filter-policy-constraints.html"""
    topic, _ = aws.topic()
    sns = aws.client("sns")
    (made,) = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    asked = {"AttributeName": "FilterPolicy", "AttributeValue": json.dumps(policy)}
    found = error_code(
        sns.set_subscription_attributes, SubscriptionArn=made["SubscriptionArn"], **asked
    )
    assert found == "InvalidParameter"


def test_raw_delivery_that_is_false_is_not_raw_and_a_filter_may_ignore_case(aws: Aws) -> None:
    """https://docs.aws.amazon.com/sns/latest/dg/sns-large-payload-raw-message-delivery.html"""
    topic, url = aws.topic()
    sns = aws.client("sns")
    (made,) = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    settings = {
        "RawMessageDelivery": "false",
        "FilterPolicy": json.dumps({"kind": [{"equals-ignore-case": "Alarm"}]}),
    }
    for name, value in settings.items():
        sns.set_subscription_attributes(
            SubscriptionArn=made["SubscriptionArn"], AttributeName=name, AttributeValue=value
        )
    kind = {"kind": {"DataType": "String", "StringValue": "ALARM"}}
    sns.publish(TopicArn=topic, Message="hello", MessageAttributes=kind)
    assert json.loads(aws.message(url)["Body"])["Message"] == "hello"


def test_an_address_that_did_not_confirm_gets_nothing(aws: Aws) -> None:
    """https://docs.aws.amazon.com/sns/latest/dg/sns-http-https-endpoint-as-subscriber.html"""
    topic, queue = aws.topic()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        aws.client("sns").subscribe(TopicArn=topic, Protocol="http", Endpoint=url)
        aws.client("sns").publish(TopicArn=topic, Message="m")  # which would wait for an answer
        assert "m" in aws.message(queue)["Body"]
        with pytest.raises(BlockingIOError):
            listener.accept()


NO_POLICY = json.dumps(
    {"Statement": {"Effect": "deny", "Principal": "*", "Action": "*", "Resource": "*"}}
)


@pytest.mark.parametrize("text", ["5", "{}", NO_POLICY])
def test_a_text_that_is_no_policy_is_kept_by_no_service(aws: Aws, text: str) -> None:
    topic, url = aws.topic()
    sqs, sns, iam, kms = (aws.client(name) for name in ("sqs", "sns", "iam", "kms"))
    invalid = "InvalidAttributeValue"
    attributes = {"Policy": text}
    assert error_code(sqs.create_queue, QueueName=unique("q"), Attributes=attributes) == invalid
    assert error_code(sqs.set_queue_attributes, QueueUrl=url, Attributes=attributes) == invalid
    named = {"AttributeName": "Policy", "AttributeValue": text}
    assert error_code(sns.set_topic_attributes, TopicArn=topic, **named) == "InvalidParameter"
    assert (
        error_code(sns.create_topic, Name=unique("t"), Attributes=attributes) == "InvalidParameter"
    )
    malformed = "MalformedPolicyDocument"
    role = {"RoleName": unique("r"), "AssumeRolePolicyDocument": text}
    assert error_code(iam.create_role, **role) == malformed
    assert error_code(kms.create_key, Policy=text) == f"{malformed}Exception"


@pytest.mark.parametrize(
    ("protocol", "endpoint"),
    [
        ("lambda", "fn"),
        ("lambda", "arn:aws:lambda"),
        ("sqs", "arn:aws:sqs"),
        ("sqs", "arn:aws:sqs:moon-1:1:q"),
        ("pigeon", "x"),
    ],
)
def test_a_subscriber_that_nothing_can_be_handed_to_is_refused(
    aws: Aws, protocol: str, endpoint: str
) -> None:
    """https://docs.aws.amazon.com/sns/latest/api/API_Subscribe.html"""
    topic, _ = aws.topic()
    subscribe = aws.client("sns").subscribe
    given = {"TopicArn": topic, "Protocol": protocol, "Endpoint": endpoint}
    assert error_code(subscribe, **given) == "InvalidParameter"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FilterPolicy", "{"),
        ("FilterPolicy", "[" * 100_000),
        ("FilterPolicyScope", "Everything"),
        ("RedrivePolicy", "5"),
        ("RedrivePolicy", '{"deadLetterTargetArn": 5}'),
    ],
)
def test_an_attribute_at_which_messages_would_fail_is_refused(
    aws: Aws, name: str, value: str
) -> None:
    """https://docs.aws.amazon.com/sns/latest/api/API_SetSubscriptionAttributes.html"""
    topic, url = aws.topic()
    sns = aws.client("sns")
    (subscription,) = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    given = {"AttributeName": name, "AttributeValue": value}
    arn = subscription["SubscriptionArn"]
    assert (
        error_code(sns.set_subscription_attributes, SubscriptionArn=arn, **given)
        == "InvalidParameter"
    )
    sns.publish(TopicArn=topic, Message="m")
    assert json.loads(aws.message(url)["Body"])["Message"] == "m"


def test_a_message_without_an_address_is_refused(aws: Aws) -> None:
    assert error_code(aws.client("sns").publish, Message="m") == "InvalidParameter"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n", {"DataType": "Number", "StringValue": "abc"}),
        ("n", {"DataType": "Number.int", "StringValue": "1_000"}),
        ("AWS.trace", FULL),
        ("amazon.trace", FULL),
    ],
)
def test_an_attribute_of_a_message_is_of_its_type_and_not_aws_s(
    aws: Aws, name: str, value: dict[str, str]
) -> None:
    """https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html"""
    sqs, url = aws.client("sqs"), new_queue(aws)
    sent = {"QueueUrl": url, "MessageBody": "b", "MessageAttributes": {name: value}}
    assert error_code(sqs.send_message, **sent) == "InvalidParameterValue"
    number = {"DataType": "Number", "StringValue": "-1.5e3"}
    sqs.send_message(QueueUrl=url, MessageBody="b", MessageAttributes={"n": number})


def test_only_a_fifo_queue_takes_a_deduplication_id(aws: Aws) -> None:
    """https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html"""
    sqs = aws.client("sqs")
    sent = {"QueueUrl": new_queue(aws), "MessageBody": "b", "MessageDeduplicationId": "1"}
    assert error_code(sqs.send_message, **sent) == "InvalidParameterValue"


def test_a_receipt_of_a_fifo_queue_ends_with_its_visibility(aws: Aws) -> None:
    """https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteMessage.html"""
    sqs = aws.client("sqs")
    url = new_queue(aws, unique("q") + ".fifo", FifoQueue="true", VisibilityTimeout="30")
    sqs.send_message(QueueUrl=url, MessageBody="b", MessageGroupId="g", MessageDeduplicationId="1")

    def received() -> str:
        receipt: str = sqs.receive_message(QueueUrl=url)["Messages"][0]["ReceiptHandle"]
        return receipt

    first = received()
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=first, VisibilityTimeout=0)
    asked = {"QueueUrl": url, "ReceiptHandle": first}
    assert error_code(sqs.delete_message, **asked) == "InvalidParameterValue"
    second = received()
    assert error_code(sqs.delete_message, **asked) == "InvalidParameterValue"
    assert error_code(sqs.delete_message, QueueUrl=url, ReceiptHandle=second) is None


def test_times_of_a_queue_are_whole_seconds(aws: Aws) -> None:
    """https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html"""
    asked = {"QueueUrl": new_queue(aws), "AttributeNames": ["All"]}
    found = aws.client("sqs").get_queue_attributes(**asked)["Attributes"]
    assert found["CreatedTimestamp"].isdecimal()
    assert found["LastModifiedTimestamp"].isdecimal()
