"""What each statement of the environment's policies is for, as short pieces of the workflow."""

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
    "night": f"{PREFIX}night",
}
IMAGE = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/{PREFIX}model:0.1.0"


class Probes:
    """Short pieces of the workflow; each says whether it worked."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.key = f"probe/{uuid.uuid4().hex}.png"
        environment.client("s3").put_object(
            Bucket=DATA, Key=self.key, Body=PNG, ContentType="image/png"
        )
        live = environment.serving()
        self.configuration = live["EndpointConfigName"]
        # What Terraform gave it: made anew otherwise, it would be replaced by the next apply.
        self.endpoint = {
            "DeploymentConfig": live["LastDeploymentConfig"],
            "Tags": environment.client("sagemaker").list_tags(ResourceArn=live["EndpointArn"])[
                "Tags"
            ],
        }
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

    def tells_missing(self, function: str) -> Callable[[], bool]:
        """A key that does not exist is told from one that may not be read."""
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

    def serves(self) -> bool:
        """The endpoint is made anew, with its model."""
        return bool(self._made(self.configuration)["EndpointStatus"] == "InService")

    def _made(self, configuration: str) -> Any:
        self._remove()
        self.environment.client("sagemaker").create_endpoint(
            EndpointName=ENDPOINT, EndpointConfigName=configuration, **self.endpoint
        )
        return self._settled()

    def _remove(self) -> None:
        try:
            self.environment.client("sagemaker").delete_endpoint(EndpointName=ENDPOINT)
        except ClientError as error:
            assert "Could not find" in str(error)
        self.until(lambda: ENDPOINT not in self._endpoints())

    def _settled(self) -> Any:
        """Return the endpoint once nothing happens to it: it can be changed only then."""

        def settled() -> Any:
            found = self.environment.serving()
            return found if found["EndpointStatus"] in ("InService", "Failed") else None

        return self.until(settled)

    def _endpoints(self) -> list[str]:
        found = self.environment.client("sagemaker").list_endpoints()["Endpoints"]
        return [endpoint["EndpointName"] for endpoint in found]

    def tells_missing_model(self) -> bool:
        """A model that does not exist is told from one that may not be read."""
        sagemaker, name = self.environment.client("sagemaker"), f"absent-{uuid.uuid4().hex[:8]}"
        sagemaker.create_model(
            ModelName=name,
            ExecutionRoleArn=f"arn:aws:iam::{ACCOUNT}:role/{ROLES['endpoint']}",
            PrimaryContainer={
                "Image": IMAGE,
                "ModelDataUrl": f"s3://{PREFIX}artifacts-{ACCOUNT}/model/absent/model.tar.gz",
            },
        )
        variant = {"VariantName": "v", "ModelName": name, "InitialInstanceCount": 1}
        sagemaker.create_endpoint_config(
            EndpointConfigName=name,
            ProductionVariants=[{**variant, "InstanceType": "ml.m5.large"}],
        )
        return "Could not find model data" in self._made(name).get("FailureReason", "")

    def endpoint_logs(self) -> bool:
        """A new endpoint's container writes to the log group."""

        def streams() -> int:
            logs = self.environment.client("logs")
            group = f"/aws/sagemaker/Endpoints/{ENDPOINT}"
            return len(logs.describe_log_streams(logGroupName=group)["logStreams"])

        before = streams()
        return self.serves() and streams() > before

    def captures(self) -> bool:
        """A request is captured, unless the server logs that the role may not write it."""
        if not self.serves():
            return False
        before, refused = self._captured(), len(self.denials())
        self.environment.answer()
        self.until(lambda: self._captured() > before or len(self.denials()) > refused)
        return self._captured() > before

    def _captured(self) -> int:
        found = self.environment.client("s3").list_objects_v2(Bucket=CAPTURE, Prefix="capture/")
        return int(found["KeyCount"])

    def answers_asynchronously(self) -> bool:
        """A request that lies in S3 is answered there, unless the server logs a denial."""
        s3, key = self.environment.client("s3"), f"async/{uuid.uuid4().hex}.png"
        s3.put_object(Bucket=DATA, Key=key, Body=PNG, ContentType="image/png")
        refused = len(self.denials())
        output = self.environment.client("sagemaker-runtime").invoke_endpoint_async(
            EndpointName=f"{PREFIX}async",
            InputLocation=f"s3://{DATA}/{key}",
            ContentType="image/png",
        )["OutputLocation"]

        def answered() -> bool:
            name = output.removeprefix(f"s3://{CAPTURE}/")
            return bool(s3.list_objects_v2(Bucket=CAPTURE, Prefix=name)["KeyCount"])

        self.until(lambda: answered() or len(self.denials()) > refused)
        return answered()

    def goes_down(self) -> bool:
        """The evening's schedule deletes the endpoint."""
        assert self.serves()
        self._fire("down")
        return ENDPOINT not in self._endpoints()

    def comes_up(self) -> bool:
        """The morning's schedule creates it, tags and all."""
        self._remove()
        self._fire("up")
        if ENDPOINT not in self._endpoints():
            return False
        return bool(self._settled()["EndpointStatus"] == "InService")

    def tells_failures(self) -> bool:
        """What a schedule cannot do is told in its queue: here, to create what is there."""
        assert self.serves()
        sqs = self.environment.client("sqs")
        url = sqs.get_queue_url(QueueName=f"{PREFIX}night")["QueueUrl"]

        def told() -> bool:
            """Take a message out of the queue, and return whether there was one."""
            found = sqs.receive_message(QueueUrl=url).get("Messages", [])
            for message in found:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            return bool(found)

        while told():  # what an earlier probe left
            pass
        self._fire("up", retries=0)
        return told()

    def _fire(self, edge: str, retries: int = 10) -> None:
        """Have a schedule's target called a minute from now, by a copy that is fired once."""
        scheduler, clock = self.environment.client("scheduler"), self.environment.clock
        made = scheduler.get_schedule(Name=f"{ENDPOINT}-{edge}", GroupName=f"{PREFIX}night")
        target = made["Target"]
        target["RetryPolicy"] = {**target["RetryPolicy"], "MaximumRetryAttempts": retries}
        at = (clock.now() + timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%S")
        scheduler.create_schedule(
            Name=f"probe-{uuid.uuid4().hex[:8]}",
            GroupName=made["GroupName"],
            ScheduleExpression=f"at({at})",
            FlexibleTimeWindow={"Mode": "OFF"},
            ActionAfterCompletion="DELETE",
            Target=target,
        )
        clock.advance(61)

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

    def of(self, role: str, sid: str) -> Callable[[], bool]:
        """Return what a statement of a role's policy is for."""
        if sid == "TellMissingImages":
            return self.tells_missing(role)
        if sid == "Log" and role in FUNCTIONS:
            return self.logged(role)
        alone = {
            ("workflow", "PutMetrics"): self.counts_failures,
            ("endpoint", "Log"): self.endpoint_logs,
            ("endpoint", "WriteCapture"): self.captures,
            ("endpoint", "ListModels"): self.tells_missing_model,
            ("endpoint", "ReadRequests"): self.answers_asynchronously,
            ("endpoint", "WriteAnswers"): self.answers_asynchronously,
            ("training", "KeepCheckpoints"): self.checkpoints,
            ("training", "ListCheckpoints"): self.checkpoints,
            ("night", "DeleteEndpoint"): self.goes_down,
            ("night", "TellFailures"): self.tells_failures,
        }
        whole = {"endpoint": self.serves, "training": self.trains, "night": self.comes_up}
        return alone.get((role, sid)) or whole.get(role, self.classified)
