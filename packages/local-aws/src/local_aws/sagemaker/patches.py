"""SageMaker's patches: importing this module declares all of them."""

import shutil

from local_aws.core.context import Context
from local_aws.sagemaker import aws_services, model_packages, models
from local_aws.sagemaker.endpoints import api, endpoint_configs
from local_aws.sagemaker.jobs import processing, training_api, transform, tuning
from local_aws.sagemaker.restart import fail_interrupted_jobs
from local_aws.state.stores import on_restored

# Each declares its patches.
PATCHED = (models, model_packages, processing, training_api, transform, tuning)


def install(context: Context) -> None:
    """Have SageMaker's jobs and endpoints run in this embedded AWS."""
    for name in ("training", "processing", "transform", "endpoints"):
        # What a killed server left: the jobs and variants are gone, their folders are not.
        shutil.rmtree(context.folder(name), ignore_errors=True)
    services = aws_services.AwsServices(context)
    aws_services.use(services)
    endpoint_configs.install()
    api.install(services)
    on_restored(fail_interrupted_jobs)
