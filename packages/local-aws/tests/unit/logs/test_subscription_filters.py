import pytest
from moto.logs.models import LogGroup, LogsBackend

from local_aws.core.context import ACCOUNT_ID
from local_aws.logs import subscription_filters

# Importing it declares its patches.
assert subscription_filters
pytestmark = pytest.mark.usefixtures("patched_moto")


def put(group: LogGroup, name: str) -> None:
    group.put_subscription_filter(name, "", f"arn:aws:lambda:us-east-1:{ACCOUNT_ID}:f", "")


def test_log_events_on_their_way_go_through_each_filter_though_filters_change_meanwhile() -> None:
    backend = LogsBackend("us-east-1", ACCOUNT_ID)
    backend.create_log_group("g", {})
    group = backend.groups["g"]
    for name in ("a", "b"):
        put(group, name)
    under_way = iter(group.describe_subscription_filters())
    assert next(under_way).name == "a"
    group.delete_subscription_filter("b")
    put(group, "c")
    assert [found.name for found in under_way] == ["b"]
    assert [found.name for found in group.describe_subscription_filters()] == ["a", "c"]
