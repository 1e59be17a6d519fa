from pathlib import Path

import pytest

from scones_deploy.terraform.init_record import forget_init, is_initialised, write_init_record
from scones_deploy.terraform.providers import os_arch

Initialised = tuple[Path, Path, list[str], dict[str, str]]

LOCK = """provider "registry.terraform.io/hashicorp/aws" {
  version     = "5.100.0"
}
"""


@pytest.fixture
def initialised(tmp_path: Path) -> Initialised:
    """Root module, data folder, backend settings and environment right after an init."""
    root, data = tmp_path / "root", tmp_path / "data"
    (root / "modules/one").mkdir(parents=True)
    (root / "tests").mkdir()
    (root / "modules/one/main.tf").write_text("# module")
    (root / ".terraform.lock.hcl").write_text(LOCK)
    (root / "backend.hcl").write_text('bucket = "state"\n')
    provider = data / "providers/registry.terraform.io/hashicorp/aws/5.100.0" / os_arch()
    provider.mkdir(parents=True)
    (data / "terraform.tfstate").write_text("{}")
    place = (root, data, [str(root / "backend.hcl"), "region=eu-west-1"], {"HOME": "/home"})
    write_init_record(*place)
    return place


def test_an_init_holds_for_the_same_configuration_and_another_shell(
    initialised: Initialised,
) -> None:
    root, data, backend, environ = initialised
    assert is_initialised(root, data, backend, {**environ, "AWS_PROFILE": "other"})
    (root / "tests/new.tf").write_text("# a test's module")
    assert is_initialised(*initialised)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("modules/one/main.tf", "# changed"),
        ("modules/one/more.tf.json", "{}"),
        (".terraform.lock.hcl", LOCK.replace("5.100.0", "5.100.1")),
        ("backend.hcl", 'bucket = "another"\n'),
    ],
)
def test_another_configuration_lock_file_or_backend_needs_an_init(
    initialised: Initialised, file: str, text: str
) -> None:
    (initialised[0] / file).write_text(text)
    assert not is_initialised(*initialised)


def test_other_backend_settings_or_provider_sources_need_an_init(initialised: Initialised) -> None:
    root, data, backend, environ = initialised
    assert not is_initialised(root, data, [*backend, "key=k"], environ)
    assert not is_initialised(root, data, backend, {**environ, "TF_CLI_CONFIG_FILE": "/m.tfrc"})


@pytest.mark.parametrize("gone", ["terraform.tfstate", "providers", "init.json"])
def test_what_an_init_left_and_is_gone_needs_an_init(
    initialised: Initialised, gone: str, tmp_path: Path
) -> None:
    (tmp_path / "data" / gone).rename(tmp_path / "elsewhere")
    assert not is_initialised(*initialised)


@pytest.mark.parametrize("record", [b"", b"[]", b"\xff"])
def test_a_record_that_cannot_be_read_needs_an_init(
    initialised: Initialised, record: bytes, tmp_path: Path
) -> None:
    (tmp_path / "data/init.json").write_bytes(record)
    assert not is_initialised(*initialised)


def test_an_init_that_fails_leaves_no_record_of_the_one_before(
    initialised: Initialised, tmp_path: Path
) -> None:
    forget_init(tmp_path / "data")
    assert not is_initialised(*initialised)
    forget_init(tmp_path / "data")
