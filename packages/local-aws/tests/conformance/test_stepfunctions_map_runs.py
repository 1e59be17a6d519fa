"""The Distributed Map, case by case, against the pages of the Step Functions Developer Guide."""

import csv
import gzip
import io
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from local_aws.testing.aws import Aws, unique

PASS = {"P": {"Type": "Pass", "End": True}}
FAIL_ON_ZERO = {
    "C": {
        "Type": "Choice",
        "Choices": [{"Variable": "$.n", "NumericEquals": 0, "Next": "F"}],
        "Default": "P",
    },
    "F": {"Type": "Fail", "Error": "Zero", "Cause": "n was 0"},
    "P": {"Type": "Pass", "End": True},
}
EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}


def flow(states: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"StartAt": next(iter(states)), "States": states, **more}


def distributed(states: dict[str, Any], kind: str = "STANDARD", **more: Any) -> dict[str, Any]:
    config = {"Mode": "DISTRIBUTED", "ExecutionType": kind}
    state = {
        "Type": "Map",
        "ItemProcessor": {"ProcessorConfig": config, **flow(states)},
        "Label": "Each",
        "End": True,
        **more,
    }
    return flow({"Map": state})


def reader(bucket: str, key: str | None = None, **config: Any) -> dict[str, Any]:
    if key is None:
        return {
            "Resource": "arn:aws:states:::s3:listObjectsV2",
            "Parameters": {"Bucket": bucket, "Prefix.$": "$.prefix"},
            **({"ReaderConfig": config} if config else {}),
        }
    return {
        "Resource": "arn:aws:states:::s3:getObject",
        "Parameters": {"Bucket": bucket, "Key": key},
        "ReaderConfig": config,
    }


def output(ended: dict[str, Any]) -> Any:
    assert ended["status"] == "SUCCEEDED", (ended.get("error"), ended.get("cause"))
    return json.loads(ended["output"])


@pytest.fixture(scope="module")
def bucket(aws: Aws) -> str:
    name = unique("maps")
    aws.client("s3").create_bucket(Bucket=name)
    return name


def put(aws: Aws, bucket: str, key: str, body: bytes) -> str:
    aws.client("s3").put_object(Bucket=bucket, Key=key, Body=body)
    return key


def objects(aws: Aws, bucket: str, prefix: str) -> dict[str, str]:
    listed = aws.client("s3").list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
    return {entry["Key"].rsplit("/", 1)[-1]: entry["Key"] for entry in listed}


def read(aws: Aws, bucket: str, key: str) -> Any:
    return json.loads(aws.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read())


def map_run(aws: Aws, ended: dict[str, Any]) -> dict[str, Any]:
    states = aws.client("stepfunctions")
    (listed,) = states.list_map_runs(executionArn=ended["executionArn"])["mapRuns"]
    described: dict[str, Any] = states.describe_map_run(mapRunArn=listed["mapRunArn"])
    return described


def test_items_are_the_objects_of_every_page_of_a_listing(aws: Aws, bucket: str) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itemreader.html"""
    for number in range(5):
        put(aws, bucket, f"listed/{number}.png", b"x" * number)
    machine = aws.state_machine(
        distributed(
            PASS,
            ItemReader={
                "Resource": "arn:aws:states:::s3:listObjectsV2",
                "Parameters": {"Bucket": bucket, "Prefix.$": "$.prefix", "MaxKeys": 2},
            },
        )
    )
    found = output(aws.run(machine, {"prefix": "listed/"}))
    assert [item["Key"] for item in found] == [f"listed/{number}.png" for number in range(5)]
    assert found[3]["Size"] == 3 and found[3]["StorageClass"] == "STANDARD"
    assert set(found[0]) == {"Etag", "Key", "LastModified", "Size", "StorageClass"}
    assert isinstance(found[0]["LastModified"], int)


def test_an_empty_listing_is_no_items(aws: Aws, bucket: str) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itemreader.html"""
    machine = aws.state_machine(distributed(PASS, ItemReader=reader(bucket)))
    assert output(aws.run(machine, {"prefix": "nothing/"})) == []


@pytest.mark.parametrize(
    ("body", "config", "found"),
    [
        (b'[{"n": 1}, {"n": 2}]', {"InputType": "JSON"}, [{"n": 1}, {"n": 2}]),
        (b'{"n": 1}\n\n{"n": 2}\n', {"InputType": "JSONL"}, [{"n": 1}, {"n": 2}]),
        (
            b'id,text\n1,"a, b"\n2,c\n',
            {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"},
            [{"id": "1", "text": "a, b"}, {"id": "2", "text": "c"}],
        ),
        (
            b"1|a\n2\n",
            {
                "InputType": "CSV",
                "CSVHeaderLocation": "GIVEN",
                "CSVHeaders": ["id", "text"],
                "CSVDelimiter": "PIPE",
            },
            [{"id": "1", "text": "a"}, {"id": "2", "text": ""}],
        ),
        (
            b"id\n1\n2\n3\n",
            {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW", "MaxItems": 2},
            [{"id": "1"}, {"id": "2"}],
        ),
    ],
    ids=["json", "jsonl", "csv-first-row", "csv-given", "max-items"],
)
def test_items_are_read_from_a_file(
    aws: Aws, bucket: str, body: bytes, config: dict[str, Any], found: list[dict[str, Any]]
) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itemreader.html"""
    key = put(aws, bucket, f"{unique('file')}.txt", body)
    machine = aws.state_machine(distributed(PASS, ItemReader=reader(bucket, key, **config)))
    assert output(aws.run(machine, {})) == found


def test_items_are_read_from_an_s3_inventory(aws: Aws, bucket: str) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory-location.html"""
    rows = io.StringIO()
    csv.writer(rows).writerows([["pictures", "a+b%2F1.png", "10"], ["pictures", "c.png", "20"]])
    put(aws, bucket, "inventory/data.csv.gz", gzip.compress(rows.getvalue().encode()))
    manifest = {
        "sourceBucket": "pictures",
        "destinationBucket": f"arn:aws:s3:::{bucket}",
        "fileFormat": "CSV",
        "fileSchema": "Bucket, Key, Size",
        "files": [{"key": "inventory/data.csv.gz", "size": 1, "MD5checksum": "x"}],
    }
    key = put(aws, bucket, "inventory/manifest.json", json.dumps(manifest).encode())
    machine = aws.state_machine(
        distributed(PASS, ItemReader=reader(bucket, key, InputType="MANIFEST"))
    )
    assert output(aws.run(machine, {})) == [
        {"Bucket": "pictures", "Key": "a b/1.png", "Size": "10"},
        {"Bucket": "pictures", "Key": "c.png", "Size": "20"},
    ]


@pytest.mark.parametrize(
    ("body", "config"),
    [
        (b'{"n": 1}', {"InputType": "JSON"}),
        (b"{", {"InputType": "JSONL"}),
        (b"a,a\n1,2\n", {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"}),
        (b"[]", {"InputType": "MANIFEST"}),
    ],
)
def test_a_file_that_cannot_be_read_fails_the_map_run(
    aws: Aws, bucket: str, body: bytes, config: dict[str, str]
) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html"""
    key = put(aws, bucket, unique("bad"), body)
    machine = aws.state_machine(distributed(PASS, ItemReader=reader(bucket, key, **config)))
    ended = aws.run(machine, {})
    assert (ended["status"], ended["error"]) == ("FAILED", "States.ItemReaderFailed")
    assert map_run(aws, ended)["status"] == "FAILED"


def test_a_missing_file_can_be_caught(aws: Aws, bucket: str) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html"""
    catch = [{"ErrorEquals": ["States.ItemReaderFailed"], "Next": "Caught"}]
    definition = distributed(
        PASS, ItemReader=reader(bucket, "nobody.json", InputType="JSON"), Catch=catch
    )
    definition["States"]["Caught"] = {"Type": "Pass", "Result": "caught", "End": True}
    assert output(aws.run(aws.state_machine(definition), {})) == "caught"


@pytest.mark.parametrize("kind", ["STANDARD", "EXPRESS"])
def test_items_are_the_members_of_an_object(aws: Aws, kind: str) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itemspath.html"""
    given = {"servers": {"web": {"port": 80}, "database": {"port": 5432}}}
    plain = aws.state_machine(distributed(PASS, kind, ItemsPath="$.servers"))
    pairs = [{"Key": "web", "Value": {"port": 80}}, {"Key": "database", "Value": {"port": 5432}}]
    assert output(aws.run(plain, given)) == pairs
    selector = {"name.$": "$$.Map.Item.Key", "port.$": "$$.Map.Item.Value.port"}
    selected = aws.state_machine(
        distributed(PASS, kind, ItemsPath="$.servers", ItemSelector=selector)
    )
    found = output(aws.run(selected, given))
    assert found == [{"name": "web", "port": 80}, {"name": "database", "port": 5432}]
    jsonata = distributed(PASS, kind, QueryLanguage="JSONata", Items="{% $states.input.servers %}")
    assert output(aws.run(aws.state_machine(jsonata), given)) == pairs


def test_items_are_selected_and_then_batched(aws: Aws) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itembatcher.html"""
    machine = aws.state_machine(
        distributed(
            PASS,
            ItemsPath="$.numbers",
            ItemSelector={
                "n.$": "$$.Map.Item.Value",
                "at.$": "$$.Map.Item.Index",
                "tag.$": "$.tag",
            },
            ItemBatcher={
                "MaxItemsPerBatchPath": "$.size",
                "BatchInput": {"tag.$": "$.tag", "execution.$": "$$.Execution.Name"},
            },
        )
    )
    ended = aws.run(machine, {"numbers": [5, 6, 7], "tag": "t", "size": 2})
    first, second = output(ended)
    assert first["BatchInput"] == {"tag": "t", "execution": ended["name"]}
    assert first["Items"] == [{"n": 5, "at": 0, "tag": "t"}, {"n": 6, "at": 1, "tag": "t"}]
    assert [item["n"] for item in second["Items"]] == [7]
    found = map_run(aws, ended)
    assert (found["itemCounts"]["total"], found["executionCounts"]["total"]) == (3, 2)


def test_a_batch_keeps_within_its_bytes(aws: Aws) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itembatcher.html"""
    machine = aws.state_machine(distributed(PASS, ItemBatcher={"MaxInputBytesPerBatch": 60}))
    batches = output(aws.run(machine, ["x" * 20] * 5))
    assert [len(batch["Items"]) for batch in batches] == [2, 2, 1]
    assert all(len(json.dumps(batch, separators=(",", ":"))) <= 60 for batch in batches)


def test_results_are_written_to_s3_with_a_manifest(aws: Aws, bucket: str) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html"""
    machine = aws.state_machine(
        distributed(
            FAIL_ON_ZERO,
            ToleratedFailureCount=1,
            ResultWriter={
                "Resource": "arn:aws:states:::s3:putObject",
                "Parameters": {"Bucket": bucket, "Prefix.$": "$.prefix"},
            },
            ItemsPath="$.items",
        )
    )
    ended = aws.run(machine, {"items": [{"n": 1}, {"n": 0}, {"n": 2}], "prefix": "results"})
    found = output(ended)
    run_id = found["MapRunArn"].rsplit(":", 1)[-1]
    key = f"results/{run_id}/manifest.json"
    assert found["ResultWriterDetails"] == {"Bucket": bucket, "Key": key}
    manifest = read(aws, bucket, key)
    assert manifest["DestinationBucket"] == bucket
    assert manifest["MapRunArn"] == found["MapRunArn"]
    (succeeded,) = manifest["ResultFiles"]["SUCCEEDED"]
    (failed,) = manifest["ResultFiles"]["FAILED"]
    assert manifest["ResultFiles"]["PENDING"] == []
    assert succeeded["Key"] == f"results/{run_id}/SUCCEEDED_0.json"
    rows = read(aws, bucket, succeeded["Key"])
    assert succeeded["Size"] == len(json.dumps(rows, separators=(",", ":")))
    assert [json.loads(row["Output"]) for row in rows] == [{"n": 1}, {"n": 2}]
    assert {row["Status"] for row in rows} == {"SUCCEEDED"}
    (row,) = read(aws, bucket, failed["Key"])
    assert (row["Status"], row["Error"], row["Cause"]) == ("FAILED", "Zero", "n was 0")
    assert json.loads(row["Input"]) == {"n": 0} and "Output" not in row
    assert row["ExecutionArn"].startswith(machine.replace(":stateMachine:", ":execution:"))


def test_results_can_be_flattened_into_lines(aws: Aws, bucket: str) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html"""
    prefix = unique("lines")
    machine = aws.state_machine(
        distributed(
            PASS,
            ResultWriter={
                "Resource": "arn:aws:states:::s3:putObject",
                "Parameters": {"Bucket": bucket, "Prefix": prefix},
                "WriterConfig": {"Transformation": "FLATTEN", "OutputType": "JSONL"},
            },
        )
    )
    output(aws.run(machine, [[1, 2], [3]]))
    key = objects(aws, bucket, prefix)["SUCCEEDED_0.json"]
    body = aws.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    assert body == b"1\n2\n3\n"


def test_a_missing_bucket_for_results_fails_the_map_run(aws: Aws) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html"""
    writer = {
        "Resource": "arn:aws:states:::s3:putObject",
        "Parameters": {"Bucket": unique("gone"), "Prefix": "x"},
    }
    ended = aws.run(aws.state_machine(distributed(PASS, ResultWriter=writer)), [1])
    assert ended["error"] == "States.ResultWriterFailed"


@pytest.mark.parametrize(
    ("tolerated", "status"),
    [
        ({}, "FAILED"),
        ({"ToleratedFailureCount": 1}, "FAILED"),
        ({"ToleratedFailureCount": 2}, "SUCCEEDED"),
        ({"ToleratedFailureCountPath": "$.most"}, "SUCCEEDED"),
        ({"ToleratedFailurePercentage": 39}, "FAILED"),
        ({"ToleratedFailurePercentage": 40}, "SUCCEEDED"),
        ({"ToleratedFailurePercentagePath": "$.share"}, "SUCCEEDED"),
        ({"ToleratedFailureCount": 2, "ToleratedFailurePercentage": 10}, "FAILED"),
    ],
)
def test_failures_are_tolerated_up_to_a_count_and_a_percentage(
    aws: Aws, tolerated: dict[str, Any], status: str
) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/maprun-fail-threshold.html"""
    machine = aws.state_machine(distributed(FAIL_ON_ZERO, ItemsPath="$.items", **tolerated))
    items = [{"n": n} for n in (0, 1, 0, 1, 1)]
    ended = aws.run(machine, {"items": items, "most": 2, "share": 50})
    assert ended["status"] == status
    if status == "FAILED":
        assert ended["error"] == "States.ExceedToleratedFailureThreshold"
    else:
        results = json.loads(ended["output"])
        assert results[0]["Error"] == "Zero" and results[1] == {"n": 1}


def test_a_map_run_that_fails_leaves_the_rest_pending_and_can_be_caught(
    aws: Aws, bucket: str
) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/maprun-fail-threshold.html"""
    prefix = unique("pending")
    catch = [{"ErrorEquals": ["States.ExceedToleratedFailureThreshold"], "Next": "Caught"}]
    writer = {
        "Resource": "arn:aws:states:::s3:putObject",
        "Parameters": {"Bucket": bucket, "Prefix": prefix},
    }
    definition = distributed(FAIL_ON_ZERO, MaxConcurrency=1, Catch=catch, ResultWriter=writer)
    definition["States"]["Caught"] = {"Type": "Pass", "Result": "caught", "End": True}
    ended = aws.run(aws.state_machine(definition), [{"n": 1}, {"n": 0}, {"n": 2}])
    assert output(ended) == "caught"
    found = map_run(aws, ended)
    assert found["status"] == "FAILED"
    counts = found["executionCounts"]
    assert (counts["succeeded"], counts["failed"], counts["pending"]) == (1, 1, 1)
    (row,) = read(aws, bucket, objects(aws, bucket, prefix)["PENDING_0.json"])
    assert json.loads(row["Input"]) == {"n": 2}


def test_standard_children_are_listed_described_and_have_a_history(aws: Aws) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/apireference/API_ListExecutions.html"""
    states = aws.client("stepfunctions")
    ended = aws.run(aws.state_machine(distributed(PASS)), ["a", "b"])
    (listed,) = states.list_map_runs(executionArn=ended["executionArn"])["mapRuns"]
    arn = listed["mapRunArn"]
    assert arn.startswith(ended["stateMachineArn"].replace(":stateMachine:", ":mapRun:") + "/Each:")
    children = states.list_executions(mapRunArn=arn)["executions"]
    assert [child["status"] for child in children] == ["SUCCEEDED", "SUCCEEDED"]
    assert {child["mapRunArn"] for child in children} == {arn}
    found = states.describe_execution(executionArn=children[0]["executionArn"])
    assert (found["input"], found["output"], found["mapRunArn"]) == ('"a"', '"a"', arn)
    history = states.get_execution_history(executionArn=children[0]["executionArn"])["events"]
    assert [event["type"] for event in history] == [
        "ExecutionStarted",
        "PassStateEntered",
        "PassStateExited",
        "ExecutionSucceeded",
    ]
    run = map_run(aws, ended)
    assert run["status"] == "SUCCEEDED" and run["itemCounts"]["succeeded"] == 2
    assert run["executionCounts"]["resultsWritten"] == 2
    own = states.get_execution_history(executionArn=ended["executionArn"])["events"]
    assert [event["type"] for event in own][2:5] == [
        "MapStateStarted",
        "MapRunStarted",
        "MapRunSucceeded",
    ]


def test_express_children_run_and_are_not_listed(aws: Aws) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/apireference/API_ListExecutions.html"""
    states = aws.client("stepfunctions")
    ended = aws.run(aws.state_machine(distributed(PASS, kind="EXPRESS")), [1, 2])
    assert output(ended) == [1, 2]
    (listed,) = states.list_map_runs(executionArn=ended["executionArn"])["mapRuns"]
    with pytest.raises(states.exceptions.StateMachineTypeNotSupported):
        states.list_executions(mapRunArn=listed["mapRunArn"])


def test_an_execution_can_be_asked_for_its_map_runs_as_soon_as_it_is_started(aws: Aws) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/apireference/API_ListMapRuns.html"""
    states = aws.client("stepfunctions")
    machine = aws.state_machine(distributed(PASS))

    def started_and_listed(_: int) -> int:
        arn = states.start_execution(stateMachineArn=machine, input="[]")["executionArn"]
        return len(states.list_map_runs(executionArn=arn)["mapRuns"])

    # Many at once, so that some are asked about before a thread has begun with them.
    with ThreadPoolExecutor(8) as clients:
        assert set(clients.map(started_and_listed, range(200))) <= {0, 1}


def test_a_running_map_run_takes_another_tolerance(aws: Aws) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/apireference/API_UpdateMapRun.html"""
    states = aws.client("stepfunctions")
    wait = {"W": {"Type": "Wait", "Seconds": 1, "Next": "C"}, **FAIL_ON_ZERO}
    machine = aws.state_machine(distributed(wait))
    arn = states.start_execution(stateMachineArn=machine, input='[{"n": 0}]')["executionArn"]
    (listed,) = aws.eventually(lambda: states.list_map_runs(executionArn=arn)["mapRuns"] or None)
    states.update_map_run(mapRunArn=listed["mapRunArn"], toleratedFailureCount=1)
    assert aws.wait(arn)["status"] == "SUCCEEDED"
    found = states.describe_map_run(mapRunArn=listed["mapRunArn"])
    assert found["toleratedFailureCount"] == 1


def test_stopping_the_execution_aborts_its_children(aws: Aws) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/apireference/API_StopExecution.html"""
    states = aws.client("stepfunctions")
    machine = aws.state_machine(distributed({"W": {"Type": "Wait", "Seconds": 60, "End": True}}))
    arn = states.start_execution(stateMachineArn=machine, input="[1, 2]")["executionArn"]
    (listed,) = aws.eventually(lambda: states.list_map_runs(executionArn=arn)["mapRuns"] or None)
    run = listed["mapRunArn"]
    aws.eventually(lambda: len(states.list_executions(mapRunArn=run)["executions"]) == 2 or None)
    states.stop_execution(executionArn=arn, error="Enough", cause="by hand")
    ended = aws.wait(arn)
    assert (ended["status"], ended["error"], ended["cause"]) == ("ABORTED", "Enough", "by hand")
    found = aws.eventually(
        lambda: (
            found
            if (found := states.describe_map_run(mapRunArn=run))["status"] == "ABORTED"
            else None
        )
    )
    assert found["executionCounts"]["aborted"] == 2


def test_the_role_must_be_allowed_to_start_its_own_state_machine(aws: Aws) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/iam-policies-eg-dist-map.html"""
    role = aws.role_with({"Effect": "Allow", "Action": "s3:*", "Resource": "*"})
    ended = aws.run(aws.state_machine(distributed(PASS), roleArn=role), [1])
    assert (ended["status"], ended["error"]) == ("FAILED", "States.Permissions")
    assert "states:StartExecution" in ended["cause"]


def test_the_role_must_be_allowed_to_read_the_items(aws: Aws, bucket: str) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/iam-policies-eg-dist-map.html"""
    role = aws.role_with({"Effect": "Allow", "Action": "states:StartExecution", "Resource": "*"})
    machine = aws.state_machine(distributed(PASS, ItemReader=reader(bucket)), roleArn=role)
    ended = aws.run(machine, {"prefix": "listed/"})
    assert ended["error"] == "States.ItemReaderFailed" and "AccessDenied" in ended["cause"]


def test_a_path_that_is_not_there_fails_the_map_run(aws: Aws) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itemselector.html"""
    ended = aws.run(aws.state_machine(distributed(PASS, ItemSelector={"a.$": "$.nobody"})), [1])
    assert (ended["status"], ended["error"]) == ("FAILED", "States.Runtime")
    assert map_run(aws, ended)["status"] == "FAILED"


def test_the_children_of_a_versions_execution_belong_to_the_state_machine(aws: Aws) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/concepts-state-machine-version.html"""
    states = aws.client("stepfunctions")
    machine = aws.state_machine(distributed(PASS), publish=True)
    ended = aws.run(f"{machine}:1", [1])
    (listed,) = states.list_map_runs(executionArn=ended["executionArn"])["mapRuns"]
    assert listed["stateMachineArn"] == f"{machine}/Each"
    (child,) = states.list_executions(mapRunArn=listed["mapRunArn"])["executions"]
    assert states.describe_execution(executionArn=child["executionArn"])["output"] == "1"


def test_a_childs_task_can_be_ended_by_its_token(aws: Aws) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/connect-to-resource.html"""
    states, (queue, _) = aws.client("stepfunctions"), aws.queue()
    waiting = {
        "T": {
            "Type": "Task",
            "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
            "Parameters": {"QueueUrl": queue, "MessageBody.$": "$$.Task.Token"},
            "End": True,
        }
    }
    machine = aws.state_machine(distributed(waiting))
    arn = states.start_execution(stateMachineArn=machine, input="[1]")["executionArn"]
    token = aws.message(queue)["Body"]
    states.send_task_success(taskToken=token, output='{"a": 1}')
    assert output(aws.wait(arn)) == [{"a": 1}]
