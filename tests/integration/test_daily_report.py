"""The daily report in an applied environment: from Terraform's schedule to its alarm and page."""

import json
from typing import Any

import pytest

from local_aws.testing.aws import eventually
from scones_monitor.last_hour import NAMESPACE
from tests.support.environments.daily_reports import DATA, ENDPOINT, PREFIX, DailyReports
from tests.support.environments.environment import Environment
from tests.support.permissions.workflow_probes import messages_of_topic

pytestmark = pytest.mark.slow

STEADY = [0.95 + i / 1000 for i in range(40)]
UNSURE = [0.5 + i / 200 for i in range(40)]


@pytest.fixture(scope="module")
def reports(served: Environment) -> DailyReports:
    made = DailyReports(served)
    made.forget_earlier_releases()
    return made


def alarm(served: Environment, name: str) -> dict[str, Any]:
    """Return an alarm of the environment as CloudWatch describes it."""
    found = served.client("cloudwatch").describe_alarms(AlarmNames=[f"{PREFIX}{name}"])
    (alarm,) = found["MetricAlarms"]
    described: dict[str, Any] = alarm
    return described


def test_the_schedule_has_drifted_records_reported_and_raises_an_alarm(
    served: Environment, reports: DailyReports
) -> None:
    """In order: the schedule, the job, the page, the metrics, the alarm, the message."""
    yesterday = reports.day(1)
    reports.put(reports.day(3), STEADY)
    reports.put(yesterday, UNSURE)
    assert alarm(served, "drift")["StateValue"] != "ALARM"

    with messages_of_topic(served) as messages:
        ended = reports.ended(reports.fire())
        assert ended["status"] == "SUCCEEDED", ended.get("cause")
        output = json.loads(ended["output"])
        assert (output["day"], output["drift"]) == (yesterday, "drift")
        assert output["images"] >= len(UNSURE)
        assert output["page"] == f"s3://{DATA}/monitoring/{yesterday}/report.html"

        page = served.client("s3").get_object(
            Bucket=DATA, Key=f"monitoring/{yesterday}/report.html"
        )
        assert b"DRIFT" in page["Body"].read().upper()
        figures = reports.figures(yesterday)
        assert figures["captured_records"] == output["images"]
        assert figures["left_out"] == []

        named = served.client("cloudwatch").list_metrics(Namespace=NAMESPACE)["Metrics"]
        assert {d["Value"] for m in named for d in m["Dimensions"] if d["Name"] == "Endpoint"} == {
            ENDPOINT
        }
        served.clock.advance(61)
        assert alarm(served, "drift")["StateValue"] == "ALARM"
        assert alarm(served, "daily-report-missing")["StateValue"] == "OK"
        assert eventually(lambda: [m for m in messages() if f"{PREFIX}drift" in m] or None)


def test_a_day_without_records_is_reported_with_zero(reports: DailyReports) -> None:
    ended = reports.run(day=reports.day(9))
    assert ended["status"] == "SUCCEEDED", ended.get("cause")
    output = json.loads(ended["output"])
    assert (output["images"], output["drift"]) == (0, "too_few")
    assert reports.figures(reports.day(9))["captured_records"] == 0


def test_a_report_that_fails_is_a_message_to_people(
    served: Environment, reports: DailyReports
) -> None:
    with messages_of_topic(served) as messages:
        ended = reports.run(day="yesterday")
        assert ended["status"] == "FAILED"
        assert "write it as 2026-11-28" in ended["cause"]
        found = eventually(lambda: [m for m in messages() if ended["name"] in m] or None)
    assert "did not finish its execution" in found[0]
