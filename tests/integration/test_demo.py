"""The whole chain, as `make demo` runs it, and what it leaves behind."""

import json
import re
import signal

import boto3
import pytest

from tests.support.checkout import Checkout

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


def client(demo, service: str):
    """A client that knows the embedded AWS only by what the demo printed."""
    found = dict(re.findall(r"export (AWS_\w+)=(\S+)", demo.out))
    return boto3.client(
        service,
        endpoint_url=found["AWS_ENDPOINT_URL"],
        aws_access_key_id=found["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=found["AWS_SECRET_ACCESS_KEY"],
        region_name=found["AWS_DEFAULT_REGION"],
    )


def test_every_input_ends_as_exactly_one_of_accepted_review_failed(demo) -> None:
    summary = demo.summary
    assert summary["inputs"] == summary["n_test"] > 0
    assert summary["accepted"] + summary["review"] + summary["failed"] == summary["inputs"]
    assert summary["failed"] == 0


def test_each_invocation_is_captured_once(demo) -> None:
    assert demo.summary["captured_records"] == demo.summary["inputs"]


def test_a_plan_after_the_last_apply_changes_nothing(demo) -> None:
    assert demo.summary["plan_changes_after_apply"] == 0


def test_the_summary_says_everything_it_promises(demo) -> None:
    assert set(demo.summary) == KEYS
    assert 0.5 < demo.summary["threshold"] < 1
    assert demo.summary["coverage_at_threshold"] == pytest.approx(
        demo.summary["accepted"] / (demo.summary["accepted"] + demo.summary["review"])
    )
    assert all(seconds >= 0 for seconds in demo.summary["seconds"].values())


def test_the_model_tells_the_classes_apart(demo) -> None:
    # Far above the 0.5 of guessing; the figure itself is measured in benchmarks, not here.
    assert demo.summary["accuracy"] > 0.85


def test_what_the_summary_names_is_there_for_another_client(demo) -> None:
    endpoint = client(demo, "sagemaker").describe_endpoint(
        EndpointName=demo.summary["endpoint_name"]
    )
    assert endpoint["EndpointStatus"] == "InService"
    execution = client(demo, "stepfunctions").describe_execution(
        executionArn=demo.summary["execution_arn"]
    )
    assert len(json.loads(execution["output"])["results"]) == demo.summary["inputs"]


def test_the_report_is_one_file_that_loads_nothing(demo) -> None:
    page = (demo.checkout.root / "build" / "demo" / "report.html").read_text()
    assert "<svg" in page
    assert not re.findall(r"""(?:src|href)=["']?(?!data:|#)[a-z]+:?//[^"' >]*""", page)


def test_chosen_images_can_be_run_again_and_a_missing_one_fails_alone(demo) -> None:
    bucket = client(demo, "s3").list_buckets()["Buckets"]
    data = next(b["Name"] for b in bucket if "data" in b["Name"])
    listing = client(demo, "s3").list_objects_v2(Bucket=data, Prefix="dataset/")
    key = next(item["Key"] for item in listing["Contents"] if "/test/" in item["Key"])
    ended = demo.checkout.inv(
        "run", "--image", f"s3://{data}/{key}", "--image", f"s3://{data}/absent.png"
    )
    assert ended.code == 0, ended
    assert "ImageNotFound" in ended.out
    record = json.loads((demo.checkout.root / "build" / "local" / "execution.json").read_text())
    decisions = [result["decision"] for result in record["results"]]
    assert decisions[0] in ("accepted", "review")
    assert decisions[1] == "failed"


def test_an_object_that_is_no_image_and_one_of_50_megapixels_fail_by_name(demo) -> None:
    s3 = client(demo, "s3")
    data = next(b["Name"] for b in s3.list_buckets()["Buckets"] if "data" in b["Name"])
    s3.put_object(Bucket=data, Key="text.png", Body=b"this is no image")
    # The header alone claims 50 megapixels; nothing may decode it to find out.
    header = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + (10_000).to_bytes(4, "big")
    s3.put_object(
        Bucket=data, Key="huge.png", Body=header + (5_000).to_bytes(4, "big") + b"\x08" * 40
    )
    ended = demo.checkout.inv(
        "run", "--image", f"s3://{data}/text.png", "--image", f"s3://{data}/huge.png"
    )
    assert "UnsupportedImage" in ended.out
    assert "ImageTooLarge" in ended.out


def test_a_second_demo_beside_a_running_aws_is_refused(demo) -> None:
    demo.checkout.inv("demo", "--source", "synthetic").says("inv local.down")


def test_a_release_whose_artifact_is_missing_is_refused_and_nothing_is_written(demo) -> None:
    path = demo.checkout.root / "terraform" / "environments" / "local" / "release.tfvars.json"
    before = path.read_bytes()
    bucket = demo.summary["model_data_url"].split("/")[2]
    absent = f"s3://{bucket}/model/absent/output/model.tar.gz"
    demo.checkout.inv("release", "--artifact", absent).says(absent)
    assert path.read_bytes() == before


def test_status_shows_what_runs(demo) -> None:
    ended = demo.checkout.inv("local.status")
    assert demo.summary["endpoint_name"] in ended.out
    assert "InService" in ended.out


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_leaves_nothing_running(checkout: Checkout, stop: int) -> None:
    process = checkout.start("demo", "--source", "synthetic")
    assert process.stdout is not None
    for line in process.stdout:
        if "Terraform" in line or "terraform" in line:
            break
    process.send_signal(stop)
    process.communicate(timeout=60)
    assert process.returncode == 130
    checkout.inv("local.status").says("No embedded AWS runs")
