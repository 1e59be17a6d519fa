"""SageMaker: training jobs and endpoints that run, on top of moto's records of them."""

from scones_local import sagemaker_endpoints, sagemaker_gaps, sagemaker_training
from scones_local.context import Context
from scones_local.sagemaker_platform import Platform


def install(context: Context) -> None:
    """Mend moto's SageMaker so that it executes."""
    platform = Platform(context)
    sagemaker_gaps.install()
    sagemaker_training.install(platform)
    sagemaker_endpoints.install(platform)
