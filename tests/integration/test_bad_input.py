"""What a user gets for a mistake: one sentence, exit code 1, nothing half-written."""

import gzip
import socket
from pathlib import Path

import pytest

from tests.support.environments.checkout import Checkout


def test_an_unknown_setting_is_named(checkout: Checkout) -> None:
    (checkout.root / "scones.toml").write_text("[training]\nepoch = 3\n")
    checkout.inv("build").says("scones.toml", "epoch")


def test_an_unknown_environment_is_named(checkout: Checkout) -> None:
    checkout.inv("plan", "--env", "stage").says("stage", "local, dev or prod", code=2)


def test_a_task_that_needs_the_local_aws_says_how_to_start_it(checkout: Checkout) -> None:
    checkout.inv("etl").says("The embedded AWS is not running", "inv local.up")


def test_a_port_in_use_is_named(checkout: Checkout) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        checkout.inv("local.up", SCONES_LOCAL_PORT=port).says(port)
    assert not (checkout.root / ".local" / "aws" / "server.json").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, ["absent.tar.gz"]),
        (b"", ["archive.tar.gz"]),
        (gzip.compress(b"x" * 10_000)[:40], ["archive.tar.gz"]),
    ],
    ids=["absent", "empty", "cut"],
)
def test_a_demo_with_a_bad_archive_stops_before_anything_is_staged(
    checkout: Checkout, tmp_path: Path, content: bytes | None, message: list[str]
) -> None:
    path = tmp_path / ("absent.tar.gz" if content is None else "archive.tar.gz")
    if content is not None:
        path.write_bytes(content)
    checkout.inv("demo", "--source", str(path)).says(*message)
    checkout.inv("local.status").says("not running")
    assert not (checkout.root / "build" / "local" / "dataset.json").exists()


def test_a_class_that_does_not_exist_is_named_before_anything_runs(checkout: Checkout) -> None:
    checkout.inv("demo", "--source", "synthetic", SCONES_DATASET_CLASSES="bicycle").says("classes")
