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
