"""Where moto's answers about models and tags differ from AWS's.

Each is one that Terraform meets: an empty object that AWS leaves out forces a replacement, a
missing operation breaks a destroy.
"""

from typing import Any

from moto.core.responses import ActionResult
from moto.sagemaker.exceptions import AWSValidationException
from moto.sagemaker.models import FakeDataQualityJobDefinition, Model, SageMakerModelBackend
from moto.sagemaker.responses import SageMakerResponse

from local_aws.core.patching import wrap
from local_aws.sagemaker import model_packages, unsupported_jobs
from local_aws.sagemaker.model_containers import check_containers


def install() -> None:
    """Mend moto's SageMaker records."""
    _mend_models()
    _mend_tags()
    _mend_job_definitions()
    model_packages.install()
    unsupported_jobs.install()


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
        check_containers(
            backend, self._get_param("PrimaryContainer"), self._get_param("Containers")
        )
        result: ActionResult = original(self)
        isolated = bool(self._get_param("EnableNetworkIsolation"))
        backend._models[name].enable_network_isolation = isolated
        return result


def _mend_job_definitions() -> None:
    fault = "empty objects are returned, which Terraform takes for settings"

    @wrap(FakeDataQualityJobDefinition, "response_object", fault=fault)
    def described(original: Any, self: FakeDataQualityJobDefinition) -> dict[str, Any]:
        found = {name: value for name, value in original(self).items() if value != {}}
        found.pop("Tags", None)
        return found


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
