"""What a start on saved state does: endpoints run again, broken-off training jobs have failed."""

import logging
from typing import Any

from moto.sagemaker.models import SageMakerModelBackend, sagemaker_backends

from local_aws.errors import LocalAwsError
from local_aws.sagemaker.endpoints.deployments import Endpoints
from local_aws.sagemaker.endpoints.endpoint_records import (
    EndpointRecord,
    end_deployment,
    retained_properties,
)
from local_aws.sagemaker.jobs import processing, training_api, transform, tuning
from local_aws.sagemaker.jobs.job_lists import PROCESSING, TRAINING, TRANSFORM
from local_aws.sagemaker.jobs.runner import failed

# Why a deployment has failed that was under way when the server was stopped.
STOPPING = "The embedded AWS is stopping"
LOG = logging.getLogger(__name__)
INTERRUPTED = "InternalServerError: The embedded AWS ended while the job ran."
_RUNNING = frozenset({"InProgress", "Stopping"})


def fail_interrupted_jobs() -> None:
    """Put the jobs of every kind that were running into the state Failed."""
    kinds = (
        (TRAINING, training_api.end_job),
        (PROCESSING, processing.end_job),
        (TRANSFORM, transform.end_job),
    )
    for backend in _backends():
        for kind, end_job in kinds:
            for job in getattr(backend, f"{kind.attribute}_jobs").values():
                if kind.of(job, "job_status") in _RUNNING:
                    end_job(job, failed(INTERRUPTED))
        for job in backend.hyper_parameter_tuning_jobs.values():
            if job.hyper_parameter_tuning_job_status in _RUNNING:
                tuning.end(job, "Failed", INTERRUPTED)


def start_endpoints(endpoints: Endpoints) -> None:
    """Have every endpoint serve again what it served, with its weights and instance counts.

    Returns at once: an endpoint is Creating until its programs answer. One that was being
    updated serves its old configuration.
    """
    for backend in _backends():
        for endpoint in list(backend.endpoints.values()):
            if endpoint.endpoint_status != "Failed" or STOPPING in endpoint.failure_reason:
                _start(endpoints, backend, endpoint)


def _backends() -> list[Any]:
    return [backend for _, _, backend in sagemaker_backends.iter_backends()]


def _start(endpoints: Endpoints, backend: SageMakerModelBackend, endpoint: EndpointRecord) -> None:
    config = backend.endpoint_configs.get(endpoint.endpoint_config_name)
    try:
        if config is None:
            raise LocalAwsError(
                f"Its configuration {endpoint.endpoint_config_name} is not there any more."
            )
        endpoints.deploy(backend, endpoint, config, retained_properties(endpoint))
    except Exception as error:  # one endpoint's fault must not keep the others down
        LOG.error("The endpoint %s is not started again: %s", endpoint.endpoint_name, error)
        end_deployment(endpoint, str(error), "Failed")
