"""https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html"""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from moto.events.models import EventsBackend

from local_aws.core.context import ACCOUNT_ID
from local_aws.eventbridge import api
from local_aws.eventbridge.bus import Buses

pytestmark = pytest.mark.usefixtures("patched_moto")


class Busy(Buses):
    """Buses on which a rule is made whenever an event is sent, as another request may make it."""

    def __init__(self, backend: EventsBackend) -> None:
        self.backend = backend
        self.sent: list[tuple[str, Any]] = []

    def offer(self, rule: Any, event: Mapping[str, Any]) -> None:
        self.sent.append((rule.name, event))
        put_rule(self.backend, f"new-{len(self.sent)}")


def put_rule(backend: EventsBackend, name: str) -> None:
    backend.put_rule(name, event_pattern=json.dumps({"source": ["s"]}))


def test_each_rule_gets_each_event_once_though_rules_are_made_meanwhile() -> None:
    backend = EventsBackend("us-east-1", ACCOUNT_ID)
    for name in ("a", "b"):
        put_rule(backend, name)
    busy = Busy(backend)
    api.install(busy)
    entry = {"Source": "s", "DetailType": "d", "Detail": '{"n": 1}', "Resources": ["r"]}
    (answer,) = backend.put_events([entry])
    assert [name for name, _ in busy.sent] == ["a", "b"]
    event = busy.sent[0][1]
    assert (event["id"], event["detail"]) == (answer["EventId"], {"n": 1})
    assert (event["source"], event["detail-type"], event["resources"]) == ("s", "d", ["r"])
