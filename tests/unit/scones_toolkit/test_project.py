from datetime import UTC, datetime
from pathlib import Path

import boto3
import botocore.session
import pytest

from scones_core.errors import SconesError
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
