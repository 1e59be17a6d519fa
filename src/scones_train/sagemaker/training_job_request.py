"""Job request: what CreateTrainingJob is asked for, by either algorithm."""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from scones_core.uris import S3Uri
from scones_train.sagemaker.metric_lines import RECORDED, metric_definitions

JOB_NAME_CHARACTERS = 63
# Instances with local NVMe storage encrypt it by themselves and refuse a key.
NVME = re.compile(r"ml\.([a-z]+[0-9]+[a-z]*d[a-z]*|g5|g6e?|p5e?n?|p6[a-z0-9-]*|trn[0-9]+n?)\.")


@dataclass(frozen=True, slots=True)
class Compute:
    """What a job runs on, and for how long at most.

    A spot instance costs a fraction and may be taken away: the job then waits for another one,
    up to `max_wait_seconds` in all, and goes on from its last checkpoint. With subnets and
    security groups it runs in that VPC.
    """

    instance_type: str
    max_runtime_seconds: int
    volume_gb: int = 10
    spot: bool = False
    max_wait_seconds: int = 0
    subnets: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TrainingRequest:
    """One job: its image, its channels by name, where the model goes.

    `channels` gives a key prefix in `data_bucket` and a content type, which may be empty.
    `own_program` says that the image prints this project's metric lines; a built-in algorithm
    has metrics of its own and takes no other. `resume` is an earlier job whose checkpoints
    this one goes on from. The job's name is `name_prefix`, the time, and four random digits.
    `environment` is given to the program; `recorded` names the metrics that its lines carry.
    """

    name_prefix: str
    image_uri: str
    role_arn: str
    data_bucket: str
    artifacts_bucket: str
    kms_key_arn: str
    hyperparameters: Mapping[str, str]
    channels: Mapping[str, tuple[str, str]]
    compute: Compute
    own_program: bool = True
    resume: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    recorded: tuple[str, ...] = RECORDED

    @property
    def output(self) -> S3Uri:
        """The prefix below which `<job>/output/model.tar.gz` appears."""
        return S3Uri(self.artifacts_bucket, "model")


def image_uri(repository_url: str, tag: str) -> str:
    """Return the URI of the model image in a registry's repository."""
    return f"{repository_url}:{tag}"


def job_name(prefix: str, started: datetime) -> str:
    """Return a job name that no other job has: the prefix, the time, four random digits."""
    suffix = f"-{started:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    return prefix[: JOB_NAME_CHARACTERS - len(suffix)].rstrip("-") + suffix


def job_request(request: TrainingRequest, job: str) -> dict[str, Any]:
    """Return the arguments of CreateTrainingJob."""
    return {
        "TrainingJobName": job,
        "RoleArn": request.role_arn,
        "HyperParameters": dict(request.hyperparameters),
        "Tags": [{"Key": key, "Value": value} for key, value in request.tags.items()],
        **job_definition(request, job),
    }


def job_definition(request: TrainingRequest, job: str) -> dict[str, Any]:
    """Return what a training job and the jobs of a tuning have in common.

    `job` is the name below which checkpoints are kept.
    """
    metrics = (
        {"MetricDefinitions": metric_definitions(request.recorded)} if request.own_program else {}
    )
    definition: dict[str, Any] = {
        "AlgorithmSpecification": {
            "TrainingImage": request.image_uri,
            "TrainingInputMode": "File",
            **metrics,
        },
        "InputDataConfig": [
            _channel(name, S3Uri(request.data_bucket, prefix), content_type)
            for name, (prefix, content_type) in request.channels.items()
        ],
        "OutputDataConfig": {
            "S3OutputPath": str(request.output),
            "KmsKeyId": request.kms_key_arn,
        },
        **_compute(request.compute, request.kms_key_arn),
        **({"Environment": dict(request.environment)} if request.environment else {}),
    }
    if request.own_program:
        # An instance that is taken away leaves nothing but these behind.
        kept = S3Uri(request.artifacts_bucket, "checkpoints").join(request.resume or job)
        definition["CheckpointConfig"] = {"S3Uri": str(kept)}
    return definition


def _compute(compute: Compute, kms_key_arn: str) -> dict[str, Any]:
    resources: dict[str, Any] = {
        "InstanceType": compute.instance_type,
        "InstanceCount": 1,
        "VolumeSizeInGB": compute.volume_gb,
    }
    if not NVME.match(compute.instance_type):
        resources["VolumeKmsKeyId"] = kms_key_arn
    stopping = {"MaxRuntimeInSeconds": compute.max_runtime_seconds}
    request: dict[str, Any] = {"ResourceConfig": resources, "StoppingCondition": stopping}
    if compute.spot:
        request["EnableManagedSpotTraining"] = True
        # The wait includes the run, and AWS refuses a shorter one.
        wait = max(compute.max_wait_seconds, compute.max_runtime_seconds)
        stopping["MaxWaitTimeInSeconds"] = wait
    if compute.subnets or compute.security_groups:
        request["VpcConfig"] = {
            "Subnets": list(compute.subnets),
            "SecurityGroupIds": list(compute.security_groups),
        }
    return request


def _channel(name: str, location: S3Uri, content_type: str) -> dict[str, Any]:
    source = {
        "S3DataType": "S3Prefix",
        "S3Uri": str(location),
        "S3DataDistributionType": "FullyReplicated",
    }
    kind = {"ContentType": content_type} if content_type else {}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}, **kind}
