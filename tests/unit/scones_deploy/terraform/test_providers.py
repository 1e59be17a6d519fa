from pathlib import Path

import pytest

from scones_core.errors import TerraformError
from scones_deploy.terraform.providers import (
    Provider,
    ProviderSource,
    implied_mirrors,
    needed_providers,
    os_arch,
    provider_source,
    searched_mirrors,
)

HASHICORP = "registry.terraform.io/hashicorp"


def unpacked(mirror: Path, version: str = "5.100.0", target: str | None = None) -> Path:
    folder = mirror / HASHICORP / "aws" / version / (target or os_arch())
    folder.mkdir(parents=True)
    (folder / f"terraform-provider-aws_v{version}_x5").touch()
    return mirror


def packed(mirror: Path, version: str = "5.100.0") -> Path:
    folder = mirror / HASHICORP / "aws"
    folder.mkdir(parents=True)
    (folder / f"terraform-provider-aws_{version}_{os_arch()}.zip").touch()
    return mirror


class Host:
    """A folder that stands for the host: root module, home, software."""

    def __init__(self, base: Path) -> None:
        self.root, self.home, self.opt = base / "terraform", base / "home", base / "opt"
        for folder in (self.root, self.home, self.opt):
            folder.mkdir()
        self.build = base / "build"
        self.lock("5.100.0")
        self.environ = {"HOME": str(self.home), "XDG_DATA_DIRS": str(base / "share")}
        self.probes = 0

    def lock(self, version: str) -> None:
        text = f'provider "{HASHICORP}/aws" {{\n  version = "{version}"\n}}\n'
        (self.root / ".terraform.lock.hcl").write_text(text)

    def source(self, *, online: bool = False, **environ: str) -> ProviderSource:
        def reachable() -> bool:
            self.probes += 1
            return online

        return provider_source(
            self.root,
            self.build,
            {**self.environ, **environ},
            reachable=reachable,
            prefixes=[self.opt],
        )


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_with_a_registry_nothing_changes(host: Host) -> None:
    unpacked(host.opt / "mirror")
    assert host.source(online=True) == ProviderSource(host.environ)
    assert not host.build.exists()


@pytest.mark.parametrize("layout", [unpacked, packed])
@pytest.mark.parametrize("folder", ["", "plugins", "a/b/c"])
def test_without_one_a_mirror_among_the_software_is_used(
    host: Host, layout: object, folder: str
) -> None:
    assert callable(layout)
    mirror = layout(host.opt / folder)
    found = host.source()
    config = Path(found.environ["TF_CLI_CONFIG_FILE"])
    assert f'path    = "{mirror}"' in config.read_text()
    assert f'include = ["{HASHICORP}/aws"]' in config.read_text()
    assert config.is_relative_to(host.build)
    assert found.notice == (
        f"Terraform takes its providers (aws 5.100.0) from the mirror at {mirror}."
    )


def test_the_folders_that_terraform_implies_come_first(host: Host) -> None:
    unpacked(host.opt / "mirror")
    implied = unpacked(host.home / ".terraform.d/plugins")
    assert str(implied) in host.source().notice


def test_a_named_mirror_is_used_without_asking_the_registry(host: Host, tmp_path: Path) -> None:
    named = unpacked(tmp_path / "named")
    found = host.source(online=True, SCONES_TERRAFORM_MIRROR=f"/nowhere:{named}")
    assert str(named) in found.notice
    assert host.probes == 0


def test_a_named_mirror_without_the_provider_is_not_passed_over(host: Host, tmp_path: Path) -> None:
    named = unpacked(tmp_path / "named", "5.99.0")
    with pytest.raises(TerraformError, match=rf"{named}, which lacks .*aws 5\.100\.0"):
        host.source(online=True, SCONES_TERRAFORM_MIRROR=str(named))


@pytest.mark.parametrize(
    ("version", "target"), [("5.99.0", None), ("6.0.0", None), ("5.100.0", "plan9_mips")]
)
def test_another_version_or_platform_does_not_do(
    host: Host, version: str, target: str | None
) -> None:
    unpacked(host.opt / "mirror", version, target)
    with pytest.raises(TerraformError, match=r"hashicorp/aws 5\.100\.0 .*SCONES_TERRAFORM_MIRROR"):
        host.source()


def test_a_mirror_too_deep_is_not_searched_for(host: Host) -> None:
    unpacked(host.opt / "a/b/c/d")
    with pytest.raises(TerraformError, match="cannot be reached"):
        host.source()


def test_every_locked_provider_must_be_there(host: Host) -> None:
    unpacked(host.opt / "mirror")
    lock = host.root / ".terraform.lock.hcl"
    lock.write_text(
        lock.read_text() + f'provider "{HASHICORP}/random" {{\n  version = "3.7.2"\n}}\n'
    )
    with pytest.raises(TerraformError, match=r"random 3\.7\.2"):
        host.source()


def test_without_a_lock_any_version_of_a_declared_provider_does(host: Host) -> None:
    (host.root / ".terraform.lock.hcl").unlink()
    (host.root / "versions.tf").write_text(
        'terraform {\n  required_providers {\n    aws = {\n      source = "hashicorp/aws"\n'
        "    }\n  }\n}\n"
    )
    mirror = unpacked(host.opt / "mirror", "6.1.0")
    assert str(mirror) in host.source().notice


def test_an_installed_provider_is_looked_for_again(host: Host) -> None:
    # Terraform asks for the versions there are, whatever is installed.
    unpacked(host.build / "terraform/dev/providers")
    mirror = unpacked(host.opt / "mirror")
    assert str(mirror) in host.source().notice


def test_the_users_own_configuration_is_respected(host: Host, tmp_path: Path) -> None:
    unpacked(host.opt / "mirror")
    own = tmp_path / "own.tfrc"
    own.touch()
    found = host.source(TF_CLI_CONFIG_FILE=str(own))
    assert found.environ["TF_CLI_CONFIG_FILE"] == str(own)
    assert (found.notice, host.probes) == ("", 0)


def test_so_is_that_of_the_home_folder(host: Host) -> None:
    unpacked(host.opt / "mirror")
    (host.home / ".terraformrc").write_text("provider_installation {\n}\n")
    assert host.source() == ProviderSource(host.environ)


def test_a_configuration_that_is_not_there_is_not_passed_on(host: Host) -> None:
    found = host.source(online=True, TF_CLI_CONFIG_FILE="/nowhere/terraformrc")
    assert found == ProviderSource(host.environ)


def test_a_path_with_marks_of_the_language_is_quoted(host: Host) -> None:
    unpacked(host.opt / 'a "b" ${c}')
    config = Path(host.source().environ["TF_CLI_CONFIG_FILE"]).read_text()
    assert r"a \"b\" $${c}" in config


def test_implied_folders_are_those_that_terraform_documents(tmp_path: Path) -> None:
    home = {"HOME": "/home/x"}
    linux = implied_mirrors(tmp_path, home, "linux")
    assert list(map(str, linux)) == [
        f"{tmp_path}/terraform.d/plugins",
        "/home/x/.terraform.d/plugins",
        "/home/x/.local/share/terraform/plugins",
        "/usr/local/share/terraform/plugins",
        "/usr/share/terraform/plugins",
    ]
    mac = implied_mirrors(tmp_path, home, "darwin")
    assert Path("/home/x/Library/Application Support/io.terraform/plugins") in mac
    assert Path("/Library/Application Support/io.terraform/plugins") in mac
    windows = implied_mirrors(tmp_path, {**home, "APPDATA": "/data"}, "win32")
    assert Path("/data/HashiCorp/Terraform/plugins") in windows


def test_a_search_does_not_follow_links(tmp_path: Path) -> None:
    unpacked(tmp_path / "elsewhere")
    (tmp_path / "opt").mkdir()
    (tmp_path / "opt/link").symlink_to(tmp_path / "elsewhere")
    assert list(searched_mirrors("registry.terraform.io", [tmp_path / "opt"])) == []
    assert list(searched_mirrors("registry.terraform.io", [Path("/nowhere")])) == []


def test_the_platform_is_named_as_terraform_does() -> None:
    system, _, machine = os_arch().partition("_")
    assert system in ("linux", "darwin", "windows", "freebsd")
    assert machine not in ("x86_64", "aarch64")


LOCK = """# This file is maintained automatically by "terraform init".

provider "registry.terraform.io/hashicorp/aws" {
  version     = "5.100.0"
  constraints = ">= 5.100.0, < 7.0.0"
  hashes = [
    "h1:abc=",
    "zh:def",
  ]
}

provider "registry.terraform.io/hashicorp/random" {
  version = "3.7.2"
}
"""
VERSIONS = """
terraform {
  required_version = ">= 1.11.0"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100.0, < 7.0.0"
    }
  }
}
module "x" {
  source = "someone/elses"
}
"""


def test_the_lock_file_selects_versions(tmp_path: Path) -> None:
    (tmp_path / ".terraform.lock.hcl").write_text(LOCK)
    (tmp_path / "versions.tf").write_text(VERSIONS)
    assert needed_providers(tmp_path) == (
        Provider("registry.terraform.io/hashicorp/aws", "5.100.0"),
        Provider("registry.terraform.io/hashicorp/random", "3.7.2"),
    )


def test_without_it_the_declarations_say_the_sources(tmp_path: Path) -> None:
    (tmp_path / "versions.tf").write_text(VERSIONS)
    assert needed_providers(tmp_path) == (Provider("registry.terraform.io/hashicorp/aws"),)


def test_a_module_of_built_in_resources_needs_none(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text('resource "terraform_data" "x" {}\n')
    assert needed_providers(tmp_path) == ()
