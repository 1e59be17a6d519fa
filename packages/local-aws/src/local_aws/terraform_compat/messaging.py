"""Answers of SQS, CloudWatch and Application Auto Scaling."""

import json
from typing import Any

from local_aws.core.patching import implement, wrap
from local_aws.core.tags import TagStore


def install() -> None:
    """Mend queues, composite alarms and scalable targets."""
    _queue()
    _composite_alarm()
    _scalable_target()


def _queue() -> None:
    from moto.sqs.models import Queue

    @wrap(Queue, "attributes", fault="answers with a redrive policy in other blanks than AWS")
    def attributes(original: Any, queue: Any) -> Any:
        found = original(queue)
        if found.get("RedrivePolicy"):
            found["RedrivePolicy"] = json.dumps(queue.redrive_policy, separators=(",", ":"))
        return found


def _composite_alarm() -> None:
    from moto.cloudwatch.exceptions import ValidationError
    from moto.cloudwatch.responses import CloudWatchResponse

    @implement(CloudWatchResponse, "put_composite_alarm", fault="is missing")
    def put_composite_alarm(response: Any) -> Any:
        if response._get_param("ActionsSuppressor"):
            raise ValidationError("The embedded AWS does not implement ActionsSuppressor.")
        return response.put_metric_alarm()


def _scalable_target() -> None:
    from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse

    tags = TagStore("application-autoscaling")

    @wrap(ApplicationAutoScalingResponse, "register_scalable_target", fault="drops the tags")
    def register(original: Any, response: Any) -> str:
        answer: str = original(response)
        tags.add(json.loads(answer)["ScalableTargetARN"], response._get_param("Tags") or {})
        return answer

    @implement(ApplicationAutoScalingResponse, "list_tags_for_resource", fault="is missing")
    def list_tags(response: Any) -> str:
        return json.dumps({"Tags": tags.of(response._get_param("ResourceARN"))})

    @implement(ApplicationAutoScalingResponse, "tag_resource", fault="is missing")
    def tag_resource(response: Any) -> str:
        tags.add(response._get_param("ResourceARN"), response._get_param("Tags"))
        return "{}"

    @implement(ApplicationAutoScalingResponse, "untag_resource", fault="is missing")
    def untag_resource(response: Any) -> str:
        tags.remove(response._get_param("ResourceARN"), response._get_param("TagKeys"))
        return "{}"
