"""Where moto's answers about models, groups and tags differ from AWS's.

Each is one that Terraform meets: an empty object that AWS leaves out forces a replacement, a
missing operation breaks a destroy.
"""

from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.sagemaker.exceptions import AWSValidationException
from moto.sagemaker.models import Model, SageMakerModelBackend
from moto.sagemaker.responses import SageMakerResponse

from scones_local.registry import implement, wrap


def install() -> None:
    """Mend moto's SageMaker records."""
    _mend_models()
    _mend_model_package_groups()
    _mend_model_packages()
    _mend_tags()


def _mend_models() -> None:
    @wrap(Model, "response_object", fault="empty VpcConfig and PrimaryContainer are returned")
    def described(original: Any, self: Model) -> dict[str, Any]:
        return without_empty(original(self), "VpcConfig", "PrimaryContainer", "Containers")

    @wrap(SageMakerResponse, "create_model", fault="replaces a model; drops the isolation flag")
    def create(original: Any, self: SageMakerResponse) -> ActionResult:
        backend, name = self.sagemaker_backend, self._get_param("ModelName")
        if name in backend._models:
            arn = backend._models[name].arn
            raise AWSValidationException(f'Cannot create already existing model "{arn}".')
        result: ActionResult = original(self)
        isolated = bool(self._get_param("EnableNetworkIsolation"))
        backend._models[name].enable_network_isolation = isolated
        return result


def _mend_model_package_groups() -> None:
    @implement(SageMakerResponse, "delete_model_package_group", fault="the operation is missing")
    def delete_group(self: SageMakerResponse) -> ActionResult:
        backend = self.sagemaker_backend
        name = self._get_param("ModelPackageGroupName").rpartition("/")[2]
        group = backend.describe_model_package_group(name)
        members = [p for p in backend.model_packages.values() if _group_of(p) == name]
        if members:
            raise AWSValidationException(
                f'Model Package Group "{group.arn}" cannot be deleted while it has '
                f"{len(members)} model packages."
            )
        del backend.model_package_groups[name]
        return EmptyResult()

    @implement(SageMakerResponse, "delete_model_package", fault="the operation is missing")
    def delete_package(self: SageMakerResponse) -> ActionResult:
        backend = self.sagemaker_backend
        package = backend.describe_model_package(self._get_param("ModelPackageName"))
        del backend.model_packages[package.arn]
        return EmptyResult()


def _mend_model_packages() -> None:
    @wrap(
        SageMakerModelBackend,
        "update_model_package",
        fault="an update removes the state, the reason and the properties that it does not name",
    )
    def update(original: Any, self: SageMakerModelBackend, **request: Any) -> str:
        found = self.describe_model_package(request["model_package_arn"])
        given = request.get("customer_metadata_properties") or {}
        kept = {
            "model_approval_status": request.get("model_approval_status")
            or found.model_approval_status,
            "approval_description": request.get("approval_description")
            or found.approval_description,
            "customer_metadata_properties": {**(found.customer_metadata_properties or {}), **given},
        }
        arn: str = original(self, **{**request, **kept})
        return arn


def _mend_tags() -> None:
    @wrap(SageMakerModelBackend, "add_tags", fault="a tag that is set anew is there twice")
    def add(
        original: Any, self: SageMakerModelBackend, arn: str, tags: list[dict[str, str]]
    ) -> list[dict[str, str]]:
        resource, keys = self._get_resource_from_arn(arn), {tag["Key"] for tag in tags}
        if resource is not None:
            resource.tags = [tag for tag in resource.tags or () if tag["Key"] not in keys]
        added: list[dict[str, str]] = original(self, arn, tags)
        return added

    @wrap(
        SageMakerModelBackend,
        "_get_resource_from_arn",
        fault="tags of a model package, or of a resource that is gone, are a 500",
    )
    def find(original: Any, self: SageMakerModelBackend, arn: str) -> Any:
        packages = self.model_packages
        found = packages.get(arn) if ":model-package/" in arn else original(self, arn)
        if found is None:
            raise AWSValidationException(f"The resource {arn} does not exist.")
        if found.tags is None:
            found.tags = []
        return found


def without_empty(record: dict[str, Any], *names: str) -> dict[str, Any]:
    """Return the record without those of the named fields that are empty."""
    return {key: value for key, value in record.items() if value or key not in names}


def _group_of(package: Any) -> str:
    return str(package.model_package_group_name or "")
