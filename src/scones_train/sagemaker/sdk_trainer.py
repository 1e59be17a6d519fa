"""Training jobs through the whole of SageMaker's SDK v3: `sagemaker.train.ModelTrainer`.

An extra beyond the core layer (`requirements/sagemaker-sdk.lock`), taken where
`training.client` is `modeltrainer`. The request is the same one: what ModelTrainer would fill
in by itself (an image, a bucket, a name) is all given.
"""

import os
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from scones_core.errors import SettingsError, TrainingError
from scones_train.sagemaker.sdk_core import SdkSageMaker, snake_cased

# The SDK reports every call to its maker, unless its configuration says no.
CONFIGURATION = {
    "SchemaVersion": "1.0",
    "SageMaker": {"PythonSDK": {"Modules": {"TelemetryOptOut": True}}},
}


class TrainerSageMaker(SdkSageMaker):
    """What a training job needs of SageMaker, started by ModelTrainer, followed by its job."""

    def __init__(self, session: Any, endpoint_url: str | None = None) -> None:
        """Take a boto3 session; raises SettingsError where the SDK is not installed."""
        # The role was checked by `preflight`; the SDK's own check asks for permissions that this
        # project's narrow role does not need.
        os.environ.setdefault("SAGEMAKER_VALIDATE_ROLE", "false")
        try:
            import sagemaker.train  # noqa: F401
        except ImportError as error:
            raise SettingsError(
                "training.client is 'modeltrainer', and the whole SDK is not installed: "
                "pip install --require-hashes -r requirements/sagemaker-sdk.lock"
            ) from error
        super().__init__(session, endpoint_url)

    def create_training_job(self, **request: Any) -> Mapping[str, Any]:
        """Start a job; raises TrainingError for a request that is not of the SDK's types."""
        try:
            trainer = model_trainer(self._session, request)
            trainer.train(wait=False, logs=False)
        except (ClientError, BotoCoreError):
            raise
        # The SDK checks with pydantic, whose error is a ValueError.
        except ValueError as error:
            raise TrainingError(f"The SDK refuses the training job: {error}") from error
        job = self._call(self._jobs.get, training_job_name=request["TrainingJobName"])
        return {"TrainingJobArn": job.training_job_arn}


def model_trainer(session: Any, request: Mapping[str, Any]) -> Any:
    """Return the ModelTrainer that starts the job which a CreateTrainingJob request describes."""
    from sagemaker.core.helper.session_helper import Session
    from sagemaker.core.shapes import MetricDefinition
    from sagemaker.train import ModelTrainer

    class NamedTrainer(ModelTrainer):  # type: ignore[misc]
        """Keeps the name that it is given: the job's checkpoints lie below it."""

        def _create_training_job_args(self, *args: Any, **more: Any) -> dict[str, Any]:
            made: dict[str, Any] = super()._create_training_job_args(*args, **more)
            return {**made, "training_job_name": request["TrainingJobName"]}

    trainer = NamedTrainer(
        sagemaker_session=Session(boto_session=session, sagemaker_config=CONFIGURATION),
        **trainer_arguments(request),
    )
    metrics = request["AlgorithmSpecification"].get("MetricDefinitions")
    if metrics:
        trainer.with_metric_definitions([MetricDefinition(**snake_cased(m)) for m in metrics])
    return trainer


def trainer_arguments(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return ModelTrainer's arguments, as its types, for a CreateTrainingJob request."""
    from sagemaker.core.shapes import (
        Channel,
        CheckpointConfig,
        OutputDataConfig,
        StoppingCondition,
        Tag,
    )
    from sagemaker.core.training.configs import Compute, Networking

    named = snake_cased(request)
    spot = named.get("enable_managed_spot_training", False)
    arguments = {
        "role": named["role_arn"],
        "base_job_name": named["training_job_name"],
        "training_image": named["algorithm_specification"]["training_image"],
        "training_input_mode": named["algorithm_specification"]["training_input_mode"],
        "compute": Compute(**named["resource_config"], enable_managed_spot_training=spot),
        "stopping_condition": StoppingCondition(**named["stopping_condition"]),
        "output_data_config": OutputDataConfig(**named["output_data_config"]),
        "input_data_config": [Channel(**channel) for channel in named["input_data_config"]],
        "hyperparameters": dict(named["hyper_parameters"]),
        "tags": [Tag(**tag) for tag in named["tags"]],
    }
    if vpc := named.get("vpc_config"):
        arguments["networking"] = Networking(**vpc)
    if kept := named.get("checkpoint_config"):
        arguments["checkpoint_config"] = CheckpointConfig(**kept)
    return arguments
