"""SageMaker's own events on the default bus: what became of jobs, endpoints and packages.

https://docs.aws.amazon.com/sagemaker/latest/dg/automating-sagemaker-with-eventbridge.html
"""

import re
from typing import Any

from moto.sagemaker.models import SageMakerModelBackend

from local_aws.core.service_events import tell

_SOURCE = "aws.sagemaker"
_PROCESSING = (
    "AppSpecification",
    "Environment",
    "NetworkConfig",
    "RoleArn",
    "StoppingCondition",
    "ProcessingInputs",
    "ProcessingOutputConfig",
    "ProcessingResources",
    "ExitMessage",
)
_TRANSFORM = (
    "ModelName",
    "MaxConcurrentTransforms",
    "MaxPayloadInMB",
    "BatchStrategy",
    "Environment",
    "TransformInput",
    "TransformOutput",
    "TransformResources",
    "DataProcessing",
)


def job_changed(job: Any) -> None:
    """Publish that a training job is in another status."""
    detail = {
        "TrainingJobName": job.training_job_name,
        "TrainingJobArn": job.arn,
        "TrainingJobStatus": job.training_job_status,
        "SecondaryStatus": job.secondary_status,
        "SecondaryStatusTransitions": job.secondary_status_transitions,
        "FailureReason": getattr(job, "failure_reason", None),
        "ModelArtifacts": job.model_artifacts,
        "OutputDataConfig": job.output_data_config,
        "HyperParameters": job.hyper_parameters,
        "RoleArn": job.role_arn,
        "CreationTime": job.creation_time,
        "LastModifiedTime": job.last_modified_time,
    }
    _publish("SageMaker Training Job State Change", job.arn, detail)


def processing_job_changed(job: Any) -> None:
    """Publish that a processing job is in another status."""
    _job(job, "Processing", _PROCESSING)


def transform_job_changed(job: Any) -> None:
    """Publish that a batch transform is in another status."""
    _job(job, "Transform", _TRANSFORM)


def _job(job: Any, kind: str, fields: tuple[str, ...]) -> None:
    """Publish a job's event: what Describe answers, as far as its event has it."""
    answer = job.response_object
    own = (f"{kind}Job{part}" for part in ("Name", "Arn", "Status"))
    times = (f"{kind}StartTime", f"{kind}EndTime", "CreationTime", "LastModifiedTime")
    detail = {field: answer.get(field) for field in (*own, *fields, *times, "FailureReason")}
    _publish(f"SageMaker {kind} Job State Change", job.arn, detail)


def endpoint_changed(endpoint: Any) -> None:
    """Publish that an endpoint is in another status, which the event writes in capitals."""
    status = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", endpoint.endpoint_status).upper()
    detail = {
        "EndpointName": endpoint.endpoint_name,
        "EndpointArn": endpoint.arn,
        "EndpointConfigName": endpoint.endpoint_config_name,
        "ProductionVariants": endpoint.production_variants,
        "EndpointStatus": status,
        "FailureReason": endpoint.failure_reason,
        "CreationTime": endpoint.creation_time,
        "LastModifiedTime": endpoint.last_modified_time,
    }
    _publish("SageMaker Endpoint State Change", endpoint.arn, detail)


def package_changed(backend: SageMakerModelBackend, arn: str) -> None:
    """Publish that a model package was made, or approved or rejected."""
    name = backend.model_package_name_mapping.get(arn, arn)
    package: Any = backend.model_packages.get(name)
    if package is None:
        return
    detail = {
        "ModelPackageName": package.model_package_name,
        "ModelPackageGroupName": package.model_package_group_name,
        "ModelPackageVersion": package.model_package_version,
        "ModelPackageArn": arn,
        "ModelPackageDescription": package.model_package_description,
        "ModelPackageStatus": package.model_package_status,
        "ModelApprovalStatus": package.model_approval_status,
        "CustomerMetadataProperties": package.customer_metadata_properties,
        "CreationTime": package.creation_time,
    }
    _publish("SageMaker Model Package State Change", arn, detail)


def _publish(detail_type: str, arn: str, detail: dict[str, Any]) -> None:
    present = {name: value for name, value in detail.items() if value is not None}
    tell(_SOURCE, detail_type, present, [arn], arn.split(":")[3])
