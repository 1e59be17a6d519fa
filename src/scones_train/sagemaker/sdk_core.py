"""Training jobs through SageMaker's SDK v3, its core layer: typed requests and answers.

An extra (`requirements/sagemaker.lock`): it takes the place of boto3's client where
`training.client` is `sdk`. A request is checked against the SDK's types before it is sent.
"""

import os
import re
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from scones_core.errors import SettingsError, TrainingError

# Maps from the caller's names to values, which are handed on as they are.
PLAIN = frozenset({"HyperParameters", "Environment"})
_WORD_BOUNDARY = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


class SdkSageMaker:
    """What a training job needs of SageMaker, by `sagemaker.core.resources.TrainingJob`."""

    def __init__(self, session: Any, endpoint_url: str | None = None) -> None:
        """Take a boto3 session; raises SettingsError where the SDK is not installed.

        An endpoint is set as AWS_ENDPOINT_URL of this process: the SDK makes its clients
        itself, and takes another one from there alone.
        """
        try:
            from sagemaker.core.resources import TrainingJob
        except ImportError as error:
            raise SettingsError(
                "training.client is 'sdk', and the SDK is not installed: "
                "pip install --require-hashes -r requirements/sagemaker.lock"
            ) from error
        if endpoint_url:
            os.environ["AWS_ENDPOINT_URL"] = endpoint_url
        self._jobs, self._session = TrainingJob, session

    def create_training_job(self, **request: Any) -> Mapping[str, Any]:
        """Start a job; raises TrainingError for a request that is not of the SDK's types."""
        job = self._call(self._jobs.create, **snake_cased(request))
        return {"TrainingJobArn": job.training_job_arn}

    def describe_training_job(self, *, TrainingJobName: str) -> Mapping[str, Any]:
        """Return a job's state, as DescribeTrainingJob names it."""
        job = self._call(self._jobs.get, training_job_name=TrainingJobName)
        artifacts = _given(job.model_artifacts, "s3_model_artifacts")
        metrics = _given(job, "final_metric_data_list") or []
        return {
            "TrainingJobStatus": job.training_job_status,
            "SecondaryStatus": job.secondary_status,
            "FailureReason": _given(job, "failure_reason"),
            "ModelArtifacts": {"S3ModelArtifacts": artifacts},
            "FinalMetricDataList": [
                {"MetricName": metric.metric_name, "Value": metric.value} for metric in metrics
            ],
        }

    def stop_training_job(self, *, TrainingJobName: str) -> None:
        """Ask a job to stop."""
        self._call(self._jobs.get, training_job_name=TrainingJobName).stop()

    def _call(self, method: Any, **arguments: Any) -> Any:
        try:
            return method(**arguments, session=self._session, region=self._session.region_name)
        except (ClientError, BotoCoreError):
            raise
        # The SDK checks with pydantic, whose error is a ValueError.
        except ValueError as error:
            raise TrainingError(f"The SDK refuses the training job: {error}") from error


def snake_cased(request: Any) -> Any:
    """Return an API request with the SDK's names: `VolumeSizeInGB` is `volume_size_in_gb`."""
    if isinstance(request, Mapping):
        return {
            _WORD_BOUNDARY.sub("_", name).lower(): value if name in PLAIN else snake_cased(value)
            for name, value in request.items()
        }
    if isinstance(request, list):
        return [snake_cased(item) for item in request]
    return request


def _given(holder: Any, name: str) -> Any:
    """Return an attribute; None where the service did not name it, which the SDK marks."""
    value = getattr(holder, name, None)
    return None if type(value).__name__ == "Unassigned" else value
