"""Queues that a service of the embedded AWS sends to, for a test to read."""

from typing import Any

from local_aws.testing.aws import policy, unique


def queue_from(sqs: Any, service: str) -> tuple[str, str]:
    """Return URL and ARN of a new queue that a service, like `sns.amazonaws.com`, may send to."""
    url = sqs.create_queue(QueueName=unique("queue"))["QueueUrl"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    arn = found["Attributes"]["QueueArn"]
    lets = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sqs:SendMessage",
        "Resource": arn,
    }
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy(lets)})
    return url, arn


def receive_all(sqs: Any, url: str) -> list[str]:
    """Return the bodies of the messages that are there, and have nobody else get them."""
    bodies: list[str] = []
    while found := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        bodies += [message["Body"] for message in found]
    return bodies
