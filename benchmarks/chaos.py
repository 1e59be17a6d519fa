"""Nothing lost: many images through the workflow while everything around it fails.

    python benchmarks/chaos.py [--images 10000] [--batch 50] [--pause 2] [--seed 7]
                                [--json FILE]

The deployed workflow runs over a manifest in an embedded AWS on this host. Meanwhile, by a seed:
Lambda workers and the endpoint's processes are killed; the whole embedded AWS is killed and
started again, and the execution redriven; table, bus, queues and endpoint are throttled; the
endpoint answers 500 and too late; images are deleted and cut off in flight; images stand in the
manifest twice. Some images are broken from the start.

At the end each row of the manifest has exactly one result (inputs = accepted + review + failed),
each image version has one row, an event id belongs to one image version (repeats of an id are
counted, not forbidden: an event is published at least once), and each failure has a cause. Then
what was curable is cured, the failed images run again, and only the incurable ones are left.
Exits 1 where any of this does not hold.
"""

import argparse
import collections
import contextlib
import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks import workflow_newer_design  # noqa: E402
from benchmarks.workflow_newer_design import BUCKET, Workflow, image  # noqa: E402

from local_aws.control import LocalAws  # noqa: E402
from local_aws.errors import LocalAwsError  # noqa: E402
from local_aws.testing.aws import Aws  # noqa: E402
from local_aws.testing.faults import Faults  # noqa: E402

BROKEN_SHARE, TWICE_SHARE = 0.02, 0.02
REDRIVES = 12
THROTTLED = (
    (
        "dynamodb",
        {
            "operation": "BatchExecuteStatement",
            "code": "ProvisionedThroughputExceededException",
        },
    ),
    ("dynamodb", {"operation": "BatchExecuteStatement", "code": "ThrottlingException"}),
    ("events", {"operation": "PutEvents", "code": "ThrottlingException"}),
    ("sqs", {"operation": "SendMessageBatch", "code": "RequestThrottled"}),
    ("sagemaker", {"path": "/endpoints/*/invocations", "code": "ThrottlingException"}),
    ("s3", {"path": f"/{BUCKET}/images/*", "code": "SlowDown", "status": 503}),
)


@dataclass
class Manifest:
    """What the manifest names: each row's key, and which images are meant to fail."""

    keys: list[str] = field(default_factory=list)
    # Broken from the start: no cure.
    broken: set[str] = field(default_factory=set)
    # Deleted or cut off in flight: cured by putting them again.
    harmed: set[str] = field(default_factory=set)


@dataclass
class Chaos:
    """What breaks things while a run goes on, and how often it did."""

    home: Path
    faults: Path
    workflow: Workflow
    manifest: Manifest
    draw: random.Random
    done: collections.Counter[str] = field(default_factory=collections.Counter)
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self, kinds: list[Callable[[], None]], pause: float) -> None:
        """Do one of these after the other, until told to stop."""
        turn = 0
        while not self.stop.wait(pause):
            # While the embedded AWS is down there is nothing to break.
            with contextlib.suppress(LocalAwsError, OSError, ClientError, BotoCoreError):
                kinds[turn % len(kinds)]()
            turn += 1

    def kill_worker(self) -> None:
        """Kill a process that runs the batches' function."""
        self._kill("function/", "workers killed")

    def kill_endpoint(self) -> None:
        """Kill one of the endpoint's processes."""
        self._kill("endpoint/", "endpoint processes killed")

    def _kill(self, kind: str, name: str) -> None:
        found = [
            one for one in self.workflow.aws.local.processes() if one["owner"].startswith(kind)
        ]
        if found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.draw.choice(found)["pid"], signal.SIGKILL)
                self.done[name] += 1

    def throttle(self) -> None:
        """Have one service refuse its next requests."""
        service, fault = self.draw.choice(THROTTLED)
        times = self.draw.randint(5, 20)
        Faults(self.workflow.aws.local.endpoint_url).add(service, times=times, **fault)
        self.done["requests throttled"] += times

    def answer_500(self) -> None:
        """Have the endpoint answer 500 to a tenth of its requests, for a while."""
        self._endpoint({"status": 500, "share": 0.1}, "periods of status 500")

    def answer_late(self) -> None:
        """Have the endpoint answer a few requests after the client's timeout, for a while."""
        self._endpoint({"seconds": 12, "share": 0.01}, "periods of late answers")

    def _endpoint(self, fault: dict[str, Any], name: str) -> None:
        self.faults.write_text(json.dumps(fault), encoding="utf-8")
        self.done[name] += 1
        self.stop.wait(1.0)
        self.faults.unlink(missing_ok=True)

    def harm(self) -> None:
        """Delete some images, and cut off others, wherever they are on their way."""
        sound = [key for key in self.manifest.keys if key not in self.manifest.broken]
        s3 = self.workflow.client("s3")
        for key in self.draw.sample(sound, max(1, len(sound) // 400)):
            self.manifest.harmed.add(key)
            if self.draw.random() < 0.5:
                s3.delete_object(Bucket=BUCKET, Key=key)
                self.done["images deleted"] += 1
            else:
                s3.put_object(Bucket=BUCKET, Key=key, Body=image(0)[:20])
                self.done["images cut off"] += 1


def fill(workflow: Workflow, count: int, draw: random.Random) -> Manifest:
    """Put the images; return the manifest, in which some stand twice and some are broken."""
    keys = workflow.put_images("images/", count)
    manifest = Manifest(keys)
    s3 = workflow.client("s3")
    for key in draw.sample(keys, max(1, int(count * BROKEN_SHARE))):
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"no image at all")
        manifest.broken.add(key)
    manifest.keys = [*keys, *draw.sample(keys, max(1, int(count * TWICE_SHARE)))]
    draw.shuffle(manifest.keys)
    return manifest


def restart(chaos: Chaos) -> None:
    """Kill the whole embedded AWS, and start it again with what it saved."""
    local = chaos.workflow.aws.local
    os.kill(local.record.pid, signal.SIGKILL)
    local.stop()
    images = workflow_newer_design.images(chaos.faults)
    again = LocalAws.start(chaos.home, local.record.port, images)
    chaos.workflow = Workflow(
        Aws(again, chaos.workflow.aws.role), chaos.workflow.endpoint, chaos.workflow.machine
    )
    chaos.done["whole AWS killed"] += 1


def run_to_the_end(chaos: Chaos, arn: str, kills: list[float], total: int) -> dict[str, Any]:
    """Return the execution once it succeeded; kills everything at these shares of the images."""
    redrives, left = 0, list(kills)
    while True:
        states = chaos.workflow.client("stepfunctions")
        found = states.describe_execution(executionArn=arn)
        if found["status"] == "SUCCEEDED":
            return dict(found)
        if found["status"] != "RUNNING":
            if redrives >= REDRIVES:
                raise AssertionError(f"{redrives} redrives did not complete it: {found}")
            redrives += 1
            chaos.done["redrives"] = redrives
            states.redrive_execution(executionArn=arn)
        elif left and progress(states, arn) >= left[0] * total:
            left.pop(0)
            restart(chaos)
        time.sleep(0.2)


def progress(states: Any, arn: str) -> int:
    """Return how many items of an execution's Map Run have ended."""
    runs = states.list_map_runs(executionArn=arn)["mapRuns"]
    if not runs:
        return 0
    counts = states.describe_map_run(mapRunArn=runs[0]["mapRunArn"])["itemCounts"]
    return int(counts["succeeded"] + counts["failed"])


Announced = collections.Counter[tuple[str, str]]


def take_messages(workflow: Workflow, announced: Announced) -> None:
    """Count the events and review messages that are there, by event id and image version."""
    for purpose in ("events", "review"):
        announced.update(
            (event["event_id"], _version(event)) for event in workflow.messages(purpose)
        )


def unannounced(workflow: Workflow, announced: Announced) -> set[str]:
    """Return the keys of the images with a row of which there was no message."""
    ids = {event_id for event_id, _ in announced}
    rows = (row for row in workflow.rows() if row["event_id"]["S"] not in ids)
    return {json.loads(row["message"]["S"])["image"]["key"] for row in rows}


def accounts(workflow: Workflow, run: str, rows_asked: int, announced: Announced) -> dict[str, Any]:
    """Return what a run left: counts, duplicates, and what does not add up."""
    results = workflow.results(run)
    by_index = collections.Counter(result["index"] for result in results)
    decisions = collections.Counter(result["decision"] for result in results)
    failures = [result for result in results if result["decision"] == "failed"]
    rows = workflow.rows()
    keys = collections.Counter((row["image"]["S"], row["release"]["S"]) for row in rows)
    ids = collections.Counter(event_id for event_id, _ in announced)
    wrong = []
    if sum(decisions.values()) != rows_asked or len(by_index) != rows_asked:
        wrong.append(f"{rows_asked} inputs, {sum(decisions.values())} results: {dict(decisions)}")
    if extra := [index for index, count in by_index.items() if count > 1]:
        wrong.append(f"{len(extra)} inputs have several results")
    if max(keys.values(), default=0) > 1:
        wrong.append("an image version has several rows")
    if clash := [event_id for event_id, count in ids.items() if count > 1]:
        wrong.append(f"{len(clash)} event ids belong to several image versions")
    # A batch that was killed between row and message is repeated; where the repeat fails, the row
    # stays without a message, and the failure is a result.
    if silent := unannounced(workflow, announced) - {_key(one) for one in failures}:
        wrong.append(f"{len(silent)} rows were never announced, and are no failures")
    if nameless := [one for one in failures if not one.get("error", {}).get("Cause")]:
        wrong.append(f"{len(nameless)} failures have no cause")
    return {
        "inputs": rows_asked,
        **dict(decisions),
        "rows": len(rows),
        "event_ids": len(ids),
        "repeats_of_an_event_id": sum(announced.values()) - len(announced),
        "failures": dict(
            collections.Counter(one["error"]["Error"] for one in failures).most_common()
        ),
        "failed_keys": sorted({_key(one) for one in failures}),
        "wrong": wrong,
    }


def _version(event: dict[str, Any]) -> str:
    made = event["image"]
    return f"{made['bucket']}/{made['key']}#{made.get('version') or made.get('etag')}"


def _key(result: dict[str, Any]) -> str:
    return str(result["image"]["key"])


def cure(chaos: Chaos, failed: list[str], announced: Announced) -> dict[str, Any]:
    """Put the harmed images again, run what failed once more, and return what is left."""
    s3 = chaos.workflow.client("s3")
    for key in sorted(chaos.manifest.harmed - chaos.manifest.broken):
        s3.put_object(Bucket=BUCKET, Key=key, Body=image(int(key[-10:-4])))
    given = chaos.workflow.put_manifest("cured.jsonl", failed)
    ended = chaos.workflow.ended(chaos.workflow.start("cured", given))
    assert ended["status"] == "SUCCEEDED", ended
    results = chaos.workflow.results("cured")
    left = {_key(result) for result in results if result["decision"] == "failed"}
    wrong = []
    if left != chaos.manifest.broken & set(failed):
        wrong.append(f"{len(left ^ (chaos.manifest.broken & set(failed)))} keys ended otherwise")
    if len(results) != len(failed):
        wrong.append(f"{len(failed)} inputs, {len(results)} results")
    take_messages(chaos.workflow, announced)
    # The message of a version that was replaced meanwhile is its successor's.
    silent = unannounced(chaos.workflow, announced)
    if silent - chaos.manifest.harmed:
        wrong.append(f"{len(silent - chaos.manifest.harmed)} rows were never announced")
    return {
        "inputs": len(failed),
        "left_failed": len(left),
        "rows_of_replaced_versions_untold": len(silent),
        "wrong": wrong,
    }


def chaotic_run(
    home: Path, images: int, seed: int, kills: list[float], *, batch: int = 50, pause: float = 2.0
) -> dict[str, Any]:
    """Run everything, with a fault every `pause` seconds; return the figures."""
    draw, faults = random.Random(seed), home / "faults.json"
    local = LocalAws.start(home / "aws", 0, workflow_newer_design.images(faults))
    chaos = None
    try:
        workflow = workflow_newer_design.deploy(local, batch_images=batch)
        manifest = fill(workflow, images, draw)
        chaos = Chaos(home / "aws", faults, workflow, manifest, draw)
        given = workflow.put_manifest("all.jsonl", manifest.keys)
        began = time.perf_counter()
        arn = workflow.start("all", given)
        kinds = [
            chaos.throttle,
            chaos.kill_worker,
            chaos.harm,
            chaos.answer_500,
            chaos.kill_endpoint,
            chaos.answer_late,
        ]
        breaker = threading.Thread(target=chaos.run, args=(kinds, pause), daemon=True)
        breaker.start()
        run_to_the_end(chaos, arn, kills, len(manifest.keys))
        seconds = time.perf_counter() - began
        chaos.stop.set()
        breaker.join()
        Faults(chaos.workflow.aws.local.endpoint_url).remove()
        announced: Announced = collections.Counter()
        take_messages(chaos.workflow, announced)
        found = accounts(chaos.workflow, "all", len(manifest.keys), announced)
        failed = found.pop("failed_keys")
        return {
            "seconds": round(seconds, 1),
            "done": dict(chaos.done),
            **found,
            "cured": cure(chaos, failed, announced),
        }
    finally:
        (chaos.workflow.aws.local if chaos else local).stop()


def main() -> int:
    """Run, print, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--batch", type=int, default=50, help="images of a batch at most")
    parser.add_argument("--pause", type=float, default=2.0, help="seconds between two faults")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    kills = [0.2, 0.5, 0.8]
    with tempfile.TemporaryDirectory() as folder:
        figures = chaotic_run(
            Path(folder),
            arguments.images,
            arguments.seed,
            kills,
            batch=arguments.batch,
            pause=arguments.pause,
        )
    text = json.dumps(figures, indent=2)
    print(text)
    if arguments.json:
        arguments.json.write_text(text + "\n", encoding="utf-8")
    return int(bool(figures["wrong"] or figures["cured"]["wrong"]))


if __name__ == "__main__":
    sys.exit(main())
