"""The retraining's state machine in an embedded AWS, rendered as Terraform renders it."""

import json
import re
from pathlib import Path
from typing import Any

from scones_core.manifest import Manifest
from scones_core.uris import S3Uri
from scones_toolkit.project import Project

DEFINITION = Path(__file__).resolve().parents[2] / "terraform" / "definitions" / "retrain.asl.json"


def expression(value: Any) -> str:
    """Return a value as a JSONata expression, as the Terraform module writes it."""
    return "{% " + json.dumps(value) + " %}"


def rendered(placeholders: dict[str, str]) -> str:
    """Return the definition with its placeholders replaced; raises KeyError for one without."""

    def value(found: re.Match[str]) -> str:
        return json.dumps(placeholders[found[1]])[1:-1]

    return re.sub(r"\$\{(\w+)\}", value, DEFINITION.read_text(encoding="utf-8"))


def definition(
    project: Project,
    manifest: Manifest,
    *,
    active_model: S3Uri,
    active_threshold: float,
    hyperparameters: dict[str, str],
    quality: dict[str, float],
    topic_arn: str,
) -> str:
    """Return the definition for the deployment of a project."""
    deployed = project.deployment
    image = f"{deployed.model_repository_url}:{project.settings.training.image_tag}"
    return rendered(
        {
            "prefix": "scones-test",
            "jobs_role_arn": deployed.training_role_arn,
            "training_image": f"{image}-training",
            "serving_image": image,
            "data_bucket": deployed.data_bucket,
            "artifacts_bucket": deployed.artifacts_bucket,
            "dataset_version": manifest.version,
            "kms_key_arn": deployed.kms_key_arn,
            "instance_type": "ml.m5.large",
            "tags": expression([{"Key": "Stack", "Value": "scones-test"}]),
            "hyperparameters": expression(hyperparameters),
            "model_group": deployed.model_package_group,
            "active_model": str(active_model),
            "active_threshold": str(active_threshold),
            "quality": json.dumps(quality),
            "bus_name": "default",
            "topic_arn": topic_arn,
        }
    )
