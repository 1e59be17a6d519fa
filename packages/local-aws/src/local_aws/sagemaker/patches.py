"""SageMaker: training jobs and endpoints that run, on top of moto's records of them."""

import shutil

from local_aws.core.context import Context
from local_aws.sagemaker import model_api, state_events
from local_aws.sagemaker.aws_services import Platform
from local_aws.sagemaker.endpoints import api, endpoint_configs
from local_aws.sagemaker.jobs import monitoring_api, processing_jobs, training_api, transform_jobs
from local_aws.sagemaker.jobs.monitoring import Monitoring
from local_aws.sagemaker.restart import fail_interrupted_jobs
from local_aws.state.stores import on_restored


def install(context: Context) -> None:
    """Mend moto's SageMaker so that it executes."""
    for name in ("training", "processing", "transform", "endpoints"):
        # What a killed server left: the jobs and variants are gone, their folders are not.
        shutil.rmtree(context.folder(name), ignore_errors=True)
    platform = Platform(context)
    model_api.install()
    endpoint_configs.install()
    training_api.install(platform)
    processing = processing_jobs.install(platform)
    monitoring = Monitoring(platform, processing)
    monitoring_api.install(monitoring)
    transform_jobs.install(platform)
    api.install(platform)
    state_events.install()
    on_restored(fail_interrupted_jobs)
