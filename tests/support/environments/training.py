"""What a training needs of an environment, made in an embedded AWS without Terraform."""

import io
import json
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from rich.console import Console as RichConsole

from local_aws.control import LocalAws
from local_aws.testing.aws import ANYTHING, Aws
from scones_core.settings import Settings
from scones_core.terraform_outputs import Deployment
from scones_toolkit.console import Console
from scones_toolkit.project import Project
from scones_toolkit.tasks.etl import etl
from tests.support.environments.environment import ACCOUNT

DATA, ARTIFACTS = "training-data", "training-artifacts"
GROUP, DEMAND_GROUP = "trained", "trained-demand"
ROLE = "training"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
ALGORITHM = "811284229777.dkr.ecr.us-east-1.amazonaws.com/image-classification:1"
AUTOGLUON = (
    "763104351884.dkr.ecr.us-east-1.amazonaws.com/autogluon-training:1.1.1-cpu-py311-ubuntu20.04"
)
# What makes a training as short as it can be.
SMALL = (
    Settings()
    .override("training", recipe="scratch", folds=0, epochs=1)
    .override("builtin", epochs=1, mini_batch_size=8, num_layers=18)
)


@dataclass(frozen=True)
class Applied(Project):
    """A project whose deployment is what Terraform's outputs would be.

    With `near`, a project of another environment in the same AWS; `quotas` is its account's.
    """

    role: str = ROLE
    near: Project | None = None
    quotas: Any = None

    def client(self, service: str) -> Any:
        if self.near is None:
            return super().client(service)
        return self.quotas if service == "service-quotas" else self.near.client(service)

    def of_account(self, quotas: Any) -> "Applied":
        """Return the same as an environment whose account has quotas, its dataset staged."""
        found = replace(self, environment="dev", near=self, quotas=quotas)
        found.records.write("dataset", self.records.read("dataset"))
        return found

    @cached_property
    def deployment(self) -> Deployment:
        named = {
            "data_bucket": DATA,
            "artifacts_bucket": ARTIFACTS,
            "model_package_group": GROUP,
            "demand_model_group": DEMAND_GROUP,
            "demand_builtin_image": AUTOGLUON,
            "training_role_arn": f"arn:aws:iam::{ACCOUNT}:role/{self.role}",
            "kms_key_arn": self.client("kms").describe_key(KeyId="alias/training")["KeyMetadata"][
                "Arn"
            ],
            "model_repository_url": f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/scones-local-model",
            "builtin_algorithm_image": ALGORITHM,
        }
        return Deployment.of({field.name: "" for field in fields(Deployment)} | named)

    @property
    def shown(self) -> str:
        """What the tasks have printed."""
        assert isinstance(self.console.rich.file, io.StringIO)
        return self.console.rich.file.getvalue()


def applied(root: Path, local: LocalAws, source: str) -> Applied:
    """Return a project in an embedded AWS with what a training needs, its dataset staged."""
    aws = Aws(local, "")
    for bucket in (DATA, ARTIFACTS):
        aws.client("s3").create_bucket(Bucket=bucket)
    key = aws.client("kms").create_key()["KeyMetadata"]["KeyId"]
    aws.client("kms").create_alias(AliasName="alias/training", TargetKeyId=key)
    for group in (GROUP, DEMAND_GROUP):
        aws.client("sagemaker").create_model_package_group(ModelPackageGroupName=group)
    ecr = aws.client("ecr")
    ecr.create_repository(repositoryName="scones-local-model")
    ecr.put_image(
        repositoryName="scones-local-model",
        imageManifest=json.dumps({"schemaVersion": 2, "mediaType": MANIFEST}),
        imageTag=f"{SMALL.training.image_tag}-training",
    )
    aws.role_with(ANYTHING, services=("sagemaker",), name=ROLE)
    console = Console(RichConsole(file=io.StringIO(), highlight=False, soft_wrap=True, width=200))
    project = Applied(root, "local", SMALL, console)
    etl(project, source)
    return project


def started(project: Project) -> tuple[list[str], list[str]]:
    """Return the names of the trainings and searches that there have been."""
    sagemaker = project.client("sagemaker")
    jobs = sagemaker.list_training_jobs(MaxResults=100)["TrainingJobSummaries"]
    listed = sagemaker.list_hyper_parameter_tuning_jobs(MaxResults=100)
    searches = listed["HyperParameterTuningJobSummaries"]
    return (
        [job["TrainingJobName"] for job in jobs],
        [search["HyperParameterTuningJobName"] for search in searches],
    )
