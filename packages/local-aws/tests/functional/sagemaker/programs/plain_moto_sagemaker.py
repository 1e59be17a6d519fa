"""Prints which of SageMaker's faults the installed moto still has, as a JSON object."""

import json
import os
import sys
from typing import Any

import boto3
from botocore.exceptions import ClientError
from moto import mock_aws

os.environ.update(
    AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test", AWS_DEFAULT_REGION="us-east-1"
)
ROLE = "arn:aws:iam::123456789012:role/sagemaker"
VARIANT = {
    "VariantName": "AllTraffic",
    "ModelName": "m",
    "InitialInstanceCount": 1,
    "InstanceType": "ml.m5.large",
}


def refused(call: Any, **arguments: Any) -> bool:
    try:
        call(**arguments)
    except ClientError:
        return True
    return False


def fails(call: Any, **arguments: Any) -> bool:
    try:
        call(**arguments)
    except Exception:
        return True
    return False


def register(sagemaker: Any) -> dict[str, bool]:
    """Make two versions, delete and change one, and return what is wrong with them."""
    sagemaker.create_model_package_group(ModelPackageGroupName="g")
    first = sagemaker.create_model_package(
        ModelPackageGroupName="g", CustomerMetadataProperties={"a": "1"}, SkipModelValidation="All"
    )["ModelPackageArn"]
    made = sagemaker.describe_model_package(ModelPackageName=first)
    sagemaker.update_model_package(
        ModelPackageArn=first,
        ModelApprovalStatus="Approved",
        CustomerMetadataProperties={"b": "2"},
    )
    changed = sagemaker.describe_model_package(ModelPackageName=first)
    group = sagemaker.describe_model_package_group(ModelPackageGroupName="g")
    return {
        "ModelPackage.__init__": "ModelApprovalStatus" not in made,
        "ModelPackage.gen_response_object": "SkipModelValidation" not in made,
        "SageMakerModelBackend.update_model_package": changed["CustomerMetadataProperties"]
        == {"b": "2"},
        "SageMakerModelBackend.create_model_package": fails(
            sagemaker.create_model_package, ModelPackageGroupName=group["ModelPackageGroupArn"]
        ),
    }


def tune(sagemaker: Any) -> dict[str, bool]:
    sagemaker.create_hyper_parameter_tuning_job(
        HyperParameterTuningJobName="h",
        HyperParameterTuningJobConfig={
            "Strategy": "Random",
            "ResourceLimits": {"MaxNumberOfTrainingJobs": 1, "MaxParallelTrainingJobs": 1},
        },
    )
    tuned = sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName="h")
    processing = sagemaker.create_processing_job(
        ProcessingJobName="p",
        ProcessingResources={
            "ClusterConfig": {
                "InstanceCount": 1,
                "InstanceType": "ml.m5.large",
                "VolumeSizeInGB": 1,
            }
        },
        AppSpecification={"ImageUri": "i"},
        RoleArn=ROLE,
    )
    listed = sagemaker.list_training_jobs(SortBy="Name", SortOrder="Descending")
    names = [job["TrainingJobName"] for job in listed["TrainingJobSummaries"]]
    return {
        "HyperParameterTuningJob.__init__": tuned["HyperParameterTuningJobStatus"] == "Completed",
        "HyperParameterTuningJob.describe": tuned.get("FailureReason") == "",
        "SageMakerResponse.create_processing_job": "ProcessingJobArn" in processing
        and "ProcessingResources" not in sagemaker.describe_processing_job(ProcessingJobName="p"),
        "FakeProcessingJob.__init__": sagemaker.describe_processing_job(ProcessingJobName="p")[
            "ProcessingJobStatus"
        ]
        == "Completed",
        "SageMakerModelBackend.list_training_jobs": names == sorted(names),
    }


def transform(sagemaker: Any) -> dict[str, bool]:
    data = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://b/x"}}
    sagemaker.create_transform_job(
        TransformJobName="t",
        ModelName="m",
        TransformInput={"DataSource": data},
        TransformOutput={"S3OutputPath": "s3://b/y"},
        TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
    )
    job = sagemaker.describe_transform_job(TransformJobName="t")
    return {
        "FakeTransformJob.__init__": job["TransformJobStatus"] == "Completed",
    }


def train(sagemaker: Any, name: str = "j") -> dict[str, Any]:
    sagemaker.create_training_job(
        TrainingJobName=name,
        AlgorithmSpecification={"TrainingImage": "i", "TrainingInputMode": "File"},
        RoleArn=ROLE,
        OutputDataConfig={"S3OutputPath": "s3://bucket/model"},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        StoppingCondition={"MaxRuntimeInSeconds": 60},
        Environment={"A": "1"},
    )
    job: dict[str, Any] = sagemaker.describe_training_job(TrainingJobName=name)
    return job


@mock_aws
def main() -> None:
    sagemaker: Any = boto3.client("sagemaker")
    runtime = boto3.client("sagemaker-runtime")
    model = {"ExecutionRoleArn": ROLE, "PrimaryContainer": {"Image": "i"}}
    sagemaker.create_model(ModelName="m", EnableNetworkIsolation=True, **model)
    described = sagemaker.describe_model(ModelName="m")
    shadow = [{**VARIANT, "VariantName": "shadow"}]
    config = {
        "EndpointConfigName": "c",
        "ProductionVariants": [VARIANT],
        "ShadowProductionVariants": shadow,
    }
    arn = sagemaker.create_endpoint_config(**config)["EndpointConfigArn"]
    sagemaker.create_endpoint(EndpointName="e", EndpointConfigName="c")
    job, tag = train(sagemaker), {"Key": "k", "Value": "v"}
    sagemaker.add_tags(ResourceArn=arn, Tags=[tag])
    sagemaker.add_tags(ResourceArn=arn, Tags=[{**tag, "Value": "newer"}])
    tags = sagemaker.list_tags(ResourceArn=arn)["Tags"]
    endpoint = sagemaker.describe_endpoint(EndpointName="e")
    answer = runtime.invoke_endpoint(EndpointName="e", Body=b"x")["Body"].read()
    sagemaker.update_endpoint_weights_and_capacities(
        EndpointName="e",
        DesiredWeightsAndCapacities=[{"VariantName": "AllTraffic", "DesiredWeight": 1}],
    )
    variant = sagemaker.describe_endpoint(EndpointName="e")["ProductionVariants"][0]
    faults = {
        "Model.response_object": described.get("VpcConfig") == {},
        "SageMakerResponse.create_model": described["EnableNetworkIsolation"] is False
        and not refused(sagemaker.create_model, ModelName="m", **model),
        "SageMakerResponse.describe_endpoint_config": sagemaker.describe_endpoint_config(
            EndpointConfigName="c"
        ).get("DataCaptureConfig", None)
        is not None,
        "SageMakerResponse.create_endpoint_config": not refused(
            sagemaker.create_endpoint_config, **config
        ),
        "SageMakerModelBackend.add_tags": len(tags) == 2,
        "SageMakerModelBackend._get_resource_from_arn": fails(
            sagemaker.list_tags, ResourceArn=arn.replace("endpoint-config/c", "model/none")
        ),
        "FakeTrainingJob.__init__": job["TrainingJobStatus"] == "Completed",
        "SageMakerResponse.create_training_job": "Environment" not in job,
        "FakeEndpoint.__init__": endpoint["EndpointStatus"] == "InService",
        "SageMakerRuntimeResponse.invoke_endpoint": answer == b"body",
        "SageMakerRuntimeResponse.use_raw_body": fails(
            runtime.invoke_endpoint, EndpointName="e", Body=b"\x89PNG\xff"
        ),
        "SageMakerModelBackend.update_endpoint_weights_and_capacities": variant.get(
            "DesiredInstanceCount"
        )
        is None,
    }
    newer = {**VARIANT, "InstanceType": "ml.c7i.large"}
    faults["FakeEndpointConfig.validate_instance_type"] = refused(
        sagemaker.create_endpoint_config, EndpointConfigName="n", ProductionVariants=[newer]
    )
    described = sagemaker.describe_endpoint_config(EndpointConfigName="c")
    faults["FakeEndpointConfig.__init__"] = "ShadowProductionVariants" not in described
    queued = runtime.invoke_endpoint_async(EndpointName="e", InputLocation="s3://b/none")
    faults["SageMakerRuntimeResponse.invoke_endpoint_async"] = "OutputLocation" in queued
    train(sagemaker, "k")
    found = {**faults, **register(sagemaker), **tune(sagemaker), **transform(sagemaker)}
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
