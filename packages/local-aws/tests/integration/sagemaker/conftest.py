"""One embedded AWS for this folder, with stand-ins for a customer's programs."""

import io
import json
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from botocore.config import Config

from local_aws.control import LocalAws
from local_aws.sagemaker.image_programs import ImageCommands
from local_aws.testing import PROGRAMS

IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/toy-model:1"
ROLE = "arn:aws:iam::123456789012:role/sagemaker"
BUCKET = "sagemaker-tests"
EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}
DEADLINE_SECONDS = 30.0


@dataclass(frozen=True)
class Sagemaker:
    """A user's view: clients of the embedded AWS, and a wait that has an end."""

    aws: LocalAws

    def client(self, service: str) -> Any:
        return boto3.client(  # type: ignore[call-overload]
            service,
            endpoint_url=self.aws.endpoint_url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}, max_pool_connections=16),
        )

    def until(self, ask: Callable[[], Any], seconds: float = DEADLINE_SECONDS) -> Any:
        deadline = time.monotonic() + seconds
        while not (answer := ask()):
            assert time.monotonic() < deadline, "the condition did not come true in time"
            time.sleep(0.02)
        return answer

    def role(self, name: str, *statements: dict[str, Any]) -> str:
        """Make a role that SageMaker may take, and return its ARN."""
        iam = self.client("iam")
        who = {"Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
        trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **who}]}
        made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
        policy = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
        iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy)
        arn: str = made["Role"]["Arn"]
        return arn

    def objects(self, prefix: str) -> dict[str, bytes]:
        s3 = self.client("s3")
        found = s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
        return {o["Key"]: s3.get_object(Bucket=BUCKET, Key=o["Key"])["Body"].read() for o in found}

    def log_lines(self, group: str, prefix: str = "") -> list[str]:
        logs = self.client("logs")
        named = {"logStreamNamePrefix": prefix} if prefix else {}
        streams = logs.describe_log_streams(logGroupName=group, **named)["logStreams"]
        return [
            event["message"]
            for stream in streams
            for event in logs.get_log_events(
                logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True
            )["events"]
        ]

    def train(self, name: str, **changes: Any) -> None:
        hyperparameters = changes.pop("hyperparameters", {})
        image = changes.pop("image", IMAGE)
        source = changes.pop("source", f"s3://{BUCKET}/dataset/train/")
        data = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": source}}
        request: dict[str, Any] = {
            "TrainingJobName": name,
            "AlgorithmSpecification": {
                "TrainingImage": image,
                "TrainingInputMode": "File",
                "MetricDefinitions": [
                    {"Name": "validation:accuracy", "Regex": r"validation_accuracy=([0-9.]+)"},
                    {"Name": "test:accuracy", "Regex": r"test_accuracy=([0-9.]+)"},
                ],
            },
            "RoleArn": ROLE,
            "HyperParameters": hyperparameters,
            "InputDataConfig": [{"ChannelName": "train", "DataSource": data}],
            "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/model"},
            "ResourceConfig": {
                "InstanceType": "ml.m5.large",
                "InstanceCount": 1,
                "VolumeSizeInGB": 1,
            },
            "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        }
        self.client("sagemaker").create_training_job(**{**request, **changes})

    def trained(self, name: str) -> dict[str, Any]:
        sagemaker = self.client("sagemaker")

        def ended() -> Any:
            job = sagemaker.describe_training_job(TrainingJobName=name)
            return job if job["TrainingJobStatus"] in {"Completed", "Failed", "Stopped"} else None

        job: dict[str, Any] = self.until(ended)
        return job

    def model(
        self,
        name: str,
        answer: str = "[0.9, 0.1]",
        image: str = IMAGE,
        role: str = ROLE,
        **environment: str,
    ) -> None:
        """Make an artifact, a model and an endpoint configuration, all of one name."""
        body = io.BytesIO()
        with tarfile.open(fileobj=body, mode="w:gz") as tar:
            member = tarfile.TarInfo("answer.txt")
            member.size = len(answer)
            tar.addfile(member, io.BytesIO(answer.encode()))
        key = f"artifacts/{name}/model.tar.gz"
        self.client("s3").put_object(Bucket=BUCKET, Key=key, Body=body.getvalue())
        self.configuration(name, f"s3://{BUCKET}/{key}", image=image, role=role, **environment)

    def configuration(
        self, name: str, data: str, image: str = IMAGE, role: str = ROLE, **environment: str
    ) -> None:
        sagemaker = self.client("sagemaker")
        sagemaker.create_model(
            ModelName=name,
            ExecutionRoleArn=role,
            PrimaryContainer={"Image": image, "ModelDataUrl": data, "Environment": environment},
        )
        sagemaker.create_endpoint_config(
            EndpointConfigName=name,
            ProductionVariants=[
                {
                    "VariantName": "AllTraffic",
                    "ModelName": name,
                    "InitialInstanceCount": 1,
                    "InstanceType": "ml.m5.large",
                    "InitialVariantWeight": 1,
                }
            ],
            DataCaptureConfig={
                "EnableCapture": True,
                "InitialSamplingPercentage": 100,
                "DestinationS3Uri": f"s3://{BUCKET}/captured",
                "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
                "CaptureContentTypeHeader": {"JsonContentTypes": ["application/json"]},
            },
        )

    def settled(self, name: str) -> dict[str, Any]:
        """Return the endpoint once it is neither being made nor changed."""
        sagemaker = self.client("sagemaker")

        def done() -> Any:
            endpoint = sagemaker.describe_endpoint(EndpointName=name)
            return endpoint if endpoint["EndpointStatus"] in {"InService", "Failed"} else None

        endpoint: dict[str, Any] = self.until(done)
        return endpoint

    def endpoint(self, name: str, config: str) -> dict[str, Any]:
        self.client("sagemaker").create_endpoint(EndpointName=name, EndpointConfigName=config)
        return self.settled(name)

    def invoke(self, name: str, body: bytes = b"image", **arguments: str) -> dict[str, Any]:
        answer: dict[str, Any] = self.client("sagemaker-runtime").invoke_endpoint(
            EndpointName=name, Body=body, **arguments
        )
        return {**answer, "Body": answer["Body"].read()}


@pytest.fixture(scope="session")
def images() -> dict[str, ImageCommands]:
    commands = ImageCommands(
        train=(sys.executable, str(PROGRAMS / "stand_in_train.py")),
        serve=(sys.executable, str(PROGRAMS / "stand_in_serve.py")),
        environment={"FROM_IMAGE": "yes"},
    )
    return {"toy-*": commands}


@pytest.fixture(scope="session")
def sm(
    tmp_path_factory: pytest.TempPathFactory, images: dict[str, ImageCommands]
) -> Iterator[Sagemaker]:
    with LocalAws.start(tmp_path_factory.mktemp("sagemaker"), 0, images, keep=False) as aws:
        local = Sagemaker(aws)
        local.role("sagemaker", EVERYTHING)
        s3 = local.client("s3")
        s3.create_bucket(Bucket=BUCKET)
        for name in ("bicycle/a.png", "motorcycle/b.png"):
            s3.put_object(Bucket=BUCKET, Key=f"dataset/train/{name}", Body=b"pixels")
        yield local
