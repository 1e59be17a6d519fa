"""An environment in an embedded AWS, whose model image is a stand-in that answers at once."""

import functools
import io
import json
import os
import shutil
import signal
import sys
import tarfile
import uuid
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from local_aws.control import ImageCommands, LocalAws
from local_aws.testing import PROGRAMS
from local_aws.testing.clock import Clock
from scones_core.golden_samples import GoldenSample, dumps
from scones_core.model_card import ModelCard
from scones_core.settings import EndpointSettings, Settings
from scones_deploy.artifact_release import artifact_release
from scones_deploy.release import add_release
from tests.support.environments.checkout import ROOT, Checkout, Ended

ACCOUNT = "123456789012"
HEADER = b"IHDR\0\0\0\x20\0\0\0\x20\x08\x02\0\0\0"
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\r" + HEADER + zlib.crc32(HEADER).to_bytes(4)
BICYCLE, MOTORCYCLE, UNSURE = [0.9, 0.1], [0.2, 0.8], [0.55, 0.45]
CARD = ModelCard(
    labels=("bicycle", "motorcycle"),
    image={"height": 32, "width": 32, "channels": 3},
    normalisation={"mean": (0.5, 0.5, 0.5), "std": (0.25, 0.25, 0.25)},
    temperature=1.0,
    threshold=0.8,
    target_precision=0.99,
    metrics={"accuracy": 0.9},
    confusion_matrix=(),
    settings={},
    dataset_version="stand-in",
    manifest_sha256="ab" * 32,
)


def stand_ins() -> dict[str, ImageCommands]:
    """Return programs that stand for any project's model image; jobs run this checkout's own."""
    return {
        "*-model": ImageCommands(
            train=(sys.executable, str(PROGRAMS / "stand_in_train.py")),
            serve=(sys.executable, str(PROGRAMS / "stand_in_serve.py")),
            environment={"PYTHONPATH": str(ROOT / "src")},
        )
    }


def model_archive(answer: str, known: str | None = None, threshold: float = 0.8) -> bytes:
    """Return an artifact that serves `answer`, with one golden sample answered as `known`."""
    image = GoldenSample(PNG, "image/png", tuple(json.loads(known or answer)))
    files = {
        "model.json": replace(CARD, threshold=threshold).dumps(),
        "answer.txt": answer,
        "golden_samples.json": dumps([image]),
    }
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode="w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
    return body.getvalue()


def quiet_hours(now: datetime) -> tuple[str, str]:
    """Return when office hours begin and end, so that neither is near."""
    return ("00:00", "16:00") if now.hour < 11 else ("02:00", "08:00")


@functools.cache
def _client(endpoint_url: str, service: str) -> Any:
    """Return a client, made once: that reads the service's whole model."""
    return boto3.client(  # type: ignore[call-overload]
        service,
        endpoint_url=endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(
            retries={"total_max_attempts": 1},
            s3={"addressing_style": "path"},
            max_pool_connections=16,
        ),
    )


@dataclass(frozen=True)
class Environment:
    """The environment `local` of a scratch checkout; the embedded AWS around it is up."""

    checkout: Checkout
    aws: LocalAws

    @classmethod
    def start(
        cls, checkout: Checkout, images: Mapping[str, ImageCommands] | None = None
    ) -> "Environment":
        """Start the embedded AWS; `images` replace the stand-in."""
        home = checkout.root / ".local" / "aws"
        return cls(checkout, LocalAws.start(home, 0, images or stand_ins()))

    @classmethod
    def copy(
        cls, applied: Path, root: Path, images: Mapping[str, ImageCommands] | None = None
    ) -> "Environment":
        """Start a copy, at `root`, of a checkout whose environment is applied and stopped."""
        shutil.copytree(applied, root, symlinks=True)
        return cls.start(Checkout(root), images)

    def kill_and_start(self) -> None:
        """Kill the embedded AWS, whose images are stand-ins, and start it at the same address."""
        os.kill(self.aws.record.pid, signal.SIGKILL)
        self.aws.stop()  # waits for its end
        again = LocalAws.start(self.aws.home, self.aws.record.port, stand_ins())
        # Whoever holds the environment goes on with it.
        vars(self.aws).update(vars(again))

    @property
    def release_file(self) -> Path:
        return self.checkout.root / "terraform/environments/local/release.tfvars.json"

    @property
    def variables(self) -> Path:
        return self.checkout.root / "terraform/environments/local/env.tfvars"

    @property
    def clock(self) -> Clock:
        return Clock(self.aws.endpoint_url)

    def inv(self, *task: str, **environ: str) -> Ended:
        return self.checkout.inv_within(900, *task, **environ)

    def done(self, *task: str, **environ: str) -> str:
        """Run a task that must succeed, and return what it said."""
        ended = self.inv(*task, **environ)
        assert ended.code == 0, f"{ended.out[-4000:]}\n{ended.err[-4000:]}"
        return ended.out

    def client(self, service: str) -> Any:
        return _client(self.aws.endpoint_url, service)

    def upload(self, name: str, archive: bytes) -> str:
        """Put an artifact where the endpoint may read it, and return its location."""
        bucket, key = f"scones-local-artifacts-{ACCOUNT}", f"model/{name}/output/model.tar.gz"
        self.client("s3").put_object(Bucket=bucket, Key=key, Body=archive)
        return f"s3://{bucket}/{key}"

    def release(self, name: str, archive: bytes, *, age: timedelta = timedelta()) -> str:
        """Write a release of an artifact, active, and return its id, which says how old it is."""
        made = artifact_release(
            self.client("s3"),
            self.upload(name, archive),
            image=f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/scones-local-model:0.1.0",
            endpoint=EndpointSettings(),
            now=datetime.now(UTC) - age,
        )
        assigned = Settings.load(self.checkout.root / "scones.toml", {}).assignment
        add_release(self.release_file, made, assignments=assigned)
        return made.id

    def fire_schedule(self, name: str, group: str = "default", *, retries: int = 0) -> None:
        """Have the target of a schedule called a minute from now, by a copy that is fired once."""
        scheduler = self.client("scheduler")
        target = scheduler.get_schedule(Name=name, GroupName=group)["Target"]
        target["RetryPolicy"] = {**target["RetryPolicy"], "MaximumRetryAttempts": retries}
        at = (self.clock.now() + timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%S")
        scheduler.create_schedule(
            Name=f"probe-{uuid.uuid4().hex[:8]}",
            GroupName=group,
            ScheduleExpression=f"at({at})",
            FlexibleTimeWindow={"Mode": "OFF"},
            ActionAfterCompletion="DELETE",
            Target=target,
        )
        self.clock.advance(61)

    def serving(self) -> dict[str, Any]:
        found: dict[str, Any] = self.client("sagemaker").describe_endpoint(
            EndpointName="scones-local-classifier"
        )
        return found

    def update_status(self) -> str:
        """Return what an update does now, like `Baking`; empty without one."""
        variants = self.serving().get("PendingDeploymentSummary", {}).get("ProductionVariants", ())
        found = [status for v in variants for status in v.get("VariantStatus", ())]
        return str(found[0]["Status"]) if found else ""

    def answer(self, **more: str) -> Any:
        body = self.client("sagemaker-runtime").invoke_endpoint(
            EndpointName="scones-local-classifier", Body=PNG, ContentType="image/png", **more
        )
        return json.loads(body["Body"].read())
