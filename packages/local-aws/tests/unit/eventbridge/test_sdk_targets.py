import boto3
import pytest

from local_aws.eventbridge.sdk_targets import named, with_service_names

START = "arn:aws:scheduler:::aws-sdk:"


@pytest.mark.parametrize(
    ("target", "service", "operation"),
    [
        ("sagemaker:createEndpoint", "sagemaker", "CreateEndpoint"),
        ("sfn:startExecution", "stepfunctions", "StartExecution"),
        (
            "applicationautoscaling:registerScalableTarget",
            "application-autoscaling",
            "RegisterScalableTarget",
        ),
        ("eventbridge:putEvents", "events", "PutEvents"),
    ],
)
def test_an_operation_is_found_by_its_target(target: str, service: str, operation: str) -> None:
    assert named(START + target) == (service, operation)


@pytest.mark.parametrize("target", ["s3:getObject", "none:doIt", "sagemaker:"])
def test_what_only_reads_or_is_unknown_is_no_target(target: str) -> None:
    with pytest.raises(ValueError, match=target.split(":", maxsplit=1)[0]):
        named(START + target)


def test_parameters_are_spelt_as_the_service_does() -> None:
    client = boto3.client(
        "logs", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    shape = client.meta.service_model.operation_model("PutLogEvents").input_shape
    given = {"LogGroupName": "g", "LogEvents": [{"Timestamp": 1, "Message": "m"}], "Other": 1}
    assert with_service_names(given, shape) == {
        "logGroupName": "g",
        "logEvents": [{"timestamp": 1, "message": "m"}],
        "Other": 1,
    }
