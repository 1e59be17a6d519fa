"""The task that draws a sample, as reviewers on two hosts use it."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from scones_core.errors import MonitorError
from scones_core.reviews import read_answers
from scones_monitor.review.sample import judged, read_samples
from scones_toolkit.tasks.monitoring.sampling import draw_sample, sampled
from tests.functional.scones_toolkit.tasks.conftest import LocalProject
from tests.functional.scones_toolkit.tasks.monitoring.test_review import (
    answered,
    under_review_in_s3,
)


def accepted_in_a_run(project: LocalProject, count: int, *, name: str = "run-1") -> list[str]:
    """Have an execution accept images that are in S3; return their SHA-256."""
    digests = under_review_in_s3(project, count)
    results = project.records.read("execution")["results"]
    for result in results:
        result["decision"] = "accepted"
    project.client("stepfunctions").add(name, {}, {"results": results})
    return digests


def test_two_reviewers_on_two_hosts_label_the_same_sample(
    project: LocalProject, tmp_path: Path
) -> None:
    accepted_in_a_run(project, 6)

    drawn = draw_sample(project, 3)
    answered(project, ["bicycle", "motorcycle", "bicycle"], reviewer="ana", of="sample")
    other: Any = replace(project, root=tmp_path / "other")
    assert sampled(other) == list(drawn.images)
    answered(other, ["bicycle", "motorcycle"], reviewer="ben", of="sample")

    answers = read_answers(project.client("s3"), "data", "labels/").answers
    figure = judged(drawn, answers)
    assert (figure.right.hits, figure.right.total) == (2, 3)
    assert (figure.drawn, figure.population) == (3, 6)
    assert "3 of 6 images accepted" in project.printed
    assert "inv review --of sample" in project.printed


def test_a_second_sample_begins_where_the_first_one_ends(
    project: LocalProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    accepted_in_a_run(project, 4)
    first = draw_sample(project, 2)
    with pytest.raises(MonitorError, match="an image is drawn once"):
        draw_sample(project, 2, since="7d")
    later = first.until + timedelta(hours=1)
    monkeypatch.setattr(type(project), "now", lambda _: later)
    with pytest.raises(MonitorError, match="No image was accepted"):
        draw_sample(project, 2)
    assert read_samples(project.client("s3"), "data") == ([first], [])


def test_without_a_sample_the_page_says_how_to_draw_one(project: LocalProject) -> None:
    with pytest.raises(MonitorError, match="inv review --sample 100"):
        sampled(project)


@pytest.mark.parametrize("count", [0, -1, 10_001])
def test_a_sample_of_no_such_size_is_refused(project: LocalProject, count: int) -> None:
    accepted_in_a_run(project, 1)
    with pytest.raises(MonitorError, match="1 to 10,000 images"):
        draw_sample(project, count)


def test_the_period_is_cut_to_seconds_so_that_its_name_is_the_period(project: LocalProject) -> None:
    accepted_in_a_run(project, 1)
    drawn = draw_sample(project, 1)
    name = drawn.key.removeprefix("samples/").removesuffix(".json").partition("-")[2]
    assert datetime.strptime(name + "+0000", "%Y%m%dT%H%M%SZ%z") == drawn.until
