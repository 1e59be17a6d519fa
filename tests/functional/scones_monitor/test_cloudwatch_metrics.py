from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

from scones_monitor.cloudwatch_metrics import EndpointMetrics, read_metrics

SINCE = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
UNTIL = SINCE + timedelta(hours=1)


def read(
    session: boto3.Session, results: list[dict[str, Any]], *, since: datetime = SINCE
) -> tuple[EndpointMetrics, dict[str, Any]]:
    client = session.client("cloudwatch")
    sent: dict[str, Any] = {}
    client.meta.events.register(
        "provide-client-params.cloudwatch.GetMetricData", lambda params, **_: sent.update(params)
    )
    expected = dict.fromkeys(("MetricDataQueries", "StartTime", "EndTime", "ScanBy"), ANY)
    with Stubber(client) as stub:
        stub.add_response("get_metric_data", {"MetricDataResults": results}, expected)
        step = timedelta(minutes=1)
        found = read_metrics(client, "scones", "AllTraffic", since=since, until=UNTIL, step=step)
    return found, sent


def test_invocations_errors_and_latency_are_read_at_once(session: boto3.Session) -> None:
    times = [SINCE, SINCE + timedelta(minutes=1)]
    results = [
        {"Id": "invocations", "Timestamps": times, "Values": [3.0, 5.0]},
        {"Id": "invocation4xxerrors", "Timestamps": times[:1], "Values": [1.0]},
        {"Id": "latency_p50", "Timestamps": times, "Values": [20_000.0, 30_000.0]},
        {"Id": "overall_p99", "Timestamps": times[:1], "Values": [90_000.0]},
    ]

    found, sent = read(session, results)

    assert (found.invoked, found.failed) == (8, 1)
    assert [value for _, value in found.latency["p50"]] == [20.0, 30.0]
    assert found.overall == {"p99": 90.0}
    periods = {q["Id"]: q["MetricStat"]["Period"] for q in sent["MetricDataQueries"]}
    assert (periods["invocations"], periods["overall_p99"]) == (60, 3600)


def test_without_data_nothing_is_known(session: boto3.Session) -> None:
    found, _ = read(session, [])

    assert (found.invoked, found.latency, found.overall) == (0, {}, {})


@pytest.mark.parametrize(("days", "period"), [(1, 60), (20, 300), (100, 3600)])
def test_older_metrics_are_asked_for_in_the_periods_that_are_kept(
    session: boto3.Session, days: int, period: int
) -> None:
    _, sent = read(session, [], since=SINCE - timedelta(days=days))

    assert sent["MetricDataQueries"][0]["MetricStat"]["Period"] == period
