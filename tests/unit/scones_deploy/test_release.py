import json
import math
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from scones_core.assignments import Assignment
from scones_core.errors import ReleaseError
from scones_deploy.release import (
    Challenger,
    Release,
    Releases,
    activate,
    add_release,
    challenge,
    drop_releases,
    end_challenge,
    read_releases,
    release_id,
    require_same_assignments,
)

RELEASE = Release(
    id="20261120-1432-ab12",
    image="123456789012.dkr.ecr.us-east-1.amazonaws.com/scones-model:1.0",
    model_data_url="s3://artifacts/model/job/output/model.tar.gz",
    model_sha256="ab12" * 16,
    instance_type="ml.m5.large",
    instance_count=1,
    threshold=0.97,
    labels=("bicycle", "motorcycle"),
    dataset_version="2f1c",
    environment={"LOG_LEVEL": "INFO"},
    metrics={"accuracy": 0.955, "n_test": 200},
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "release.tfvars.json"


def test_no_file_is_no_release(path: Path) -> None:
    known = read_releases(path)
    assert (known.active, dict(known.releases)) == (None, {})


def test_an_added_release_is_read_back_and_active(path: Path) -> None:
    add_release(path, RELEASE)
    known = read_releases(path)
    assert known.active == RELEASE.id
    assert known.releases == {RELEASE.id: RELEASE}


def test_the_file_has_the_variables_of_terraform_in_sorted_order(path: Path) -> None:
    add_release(path, RELEASE)
    text = path.read_text()
    body = json.loads(text)
    assert text == json.dumps(body, sort_keys=True, indent=2) + "\n"
    assert body["active_release"] == RELEASE.id
    assert body["releases"][RELEASE.id]["labels"] == ["bicycle", "motorcycle"]
    assert "id" not in body["releases"][RELEASE.id]


def test_the_same_content_released_again_is_the_same_release(path: Path) -> None:
    add_release(path, RELEASE)
    add_release(path, replace(RELEASE, id="next", threshold=0.9))
    known = add_release(path, replace(RELEASE, id="again"))
    assert (known.active, sorted(known.releases)) == (RELEASE.id, [RELEASE.id, "next"])
    assert read_releases(path) == known


def test_dropped_releases_are_gone_and_the_last_takes_the_file_along(path: Path) -> None:
    add_release(path, RELEASE)
    add_release(path, replace(RELEASE, id="next", threshold=0.9))
    assert drop_releases(path, ["next", "unknown"]) == Releases(None, {RELEASE.id: RELEASE})
    assert read_releases(path) == Releases(None, {RELEASE.id: RELEASE})
    activate(path, RELEASE.id)
    assert drop_releases(path, []).active == RELEASE.id
    assert drop_releases(path, [RELEASE.id]) == Releases()
    assert not path.exists()


def test_a_release_may_wait_and_be_rolled_back(path: Path) -> None:
    add_release(path, RELEASE)
    add_release(path, replace(RELEASE, id="next", threshold=0.9), activate=False)
    assert read_releases(path).active == RELEASE.id
    activate(path, "next")
    assert read_releases(path).active == "next"
    activate(path, None)
    assert read_releases(path).active is None
    assert len(read_releases(path).releases) == 2


def test_a_release_never_changes(path: Path) -> None:
    add_release(path, RELEASE)
    before = path.read_bytes()
    with pytest.raises(ReleaseError, match="exists already with another content"):
        add_release(path, replace(RELEASE, threshold=0.5))
    assert path.read_bytes() == before


def test_adding_the_same_release_again_leaves_the_file_untouched(path: Path) -> None:
    add_release(path, RELEASE)
    before = path.stat().st_mtime_ns
    add_release(path, RELEASE)
    assert path.stat().st_mtime_ns == before


def test_an_unknown_release_cannot_be_activated(path: Path) -> None:
    add_release(path, RELEASE)
    with pytest.raises(ReleaseError, match=f"no release 'other'.*{RELEASE.id}"):
        activate(path, "other")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", "Upper"),
        ("id", "x" * 21),
        ("id", "-x"),
        ("image", "no-registry:1"),
        ("image", "registry/without-tag"),
        ("image", "registry/model:latest"),
        ("image", "registry/model:.x"),
        ("model_data_url", "https://host/model.tar.gz"),
        ("model_data_url", "s3://bucket/model.zip"),
        ("model_sha256", "ab12"),
        ("instance_type", "m5.large"),
        ("instance_type", "ml.m5.x-large"),
        ("instance_count", 0),
        ("instance_count", True),
        ("threshold", 1.01),
        ("threshold", 0),
        ("threshold", -0.5),
        ("threshold", float("nan")),
        ("threshold", "0.9"),
        ("labels", ("bicycle",)),
        ("labels", ("bicycle", "bicycle")),
        ("labels", None),
        ("dataset_version", " "),
        ("environment", {"A": 1}),
        ("metrics", {"accuracy": float("inf")}),
        ("metrics", {"accuracy": True}),
        ("metrics", []),
    ],
)
def test_every_field_is_checked(field: str, value: Any) -> None:
    with pytest.raises(ReleaseError, match=rf"{field} must be .*"):
        replace(RELEASE, **{field: value})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"active_release": null, "releases": []}',
        '{"active_release": null, "releases": {"r": {}}}',
        '{"active_release": null, "releases": {"r": []}}',
        '{"active_release": "r", "releases": {}}',
    ],
)
def test_a_file_of_another_form_is_named_and_kept(path: Path, text: str) -> None:
    path.write_text(text)
    with pytest.raises(ReleaseError, match=r"release\.tfvars\.json"):
        add_release(path, RELEASE)
    assert path.read_text() == text


@pytest.mark.parametrize(("key", "value"), [("color", "red"), ("threshold", None)])
def test_a_field_too_many_or_too_few_is_named(path: Path, key: str, value: str | None) -> None:
    add_release(path, RELEASE)
    body = json.loads(path.read_text())
    body["releases"][RELEASE.id].pop(key, None)
    if value:
        body["releases"][RELEASE.id][key] = value
    path.write_text(json.dumps(body))
    with pytest.raises(ReleaseError, match=key):
        read_releases(path)


def test_ids_are_of_universal_time_and_the_model() -> None:
    now = datetime(2026, 11, 20, 16, 32, 7, tzinfo=timezone(timedelta(hours=2)))
    assert release_id(now, "ab12ff") == "20261120-143207-ab12"


def test_ids_sort_by_time_within_a_minute_too() -> None:
    now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert release_id(now, "ffff") < release_id(now + timedelta(seconds=1), "0000")


TERRAFORM = Path(__file__).parents[3] / "terraform"
NEARLY = {
    "model_sha256": ["ab" * 32, "AB" * 32, "ab" * 31, "zz" * 32],
    "instance_type": [
        "ml.m5.large",
        "ml.g5.2xlarge",
        "ml.m5.x-large",
        "ml.m5",
        "m5.large",
        "ml..x",
    ],
    "image": [
        "1.dkr/model:1.0",
        "1.dkr/model:_x",
        "1.dkr/model:.x",
        "1.dkr/model:-x",
        "1.dkr/model:",
        "1.dkr/model@sha256:" + "ab" * 32,
    ],
    "id": ["r", "r-1", "-r", "r-", "R", "x" * 20, "x" * 21, "r_1"],
}


@pytest.mark.parametrize(("field", "value"), [(f, v) for f, vs in NEARLY.items() for v in vs])
def test_what_terraform_refuses_is_refused_before_it_is_written(field: str, value: str) -> None:
    """The rule itself is taken out of the module's validation."""
    text = (TERRAFORM / "modules" / "endpoint" / "variables.tf").read_text()
    name = "id" if field == "id" else rf"r\.{field}"
    (rule,) = re.findall(rf'regex\("([^"]+)", {name}\)', text)
    changed: dict[str, Any] = {field: value}
    accepted = re.search(rule.replace("\\\\", "\\"), value) is not None
    if accepted:
        assert getattr(replace(RELEASE, **changed), field) == value
    else:
        with pytest.raises(ReleaseError, match=f"{field} must be"):
            replace(RELEASE, **changed)


ASSIGNED = {"bicycle": Assignment("bicycle", "A", "near", 3)}


def test_assignments_are_written_next_to_the_releases_and_stay_until_others_are(
    path: Path,
) -> None:
    add_release(path, RELEASE, assignments=ASSIGNED)
    table = {"bicycle": {"bay": "A", "orders": "near", "max_km": 3}}
    assert json.loads(path.read_text())["assignments"] == table
    add_release(path, replace(RELEASE, id="next", threshold=0.9))
    activate(path, RELEASE.id)
    assert drop_releases(path, ["next"]).assignments == read_releases(path).assignments == ASSIGNED
    again = add_release(path, RELEASE, assignments={})
    assert (again.active, read_releases(path).assignments) == (RELEASE.id, {})


def test_a_file_without_assignments_is_of_an_earlier_version(path: Path) -> None:
    add_release(path, RELEASE)
    body = json.loads(path.read_text())
    del body["assignments"]
    path.write_text(json.dumps(body))
    assert read_releases(path).assignments == {}


def test_two_files_that_disagree_on_an_assignment_are_refused(path: Path) -> None:
    require_same_assignments(path, ASSIGNED)
    add_release(path, RELEASE, assignments=ASSIGNED)
    require_same_assignments(path, ASSIGNED)
    other = {"bicycle": Assignment("bicycle", "B", "near", 3)}
    for settings, words in ((other, "bay B, near, 3 km"), ({}, "none")):
        with pytest.raises(ReleaseError, match=f"bay A, near, 3 km in .* and {words} in scones"):
            require_same_assignments(path, settings)


def test_the_assignment_of_a_class_to_come_is_no_disagreement(path: Path) -> None:
    add_release(path, RELEASE, assignments=ASSIGNED)
    both = {**ASSIGNED, "scooter": Assignment("scooter", "C", "near", 5)}
    require_same_assignments(path, both)
    knows = replace(RELEASE, id="knows", labels=(*RELEASE.labels, "scooter"))
    add_release(path, knows, assignments=ASSIGNED)
    with pytest.raises(
        ReleaseError, match=r"scooter is none in .* and bay C, near, 5 km in scones"
    ):
        require_same_assignments(path, both)
    add_release(path, knows, assignments=both)
    activate(path, RELEASE.id)
    require_same_assignments(path, both)
    with pytest.raises(ReleaseError, match=r"scooter is bay C.* and none in scones"):
        require_same_assignments(path, ASSIGNED)


@pytest.fixture
def two(path: Path) -> Path:
    """A file whose active release is RELEASE, with another of the same classes."""
    add_release(path, RELEASE)
    add_release(path, replace(RELEASE, id="next", threshold=0.9), activate=False)
    return path


def test_a_challenger_is_a_variable_of_terraform_and_its_share_can_change(two: Path) -> None:
    challenge(two, "next", 0.2)
    assert json.loads(two.read_text())["challenger"] == {"release": "next", "share": 0.2}
    assert challenge(two, "next", 0.5) == read_releases(two)
    assert read_releases(two).challenger == Challenger("next", 0.5)
    assert read_releases(two).active == RELEASE.id
    end_challenge(two)
    assert "challenger" not in json.loads(two.read_text())


@pytest.mark.parametrize("release", ["next", "other"])
def test_another_active_release_has_no_challenger(two: Path, release: str) -> None:
    add_release(two, replace(RELEASE, id="other", threshold=0.5), activate=False)
    challenge(two, "next", 0.2)
    assert activate(two, RELEASE.id).challenger == Challenger("next", 0.2)
    assert activate(two, release).challenger is None
    challenge(two, RELEASE.id, 0.2)
    assert add_release(two, replace(RELEASE, id="newest", threshold=0.4)).challenger is None


@pytest.mark.parametrize("gone", [RELEASE.id, "next"])
def test_a_challenger_goes_with_either_of_the_two_releases(two: Path, gone: str) -> None:
    challenge(two, "next", 0.2)
    assert drop_releases(two, [gone]).challenger is None


@pytest.mark.parametrize(
    ("release", "share", "words"),
    [
        (RELEASE.id, 0.2, "is the active release"),
        ("gone", 0.2, "There is no release 'gone'"),
        ("french", 0.2, "the same classes in the same order. `inv rollback french`"),
        ("next", 1, "must lie between 0 and 1, not 1: `inv rollback next`"),
        ("next", 0, "must lie between 0 and 1"),
        ("next", math.nan, "must lie between 0 and 1"),
    ],
)
def test_what_cannot_challenge_is_refused_and_nothing_is_written(
    two: Path, release: str, share: float, words: str
) -> None:
    other = replace(RELEASE, id="french", labels=("moto", "velo"), threshold=0.3)
    add_release(two, other, activate=False)
    before = two.read_text()
    with pytest.raises(ReleaseError, match=re.escape(words)):
        challenge(two, release, share)
    assert two.read_text() == before


def test_without_an_active_release_nothing_is_challenged(two: Path) -> None:
    activate(two, None)
    with pytest.raises(ReleaseError, match="no active release"):
        challenge(two, "next", 0.2)


@pytest.mark.parametrize(
    "challenger",
    [
        {"release": "gone", "share": 0.2},
        {"release": "next"},
        {"release": "next", "share": 2},
        "next",
    ],
)
def test_a_challenger_that_is_none_is_named_with_the_file(two: Path, challenger: object) -> None:
    two.write_text(json.dumps({**json.loads(two.read_text()), "challenger": challenger}))
    with pytest.raises(ReleaseError, match=re.escape(two.name)):
        read_releases(two)
