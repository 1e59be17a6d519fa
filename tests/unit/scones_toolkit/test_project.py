import json
from datetime import UTC, datetime
from pathlib import Path

import boto3
import botocore.session
import pytest
from moto import mock_aws

from scones_core.errors import DeployError, SconesError
from scones_core.settings import Settings
from scones_toolkit.console import Console
from scones_toolkit.project import SEALED, Project, Records


def test_a_record_reads_back_as_it_was_written(tmp_path: Path) -> None:
    records = Records(tmp_path / "local")
    records.write("dataset", {"version": "abc"})
    assert records.read("dataset") == {"version": "abc"}


def test_a_missing_record_names_the_task_that_writes_it(tmp_path: Path) -> None:
    with pytest.raises(SconesError, match="No dataset was staged yet: inv etl"):
        Records(tmp_path).read("dataset")


@pytest.mark.parametrize("text", ["{", "[]"])
def test_a_damaged_record_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "training.json").write_text(text)
    with pytest.raises(SconesError, match="run `inv train` again"):
        Records(tmp_path).read("training")


def test_without_an_embedded_aws_the_time_is_the_hosts(tmp_path: Path) -> None:
    before = datetime.now(UTC)
    assert before <= Project(tmp_path).now() <= datetime.now(UTC)


REAL_AWS = {
    "AWS_PROFILE": "work",
    "AWS_DEFAULT_PROFILE": "work",
    "AWS_ENDPOINT_URL": "https://real.example",
    "AWS_ENDPOINT_URL_S3": "https://s3.real.example",
    "AWS_USE_FIPS_ENDPOINT": "true",
    "AWS_USE_DUALSTACK_ENDPOINT": "true",
    "AWS_CA_BUNDLE": "/no/such/bundle.pem",
    "AWS_DEFAULTS_MODE": "unheard-of",
    "AWS_SESSION_TOKEN": "real",
    "AWS_REGION": "eu-north-1",
}
# What a developer's own ~/.aws/config may say, and a client of the embedded AWS must not read.
CONFIG = """[default]
region = eu-north-1
use_fips_endpoint = true
endpoint_url = https://config.real.example
s3 =
    addressing_style = virtual
[profile work]
credential_process = /bin/false
"""


def test_a_local_session_reads_no_variable_and_no_file_of_a_real_account(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config"
    config.write_text(CONFIG)
    for name, value in (REAL_AWS | {"AWS_CONFIG_FILE": str(config)}).items():
        monkeypatch.setenv(name, value)
    session = boto3.Session(
        botocore_session=botocore.session.Session(SEALED),
        aws_access_key_id="test",
        aws_secret_access_key="test",
        region_name="us-east-1",
    )
    url = "http://127.0.0.1:5055"
    client = session.client("s3", endpoint_url=url)
    assert client.meta.endpoint_url == url
    assert client.meta.region_name == "us-east-1"
    assert session.profile_name == "default"
    assert session.available_profiles == []
    link = client.generate_presigned_url("get_object", Params={"Bucket": "b", "Key": "k"})
    assert link.startswith(f"{url}/b/k?")
    assert "real" not in link
    sagemaker = session.client("sagemaker", endpoint_url=url)
    assert sagemaker.meta.endpoint_url == url


def test_the_next_task_is_named_with_the_environment(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Project(tmp_path, "dev").hint("plan", "apply")
    Project(tmp_path, "local").hint("approve 1")
    Project(tmp_path, "dev", hints=False).hint("run")
    assert (
        capsys.readouterr().out
        == "Next: inv plan --env dev, inv apply --env dev\nNext: inv approve 1\n"
    )


def test_an_environment_that_nobody_applied_names_the_task_to_run(tmp_path: Path) -> None:
    with pytest.raises(SconesError, match=r"dev is not deployed .* inv plan --env dev"):
        _ = Project(tmp_path, "dev").deployment


def test_a_record_that_two_tasks_lead_to_names_both(tmp_path: Path) -> None:
    records = Records(tmp_path, " --env dev")
    both = "inv demand.etl --env dev, then inv demand.train --env dev"
    with pytest.raises(SconesError, match=f"No demand model was trained yet: {both}"):
        records.read("demand/training")
    records.write("demand/data", {})
    with pytest.raises(SconesError, match=r"yet: inv demand\.train --env dev"):
        records.read("demand/training")


def test_a_folder_that_is_made_for_a_file_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = Project(tmp_path, console=Console())
    project.require_writable(tmp_path / "new" / "a.csv")
    assert f"{tmp_path / 'new'} did not exist; it was made" in capsys.readouterr().out
    assert list((tmp_path / "new").iterdir()) == []
    project.require_writable(tmp_path / "new" / "a.csv")
    assert capsys.readouterr().out == ""


def test_a_file_that_cannot_be_written_is_refused_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path, reason in ((tmp_path / "file" / "a.csv", "exists|Not a"), (tmp_path, "Is a directo")):
        with pytest.raises(SconesError, match=f"cannot be written: .*{reason}"):
            Project(tmp_path).require_writable(path)


def test_the_file_that_is_read_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("hours")
    (tmp_path / "link.csv").symlink_to("mine.csv")
    project = Project(tmp_path, console=Console())
    for name in ("mine.csv", "link.csv"):
        with pytest.raises(SconesError, match=f"{name} is the file that is read"):
            project.require_writable(tmp_path / name, read=tmp_path / "mine.csv")
    project.require_writable(tmp_path / "new.csv", read=tmp_path / "mine.csv")
    project.require_writable(tmp_path / "link.csv", read=tmp_path / "none.csv")


class Undeployed:
    """Terraform while its first apply is at work: no outputs yet."""

    def __init__(self, outputs: dict[str, object]) -> None:
        self._outputs = outputs

    def outputs(self) -> dict[str, object]:
        return self._outputs


LOCK = {"ID": "1", "Who": "ana@laptop", "Created": "2026-11-20 14:00", "Operation": ""}


@pytest.mark.parametrize("outputs", [{}, {"environment": "dev"}])
@pytest.mark.parametrize(
    ("operation", "words"),
    [
        ("OperationTypeApply", "dev is being deployed: ana@laptop has applied since 2026-11-20"),
        ("OperationTypePlan", "(is not deployed|only in part).*inv apply"),
        ("", "(is not deployed|only in part).*inv apply"),
    ],
)
def test_what_is_being_deployed_is_not_said_to_be_missing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    operation: str,
    words: str,
    outputs: dict[str, object],
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    project = Project(tmp_path, "dev", Settings().override("project", state_bucket="state"))
    project.terraform_data.mkdir(parents=True)
    (project.terraform_data / "terraform.tfstate").touch()
    project.release_file.parent.mkdir(parents=True)
    project.release_file.with_name("backend.hcl").write_text('key = "dev.tfstate"\n')
    vars(project)["terraform"] = Undeployed(outputs)
    with mock_aws():
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket="state")
        if operation:
            lock = json.dumps(LOCK | {"Operation": operation})
            s3.put_object(Bucket="state", Key="dev.tfstate.tflock", Body=lock)
        with pytest.raises(DeployError, match=words):
            _ = project.deployment
