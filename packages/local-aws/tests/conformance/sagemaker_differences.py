"""Where SageMaker differs: a part of `differences.py`, whose test makes these calls too."""

from typing import Any

from conformance.differences import Difference

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
_PROCESSING: dict[str, Any] = {
    "ProcessingJobName": "refused",
    "ProcessingResources": {"ClusterConfig": _RESOURCES},
    "AppSpecification": {"ImageUri": "toy-model"},
    "RoleArn": _ROLE,
}
_ON_ONE = {"InstanceType": "ml.m5.large", "InstanceCount": 1}
_TRANSFORM: dict[str, Any] = {
    "TransformJobName": "refused",
    "ModelName": "any",
    "TransformInput": {
        "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://b/x"}}
    },
    "TransformOutput": {"S3OutputPath": "s3://b/y"},
    "TransformResources": _ON_ONE,
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
        reason="A laptop has no second one, and a program that is given two would wait for it.",
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
        operation="create_processing_job",
        parameters={
            **_PROCESSING,
            "ProcessingResources": {"ClusterConfig": {**_RESOURCES, "InstanceCount": 2}},
        },
        differs="processing on several instances",
        reason="A laptop has no second one, and a program that is given two would wait for it.",
        code="ValidationException",
        says="processes on one instance",
    ),
    Difference(
        service="sagemaker",
        operation="create_processing_job",
        parameters={
            **_PROCESSING,
            "ProcessingInputs": [
                {
                    "InputName": "data",
                    "S3Input": {
                        "S3Uri": "s3://bucket/x",
                        "S3DataType": "S3Prefix",
                        "S3InputMode": "Pipe",
                        "LocalPath": "/opt/ml/processing/data",
                    },
                }
            ],
        },
        differs="inputs of processing jobs as pipes",
        reason="Files serve as well on one machine.",
        code="ValidationException",
        says="is a pipe",
    ),
    Difference(
        service="sagemaker",
        operation="create_processing_job",
        parameters={
            **_PROCESSING,
            "ProcessingInputs": [
                {
                    "InputName": "data",
                    "DatasetDefinition": {"LocalPath": "/opt/ml/processing/data"},
                }
            ],
        },
        differs="inputs of processing jobs from Athena and Redshift",
        reason="The embedded AWS has neither.",
        code="ValidationException",
        says="is read from no S3Input",
    ),
    Difference(
        service="sagemaker",
        operation="create_transform_job",
        parameters={**_TRANSFORM, "TransformResources": {**_ON_ONE, "InstanceCount": 2}},
        differs="batch transform on several instances",
        reason="One program answers as fast as the host can.",
        code="ValidationException",
        says="transforms on one instance",
    ),
    Difference(
        service="sagemaker",
        operation="create_transform_job",
        parameters={**_TRANSFORM, "DataProcessing": {"JoinSource": "Input"}},
        differs="records that are filtered, or joined with their answers",
        reason="An image is no record that an answer could be joined with.",
        code="ValidationException",
        says="filters and joins no records",
    ),
    Difference(
        service="sagemaker",
        operation="create_transform_job",
        parameters={
            **_TRANSFORM,
            "TransformInput": {**_TRANSFORM["TransformInput"], "SplitType": "RecordIO"},
        },
        differs="batch transform of RecordIO and TFRecord files",
        reason="The model takes one image a request; as objects or lines they are sent.",
        code="ValidationException",
        says="splits no RecordIO",
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
