import json
from typing import Any

import pytest

from local_aws.cloudwatch.embedded_metrics import embedded_metrics
from local_aws.core.metric_store import MetricKey


def line(**changes: Any) -> str:
    directive = {
        "Namespace": "Scones",
        "Dimensions": [["Label"], []],
        "Metrics": [{"Name": "Confidence", "Unit": "Percent"}, {"Name": "Seen"}],
        **changes.pop("directive", {}),
    }
    about = {"Timestamp": 1_700_000_000_000, "CloudWatchMetrics": [directive]}
    document = {"_aws": about, "Label": "bicycle", "Confidence": [90, 95.5], "Seen": 1, **changes}
    return json.dumps(document)


def test_each_metric_counts_for_each_set_of_dimensions() -> None:
    found = [(one.key, one.values, one.unit) for one in embedded_metrics(line())]
    label = {"Label": "bicycle"}
    assert found == [
        (MetricKey.of("Scones", "Confidence", label), (90.0, 95.5), "Percent"),
        (MetricKey.of("Scones", "Seen", label), (1.0,), "None"),
    ]
    assert {one.at for one in embedded_metrics(line())} == {1_700_000_000.0}


def test_without_dimensions_a_metric_counts_once() -> None:
    (found, _) = embedded_metrics(line(directive={"Dimensions": [[]]}))
    assert found.key == MetricKey.of("Scones", "Confidence", {})


@pytest.mark.parametrize(
    "message",
    [
        "plain text",
        '{"_aws": ',
        '{"_aws": 1}',
        '{"_aws": {"Timestamp": "now", "CloudWatchMetrics": []}}',
        '{"_aws": {"Timestamp": 1, "CloudWatchMetrics": [1, {"Metrics": [2]}]}, "a": 1}',
        line(Confidence="high", Seen=True),
        line(directive={"Dimensions": [["Missing"]]}),
        line(Confidence=[1] * 101, Seen=[]),
    ],
)
def test_a_line_that_does_not_keep_to_the_format_has_none(message: str) -> None:
    assert list(embedded_metrics(message)) == []
