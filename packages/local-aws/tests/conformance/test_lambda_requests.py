"""What Lambda refuses of limits, permissions, aliases and concurrency, against its API pages."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.testing.aws import Aws, package, unique
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


def test_an_alias_leads_to_one_other_version_at_most(aws: Aws) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/configuring-alias-routing.html"""
    functions, name = aws.client("lambda"), aws.function(SOURCE)
    versions = [published(aws, name, str(number)) for number in range(3)]
    alias = {"FunctionName": name, "Name": "live", "FunctionVersion": versions[0]}
    functions.create_alias(**alias)

    def routed(*others: str, **more: str) -> str | None:
        weights = {"AdditionalVersionWeights": dict.fromkeys(others, 0.1)}
        return error_code(functions.update_alias, **{**alias, "RoutingConfig": weights, **more})

    assert routed(versions[1], versions[2]) == "InvalidParameterValueException"
    assert routed(versions[0]) == "InvalidParameterValueException"
    assert routed(versions[1], FunctionVersion="$LATEST") == "InvalidParameterValueException"
    assert routed("9") == "ResourceNotFoundException"
    assert routed(versions[1]) is None
    # What is not given stays, and so must not be given as the alias's own version.
    moved = {"FunctionName": name, "Name": "live", "FunctionVersion": versions[1]}
    assert error_code(functions.update_alias, **moved) == "InvalidParameterValueException"


def published(aws: Aws, name: str, description: str) -> str:
    functions = aws.client("lambda")
    functions.update_function_configuration(FunctionName=name, Description=description)
    functions.get_waiter("function_updated_v2").wait(FunctionName=name)
    version: str = functions.publish_version(FunctionName=name)["Version"]
    return version


def test_a_version_keeps_its_number_and_its_configuration(aws: Aws) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/configuration-versions.html"""
    functions, name = aws.client("lambda"), aws.function(SOURCE)
    assert [published(aws, name, text) for text in "abc"] == ["1", "2", "3"]
    functions.delete_function(FunctionName=name, Qualifier="1")
    assert published(aws, name, "d") == "4"
    functions.delete_function(FunctionName=f"{name}:4")
    assert published(aws, name, "e") == "5"
    listed = functions.list_versions_by_function(FunctionName=name)["Versions"]
    assert [(one["Version"], one["Description"]) for one in listed[1:]] == [
        ("2", "b"),
        ("3", "c"),
        ("5", "e"),
    ]
    wrong = "InvalidParameterValueException"
    change = functions.update_function_configuration
    assert error_code(change, FunctionName=f"{name}:2", Timeout=9) == wrong
    latest = {"FunctionName": name, "Qualifier": "$LATEST"}
    assert error_code(functions.delete_function, **latest) == wrong
    two = {"FunctionName": f"{name}:2", "Qualifier": "3"}
    assert error_code(functions.get_function, **two) == wrong


def test_what_was_seen_is_published_and_nothing_else(aws: Aws) -> None:
    """https://docs.aws.amazon.com/lambda/latest/api/API_PublishVersion.html"""
    functions, name = aws.client("lambda"), aws.function(SOURCE)
    seen = functions.get_function_configuration(FunctionName=name)
    publish = functions.publish_version
    wrong = error_code(publish, FunctionName=name, CodeSha256="other")
    assert wrong == "InvalidParameterValueException"
    wrong = error_code(publish, FunctionName=name, RevisionId=unique("revision"))
    assert wrong == "PreconditionFailedException"
    given = {"CodeSha256": seen["CodeSha256"], "RevisionId": seen["RevisionId"]}
    assert publish(FunctionName=name, **given)["Version"] == "1"


def test_a_function_has_five_layers_at_most_and_each_once(aws: Aws) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/adding-layers.html"""
    functions, name = aws.client("lambda"), aws.function(SOURCE)
    content = {"ZipFile": package({"python/lib.py": "x = 1"})}
    layer = unique("layer")
    arns = [
        functions.publish_layer_version(LayerName=layer, Content=content)["LayerVersionArn"]
        for _ in range(2)
    ]
    change = functions.update_function_configuration
    for layers in (arns, [arns[0]] * 2, [f"{arns[0][:-2]}{number}:1" for number in range(6)]):
        wrong = error_code(change, FunctionName=name, Layers=layers)
        assert wrong == "InvalidParameterValueException"


def test_a_package_without_files_is_refused(aws: Aws, name: str) -> None:
    update = aws.client("lambda").update_function_code
    with pytest.raises(ClientError, match="non-empty zip"):
        update(FunctionName=name, ZipFile=package({}))


def test_a_mapping_leaves_the_function_its_time_and_has_no_position_in_a_queue(
    aws: Aws, name: str
) -> None:
    """https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html"""
    functions, sqs = aws.client("lambda"), aws.client("sqs")
    url, arn = aws.queue()
    timeout = functions.get_function_configuration(FunctionName=name)["Timeout"]
    make = {"FunctionName": name, "EventSourceArn": arn}
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": str(timeout - 1)})
    with pytest.raises(ClientError, match="is less than Function timeout"):
        functions.create_event_source_mapping(**make)
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": str(timeout)})
    with pytest.raises(ClientError, match="StartingPosition is not valid"):
        functions.create_event_source_mapping(**make, StartingPosition="LATEST")
