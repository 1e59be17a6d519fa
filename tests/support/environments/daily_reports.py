"""The daily report of an environment in an embedded AWS: records of a day, runs, pages."""

import base64
import json
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from local_aws.testing.aws import REGION
from scones_monitor.release_history import ACTIVE, CHOSEN
from tests.support.environments.environment import ACCOUNT, PNG, Environment

PREFIX = "scones-local-"
ENDPOINT, NAME = f"{PREFIX}classifier", f"{PREFIX}daily-report"
MACHINE = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{NAME}"
IMAGE = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/{PREFIX}model:0.1.0-monitoring"
DATA, CAPTURE = f"{PREFIX}data-{ACCOUNT}", f"{PREFIX}capture-{ACCOUNT}"
VARIANT = "AllTraffic"


def _line(event: str, time: datetime, share: float) -> str:
    """Return a captured record whose answer gives `bicycle` this probability."""
    sent = {"observedContentType": "image/png", "mode": "INPUT", "encoding": "BASE64"}
    given = {"observedContentType": "application/json", "mode": "OUTPUT", "encoding": "JSON"}
    return json.dumps(
        {
            "captureData": {
                "endpointInput": {**sent, "data": base64.b64encode(PNG).decode()},
                "endpointOutput": {**given, "data": json.dumps([share, 1 - share])},
            },
            "eventMetadata": {"eventId": event, "inferenceTime": f"{time:%Y-%m-%dT%H:%M:%SZ}"},
            "eventVersion": "0",
        }
    )


@dataclass(frozen=True)
class DailyReports:
    """Runs the daily report's state machine; the embedded AWS's clock says which day it is."""

    environment: Environment

    def day(self, before: int) -> str:
        """Return a day so many days before today."""
        # As of when `fire` has its schedule called.
        today = self.environment.clock.now() + timedelta(minutes=1)
        return f"{today - timedelta(days=before):%Y-%m-%d}"

    def forget_earlier_releases(self) -> None:
        """Let the record of what answered earlier expire: a test before this may have made some.

        The active release then has answered since the time in its id.
        """
        s3 = self.environment.client("s3")
        for key in (CHOSEN, ACTIVE):
            found = s3.list_object_versions(Bucket=DATA, Prefix=key)["Versions"]
            for version in (each for each in found if not each["IsLatest"]):
                s3.delete_object(Bucket=DATA, Key=key, VersionId=version["VersionId"])

    def put(self, day: str, shares: Iterable[float]) -> None:
        """Write a day's captured records, as the endpoint does."""
        noon = datetime.fromisoformat(f"{day}T12:00:00+00:00")
        lines = [
            _line(uuid.uuid4().hex, noon + timedelta(seconds=i), share)
            for i, share in enumerate(shares)
        ]
        key = f"capture/{ENDPOINT}/{VARIANT}/{noon:%Y/%m/%d/%H}/00-00-000-{uuid.uuid4()}.jsonl"
        self.environment.client("s3").put_object(
            Bucket=CAPTURE, Key=key, Body="".join(f"{line}\n" for line in lines).encode()
        )

    def run(self, **given: str) -> dict[str, Any]:
        """Start the state machine by hand, and return the execution when it has ended."""
        states = self.environment.client("stepfunctions")
        started = states.start_execution(stateMachineArn=MACHINE, input=json.dumps(given))
        return self.ended(started["executionArn"])

    def ended(self, execution: str) -> dict[str, Any]:
        states, deadline = self.environment.client("stepfunctions"), time.monotonic() + 120
        while True:
            found: dict[str, Any] = states.describe_execution(executionArn=execution)
            if found["status"] != "RUNNING":
                return found
            assert time.monotonic() < deadline, "the report did not end in time"
            time.sleep(0.1)

    def executions(self) -> list[str]:
        found = self.environment.client("stepfunctions").list_executions(stateMachineArn=MACHINE)
        return [each["executionArn"] for each in found["executions"]]

    def fire(self) -> str:
        """Have Terraform's schedule's target called a minute from now, by a copy of it.

        Returns the execution that it started, "" where it started none.
        """
        before = set(self.executions())
        self.environment.fire_schedule(NAME)
        return next((each for each in self.executions() if each not in before), "")

    def figures(self, day: str) -> dict[str, Any]:
        """Return the figures that lie next to a day's page."""
        found = self.environment.client("s3").get_object(
            Bucket=DATA, Key=f"monitoring/{day}/report.json"
        )
        body: dict[str, Any] = json.loads(found["Body"].read())
        return body
