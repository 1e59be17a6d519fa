"""What the conformance cases of SageMaker need: a bucket, a role, models, waits with an end."""

import io
import json
import tarfile
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from local_aws.testing.aws import Aws, unique

IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/toy-model:1"
# What every role needs that runs a container of the account's own registry.
PULL = {
    "Effect": "Allow",
    "Action": [
        "ecr:GetAuthorizationToken",
        "ecr:BatchCheckLayerAvailability",
        "ecr:GetDownloadUrlForLayer",
        "ecr:BatchGetImage",
    ],
    "Resource": "*",
}


@dataclass(frozen=True)
class Hosting:
    """SageMaker as a user sees it, with a bucket of its own and a role that may do all."""

    aws: Aws
    bucket: str
    role: str

    @classmethod
    def of(cls, aws: Aws) -> "Hosting":
        """Make the bucket."""
        bucket = unique("hosting")
        aws.client("s3").create_bucket(Bucket=bucket)
        return cls(aws, bucket, aws.role)

    @property
    def sagemaker(self) -> Any:
        """Return the client of the control plane."""
        return self.aws.client("sagemaker")

    @property
    def runtime(self) -> Any:
        """Return the client of the runtime."""
        return self.aws.client("sagemaker-runtime")

    def put(self, key: str, body: bytes) -> str:
        """Store an object and return its URI."""
        self.aws.client("s3").put_object(Bucket=self.bucket, Key=key, Body=body)
        return f"s3://{self.bucket}/{key}"

    def objects(self, prefix: str) -> dict[str, bytes]:
        """Return the objects below a prefix."""
        s3 = self.aws.client("s3")
        found = s3.list_objects_v2(Bucket=self.bucket, Prefix=prefix).get("Contents", [])
        return {
            entry["Key"]: s3.get_object(Bucket=self.bucket, Key=entry["Key"])["Body"].read()
            for entry in found
        }

    def train(self, **changes: Any) -> str:
        """Start a training job of the stand-in program; return its name."""
        name = changes.pop("name", None) or unique("job")
        source = changes.pop("source", None) or self.dataset()
        data = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": source}}
        request = {
            "TrainingJobName": name,
            "HyperParameters": changes.pop("hyperparameters", {}),
            "InputDataConfig": [{"ChannelName": "train", "DataSource": data}],
            **self.definition(changes.pop("image", IMAGE)),
            **changes,
        }
        self.sagemaker.create_training_job(**request)
        return name

    def definition(self, image: str = IMAGE) -> dict[str, Any]:
        """Return what training jobs and the trials of tuning jobs have in common."""
        metrics = [
            {"Name": "validation:accuracy", "Regex": r"validation_accuracy=([0-9.]+)"},
            {"Name": "objective", "Regex": r"objective=([-0-9.e]+)"},
        ]
        return {
            "AlgorithmSpecification": {
                "TrainingImage": image,
                "TrainingInputMode": "File",
                "MetricDefinitions": metrics,
            },
            "RoleArn": self.role,
            "OutputDataConfig": {"S3OutputPath": f"s3://{self.bucket}/trained"},
            "ResourceConfig": {
                "InstanceType": "ml.m5.large",
                "InstanceCount": 1,
                "VolumeSizeInGB": 1,
            },
            "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        }

    def dataset(self) -> str:
        """Return the prefix of a few files."""
        return self.put("dataset/train/a.png", b"pixels").removesuffix("a.png")

    def trained(self, name: str) -> dict[str, Any]:
        """Return the description of a training job once it has ended."""

        def ended() -> dict[str, Any] | None:
            found: dict[str, Any] = self.sagemaker.describe_training_job(TrainingJobName=name)
            over = found["TrainingJobStatus"] in {"Completed", "Failed", "Stopped"}
            return found if over else None

        return self.aws.eventually(ended, 60)

    def log(self, name: str) -> list[str]:
        """Return what a training job's program has written so far."""
        logs, group = self.aws.client("logs"), "/aws/sagemaker/TrainingJobs"
        try:
            streams = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=f"{name}/")[
                "logStreams"
            ]
        except logs.exceptions.ResourceNotFoundException:
            return []
        return [
            event["message"]
            for stream in streams
            for event in logs.get_log_events(
                logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True
            )["events"]
        ]

    def model(self, answer: str = "[0.9, 0.1]", role: str = "", **environment: str) -> str:
        """Return the name of a model that gives that answer, with the usual role or another."""
        body = io.BytesIO()
        with tarfile.open(fileobj=body, mode="w:gz") as tar:
            member = tarfile.TarInfo("answer.txt")
            member.size = len(answer)
            tar.addfile(member, io.BytesIO(answer.encode()))
        name = unique("model")
        data = self.put(f"artifacts/{name}/model.tar.gz", body.getvalue())
        container = {"Image": IMAGE, "ModelDataUrl": data, "Environment": environment}
        self.sagemaker.create_model(
            ModelName=name, ExecutionRoleArn=role or self.role, PrimaryContainer=container
        )
        return name

    def configuration(self, *variants: dict[str, Any], **more: Any) -> str:
        """Return the name of a configuration with these variants."""
        name = unique("configuration")
        self.sagemaker.create_endpoint_config(
            EndpointConfigName=name, ProductionVariants=list(variants), **more
        )
        return name

    def endpoint(self, configuration: str) -> str:
        """Return the name of an endpoint that serves the configuration."""
        name = unique("endpoint")
        self.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=configuration)
        assert self.settled(name)["EndpointStatus"] == "InService"
        return name

    def settled(self, endpoint: str) -> dict[str, Any]:
        """Return the endpoint's description once nothing changes any more."""
        return self.reaches(endpoint, lambda e: e["EndpointStatus"] in {"InService", "Failed"})

    def reaches(self, endpoint: str, holds: Callable[[Any], bool]) -> dict[str, Any]:
        """Return the first description of the endpoint of which that is true."""

        def probe() -> dict[str, Any] | None:
            found: dict[str, Any] = self.sagemaker.describe_endpoint(EndpointName=endpoint)
            return found if holds(found) else None

        return self.aws.eventually(probe)

    def invoke(self, endpoint: str, body: bytes = b"image", **more: Any) -> bytes:
        """Return what the endpoint answers."""
        answer = self.runtime.invoke_endpoint(EndpointName=endpoint, Body=body, **more)
        content: bytes = answer["Body"].read()
        return content

    def advance(self, seconds: float) -> None:
        """Let that much of the embedded AWS's time pass."""
        self.post("clock", {"advance_seconds": seconds})

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """Ask one of the embedded AWS's own paths."""
        request = urllib.request.Request(  # noqa: S310 - loopback
            f"{self.aws.local.endpoint_url}/_local_aws/{path}",
            data=json.dumps(body).encode(),
            method="POST",
        )
        with urllib.request.urlopen(request) as answer:  # noqa: S310 - loopback
            return json.load(answer)


def variant(model: str, name: str = "AllTraffic", count: int = 1, **more: Any) -> dict[str, Any]:
    """Return a production variant on instances."""
    return {
        "VariantName": name,
        "ModelName": model,
        "InitialInstanceCount": count,
        "InstanceType": "ml.m5.large",
        "InitialVariantWeight": 1,
        **more,
    }
