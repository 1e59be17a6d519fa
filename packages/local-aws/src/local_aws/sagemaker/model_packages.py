"""The model registry: what moto forgets of model packages, and deleting them.

https://docs.aws.amazon.com/sagemaker/latest/dg/model-registry.html
"""

from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.sagemaker.exceptions import AWSValidationException
from moto.sagemaker.models import ModelPackage, SageMakerModelBackend
from moto.sagemaker.responses import SageMakerResponse

from local_aws.core.patching import implement, wrap

# A ModelPackage, with the attributes that moto's lacks.
Package = Any
_DROPPED = ("SkipModelValidation", "SourceUri", "ModelLifeCycle", "ModelCard", "SecurityConfig")


def install() -> None:
    """Mend moto's model packages and their groups."""
    _mend_record()
    _mend_create()
    _mend_update()
    _add_deletions()


def _mend_record() -> None:
    @wrap(ModelPackage, "__init__", fault="a new version has no approval status")
    def init(original: Any, self: Package, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        self.more = {}
        if self.model_package_version and self.model_approval_status is None:
            self.model_approval_status = "PendingManualApproval"

    @wrap(ModelPackage, "gen_response_object", fault="drops fields of the request")
    def described(original: Any, self: Package) -> dict[str, Any]:
        return {**original(self), **self.more}


def _mend_create() -> None:
    @wrap(SageMakerResponse, "create_model_package", fault="drops fields of the request")
    def respond(original: Any, self: SageMakerResponse) -> ActionResult:
        result: ActionResult = original(self)
        arn = str(result.result["ModelPackageArn"])  # type: ignore[index]
        package: Package = self.sagemaker_backend.model_packages[arn]
        given = {name: self._get_param(name) for name in _DROPPED}
        package.more = {name: value for name, value in given.items() if value is not None}
        return result

    fault = "gives a deleted version's number again, and does not know a group by its ARN"

    @wrap(SageMakerModelBackend, "create_model_package", fault=fault)
    def create(original: Any, self: SageMakerModelBackend, **given: Any) -> str:
        name = (given["model_package_group_name"] or "").rpartition("/")[2]
        group: Any = self.model_package_groups.get(name)
        if group is None:
            arn: str = original(self, **given)
            return arn
        group.versions = getattr(group, "versions", 0) + 1
        return _versioned(original, self, {**given, "model_package_group_name": name}, group)


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


def _mend_update() -> None:
    fault = "takes away what is not given, and forgets the metadata that was there"

    @wrap(SageMakerModelBackend, "update_model_package", fault=fault)
    def update(original: Any, self: SageMakerModelBackend, **given: Any) -> str:
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
        return arn


def _add_deletions() -> None:
    fault = "the operation is missing"

    @implement(SageMakerResponse, "delete_model_package_group", fault=fault)
    def delete_group(self: SageMakerResponse) -> ActionResult:
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

    @implement(SageMakerResponse, "delete_model_package", fault=fault)
    def delete_package(self: SageMakerResponse) -> ActionResult:
        backend = self.sagemaker_backend
        package = backend.describe_model_package(self._get_param("ModelPackageName"))
        del backend.model_packages[package.arn]
        return EmptyResult()
