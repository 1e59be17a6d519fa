"""SageMaker: training jobs and endpoints that run, on top of moto's records of them."""

import shutil

from scones_local.context import Context
from scones_local.sagemaker import (
    endpoint_configs,
    endpoints_api,
    gaps,
    monitoring_api,
    processing_jobs,
    state_events,
    training_api,
    transform_jobs,
)
from scones_local.sagemaker.monitoring import Monitoring
from scones_local.sagemaker.platform import Platform
from scones_local.sagemaker.restart import fail_interrupted_jobs
from scones_local.stores import on_restored


def install(context: Context) -> None:
    """Mend moto's SageMaker so that it executes."""
    for name in ("training", "processing", "transform", "endpoints"):
        # What a killed server left: the jobs and variants are gone, their folders are not.
        shutil.rmtree(context.folder(name), ignore_errors=True)
    platform = Platform(context)
    gaps.install()
    endpoint_configs.install()
    training_api.install(platform)
    processing = processing_jobs.install(platform)
    monitoring = Monitoring(platform, processing)
    monitoring_api.install(monitoring)
    transform_jobs.install(platform)
    endpoints_api.install(platform)
    state_events.install()
    on_restored(fail_interrupted_jobs)
