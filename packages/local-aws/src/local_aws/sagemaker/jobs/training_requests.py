"""A CreateTrainingJob request: what is refused of it, and moto's record made from it."""

import re
from collections.abc import Mapping
from typing import Any

from moto.sagemaker.exceptions import AWSValidationException
from moto.sagemaker.models import SageMakerModelBackend

from local_aws.sagemaker.algorithms.images import METRICS, is_builtin

# A FakeTrainingJob, with the attributes that moto's lacks.
JobRecord = Any
# The request's fields and moto's names for them.
_FIELDS = {
    "TrainingJobName": "training_job_name",
    "HyperParameters": "hyper_parameters",
    "AlgorithmSpecification": "algorithm_specification",
    "RoleArn": "role_arn",
    "InputDataConfig": "input_data_config",
    "OutputDataConfig": "output_data_config",
    "ResourceConfig": "resource_config",
    "VpcConfig": "vpc_config",
    "StoppingCondition": "stopping_condition",
    "Tags": "tags",
    "EnableNetworkIsolation": "enable_network_isolation",
    "EnableInterContainerTrafficEncryption": "enable_inter_container_traffic_encryption",
    "EnableManagedSpotTraining": "enable_managed_spot_training",
    "CheckpointConfig": "checkpoint_config",
    "DebugHookConfig": "debug_hook_config",
    "DebugRuleConfigurations": "debug_rule_configurations",
    "TensorBoardOutputConfig": "tensor_board_output_config",
    "ExperimentConfig": "experiment_config",
}


def create_training_job(backend: SageMakerModelBackend, request: Mapping[str, Any]) -> JobRecord:
    """Return the record of a new job; raises AWSValidationException for one that cannot be."""
    check_request(request)
    arguments: dict[str, Any] = {argument: request.get(key) for key, argument in _FIELDS.items()}
    job: JobRecord = backend.create_training_job(**arguments)
    return job


def metric_definitions(algorithm: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the metrics of an `AlgorithmSpecification`; AWS's own algorithms bring theirs."""
    given: list[dict[str, str]] = algorithm.get("MetricDefinitions") or []
    if is_builtin(str(algorithm.get("TrainingImage"))):
        return [{"Name": name, "Regex": regex} for name, regex in METRICS.items()]
    return given


def check_request(request: Mapping[str, Any]) -> None:
    """Raise AWSValidationException for what AWS refuses, and for what is not done here."""
    _check_metrics(request.get("AlgorithmSpecification") or {})
    _check_spot(request)
    resources = request.get("ResourceConfig") or {}
    groups = resources.get("InstanceGroups") or []
    if int(resources.get("InstanceCount") or 1) > 1 or groups:
        raise AWSValidationException(
            "The embedded AWS trains on one instance: ResourceConfig's InstanceCount must be 1, "
            "without InstanceGroups."
        )


def _check_metrics(algorithm: Mapping[str, Any]) -> None:
    for definition in algorithm.get("MetricDefinitions") or ():
        try:
            re.compile(definition["Regex"])
        except re.error as error:
            raise AWSValidationException(
                f"The metric {definition['Name']} has an invalid regular expression: {error}."
            ) from error


def _check_spot(request: Mapping[str, Any]) -> None:
    """Check the times of a spot job.

    https://docs.aws.amazon.com/sagemaker/latest/dg/model-managed-spot-training.html
    """
    condition = request.get("StoppingCondition") or {}
    wait = condition.get("MaxWaitTimeInSeconds")
    if not request.get("EnableManagedSpotTraining"):
        if wait is not None:
            raise AWSValidationException(
                "Invalid MaxWaitTimeInSeconds. It is supported only when "
                "EnableManagedSpotTraining is true"
            )
        return
    runtime = condition.get("MaxRuntimeInSeconds", 86_400)
    if wait is None or wait < runtime:
        raise AWSValidationException(
            "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to "
            "MaxRuntimeInSeconds when EnableManagedSpotTraining is true"
        )
