"""`local.*` as a user meets them: what is kept, what is removed, what is shown."""

import json
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local_aws.control import LocalAws
from local_aws.testing.aws import Aws
from scones_deploy.release import Release, add_release
from scones_deploy.terraform.state_bucket import backend_settings
from tests.support.environments.checkout import Checkout, copy_checkout

SAYS = "def handler(event, context):\n    print('said by the function')\n"


@dataclass(frozen=True)
class Up:
    """A checkout whose embedded AWS is up, with one function that has run."""

    checkout: Checkout
    aws: Aws
    function: str
    out: str

    @property
    def home(self) -> Any:
        return self.checkout.root / ".local" / "aws"


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    checkout = copy_checkout(tmp_path_factory.mktemp("checkout"))
    out = checkout.inv("local.up").out
    try:
        aws = Aws.of(LocalAws.attach(checkout.root / ".local" / "aws"))
        function = aws.function(SAYS)
        aws.invoke(function)
        yield Up(checkout, aws, function, out)
    finally:
        checkout.inv("local.down")


def test_up_prints_how_every_client_finds_it(up: Up) -> None:
    for words in ("AWS_ENDPOINT_URL=http://127.0.0.1:", "boto3", "AWS CLI", "Terraform"):
        assert words in up.out


def test_status_shows_a_function_with_its_process(up: Up) -> None:
    line = next(li for li in up.checkout.inv("local.status").out.splitlines() if up.function in li)
    assert "function" in line and "MiB" in line
    assert any(word.isdigit() for word in line.split())


def test_logs_are_printed_by_name(up: Up) -> None:
    assert "said by the function" in up.checkout.inv("local.logs", up.function).out


def test_logs_of_an_unknown_name_say_which_names_there_are(up: Up) -> None:
    up.checkout.inv("local.logs", "unknown").says("'unknown'", up.function)


def test_followed_logs_show_what_is_written_later_and_end_quietly(up: Up) -> None:
    process = up.checkout.start("local.logs", up.function, "--follow")
    assert process.stdout is not None
    lines = iter(process.stdout.readline, "")
    assert any("REPORT" in line for line in lines)  # what was there already
    up.aws.invoke(up.function)
    assert any("said by the function" in line for line in lines)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 0 and err == ""


def test_a_server_that_was_started_from_other_code_is_told_once(up: Up) -> None:
    assert up.checkout.inv("local.status").err == ""
    module = up.checkout.root / "packages/local-aws/src/local_aws/errors.py"
    before = module.read_bytes()
    module.write_bytes(before + b"# pulled\n")
    try:
        done = up.checkout.inv("local.status")
        assert done.err.count("inv local.down, then inv local.up") == 1, done
        done = up.checkout.inv("local.env")
        assert "other code" in done.err
        assert all(line.startswith("export ") for line in done.out.splitlines())
    finally:
        module.write_bytes(before)


LOCK = {
    "ID": "0d2b1c2e-1111-2222-3333-444455556666",
    "Operation": "OperationTypeApply",
    "Info": "",
    "Who": "ann@laptop",
    "Version": "1.11.4",
    "Created": "2026-11-20T14:32:00Z",
    "Path": "scones",
}


def test_the_lock_of_a_run_that_was_killed_is_released(up: Up) -> None:
    assert "is not locked" in up.checkout.inv("unlock").out
    settings = backend_settings(up.checkout.root / "terraform/environments/local/backend.hcl")
    up.aws.client("s3").put_object(
        Bucket=settings["bucket"], Key=f"{settings['key']}.tflock", Body=json.dumps(LOCK)
    )
    up.checkout.inv("unlock").says("ann@laptop", "--yes")
    done = up.checkout.inv("unlock", "--yes")
    assert done.code == 0 and "ann@laptop" in done.out and "is unlocked" in done.out
    assert "is not locked" in up.checkout.inv("unlock").out


def test_neither_a_proxy_nor_a_configuration_of_an_account_reaches_local_mode(
    up: Up, tmp_path: Path
) -> None:
    (tmp_path / ".aws").mkdir()
    accelerated = "[default]\nuse_fips_endpoint = true\ns3 =\n    use_accelerate_endpoint = true\n"
    (tmp_path / ".aws" / "config").write_text(accelerated)
    nowhere = "http://127.0.0.1:9"
    shell = dict.fromkeys(("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"), nowhere)
    shell |= {"NO_PROXY": "", "no_proxy": "", "HOME": str(tmp_path), "AWS_PROFILE": "absent"}
    assert up.function in up.checkout.inv("local.status", **shell).out
    assert "is not locked" in up.checkout.inv("unlock", **shell).out


LOST = Release(
    id="lost",
    image="123456789012.dkr.ecr.us-east-1.amazonaws.com/scones-local-model:1.0",
    model_data_url="s3://scones-local-artifacts-123456789012/model/job/output/model.tar.gz",
    model_sha256="ab" * 32,
    instance_type="ml.m5.large",
    instance_count=1,
    threshold=0.9,
    labels=("bicycle", "motorcycle"),
    dataset_version="none",
)


def test_a_release_goes_with_the_model_that_a_reset_removed(up: Up) -> None:
    path = up.checkout.root / "terraform/environments/local/release.tfvars.json"
    add_release(path, LOST)
    assert up.checkout.inv("build").code == 0
    done = up.checkout.inv("plan")
    assert done.code == 0, done
    assert "The models of lost are gone" in done.out
    assert not path.exists()


def test_what_was_never_deployed_costs_nothing(up: Up) -> None:
    done = up.checkout.inv("pause")
    assert done.code == 0
    assert "Nothing in local bills by the hour" in done.out
    assert "a month" not in done.out and "test.tests" not in done.out
    assert "Nothing is deployed in local" in up.checkout.inv("verify").out


def test_a_demo_leaves_alone_what_is_kept(checkout: Checkout) -> None:
    checkout.inv("local.up")
    try:
        aws = Aws.of(LocalAws.attach(checkout.root / ".local" / "aws"))
        aws.client("s3").create_bucket(Bucket="mine")
        checkout.inv("local.down")
        checkout.inv("demo", "--source", "synthetic").says("keeps", "inv local.reset")
        assert "as it was" not in checkout.inv("local.up").err
        aws = Aws(LocalAws.attach(checkout.root / ".local" / "aws"), aws.role)
        assert [b["Name"] for b in aws.client("s3").list_buckets()["Buckets"]] == ["mine"]
    finally:
        checkout.inv("local.down")


def test_reset_asks_and_then_leaves_nothing(checkout: Checkout) -> None:
    checkout.inv("local.up")
    checkout.inv("local.reset").says("--yes")
    home = checkout.root / ".local" / "aws"
    LocalAws.attach(home)  # refused, so it still runs
    assert checkout.inv("local.reset", "--yes").code == 0
    assert not (home / "state").exists()
    checkout.inv("local.status").says("not running")
    assert "nothing" in checkout.inv("local.reset").out
