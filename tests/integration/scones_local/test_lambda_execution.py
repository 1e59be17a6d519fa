import base64
import json
import threading
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

ECHO = "def handler(event, context):\n    return event\n"


def test_a_handler_gets_the_event_and_the_answer_is_its_own(aws):
    assert aws.invoke(aws.function(ECHO), {"a": [1, "ü"]})[0] == {"a": [1, "ü"]}


def test_a_warm_worker_is_used_again(aws):
    name = aws.function("import os\ndef handler(event, context):\n    return os.getpid()\n")
    assert len({aws.invoke(name)[0] for _ in range(5)}) == 1


def test_a_function_sees_its_settings_and_nothing_of_the_server(aws):
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


@pytest.mark.parametrize("module", ["moto", "scones_local", "scones_core", "flask", "pytest"])
def test_a_function_cannot_import_what_is_not_in_its_zip(aws, module):
    result, answer = aws.invoke(aws.function(f"import {module}\n{ECHO}"))
    assert answer["FunctionError"] == "Unhandled"
    assert result["errorType"] == "Runtime.ImportModuleError"
    assert module in result["errorMessage"]


def test_the_runtime_brings_boto3_and_it_reaches_this_server(aws):
    name = aws.function(
        "import boto3\ndef handler(event, context):\n"
        "    return boto3.client('sts').get_caller_identity()['Account']\n"
    )
    assert aws.invoke(name)[0] == "123456789012"


def test_an_exception_comes_back_under_its_class_name_with_paths_as_on_aws(aws):
    name = aws.function(
        "class ImageNotFound(Exception): pass\n"
        "def handler(event, context):\n    raise ImageNotFound('no cat')\n"
    )
    result, answer = aws.invoke(name)
    assert answer["FunctionError"] == "Unhandled" and answer["StatusCode"] == 200
    assert (result["errorType"], result["errorMessage"]) == ("ImageNotFound", "no cat")
    assert '"/var/task/app.py"' in result["stackTrace"][0]


def test_a_failed_import_is_an_error_of_the_runtime_at_each_invocation(aws):
    name = aws.function("raise RuntimeError('broken')\n")
    for _ in range(2):
        assert aws.invoke(name)[0]["errorType"] == "RuntimeError"


def test_a_missing_handler_is_told(aws):
    name = aws.function("x = 1\n")
    assert aws.invoke(name)[0]["errorType"] == "Runtime.HandlerNotFound"


def test_an_endless_handler_is_ended_at_its_timeout_and_the_next_one_works(aws):
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
def test_a_crash_is_an_exit_error_and_the_next_invocation_works(aws, way, said):
    name = aws.function(f"import os\ndef handler(event, context):\n    event or {way}\n")
    result, answer = aws.invoke(name)
    assert answer["FunctionError"] == "Unhandled"
    assert result["errorType"] == "Runtime.ExitError"
    assert said in result["errorMessage"]
    assert "FunctionError" not in aws.invoke(name, 1)[1]


def test_too_much_memory_ends_the_worker(aws):
    if not Path("/proc/self/status").exists():
        pytest.skip("the system does not tell a process's peak memory")
    name = aws.function(
        "def handler(event, context):\n    return len(bytearray(200_000_000))\n", MemorySize=128
    )
    assert aws.invoke(name)[0]["errorType"] == "Runtime.OutOfMemory"


def test_the_log_group_has_what_was_printed_between_start_and_report(aws):
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


def test_new_code_retires_the_warm_worker(aws):
    name = aws.function("def handler(event, context):\n    return 1\n")
    assert aws.invoke(name)[0] == 1
    changed = aws.package({"app.py": "def handler(event, context):\n    return 2\n"})
    aws.client("lambda").update_function_code(FunctionName=name, ZipFile=changed)
    assert aws.invoke(name)[0] == 2


def test_new_configuration_retires_the_warm_worker(aws):
    name = aws.function("import os\ndef handler(event, context):\n    return os.environ['A']\n")
    for value in ("1", "2"):
        aws.client("lambda").update_function_configuration(
            FunctionName=name, Environment={"Variables": {"A": value}}
        )
        assert aws.invoke(name)[0] == value


def test_a_version_keeps_its_code_and_an_alias_leads_to_it(aws):
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


def test_an_event_is_tried_again_until_it_works(aws):
    aws.client("s3").create_bucket(Bucket="tries")
    name = aws.function(
        "import boto3\ns3 = boto3.client('s3')\n"
        "def handler(event, context):\n"
        "    n = s3.list_objects_v2(Bucket='tries')['KeyCount']\n"
        "    s3.put_object(Bucket='tries', Key=f'{n}', Body=b'')\n"
        "    assert n\n"
    )
    assert aws.invoke(name, InvocationType="Event")[1]["StatusCode"] == 202
    s3 = aws.client("s3")
    aws.eventually(lambda: True if s3.list_objects_v2(Bucket="tries")["KeyCount"] == 2 else None)


def test_an_event_that_never_works_goes_to_the_dead_letters(aws):
    queues = aws.client("sqs")
    url = queues.create_queue(QueueName="dead")["QueueUrl"]
    arn = queues.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    name = aws.function(
        "def handler(event, context):\n    raise ValueError\n",
        DeadLetterConfig={"TargetArn": arn["Attributes"]["QueueArn"]},
    )
    aws.client("lambda").put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=0)
    aws.invoke(name, {"lost": 1}, InvocationType="Event")
    message = aws.eventually(
        lambda: queues.receive_message(QueueUrl=url, WaitTimeSeconds=0).get("Messages")
    )
    assert json.loads(message[0]["Body"]) == {"lost": 1}


def test_a_dry_run_runs_nothing(aws):
    assert aws.invoke(aws.function(ECHO), InvocationType="DryRun")[1]["StatusCode"] == 204


def test_reserved_concurrency_is_a_limit_and_zero_stops_the_function(aws):
    name = aws.function(ECHO)
    aws.client("lambda").put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    with pytest.raises(ClientError) as refusal:
        aws.invoke(name)
    assert refusal.value.response["Error"]["Code"] == "TooManyRequestsException"
    assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] == 429


def test_handlers_run_side_by_side_and_the_server_answers_meanwhile(aws):
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
def test_a_package_that_is_no_zip_is_refused_when_it_is_deployed(aws, content):
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


def test_a_body_that_is_no_json_is_refused(aws):
    with pytest.raises(ClientError) as refusal:
        aws.client("lambda").invoke(FunctionName=aws.function(ECHO), Payload=b"{")
    assert refusal.value.response["Error"]["Code"] == "InvalidRequestContentException"


def test_an_unknown_function_is_not_found(aws):
    with pytest.raises(ClientError) as refusal:
        aws.invoke("nobody")
    assert refusal.value.response["Error"]["Code"] == "ResourceNotFoundException"
