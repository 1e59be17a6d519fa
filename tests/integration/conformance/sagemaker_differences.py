"""Where SageMaker differs: a part of `differences.py`, whose test makes these calls too."""

from typing import Any

from tests.integration.conformance.differences import Difference

_ROLE = "arn:aws:iam::123456789012:role/test"
_RESOURCES = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
_TRAINING: dict[str, Any] = {
    "TrainingJobName": "refused",
    "AlgorithmSpecification": {"TrainingImage": "toy-model", "TrainingInputMode": "File"},
    "RoleArn": _ROLE,
    "OutputDataConfig": {"S3OutputPath": "s3://bucket/x"},
    "ResourceConfig": _RESOURCES,
    "StoppingCondition": {"MaxRuntimeInSeconds": 60},
}
_TUNING: dict[str, Any] = {
    "HyperParameterTuningJobName": "refused",
    "HyperParameterTuningJobConfig": {
        "Strategy": "Hyperband",
        "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "m"},
        "ResourceLimits": {"MaxNumberOfTrainingJobs": 1, "MaxParallelTrainingJobs": 1},
        "ParameterRanges": {"CategoricalParameterRanges": [{"Name": "x", "Values": ["1"]}]},
    },
    "TrainingJobDefinition": {
        key: value for key, value in _TRAINING.items() if key != "TrainingJobName"
    },
}

SAGEMAKER_DIFFERENCES = (
    Difference(
        service="sagemaker",
        operation="create_hyper_parameter_tuning_job",
        parameters=_TUNING,
        differs="the strategy Hyperband",
        reason="Trials are whole training jobs here; Random, Grid and Bayesian run.",
        code="ValidationException",
        says="does not run the strategy Hyperband",
    ),
    Difference(
        service="sagemaker",
        operation="create_training_job",
        parameters={
            **_TRAINING,
            "ResourceConfig": {**_RESOURCES, "InstanceCount": 2},
        },
        differs="training on several instances",
        reason="A laptop has no second one, and a program that is told of two would wait for it.",
        code="ValidationException",
        says="trains on one instance",
    ),
    Difference(
        service="sagemaker",
        operation="create_training_job",
        parameters={
            **_TRAINING,
            "CheckpointConfig": {"S3Uri": "s3://bucket/x", "LocalPath": "/tmp/checkpoints"},
        },
        differs="checkpoints outside of /opt/ml",
        reason="/opt/ml is a folder of the job here; any other is the user's own.",
        code="ValidationException",
        says="must be below /opt/ml",
    ),
    Difference(
        service="sagemaker",
        operation="create_model",
        parameters={
            "ModelName": "pipeline",
            "ExecutionRoleArn": _ROLE,
            "Containers": [{"Image": "toy-a"}, {"Image": "toy-b"}],
        },
        differs="models of several containers",
        reason="One process serves an instance; the project has no inference pipeline.",
        code="ValidationException",
        says="one container a model",
    ),
    Difference(
        service="sagemaker",
        operation="create_model",
        parameters={
            "ModelName": "many",
            "ExecutionRoleArn": _ROLE,
            "PrimaryContainer": {"Image": "toy-a", "Mode": "MultiModel"},
        },
        differs="multi-model endpoints",
        reason="The project serves one model a variant.",
        code="ValidationException",
        says="no multi-model endpoints",
    ),
    Difference(
        service="sagemaker",
        operation="create_monitoring_schedule",
        parameters={
            "MonitoringScheduleName": "drift",
            "MonitoringScheduleConfig": {"MonitoringJobDefinitionName": "drift"},
        },
        differs="Model Monitor's schedules",
        reason="Its stock container reads tables; the report reads captured images.",
        code="NotImplemented",
        says="CreateMonitoringSchedule",
    ),
    Difference(
        service="sagemaker",
        operation="create_transform_job",
        parameters={
            "TransformJobName": "batch",
            "ModelName": "any",
            "TransformInput": {
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://b/x"}}
            },
            "TransformOutput": {"S3OutputPath": "s3://b/y"},
            "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
        },
        differs="batch transform",
        reason="moto would call it Completed with nothing done; asynchronous endpoints do run.",
        code="NotImplemented",
        says="runs no batch transform",
    ),
    Difference(
        service="sagemaker",
        operation="create_processing_job",
        parameters={
            "ProcessingJobName": "drift",
            "ProcessingResources": {
                "ClusterConfig": {
                    "InstanceCount": 1,
                    "InstanceType": "ml.m5.large",
                    "VolumeSizeInGB": 1,
                }
            },
            "AppSpecification": {"ImageUri": "toy-model"},
            "RoleArn": _ROLE,
        },
        differs="processing jobs",
        reason="moto would call it Completed with nothing done.",
        code="NotImplemented",
        says="runs no processing job",
    ),
    Difference(
        service="sagemaker-runtime",
        operation="invoke_endpoint_with_response_stream",
        parameters={"EndpointName": "any", "Body": b"image"},
        differs="answers that come in parts",
        reason="A classification is one short answer; use InvokeEndpoint.",
        code="NotImplemented",
        says="invocations-response-stream",
    ),
)
