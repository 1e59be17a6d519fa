"""Queues: retention, and which queues may send their dead letters to one."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.testing.aws import Aws, unique
from local_aws.testing.clock import Clock

ARN = "arn:aws:sqs:us-east-1:123456789012:{}"


def received(sqs: Any, url: str) -> list[str]:
    found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    return sorted(message["Body"] for message in found)


def test_a_message_past_its_retention_is_gone_and_holds_up_no_other(aws: Aws, clock: Clock) -> None:
    """https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html"""
    sqs = aws.client("sqs")
    kept = {"MessageRetentionPeriod": "60"}
    url = sqs.create_queue(QueueName=unique("kept"), Attributes=kept)["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="old")
    clock.advance(61)
    sqs.send_message(QueueUrl=url, MessageBody="new")
    assert received(sqs, url) == ["new"]
    count = "ApproximateNumberOfMessagesNotVisible"
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert (found["ApproximateNumberOfMessages"], found[count]) == ("0", "1")


@pytest.mark.parametrize(
    ("allow", "is_allowed"),
    [
        ({"redrivePermission": "allowAll"}, True),
        ({"redrivePermission": "denyAll"}, False),
        ({"redrivePermission": "byQueue", "sourceQueueArns": ["{source}"]}, True),
        ({"redrivePermission": "byQueue", "sourceQueueArns": [ARN.format("other")]}, False),
    ],
)
def test_a_dead_letter_queue_takes_only_the_queues_that_it_allows(
    aws: Aws, allow: dict[str, Any], is_allowed: bool
) -> None:
    """https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-configure-dead-letter-queue.html"""
    sqs = aws.client("sqs")
    dead, source = unique("dead"), unique("source")
    policy = json.dumps(allow).replace("{source}", ARN.format(source))
    sqs.create_queue(QueueName=dead, Attributes={"RedriveAllowPolicy": policy})
    url = sqs.create_queue(QueueName=source)["QueueUrl"]
    redrive = json.dumps({"deadLetterTargetArn": ARN.format(dead), "maxReceiveCount": "2"})
    attributes = {"RedrivePolicy": redrive}
    if is_allowed:
        sqs.set_queue_attributes(QueueUrl=url, Attributes=attributes)
    else:
        with pytest.raises(ClientError, match="does not allow"):
            sqs.set_queue_attributes(QueueUrl=url, Attributes=attributes)
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert ("RedrivePolicy" in found) == is_allowed


@pytest.mark.parametrize(
    ("operation", "more", "says"),
    [
        ("send_message", {"DelaySeconds": -1}, "Reason: DelaySeconds must be >= 0 and <= 900."),
        ("send_message", {"DelaySeconds": 901}, "Reason: DelaySeconds must be >= 0 and <= 900."),
        (
            "receive_message",
            {"MaxNumberOfMessages": 11},
            "Value 11 for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and "
            "10, if provided.",
        ),
        ("receive_message", {"MaxNumberOfMessages": 0}, "Value 0 for parameter Max"),
        ("receive_message", {"VisibilityTimeout": -1}, "Value -1 for parameter VisibilityTimeout"),
        ("receive_message", {"WaitTimeSeconds": 21}, "Value 21 for parameter WaitTimeSeconds"),
        ("receive_message", {"WaitTimeSeconds": -1}, "Value -1 for parameter WaitTimeSeconds"),
        (
            "change_message_visibility",
            {"VisibilityTimeout": -5},
            "Value -5 for parameter VisibilityTimeout is invalid.",
        ),
    ],
)
def test_a_number_out_of_range_is_refused_with_its_range(
    aws: Aws, operation: str, more: dict[str, int], says: str
) -> None:
    """https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html"""
    sqs, (url, _) = aws.client("sqs"), aws.queue()
    sqs.send_message(QueueUrl=url, MessageBody="m")
    needed = {
        "send_message": {"MessageBody": "m"},
        "receive_message": {},
        "change_message_visibility": {
            "ReceiptHandle": sqs.receive_message(QueueUrl=url)["Messages"][0]["ReceiptHandle"]
        },
    }
    with pytest.raises(ClientError) as refusal:
        getattr(sqs, operation)(QueueUrl=url, **needed[operation], **more)
    error = refusal.value.response["Error"]
    assert error["Code"] == "InvalidParameterValue"
    assert says in error["Message"]


def test_entries_of_a_batch_that_are_out_of_range_fail_alone(aws: Aws) -> None:
    sqs, (url, _) = aws.client("sqs"), aws.queue()
    entries = [{"Id": str(delay), "MessageBody": "m", "DelaySeconds": delay} for delay in (-1, 0)]
    sent = sqs.send_message_batch(QueueUrl=url, Entries=entries)
    assert [one["Id"] for one in sent["Successful"]] == ["0"]
    assert [(one["Id"], one["Code"]) for one in sent["Failed"]] == [("-1", "InvalidParameterValue")]
    handle = sqs.receive_message(QueueUrl=url)["Messages"][0]["ReceiptHandle"]
    given = [
        {"Id": str(seconds), "ReceiptHandle": handle, "VisibilityTimeout": seconds}
        for seconds in (-1, 60, 43_201)
    ]
    changed = sqs.change_message_visibility_batch(QueueUrl=url, Entries=given)
    assert [one["Id"] for one in changed["Successful"]] == ["60"]
    assert sorted(one["Id"] for one in changed["Failed"]) == ["-1", "43201"]
