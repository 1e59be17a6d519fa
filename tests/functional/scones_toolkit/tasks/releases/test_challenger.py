"""A challenger in the release file and in captured records; AWS is moto, Terraform has no state."""

import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws
from rich.console import Console as RichConsole

from scones_core.errors import MonitorError, ReleaseError
from scones_core.manifest import Manifest, ManifestRow
from scones_core.reviews import Answer, answer_line, part_key
from scones_core.terraform_outputs import Challenge, Deployment
from scones_deploy.release import Challenger, Release, add_release, challenge, read_releases
from scones_deploy.terraform.state import AppliedResource
from scones_monitor.sequential_comparison import MIN_LABELS
from scones_toolkit.console import Console
from scones_toolkit.project import Project
from scones_toolkit.tasks.monitoring.report import CAPTURE_SECONDS, captures_of, report
from scones_toolkit.tasks.monitoring.watch import watch
from scones_toolkit.tasks.releases.challenger import challenger
from scones_toolkit.tasks.releases.releases import list_releases, rollback

OLD = Release(
    id="20261101-120000-aaaa",
    image="123456789012.dkr.ecr.us-east-1.amazonaws.com/scones-model:1.0",
    model_data_url="s3://artifacts/model/job/output/model.tar.gz",
    model_sha256="ab12" * 16,
    instance_type="ml.m5.large",
    instance_count=1,
    threshold=0.9,
    labels=("bicycle", "motorcycle"),
    dataset_version="v1",
)
NEW = replace(OLD, id="20261120-120000-bbbb", threshold=0.8)
VARIANT = f"Challenger-{NEW.id}"
BEGAN = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=30)


class NoState:
    def applied(self) -> tuple[AppliedResource, ...]:
        return ()


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setitem(CAPTURE_SECONDS, "dev", 0.0)
    with mock_aws():
        client = boto3.Session("test", "test", region_name="us-east-1").client("s3")
        for bucket in ("captures", "data"):
            client.create_bucket(Bucket=bucket)
        yield client


@pytest.fixture
def said() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def project(tmp_path: Path, s3: Any, said: io.StringIO) -> Project:
    """Return a project whose deployed challenger answers half of the requests."""
    made = Project(tmp_path, "dev", console=Console(RichConsole(file=said, width=300)))
    made.release_file.parent.mkdir(parents=True)
    add_release(made.release_file, OLD)
    add_release(made.release_file, NEW, activate=False)
    challenge(made.release_file, NEW.id, 0.5)
    names = {field.name: field.name for field in fields(Deployment)}
    vars(made)["deployment"] = Deployment.of(
        {
            **names,
            "labels": OLD.labels,
            "capture_uri": "s3://captures/capture",
            "data_bucket": "data",
            "endpoint_name": "scones-dev",
            "variant": "AllTraffic",
            "active_release": OLD.id,
            "drift_reference_since": "",
            "threshold": OLD.threshold,
            "challenger": {
                "release": NEW.id,
                "share": 0.5,
                "variant": VARIANT,
                "threshold": NEW.threshold,
            },
        }
    )
    vars(made)["terraform"] = NoState()
    return made


def answered(s3: Any, variant: str, n: int, confidence: float, at: datetime = BEGAN) -> list[str]:
    """Capture so many answers `bicycle` of a variant, a second apart; return their ids."""
    lines, ids = [], [f"{variant}-{at:%H%M%S}-{i}" for i in range(n)]
    for i, name in enumerate(ids):
        output = {"observedContentType": "application/json", "mode": "OUTPUT", "encoding": "JSON"}
        answer = json.dumps([confidence, 1 - confidence])
        time = at + timedelta(seconds=i)
        record = {
            "captureData": {"endpointOutput": {**output, "data": answer}},
            "eventMetadata": {
                "eventId": name,
                "inferenceId": name,
                "inferenceTime": f"{time:%Y-%m-%dT%H:%M:%SZ}",
            },
            "eventVersion": "0",
        }
        lines.append(json.dumps(record))
    key = f"capture/scones-dev/{variant}/{at:%Y/%m/%d/%H/%M-%S-000}-x.jsonl"
    s3.put_object(Bucket="captures", Key=key, Body="\n".join(lines).encode())
    return ids


def ran(project: Project, truths: dict[str, str], confidence: float = 0.95) -> Manifest:
    """Record a run of images of these true classes, by inference id, and return its manifest."""
    results = [
        {
            "image": {"bucket": "data", "key": f"{name}.png"},
            "decision": "accepted",
            "threshold": 0.9,
            "inference": {
                "label": "bicycle",
                "confidence": confidence,
                "probabilities": {"bicycle": confidence},
                "inference_id": name,
                "variant": name.rpartition("-")[0].rpartition("-")[0],
            },
        }
        for name in truths
    ]
    started = {"executions": ["arn:x"], "started_at": BEGAN.isoformat()}
    project.records.write("execution", {**started, "results": results})
    rows = [ManifestRow(f"{n}.png", "test", t, "0" * 64, 0, "a") for n, t in truths.items()]
    return Manifest("v1", OLD.labels, {"kind": "cifar100", "name": "x"}, {}, tuple(rows))


def reviewed(s3: Any, truths: dict[str, str]) -> None:
    """Leave a reviewer's answers, of these true classes by inference id, in the data bucket."""
    lines = []
    for number, (name, label) in enumerate(truths.items(), 1):
        sha256 = hashlib.sha256(name.encode()).hexdigest()
        answer = Answer(
            session="s",
            sequence=number,
            reviewer="ana",
            action="label",
            sha256=sha256,
            file=f"{sha256}.png",
            at=BEGAN.isoformat(),
            label=label,
            inference_id=name,
        )
        lines.append(answer_line(answer))
    key = part_key("labels/", "ana", "s", 1, len(lines))
    s3.put_object(Bucket="data", Key=key, Body=b"".join(lines))


def truths(ids: list[str], wrong: int) -> dict[str, str]:
    return {name: "motorcycle" if i < wrong else "bicycle" for i, name in enumerate(ids)}


def test_a_run_on_both_is_reported_of_the_active_release_and_compared(
    project: Project, s3: Any
) -> None:
    own = answered(s3, "AllTraffic", 50, 0.85)
    theirs = answered(s3, VARIANT, 50, 0.95)
    manifest = ran(project, truths(own, 30) | truths(theirs, 0))

    found = report(project, manifest=manifest)

    assert (found["captured_records"], found["accuracy"]) == (50, 0.4)
    compared = found["variants"]
    assert compared["verdict"]["outcome"] == "challenger"
    sides = compared["active"], compared["challenger"]
    assert [side["release"] for side in sides] == [OLD.id, NEW.id]
    assert [side["n"] for side in sides] == [50, 50]
    # At thresholds of their own.
    assert [side["accepted"]["value"] for side in sides] == [0, 1]
    assert [side["realised_accuracy"]["value"] for side in sides] == [0.4, 1]
    assert compared["difference"]["realised_accuracy"]["interval"][0] > 0
    assert found["excluded"] == {}
    page = (project.build / "dev" / "report.html").read_text(encoding="utf-8")
    assert f"The challenger {NEW.id} is the better one: the labels show it more accurate." in page


def test_both_are_compared_since_the_challengers_first_answer(project: Project, s3: Any) -> None:
    answered(s3, "AllTraffic", 7, 0.6, BEGAN - timedelta(minutes=20))
    answered(s3, "AllTraffic", 5, 0.95, BEGAN + timedelta(minutes=1))
    answered(s3, VARIANT, 3, 0.95)
    answered(s3, "Challenger-20260101-000000-cccc", 9, 0.95)

    found = report(project, since="2h")

    assert found["captured_records"] == 12
    assert (found["variants"]["active"]["n"], found["variants"]["challenger"]["n"]) == (5, 3)
    assert found["variants"]["since"] == BEGAN.isoformat()
    assert found["variants"]["verdict"]["outcome"] == "open"


def test_what_answered_before_the_active_release_was_made_is_not_compared(
    project: Project, s3: Any
) -> None:
    made = BEGAN + timedelta(minutes=10)
    younger = f"{made:%Y%m%d-%H%M%S}-dddd"
    vars(project)["deployment"] = replace(project.deployment, active_release=younger)
    for variant, before, after in (("AllTraffic", 7, 2), (VARIANT, 9, 3)):
        answered(s3, variant, before, 0.95)
        answered(s3, variant, after, 0.95, made + timedelta(minutes=1))
    compared = report(project, since="2h")["variants"]
    assert (compared["active"]["n"], compared["challenger"]["n"]) == (2, 3)
    assert compared["since"] == made.isoformat()


def test_the_terminal_shows_how_the_challenger_does(
    project: Project, s3: Any, said: io.StringIO
) -> None:
    answered(s3, "AllTraffic", 5, 0.95)
    answered(s3, VARIANT, 4, 0.7)
    watch(project, since="2h", once=True)
    assert "images 5" in said.getvalue()
    assert f"challenger {NEW.id}: 100" in said.getvalue()
    assert "of 4 to review, verdict open" in said.getvalue()


def test_without_a_challenger_nothing_is_compared(project: Project, s3: Any) -> None:
    answered(s3, "AllTraffic", 5, 0.95)
    vars(project)["deployment"] = replace(project.deployment, challenger=None)
    assert report(project, since="2h")["variants"] is None


def test_the_images_of_a_run_are_found_with_whichever_release_answered(
    project: Project, s3: Any
) -> None:
    own, theirs = answered(s3, "AllTraffic", 1, 0.6), answered(s3, VARIANT, 1, 0.6)
    ran(project, truths([*own, *theirs], 0))
    results = project.records.read("execution")["results"]
    found = captures_of(project.deployment, s3, results, BEGAN, 0)
    assert [record.inference_id for record in found.records] == [*own, *theirs]


def test_the_state_shows_both_and_what_is_missing(
    project: Project, s3: Any, said: io.StringIO
) -> None:
    own, theirs = answered(s3, "AllTraffic", 5, 0.95), answered(s3, VARIANT, 5, 0.95)
    reviewed(s3, truths([*own, *theirs], 0))
    challenger(project)
    text = said.getvalue()
    assert OLD.id in text
    assert NEW.id in text
    assert f"Not decided. Each of the two needs {MIN_LABELS} labelled answers; one has 5." in text
    assert "more decide it." in text


@pytest.mark.parametrize("better", ["challenger", "active"])
def test_the_better_one_is_promoted_and_no_other(project: Project, s3: Any, better: str) -> None:
    own, theirs = answered(s3, "AllTraffic", 60, 0.95), answered(s3, VARIANT, 60, 0.95)
    good, bad = (theirs, own) if better == "challenger" else (own, theirs)
    reviewed(s3, truths(good, 0) | truths(bad, 40))
    if better == "active":
        with pytest.raises(ReleaseError, match=f"{NEW.id} is not promoted: .* `inv rollback"):
            challenger(project, promote=True)
        assert read_releases(project.release_file).active == OLD.id
        return
    changed = challenger(project, promote=True)
    assert (changed.active, changed.challenger) == (NEW.id, None)
    assert OLD.id in changed.releases
    assert read_releases(project.release_file) == changed


def test_a_challenger_that_is_not_deployed_yet_is_not_promoted(project: Project, s3: Any) -> None:
    answered(s3, "AllTraffic", 1, 0.95)
    later = replace(NEW, id="20261121-120000-cccc", threshold=0.7)
    add_release(project.release_file, later, activate=False)
    challenger(project, release=later.id, share=0.5)
    with pytest.raises(ReleaseError, match=f"{NEW.id} is deployed"):
        challenger(project, promote=True)


def test_the_end_leaves_the_active_release_alone(project: Project, said: io.StringIO) -> None:
    assert challenger(project, end=True).challenger is None
    assert f"{OLD.id} answers all requests again" in said.getvalue()
    with pytest.raises(ReleaseError, match="dev has no challenger"):
        challenger(project, end=True)


def test_another_active_release_ends_the_comparison_and_says_so(
    project: Project, said: io.StringIO
) -> None:
    assert rollback(project, NEW.id).challenger is None
    assert f"The comparison of {OLD.id} with {NEW.id} ends with it." in said.getvalue()


def test_a_rollback_to_the_active_release_says_that_its_challenger_stays(
    project: Project, said: io.StringIO
) -> None:
    assert rollback(project, OLD.id).challenger == read_releases(project.release_file).challenger
    assert f"{NEW.id} still challenges it; inv challenger --end --env dev" in said.getvalue()


def test_the_list_says_whether_the_challenger_is_deployed_with_its_share(
    project: Project, said: io.StringIO
) -> None:
    list_releases(project)
    assert "challenger, 50.00%  " in said.getvalue()
    challenger(project, share=0.1)
    list_releases(project)
    assert "challenger, 10.00%, deployed 50.00%" in said.getvalue()
    vars(project)["deployment"] = replace(project.deployment, challenger=None)
    list_releases(project)
    assert "challenger, 10.00%, not deployed" in said.getvalue()


def test_the_share_of_the_present_one_can_change(project: Project) -> None:
    assert challenger(project, share=0.1).challenger == Challenger(NEW.id, 0.1)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"promote": True, "end": True}, "Choose one"),
        ({"share": 0.2, "end": True}, "Choose one"),
        ({"release": NEW.id}, "--share says"),
        ({"release": "gone", "share": 0.2}, "There is no release 'gone'"),
    ],
)
def test_flags_that_say_no_one_thing_are_refused(
    project: Project, flags: dict[str, Any], words: str
) -> None:
    with pytest.raises(ReleaseError, match=words):
        challenger(project, **flags)


def test_a_share_without_a_challenger_needs_a_release(project: Project) -> None:
    challenger(project, end=True)
    with pytest.raises(ReleaseError, match="name a release by --release"):
        challenger(project, share=0.2)


def test_nothing_is_shown_where_none_is_deployed(project: Project) -> None:
    vars(project)["deployment"] = replace(project.deployment, challenger=None)
    with pytest.raises(MonitorError, match=f"{NEW.id} is not deployed yet: inv plan --env dev"):
        challenger(project)
    challenger(project, end=True)
    with pytest.raises(MonitorError, match="No challenger is deployed in dev"):
        challenger(project)


def test_a_deployment_says_which_it_is(project: Project) -> None:
    assert project.deployment.challenger == Challenge(NEW.id, 0.5, VARIANT, NEW.threshold)
