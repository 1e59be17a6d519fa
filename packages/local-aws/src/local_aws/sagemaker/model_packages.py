"""The model registry: what moto forgets of model packages, and deleting them.

https://docs.aws.amazon.com/sagemaker/latest/dg/model-registry.html
"""

from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.sagemaker.exceptions import AWSValidationException
from moto.sagemaker.models import SageMakerModelBackend
from moto.sagemaker.responses import SageMakerResponse

from local_aws.core.patching import add, patch
from local_aws.sagemaker.state_events import package_changed

# A ModelPackage, with the attributes that moto's lacks.
Package = Any
_DROPPED = ("SkipModelValidation", "SourceUri", "ModelLifeCycle", "ModelCard", "SecurityConfig")


@patch("moto.sagemaker.models.ModelPackage.__init__", why="a new version has no approval status")
def init_model_package(original: Any, self: Package, *args: Any, **kwargs: Any) -> None:
    """Make a record with every attribute that is set later."""
    original(self, *args, **kwargs)
    self.more = {}
    if self.model_package_version and self.model_approval_status is None:
        self.model_approval_status = "PendingManualApproval"


@patch("moto.sagemaker.models.ModelPackage.gen_response_object", why="drops fields of the request")
def gen_response_object(original: Any, self: Package) -> dict[str, Any]:
    """Return what moto's ModelPackage.gen_response_object should."""
    return {**original(self), **self.more}


@patch(
    "moto.sagemaker.models.SageMakerModelBackend.create_model_package_group",
    why="replaces a group of the same name, whose versions are counted from 1 again",
)
def create_model_package_group(original: Any, self: SageMakerModelBackend, **given: Any) -> str:
    """Make a group of a new name."""
    group = self.model_package_groups.get(given["model_package_group_name"])
    if group is not None:
        raise AWSValidationException(f"Model Package Group already exists: {group.arn}")
    arn: str = original(self, **given)
    return arn


@patch(
    "moto.sagemaker.responses.SageMakerResponse.create_model_package",
    why="drops fields of the request",
)
def create_model_package(original: Any, self: SageMakerResponse) -> ActionResult:
    """Answer CreateModelPackage.

    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateModelPackage.html
    """
    group, name, tags = map(self._get_param, ("ModelPackageGroupName", "ModelPackageName", "Tags"))
    if bool(group) == bool(name):
        raise AWSValidationException(
            "Exactly one of ModelPackageGroupName and ModelPackageName must be provided."
        )
    if group and tags:
        raise AWSValidationException(
            "Tags cannot be given with a version: it has those of its model package group."
        )
    result: ActionResult = original(self)
    arn = str(result.result["ModelPackageArn"])  # type: ignore[index]
    package: Package = self.sagemaker_backend.model_packages[arn]
    given = {name: self._get_param(name) for name in _DROPPED}
    package.more = {name: value for name, value in given.items() if value is not None}
    return result


@patch(
    "moto.sagemaker.models.SageMakerModelBackend.create_model_package",
    why="gives a deleted version's number again, knows no group by its ARN, publishes no event",
)
def record_model_package(original: Any, self: SageMakerModelBackend, **given: Any) -> str:
    """Do what moto's SageMakerModelBackend.create_model_package should."""
    name = (given["model_package_group_name"] or "").rpartition("/")[2]
    group: Any = self.model_package_groups.get(name)
    if group is None:
        arn: str = original(self, **given)
    else:
        group.versions = getattr(group, "versions", 0) + 1
        arn = _versioned(original, self, {**given, "model_package_group_name": name}, group)
    package_changed(self, arn)
    return arn


def _versioned(
    original: Any, backend: SageMakerModelBackend, given: dict[str, Any], group: Any
) -> str:
    """Make a version with the group's next number; moto counts those that are there."""
    name, packages = given["model_package_group_name"], backend.model_packages
    others = {arn: p for arn, p in packages.items() if p.model_package_group_name == name}
    for arn in others:
        del packages[arn]
    try:
        made: Package = packages.pop(original(backend, **given))
    finally:
        packages.update(others)
    made.model_package_version = group.versions
    made.arn = f"{made.arn.rpartition('/')[0]}/{group.versions}"
    statuses = {"Name": made.arn, "Status": "Completed"}
    made.model_package_status_details = {"ValidationStatuses": [statuses], "ImageScanStatuses": []}
    packages[made.arn] = made
    backend.model_package_name_mapping[made.arn] = made.arn
    return str(made.arn)


@patch(
    "moto.sagemaker.models.SageMakerModelBackend.update_model_package",
    why="removes what is not given, forgets earlier metadata, publishes no event",
)
def update_model_package(original: Any, self: SageMakerModelBackend, **given: Any) -> str:
    """Do what moto's SageMakerModelBackend.update_model_package should."""
    package: Package = self.describe_model_package(given["model_package_arn"])
    metadata = {
        **(package.customer_metadata_properties or {}),
        **(given["customer_metadata_properties"] or {}),
    }
    kept = {
        name: getattr(package, name) if given[name] is None else given[name]
        for name in ("model_approval_status", "approval_description")
    }
    arn: str = original(self, **{**given, **kept, "customer_metadata_properties": metadata})
    package_changed(self, arn)
    return arn


@add(
    "moto.sagemaker.responses.SageMakerResponse.delete_model_package_group",
    why="the operation is missing",
)
def delete_model_package_group(self: SageMakerResponse) -> ActionResult:
    """Answer DeleteModelPackageGroup."""
    backend = self.sagemaker_backend
    name = self._get_param("ModelPackageGroupName").rpartition("/")[2]
    group = backend.describe_model_package_group(name)
    members = [p for p in backend.model_packages.values() if p.model_package_group_name == name]
    if members:
        raise AWSValidationException(
            f'Model Package Group "{group.arn}" cannot be deleted while it has '
            f"{len(members)} model packages."
        )
    del backend.model_package_groups[name]
    return EmptyResult()


@add(
    "moto.sagemaker.responses.SageMakerResponse.delete_model_package",
    why="the operation is missing",
)
def delete_model_package(self: SageMakerResponse) -> ActionResult:
    """Answer DeleteModelPackage."""
    backend = self.sagemaker_backend
    package = backend.describe_model_package(self._get_param("ModelPackageName"))
    del backend.model_packages[package.arn]
    return EmptyResult()
