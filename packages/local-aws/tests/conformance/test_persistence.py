"""What a killed and started server still has; on AWS nothing would have happened.

Each case's source is that its calls answer the same before and after.
"""

import json
import os
import re
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.control import LocalAws
from local_aws.errors import LocalAwsError
from local_aws.sagemaker.image_programs import ImageCommands
from local_aws.testing.aws import Aws
from local_aws.testing.hosting import IMAGE, Hosting, variant

# The second item works only once there is an object of that name.
STUCK = """
import boto3, time
def handler(event, context):
    s3 = boto3.client("s3")
    s3.put_object(Bucket=event["bucket"], Key=f"calls/{event['n']}/{context.aws_request_id}")
    while event["n"] == 2 and "Contents" not in s3.list_objects_v2(
        Bucket=event["bucket"], Prefix="go"
    ):
        time.sleep(0.1)
    return event["n"]
"""
DIGITS = "def handler(event, context):\n    print('ran')\n    return {'doubled': event['n'] * 2}\n"


@dataclass
class World:
    """What was made before the kill, with what it answered then."""

    aws: Aws
    hosting: Hosting
    answers: dict[str, Any] = field(default_factory=dict)


CLUSTER = {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}


def is_running(pid: int) -> bool:
    """Return whether a process is there and has not ended, though perhaps nobody waited for it."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def kill(local: LocalAws) -> None:
    os.kill(local.record.pid, signal.SIGKILL)
    local.stop()


@pytest.fixture(scope="module")
def restarted(
    tmp_path_factory: pytest.TempPathFactory, toys: dict[str, ImageCommands]
) -> Iterator[World]:
    home = tmp_path_factory.mktemp("kept")
    with LocalAws.start(home, 0, toys) as local:
        aws = Aws.of(local)
        before = World(aws, Hosting.of(aws))
        build(before)
        before.answers["processes"] = local.ask("/_local_aws/processes")
        kill(local)
    # On the same port: a kill must leave neither it nor the folder's lock taken.
    with LocalAws.start(home, local.record.port, toys) as local:
        aws = Aws(local, before.aws.role)
        yield World(aws, Hosting(aws, before.hosting.bucket, aws.role), before.answers)


def build(world: World) -> None:
    """Make one of each kind; the last call is acknowledged when the process is killed."""
    keep = world.answers
    aws, s3 = world.aws, world.aws.client("s3")
    bucket = world.hosting.bucket
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for body in (b"one", b"two" * 1000):
        s3.put_object(Bucket=bucket, Key="versioned", Body=body, Metadata={"of": "mine"})
    s3.put_object(Bucket=bucket, Key="deleted", Body=b"x" * 1000)
    s3.delete_object(Bucket=bucket, Key="deleted")
    s3.delete_object(Bucket=bucket, Key="never-there")
    keep["function"] = function = aws.function(DIGITS)
    arn = aws.client("lambda").get_function(FunctionName=function)["Configuration"]["FunctionArn"]
    task = {"Type": "Task", "Resource": arn, "End": True}
    keep["machine"] = machine = aws.state_machine({"StartAt": "Double", "States": {"Double": task}})
    keep["ended"] = aws.run(machine, {"n": 21})
    states = aws.client("stepfunctions")
    keep["history"] = states.get_execution_history(executionArn=keep["ended"]["executionArn"])
    wait = {"Type": "Wait", "Seconds": 600, "End": True}
    waiting = aws.state_machine({"StartAt": "Wait", "States": {"Wait": wait}})
    keep["running"] = states.start_execution(stateMachineArn=waiting)["executionArn"]
    build_endpoint(world)
    build_others(world)


def build_endpoint(world: World) -> None:
    keep, hosting = world.answers, world.hosting
    weighed = variant(hosting.model("[0.8, 0.2]"), InitialVariantWeight=0.25)
    capture = {
        "EnableCapture": True,
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": f"s3://{hosting.bucket}/captured",
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
    }
    keep["endpoint"] = hosting.endpoint(hosting.configuration(weighed, DataCaptureConfig=capture))
    hosting.sagemaker.update_endpoint_weights_and_capacities(
        EndpointName=keep["endpoint"],
        DesiredWeightsAndCapacities=[{"VariantName": "AllTraffic", "DesiredWeight": 0.75}],
    )
    hosting.settled(keep["endpoint"])
    keep["serving"] = serving(world)
    hosting.sagemaker.create_training_job(
        TrainingJobName="broken-off",
        AlgorithmSpecification={"TrainingImage": IMAGE, "TrainingInputMode": "File"},
        RoleArn=hosting.role,
        HyperParameters={"seconds": "600"},
        OutputDataConfig={"S3OutputPath": f"s3://{hosting.bucket}/models"},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        StoppingCondition={"MaxRuntimeInSeconds": 900},
    )
    build_jobs(world)


def build_jobs(world: World) -> None:
    hosting = world.hosting
    process(hosting, "broken-off", ["sleep", "600"])
    process(hosting, "over", ["true"])
    hosting.aws.eventually(lambda: processed(hosting, "over") != "InProgress" or None)


def process(hosting: Hosting, name: str, entrypoint: list[str]) -> None:
    hosting.sagemaker.create_processing_job(
        ProcessingJobName=name,
        ProcessingResources={"ClusterConfig": CLUSTER},
        AppSpecification={"ImageUri": IMAGE, "ContainerEntrypoint": entrypoint},
        RoleArn=hosting.role,
    )


def processed(hosting: Hosting, name: str) -> str:
    found = hosting.sagemaker.describe_processing_job(ProcessingJobName=name)
    return str(found["ProcessingJobStatus"])


def build_others(world: World) -> None:
    keep, client = world.answers, world.aws.client
    key = client("kms").create_key(KeyUsage="SIGN_VERIFY", KeySpec="ECC_NIST_P256")
    keep["key"] = key["KeyMetadata"]["KeyId"]
    keep["signed"] = client("kms").sign(
        KeyId=keep["key"], Message=b"text", SigningAlgorithm="ECDSA_SHA_256"
    )["Signature"]
    client("cloudwatch").put_metric_alarm(
        AlarmName="kept",
        MetricName="Failed",
        Namespace="Scones",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
    )
    client("iam").attach_role_policy(
        RoleName=world.aws.role.rpartition("/")[2],
        PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess",
    )
    build_table(world)
    keep["map_runs"] = [build_map_run(world, kind) for kind in ("EXPRESS", "STANDARD")]
    client("sqs").create_queue(QueueName="last")


def build_table(world: World) -> None:
    dynamodb = world.aws.client("dynamodb")
    dynamodb.create_table(
        TableName="kept",
        KeySchema=[
            {"AttributeName": "image", "KeyType": "HASH"},
            {"AttributeName": "release", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": "image", "AttributeType": "S"},
            {"AttributeName": "release", "AttributeType": "B"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    values = {"label": {"S": "bicycle"}, "of": {"L": [{"M": {"n": {"N": "1"}}}, {"NULL": True}]}}
    row = {"image": {"S": "a"}, "release": {"B": b"1"}, **values, "set": {"SS": ["x", "y"]}}
    dynamodb.put_item(TableName="kept", Item=row)
    key = {name: row[name] for name in ("image", "release")}
    for name in ("deleted", "a"):
        dynamodb.put_item(TableName="kept", Item={**row, "image": {"S": name}})
    dynamodb.delete_item(TableName="kept", Key={**key, "image": {"S": "deleted"}})
    dynamodb.update_item(
        TableName="kept",
        Key=key,
        UpdateExpression="SET n = :n",
        ExpressionAttributeValues={":n": {"N": "2"}},
    )
    world.answers["row"] = {**row, "n": {"N": "2"}}


def build_map_run(world: World, kind: str) -> str:
    """Return an execution whose Map Run is at its second child of three."""
    aws, states = world.aws, world.aws.client("stepfunctions")
    bucket = f"{world.hosting.bucket}-{kind.lower()}"
    aws.client("s3").create_bucket(Bucket=bucket)
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {
            "FunctionName": aws.function(STUCK, Timeout=60),
            "Payload": {"bucket": bucket, "n.$": "$"},
        },
        "OutputPath": "$.Payload",
        "End": True,
    }
    config = {"Mode": "DISTRIBUTED", "ExecutionType": kind}
    processor = {"ProcessorConfig": config, "StartAt": "A", "States": {"A": task}}
    state = {"Type": "Map", "ItemProcessor": processor, "MaxConcurrency": 1, "End": True}
    machine = aws.state_machine({"StartAt": "M", "States": {"M": state}})
    given = {"stateMachineArn": machine, "input": "[1, 2, 3]"}
    arn: str = states.start_execution(**given)["executionArn"]

    def second_runs() -> bool | None:
        listing = aws.client("s3").list_objects_v2(Bucket=bucket, Prefix="calls/2/")
        return True if listing["KeyCount"] else None

    aws.eventually(second_runs)
    return arn


@pytest.mark.parametrize("place", [0, 1], ids=["EXPRESS", "STANDARD"])
def test_a_map_run_that_was_killed_is_redriven_without_what_had_succeeded(
    restarted: World, place: int
) -> None:
    aws, states = restarted.aws, restarted.aws.client("stepfunctions")
    s3, arn = aws.client("s3"), restarted.answers["map_runs"][place]
    bucket = f"{restarted.hosting.bucket}-{('express', 'standard')[place]}"
    execution = states.describe_execution(executionArn=arn)
    assert (execution["status"], execution["redriveStatus"]) == ("ABORTED", "REDRIVABLE")
    (run,) = states.list_map_runs(executionArn=arn)["mapRuns"]
    counts = states.describe_map_run(mapRunArn=run["mapRunArn"])["itemCounts"]
    assert {counts[name] for name in ("succeeded", "aborted", "pending")} == {1}
    assert (counts["running"], counts["total"]) == (0, 3)
    s3.put_object(Bucket=bucket, Key="go")
    states.redrive_execution(executionArn=arn)
    assert json.loads(aws.wait(arn)["output"]) == [1, 2, 3]
    assert [
        s3.list_objects_v2(Bucket=bucket, Prefix=f"calls/{n}/")["KeyCount"] for n in (1, 2, 3)
    ] == [1, 2, 1]
    found = states.describe_map_run(mapRunArn=run["mapRunArn"])
    assert (found["status"], found["redriveCount"]) == ("SUCCEEDED", 1)


def test_a_table_has_its_rows_and_takes_more(restarted: World) -> None:
    dynamodb, row = restarted.aws.client("dynamodb"), restarted.answers["row"]
    assert dynamodb.scan(TableName="kept")["Items"] == [row]
    with pytest.raises(dynamodb.exceptions.ConditionalCheckFailedException):
        dynamodb.put_item(
            TableName="kept", Item=row, ConditionExpression="attribute_not_exists(image)"
        )
    dynamodb.delete_item(TableName="kept", Key={n: row[n] for n in ("image", "release")})
    assert dynamodb.scan(TableName="kept")["Count"] == 0


def serving(world: World) -> dict[str, Any]:
    endpoint = world.hosting.settled(world.answers["endpoint"])
    names = ("EndpointArn", "EndpointStatus", "EndpointConfigName", "ProductionVariants")
    return {name: endpoint[name] for name in (*names, "CreationTime")}


def test_the_last_acknowledged_call_before_a_kill_is_kept(restarted: World) -> None:
    assert restarted.aws.client("sqs").get_queue_url(QueueName="last")["QueueUrl"]


def test_a_kill_leaves_no_process_of_a_worker_an_endpoint_or_a_job(restarted: World) -> None:
    processes = restarted.answers["processes"]
    kinds = {process["owner"].partition("/")[0] for process in processes}
    assert kinds == {"function", "endpoint", "processing-job", "training-job"}
    running = [process for process in processes if is_running(process["pid"])]
    assert running == []


def test_objects_have_their_versions_markers_and_metadata(restarted: World) -> None:
    s3, bucket = restarted.aws.client("s3"), restarted.hosting.bucket
    listed = s3.list_object_versions(Bucket=bucket, Prefix="versioned")["Versions"]
    bodies = [
        s3.get_object(Bucket=bucket, Key="versioned", VersionId=version["VersionId"])
        for version in sorted(listed, key=lambda version: version["Size"])
    ]
    assert [answer["Body"].read() for answer in bodies] == [b"one", b"two" * 1000]
    assert all(answer["Metadata"] == {"of": "mine"} for answer in bodies)
    markers = s3.list_object_versions(Bucket=bucket)["DeleteMarkers"]
    assert [marker["Key"] for marker in markers] == ["deleted", "never-there"]


def test_a_function_runs(restarted: World) -> None:
    assert restarted.aws.invoke(restarted.answers["function"], {"n": 4})[0] == {"doubled": 8}


def test_a_function_keeps_its_log(restarted: World) -> None:
    group = f"/aws/lambda/{restarted.answers['function']}"
    events = restarted.aws.client("logs").filter_log_events(logGroupName=group)["events"]
    assert any("ran" in event["message"] for event in events)


def test_an_ended_execution_and_its_history_are_as_they_were(restarted: World) -> None:
    states, ended = restarted.aws.client("stepfunctions"), restarted.answers["ended"]
    again = states.describe_execution(executionArn=ended["executionArn"])
    history = states.get_execution_history(executionArn=ended["executionArn"])
    for answer in (again, history, ended, restarted.answers["history"]):
        answer.pop("ResponseMetadata", None)
    assert again == ended and history == restarted.answers["history"]


def test_a_running_execution_was_aborted_and_says_why(restarted: World) -> None:
    states, arn = restarted.aws.client("stepfunctions"), restarted.answers["running"]
    execution = states.describe_execution(executionArn=arn)
    last = states.get_execution_history(executionArn=arn)["events"][-1]
    assert execution["status"] == "ABORTED" and execution["stopDate"]
    assert "ended while" in execution["cause"]
    assert last["type"] == "ExecutionAborted"
    assert last["executionAbortedEventDetails"]["cause"] == execution["cause"]


def test_a_state_machine_runs_on(restarted: World) -> None:
    ended = restarted.aws.run(restarted.answers["machine"], {"n": 5})
    assert json.loads(ended["output"]) == {"doubled": 10}


def test_an_endpoint_serves_again_with_its_weights(restarted: World) -> None:
    hosting, name = restarted.hosting, restarted.answers["endpoint"]
    hosting.reaches(name, lambda endpoint: endpoint["EndpointStatus"] == "InService")
    assert serving(restarted) == restarted.answers["serving"]
    assert json.loads(hosting.invoke(name)) == [0.8, 0.2]


def test_captures_go_on(restarted: World) -> None:
    hosting, name = restarted.hosting, restarted.answers["endpoint"]
    hosting.reaches(name, lambda endpoint: endpoint["EndpointStatus"] == "InService")
    hosting.invoke(name, b"captured after the restart", InferenceId="later")
    found = restarted.aws.eventually(
        lambda: [b for b in hosting.objects("captured/").values() if b"later" in b] or None
    )
    assert found


def test_a_broken_off_training_job_has_failed_and_says_why(restarted: World) -> None:
    job = restarted.hosting.sagemaker.describe_training_job(TrainingJobName="broken-off")
    assert job["TrainingJobStatus"] == "Failed"
    assert "ended while the job ran" in job["FailureReason"]


def test_keys_alarms_and_policies_are_the_same(restarted: World) -> None:
    client, keep = restarted.aws.client, restarted.answers
    checked = client("kms").verify(
        KeyId=keep["key"],
        Message=b"text",
        Signature=keep["signed"],
        SigningAlgorithm="ECDSA_SHA_256",
    )
    assert checked["SignatureValid"]
    assert client("cloudwatch").describe_alarms(AlarmNames=["kept"])["MetricAlarms"]
    role = restarted.aws.role.rpartition("/")[2]
    attached = client("iam").list_attached_role_policies(RoleName=role)["AttachedPolicies"]
    assert [policy["PolicyName"] for policy in attached] == ["ReadOnlyAccess"]
    policies = client("iam").get_paginator("list_policies").paginate(Scope="AWS")
    assert sum(len(page["Policies"]) for page in policies) > 1000


def test_an_execution_that_was_seen_finished_is_finished_after_a_kill(tmp_path: Path) -> None:
    with LocalAws.start(tmp_path, 0, {}) as local:
        aws = Aws.of(local)
        machine = aws.state_machine(
            {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}}
        )
        states = aws.client("stepfunctions")
        # The first are saved meanwhile; the last is seen when the process is killed.
        for number in range(5):
            seen = aws.run(machine, {"n": number})
        kill(local)
    with LocalAws.start(tmp_path, local.record.port, {}) as local:
        states = Aws(local, aws.role).client("stepfunctions")
        listed = states.list_executions(stateMachineArn=machine)["executions"]
        assert [found["status"] for found in listed] == ["SUCCEEDED"] * 5
        found = states.describe_execution(executionArn=seen["executionArn"])
        assert found["output"] == seen["output"] == '{"n":4}'
        history = states.get_execution_history(executionArn=seen["executionArn"])["events"]
        assert history[-1]["type"] == "ExecutionSucceeded"


def test_a_job_that_was_seen_finished_is_finished_after_a_kill(
    tmp_path: Path, toys: dict[str, ImageCommands]
) -> None:
    with LocalAws.start(tmp_path, 0, toys) as local:
        hosting = Hosting.of(Aws.of(local))
        # The first are saved meanwhile; the last is seen when the process is killed.
        names = [f"job-{number}" for number in range(5)]
        for name in names:
            process(hosting, name, ["true"])
            hosting.aws.eventually(lambda: processed(hosting, name) == "Completed" or None)  # noqa: B023
        kill(local)
    with LocalAws.start(tmp_path, local.record.port, toys) as local:
        again = Hosting(Aws(local, hosting.role), hosting.bucket, hosting.role)
        assert [processed(again, name) for name in names] == ["Completed"] * 5


def test_nothing_is_reported_as_not_saved(restarted: World) -> None:
    assert "not kept" not in (log := restarted.aws.local.home / "server.log").read_text()
    assert "not saved" not in log.read_text()


def test_a_stop_keeps_everything_too(tmp_path: Path) -> None:
    with LocalAws.start(tmp_path, 0, {}) as local:
        Aws.of(local).client("s3").create_bucket(Bucket="kept")
    with LocalAws.start(tmp_path, 0, {}) as local:
        names = [b["Name"] for b in Aws(local, "").client("s3").list_buckets()["Buckets"]]
    assert names == ["kept"]


@pytest.mark.parametrize("damage", [b"", b"{}\nx", b"text"])
def test_damaged_state_is_refused_and_left_as_it_is(tmp_path: Path, damage: bytes) -> None:
    with LocalAws.start(tmp_path, 0, {}) as local:
        Aws.of(local)
    records = tmp_path / "state" / "records"
    records.write_bytes(damage)
    with pytest.raises(LocalAwsError, match=r"not loaded.*local\.reset"):
        LocalAws.start(tmp_path, 0, {})
    assert records.read_bytes() == damage


def test_a_function_runs_what_was_deployed_whatever_became_of_its_files(tmp_path: Path) -> None:
    with LocalAws.start(tmp_path, 0, {}) as local:
        aws = Aws.of(local)
        name = aws.function("def handler(event, context):\n    return 1\n")
        assert aws.invoke(name)[0] == 1
    (code,) = (tmp_path / "lambda" / "code").rglob("app.py")
    code.write_text("def handler(event, context):\n    return 2\n")
    with LocalAws.start(tmp_path, 0, {}) as local:
        assert Aws(local, "").invoke(name)[0] == 1


def test_a_start_is_awaited_for_as_long_as_it_takes_to_load_what_is_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with LocalAws.start(tmp_path, 0, {}) as local:
        Aws(local, "").client("s3").create_bucket(Bucket="kept")
    with (tmp_path / "state" / "bodies" / ("0" * 64)).open("wb") as left_over:
        left_over.truncate(2 << 30)
    monkeypatch.setattr("local_aws.control.START_SECONDS", 0.0)
    with LocalAws.start(tmp_path, 0, {}) as local:
        assert Aws(local, "").client("s3").list_buckets()["Buckets"]


def body_that_names_others(home: Path) -> Path:
    """Return the file that most depends on: of a bucket's objects it is the largest segment."""
    digest = re.compile(rb"[0-9a-f]{64}")
    bodies = (home / "state" / "bodies").iterdir()
    return max(bodies, key=lambda path: len(digest.findall(path.read_bytes())))


def test_a_damaged_file_costs_no_other_file_and_nothing_is_acknowledged_that_is_not_saved(
    tmp_path: Path,
) -> None:
    keys = [f"key-{number}" for number in range(8)]
    with LocalAws.start(tmp_path, 0, {}) as local:
        s3 = Aws(local, "").client("s3")
        s3.create_bucket(Bucket="kept")
        for key in keys:
            s3.put_object(Bucket="kept", Key=key, Body=key.encode() * 500)
    damaged = body_that_names_others(tmp_path)
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:-1])
    with LocalAws.start(tmp_path, 0, {}) as local:
        assert any("s3" in problem for problem in local.problems())
        with pytest.raises(ClientError, match="not loaded"):
            Aws(local, "").client("s3").create_bucket(Bucket="lost")
        Aws(local, "").client("sqs").create_queue(QueueName="of-another-service")
    damaged.write_bytes(whole)
    with LocalAws.start(tmp_path, 0, {}) as local:
        s3 = Aws(local, "").client("s3")
        assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["kept"]
        for key in keys:
            assert s3.get_object(Bucket="kept", Key=key)["Body"].read() == key.encode() * 500


def test_files_that_were_deleted_under_a_running_server_are_written_again(tmp_path: Path) -> None:
    body = b"body" * 500
    with LocalAws.start(tmp_path, 0, {}) as local:
        s3 = Aws(local, "").client("s3")
        s3.create_bucket(Bucket="kept")
        s3.put_object(Bucket="kept", Key="key", Body=body)
        shutil.rmtree(tmp_path / "state")
        s3.put_object(Bucket="kept", Key="other", Body=b"other")
        kill(local)
    with LocalAws.start(tmp_path, 0, {}) as local:
        assert (
            Aws(local, "").client("s3").get_object(Bucket="kept", Key="key")["Body"].read() == body
        )


def test_processing_jobs_are_kept_and_a_broken_off_one_has_failed(restarted: World) -> None:
    hosting = restarted.hosting
    assert processed(hosting, "over") == "Completed"
    assert processed(hosting, "broken-off") == "Failed"


def test_a_null_version_a_listing_and_the_numbers_of_versions_go_on(tmp_path: Path) -> None:
    with LocalAws.start(tmp_path, 0, {}) as local:
        aws = Aws.of(local)
        s3, functions = aws.client("s3"), aws.client("lambda")
        s3.create_bucket(Bucket="kept")
        asked = {"Bucket": "kept", "Key": "k"}
        versions = []
        for status in ("Enabled", "Suspended"):
            given = {"Status": status}
            s3.put_bucket_versioning(Bucket="kept", VersioningConfiguration=given)
            versions.append(s3.put_object(**asked, Body=status.encode()).get("VersionId", "null"))
        s3.delete_object(**asked)
        for key in ("l", "m", "n"):
            s3.put_object(Bucket="kept", Key=key, Body=b"")
        token = s3.list_objects_v2(Bucket="kept", MaxKeys=1)["NextContinuationToken"]
        name = aws.function("def handler(event, context):\n    return 1\n")
        functions.publish_version(FunctionName=name)
        functions.delete_function(FunctionName=name, Qualifier="1")
    with LocalAws.start(tmp_path, 0, {}) as local:
        aws = Aws(local, "")
        s3, functions = aws.client("s3"), aws.client("lambda")
        page = s3.list_object_versions(Bucket="kept", Prefix="k")
        assert [one["VersionId"] for one in page["DeleteMarkers"]] == ["null"]
        assert [one["VersionId"] for one in page["Versions"]] == versions[:1]
        rest = s3.list_objects_v2(Bucket="kept", ContinuationToken=token)["Contents"]
        assert [one["Key"] for one in rest] == ["m", "n"]
        assert functions.publish_version(FunctionName=name)["Version"] == "2"
