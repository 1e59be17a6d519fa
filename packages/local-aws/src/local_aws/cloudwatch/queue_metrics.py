"""`AWS/SQS`'s metrics of how full queues are, looked up when an alarm is about to ask for them.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
"""

import datetime
import weakref
from collections.abc import Collection
from typing import Any

from local_aws.core.context import ACCOUNT_ID
from local_aws.core.metrics import emit

NAMESPACE = "AWS/SQS"
_SECOND = datetime.timedelta(seconds=1)


# Queues that have had messages: SQS sends metrics of active queues.
_active: weakref.WeakSet[Any] = weakref.WeakSet()


def sample_queues(now: datetime.datetime, asked: Collection[str]) -> None:
    """Put the numbers of messages of active queues, as of the minute that ends now.

    `asked` names queues that an alarm asks for; they have numbers though they never had messages.
    """
    from moto.sqs.models import sqs_backends

    for region, backend in list(sqs_backends[ACCOUNT_ID].items()):
        for queue in list(backend.queues.values()):
            if queue._messages:
                _active.add(queue)
            if queue in _active or queue.name in asked:
                values = _numbers(queue)
                emit(NAMESPACE, {"QueueName": queue.name}, values, at=now - _SECOND, region=region)


def _numbers(queue: Any) -> dict[str, float]:
    name = "ApproximateNumberOfMessages"
    return {
        f"{name}Visible": float(queue.approximate_number_of_messages),
        f"{name}NotVisible": float(queue.approximate_number_of_messages_not_visible),
        f"{name}Delayed": float(queue.approximate_number_of_messages_delayed),
    }
