"""Removal of an environment: whose a resource is, what is left of it, and how each kind goes."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from scones_core.errors import DeployError

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


def list_remaining(clients: Clients, arns: list[str]) -> list[str]:
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


NAMED = re.compile(r'^\s*project\s*=\s*"([^"]+)"', re.MULTILINE)
PROJECT, ENVIRONMENT = "Project", "Environment"


@dataclass(frozen=True, slots=True)
class Owner:
    """An environment of a project; a name proves nothing, `scones-dev-2` is not `scones-dev`."""

    project: str
    environment: str

    @classmethod
    def of(cls, variables: Path, environment: str) -> "Owner":
        """Return the owner that an environment's `env.tfvars` names.

        Raises DeployError where the file cannot be read; without `project` in it, it is the
        default of Terraform's variable.
        """
        try:
            found = NAMED.search(variables.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise DeployError(f"{variables} cannot be read: {error}.") from error
        return cls(found[1] if found else "scones", environment)

    @property
    def prefix(self) -> str:
        """The start of every name that Terraform gives; another owner's may begin so too."""
        return f"{self.project}-{self.environment}-"

    def owns(self, tags: Iterable[Mapping[str, str]]) -> bool:
        """Return whether both tags are there and say this environment of this project."""
        found = {tag["Key"]: tag["Value"] for tag in tags}
        return (found.get(PROJECT), found.get(ENVIRONMENT)) == (self.project, self.environment)

    def filters(self) -> list[dict[str, Any]]:
        """Return the tag filters of the Resource Groups Tagging API."""
        return [
            {"Key": PROJECT, "Values": [self.project]},
            {"Key": ENVIRONMENT, "Values": [self.environment]},
        ]

    def tagged_arns(self, tagging: Any) -> list[str]:
        """Return the ARN of every tagged resource in the region, as the Tagging API lists them."""
        pages = tagging.get_paginator("get_resources").paginate(TagFilters=self.filters())
        return [item["ResourceARN"] for page in pages for item in page["ResourceTagMappingList"]]


def empty_bucket(s3: Any, bucket: str) -> int:
    """Delete every version, delete marker and unfinished upload; return how many objects went.

    Raises DeployError where S3 refuses one.
    """
    gone = 0
    # A listing may end early where what its next page begins with was deleted meanwhile.
    while deleted := _delete_versions(s3, bucket):
        gone += deleted
    for page in s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket):
        for upload in page.get("Uploads", ()):
            s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
    return gone


def _delete_versions(s3: Any, bucket: str) -> int:
    """Delete the versions and markers of one listing; return how many they were."""
    gone = 0
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        found = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
        objects = [{"Key": item["Key"], "VersionId": item["VersionId"]} for item in found]
        if not objects:
            continue
        answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
        if errors := answer.get("Errors"):
            raise DeployError(
                f"{bucket} cannot be emptied: {errors[0]['Key']}: {errors[0].get('Message')}"
            )
        gone += len(objects)
    return gone


def empty_repository(ecr: Any, repository: str) -> int:
    """Delete every image of a repository, and return how many there were."""
    images = [
        image
        for page in ecr.get_paginator("list_images").paginate(repositoryName=repository)
        for image in page["imageIds"]
    ]
    for first in range(0, len(images), 100):
        ecr.batch_delete_image(repositoryName=repository, imageIds=images[first : first + 100])
    return len(images)


def empty_model_group(sagemaker: Any, group: str) -> int:
    """Delete every model package of a group, and return how many there were."""
    packages = [
        item["ModelPackageArn"]
        for page in sagemaker.get_paginator("list_model_packages").paginate(
            ModelPackageGroupName=group
        )
        for item in page["ModelPackageSummaryList"]
    ]
    for arn in packages:
        sagemaker.delete_model_package(ModelPackageName=arn)
    return len(packages)


def is_missing(error: ClientError) -> bool:
    """Return whether an error says that there is no such resource."""
    code = error.response.get("Error", {}).get("Code", "")
    message = error.response.get("Error", {}).get("Message", "").lower()
    named = any(
        word in code for word in ("NotFound", "NoSuch", "DoesNotExist", "NonExistent", "404")
    )
    return named or (
        code == "ValidationException"
        and ("could not find" in message or "does not exist" in message)
    )


# The path of the roles that deploy; terraform/bootstrap owns them, with the same tags.
DEPLOYING = "/ci/"


def remove_roles(iam: Any, owner: Owner) -> list[str]:
    """Delete the roles whose name and tags are the owner's, with their policies; return names."""
    names = [
        role["RoleName"]
        for page in iam.get_paginator("list_roles").paginate()
        for role in page["Roles"]
        if role["RoleName"].startswith(owner.prefix) and role["Path"] != DEPLOYING
    ]
    own = [name for name in names if owner.owns(iam.list_role_tags(RoleName=name)["Tags"])]
    for name in own:
        _remove(iam, name)
    return own


def _remove(iam: Any, name: str) -> None:
    for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
        iam.delete_role_policy(RoleName=name, PolicyName=policy)
    for policy in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
        iam.detach_role_policy(RoleName=name, PolicyArn=policy["PolicyArn"])
    iam.delete_role(RoleName=name)
