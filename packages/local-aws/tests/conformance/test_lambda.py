import base64
import http.client
import json
import threading
import urllib.parse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.lambda_.functions import base_runtime, python_for
from local_aws.testing.aws import Aws, policy, unique
from local_aws.testing.refusals import error_response

ECHO = "def handler(event, context):\n    return event\n"


def test_a_handler_gets_the_event_and_the_answer_is_its_own(aws: Aws) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/python-handler.html"""
    assert aws.invoke(aws.function(ECHO), {"a": [1, "ü"]})[0] == {"a": [1, "ü"]}


def test_a_warm_worker_is_used_again(aws: Aws) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html"""
    name = aws.function("import os\ndef handler(event, context):\n    return os.getpid()\n")
    assert len({aws.invoke(name)[0] for _ in range(5)}) == 1


def test_a_function_sees_its_settings_and_nothing_of_the_server(aws: Aws) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html"""
    name = aws.function(
        "import os\ndef handler(event, context):\n    return dict(os.environ)\n",
        Environment={"Variables": {"THRESHOLD": "0.93"}},
        MemorySize=320,
    )
    seen = aws.invoke(name)[0]
    assert seen["THRESHOLD"] == "0.93"
    assert seen["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "320"
    assert seen["AWS_LAMBDA_FUNCTION_NAME"] == name
    assert seen["AWS_ENDPOINT_URL"] == aws.local.endpoint_url
    assert "PYTHONPATH" not in seen and "MOTO_PORT" not in seen and "VIRTUAL_ENV" not in seen


@pytest.mark.parametrize("module", ["moto", "local_aws", "scones_core", "flask", "pytest"])
def test_a_function_cannot_import_what_is_not_in_its_zip(aws: Aws, module: str) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/python-package.html"""
    result, answer = aws.invoke(aws.function(f"import {module}\n{ECHO}"))
    assert answer["FunctionError"] == "Unhandled"
    assert result["errorType"] == "Runtime.ImportModuleError"
    assert module in result["errorMessage"]


def test_the_runtime_brings_boto3_and_it_reaches_this_server(aws: Aws) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/lambda-python.html"""
    name = aws.function(
        "import boto3\ndef handler(event, context):\n"
        "    return boto3.client('sts').get_caller_identity()['Account']\n"
    )
    assert aws.invoke(name)[0] == "123456789012"


def test_an_exception_comes_back_under_its_class_name_with_paths_as_on_aws(aws: Aws) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/python-exceptions.html"""
    name = aws.function(
        "class ImageNotFound(Exception): pass\n"
        "def handler(event, context):\n    raise ImageNotFound('no cat')\n"
    )
    result, answer = aws.invoke(name)
    assert answer["FunctionError"] == "Unhandled" and answer["StatusCode"] == 200
    assert (result["errorType"], result["errorMessage"]) == ("ImageNotFound", "no cat")
    assert '"/var/task/app.py"' in result["stackTrace"][0]


def test_a_failed_import_is_an_error_of_the_runtime_at_each_invocation(aws: Aws) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/troubleshooting-invocation.html"""
    name = aws.function("raise RuntimeError('broken')\n")
    for _ in range(2):
        assert aws.invoke(name)[0]["errorType"] == "RuntimeError"


def test_a_missing_handler_is_reported(aws: Aws) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/python-handler.html"""
    name = aws.function("x = 1\n")
    assert aws.invoke(name)[0]["errorType"] == "Runtime.HandlerNotFound"


def test_an_endless_handler_is_ended_at_its_timeout_and_the_next_one_works(aws: Aws) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/configuration-timeout.html"""
    name = aws.function(
        "import time\ndef handler(event, context):\n"
        "    time.sleep(60 if event == 'sleep' else 0)\n    return 'awake'\n",
        Timeout=1,
    )
    result, answer = aws.invoke(name, "sleep")
    assert answer["FunctionError"] == "Unhandled"
    assert result["errorType"] == "Sandbox.Timedout"
    assert "Task timed out after 1.00 seconds" in result["errorMessage"]
    assert aws.invoke(name, "wake")[0] == "awake"


@pytest.mark.parametrize(
    ("way", "said"),
    [("os._exit(3)", "exit status 3"), ("os.kill(os.getpid(), 9)", "signal: killed")],
)
def test_a_crash_is_an_exit_error_and_the_next_invocation_works(
    aws: Aws, way: str, said: str
) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html"""
    name = aws.function(f"import os\ndef handler(event, context):\n    event or {way}\n")
    result, answer = aws.invoke(name)
    assert answer["FunctionError"] == "Unhandled"
    assert result["errorType"] == "Runtime.ExitError"
    assert said in result["errorMessage"]
    assert "FunctionError" not in aws.invoke(name, 1)[1]


def test_too_much_memory_ends_the_worker(aws: Aws) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html"""
    if not Path("/proc/self/status").exists():
        pytest.skip("the system does not report a process's peak memory")
    name = aws.function(
        "def handler(event, context):\n    return len(bytearray(200_000_000))\n", MemorySize=128
    )
    assert aws.invoke(name)[0]["errorType"] == "Runtime.OutOfMemory"


def test_the_log_group_has_what_was_printed_between_start_and_report(aws: Aws) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html"""
    name = aws.function("def handler(event, context):\n    print('a line')\n")
    answer = aws.invoke(name, LogType="Tail")[1]
    tail = base64.b64decode(answer["LogResult"]).decode()
    logs = aws.client("logs")
    group = f"/aws/lambda/{name}"
    streams = logs.describe_log_streams(logGroupName=group)["logStreams"]
    events = logs.get_log_events(logGroupName=group, logStreamName=streams[0]["logStreamName"])
    lines = [event["message"] for event in events["events"]]
    assert [line.split(" ")[0] for line in lines] == ["START", "a", "END", "REPORT"]
    assert "Init Duration" in lines[-1] and "Memory Size: 256 MB" in lines[-1]
    assert "a line" in tail


def test_new_code_retires_the_warm_worker(aws: Aws) -> None:
    """https://docs.aws.amazon.com/lambda/latest/api/API_UpdateFunctionCode.html"""
    name = aws.function("def handler(event, context):\n    return 1\n")
    assert aws.invoke(name)[0] == 1
    changed = aws.package({"app.py": "def handler(event, context):\n    return 2\n"})
    aws.client("lambda").update_function_code(FunctionName=name, ZipFile=changed)
    assert aws.invoke(name)[0] == 2


def test_new_configuration_retires_the_warm_worker(aws: Aws) -> None:
    """https://docs.aws.amazon.com/lambda/latest/api/API_UpdateFunctionConfiguration.html"""
    name = aws.function("import os\ndef handler(event, context):\n    return os.environ['A1']\n")
    for value in ("1", "2"):
        aws.client("lambda").update_function_configuration(
            FunctionName=name, Environment={"Variables": {"A1": value}}
        )
        assert aws.invoke(name)[0] == value


def test_a_version_keeps_its_code_and_an_alias_leads_to_it(aws: Aws) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/configuration-versions.html"""
    functions = aws.client("lambda")
    name = aws.function("def handler(event, context):\n    return context.function_version\n")
    version = functions.publish_version(FunctionName=name)["Version"]
    functions.create_alias(FunctionName=name, Name="live", FunctionVersion=version)
    changed = aws.package({"app.py": "def handler(event, context):\n    return 'new'\n"})
    functions.update_function_code(FunctionName=name, ZipFile=changed)
    assert aws.invoke(name)[0] == "new"
    for qualifier in (version, "live"):
        result, answer = aws.invoke(name, Qualifier=qualifier)
        assert (result, answer["ExecutedVersion"]) == ("1", "1")
    assert aws.invoke(f"{name}:live")[0] == "1"


COUNTING = """
import boto3, json, uuid
s3 = boto3.client("s3")
def handler(event, context):
    bucket = event["bucket"]
    n = s3.list_objects_v2(Bucket=bucket)["KeyCount"]
    s3.put_object(Bucket=bucket, Key=f"{n}-{context.aws_request_id}", Body=b"")
    if n < event["fails"]: raise ValueError(f"try {n}")
    return n
"""


class Tries:
    """A function that counts its tries in a bucket, and fails as often as it is configured to."""

    def __init__(
        self, aws: Aws, fails: int, config: dict[str, Any] | None = None, **settings: Any
    ) -> None:
        self._aws, self._bucket = aws, unique("tries")
        aws.client("s3").create_bucket(Bucket=self._bucket)
        self.name = aws.function(COUNTING, **settings)
        if config:
            functions = aws.client("lambda")
            functions.put_function_event_invoke_config(FunctionName=self.name, **config)
        aws.invoke(self.name, {"bucket": self._bucket, "fails": fails}, InvocationType="Event")

    def made(self) -> list[str]:
        found = self._aws.client("s3").list_objects_v2(Bucket=self._bucket)
        return [item["Key"] for item in found.get("Contents", [])]

    def reach(self, count: int) -> None:
        self._aws.eventually(lambda: True if len(self.made()) == count else None)

    def reach_after(self, seconds: int, count: int) -> None:
        # The try that failed is queued again only after its answer was read.
        def probe() -> bool | None:
            self._aws.advance(seconds)
            return True if len(self.made()) == count else None

        self._aws.eventually(probe)


def test_an_event_is_tried_again_a_minute_later_under_the_same_request_id(aws: Aws) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html"""
    tries = Tries(aws, fails=1)
    tries.reach(1)
    tries.reach_after(60, 2)
    assert len({key.split("-", 1)[1] for key in tries.made()}) == 1


def test_an_event_that_never_works_goes_to_the_dead_letters_with_its_error(aws: Aws) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html"""
    url, arn = aws.queue()
    Tries(aws, 9, {"MaximumRetryAttempts": 0}, DeadLetterConfig={"TargetArn": arn})
    message = aws.message(url)
    assert json.loads(message["Body"])["fails"] == 9
    values = {key: value["StringValue"] for key, value in message["MessageAttributes"].items()}
    assert values["ErrorCode"] == "200" and values["ErrorMessage"] == "try 0"
    assert values["RequestID"]


@pytest.mark.parametrize(
    ("side", "fails", "condition"),
    [("OnSuccess", 0, "Success"), ("OnFailure", 9, "RetriesExhausted")],
)
def test_a_destination_gets_the_record_of_how_an_event_ended(
    aws: Aws, side: str, fails: int, condition: str
) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html"""
    url, arn = aws.queue()
    config = {"MaximumRetryAttempts": 0, "DestinationConfig": {side: {"Destination": arn}}}
    name = Tries(aws, fails, config).name
    record = json.loads(aws.message(url)["Body"])
    context = record["requestContext"]
    assert context["condition"] == condition and context["approximateInvokeCount"] == 1
    assert context["functionArn"].endswith(f":function:{name}:$LATEST")
    assert record["requestPayload"]["fails"] == fails
    failed = record["responseContext"].get("functionError")
    assert failed == ("Unhandled" if fails else None)
    answered = record["responsePayload"]
    assert answered == 0 or answered["errorMessage"] == "try 0"


def test_destinations_can_be_topics_functions_and_buses(aws: Aws) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html"""
    url, queue = aws.queue()
    sns, events, name = aws.client("sns"), aws.client("events"), unique("to")
    topic = sns.create_topic(Name=name)["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
    bus = events.create_event_bus(Name=name)["EventBusArn"]
    pattern = json.dumps({"source": ["lambda"]})
    senders = {"Service": ["events.amazonaws.com", "sns.amazonaws.com"]}
    may_send = {"Effect": "Allow", "Principal": senders, "Action": "sqs:SendMessage"}
    open_to_both = {"Policy": policy({**may_send, "Resource": queue})}
    aws.client("sqs").set_queue_attributes(QueueUrl=url, Attributes=open_to_both)
    events.put_rule(Name=name, EventBusName=name, EventPattern=pattern)
    events.put_targets(Rule=name, EventBusName=name, Targets=[{"Id": "1", "Arn": queue}])
    forward = aws.function(
        "import boto3, json, os\ndef handler(event, context):\n"
        "    boto3.client('sqs').send_message(\n"
        "        QueueUrl=os.environ['URL'], MessageBody=json.dumps({'forwarded': event}))\n",
        Environment={"Variables": {"URL": url}},
    )
    function = f"arn:aws:lambda:us-east-1:123456789012:function:{forward}"
    for destination, sign in ((topic, "TopicArn"), (function, "forwarded"), (bus, "detail-type")):
        Tries(aws, 0, {"DestinationConfig": {"OnSuccess": {"Destination": destination}}})
        message = aws.message(url)
        aws.client("sqs").delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        assert sign in json.loads(message["Body"])


def test_a_destination_that_the_role_may_not_use_gets_nothing(aws: Aws) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html"""
    url, arn = aws.queue()
    second, other = aws.queue()
    allowed: dict[str, Any] = {"Effect": "Allow", "Action": "sqs:SendMessage"}
    allowed["Resource"] = [other, arn]
    role = aws.role_with({"Effect": "Allow", "Action": "s3:*", "Resource": "*"}, allowed)
    config: dict[str, Any] = {"DestinationConfig": {"OnFailure": {"Destination": arn}}}
    config["MaximumRetryAttempts"] = 0
    source = "def handler(event, context):\n    raise ValueError\n"
    name = aws.function(source, Role=role, DeadLetterConfig={"TargetArn": other})
    aws.client("lambda").put_function_event_invoke_config(FunctionName=name, **config)
    aws.client("iam").put_role_policy(
        RoleName=role.rpartition("/")[2],
        PolicyName="own",
        PolicyDocument=policy({**allowed, "Resource": other}),
    )
    aws.invoke(name, {}, InvocationType="Event")
    aws.message(second)  # is sent after the destination
    assert "Messages" not in aws.client("sqs").receive_message(QueueUrl=url)


def test_an_event_that_is_too_old_is_not_tried_again(aws: Aws) -> None:
    """https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionEventInvokeConfig.html"""
    url, arn = aws.queue()
    destination = {"DestinationConfig": {"OnFailure": {"Destination": arn}}}
    tries = Tries(aws, 9, {"MaximumEventAgeInSeconds": 60, **destination})
    tries.reach(1)

    def probe() -> list[dict[str, str]] | None:
        aws.advance(61)
        sqs = aws.client("sqs")
        messages: list[dict[str, str]] | None = sqs.receive_message(QueueUrl=url).get("Messages")
        return messages

    record = json.loads(aws.eventually(probe)[0]["Body"])
    assert record["requestContext"]["condition"] == "EventAgeExceeded"
    assert len(tries.made()) == 1


def test_an_event_for_a_function_that_is_stopped_goes_to_the_dead_letters_at_once(aws: Aws) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html"""
    url, arn = aws.queue()
    name = aws.function(ECHO, DeadLetterConfig={"TargetArn": arn})
    aws.client("lambda").put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    aws.invoke(name, {"a": 1}, InvocationType="Event")
    assert json.loads(aws.message(url)["Body"]) == {"a": 1}


def test_a_dry_run_runs_nothing(aws: Aws) -> None:
    """https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html"""
    assert aws.invoke(aws.function(ECHO), InvocationType="DryRun")[1]["StatusCode"] == 204


def test_reserved_concurrency_is_a_limit_and_zero_stops_the_function(aws: Aws) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html"""
    name = aws.function(ECHO)
    aws.client("lambda").put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    with pytest.raises(ClientError) as refusal:
        aws.invoke(name)
    answer: Mapping[str, Any] = refusal.value.response
    assert answer["Error"]["Code"] == "TooManyRequestsException"
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 429
    assert answer["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    assert answer["Type"] == "User" and answer["message"] == "Rate Exceeded."


def test_handlers_run_side_by_side_and_the_server_answers_meanwhile(aws: Aws) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html"""
    aws.client("s3").create_bucket(Bucket="meet")
    # Each waits for the other's object: one after the other, they would time out.
    name = aws.function(
        "import boto3, time\ns3 = boto3.client('s3')\n"
        "def handler(event, context):\n"
        "    s3.put_object(Bucket='meet', Key=event, Body=b'')\n"
        "    while s3.list_objects_v2(Bucket='meet')['KeyCount'] < 2: time.sleep(0.02)\n"
        "    return 'met'\n"
    )
    found = []
    threads = [
        threading.Thread(target=lambda key=key: found.append(aws.invoke(name, key)[0]))
        for key in ("a", "b")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert found == ["met", "met"]


@pytest.mark.parametrize("content", [b"no zip", b""])
def test_a_package_that_is_no_zip_is_refused_when_it_is_deployed(aws: Aws, content: bytes) -> None:
    """https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html"""
    with pytest.raises(ClientError) as refusal:
        aws.client("lambda").create_function(
            FunctionName="bad",
            Runtime="python3.12",
            Handler="app.handler",
            Role=aws.role,
            Code={"ZipFile": content},
        )
    assert refusal.value.response["Error"]["Code"] == "InvalidParameterValueException"
    assert "unzip" in refusal.value.response["Error"]["Message"]


def test_a_body_that_is_no_json_is_refused(aws: Aws) -> None:
    """https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html"""
    with pytest.raises(ClientError) as refusal:
        aws.client("lambda").invoke(FunctionName=aws.function(ECHO), Payload=b"{")
    assert refusal.value.response["Error"]["Code"] == "InvalidRequestContentException"


def test_an_unknown_function_is_not_found(aws: Aws) -> None:
    """https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html"""
    with pytest.raises(ClientError) as refusal:
        aws.invoke("nobody")
    assert refusal.value.response["Error"]["Code"] == "ResourceNotFoundException"


def test_a_request_over_six_megabytes_is_refused(aws: Aws) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""
    invoke, name = aws.client("lambda").invoke, aws.function(ECHO)
    largest = json.dumps("x" * (6_291_456 - 2)).encode()
    assert "FunctionError" not in invoke(FunctionName=name, Payload=largest)
    answer = error_response(invoke, FunctionName=name, Payload=largest + b" ")
    assert answer["Error"]["Code"] == "RequestEntityTooLargeException"
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 413
    event = json.dumps("x" * 1_048_576).encode()
    answer = error_response(invoke, FunctionName=name, Payload=event, InvocationType="Event")
    assert "1048576 bytes" in answer["Error"]["Message"]


def test_an_answer_over_six_megabytes_is_an_error_of_the_function(aws: Aws) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""
    name = aws.function("def handler(event, context):\n    return 'x' * event\n")
    result, answer = aws.invoke(name, 6_400_000)
    assert answer["FunctionError"] == "Unhandled" and answer["StatusCode"] == 200
    assert result["errorType"] == "Function.ResponseSizeTooLarge"
    assert "6291556 bytes" in result["errorMessage"]
    assert aws.invoke(name, 3)[0] == "xxx"


def test_an_alias_with_weights_leads_to_both_versions(aws: Aws) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/configuring-alias-routing.html"""
    functions = aws.client("lambda")
    name = aws.function("def handler(event, context):\n    return context.function_version\n")
    functions.publish_version(FunctionName=name)
    changed = aws.package(
        {"app.py": "def handler(event, context):\n    return context.function_version + ''\n"}
    )
    functions.update_function_code(FunctionName=name, ZipFile=changed)
    functions.publish_version(FunctionName=name)
    routing = {"AdditionalVersionWeights": {"2": 0.5}}
    alias = {"FunctionName": name, "Name": "live", "FunctionVersion": "1"}
    functions.create_alias(**alias, RoutingConfig=routing)
    found = [aws.invoke(name, Qualifier="live") for _ in range(40)]
    assert {result for result, _ in found} == {"1", "2"}
    assert all(result == answer["ExecutedVersion"] for result, answer in found)
    functions.update_alias(**alias, RoutingConfig={"AdditionalVersionWeights": {"2": 1.0}})
    assert {aws.invoke(name, Qualifier="live")[0] for _ in range(5)} == {"2"}


def test_a_handler_gets_the_arn_that_it_was_invoked_by_and_the_clients_context(aws: Aws) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/python-context.html"""
    functions = aws.client("lambda")
    name = aws.function(
        "def handler(event, context):\n"
        "    custom = context.client_context and context.client_context.custom\n"
        "    return [context.invoked_function_arn, custom]\n"
    )
    functions.publish_version(FunctionName=name)
    functions.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    arn = f"arn:aws:lambda:us-east-1:123456789012:function:{name}"
    assert aws.invoke(name)[0] == [arn, None]
    given = base64.b64encode(b'{"custom": {"a": "b"}}').decode()
    assert aws.invoke(name, Qualifier="live", ClientContext=given)[0] == [
        f"{arn}:live",
        {"a": "b"},
    ]
    for named in (arn, f"123456789012:function:{name}", f"{arn}:1"):
        assert aws.invoke(named)[1]["StatusCode"] == 200


def test_layers_are_on_the_path_and_a_later_one_lies_over_an_earlier(aws: Aws) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/packaging-layers.html"""
    functions = aws.client("lambda")
    first = {"python/one.py": "value = 'first'", "python/two.py": "value = 'first'"}
    second = {"python/two.py": "value = 'second'", "data.txt": "read"}
    arns = [
        functions.publish_layer_version(
            LayerName=unique("layer"), Content={"ZipFile": aws.package(files)}
        )["LayerVersionArn"]
        for files in (first, second)
    ]
    name = aws.function(
        "import one, two\ndef handler(event, context):\n"
        "    if event: raise ValueError(one.__file__)\n"
        "    return [one.value, two.value]\n",
        Layers=arns,
    )
    assert aws.invoke(name)[0] == ["first", "second"]
    assert aws.invoke(name, 1)[0]["errorMessage"] == "/opt/python/one.py"


def test_a_runtime_that_this_host_lacks_is_reported_in_the_functions_log(aws: Aws) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html"""
    name = aws.function(ECHO, Runtime="python3.99")
    answer = aws.invoke(name, 1, LogType="Tail")[1]
    tail = base64.b64decode(answer["LogResult"]).decode()
    assert "WARNING This host has no python3.99 that runs" in tail


def test_a_runtime_that_this_host_has_runs_the_function(aws: Aws) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html"""
    found = [f"python3.{minor}" for minor in (11, 12, 13) if python_for(f"python3.{minor}")]
    for runtime in found:
        name = aws.function(
            "import sys\ndef handler(event, context):\n    return sys.version_info[:2]\n",
            Runtime=runtime,
        )
        assert aws.invoke(name)[0] == [3, int(runtime.removeprefix("python3."))]
    assert base_runtime() in found


def test_json_logs_have_the_platforms_events(aws: Aws) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-advanced.html"""
    name = aws.function(
        "import logging\ndef handler(event, context):\n    logging.warning('seen')\n",
        LoggingConfig={"LogFormat": "JSON"},
    )
    request_id = aws.invoke(name)[1]["ResponseMetadata"]["RequestId"]
    found = aws.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
    start, own, report = [json.loads(event["message"]) for event in found]
    assert (start["type"], start["record"]["version"]) == ("platform.start", "$LATEST")
    assert own["message"] == "seen" and own["requestId"] == request_id
    assert report["type"] == "platform.report"
    assert report["record"]["requestId"] == request_id
    assert report["record"]["metrics"]["memorySizeMB"] == 256


def test_a_denial_names_the_caller_the_action_and_the_qualified_function(aws: Aws) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/access-control-identity-based.html"""
    name = aws.function(
        "import boto3\ndef handler(event, context):\n"
        "    boto3.client('lambda').invoke(FunctionName='other', Qualifier='live')\n",
        Role=aws.role_with(services=["lambda"]),
    )
    said = aws.invoke(name)[0]["errorMessage"]
    assert "AccessDeniedException" in said and f"/{name} is not authorized to perform" in said
    arn = "arn:aws:lambda:us-east-1:123456789012:function:other:live"
    assert f"lambda:InvokeFunction on resource: {arn} because no identity-based policy" in said


def test_two_hundred_callers_at_once_are_all_answered(aws: Aws) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html

    Each call waits for another of this server, so threads of a bounded number would all wait.
    """
    aws.client("s3").create_bucket(Bucket=(bucket := unique("crowd")))
    name = aws.function(
        "import boto3\ns3 = boto3.client('s3')\n"
        "def handler(event, context):\n"
        f"    return s3.list_objects_v2(Bucket='{bucket}')['KeyCount']\n",
        Timeout=60,
    )
    url = urllib.parse.urlsplit(aws.local.endpoint_url)
    scope = "Credential=test/20260101/us-east-1/lambda/aws4_request, SignedHeaders=host"
    found = []

    def call() -> None:
        connection = http.client.HTTPConnection(url.netloc, timeout=120)
        path = f"/2015-03-31/functions/{name}/invocations"
        headers = {"Authorization": f"AWS4-HMAC-SHA256 {scope}, Signature=0"}
        connection.request("POST", path, b"{}", headers)
        answer = connection.getresponse()
        found.append((answer.status, answer.read()))
        connection.close()

    threads = [threading.Thread(target=call) for _ in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert found == [(200, b"0")] * 200
