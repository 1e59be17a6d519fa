import json
import math
from typing import Any

import pytest

from scones_core.errors import InvalidInference, InvalidRequest, SettingsError
from scones_lambdas.filter_inferences import handler
from tests.functional.scones_lambdas.conftest import Endpoint, forget_settings, put

pytestmark = pytest.mark.usefixtures("world")


def classified(confidence: Any) -> dict[str, Any]:
    return {
        "image": {"bucket": "b", "key": "k.png", "etag": '"e"', "size_bytes": 9},
        "inference": {
            "label": "bicycle",
            "confidence": confidence,
            "probabilities": {"bicycle": confidence, "motorcycle": 1 - confidence},
            "inference_id": "a" * 32,
            "variant": "main",
        },
    }


@pytest.mark.parametrize(
    ("confidence", "decision"),
    [(0.7, "accepted"), (math.nextafter(0.7, 0), "review"), (1, "accepted"), (0.0, "review")],
)
def test_the_threshold_itself_is_accepted(confidence: float, decision: str) -> None:
    event = classified(confidence)
    result = handler(event)
    assert result == {**event, "threshold": 0.7, "release": "r1", "decision": decision}
    assert json.loads(json.dumps(result, allow_nan=False)) == result


@pytest.mark.parametrize(
    ("own", "decision", "threshold"), [("0.9", "review", 0.9), ("", "accepted", 0.7)]
)
def test_a_challengers_answer_is_its_own_and_decided_by_its_threshold(
    monkeypatch: pytest.MonkeyPatch, own: str, decision: str, threshold: float
) -> None:
    monkeypatch.setenv("CHALLENGER_THRESHOLD", own)
    forget_settings()
    event = classified(0.8)
    assert (handler(event)["release"], handler(event)["decision"]) == ("r1", "accepted")
    event["inference"]["variant"] = "Challenger-r2"
    found = handler(event)
    assert (found["release"], found["decision"], found["threshold"]) == ("r2", decision, threshold)


@pytest.fixture
def assigned(world: Endpoint, monkeypatch: pytest.MonkeyPatch) -> str:
    text = json.dumps({"bicycle": {"bay": "A", "orders": "near", "max_km": 3}})
    monkeypatch.setenv("ASSIGNMENTS", text)
    forget_settings()
    return text


@pytest.mark.usefixtures("assigned")
def test_an_accepted_image_leads_to_its_class_s_assignment_and_no_other_does() -> None:
    assignment = {"vehicle": "bicycle", "bay": "A", "orders": "near", "max_km": 3}
    assert handler(classified(0.8))["assignment"] == assignment
    assert "assignment" not in handler(classified(0.6))


@pytest.mark.usefixtures("assigned")
def test_a_class_without_an_assignment_is_a_settings_error() -> None:
    event = classified(0.9)
    event["inference"]["label"] = "motorcycle"
    with pytest.raises(SettingsError, match="motorcycle has no assignment"):
        handler(event)


@pytest.mark.usefixtures("assigned")
def test_a_class_that_is_rolled_out_is_assigned_before_the_function_has_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    newest = {
        "scooter": {"bay": "C", "orders": "near", "max_km": 2},
        "bicycle": {"bay": "Z", "orders": "far", "max_km": 9},
    }
    place = put("assignments/newest.json", json.dumps(newest).encode())
    monkeypatch.setenv("NEWEST_ASSIGNMENTS", f"s3://{place['bucket']}/{place['key']}")
    forget_settings()
    event = classified(0.9)
    event["inference"]["label"] = "scooter"
    assert handler(event)["assignment"]["bay"] == "C"
    assert handler(classified(0.9))["assignment"]["bay"] == "A", "its own stay until the end"
    event["inference"]["label"] = "motorcycle"
    with pytest.raises(SettingsError, match="motorcycle has no assignment"):
        handler(event)


def test_long_assignments_come_from_an_object(
    assigned: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = put("assignments/a.json", assigned.encode())
    monkeypatch.setenv("ASSIGNMENTS", f"s3://{place['bucket']}/{place['key']}")
    forget_settings()
    assert handler(classified(0.8))["assignment"]["bay"] == "A"


@pytest.mark.parametrize("confidence", [math.nan, math.inf, -0.1, 1.1, True])
def test_what_is_no_probability_is_neither_accepted_nor_reviewed(confidence: float) -> None:
    with pytest.raises(InvalidInference):
        handler(classified(confidence))


@pytest.mark.parametrize("event", [None, {}, {"inference": {}}, {"inference": {"label": "x"}}])
def test_an_event_of_another_form_is_refused(event: Any) -> None:
    with pytest.raises(InvalidRequest):
        handler(event)


@pytest.mark.parametrize("threshold", ["", "high", "nan", "1.01", "-0.1"])
def test_a_wrong_threshold_is_a_settings_error(
    threshold: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THRESHOLD", threshold)
    forget_settings()
    with pytest.raises(SettingsError, match="THRESHOLD"):
        handler(classified(0.9))


def test_settings_are_read_once_a_cold_start(monkeypatch: pytest.MonkeyPatch) -> None:
    assert handler(classified(0.8))["decision"] == "accepted"
    monkeypatch.setenv("THRESHOLD", "0.9")
    assert handler(classified(0.8))["threshold"] == 0.7


@pytest.mark.parametrize(("confidence", "count"), [(0.9, "Accepted"), (0.5, "Review")])
def test_writes_the_metrics_that_the_dashboard_reads(
    confidence: float,
    count: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("METRICS_NAMESPACE", "scones/test")
    handler(classified(confidence))
    log, first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    [metric] = first["_aws"]["CloudWatchMetrics"]
    assert metric["Namespace"] == "scones/test"
    assert metric["Dimensions"] == [["Label"]]
    assert (first["Label"], first["Confidence"]) == ("bicycle", [confidence])
    [metric] = second["_aws"]["CloudWatchMetrics"]
    assert metric["Dimensions"] == [[]]
    assert [definition["Name"] for definition in metric["Metrics"]] == [count]
    assert second[count] == [1]
    assert log["decision"] in ("accepted", "review")


def test_the_namespace_has_a_default(capsys: pytest.CaptureFixture[str]) -> None:
    handler(classified(0.9))
    _, metric, _ = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert metric["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "scones"
