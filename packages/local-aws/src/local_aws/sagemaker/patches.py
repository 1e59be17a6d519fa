"""SageMaker's patches: importing this module declares all of them."""

import shutil
from typing import Any

from moto.sagemaker.models import sagemaker_backends

from local_aws.core.context import Context
from local_aws.core.stores import on_restored
from local_aws.sagemaker import aws_services, model_packages, models
from local_aws.sagemaker.endpoints import api, configurations
from local_aws.sagemaker.jobs import processing, training_api, transform, tuning
from local_aws.sagemaker.jobs.job_lists import PROCESSING, TRAINING, TRANSFORM
from local_aws.sagemaker.jobs.runner import failed

# Each declares its patches.
PATCHED = (api, configurations, models, model_packages, processing, training_api, transform, tuning)

INTERRUPTED = "InternalServerError: The embedded AWS ended while the job ran."
_RUNNING = frozenset({"InProgress", "Stopping"})


def install(context: Context) -> None:
    """Have SageMaker's jobs and endpoints run in this embedded AWS."""
    for name in ("training", "processing", "transform", "endpoints"):
        # What a killed server left: the jobs and variants are gone, their folders are not.
        shutil.rmtree(context.folder(name), ignore_errors=True)
    services = aws_services.AwsServices(context)
    aws_services.use(services)
    api.start(services)
    on_restored(fail_interrupted_jobs)


def fail_interrupted_jobs() -> None:
    """Put the jobs of every kind that were running into the state Failed."""
    kinds = (
        (TRAINING, training_api.end_job),
        (PROCESSING, processing.end_job),
        (TRANSFORM, transform.end_job),
    )
    backends: list[Any] = [found for _, _, found in sagemaker_backends.iter_backends()]
    for backend in backends:
        for kind, end_job in kinds:
            for job in getattr(backend, f"{kind.attribute}_jobs").values():
                if kind.of(job, "job_status") in _RUNNING:
                    end_job(job, failed(INTERRUPTED))
        for job in backend.hyper_parameter_tuning_jobs.values():
            if job.hyper_parameter_tuning_job_status in _RUNNING:
                tuning.end(job, "Failed", INTERRUPTED)
