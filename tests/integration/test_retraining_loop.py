"""The closed loop in an embedded AWS, by its clock: night lowers confidence, an alarm starts a
retraining, reviewers' answers train a candidate, its release brings confidence back. Then they
answer with a class that the model does not know: the next release knows it."""

import io
import json
import re
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from local_aws.testing.aws import ACCOUNT, REGION, eventually
from scones_core.settings import EndpointSettings, Settings
from scones_deploy.artifact_release import artifact_release
from scones_deploy.release import add_release, read_releases
from scones_toolkit.project import Project
from scones_toolkit.tasks.local import model_images
from tests.support.colour_model import SIDE, encoded, write_colour_model
from tests.support.environments.environment import Environment
from tests.support.reviewer_answers import put_answers

pytestmark = pytest.mark.slow

PREFIX = "scones-local-"
DATA = f"{PREFIX}data-{ACCOUNT}"
MACHINES = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{PREFIX}"
IMAGE = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/{PREFIX}model:0.1.0"
ALARM = f"{PREFIX}low-confidence"
MAX_SECONDS = 300
# The day's images are 150 apart in red and blue: sure by day, unsure at half the brightness.
SENSITIVITY, NIGHT = 0.02, 0.5
# A bicycle is red, a motorcycle blue; the smallest training, and limits that it can reach.
COLOURS = {"bicycle": 0, "motorcycle": 2}
# What joins later is green. Of 80 images some 16 test it.
JOINS, JOINING = {"scooter": 1}, 80
ASSIGNED = """
[assignment.scooter]
bay = "C"
orders = "near"
max_km = 5
"""
LENIENT = {"min_accuracy": 0, "min_coverage": 0, "max_calibration_error": 1}
GATE = {f"SCONES_QUALITY_{name.upper()}": str(limit) for name, limit in LENIENT.items()}
VARIABLES = f"""
retraining = {{
  training_image  = "{IMAGE}-training"
  hyperparameters = {{ recipe = "scratch", folds = "0", target_precision = "0.6", epochs = "20" }}
  quality         = {{ min_accuracy = 0, min_coverage = 0, max_calibration_error = 1 }}
}}
"""


def vehicles(
    count: int, seed: int, brightness: float = 1.0, colours: Mapping[str, int] = COLOURS
) -> list[tuple[str, bytes]]:
    """Return `count` drawn images of each class, with their labels."""
    random, drawn = np.random.default_rng(seed), []
    for label, channel in colours.items():
        for _ in range(count):
            pixels = random.integers(0, 100, (SIDE, SIDE, 3), dtype=np.uint8)
            pixels[..., channel] += 150
            drawn.append((label, encoded((pixels * brightness).astype(np.uint8))))
    return drawn


def colour_archive(folder: Path, dataset_version: str) -> bytes:
    """Return an artifact that tells the colours, less surely the darker they are."""
    folder.mkdir()
    write_colour_model(folder, tuple(COLOURS), dataset_version, SENSITIVITY)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for path in folder.iterdir():
            archive.add(path, path.name)
    return packed.getvalue()


@dataclass(frozen=True)
class Loop:
    """An environment with a retraining, whose release knows the day only."""

    environment: Environment

    def classify(self, images: list[tuple[str, bytes]], name: str) -> list[dict[str, Any]]:
        """Send images through the workflow and return their results."""
        s3, listed = self.environment.client("s3"), []
        for number, (_, body) in enumerate(images):
            listed.append({"bucket": DATA, "key": f"seen/{name}/{number}.png"})
            s3.put_object(Bucket=DATA, Key=listed[-1]["key"], Body=body, ContentType="image/png")
        states = self.environment.client("stepfunctions")
        execution = states.start_execution(
            stateMachineArn=f"{MACHINES}classify", input=json.dumps({"images": listed})
        )["executionArn"]
        place = self.output(execution)["results"]
        files = s3.list_objects_v2(Bucket=place["bucket"], Prefix=place["prefix"])["Contents"]
        bodies = [s3.get_object(Bucket=DATA, Key=file["Key"])["Body"].read() for file in files]
        return [json.loads(line) for body in bodies for line in body.splitlines()]

    def output(self, execution: str) -> dict[str, Any]:
        """Return what an execution of a state machine put out, once it has succeeded."""
        states = self.environment.client("stepfunctions")

        def ended() -> Any:
            found = states.describe_execution(executionArn=execution)
            return found if found["status"] != "RUNNING" else None

        found = eventually(ended, MAX_SECONDS)
        if found["status"] != "SUCCEEDED":
            pytest.fail(f"{found['status']}: {found.get('error')}: {found.get('cause')}")
        put: dict[str, Any] = json.loads(found["output"])
        return put

    def becomes(self, state: str) -> None:
        """Let the time pass until the alarm on confidence has a state."""
        describe = self.environment.client("cloudwatch").describe_alarms
        for _ in range(70):
            if describe(AlarmNames=[ALARM])["MetricAlarms"][0]["StateValue"] == state:
                return
            self.environment.clock.advance(61)
        pytest.fail(f"{ALARM} does not become {state}")

    def add_to_settings(self, text: str, **replaced: str) -> None:
        """Add sections to scones.toml, and replace parts of it."""
        path = self.environment.checkout.root / "scones.toml"
        body = path.read_text()
        for old, new in replaced.items():
            assert old in body
            body = body.replace(old, new)
        path.write_text(body + text)

    def retraining(self, after: int) -> dict[str, Any]:
        """Return how the retraining ended that was started after so many others."""
        states = self.environment.client("stepfunctions")

        def started() -> Any:
            found = states.list_executions(stateMachineArn=f"{MACHINES}retrain")["executions"]
            return found[0]["executionArn"] if len(found) > after else None

        return self.output(eventually(started, MAX_SECONDS))


def reviewed(results: list[dict[str, Any]]) -> int:
    return sum(result["decision"] == "review" for result in results)


def confidence(results: list[dict[str, Any]]) -> float:
    return float(np.mean([result["inference"]["confidence"] for result in results]))


@pytest.fixture
def loop(applied: Path, tmp_path: Path) -> Iterator[Loop]:
    root = tmp_path / "checkout"
    started = Environment.copy(applied, root, model_images(Project(root)))
    folder = tmp_path / "photos"
    for number, (label, body) in enumerate(vehicles(80, seed=0)):
        (folder / label).mkdir(parents=True, exist_ok=True)
        (folder / label / f"{number}.png").write_bytes(body)
    with started.aws:
        started.variables.write_text(started.variables.read_text() + VARIABLES)
        started.done("etl", "--source", str(folder))
        s3 = started.client("s3")
        staged = s3.list_objects_v2(Bucket=DATA, Prefix="dataset/", Delimiter="/")
        (version,) = (found["Prefix"].split("/")[1] for found in staged["CommonPrefixes"])
        made = artifact_release(
            s3,
            started.upload("day", colour_archive(tmp_path / "model", version)),
            image=IMAGE,
            endpoint=EndpointSettings(instance_count=2),
            now=datetime.now(UTC) - timedelta(minutes=1),
        )
        assigned = Settings.load(root / "scones.toml", {}).assignment
        add_release(started.release_file, made, assignments=assigned)
        started.done("apply")
        yield Loop(started)


def test_reviewers_answers_bring_confidence_back_at_night_and_then_add_a_class(loop: Loop) -> None:
    environment, s3 = loop.environment, loop.environment.client("s3")
    began = environment.clock.now() - timedelta(hours=1)
    day = loop.classify(vehicles(10, seed=1), "day")
    assert reviewed(day) == 0
    environment.clock.advance(3700)

    night = vehicles(15, seed=2, brightness=NIGHT)
    dark = loop.classify(night, "night")
    assert reviewed(dark) == len(dark)
    assert confidence(dark) < confidence(day)
    loop.becomes("ALARM")
    early = loop.retraining(after=0)
    assert early == {"outcome": "no image was answered yet", "reason": f"the alarm {ALARM}"}

    put_answers(s3, DATA, "ada", night)
    loop.becomes("OK")
    loop.classify(vehicles(15, seed=3, brightness=NIGHT), "next night")
    loop.becomes("ALARM")
    proposed = loop.retraining(after=1)
    assert proposed["outcome"] == "proposed", proposed
    assert proposed["reason"] == f"the alarm {ALARM}"
    assert proposed["dataset"]["new"] == len(night)

    served = environment.serving()["EndpointConfigName"]
    assert environment.done("release", "--proposed", SCONES_ENDPOINT_INSTANCE_COUNT="2", **GATE)
    assert environment.serving()["EndpointConfigName"] == served, "a proposal deploys nothing"
    loop.becomes("OK")
    environment.done("apply")
    newest = max(read_releases(environment.release_file).releases)
    assert newest > f"{began + timedelta(hours=2):%Y%m%d-%H%M%S}", "named by the driven clock"
    update = environment.serving()
    assert update["EndpointConfigName"] != served
    routing = update["LastDeploymentConfig"]["BlueGreenUpdatePolicy"]
    assert routing["TrafficRoutingConfiguration"]["Type"] == "CANARY"

    bright = loop.classify(vehicles(15, seed=4, brightness=NIGHT), "later night")
    assert reviewed(bright) < reviewed(dark) / 2
    assert confidence(bright) > confidence(dark)

    page = environment.checkout.root / "report.html"
    span = ("--from", f"{began:%Y-%m-%dT%H:%M:%SZ}")
    ends = environment.clock.now() + timedelta(minutes=5)
    environment.done("report", *span, "--to", f"{ends:%Y-%m-%dT%H:%M:%SZ}", "--out", str(page))
    marked = re.findall(r'<line class="marker"[^>]*><title>(\S+)', page.read_text())
    assert set(marked) == set(read_releases(environment.release_file).releases)
    _a_class_joins(loop)


def _a_class_joins(loop: Loop) -> None:
    environment, s3 = loop.environment, loop.environment.client("s3")
    two = read_releases(environment.release_file).active
    put_answers(s3, DATA, "bob", vehicles(JOINING, seed=5, colours=JOINS))
    loop.add_to_settings("", **{'"motorcycle"]': '"motorcycle", "scooter"]'})

    said = environment.done("retrain")
    assert f"{JOINING} of " in said
    assert "Classes that the active release does not know: scooter" in said
    again = {"SCONES_ENDPOINT_INSTANCE_COUNT": "2", **GATE}
    refused = environment.inv("release", "--proposed", **again)
    refused.says("class scooter has no assignment", "[assignment.scooter]", "scones.toml")
    loop.add_to_settings(ASSIGNED)
    # It is of a class to come, so that the environment can be planned as it is.
    assert "No changes" in environment.done("plan")
    environment.done("release", "--proposed", **again)
    environment.done("apply")

    names = (*COLOURS, "scooter")
    known = read_releases(environment.release_file)
    assert known.releases[known.active or ""].labels == names
    found = loop.classify(vehicles(12, seed=6, colours=JOINS), "joined")
    assert {frozenset(result["inference"]["probabilities"]) for result in found} == {
        frozenset(names)
    }
    accepted = [result for result in found if result["decision"] == "accepted"]
    assert accepted
    assert all(r["assignment"]["bay"] == "C" for r in accepted if _label(r) == "scooter")
    assert sum(_label(result) == "scooter" for result in found) > len(found) / 2
    rows = environment.client("dynamodb").scan(TableName=f"{PREFIX}assignments")["Items"]
    assert any(row.get("bay", {}).get("S") == "C" for row in rows)
    environment.done("rollback", two or "")
    environment.done("plan")


def _label(result: Mapping[str, Any]) -> str:
    label: str = result["inference"]["label"]
    return label
