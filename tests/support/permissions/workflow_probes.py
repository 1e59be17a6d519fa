"""Short pieces of the workflow that need functions and jobs; each says whether it worked."""

import json
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from botocore.exceptions import ClientError

from local_aws.testing.aws import REGION
from tests.support.environments.environment import ACCOUNT, PNG, Environment
from tests.support.queues import queue_from, receive_all

PREFIX = "scones-local-"
ENDPOINT = f"{PREFIX}classifier"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:{PREFIX}alarms"
DATA, CAPTURE = f"{PREFIX}data-{ACCOUNT}", f"{PREFIX}capture-{ACCOUNT}"
METRICS = "scones/local"
ROLES = {
    "serialize_image": f"{PREFIX}serialize-image-function",
    "classify_image": f"{PREFIX}classify-image-function",
    "filter_inferences": f"{PREFIX}filter-inferences-function",
    "classify_batch": f"{PREFIX}classify-batch-function",
    "record_results": f"{PREFIX}record-results-function",
    "collect_inbox": f"{PREFIX}collect-inbox-function",
    "workflow": f"{PREFIX}workflow",
    "endpoint": f"{PREFIX}endpoint",
    "training": f"{PREFIX}training",
    "off_hours": f"{PREFIX}off-hours",
    "report_machine": f"{PREFIX}daily-report-machine",
    "report_jobs": f"{PREFIX}daily-report-jobs",
    "report_starter": f"{PREFIX}daily-report-starter",
    **{
        f"{name}_{role}": f"{PREFIX}{name}-{role}"
        for name in ("retrain", "demand")
        for role in ("machine", "jobs", "starter")
    },
}
IMAGE = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/{PREFIX}model:0.1.0"


@contextmanager
def messages_of_topic(environment: Environment) -> Iterator[Callable[[], list[str]]]:
    """Yield what returns the messages that have come to the environment's topic since then."""
    sqs, sns = environment.client("sqs"), environment.client("sns")
    url, arn = queue_from(sqs, "sns.amazonaws.com")
    made = sns.subscribe(TopicArn=TOPIC, Protocol="sqs", Endpoint=arn)["SubscriptionArn"]
    held: list[str] = []

    def received() -> list[str]:
        held.extend(receive_all(sqs, url))
        return held

    try:
        yield received
    finally:
        sns.unsubscribe(SubscriptionArn=made)
        sqs.delete_queue(QueueUrl=url)


def _result(image: dict[str, str], decision: str) -> dict[str, Any]:
    """Return a result as the workflow's steps make it."""
    if decision == "failed":
        return {"image": image, "decision": decision, "error": {"Error": "E", "Cause": "C"}}
    inference = {
        "label": "bicycle",
        "confidence": 0.9,
        "probabilities": {"bicycle": 0.9},
        "inference_id": "i",
        "variant": "v",
    }
    found = {"image": {**image, "etag": "e"}, "inference": inference, "threshold": 0.8}
    return {**found, "release": "probe", "decision": decision}


class WorkflowProbes:
    """What the functions, the state machine and a training job do."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.inbox_seconds: float | None = None
        self.key = f"probe/{uuid.uuid4().hex}.png"
        environment.client("s3").put_object(
            Bucket=DATA, Key=self.key, Body=PNG, ContentType="image/png"
        )
        self.machine = next(
            m["stateMachineArn"]
            for m in environment.client("stepfunctions").list_state_machines()["stateMachines"]
            if m["name"] == f"{PREFIX}classify"
        )

    def until(self, ask: Callable[[], Any], seconds: float = 30) -> Any:
        deadline = time.monotonic() + seconds
        while not (found := ask()):
            assert time.monotonic() < deadline, "the condition did not come true in time"
            time.sleep(0.05)
        return found

    def within(self, seconds: float, ask: Callable[[], Any]) -> Any:
        """Return what `ask` finds, or None where it finds nothing in time."""
        deadline = time.monotonic() + seconds
        while not (found := ask()):
            if time.monotonic() > deadline:
                return None
            time.sleep(0.05)
        return found

    def fails(self, name: str) -> None:
        """Run an execution that fails as a whole."""
        states = self.environment.client("stepfunctions")
        arn = states.start_execution(
            stateMachineArn=self.machine, name=name, input='{"source": "none"}'
        )["executionArn"]
        self.until(lambda: states.describe_execution(executionArn=arn)["status"] != "RUNNING")

    def denials(self) -> list[str]:
        log = (self.environment.aws.home / "server.log").read_text()
        return [line for line in log.splitlines() if "Denied:" in line]

    def classified(self) -> bool:
        """One image goes through the state machine."""
        results = self._output({"bucket": DATA, "key": self.image()}).get("results")
        return bool(results and results[0]["decision"] != "failed")

    def classified_in_batches(self) -> bool:
        """A prefix with one image goes through a Map Run."""
        key = self.image()
        prefix = key.removesuffix("image.png")
        counts = self._output({"source": {"bucket": DATA, "prefix": prefix}}).get("counts")
        return bool(counts and counts["failed"] == 0)

    def takes_manifests(self) -> bool:
        """A manifest is read."""
        line = json.dumps({"bucket": DATA, "key": self.image()}).encode()
        key = f"probe/{uuid.uuid4().hex}.jsonl"
        self.environment.client("s3").put_object(Bucket=DATA, Key=key, Body=line)
        source = {"bucket": DATA, "manifest": key, "format": "JSONL"}
        return "counts" in self._output({"source": source})

    def image(self) -> str:
        """Put an image, which no row knows, and return its key."""
        key = f"probe/{uuid.uuid4().hex}/image.png"
        self.environment.client("s3").put_object(Bucket=DATA, Key=key, Body=PNG)
        return key

    def _output(self, given: Any) -> Any:
        """Return what an execution answers; nothing where it failed."""
        states = self.environment.client("stepfunctions")
        arn = states.start_execution(stateMachineArn=self.machine, input=json.dumps(given))[
            "executionArn"
        ]

        def ended() -> Any:
            found = states.describe_execution(executionArn=arn)
            return found if found["status"] != "RUNNING" else None

        done = self.until(ended, seconds=60)
        return json.loads(done["output"]) if done["status"] == "SUCCEEDED" else {}

    def records(self, function: str, decision: str) -> Callable[[], bool]:
        """A result of one decision is recorded and told by a function."""

        def probe() -> bool:
            image = {"bucket": DATA, "key": self.image()}
            if function == "classify_batch":
                image = image if decision == "accepted" else {"bucket": DATA, "key": "absent.png"}
                answer = self.invoke(function, self._batch(image))
                return bool(answer.get("counts", {}).get(decision) == 1)
            answer = self.invoke(
                function,
                {"execution": "probe", "results": [_result(image, decision)]},
            )
            results = answer.get("results", [{}])
            return bool(results[0].get("decision") == decision)

        return probe

    def assigns_a_new_class(self) -> bool:
        """A class that only the release which rolls out knows is assigned."""
        s3 = self.environment.client("s3")
        place = {"Bucket": DATA, "Key": "assignments/newest.json"}
        whole = s3.get_object(**place)["Body"].read()
        scooter = {"bay": "C", "orders": "near", "max_km": 2}
        body = json.dumps({**json.loads(whole), "scooter": scooter}).encode()
        added = s3.put_object(**place, Body=body)["VersionId"]
        result = _result({"bucket": DATA, "key": self.image()}, "accepted")
        inference = {**result["inference"], "label": "scooter", "confidence": 1.0}
        try:
            event = {"image": result["image"], "inference": inference}
            answer = self.invoke("filter_inferences", event)
        finally:
            # Terraform's own version, with its tags, is the newest one again.
            s3.delete_object(**place, VersionId=added)
        return bool(answer.get("assignment", {}).get("bay") == "C")

    def asks_for_review(self, function: str) -> Callable[[], bool]:
        """An image below the threshold gets a message."""
        if function == "record_results":
            return self.records(function, "review")

        def probe() -> bool:
            # What a batch finds unmarked is told, as the row says it.
            functions, name = self.environment.client("lambda"), f"{PREFIX}classify-batch"
            image = {"bucket": DATA, "key": self.image()}
            found = functions.get_function_configuration(FunctionName=name)["Environment"]
            raised = {**found["Variables"], "THRESHOLD": "1"}
            functions.update_function_configuration(
                FunctionName=name, Environment={"Variables": raised}
            )
            try:
                answer = self.invoke("classify_batch", self._batch(image), qualifier="$LATEST")
            finally:
                functions.update_function_configuration(FunctionName=name, Environment=found)
            return bool(answer.get("counts", {}).get("review") == 1)

        return probe

    def _batch(self, image: Any) -> dict[str, Any]:
        about = {"execution": "probe", "run": f"probe-{uuid.uuid4().hex}"}
        return {"BatchInput": about, "Items": [{"image": image, "index": 0}]}

    def closes_runs(self) -> bool:
        """A failed batch of a Map Run is read, and its results are written."""
        s3, run = self.environment.client("s3"), f"probe-{uuid.uuid4().hex}"
        line = {"Input": json.dumps(self._batch("no image")), "Error": "E", "Cause": "C"}
        key = f"runs/{run}/FAILED_0.json"
        s3.put_object(Bucket=DATA, Key=key, Body=json.dumps(line).encode())
        files = {"ResultFiles": {"SUCCEEDED": [], "FAILED": [{"Key": key}]}}
        place = {"Bucket": DATA, "Key": f"runs/{run}/manifest.json"}
        s3.put_object(**place, Body=json.dumps(files).encode())
        answer = self.invoke("record_results", {"execution": "probe", "run": run, "map_run": place})
        return bool(answer.get("counts", {}).get("failed") == 1)

    def takes_the_inbox(self) -> bool:
        """What is put under inbox/ is classified."""
        key = f"inbox/{uuid.uuid4().hex}.png"
        version = self.environment.client("s3").put_object(Bucket=DATA, Key=key, Body=PNG)[
            "VersionId"
        ]
        self.environment.clock.advance(11)
        table = self.environment.client("dynamodb")
        name = f"s3://{DATA}/{key}#{version}"

        def recorded() -> bool:
            found = table.query(
                TableName=f"{PREFIX}assignments",
                KeyConditionExpression="image = :image",
                ExpressionAttributeValues={":image": {"S": name}},
            )
            return bool(found["Items"])

        # The first time nothing is missing, and the host may be busy; later this tells how busy.
        started = time.monotonic()
        found = self.within(
            60 if self.inbox_seconds is None else 3 + 3 * self.inbox_seconds, recorded
        )
        if found:
            self.inbox_seconds = max(self.inbox_seconds or 0, time.monotonic() - started)
        return bool(found)

    def puts_aside(self) -> bool:
        """A message that is no S3 event goes to the inbox's dead letters."""
        record = {"messageId": uuid.uuid4().hex, "body": "poison"}
        return bool(
            self.invoke("collect_inbox", {"Records": [record]}) == {"batchItemFailures": []}
        )

    def starts_with_a_manifest(self) -> bool:
        """A burst of the inbox is written down and started."""
        detail = {"bucket": {"name": DATA}, "object": {"key": self.image()}}
        records = [
            {"messageId": uuid.uuid4().hex, "body": json.dumps({"detail": detail})}
            for _ in range(11)
        ]
        answer = self.invoke("collect_inbox", {"Records": records})
        return bool(answer == {"batchItemFailures": []})

    def logged(self, function: str) -> Callable[[], bool]:
        """A function's log group gets the lines of an invocation."""

        def probe() -> bool:
            logs = self.environment.client("logs")
            group = f"/aws/lambda/{PREFIX}{function.replace('_', '-')}"

            def events() -> int:
                return len(logs.filter_log_events(logGroupName=group)["events"])

            before = events()
            self.invoke(function, {})
            return events() > before

        return probe

    def invoke(self, function: str, event: Any, qualifier: str = "live") -> Any:
        answer = self.environment.client("lambda").invoke(
            FunctionName=f"{PREFIX}{function.replace('_', '-')}",
            Qualifier=qualifier,
            Payload=json.dumps(event),
        )
        return json.loads(answer["Payload"].read())

    def distinguishes_missing(self, function: str) -> Callable[[], bool]:
        """A key that does not exist is distinguished from one that may not be read."""
        image = {"bucket": DATA, "key": "absent.png"}
        read = {"etag": "e", "content_type": "image/png", "size_bytes": 1, "width": 1, "height": 1}
        if function == "classify_batch":

            def probe() -> bool:
                answer = self.invoke(function, self._batch(image))
                if "results" not in answer:
                    return False
                where = {name.title(): value for name, value in answer["results"].items()}
                body = self.environment.client("s3").get_object(**where)["Body"].read()
                return b"There is no object" in body

            return probe
        event = (
            {"image": {**image, **read}, "inference_id": "i"}
            if function == "classify_image"
            else image
        )
        return lambda: "There is no object" in self.invoke(function, event).get("errorMessage", "")

    def counts_failures(self) -> bool:
        """An image that fails is counted in the project's own metric."""
        before = self._failures()
        states = self.environment.client("stepfunctions")
        event = json.dumps({"bucket": DATA, "key": "absent.png"})
        arn = states.start_execution(stateMachineArn=self.machine, input=event)["executionArn"]
        self.until(lambda: states.describe_execution(executionArn=arn)["status"] != "RUNNING")
        return self._failures() > before

    def _failures(self) -> float:
        now = self.environment.clock.now()
        found = self.environment.client("cloudwatch").get_metric_statistics(
            Namespace=METRICS,
            MetricName="Failed",
            StartTime=now - timedelta(hours=1),
            EndTime=now + timedelta(hours=1),
            Period=7200,
            Statistics=["Sum"],
        )
        return float(sum(point["Sum"] for point in found["Datapoints"]))

    def checkpoints(self) -> bool:
        """A training job goes on from the checkpoint of an earlier one."""
        bucket, key = f"{PREFIX}artifacts-{ACCOUNT}", f"checkpoints/{uuid.uuid4().hex}"
        self.environment.client("s3").put_object(Bucket=bucket, Key=f"{key}/1.pt", Body=b"state")
        return self.trains(CheckpointConfig={"S3Uri": f"s3://{bucket}/{key}"})

    def trains(self, **more: Any) -> bool:
        """A training job reads the dataset, writes its model and its log."""
        sagemaker, name = self.environment.client("sagemaker"), f"probe-{uuid.uuid4().hex[:8]}"
        data = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{DATA}/dataset/probe/"}
        job = dict(
            TrainingJobName=name,
            AlgorithmSpecification={"TrainingImage": IMAGE, "TrainingInputMode": "File"},
            RoleArn=f"arn:aws:iam::{ACCOUNT}:role/{ROLES['training']}",
            InputDataConfig=[{"ChannelName": "train", "DataSource": {"S3DataSource": data}}],
            OutputDataConfig={"S3OutputPath": f"s3://{PREFIX}artifacts-{ACCOUNT}/model"},
            ResourceConfig={
                "InstanceType": "ml.m5.large",
                "InstanceCount": 1,
                "VolumeSizeInGB": 1,
            },
            StoppingCondition={"MaxRuntimeInSeconds": 60},
            **more,
        )
        try:
            sagemaker.create_training_job(**job)
        except ClientError as error:
            assert "permission for the image" in str(error)
            return False

        def ended() -> Any:
            found = sagemaker.describe_training_job(TrainingJobName=name)
            return found if found["TrainingJobStatus"] in ("Completed", "Failed") else None

        done = self.until(ended)
        logs = self.environment.client("logs").describe_log_streams(
            logGroupName="/aws/sagemaker/TrainingJobs", logStreamNamePrefix=name
        )
        return bool(done["TrainingJobStatus"] == "Completed" and logs["logStreams"])
