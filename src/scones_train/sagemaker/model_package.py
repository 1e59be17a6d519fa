"""Model package: a candidate's version in SageMaker's registry, its model, figures, origin."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

PENDING, APPROVED, REJECTED = "PendingManualApproval", "Approved", "Rejected"
# Properties that are no metric.
DATASET, DATA_HASH, JOB = "dataset_version", "manifest_sha256", "training_job"
ALGORITHM, SOURCE = "algorithm", "data_source"
MAX_PROPERTIES = 50


@dataclass(frozen=True, slots=True)
class Contract:
    """What a model's container is asked for and answers with, and its environment."""

    content_types: tuple[str, ...]
    response_types: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


IMAGES = Contract(("image/png", "image/jpeg", "application/x-image"), ("application/json",))


@dataclass(frozen=True, slots=True)
class Training:
    """What a candidate comes from: `manifest_sha256` is the data's hash, `commit` the code's.

    `data_source` is the manifest source's kind (`cifar100`, `synthetic`, ...).
    """

    job: str
    image: str
    model_data_url: str
    metrics: Mapping[str, float]
    dataset_version: str
    manifest_sha256: str
    commit: str
    algorithm: str = "scones"
    data_source: str = ""


def package_request(group: str, training: Training, contract: Contract = IMAGES) -> dict[str, Any]:
    """Return the arguments of CreateModelPackage."""
    figures = {name: f"{value:.6g}" for name, value in sorted(training.metrics.items())}
    origin = {
        DATASET: training.dataset_version,
        DATA_HASH: training.manifest_sha256,
        JOB: training.job,
        ALGORITHM: training.algorithm,
        SOURCE: training.data_source,
    }
    properties = {name: text for name, text in origin.items() if text}
    room = MAX_PROPERTIES - len(properties)
    container: dict[str, Any] = {"Image": training.image, "ModelDataUrl": training.model_data_url}
    if contract.environment:
        container["Environment"] = dict(contract.environment)
    return {
        "ModelPackageGroupName": group,
        "ModelPackageDescription": f"Trained by {training.job or 'hand'}",
        "ModelApprovalStatus": PENDING,
        "InferenceSpecification": {
            "Containers": [container],
            "SupportedContentTypes": list(contract.content_types),
            "SupportedResponseMIMETypes": list(contract.response_types),
        },
        "MetadataProperties": {"CommitId": training.commit},
        "CustomerMetadataProperties": {**properties, **dict(list(figures.items())[:room])},
    }
