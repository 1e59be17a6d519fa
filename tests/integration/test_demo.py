"""The whole chain, as `make demo` runs it, and what it leaves behind."""

import json
import re
import signal
import struct
import zlib
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.integration.conftest import Demo
from tests.support.environments.checkout import Checkout

pytestmark = pytest.mark.slow
KEYS = {
    "accuracy",
    "n_test",
    "threshold",
    "precision_at_threshold",
    "coverage_at_threshold",
    "inputs",
    "accepted",
    "review",
    "failed",
    "captured_records",
    "endpoint_name",
    "model_data_url",
    "execution_arn",
    "source",
    "plan_changes_after_apply",
    "seconds",
}


def client(demo: Demo, service: Any) -> Any:
    """A client that knows the embedded AWS only by what the demo printed."""
    found = dict(re.findall(r"export (AWS_\w+)=(\S+)", demo.out))
    return boto3.client(
        service,
        endpoint_url=found["AWS_ENDPOINT_URL"],
        aws_access_key_id=found["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=found["AWS_SECRET_ACCESS_KEY"],
        region_name=found["AWS_DEFAULT_REGION"],
    )


def test_every_input_ends_as_exactly_one_of_accepted_review_failed(demo: Demo) -> None:
    summary = demo.summary
    assert summary["inputs"] == summary["n_test"] > 0
    assert summary["accepted"] + summary["review"] + summary["failed"] == summary["inputs"]
    assert summary["failed"] == 0


def test_each_invocation_is_captured_once(demo: Demo) -> None:
    assert demo.summary["captured_records"] == demo.summary["inputs"]


def test_a_plan_after_the_last_apply_changes_nothing(demo: Demo) -> None:
    assert demo.summary["plan_changes_after_apply"] == 0


def test_the_summary_says_everything_it_promises(demo: Demo) -> None:
    assert set(demo.summary) == KEYS
    assert 0.5 < demo.summary["threshold"] < 1
    assert demo.summary["coverage_at_threshold"] == pytest.approx(
        demo.summary["accepted"] / (demo.summary["accepted"] + demo.summary["review"])
    )
    assert all(seconds >= 0 for seconds in demo.summary["seconds"].values())


def test_the_model_separates_the_classes(demo: Demo) -> None:
    # Far above the 0.5 of guessing; the figure itself is measured in benchmarks, not here.
    assert demo.summary["accuracy"] > 0.85


def test_the_training_job_has_a_log_though_most_is_applied_while_it_runs(demo: Demo) -> None:
    # Where there is no log group at its start, all that a job says is lost, progress included.
    logs = client(demo, "logs")
    found = logs.filter_log_events(
        logGroupName="/aws/sagemaker/TrainingJobs", filterPattern='"seconds_left="'
    )["events"]
    assert found


def test_what_the_summary_names_is_there_for_another_client(demo: Demo) -> None:
    endpoint = client(demo, "sagemaker").describe_endpoint(
        EndpointName=demo.summary["endpoint_name"]
    )
    assert endpoint["EndpointStatus"] == "InService"
    execution = client(demo, "stepfunctions").describe_execution(
        executionArn=demo.summary["execution_arn"]
    )
    assert sum(json.loads(execution["output"])["counts"].values()) == demo.summary["inputs"]


def test_the_report_is_one_file_that_loads_nothing(demo: Demo) -> None:
    page = (demo.checkout.root / "build" / "demo" / "report.html").read_text()
    assert "<svg" in page
    assert not re.findall(r"""(?:src|href)=["']?(?!data:|#)[a-z]+:?//[^"' >]*""", page)


def test_chosen_images_can_be_run_again_and_a_missing_one_fails_alone(demo: Demo) -> None:
    bucket = client(demo, "s3").list_buckets()["Buckets"]
    data = next(b["Name"] for b in bucket if "data" in b["Name"])
    listing = client(demo, "s3").list_objects_v2(Bucket=data, Prefix="dataset/")
    key = next(item["Key"] for item in listing["Contents"] if "/test/" in item["Key"])
    ended = demo.checkout.inv(
        "run", "--image", f"s3://{data}/{key}", "--image", f"s3://{data}/absent.png"
    )
    ended.says("1 of 2 images failed", "absent.png", "ImageNotFound")
    record = json.loads((demo.checkout.root / "build" / "local" / "execution.json").read_text())
    decisions = [result["decision"] for result in record["results"]]
    assert decisions[0] in ("accepted", "review")
    assert decisions[1] == "failed"


def test_an_object_that_is_no_image_and_one_of_50_megapixels_fail_by_name(demo: Demo) -> None:
    s3 = client(demo, "s3")
    data = next(b["Name"] for b in s3.list_buckets()["Buckets"] if "data" in b["Name"])
    s3.put_object(Bucket=data, Key="text.png", Body=b"this is no image")
    # The header alone claims 50 megapixels; nothing may decode it to find out.
    chunk = b"IHDR" + struct.pack(">IIBBBBB", 10_000, 5_000, 8, 2, 0, 0, 0)
    body = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk
    body += struct.pack(">I", zlib.crc32(chunk)) + bytes(64)
    s3.put_object(Bucket=data, Key="huge.png", Body=body)
    ended = demo.checkout.inv(
        "run", "--image", f"s3://{data}/text.png", "--image", f"s3://{data}/huge.png"
    )
    ended.says("2 of 2 images failed")
    assert "UnsupportedImage" in ended.out
    assert "ImageTooLarge" in ended.out


def test_a_second_demo_next_to_a_running_aws_is_refused(demo: Demo) -> None:
    demo.checkout.inv("demo", "--source", "synthetic").says("inv local.down")


def test_a_release_whose_artifact_is_missing_is_refused_and_nothing_is_written(demo: Demo) -> None:
    path = demo.checkout.root / "terraform" / "environments" / "local" / "release.tfvars.json"
    before = path.read_bytes()
    bucket = demo.summary["model_data_url"].split("/")[2]
    absent = f"s3://{bucket}/model/absent/output/model.tar.gz"
    demo.checkout.inv("release", "--artifact", absent).says(absent)
    assert path.read_bytes() == before


def test_status_shows_what_runs(demo: Demo) -> None:
    ended = demo.checkout.inv("local.status")
    assert demo.summary["endpoint_name"] in ended.out
    assert "InService" in ended.out


def test_used_permissions_are_reported_by_statement(demo: Demo) -> None:
    output = demo.checkout.inv("local.access", "--role", "classify-image").out
    used = next(line for line in output.splitlines() if "sagemaker:InvokeEndpoint" in line)
    assert used.split()[:2] == ["scones-local-classify-image-function", "Classify"]
    nobody = demo.checkout.inv("local.access", "--role", "no-such-role").out
    assert "No role with 'no-such-role' in its name was allowed anything yet" in nobody


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_leaves_nothing_running(checkout: Checkout, stop: int) -> None:
    process = checkout.start("demo", "--source", "synthetic")
    assert process.stdout is not None
    for line in process.stdout:
        if "to add" in line:  # the plan is made, and its apply has begun
            break
    process.send_signal(stop)
    process.communicate(timeout=60)
    assert process.returncode == 130
    checkout.inv("local.status").says("not running")


def test_an_execution_before_the_first_release_says_that_no_endpoint_is_there(demo: Demo) -> None:
    """A function whose environment names no endpoint, asked directly."""
    functions = client(demo, "lambda")
    name = "scones-local-classify-image"
    before = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    functions.update_function_configuration(
        FunctionName=name, Environment={"Variables": {**before, "ENDPOINT_NAME": ""}}
    )
    image = {"bucket": "any", "key": "any.png", "etag": "e", "content_type": "image/png"}
    event = {"image": {**image, "size_bytes": 1, "width": 1, "height": 1}, "inference_id": "i"}
    answer = functions.invoke(FunctionName=name, Payload=json.dumps(event))
    assert json.loads(answer["Payload"].read())["errorType"] == "EndpointNotFound"
    functions.update_function_configuration(FunctionName=name, Environment={"Variables": before})


def test_etl_again_uploads_nothing_whatever_account_the_shell_is_set_up_for(demo: Demo) -> None:
    shell = {"AWS_PROFILE": "absent", "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9"}
    ended = demo.checkout.inv("etl", "--source", demo.checkout.source, **shell)
    assert ended.code == 0, ended
    assert "nothing was uploaded" in ended.out


def test_evaluating_the_artifact_gives_what_the_endpoint_gave(demo: Demo) -> None:
    ended = demo.checkout.inv("evaluate")
    assert ended.code == 0, ended
    found = re.search(r"accuracy +([\d.]+)", ended.out)
    assert found is not None
    assert float(found[1]) == pytest.approx(demo.summary["accuracy"], abs=5e-5)


def test_an_older_release_can_be_activated_and_applied(demo: Demo) -> None:
    checkout = demo.checkout
    path = checkout.root / "terraform" / "environments" / "local" / "release.tfvars.json"
    first = json.loads(path.read_text())["active_release"]
    checkout.inv("rollback", "absent").says("absent", first)
    again = checkout.inv("rollback", first)
    assert again.code == 0, again
    assert first in again.out


def test_a_shown_plan_is_the_one_that_is_applied(demo: Demo) -> None:
    tfvars = demo.checkout.root / "terraform" / "environments" / "local" / "env.tfvars"
    before = tfvars.read_text()
    tfvars.write_text(before.replace("alarms = {", "alarms = {\n  review_percent = 31"))
    try:
        planned = demo.checkout.inv("plan")
        assert "1 to change" in planned.out, planned
        applied = demo.checkout.inv("apply")
        assert applied.code == 0, applied
        assert "Applying the saved plan of" in applied.out
    finally:
        tfvars.write_text(before)


def test_an_archive_that_is_altered_is_refused_and_the_dataset_stays(
    demo: Demo, tmp_path: Path
) -> None:
    record = demo.checkout.root / "build" / "local" / "dataset.json"
    before = record.read_bytes()
    (tmp_path / "cut.tar.gz").write_bytes(b"\x1f\x8b\x08" + bytes(40))
    demo.checkout.inv("etl", "--source", str(tmp_path / "cut.tar.gz")).says("cut.tar.gz")
    demo.checkout.inv("etl", "--source", "synthetic", "--classes", "bicycle").says("classes")
    assert record.read_bytes() == before


def test_images_under_review_come_back_labelled_as_training_images(demo: Demo) -> None:
    # What is under review is the last run's, so this test makes one of its own.
    ended = demo.checkout.inv("run", "--count", str(demo.summary["n_test"]))
    assert ended.code == 0, ended
    fetched = demo.checkout.inv("review", "--csv")
    if demo.summary["review"] == 0:
        assert fetched.code == 0
        assert "nothing to label" in fetched.out
        return
    folder = demo.checkout.root / "review" / "local"
    header, *lines = (folder / "labels.csv").read_text().splitlines()
    assert header == "file,guess,confidence,label"
    assert len(lines) == demo.summary["review"]
    (folder / "labels.csv").write_text(f"{header}\n{lines[0]}bicycle\n")

    # Fetching again keeps what was labelled, and asks for the rest again.
    assert demo.checkout.inv("review", "--csv").code == 0
    assert (folder / "labels.csv").read_text().splitlines()[1:] == [
        f"{lines[0]}bicycle",
        *lines[1:],
    ]
    sides = struct.unpack(">II", (folder / lines[0].split(",")[0]).read_bytes()[16:24])
    assert sides == (32, 32)


def test_the_endpoint_answers_what_training_answered_to_the_last_bit(demo: Demo) -> None:
    ended = demo.checkout.inv("evaluate", "--target", "endpoint")
    assert ended.code == 0, ended
    found = re.search(r"(\d+) of (\d+) answers are the same to the last bit", ended.out)
    assert found is not None
    assert int(found[1]) == int(found[2]) == demo.summary["n_test"]
    assert re.search(r"^accuracy .* none$", ended.out, re.MULTILINE)


def test_a_model_below_the_limits_is_refused_and_overruling_is_recorded(demo: Demo) -> None:
    path = demo.checkout.root / "terraform" / "environments" / "local" / "release.tfvars.json"
    before = path.read_text()
    limits = {"SCONES_QUALITY_MAX_CALIBRATION_ERROR": "0"}
    invented = demo.checkout.source == "synthetic"
    said = ("trained on synthetic images", "--allow-synthetic") if invented else ()
    try:
        refused = demo.checkout.inv("release", **limits)
        refused.says("its calibration error is", "0.0", "--override-gate", *said)
        assert path.read_text() == before
        ended = demo.checkout.inv(
            "release", "--allow-synthetic", "--override-gate", "a trial", **limits
        )
        assert ended.code == 0, ended
        written = json.loads(path.read_text())
        marked = written["releases"][written["active_release"]]["gate_override"]
        assert marked.startswith("a trial (the gate: its calibration error is")
    finally:
        path.write_text(before)


def test_a_candidate_may_answer_a_share_next_to_the_active_release(demo: Demo) -> None:
    path = demo.checkout.root / "terraform" / "environments" / "local" / "release.tfvars.json"
    before = path.read_text()
    limits = {"SCONES_QUALITY_MAX_CALIBRATION_ERROR": "0"}
    try:
        ended = demo.checkout.inv(
            *("release", "--share", "0.2", "--allow-synthetic", "--override-gate", "a trial"),
            **limits,
        )
        assert ended.code == 0, ended
        assert "it answers 20.00% of the requests next to" in ended.out
        written, was = json.loads(path.read_text()), json.loads(before)
        assert written["active_release"] == was["active_release"]
        (made,) = written["releases"].keys() - was["releases"].keys()
        assert written["challenger"] == {"release": made, "share": 0.2}
    finally:
        path.write_text(before)


def test_only_an_approved_candidate_is_released(demo: Demo) -> None:
    listed = demo.checkout.inv("candidates")
    assert re.search(r"^1 +Approved .* auto-approved by the demo", listed.out, re.MULTILINE), listed
    assert demo.checkout.inv("approve", "1", "--reject", "--note", "a trial").code == 0
    demo.checkout.inv("release").says("Candidate 1 is Rejected", "inv approve 1")
    path = demo.checkout.root / "terraform" / "environments" / "local" / "release.tfvars.json"
    active = json.loads(path.read_text())["active_release"]
    demo.checkout.inv("rollback", active).says("candidate 1", "rejected (a trial)", "inv approve 1")
    assert demo.checkout.inv("approve", "1").code == 0
    demo.checkout.inv("approve", "one").says("an integer, not 'one'", code=2)
