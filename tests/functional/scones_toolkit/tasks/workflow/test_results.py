import json
from typing import Any, cast

import pytest

from scones_core.errors import MonitorError
from scones_core.events import Inference, Result
from scones_toolkit.tasks.workflow.results import failure_groups, results, results_of
from tests.functional.scones_toolkit.tasks.conftest import LocalProject

IMAGE = {"bucket": "data", "key": "a.png"}


def failed(key: str, error: str, cause: str) -> Result:
    return {
        "image": {"bucket": "data", "key": key},
        "decision": "failed",
        "error": {"Error": error, "Cause": cause},
    }


def review(key: str = "a.png") -> Result:
    inference: Inference = {
        "label": "bicycle",
        "confidence": 0.6,
        "probabilities": {"bicycle": 0.6},
        "inference_id": key,
        "variant": "AllTraffic",
    }
    return {"image": {"bucket": "data", "key": key}, "decision": "review", "inference": inference}


def test_failures_are_grouped_by_error_and_by_cause_without_their_own_values() -> None:
    lambda_cause = json.dumps({"errorMessage": "s3://data/c.png is not there.", "trace": []})

    groups = failure_groups(
        [
            failed("a.png", "ImageNotFound", "s3://data/a.png is not there."),
            failed("b.png", "ImageNotFound", lambda_cause),
            failed("d.png", "ImageTooLarge", "It has 7,000,000 bytes."),
            cast(
                Result,
                {"image": "nonsense", "decision": "failed", "error": {"Error": "X", "Cause": ""}},
            ),
            review(),
        ]
    )

    assert [(one.count, one.error, one.cause, one.image) for one in groups] == [
        (2, "ImageNotFound", "s3://data/a.png is not there.", "s3://data/a.png"),
        (1, "ImageTooLarge", "It has 7,000,000 bytes.", "s3://data/d.png"),
        (1, "X", "", "'nonsense'"),
    ]


def test_a_small_runs_results_are_in_its_output(project: LocalProject) -> None:
    found = [review(), failed("b.png", "ImageNotFound", "gone")]
    project.client("stepfunctions").add("one", {"images": []}, {"results": found})

    assert results_of(project, "one") == found
    figures = results(project, run="one")

    assert (figures["review"], figures["failed"], figures["images"]) == (1, 1, 2)
    assert figures["seconds"] == 2.0
    assert figures["images_per_second"] == 1.0
    assert figures["files"] == []
    assert "2 images of 1 execution: 0 accepted, 1 review, 1 failed" in project.printed
    assert "ImageNotFound" in project.printed


def test_a_large_runs_results_are_lines_in_the_data_bucket(project: LocalProject) -> None:
    found = [review(f"{number}.png") for number in range(3)]
    for number, part in enumerate((found[:2], found[2:])):
        body = "".join(f"{json.dumps(one)}\n" for one in part).encode()
        key = f"runs/one/results/{number}.jsonl"
        project.client("s3").put_object(Bucket="data", Key=key, Body=body)
    project.client("stepfunctions").add("one", {"source": {}}, {"counts": {"review": 3}})

    assert results_of(project, "one") == found
    assert results(project, run="one")["files"] == ["s3://data/runs/one/"]


def test_an_execution_that_failed_as_a_whole_makes_each_of_its_images_failed(
    project: LocalProject,
) -> None:
    project.client("stepfunctions").add(
        "one", {"images": [IMAGE, "nonsense"]}, status="TIMED_OUT", cause="too slow"
    )

    assert results_of(project, "one") == [
        {
            "image": IMAGE,
            "decision": "failed",
            "error": {"Error": "States.Timed_Out", "Cause": "too slow"},
        }
    ]


def test_what_a_large_run_decided_before_it_failed_stays_decided(project: LocalProject) -> None:
    s3, image = project.client("s3"), {"bucket": "data", "key": "b.png"}
    manifest = "".join(f"{json.dumps(one)}\n" for one in (IMAGE, image)).encode()
    s3.put_object(Bucket="data", Key="runs/one/manifest.jsonl", Body=manifest)
    s3.put_object(Bucket="data", Key="runs/one/results/0.jsonl", Body=json.dumps(review()).encode())
    source = {"bucket": "data", "manifest": "runs/one/manifest.jsonl", "format": "JSONL"}
    project.client("stepfunctions").add(
        "one", {"source": source}, status="FAILED", error="States.ExceedToleratedFailureThreshold"
    )

    decided, lost = results_of(project, "one")

    assert decided == review()
    assert (lost["image"], lost["error"]["Error"]) == (
        image,
        "States.ExceedToleratedFailureThreshold",
    )


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"status": "RUNNING"}, "still runs"),
        ({"status": "FAILED", "cause": "no such role"}, "names no images.*no such role"),
        ({"output": "{}"}, "left no results below"),
        ({"output": "x"}, "left no results below"),
    ],
)
def test_a_run_without_results_is_a_sentence(
    project: LocalProject, values: Any, sentence: str
) -> None:
    project.client("stepfunctions").add("one", {"source": {}}, **values)

    with pytest.raises(MonitorError, match=sentence):
        results_of(project, "one")


def test_an_unknown_run_is_a_sentence(project: LocalProject) -> None:
    with pytest.raises(MonitorError, match="There is no execution 'two' in local"):
        results_of(project, "two")


@pytest.mark.parametrize("line", [b"{", b"[]", b'{"decision": "maybe"}', b"\xff"])
def test_a_line_that_is_no_result_is_named_by_its_file(project: LocalProject, line: bytes) -> None:
    project.client("s3").put_object(Bucket="data", Key="runs/one/results/0.jsonl", Body=line)
    project.client("stepfunctions").add("one", {"source": {}}, {})

    with pytest.raises(
        MonitorError, match=r"s3://data/runs/one/results/ has a line that is no result"
    ):
        results_of(project, "one")


@pytest.mark.parametrize(
    "line",
    [
        json.dumps({"decision": "failed"}),
        json.dumps({**failed("a.png", "X", ""), "error": "X"}),
        json.dumps({**failed("a.png", "X", ""), "error": {"Error": [1]}}),
        json.dumps({"image": IMAGE, "decision": "review"}),
        json.dumps({**review(), "image": "a.png"}),
        json.dumps({**review(), "decision": ["review"]}),
        json.dumps(review()).replace("0.6", "NaN"),
        json.dumps({**review(), "more": "x" * 2**18}),
        "[" * 100_000,
        "\udcff",
    ],
    ids=lambda line: line[:60],
)
def test_a_line_that_is_no_result_is_a_sentence(project: LocalProject, line: str) -> None:
    body = f"{json.dumps(review())}\n{line}\n".encode(errors="surrogateescape")
    project.client("s3").put_object(Bucket="data", Key="runs/one/results/0.jsonl", Body=body)
    project.client("stepfunctions").add("one", {"source": {}}, {"counts": {"review": 2}})

    with pytest.raises(MonitorError, match="has a line that is no result of the workflow"):
        results(project, run="one")


def test_a_failure_without_a_cause_is_listed(project: LocalProject) -> None:
    found = [{"image": IMAGE, "decision": "failed", "error": {"Error": "X"}}]
    project.client("stepfunctions").add("one", {"images": []}, {"results": found})

    assert results(project, run="one")["failures"] == [
        {"error": "X", "cause": "", "count": 1, "first": "s3://data/a.png"}
    ]
