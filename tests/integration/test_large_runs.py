"""The workflow's three ways in, its messages, and its inbox, as they are deployed."""

import contextlib
import functools
import json
import os
import signal
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from local_aws.testing.faults import Faults
from scones_core.events import MAX_STATE_BYTES, event_id
from tests.support.environments.environment import PNG, Environment
from tests.support.permissions.workflow_probes import DATA, PREFIX, WorkflowProbes
from tests.support.queues import queue_from, receive_all

pytestmark = pytest.mark.slow

# More than an execution works on one by one, in two batches by the bytes of their keys.
IMAGES = 40


class Runs:
    """Executions of the deployed workflow, and what they leave."""

    def __init__(self, environment: Environment) -> None:
        self.probes = WorkflowProbes(environment)
        self.states = environment.client("stepfunctions")
        self.s3 = environment.client("s3")
        self.environment = environment
        self.tag = uuid.uuid4().hex[:8]

    def put(self, key: str, body: bytes = PNG) -> dict[str, str]:
        version = self.s3.put_object(Bucket=DATA, Key=key, Body=body)["VersionId"]
        return {"bucket": DATA, "key": key, "version": version}

    def ended(self, arn: str) -> dict[str, Any]:
        def found() -> Any:
            state = self.states.describe_execution(executionArn=arn)
            return state if state["status"] != "RUNNING" else None

        ended: dict[str, Any] = self.probes.until(found, seconds=120)
        return ended

    def start(self, name: str, given: Any) -> str:
        arn: str = self.states.start_execution(
            stateMachineArn=self.probes.machine,
            name=f"{name}-{self.tag}",
            input=json.dumps(given),
        )["executionArn"]
        return arn

    def run(self, name: str, given: Any) -> dict[str, Any]:
        return self.ended(self.start(name, given))

    def kill(self, owner: str) -> None:
        """Kill a process that works for such an owner, once there is one."""

        def found() -> Any:
            processes = self.environment.aws.processes()
            return next((p["pid"] for p in processes if p["owner"].startswith(owner)), None)

        with contextlib.suppress(ProcessLookupError):
            os.kill(self.probes.until(found), signal.SIGKILL)

    def results(self, name: str) -> list[Any]:
        listed = self.s3.list_objects_v2(Bucket=DATA, Prefix=f"runs/{name}-{self.tag}/results/")
        bodies = [
            self.s3.get_object(Bucket=DATA, Key=entry["Key"])["Body"].read()
            for entry in listed.get("Contents", ())
        ]
        found = [json.loads(line) for body in bodies for line in body.splitlines()]
        return sorted(found, key=lambda result: result["index"])

    def messages(self, purpose: str) -> list[Any]:
        """Take what is on a queue of the environment."""
        sqs = self.environment.client("sqs")
        url = sqs.get_queue_url(QueueName=f"{PREFIX}{purpose}")["QueueUrl"]
        taken = []
        while got := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for message in got:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            taken += [json.loads(message["Body"]) for message in got]
        return taken

    def rows(self, run: str) -> list[Any]:
        """Return the rows of a run."""
        pages = (
            self.environment.client("dynamodb")
            .get_paginator("scan")
            .paginate(TableName=f"{PREFIX}assignments")
        )
        rows = [row for page in pages for row in page["Items"]]
        return [row for row in rows if row["execution"]["S"].endswith(f":{run}-{self.tag}")]


@pytest.fixture(scope="module")
def runs(served: Environment) -> Runs:
    return Runs(served)


def output(ended: dict[str, Any]) -> Any:
    assert ended["status"] == "SUCCEEDED", (ended.get("error"), ended.get("cause"))
    return json.loads(ended["output"])


def counts(accepted: int, failed: int) -> dict[str, int]:
    return {"accepted": accepted, "review": 0, "failed": failed}


@pytest.fixture(scope="module")
def large(runs: Runs) -> dict[str, Any]:
    """A list of which one image is missing, classified in batches."""
    images = [runs.put(f"large/{n:02d}-{'k' * 900}.png") for n in range(IMAGES)]
    images[7] = {"bucket": DATA, "key": "large/none.png"}
    return runs.run("large-list", {"images": images})


def test_a_long_list_goes_in_batches_and_every_image_is_counted(
    runs: Runs, large: dict[str, Any]
) -> None:
    answer = output(large)
    assert answer["counts"] == counts(IMAGES - 1, 1)
    assert answer["results"] == {"bucket": DATA, "prefix": f"runs/large-list-{runs.tag}/results/"}
    results = runs.results("large-list")
    assert [result["index"] for result in results] == list(range(IMAGES))
    assert results[7]["error"]["Error"] == "ImageNotFound"
    assert results[8]["assignment"] == {
        "vehicle": "bicycle",
        "bay": "A",
        "orders": "near",
        "max_km": 3,
    }
    assert len(runs.rows("large-list")) == IMAGES - 1


def test_no_state_of_a_large_run_has_more_than_32_kb_but_the_list_that_was_sent(
    runs: Runs, large: dict[str, Any]
) -> None:
    pages = runs.states.get_paginator("get_execution_history").paginate(
        executionArn=large["executionArn"]
    )
    events = [event for page in pages for event in page["events"]]
    texts = [
        details[name]
        for event in events
        for details in event.values()
        if isinstance(details, dict)
        for name in ("input", "output", "parameters")
        if name in details
    ]
    rest = [text for text in texts if json.loads(text) != json.loads(large["input"])]
    assert max(len(text.encode()) for text in rest) <= MAX_STATE_BYTES
    # The input of each child execution, as the Map Run wrote it down.
    assert (
        len(
            runs.s3.list_objects_v2(Bucket=DATA, Prefix=f"runs/large-list-{runs.tag}/results/")[
                "Contents"
            ]
        )
        == 2
    )


def test_what_failed_is_a_dead_letter_with_its_cause(runs: Runs, large: dict[str, Any]) -> None:
    letters = [
        one for one in runs.messages("dead-letters") if one["execution"] == large["executionArn"]
    ]
    assert [(one["item"]["key"], one["error"]) for one in letters] == [
        ("large/none.png", "ImageNotFound")
    ]
    assert "There is no object" in letters[0]["cause"]


def test_the_same_images_again_change_no_row(runs: Runs, large: dict[str, Any]) -> None:
    before = runs.rows("large-list")
    images = json.loads(large["input"])["images"]
    assert output(runs.run("large-again", {"images": images}))["counts"] == counts(IMAGES - 1, 1)
    assert runs.rows("large-list") == before
    assert not runs.rows("large-again")


def test_a_prefix_with_a_folder_in_it_and_its_broken_image_is_counted_in_full(runs: Runs) -> None:
    for n in range(3):
        runs.put(f"prefix/vélo {n}+.png")
    runs.put("prefix/", b"")
    runs.put("prefix/broken.png", b"no image")
    answer = output(runs.run("prefix", {"source": {"bucket": DATA, "prefix": "prefix/"}}))
    assert answer["counts"] == counts(3, 2)
    failed = [r["error"]["Cause"] for r in runs.results("prefix") if r["decision"] == "failed"]
    assert any("is a folder" in cause for cause in failed)


MANIFESTS = {
    "CSV": "bucket,key\n{bucket},m/a b.png\n{bucket},none.png\nno-such-bucket-here,m/a b.png\n,\n",
    "JSONL": '{{"bucket": "{bucket}", "key": "m/a b.png"}}\n"none.png"\n{{}}\n{{"key": "x"}}\n',
    "JSON": '[{{"bucket": "{bucket}", "key": "m/a b.png"}}, {{"s3_bucket": "x"}}, null, 3]',
}


@pytest.mark.parametrize("form", MANIFESTS)
def test_each_row_of_a_manifest_is_counted_broken_or_not(runs: Runs, form: str) -> None:
    runs.put("m/a b.png")
    key = f"manifests/{form}"
    runs.put(key, MANIFESTS[form].format(bucket=DATA).encode())
    source = {"bucket": DATA, "manifest": key, "format": form}
    assert output(runs.run(f"manifest-{form}", {"source": source}))["counts"] == counts(1, 3)


def test_an_inventory_is_a_manifest(runs: Runs) -> None:
    runs.put("m/a b.png")
    runs.put("inventory/1.csv", f'"{DATA}","m/a+b.png"\n"{DATA}","none.png"\n'.encode())
    manifest = {
        "destinationBucket": f"arn:aws:s3:::{DATA}",
        "fileFormat": "CSV",
        "fileSchema": "Bucket, Key",
        "files": [{"key": "inventory/1.csv"}],
    }
    runs.put("inventory/manifest.json", json.dumps(manifest).encode())
    source = {"bucket": DATA, "manifest": "inventory/manifest.json", "format": "INVENTORY"}
    assert output(runs.run("inventory", {"source": source}))["counts"] == counts(1, 1)


@pytest.mark.parametrize(
    ("name", "source", "words"),
    [
        ("form", {"bucket": DATA, "manifest": "m", "format": "XML"}, "CSV"),
        ("half", {"bucket": DATA}, "CSV"),
        ("number", {"bucket": DATA, "prefix": 3}, "CSV"),
        ("text", "s3://bucket/prefix", "CSV"),
        ("empty", {"bucket": DATA, "prefix": "nothing-is-here/"}, "no images"),
        ("absent", {"bucket": DATA, "manifest": "absent", "format": "JSONL"}, "NoSuchKey"),
        ("other", {"bucket": "somebody-elses", "prefix": "x"}, "somebody-elses"),
    ],
)
def test_a_source_that_cannot_be_read_is_refused_with_its_reason(
    runs: Runs, name: str, source: Any, words: str
) -> None:
    ended = runs.run(f"refused-{name}", {"source": source})
    assert ended["status"] == "FAILED"
    assert words in ended["cause"]


def test_an_object_under_inbox_starts_the_workflow_by_itself(runs: Runs) -> None:
    images = [runs.put(key) for key in ("inbox/a b+c.png", "inbox/vélo 🚲.png")]
    release = output(runs.run("whose", images[0]))["results"][0]["release"]
    table = runs.environment.client("dynamodb")

    def recorded(image: dict[str, str]) -> Any:
        key = {
            "image": {"S": f"s3://{DATA}/{image['key']}#{image['version']}"},
            "release": {"S": release},
        }
        return table.get_item(TableName=f"{PREFIX}assignments", Key=key).get("Item")

    runs.environment.clock.advance(10)
    rows = [runs.probes.until(functools.partial(recorded, image)) for image in images]
    assert [row["bay"]["S"] for row in rows] == ["A", "A"]
    assert rows[1]["event_id"]["S"] == event_id(images[1], release)  # type: ignore[arg-type]
    assert ":inbox-" in rows[1]["execution"]["S"]


@pytest.fixture
def announced(runs: Runs) -> Iterator[Callable[[], list[Any]]]:
    """What returns the events that the environment's bus has had so far."""
    events, sqs = runs.environment.client("events"), runs.environment.client("sqs")
    name, bus, held = f"announced-{runs.tag}", PREFIX.removesuffix("-"), list[Any]()
    url, arn = queue_from(sqs, "events.amazonaws.com")
    pattern = json.dumps({"detail-type": ["VehicleClassified"]})
    events.put_rule(Name=name, EventBusName=bus, EventPattern=pattern)
    target = {"Id": "queue", "Arn": arn, "InputPath": "$.detail"}
    events.put_targets(Rule=name, EventBusName=bus, Targets=[target])

    def received() -> list[Any]:
        held.extend(json.loads(body) for body in receive_all(sqs, url))
        return held

    yield received
    events.remove_targets(Rule=name, EventBusName=bus, Ids=["queue"])
    events.delete_rule(Name=name, EventBusName=bus)
    sqs.delete_queue(QueueUrl=url)


def test_nothing_is_lost_while_workers_the_endpoint_services_and_the_whole_aws_fail(
    runs: Runs, announced: Callable[[], list[Any]]
) -> None:
    """The bounded form of benchmarks/chaos.py."""
    images = [runs.put(f"chaos/{n:03d}-{'k' * 900}.png") for n in range(60)]
    images[3] = {"bucket": DATA, "key": "chaos/none.png"}
    images[4] = runs.put("chaos/broken.png", b"no image")
    images[5] = runs.put("chaos/cut-off.png", PNG[:20])
    images[6] = images[50]  # twice, in two batches
    lines = "".join(f"{json.dumps(image)}\n" for image in images)
    runs.put("chaos.jsonl", lines.encode())
    source = {"bucket": DATA, "manifest": "chaos.jsonl", "format": "JSONL"}
    with Faults(runs.environment.aws.endpoint_url) as faults:
        # Everything is killed while a batch waits for its rows.
        faults.add("dynamodb", operation="BatchExecuteStatement", delay_seconds=30, times=9)
        arn = runs.start("chaos", {"source": source})
        runs.probes.until(faults.met)
        runs.environment.kill_and_start()
        assert runs.ended(arn)["status"] == "ABORTED"
        throttled = "ProvisionedThroughputExceededException"
        faults.add("dynamodb", operation="BatchExecuteStatement", code=throttled, times=4)
        faults.add("events", operation="PutEvents", code="ThrottlingException", times=2)
        endpoint = {"path": "/endpoints/*/invocations", "status": 500}
        faults.add("sagemaker", **endpoint, code="InternalFailure", times=5)
        runs.states.redrive_execution(executionArn=arn)
        for kind in (f"function/{PREFIX}classify-batch", "endpoint/"):
            runs.kill(kind)
        answer = output(runs.ended(arn))
        met = {fault["service"]: fault["met"] for fault in faults.remove()}
    assert met == {"dynamodb": 4, "events": 2, "sagemaker": 5}
    assert sum(answer["counts"].values()) == len(images)
    results = runs.results("chaos")
    assert [result["index"] for result in results] == list(range(len(images)))
    failed = [result for result in results if result["decision"] == "failed"]
    assert all(result["error"]["Cause"] for result in failed)
    again = runs.run("chaos-again", {"images": [images[one["index"]] for one in failed]})
    left = runs.results("chaos-again") or output(again)["results"]
    assert {one["image"]["key"] for one in left if one["decision"] == "failed"} == {
        "chaos/none.png",
        "chaos/broken.png",
        "chaos/cut-off.png",
    }
    rows = runs.rows("chaos") + runs.rows("chaos-again")
    assert len(rows) == len(images) - 4 == len({row["image"]["S"] for row in rows})
    assert all("notified_at" in row for row in rows)
    ids = {row["event_id"]["S"] for row in rows}
    runs.probes.until(lambda: {event["event_id"] for event in announced()} >= ids)
    # An id may come again, for the image version that it came for.
    versions = {(event["event_id"], event["image"]["version"]) for event in announced()}
    assert len(versions) == len(ids) == len(rows)
