"""Serverless and asynchronous endpoints."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.testing.aws import unique
from local_aws.testing.hosting import IMAGE, PULL, Hosting, variant


def serverless(model: str, **more: Any) -> dict[str, Any]:
    config = {"MemorySizeInMB": 2048, "MaxConcurrency": 1, **more}
    return {"VariantName": "AllTraffic", "ModelName": model, "ServerlessConfig": config}


def test_a_serverless_endpoint_serves_and_throttles_past_its_concurrency(hosting: Hosting) -> None:
    """https://docs.aws.amazon.com/sagemaker/latest/dg/serverless-endpoints.html#serverless-endpoints-how-it-works-concurrency."""
    endpoint = hosting.endpoint(hosting.configuration(serverless(hosting.model("small"))))
    summary = hosting.settled(endpoint)["ProductionVariants"][0]
    assert summary["CurrentServerlessConfig"] == {"MemorySizeInMB": 2048, "MaxConcurrency": 1}
    assert "CurrentInstanceCount" not in summary

    def asked(_: int) -> str:
        try:
            return hosting.invoke(endpoint, b"sleep 2").decode()
        except ClientError as error:
            return error.response["Error"]["Code"]

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(asked, range(2))) == ["ThrottlingException", "small"]
    assert hosting.invoke(endpoint) == b"small"


def test_a_serverless_request_has_four_megabytes_at_most(hosting: Hosting) -> None:
    """https://docs.aws.amazon.com/sagemaker/latest/dg/serverless-endpoints-invoke.html."""
    endpoint = hosting.endpoint(hosting.configuration(serverless(hosting.model())))
    assert hosting.invoke(endpoint, b"x" * 4_194_304)
    with pytest.raises(ClientError, match="less than or equal to 4194304"):
        hosting.invoke(endpoint, b"x" * 4_194_305)


def test_what_serverless_endpoints_exclude_is_refused(hosting: Hosting) -> None:
    """.../dg/serverless-endpoints.html#serverless-endpoints-how-it-works-exclusions."""
    model, capture = (
        hosting.model(),
        {
            "EnableCapture": True,
            "InitialSamplingPercentage": 100,
            "DestinationS3Uri": f"s3://{hosting.bucket}/x",
            "CaptureOptions": [{"CaptureMode": "Input"}],
        },
    )
    with pytest.raises(ClientError, match="Data capture is not supported for serverless"):
        hosting.configuration(serverless(model), DataCaptureConfig=capture)
    with pytest.raises(ClientError, match="single production variant"):
        hosting.configuration(serverless(model), {**serverless(model), "VariantName": "b"})
    with pytest.raises(ClientError, match="ProvisionedConcurrency"):
        hosting.configuration(serverless(model, ProvisionedConcurrency=2))
    with pytest.raises(ClientError, match="InstanceType cannot be given"):
        hosting.configuration({**serverless(model), "InstanceType": "ml.m5.large"})
    isolated = unique("isolated")
    hosting.sagemaker.create_model(
        ModelName=isolated,
        ExecutionRoleArn=hosting.role,
        PrimaryContainer={"Image": IMAGE},
        EnableNetworkIsolation=True,
    )
    with pytest.raises(ClientError, match="Network isolation"):
        hosting.configuration(serverless(isolated))


@pytest.fixture(scope="module")
def notifications(hosting: Hosting) -> dict[str, str]:
    """Return an SNS topic's ARN and the URL of the queue that gets its messages."""
    topic, url = hosting.aws.topic()
    return {"topic": topic, "queue": url}


@pytest.fixture(scope="module")
def queued(hosting: Hosting, notifications: dict[str, str]) -> str:
    """Return the name of an asynchronous endpoint."""
    output = {
        "S3OutputPath": f"s3://{hosting.bucket}/answers",
        "S3FailurePath": f"s3://{hosting.bucket}/failures",
        "NotificationConfig": {
            "SuccessTopic": notifications["topic"],
            "ErrorTopic": notifications["topic"],
        },
    }
    configuration = hosting.configuration(
        variant(hosting.model("later")), AsyncInferenceConfig={"OutputConfig": output}
    )
    return hosting.endpoint(configuration)


def message(hosting: Hosting, notifications: dict[str, str]) -> dict[str, Any]:
    sqs = hosting.aws.client("sqs")

    def received() -> dict[str, Any] | None:
        for found in sqs.receive_message(QueueUrl=notifications["queue"]).get("Messages", []):
            sqs.delete_message(
                QueueUrl=notifications["queue"], ReceiptHandle=found["ReceiptHandle"]
            )
            content: dict[str, Any] = json.loads(json.loads(found["Body"])["Message"])
            return content
        return None

    return hosting.aws.eventually(received)


def key(location: str) -> str:
    return location.split("/", 3)[3]


def test_an_answer_is_written_and_published(
    hosting: Hosting, queued: str, notifications: dict[str, str]
) -> None:
    """.../dg/async-inference-check-predictions.html; botocore: InvokeEndpointAsync."""
    source = hosting.put("inputs/a.png", b"image")
    answer = hosting.runtime.invoke_endpoint_async(
        EndpointName=queued, InputLocation=source, ContentType="image/png", InferenceId="id-1"
    )
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert answer["InferenceId"] == "id-1"
    assert answer["FailureLocation"].startswith(f"s3://{hosting.bucket}/failures/")

    output = key(answer["OutputLocation"])
    assert hosting.aws.eventually(lambda: hosting.objects(output).get(output)) == b"later"
    content = message(hosting, notifications)
    assert (content["invocationStatus"], content["inferenceId"]) == ("Completed", "id-1")
    assert content["responseParameters"]["outputLocation"] == answer["OutputLocation"]
    assert content["requestParameters"] == {
        "endpointName": queued,
        "inputLocation": source,
        "contentType": "image/png",
    }


def test_a_refusal_is_written_and_published(
    hosting: Hosting, queued: str, notifications: dict[str, str]
) -> None:
    """botocore: AsyncInferenceOutputConfig.S3FailurePath; the payload may be in the request."""
    answer = hosting.runtime.invoke_endpoint_async(EndpointName=queued, Body=b"status 400")

    failure = key(answer["FailureLocation"])
    reason = hosting.aws.eventually(lambda: hosting.objects(failure).get(failure))
    assert b"Received client error (400) from primary" in reason
    assert hosting.objects(key(answer["OutputLocation"])) == {}
    content = message(hosting, notifications)
    assert content["invocationStatus"] == "Failed"
    assert "client error (400)" in content["failureReason"]


def test_an_input_that_is_not_there_is_a_failure(
    hosting: Hosting, queued: str, notifications: dict[str, str]
) -> None:
    """https://docs.aws.amazon.com/sagemaker/latest/dg/async-inference-check-predictions.html."""
    answer = hosting.runtime.invoke_endpoint_async(
        EndpointName=queued, InputLocation=f"s3://{hosting.bucket}/none"
    )
    failure = key(answer["FailureLocation"])
    assert b"NoSuchKey" in hosting.aws.eventually(lambda: hosting.objects(failure).get(failure))
    assert message(hosting, notifications)["invocationStatus"] == "Failed"


def test_a_queue_waits_for_capacity_that_was_taken_away(hosting: Hosting, queued: str) -> None:
    """.../dg/async-inference-autoscale.html: an asynchronous endpoint scales in to zero."""

    def scaled(count: int) -> None:
        wish = {"VariantName": "AllTraffic", "DesiredInstanceCount": count}
        hosting.sagemaker.update_endpoint_weights_and_capacities(
            EndpointName=queued, DesiredWeightsAndCapacities=[wish]
        )
        summary = hosting.settled(queued)["ProductionVariants"][0]
        assert summary["CurrentInstanceCount"] == count

    def backlog() -> bool | None:
        metrics = hosting.aws.client("cloudwatch").list_metrics(Namespace="AWS/SageMaker")
        names = [m["MetricName"] for m in metrics["Metrics"]]
        return "HasBacklogWithoutCapacity" in names or None

    scaled(0)
    answer = hosting.runtime.invoke_endpoint_async(EndpointName=queued, Body=b"image")
    assert hosting.aws.eventually(backlog)
    output = key(answer["OutputLocation"])
    assert hosting.objects(output) == {}
    scaled(1)
    assert hosting.aws.eventually(lambda: hosting.objects(output).get(output)) == b"later"


def test_each_kind_of_endpoint_takes_its_own_invocation(hosting: Hosting, queued: str) -> None:
    """botocore: InvokeEndpoint and InvokeEndpointAsync answer ValidationError."""
    with pytest.raises(ClientError, match="use InvokeEndpointAsync"):
        hosting.invoke(queued)
    endpoint = hosting.endpoint(hosting.configuration(variant(hosting.model())))
    with pytest.raises(ClientError, match="does not support asynchronous inference"):
        hosting.runtime.invoke_endpoint_async(EndpointName=endpoint, Body=b"image")
    with pytest.raises(ClientError, match="Exactly one of InputLocation and Body"):
        hosting.runtime.invoke_endpoint_async(
            EndpointName=queued, Body=b"image", InputLocation="s3://a/b"
        )
    assert hosting.settled(queued)["AsyncInferenceConfig"]["OutputConfig"]["S3OutputPath"]


def test_an_answer_that_the_role_may_not_write_is_a_failure(hosting: Hosting) -> None:
    """.../dg/async-inference-create-endpoint-prerequisites.html: what the role needs."""
    bucket = f"arn:aws:s3:::{hosting.bucket}"
    role = hosting.aws.role_with(
        PULL,
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"{bucket}/*"},
        {"Effect": "Allow", "Action": "s3:PutObject", "Resource": f"{bucket}/failures/*"},
    )
    output = {
        "S3OutputPath": f"s3://{hosting.bucket}/answers",
        "S3FailurePath": f"s3://{hosting.bucket}/failures",
    }
    endpoint = hosting.endpoint(
        hosting.configuration(
            variant(hosting.model(role=role)), AsyncInferenceConfig={"OutputConfig": output}
        )
    )
    answer = hosting.runtime.invoke_endpoint_async(EndpointName=endpoint, Body=b"image")
    failure = key(answer["FailureLocation"])
    reason = hosting.aws.eventually(lambda: hosting.objects(failure).get(failure))
    assert b"not authorized to perform: s3:PutObject" in reason
    assert hosting.objects(key(answer["OutputLocation"])) == {}
