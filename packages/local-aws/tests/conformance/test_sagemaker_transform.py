"""Batch transform: the model's own program over the objects of a prefix.

https://docs.aws.amazon.com/sagemaker/latest/dg/batch-transform.html
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateTransformJob.html
https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-batch-code.html
"""

import gzip
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.testing.aws import unique
from local_aws.testing.hosting import Hosting

ANSWER = b"[0.9, 0.1]"


def request(hosting: Hosting, source: str, **changes: Any) -> dict[str, Any]:
    name = unique("transform")
    data = {"S3DataSource": {"S3DataType": changes.pop("kind", "S3Prefix"), "S3Uri": source}}
    return {
        "TransformJobName": name,
        "ModelName": changes.pop("model", None) or hosting.model(),
        "TransformInput": {
            "DataSource": data,
            "ContentType": "image/png",
            **changes.pop("given", {}),
        },
        "TransformOutput": {
            "S3OutputPath": f"s3://{hosting.bucket}/out/{name}",
            "Accept": "application/json",
            **changes.pop("wanted", {}),
        },
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
        **changes,
    }


def done(hosting: Hosting, source: str, **changes: Any) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Run a job; return its description, and what it left below its output path."""
    asked = request(hosting, source, **changes)
    hosting.sagemaker.create_transform_job(**asked)
    job = ended(hosting, asked["TransformJobName"])
    before = f"out/{asked['TransformJobName']}/"
    found = hosting.objects(before)
    return job, {key.removeprefix(before): body for key, body in found.items()}


def ended(hosting: Hosting, name: str) -> dict[str, Any]:
    def over() -> dict[str, Any] | None:
        found: dict[str, Any] = hosting.sagemaker.describe_transform_job(TransformJobName=name)
        return None if found["TransformJobStatus"] in {"InProgress", "Stopping"} else found

    return hosting.aws.eventually(over)


def prefix(hosting: Hosting, **bodies: bytes) -> str:
    """Put objects below a prefix of their own; `__` in a name stands for a slash."""
    at = unique("in")
    for name, body in bodies.items():
        hosting.put(f"{at}/{name.replace('__', '/')}.png", body)
    return f"s3://{hosting.bucket}/{at}/"


def data_log(hosting: Hosting, name: str) -> list[str]:
    logs, group = hosting.aws.client("logs"), "/aws/sagemaker/TransformJobs"
    streams = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=f"{name}/")
    (stream,) = (
        entry["logStreamName"]
        for entry in streams["logStreams"]
        if entry["logStreamName"].endswith("/data-log")
    )
    found = logs.get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True)
    return [event["message"].partition(":[sagemaker logs]: ")[2] for event in found["events"]]


def test_each_object_has_an_output_in_the_same_place(hosting: Hosting) -> None:
    job, outputs = done(hosting, prefix(hosting, a=b"image", more__b=b"image"))
    assert job["TransformJobStatus"] == "Completed", job
    assert outputs == {"a.png.out": ANSWER, "more/b.png.out": ANSWER}
    assert job["TransformStartTime"] <= job["TransformEndTime"]
    assert "FailureReason" not in job


def test_one_object_and_a_prefix_without_a_slash_are_sources_too(hosting: Hosting) -> None:
    source, model = prefix(hosting, a=b"image", b=b"image"), hosting.model()
    assert set(done(hosting, source.rstrip("/"), model=model)[1]) == {"a.png.out", "b.png.out"}
    assert set(done(hosting, f"{source}a.png", model=model)[1]) == {"a.png.out"}


def test_a_manifest_names_the_objects(hosting: Hosting) -> None:
    source = prefix(hosting, a=b"image", more__b=b"image")
    manifest = json.dumps([{"prefix": source}, "more/b.png"]).encode()
    uri = hosting.put(f"{unique('manifest')}.json", manifest)
    assert set(done(hosting, uri, kind="ManifestFile")[1]) == {"more/b.png.out"}


def test_the_program_gets_the_settings_and_the_headers(hosting: Hosting) -> None:
    source = prefix(hosting, environment=b"environment", echo=b"echo")
    model = hosting.model(MODEL="1", BOTH="model")
    _, outputs = done(hosting, source, model=model, Environment={"JOB": "1", "BOTH": "job"})
    environment = json.loads(outputs["environment.png.out"])
    assert environment["SAGEMAKER_BATCH"] == "true"
    assert (environment["MODEL"], environment["JOB"], environment["BOTH"]) == ("1", "1", "job")
    headers = json.loads(outputs["echo.png.out"])
    assert headers["Content-Type"] == "image/png" and headers["Accept"] == "application/json"


def test_lines_are_requests_or_share_them(hosting: Hosting) -> None:
    source, model = prefix(hosting, a=b"echo\necho\n\necho\n"), hosting.model()
    lines = {"given": {"SplitType": "Line"}, "wanted": {"AssembleWith": "Line"}, "model": model}
    _, single = done(hosting, source, BatchStrategy="SingleRecord", **lines)
    answers = single["a.png.out"].splitlines()
    assert [json.loads(answer)["Content-Length"] for answer in answers] == ["4", "4", "4"]
    # All three in one request, whose body the program does not know.
    _, several = done(hosting, source, BatchStrategy="MultiRecord", **lines)
    assert several == {"a.png.out": ANSWER + b"\n"}


def test_compressed_inputs_are_unpacked(hosting: Hosting) -> None:
    source = prefix(hosting, a=gzip.compress(b"environment"))
    _, outputs = done(hosting, source, given={"CompressionType": "Gzip"})
    assert json.loads(outputs["a.png.out"])["SAGEMAKER_BATCH"] == "true"


def test_a_refused_object_has_no_output_and_fails_the_job_while_the_others_go_on(
    hosting: Hosting,
) -> None:
    source = prefix(hosting, bad=b"status 400", good=b"image")
    job, outputs = done(hosting, source)
    assert outputs == {"good.png.out": ANSWER}
    assert job["TransformJobStatus"] == "Failed"
    assert job["FailureReason"] == "ClientError: See job logs for more information"
    lines = data_log(hosting, job["TransformJobName"])
    assert lines[0] == "MaxConcurrentTransforms=1, MaxPayloadInMB=6, BatchStrategy=MULTI_RECORD"
    at = f"{source.removeprefix('s3://')}bad.png"
    assert lines[1:] == [
        f"{at}: ClientError: 400",
        f"{at}: ",
        f"{at}: Message:",
        f"{at}: refused by the model",
    ]


def test_a_fault_of_the_program_is_the_algorithms(hosting: Hosting) -> None:
    source = prefix(hosting, bad=b"status 500")
    job, _ = done(hosting, source, ModelClientConfig={"InvocationsMaxRetries": 0})
    assert job["FailureReason"] == "AlgorithmError: See job logs for more information"
    assert "Bad HTTP status received from algorithm: 500" in "\n".join(
        data_log(hosting, job["TransformJobName"])
    )


def test_an_object_may_not_be_larger_than_a_request(hosting: Hosting) -> None:
    source = prefix(hosting, large=b"x" * (1024**2 + 1))
    job, outputs = done(hosting, source, MaxPayloadInMB=1)
    assert job["TransformJobStatus"] == "Failed" and outputs == {}
    assert "Too much data for max payload size" in data_log(hosting, job["TransformJobName"])[-1]


def test_a_program_that_does_not_serve_fails_the_job(hosting: Hosting) -> None:
    source = prefix(hosting, a=b"image")
    job, _ = done(hosting, source, model=hosting.model(FAIL="1"))
    assert job["TransformJobStatus"] == "Failed"
    assert "did not pass its ping health check" in job["FailureReason"]


def test_a_prefix_without_objects_fails_the_job(hosting: Hosting) -> None:
    job, _ = done(hosting, f"s3://{hosting.bucket}/{unique('none')}/")
    assert "No S3 objects found under S3 URL" in job["FailureReason"]


def test_a_job_can_be_stopped(hosting: Hosting) -> None:
    asked = request(hosting, prefix(hosting, a=b"sleep 60"))
    hosting.sagemaker.create_transform_job(**asked)
    name = asked["TransformJobName"]
    hosting.sagemaker.stop_transform_job(TransformJobName=name)
    job = ended(hosting, name)
    assert job["TransformJobStatus"] == "Stopped"
    assert hosting.objects(f"out/{name}/") == {}
    with pytest.raises(ClientError, match="in status Stopped"):
        hosting.sagemaker.stop_transform_job(TransformJobName=name)


def test_jobs_are_listed(hosting: Hosting) -> None:
    job, _ = done(hosting, prefix(hosting, a=b"image"))
    listed = hosting.sagemaker.list_transform_jobs(NameContains=job["TransformJobName"])
    (found,) = listed["TransformJobSummaries"]
    assert found["TransformJobStatus"] == "Completed"


def test_a_model_that_is_not_there_is_refused(hosting: Hosting) -> None:
    asked = request(hosting, f"s3://{hosting.bucket}/x/", model="none")
    with pytest.raises(ClientError, match="Could not find model"):
        hosting.sagemaker.create_transform_job(**asked)


def test_a_state_machine_waits_for_it(hosting: Hosting) -> None:
    asked = request(hosting, prefix(hosting, a=b"image"))
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sagemaker:createTransformJob.sync",
        "Parameters": asked,
        "End": True,
    }
    machine = hosting.aws.state_machine({"StartAt": "Transform", "States": {"Transform": task}})
    outcome = hosting.aws.run(machine)
    assert outcome["status"] == "SUCCEEDED", outcome
    assert json.loads(outcome["output"])["TransformJobStatus"] == "Completed"
    assert hosting.objects(f"out/{asked['TransformJobName']}/")
