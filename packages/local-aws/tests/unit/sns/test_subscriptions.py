from types import SimpleNamespace
from typing import Any

import pytest

from local_aws.sns.subscriptions import publish


class Subscription:
    """A subscription of moto's, of what is published."""


@pytest.mark.parametrize(
    ("protocol", "endpoint"), [("lambda", "fn"), ("sqs", "q"), ("lambda", None), ("email", "x")]
)
def test_a_subscriber_that_nothing_can_be_handed_to_keeps_no_other_from_its_message(
    protocol: str, endpoint: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise KeyError("moon-1")

    topic = SimpleNamespace(arn="arn:aws:sns:us-east-1:123456789012:t")
    attributes = {"RedrivePolicy": "5"}
    subscription: Any = Subscription()
    vars(subscription).update(
        protocol=protocol,
        endpoint=endpoint,
        topic=topic,
        attributes=attributes,
        _filter_policy_matcher=None,
        get_post_data=lambda *_: {},
        arn="arn",
    )
    publish(fail, subscription, "message", "id")
    assert "is not delivered" in caplog.text
