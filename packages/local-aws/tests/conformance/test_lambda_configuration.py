"""What Lambda answers of a function's configuration, and what it refuses, against its API pages.

Values were recorded on AWS: docs/results/public-cases.md.
"""

import json
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from local_aws.testing.aws import Aws, package, unique
from local_aws.testing.refusals import refusal

SOURCE = "def handler(event, context):\n    return event\n"
CREATING = ("The function is being created.", "Creating")


def create(aws: Aws, **more: Any) -> dict[str, Any]:
    settings = {
        "FunctionName": unique("f"),
        "Runtime": "python3.12",
        "Role": aws.role,
        "Handler": "app.handler",
        "Code": {"ZipFile": package({"app.py": SOURCE})},
        **more,
    }
    created: dict[str, Any] = aws.client("lambda").create_function(**settings)
    return created


def test_a_new_function_is_pending_and_then_active(aws: Aws) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html"""
    made = create(aws)
    assert (made["State"], (made["StateReason"], made["StateReasonCode"])) == ("Pending", CREATING)
    assert "LastUpdateStatus" not in made
    functions = aws.client("lambda")
    found = functions.get_function_configuration(FunctionName=made["FunctionName"])
    assert (found["State"], found["LastUpdateStatus"]) == ("Active", "Successful")
    assert "StateReason" not in found
    functions.get_waiter("function_active_v2").wait(FunctionName=made["FunctionName"])


def test_an_update_is_in_progress_and_then_successful(aws: Aws) -> None:
    name, functions = aws.function(SOURCE), aws.client("lambda")
    changes = (
        lambda: functions.update_function_configuration(FunctionName=name, Description="new"),
        lambda: functions.update_function_code(
            FunctionName=name, ZipFile=package({"app.py": SOURCE + "# changed\n"})
        ),
    )
    for change in changes:
        answer = change()
        assert (answer["State"], answer["LastUpdateStatus"]) == ("Active", "InProgress")
        assert (answer["LastUpdateStatusReason"], answer["LastUpdateStatusReasonCode"]) == CREATING
        found = functions.get_function_configuration(FunctionName=name)
        assert found["LastUpdateStatus"] == "Successful"
        assert "LastUpdateStatusReason" not in found


def test_a_configuration_has_a_revision_that_changes_with_it(aws: Aws) -> None:
    name, functions = aws.function(SOURCE), aws.client("lambda")
    before = functions.get_function_configuration(FunctionName=name)["RevisionId"]
    assert functions.get_function_configuration(FunctionName=name)["RevisionId"] == before
    functions.update_function_configuration(FunctionName=name, Description="new", RevisionId=before)
    after = functions.get_function_configuration(FunctionName=name)["RevisionId"]
    assert after != before
    code, message = refusal(
        functions.update_function_configuration,
        FunctionName=name,
        Description="old",
        RevisionId=before,
    )
    assert code == "PreconditionFailedException"
    assert "does not match the latest Revision Id" in message


def test_a_configuration_names_its_runtime_version_and_only_what_there_is(aws: Aws) -> None:
    made = create(aws)
    arn = made["RuntimeVersionConfig"]["RuntimeVersionArn"]
    assert arn.startswith("arn:aws:lambda:us-east-1::runtime:")
    assert not {"Layers", "Environment", "VpcConfig", "KMSKeyArn"} & made.keys()
    assert create(aws, Environment={"Variables": {}})["Environment"] == {"Variables": {}}


@pytest.mark.parametrize(
    "key",
    [
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_ACCESS_KEY_ID",
        "AWS_SESSION_TOKEN",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_RUNTIME_API",
        "LAMBDA_TASK_ROOT",
    ],
)
def test_a_reserved_variable_is_refused(aws: Aws, key: str) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html"""
    variables = {"Variables": {"OWN": "x", key: "x"}}
    code, message = refusal(create, aws=aws, Environment=variables)
    assert code == "InvalidParameterValueException"
    assert message.endswith(f"Reserved keys used in this request: {key}")
    name = aws.function(SOURCE)
    update = aws.client("lambda").update_function_configuration
    assert refusal(update, FunctionName=name, Environment=variables)[0] == code
    found = aws.client("lambda").get_function_configuration(FunctionName=name)
    assert "Environment" not in found


@pytest.mark.parametrize("key", ["_HANDLER", "_X_AMZN_TRACE_ID", "A", "my-name"])
def test_a_variable_needs_a_name_as_lambda_takes_it(aws: Aws, key: str) -> None:
    code, message = refusal(create, aws=aws, Environment={"Variables": {key: "x"}})
    assert code == "ValidationException"
    assert message == (
        "1 validation error detected: Value at 'environment.variables' failed to satisfy "
        "constraint: Map keys must satisfy constraint: [Member must satisfy regular expression "
        "pattern: [a-zA-Z]([a-zA-Z0-9_])+]"
    )


def test_more_than_four_kilobytes_of_variables_are_refused(aws: Aws) -> None:
    fits = {"KEY": "x" * (4096 - len('{"KEY":""}'))}
    assert create(aws, Environment={"Variables": fits})["Environment"]["Variables"] == fits
    code, message = refusal(create, aws=aws, Environment={"Variables": {"KEY": fits["KEY"] + "x"}})
    assert (code, "4KB limit" in message) == ("InvalidParameterValueException", True)
    for name in ("1KEY", "A-B", "A"):
        assert refusal(create, aws=aws, Environment={"Variables": {name: "x"}})[0] == (
            "ValidationException"
        )


@pytest.mark.parametrize("name", ["../../evil", "a b", "a\nb", "", "a" * 65, "café"])
def test_a_function_needs_a_name_as_lambda_takes_it(aws: Aws, name: str) -> None:
    """https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html"""
    # boto3 checks the length itself, so the request is sent without its checks.
    client = boto3.client(
        "lambda",
        endpoint_url=aws.local.endpoint_url,
        region_name="us-east-1",
        config=Config(parameter_validation=False),
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    code, message = refusal(
        client.create_function,
        FunctionName=name,
        Runtime="python3.12",
        Role=aws.role,
        Handler="app.handler",
        Code={"ZipFile": package({"app.py": SOURCE})},
    )
    assert code == "ValidationException"
    assert "functionName" in message


LOGS = """
import logging
log = logging.getLogger()
def handler(event, context):
    log.debug("a debug line")
    log.info("an info line")
    log.warning("a warning line")
    print('{"level": "debug", "message": "a printed debug line"}')
    print('{"level": "ERROR", "message": "a printed error line"}')
    print("a plain line")
"""


def lines(aws: Aws, name: str) -> list[str]:
    logs = aws.client("logs")
    aws.invoke(name)
    return [
        event["message"]
        for event in logs.filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
    ]


def test_json_logs_have_the_levels_that_were_asked_for(aws: Aws) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html"""
    config = {"LogFormat": "JSON", "ApplicationLogLevel": "WARN", "SystemLogLevel": "WARN"}
    text = "\n".join(lines(aws, aws.function(LOGS, LoggingConfig=config)))
    assert "a warning line" in text and "a printed error line" in text and "a plain line" in text
    for absent in ("an info line", "a debug line", "a printed debug line", "platform."):
        assert absent not in text


def test_json_logs_are_of_the_level_info_by_default(aws: Aws) -> None:
    name = aws.function(LOGS, LoggingConfig={"LogFormat": "JSON"})
    found = lines(aws, name)
    text = "\n".join(found)
    assert "an info line" in text and "a debug line" not in text
    kinds = {json.loads(line).get("type") for line in found if line.startswith("{")}
    assert {"platform.start", "platform.report"} <= kinds


def test_text_logs_have_no_level(aws: Aws) -> None:
    config = {"LogFormat": "Text", "ApplicationLogLevel": "INFO"}
    assert refusal(create, aws=aws, LoggingConfig=config)[0] == "InvalidParameterValueException"
    name = aws.function(SOURCE)
    update = aws.client("lambda").update_function_configuration
    code, _ = refusal(update, FunctionName=name, LoggingConfig={"SystemLogLevel": "WARN"})
    assert code == "InvalidParameterValueException"


def test_an_asynchronous_invocation_names_no_version(aws: Aws) -> None:
    """https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html"""
    name = aws.function(SOURCE)
    assert "ExecutedVersion" not in aws.invoke(name, InvocationType="Event")[1]
    assert aws.invoke(name)[1]["ExecutedVersion"] == "$LATEST"


def test_the_accounts_settings_and_usage(aws: Aws) -> None:
    """https://docs.aws.amazon.com/lambda/latest/api/API_GetAccountSettings.html"""
    functions = aws.client("lambda")
    before = functions.get_account_settings()
    name = aws.function(SOURCE)
    functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=7)
    after = functions.get_account_settings()
    assert before["AccountLimit"]["CodeSizeUnzipped"] == 262_144_000
    assert before["AccountLimit"]["ConcurrentExecutions"] == 1000
    reserved = [a["AccountLimit"]["UnreservedConcurrentExecutions"] for a in (before, after)]
    assert reserved[0] - reserved[1] == 7
    counts = [a["AccountUsage"]["FunctionCount"] for a in (before, after)]
    assert counts[1] - counts[0] == 1


def test_a_layers_version_is_found_by_its_arn(aws: Aws) -> None:
    """https://docs.aws.amazon.com/lambda/latest/api/API_GetLayerVersionByArn.html"""
    functions = aws.client("lambda")
    made = functions.publish_layer_version(
        LayerName=unique("layer"), Content={"ZipFile": package({"python/own.py": "x = 1"})}
    )
    found = functions.get_layer_version_by_arn(Arn=made["LayerVersionArn"])
    assert (found["LayerVersionArn"], found["Version"]) == (made["LayerVersionArn"], 1)
    code, _ = refusal(functions.get_layer_version_by_arn, Arn=made["LayerVersionArn"][:-1] + "9")
    assert code == "ResourceNotFoundException"


def test_what_is_not_done_here_is_refused(aws: Aws) -> None:
    name, functions = aws.function(SOURCE), aws.client("lambda")
    functions.publish_version(FunctionName=name)
    calls = (
        lambda: functions.create_function_url_config(FunctionName=name, AuthType="NONE"),
        lambda: functions.put_provisioned_concurrency_config(
            FunctionName=name, Qualifier="1", ProvisionedConcurrentExecutions=1
        ),
    )
    for call in calls:
        with pytest.raises(ClientError) as caught:
            call()
        assert "The embedded AWS" in caught.value.response["Error"]["Message"]
