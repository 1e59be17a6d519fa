"""State machines of jobs in an embedded AWS, rendered as Terraform renders them: the retraining's
and the demand forecast's."""

import json
import re
from pathlib import Path
from typing import Any

from scones_core.manifest import Manifest
from scones_core.uris import S3Uri
from scones_toolkit.project import Project
from tests.support.definitions import with_retries

DEFINITIONS = Path(__file__).resolve().parents[3] / "terraform" / "definitions"


def expression(value: Any) -> str:
    """Return a value as a JSONata expression, as the Terraform module writes it."""
    return "{% " + json.dumps(value) + " %}"


INSTANCES = {"InstanceType": "ml.m5.large", "InstanceCount": 1}


def rendered(name: str, placeholders: dict[str, str]) -> str:
    """Return a definition with its placeholders replaced; raises KeyError for one without."""

    text = (DEFINITIONS / f"{name}.asl.json").read_text(encoding="utf-8")

    def value(found: re.Match[str]) -> str:
        return json.dumps(placeholders[found[1]])[1:-1]

    filled = re.sub(r"\$\{(\w+)\}", value, text)
    return json.dumps(with_retries(json.loads(filled)))


def definition(
    project: Project,
    manifest: Manifest,
    *,
    active_model: S3Uri,
    active_threshold: float,
    hyperparameters: dict[str, str],
    quality: dict[str, float],
    topic_arn: str,
    data_bucket: str,
) -> str:
    """Return the definition for the deployment of a project."""
    deployed = project.deployment
    image = f"{deployed.model_repository_url}:{project.settings.training.image_tag}"
    return rendered(
        "retrain",
        {
            "prefix": "scones-test",
            "jobs_role_arn": deployed.training_role_arn,
            "training_image": f"{image}-training",
            "serving_image": image,
            "data_bucket": data_bucket,
            "artifacts_bucket": deployed.artifacts_bucket,
            "dataset_version": manifest.version,
            "kms_key_arn": deployed.kms_key_arn,
            "instances": expression({**INSTANCES, "VolumeSizeInGB": 30}),
            "tags": expression([{"Key": "Stack", "Value": "scones-test"}]),
            "hyperparameters": expression(hyperparameters),
            "model_group": deployed.model_package_group,
            "active_model": str(active_model),
            "active_threshold": str(active_threshold),
            "quality": json.dumps(quality),
            "bus_name": "default",
            "topic_arn": topic_arn,
        },
    )


def demand_definition(project: Project, model_name: str) -> str:
    """Return the definition of the demand forecast for the deployment of a project."""
    return rendered(
        "demand_forecast",
        {
            "prefix": "scones-test",
            "model_name": model_name,
            "data_bucket": project.deployment.data_bucket,
            "kms_key_arn": project.deployment.kms_key_arn,
            "instances": expression(INSTANCES),
            "tags": expression([{"Key": "Stack", "Value": "scones-test"}]),
            "bus_name": "default",
        },
    )
