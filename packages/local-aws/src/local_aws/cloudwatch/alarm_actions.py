"""Alarm actions: the topic, function or scaling policy that a change of state calls.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-actions.html
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from local_aws.cloudwatch import alarm_messages
from local_aws.eventbridge.delivery import DeliveryFailed, Sender, invoke_function, publish_to_topic

# Gets the source, the detail's type, the detail, the resources and the region of an event.
Publish = Callable[[str, str, dict[str, Any], list[str], str], None]
# Gets the ARN of a scaling policy, and the alarm.
Scale = Callable[[str, Any], None]

_KINDS = {
    "ALARM": "alarm_actions",
    "OK": "ok_actions",
    "INSUFFICIENT_DATA": "insufficient_data_actions",
}


class Actions:
    """Takes an alarm's actions in the account's name."""

    def __init__(self, publish: Publish, scale: Scale) -> None:
        self._publish, self._scale = publish, scale

    def take(self, alarm: Any, previous: dict[str, Any]) -> Iterator[tuple[str, str]]:
        """Publish a change to EventBridge, and act; yield the kind and summary of each action."""
        detail = alarm_messages.change_detail(alarm, previous)
        self._publish(
            "aws.cloudwatch",
            "CloudWatch Alarm State Change",
            detail,
            [alarm.alarm_arn],
            alarm.region_name,
        )
        if not alarm.actions_enabled:
            return
        for arn in getattr(alarm, _KINDS[alarm.state_value]):
            try:
                self._act(arn, alarm, previous)
            except DeliveryFailed as error:
                yield "Action", f"Failed to execute action {arn}. Received error: {error.message}"
            else:
                yield "Action", f"Successfully executed action {arn}"

    def repeat(self, alarm: Any) -> None:
        """Scale once more for an alarm that stays: the only action taken again and again."""
        for arn in alarm.alarm_actions if alarm.actions_enabled else ():
            if arn.split(":")[2] == "autoscaling":
                with contextlib.suppress(DeliveryFailed):  # is in the history since the change
                    self._scale(arn, alarm)

    def _act(self, arn: str, alarm: Any, previous: dict[str, Any]) -> None:
        service = arn.split(":")[2]
        if service == "sns":
            sender = Sender("cloudwatch.amazonaws.com", alarm.alarm_arn)
            message = alarm_messages.topic_message(alarm, previous["value"])
            publish_to_topic(sender, arn, message, alarm_messages.topic_subject(alarm))
        elif service == "lambda":
            sender = Sender("lambda.alarms.cloudwatch.amazonaws.com", alarm.alarm_arn)
            invoke_function(sender, arn, alarm_messages.function_event(alarm, previous))
        elif service == "autoscaling":
            self._scale(arn, alarm)
        else:
            raise DeliveryFailed(
                "NOT_IMPLEMENTED", f"The embedded AWS takes no actions of the service {service}."
            )
