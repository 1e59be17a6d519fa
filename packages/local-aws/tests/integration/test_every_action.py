"""A sample of benchmarks/local_actions.py: services whose every action is called once.

The server answers each of them, saves what came of it, stops, starts and answers.
"""

from pathlib import Path

import pytest

from local_aws.control import LocalAws
from local_aws.testing.actions import actions, call_actions
from local_aws.testing.aws import Aws

OPEN = ("sqs", "kms", "budgets", "application-autoscaling", "scheduler")
OPENED = ("autoscaling", "ssm")


def test_every_action_of_some_services_is_answered_and_the_server_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCAL_AWS_SERVICES", ",".join(OPENED))
    with LocalAws.start(tmp_path, 0, {}) as local:
        calls = call_actions(local.endpoint_url, (*OPEN, *OPENED), seconds=240)
        assert calls.faults == {} and calls.left == 0
        assert calls.statuses["200"] > 40
        assert calls.statuses.total() == len(list(actions((*OPEN, *OPENED))))
        assert local.problems() == []
        Aws(local, "").client("sqs").create_queue(QueueName="last")
    with LocalAws.start(tmp_path, 0, {}) as local:
        assert local.problems() == []
        assert Aws(local, "").client("sqs").get_queue_url(QueueName="last")["QueueUrl"]
