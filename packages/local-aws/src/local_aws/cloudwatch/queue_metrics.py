"""`AWS/SQS`'s metrics of how full queues are, looked up when an alarm is about to ask for them.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
"""

import datetime
from typing import Any

from local_aws.core.context import ACCOUNT_ID
from local_aws.core.metrics import emit

NAMESPACE = "AWS/SQS"
_SECOND = datetime.timedelta(seconds=1)


def sample_queues(now: datetime.datetime) -> None:
    """Put each queue's numbers of messages, as of the minute that ends now."""
    from moto.sqs.models import sqs_backends

    for region, backend in list(sqs_backends[ACCOUNT_ID].items()):
        for queue in list(backend.queues.values()):
            values = _numbers(queue)
            emit(NAMESPACE, {"QueueName": queue.name}, values, at=now - _SECOND, region=region)


def _numbers(queue: Any) -> dict[str, float]:
    name = "ApproximateNumberOfMessages"
    return {
        f"{name}Visible": float(queue.approximate_number_of_messages),
        f"{name}NotVisible": float(queue.approximate_number_of_messages_not_visible),
        f"{name}Delayed": float(queue.approximate_number_of_messages_delayed),
    }
