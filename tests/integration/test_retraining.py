"""State machines of jobs in an embedded AWS: from answers to a proposal, on drawn images, and from
a schedule to a demand forecast, on generated hours."""

import io
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from local_aws.control import LocalAws
from local_aws.testing.aws import Aws, eventually, unique
from scones_core.errors import ReleaseError
from scones_core.terraform_outputs import Deployment
from scones_core.uris import S3Uri, manifest_key
from scones_demand.fit import DemandSettings
from scones_demand.generator import competition_split, generate_hours
from scones_demand.hours import write_hours
from scones_demand.model import Card
from scones_toolkit.project import Project
from scones_toolkit.tasks import etl
from scones_toolkit.tasks.demand import forecast, jobs
from scones_toolkit.tasks.local import model_images
from scones_toolkit.tasks.releases.retraining import release_proposed, retrain
from scones_toolkit.tasks.training import candidates
from scones_toolkit.tasks.training.train import train_on_sagemaker
from scones_train.sagemaker.model_package import APPROVED, PENDING, REJECTED
from tests.support.environments import retraining
from tests.support.environments.training import AUTOGLUON, Applied, applied
from tests.support.photos import draw_photos
from tests.support.queues import queue_from
from tests.support.reviewer_answers import put_answers

pytestmark = pytest.mark.slow

RECIPE = {"recipe": "scratch", "folds": "0", "target_precision": "0.6"}
LENIENT = {"min_accuracy": 0, "min_coverage": 0, "max_calibration_error": 1}


@dataclass(frozen=True)
class Retrained(Applied):
    """A project whose deployment has a retraining."""

    machine: str = ""

    @cached_property
    def deployment(self) -> Deployment:
        return replace(super().deployment, retraining_state_machine_arn=self.machine)


@dataclass(frozen=True)
class Loop:
    """A project with a trained model and the state machine that retrains it."""

    project: Applied
    aws: Aws
    root: Path

    def machine(self, epochs: int = 3, data_bucket: str = "", **quality: float) -> str:
        active = next(
            found for found in candidates.registry(self.project).all() if found.version == 1
        )
        topic, _ = self.aws.topic()
        text = retraining.definition(
            self.project,
            etl.current(self.project),
            active_model=S3Uri.parse(active.training.model_data_url),
            active_threshold=0.9,
            hyperparameters={**RECIPE, "epochs": str(epochs)},
            quality={**LENIENT, **quality},
            topic_arn=topic,
            data_bucket=data_bucket or self.project.deployment.data_bucket,
        )
        return self.aws.state_machine(json.loads(text))

    def run(self, machine: str, **given: Any) -> dict[str, Any]:
        ended = self.aws.run(machine, given, seconds=120)
        assert ended["status"] == "SUCCEEDED", (ended["error"], ended.get("cause"))
        output: dict[str, Any] = json.loads(ended["output"])
        return output

    def answer(self, reviewer: str, seed: int, count: int) -> None:
        """Leave a reviewer's answers to `2 * count` drawn images where `inv review` puts them."""
        folder = Path(draw_photos(self.root / unique(reviewer), count, seed))
        labelled = [(path.parent.name, path.read_bytes()) for path in sorted(folder.rglob("*.png"))]
        s3, bucket = self.project.client("s3"), self.project.deployment.data_bucket
        put_answers(s3, bucket, reviewer, labelled)


def briefly(_: float) -> None:
    time.sleep(0.2)


def vars_of(project: Applied) -> dict[str, Any]:
    return {field.name: getattr(project, field.name) for field in fields(project)}


@pytest.fixture(scope="module")
def loop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loop]:
    root = tmp_path_factory.mktemp("project")
    images = model_images(Project(root))
    with LocalAws.start(root / ".local" / "aws", 0, images, keep=False) as local:
        project = applied(root, local, draw_photos(root / "photos", 80))
        train_on_sagemaker(project)
        yield Loop(project, Aws.of(local), root)


def test_answers_become_a_candidate_that_is_proposed_and_not_deployed(loop: Loop) -> None:
    before = etl.current(loop.project)
    loop.answer("ada", seed=1, count=4)
    machine = loop.machine()
    project = Retrained(**vars_of(loop.project), machine=machine)
    found = retrain(project, min_new_images=5, sleep=briefly)

    assert (found["outcome"], found["reason"]) == ("proposed", "started by inv retrain"), found
    assert (found["dataset"]["new"], found["dataset"]["base_version"]) == (8, before.version)
    candidate = next(candidates.registry(project).all())
    assert (candidate.status, candidate.training.data_source) == (PENDING, "folder+labelled")
    assert candidate.training.dataset_version == found["dataset"]["version"]
    assert candidate.arn == found["candidate"]
    assert "8 of 8 answered images are new" in project.shown

    few = retrain(project, min_new_images=9, sleep=briefly)
    assert (few["outcome"], few["dataset"]["new"]) == ("too few new images", 8)

    released = release_proposed(project)
    assert released.releases[released.active or ""].model_package_arn == candidate.arn
    assert next(candidates.registry(project).all()).status == APPROVED
    with pytest.raises(ReleaseError, match="is a release already"):
        release_proposed(project)


def test_a_model_below_the_limits_is_registered_as_rejected(loop: Loop) -> None:
    found = loop.run(loop.machine(epochs=1, max_calibration_error=0), reason="schedule")
    assert found["outcome"] == "refused", found
    assert found["refusals"]
    candidate = next(candidates.registry(loop.project).all())
    assert (candidate.status, found["refusals"][0] in candidate.note) == (REJECTED, True)


def test_a_scheduled_run_ends_before_its_first_job_where_nobody_answered(loop: Loop) -> None:
    empty = unique("data")
    loop.project.client("s3").create_bucket(Bucket=empty)
    ended = loop.run(loop.machine(data_bucket=empty), reason="schedule", min_new_images=1)
    assert ended == {"outcome": "no image was answered yet", "reason": "schedule"}


def test_a_dataset_that_cannot_be_read_fails_the_run_until_it_is_redriven_with_it(
    loop: Loop,
) -> None:
    loop.answer("ada", seed=1, count=4)
    s3, manifest, machine = loop.project.client("s3"), etl.current(loop.project), loop.machine()
    where = {
        "Bucket": loop.project.deployment.data_bucket,
        "Key": manifest_key(manifest.version),
    }
    whole = s3.get_object(**where)["Body"].read()
    s3.put_object(**where, Body=whole[:-9])
    failed = loop.aws.run(machine, {"min_new_images": 10**6}, seconds=120)
    assert failed["status"] == "FAILED"

    s3.put_object(**where, Body=whole)
    loop.aws.client("stepfunctions").redrive_execution(executionArn=failed["executionArn"])
    ended = loop.aws.wait(failed["executionArn"])
    assert ended["status"] == "SUCCEEDED", (ended.get("error"), ended.get("cause"))
    assert json.loads(ended["output"])["outcome"] == "too few new images"


@dataclass(frozen=True)
class Forecasting:
    """A tiny model of demand, hours that it was trained on, and hours that it can forecast."""

    loop: Loop
    trained: Card
    known: bytes
    asked: bytes

    def machine(self) -> str:
        text = retraining.demand_definition(self.loop.project, "demand")
        return self.loop.aws.state_machine(json.loads(text))

    def put(self, name: str, body: bytes) -> None:
        self.loop.project.client("s3").put_object(
            Bucket=self.loop.project.deployment.data_bucket, Key=f"demand/input/{name}", Body=body
        )

    def read(self, uri: S3Uri) -> bytes:
        found = self.loop.project.client("s3").get_object(Bucket=uri.bucket, Key=uri.key)
        body: bytes = found["Body"].read()
        return body


@pytest.fixture(scope="module")
def forecasting(loop: Loop) -> Forecasting:
    """A model that a job trained and a person approved, as Terraform makes one of it."""
    project, folder = loop.project, loop.root / "hours"
    known, asked = competition_split(generate_hours(days=100))
    write_hours(folder / "train.csv", known)
    write_hours(folder / "test.csv", asked)
    forecast.etl(project, str(folder))
    chosen = DemandSettings(max_iter=5, fold_every=24)
    trained = forecast.train(project, chosen, backend="sagemaker")
    jobs.list_candidates(project)
    approved = jobs.approve(project, 1, note="tried").training
    loop.aws.client("sagemaker").create_model(
        ModelName="demand",
        ExecutionRoleArn=project.deployment.training_role_arn,
        PrimaryContainer={
            "Image": approved.image,
            "ModelDataUrl": approved.model_data_url,
            "Environment": {"SCONES_WORKLOAD": "demand"},
        },
    )
    files = [(folder / name).read_bytes() for name in ("train.csv", "test.csv")]
    return Forecasting(loop, trained, *files)


def events_of(aws: Aws, source: str) -> str:
    """Return the URL of a queue that gets the default bus's events of a source."""
    url, queue = queue_from(aws.client("sqs"), "events.amazonaws.com")
    rule, events = unique("rule"), aws.client("events")
    events.put_rule(Name=rule, EventPattern=json.dumps({"source": [source]}))
    events.put_targets(Rule=rule, Targets=[{"Id": "queue", "Arn": queue}])
    return url


def test_a_job_makes_a_candidate_that_waits_for_its_approval(forecasting: Forecasting) -> None:
    project, trained = forecasting.loop.project, forecasting.trained
    (found,) = jobs.registry(project).all()
    assert (found.status, found.note) == (APPROVED, "tried")
    assert found.training.metrics["rmsle"] == pytest.approx(trained.metrics["rmsle"], abs=1e-4)
    assert found.training.manifest_sha256 == project.records.read(forecast.DATA)["sha256"]
    package = project.client("sagemaker").describe_model_package(ModelPackageName=found.arn)
    (container,) = package["InferenceSpecification"]["Containers"]
    assert container["Environment"] == {"SCONES_WORKLOAD": "demand"}
    assert "candidate 1 waits for its approval" in project.shown
    assert f'model_data_url = "{found.training.model_data_url}"' in project.shown
    with pytest.raises(ReleaseError, match=r"no candidate 2; `inv demand\.candidates`"):
        jobs.approve(project, 2)


def test_awss_image_of_autogluon_trains_by_the_same_blocks(forecasting: Forecasting) -> None:
    project, before = forecasting.loop.project, forecast.staged(forecasting.loop.project)
    chosen = forecast.settings_of("builtin", fold_every=24)
    card = forecast.train(project, chosen, backend="sagemaker", algorithm="builtin")
    assert card.settings["algorithm"] == "autogluon"
    assert [fold["name"] for fold in card.folds] == [
        fold["name"] for fold in forecasting.trained.folds
    ]
    assert card.days == tuple(sorted(set(before.day.tolist())))
    record = project.records.read(forecast.TRAINING)
    assert {row[0] for row in record["leaderboard"]} == {
        forecast.LINES["scones"],
        forecast.LINES["builtin"],
    }
    assert len(record["versions"]) == 1
    job = project.client("sagemaker").list_training_jobs(
        SortBy="CreationTime", SortOrder="Descending"
    )["TrainingJobSummaries"][0]["TrainingJobName"]
    found = project.client("sagemaker").describe_training_job(TrainingJobName=job)
    assert found["AlgorithmSpecification"]["TrainingImage"] == AUTOGLUON
    metrics = {m["MetricName"]: m["Value"] for m in found["FinalMetricDataList"]}
    assert metrics["rmsle"] == pytest.approx(card.metrics["rmsle"], abs=1e-4)


def test_a_schedule_has_demand_forecast_as_csv_and_as_parquet(forecasting: Forecasting) -> None:
    aws = forecasting.loop.aws
    machine, queue = forecasting.machine(), events_of(aws, "scones.demand")
    forecasting.put("test.csv", forecasting.asked)
    aws.client("scheduler").create_schedule(
        Name=unique("forecast"),
        ScheduleExpression="rate(1 day)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": machine, "RoleArn": aws.role, "Input": "{}"},
    )
    aws.advance(60)  # a rate without a start date has its first time at once
    states = aws.client("stepfunctions")
    (started,) = eventually(
        lambda: states.list_executions(stateMachineArn=machine)["executions"] or None
    )
    ended = aws.wait(started["executionArn"])
    assert ended["status"] == "SUCCEEDED", (ended.get("error"), ended.get("cause"))

    event = json.loads(aws.message(queue)["Body"])
    assert event["detail-type"] == "DemandForecasted"
    assert event["detail"] == {"schema_version": "1", **json.loads(ended["output"])}
    location = S3Uri.parse(event["detail"]["location"])
    assert event["detail"]["run"] in location.key
    rows = forecasting.read(location.join("csv/test.csv.out")).decode().splitlines()
    assert rows[0] == "datetime,count,low,high"
    assert len(rows) == len(forecasting.asked.splitlines())
    table = pq.read_table(io.BytesIO(forecasting.read(location.join("parquet/test.csv.out"))))
    assert [f"{count:.4f}" for count in table["count"].to_pylist()] == [
        row.split(",")[1] for row in rows[1:]
    ]


def test_hours_that_cannot_be_forecast_fail_the_run_until_it_is_redriven_without_them(
    forecasting: Forecasting,
) -> None:
    aws = forecasting.loop.aws
    forecasting.put("test.csv", forecasting.known)
    failed = aws.run(forecasting.machine(), {})
    assert failed["status"] == "FAILED"
    assert "ClientError" in failed["cause"]

    forecasting.put("test.csv", forecasting.asked)
    execution = failed["executionArn"]
    aws.client("stepfunctions").redrive_execution(executionArn=execution)
    ended = aws.wait(execution)
    assert ended["status"] == "SUCCEEDED", (ended.get("error"), ended.get("cause"))
