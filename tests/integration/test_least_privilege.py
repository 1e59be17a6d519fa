"""No statement is superfluous: without it, what it is for no longer works.

Each statement of each role's policy is taken away in turn, the shortest piece of the workflow
that needs it is run against the embedded AWS, and the policy is put back.
"""

import json
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.environment import ACCOUNT, PNG, Environment

PREFIX = "scones-local-"
ENDPOINT = f"{PREFIX}classifier"
DATA, CAPTURE = f"{PREFIX}data-{ACCOUNT}", f"{PREFIX}capture-{ACCOUNT}"
METRICS = "scones/local"
ROLES = {
    "serialize_image": f"{PREFIX}serialize-image-function",
    "classify_image": f"{PREFIX}classify-image-function",
    "filter_inferences": f"{PREFIX}filter-inferences-function",
    "workflow": f"{PREFIX}workflow",
    "endpoint": f"{PREFIX}endpoint",
    "training": f"{PREFIX}training",
}
IMAGE = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/{PREFIX}model:0.1.0"

# What the embedded AWS does not do with a role, and why AWS needs the statement all the same.
NOT_EXERCISED = {
    ("serialize_image", "Trace"): "no traces are sent here",
    ("classify_image", "Trace"): "no traces are sent here",
    ("filter_inferences", "Trace"): "no traces are sent here",
    ("workflow", "Trace"): "no traces are sent here",
    ("filter_inferences", "ReadEncrypted"): "variables are decrypted by the grant that Lambda "
    "makes for a role; the statement serves a role that was made anew",
    ("workflow", "DeliverLogs"): "log deliveries belong to the account and are not made here",
    ("endpoint", "EncryptVolumes"): "instances have no volumes here",
    ("endpoint", "PutMetrics"): "metrics of instances are not made here",
    ("endpoint", "ReadGuardAlarms"): "rollouts look at alarms in the process",
    ("training", "EncryptVolumes"): "instances have no volumes here",
    ("training", "PutMetrics"): "metrics of instances are not made here",
}


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
        sagemaker = self.environment.client("sagemaker")
        try:
            sagemaker.delete_endpoint(EndpointName=ENDPOINT)
        except ClientError as error:
            assert "Could not find" in str(error)
        self.until(lambda: ENDPOINT not in self._endpoints())
        sagemaker.create_endpoint(
            EndpointName=ENDPOINT, EndpointConfigName=configuration, **self.endpoint
        )

        def settled() -> Any:
            found = sagemaker.describe_endpoint(EndpointName=ENDPOINT)
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

    def of(self, role: str, sid: str) -> Callable[[], bool] | None:
        """Return what a statement is for; None where nothing here needs it."""
        if role in ("serialize_image", "classify_image", "filter_inferences") and sid == "Log":
            return self.logged(role)
        if sid == "TellMissingImages":
            return self.tells_missing(role)
        if (role, sid) == ("workflow", "PutMetrics"):
            return self.counts_failures
        if role == "endpoint":
            special = {
                "Log": self.endpoint_logs,
                "WriteCapture": self.captures,
                "ListModels": self.tells_missing_model,
            }
            return special.get(sid, self.serves)
        if role == "training":
            return self.checkpoints if sid.endswith("Checkpoints") else self.trains
        return self.classified


def statements(environment: Environment) -> list[tuple[str, str]]:
    """Return role and Sid of every statement that Terraform attached."""
    iam = environment.client("iam")
    found = []
    for role, name in ROLES.items():
        assert iam.list_role_policies(RoleName=name)["PolicyNames"] == ["access"]
        document = iam.get_role_policy(RoleName=name, PolicyName="access")["PolicyDocument"]
        found += [(role, statement["Sid"]) for statement in document["Statement"]]
    return found


@contextmanager
def without(environment: Environment, role: str, sid: str) -> Iterator[None]:
    """Take one statement out of a role's policy, and put it back at the end."""
    iam, where = environment.client("iam"), {"RoleName": ROLES[role], "PolicyName": "access"}
    document = iam.get_role_policy(**where)["PolicyDocument"]
    less = [statement for statement in document["Statement"] if statement["Sid"] != sid]
    assert len(less) == len(document["Statement"]) - 1
    iam.put_role_policy(**where, PolicyDocument=json.dumps({**document, "Statement": less}))
    try:
        yield
    finally:
        iam.put_role_policy(**where, PolicyDocument=json.dumps(document))


@pytest.fixture(scope="session")
def probes(served: Environment) -> Probes:
    served.client("s3").put_object(
        Bucket=DATA, Key="dataset/probe/bicycle/a.png", Body=PNG, ContentType="image/png"
    )
    return Probes(served)


@pytest.mark.slow
def test_without_any_statement_what_it_is_for_fails(served: Environment, probes: Probes) -> None:
    found = statements(served)
    assert len(found) == len(set(found)), "each statement has a Sid of its own in its policy"
    needed = {pair: probes.of(*pair) for pair in found if pair not in NOT_EXERCISED}
    broken = [pair for pair, probe in needed.items() if probe is None or not probe()]
    assert not broken, f"these do not work even with every statement: {broken}"
    idle = []
    for (role, sid), probe in needed.items():
        with without(served, role, sid):
            if probe is not None and probe():
                idle.append((role, sid))
    assert probes.serves(), "the endpoint is back"
    assert not idle, f"nothing fails without these: {idle}"


@pytest.mark.slow
def test_the_list_of_what_is_not_exercised_holds_no_statement_that_is_gone(
    served: Environment,
) -> None:
    assert set(NOT_EXERCISED) <= set(statements(served))
    assert all(NOT_EXERCISED.values())
