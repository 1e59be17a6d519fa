"""Short pieces of the workflow that need functions and jobs; each says whether it worked."""

import json
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from tests.support.environment import ACCOUNT, PNG, Environment

PREFIX = "scones-local-"
ENDPOINT = f"{PREFIX}classifier"
DATA, CAPTURE = f"{PREFIX}data-{ACCOUNT}", f"{PREFIX}capture-{ACCOUNT}"
METRICS = "scones/local"
FUNCTIONS = ("serialize_image", "classify_image", "filter_inferences")
ROLES = {
    "serialize_image": f"{PREFIX}serialize-image-function",
    "classify_image": f"{PREFIX}classify-image-function",
    "filter_inferences": f"{PREFIX}filter-inferences-function",
    "workflow": f"{PREFIX}workflow",
    "endpoint": f"{PREFIX}endpoint",
    "training": f"{PREFIX}training",
    "off_hours": f"{PREFIX}off-hours",
}
IMAGE = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/{PREFIX}model:0.1.0"


class WorkflowProbes:
    """What the functions, the state machine and a training job do."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.key = f"probe/{uuid.uuid4().hex}.png"
        environment.client("s3").put_object(
            Bucket=DATA, Key=self.key, Body=PNG, ContentType="image/png"
        )
        self.machine = next(
            m["stateMachineArn"]
            for m in environment.client("stepfunctions").list_state_machines()["stateMachines"]
        )

    def until(self, ask: Callable[[], Any], seconds: float = 30) -> Any:
        deadline = time.monotonic() + seconds
        while not (found := ask()):
            assert time.monotonic() < deadline, "the condition did not come true in time"
            time.sleep(0.05)
        return found

    def denials(self) -> list[str]:
        log = (self.environment.aws.home / "server.log").read_text()
        return [line for line in log.splitlines() if "Denied:" in line]

    def classified(self) -> bool:
        """One image goes through the state machine."""
        states = self.environment.client("stepfunctions")
        arn = states.start_execution(
            stateMachineArn=self.machine, input=json.dumps({"bucket": DATA, "key": self.key})
        )["executionArn"]

        def ended() -> Any:
            found = states.describe_execution(executionArn=arn)
            return found if found["status"] != "RUNNING" else None

        done = self.until(ended)
        if done["status"] != "SUCCEEDED":
            return False
        return bool(json.loads(done["output"])["results"][0]["decision"] != "failed")

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

    def invoke(self, function: str, event: Any) -> Any:
        answer = self.environment.client("lambda").invoke(
            FunctionName=f"{PREFIX}{function.replace('_', '-')}",
            Qualifier="live",
            Payload=json.dumps(event),
        )
        return json.loads(answer["Payload"].read())

    def distinguishes_missing(self, function: str) -> Callable[[], bool]:
        """A key that does not exist is distinguished from one that may not be read."""
        image = {"bucket": DATA, "key": "absent.png"}
        read = {"etag": "e", "content_type": "image/png", "size_bytes": 1, "width": 1, "height": 1}
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
        now = datetime.now(UTC)
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
