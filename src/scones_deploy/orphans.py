"""Resources of an environment that Terraform does not know any more, found by their tags."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from scones_deploy.buckets import empty_bucket, empty_model_group, empty_repository, is_missing

Clients = Callable[[str], Any]
KEY_DAYS = 7


@dataclass(frozen=True, slots=True)
class Arn:
    """An ARN's service, kind of resource ("" without), and name."""

    text: str
    service: str
    kind: str
    name: str

    @property
    def is_key(self) -> bool:
        """Whether it is a KMS key, which stays for a while after its deletion was asked for."""
        return (self.service, self.kind) == ("kms", "key")

    @classmethod
    def parse(cls, text: str) -> "Arn":
        """Return the parts of `arn:<partition>:<service>:<region>:<account>:<resource>`."""
        service, rest = text.split(":")[2], text.split(":", 5)[-1]
        if service in ("s3", "sns", "sqs"):
            return cls(text, service, "", rest)
        kind, name = re.split(r"[:/]", rest, maxsplit=1) if re.search(r"[:/]", rest) else ("", rest)
        return cls(text, service, kind, name.removesuffix(":*"))


def _bucket(clients: Clients, arn: Arn) -> None:
    empty_bucket(clients("s3"), arn.name)
    clients("s3").delete_bucket(Bucket=arn.name)


def _repository(clients: Clients, arn: Arn) -> None:
    empty_repository(clients("ecr"), arn.name)
    clients("ecr").delete_repository(repositoryName=arn.name)


def _notebook(clients: Clients, arn: Arn) -> None:
    sagemaker = clients("sagemaker")
    name = {"NotebookInstanceName": arn.name}
    if sagemaker.describe_notebook_instance(**name)["NotebookInstanceStatus"] != "Stopped":
        sagemaker.stop_notebook_instance(**name)
        sagemaker.get_waiter("notebook_instance_stopped").wait(**name)
    sagemaker.delete_notebook_instance(**name)


def _key(clients: Clients, arn: Arn) -> None:
    kms = clients("kms")
    if kms.describe_key(KeyId=arn.name)["KeyMetadata"]["KeyState"] != "PendingDeletion":
        kms.schedule_key_deletion(KeyId=arn.name, PendingWindowInDays=KEY_DAYS)


def _call(service: str, operation: str, parameter: str, *, whole_arn: bool = False) -> Any:
    def delete(clients: Clients, arn: Arn) -> None:
        getattr(clients(service), operation)(**{parameter: arn.text if whole_arn else arn.name})

    return delete


def _queue(clients: Clients, arn: Arn) -> None:
    sqs = clients("sqs")
    sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName=arn.name.rsplit(":", 1)[-1])["QueueUrl"])


def _model_group(clients: Clients, arn: Arn) -> None:
    empty_model_group(clients("sagemaker"), arn.name)
    clients("sagemaker").delete_model_package_group(ModelPackageGroupName=arn.name)


def _alarm(clients: Clients, arn: Arn) -> None:
    clients("cloudwatch").delete_alarms(AlarmNames=[arn.name])


# In the order of removal: what uses goes before what is used, the key last of all.
DELETERS: Mapping[tuple[str, str], Callable[[Clients, Arn], None]] = {
    ("sagemaker", "monitoring-schedule"): _call(
        "sagemaker", "delete_monitoring_schedule", "MonitoringScheduleName"
    ),
    ("sagemaker", "data-quality-job-definition"): _call(
        "sagemaker", "delete_data_quality_job_definition", "JobDefinitionName"
    ),
    ("sagemaker", "endpoint"): _call("sagemaker", "delete_endpoint", "EndpointName"),
    ("sagemaker", "endpoint-config"): _call(
        "sagemaker", "delete_endpoint_config", "EndpointConfigName"
    ),
    ("sagemaker", "model"): _call("sagemaker", "delete_model", "ModelName"),
    ("sagemaker", "notebook-instance"): _notebook,
    ("states", "stateMachine"): _call(
        "stepfunctions", "delete_state_machine", "stateMachineArn", whole_arn=True
    ),
    ("lambda", "function"): _call("lambda", "delete_function", "FunctionName"),
    ("cloudwatch", "alarm"): _alarm,
    ("sns", ""): _call("sns", "delete_topic", "TopicArn", whole_arn=True),
    ("logs", "log-group"): _call("logs", "delete_log_group", "logGroupName"),
    ("sqs", ""): _queue,
    ("scheduler", "schedule-group"): _call("scheduler", "delete_schedule_group", "Name"),
    ("sagemaker", "model-package-group"): _model_group,
    ("ecr", "repository"): _repository,
    ("s3", ""): _bucket,
    ("kms", "key"): _key,
}


def in_order(arns: list[str]) -> list[Arn]:
    """Return the resources that can be removed, in the order in which they must be."""
    order = list(DELETERS)
    found = [Arn.parse(text) for text in arns]
    known = [arn for arn in found if (arn.service, arn.kind) in DELETERS]
    return sorted(known, key=lambda arn: (order.index((arn.service, arn.kind)), arn.name))


def remove(clients: Clients, arn: Arn) -> bool:
    """Remove a resource; return False where it was gone already. A key is scheduled for deletion.

    Raises ClientError where AWS refuses.
    """
    try:
        DELETERS[arn.service, arn.kind](clients, arn)
    except ClientError as error:
        if is_missing(error):
            return False
        raise
    return True


def remains(clients: Clients, arns: list[str]) -> list[str]:
    """Return a line for each resource that is still there, with what is to be known of it."""
    return [line for text in sorted(arns) if (line := _remaining(clients, Arn.parse(text)))]


def _remaining(clients: Clients, arn: Arn) -> str:
    if arn.is_key:
        found = clients("kms").describe_key(KeyId=arn.name)["KeyMetadata"]
        until = found.get("DeletionDate")
        if found["KeyState"] == "PendingDeletion":
            return (
                f"{arn.text}: deleted on {until:%Y-%m-%d}; `aws kms cancel-key-deletion` until then"
            )
    if arn.service == "sagemaker" and arn.kind.endswith("-job"):
        return f"{arn.text}: a job's record, which AWS keeps and does not bill"
    return arn.text
