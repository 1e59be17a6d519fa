"""SageMaker: training jobs and endpoints."""

from scones_local.context import Context


def install(context: Context) -> None:
    """Mend moto's SageMaker so that it executes."""
