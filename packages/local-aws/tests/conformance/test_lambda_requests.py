"""What Lambda refuses of limits, permissions, aliases and concurrency, against its API pages."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.testing.aws import Aws, unique
from local_aws.testing.refusals import error_code

SOURCE = "def handler(event, context):\n    return event\n"


@pytest.fixture(scope="module")
def name(aws: Aws) -> str:
    return aws.function(SOURCE)


@pytest.mark.parametrize(
    "given", [{"Timeout": 901}, {"MemorySize": 10_241}, {"Description": "d" * 257}]
)
def test_a_setting_over_its_limit_is_refused(aws: Aws, name: str, given: dict[str, Any]) -> None:
    """https://docs.aws.amazon.com/lambda/latest/api/API_UpdateFunctionConfiguration.html"""
    functions = aws.client("lambda")
    update = functions.update_function_configuration
    assert error_code(update, FunctionName=name, **given) == "ValidationException"
    with pytest.raises(ClientError, match="less than or equal to"):
        aws.function(SOURCE, **given)


def test_a_permission_has_an_id_of_its_own(aws: Aws, name: str) -> None:
    """https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html"""
    functions = aws.client("lambda")
    given = {
        "FunctionName": name,
        "StatementId": "own",
        "Action": "lambda:InvokeFunction",
        "Principal": "s3.amazonaws.com",
    }
    version = functions.publish_version(FunctionName=name)["Version"]
    for more in ({}, {"Qualifier": version}):
        assert error_code(functions.add_permission, **given, **more) is None
        assert error_code(functions.add_permission, **given, **more) == "ResourceConflictException"


def test_a_version_that_an_alias_leads_to_stays(aws: Aws) -> None:
    """https://docs.aws.amazon.com/lambda/latest/api/API_CreateAlias.html"""
    functions, name = aws.client("lambda"), aws.function(SOURCE)
    version = functions.publish_version(FunctionName=name)["Version"]
    given = {"FunctionName": name, "FunctionVersion": version}
    assert error_code(functions.create_alias, **given, Name="live") is None
    assert error_code(functions.create_alias, **given, Name="live") == "ResourceConflictException"
    assert error_code(functions.create_alias, **given, Name="12") == "ValidationException"
    weights = {"AdditionalVersionWeights": {version: 1.5}}
    wrong = error_code(
        functions.update_alias, FunctionName=name, Name="live", RoutingConfig=weights
    )
    assert wrong == "ValidationException"
    delete = {"FunctionName": name, "Qualifier": version}
    assert error_code(functions.delete_function, **delete) == "ResourceConflictException"
    functions.delete_alias(FunctionName=name, Name="live")
    assert error_code(functions.delete_function, **delete) is None


def test_some_concurrency_stays_for_functions_that_reserve_none(aws: Aws, name: str) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html"""
    reserve = aws.client("lambda").put_function_concurrency
    found = error_code(reserve, FunctionName=name, ReservedConcurrentExecutions=901)
    assert found == "InvalidParameterValueException"


def test_a_window_of_more_than_five_minutes_is_refused(aws: Aws, name: str) -> None:
    """https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html"""
    given = {"FunctionName": name, "EventSourceArn": aws.queue()[1]}
    found = error_code(
        aws.client("lambda").create_event_source_mapping,
        **given,
        MaximumBatchingWindowInSeconds=301,
    )
    assert found == "ValidationException"


def test_queries_of_metrics_are_checked(aws: Aws) -> None:
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html"""
    watch = aws.client("cloudwatch")
    data = [{"MetricName": "m", "Value": 1, "Unit": "Apples"}]
    put = error_code(watch.put_metric_data, Namespace=unique("n"), MetricData=data)
    assert put == "InvalidParameterValue"
    query = {"Id": "Upper", "Expression": "1"}
    times = {"StartTime": "2030-01-01T00:00:00Z", "EndTime": "2030-01-01T01:00:00Z"}
    found = error_code(watch.get_metric_data, MetricDataQueries=[query], **times)
    assert found == "ValidationError"


def test_dead_letters_and_destinations_need_a_role_that_may_send_them(aws: Aws) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html"""
    functions, queue, topic = aws.client("lambda"), aws.queue()[1], aws.topic()[0]
    role = aws.role_with({"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": queue})
    name = aws.function(SOURCE, Role=role, DeadLetterConfig={"TargetArn": queue})
    change = functions.update_function_configuration
    with pytest.raises(ClientError) as refused:
        change(FunctionName=name, DeadLetterConfig={"TargetArn": topic})
    error = refused.value.response["Error"]
    assert error["Code"] == "InvalidParameterValueException"
    assert error["Message"] == (
        "The provided execution role does not have permissions to call Publish on SNS"
    )
    with pytest.raises(ClientError, match="to call SendMessage on SQS"):
        aws.function(SOURCE, Role=role, DeadLetterConfig={"TargetArn": f"{queue}-other"})
    configure = functions.put_function_event_invoke_config
    configure(FunctionName=name, DestinationConfig={"OnFailure": {"Destination": queue}})
    with pytest.raises(ClientError, match=f"to call Publish on {topic}"):
        configure(FunctionName=name, DestinationConfig={"OnSuccess": {"Destination": topic}})
