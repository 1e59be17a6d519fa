from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from scones_core.errors import DeployError
from scones_deploy.office_hours import OfficeHours, only_creates_endpoint
from scones_deploy.terraform.plan import Plan, ResourceChange

HOURS = {
    "from": "07:00",
    "to": "19:00",
    "days": "MON-FRI",
    "timezone": "Europe/Berlin",
    "action": "delete",
}


def hours(**more: Any) -> OfficeHours:
    found = OfficeHours.of({**HOURS, **more})
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("at", "down"),
    [
        ("2026-11-23T05:59", True),  # Monday, 06:59 in Berlin
        ("2026-11-23T06:10", True),  # it is being created
        ("2026-11-23T06:21", False),
        ("2026-11-23T17:59", False),
        ("2026-11-23T18:00", True),
        ("2026-11-22T12:00", True),  # Sunday
        ("2026-07-20T05:30", False),  # Monday, 07:30 in summer
    ],
)
def test_an_endpoint_is_down_outside_the_hours_of_its_zone(at: str, down: bool) -> None:
    assert hours().is_down(datetime.fromisoformat(at).replace(tzinfo=UTC)) == down


def test_single_days_are_read() -> None:
    monday, tuesday = (datetime(2026, 11, day, 12, tzinfo=UTC) for day in (23, 24))
    assert not hours(days="MON,WED").is_down(monday)
    assert hours(days="MON,WED").is_down(tuesday)


@pytest.mark.parametrize("output", [None, {**HOURS, "action": "scale-in"}])
def test_what_is_never_deleted_has_no_such_hours(output: Any) -> None:
    assert OfficeHours.of(output) is None


@pytest.mark.parametrize(
    "wrong", [{"from": "7"}, {"days": "FRI-MON"}, {"days": "MO"}, {"timezone": "Mars/Base"}]
)
def test_an_output_that_is_none_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(DeployError, match="office_hours"):
        OfficeHours.of({**HOURS, **wrong})


def change(kind: str, *actions: str) -> ResourceChange:
    return ResourceChange(f"{kind}.this", kind, actions)


@pytest.mark.parametrize(
    ("changes", "only"),
    [
        ([change("aws_sagemaker_endpoint", "create")], True),
        ([change("aws_sagemaker_endpoint", "delete", "create")], False),
        ([change("aws_sagemaker_endpoint", "create"), change("aws_s3_bucket", "update")], False),
        ([], False),
    ],
)
def test_only_a_missing_endpoint_is_what_a_night_leaves(
    changes: list[ResourceChange], only: bool
) -> None:
    plan = Plan(Path("x"), tuple(changes), has_changes=True)
    assert only_creates_endpoint(plan) == only
