import gc
import os
from pathlib import Path

import pytest

from scones_deploy.terraform.kept_provider import VARIABLE, KeptProviders
from scones_deploy.terraform.providers import os_arch

LOCK = """provider "registry.terraform.io/hashicorp/{name}" {{
  version = "1.2.3"
}}
"""
ADDRESS = '{"registry.terraform.io/hashicorp/aws":{"Addr":{"String":"/tmp/plugin"}}}'
# As the AWS provider does in its debug mode; it stays up until it is stopped.
STAYS = """#!/bin/sh
[ "$1" = -debug ] || exit 1
[ -e .terraform.lock.hcl ] && echo "$$" >> STARTED
echo "Provider started. To attach Terraform CLI, set the following:"
cat <<'END'
    TF_REATTACH_PROVIDERS='ADDRESS'
END
exec tail -f /dev/null
"""
GOES = "#!/bin/sh\necho $$ >> STARTED\necho it cannot run here\nexit 1\n"


class Root:
    """A root module with an installed provider, which notes its process at each start."""

    def __init__(self, folder: Path, program: str) -> None:
        self.folder, self.data_dir = folder / "root", folder / "data"
        self.notes = folder / "started"
        self.folder.mkdir()
        self.lock("aws")
        at = self.data_dir / "providers/registry.terraform.io/hashicorp/aws/1.2.3" / os_arch()
        at.mkdir(parents=True)
        installed = at / "terraform-provider-aws_v1.2.3_x5"
        installed.write_text(
            program.replace("STARTED", str(self.notes)).replace("ADDRESS", ADDRESS)
        )
        installed.chmod(0o700)

    def lock(self, *names: str) -> None:
        text = "".join(LOCK.format(name=name) for name in names)
        (self.folder / ".terraform.lock.hcl").write_text(text)

    def environ(self, kept: KeptProviders, command: str = "plan", **more: str) -> dict[str, str]:
        given = {"PATH": os.environ["PATH"], **more}
        return kept.environ(command, self.folder, self.data_dir, given)

    @property
    def processes(self) -> list[int]:
        return [int(line) for line in self.notes.read_text().split()] if self.notes.exists() else []


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return Root(tmp_path, STAYS)


def is_up(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_the_commands_of_one_module_share_a_provider(root: Root) -> None:
    kept = KeptProviders()
    found = [root.environ(kept, command) for command in ("plan", "show", "apply", "test")]
    assert found == [{VARIABLE: ADDRESS}] * 4
    assert len(root.processes) == 1


def test_a_provider_reads_relative_paths_from_its_module(root: Root) -> None:
    root.environ(KeptProviders())
    assert len(root.processes) == 1  # it notes itself where it sees the module's lock file


def test_a_kept_provider_ends_with_what_keeps_it(root: Root) -> None:
    kept = KeptProviders()
    root.environ(kept)
    (process,) = root.processes
    assert is_up(process)
    del kept
    gc.collect()
    assert not is_up(process)


@pytest.mark.parametrize("command", ["init", "output", "state", "fmt", "force-unlock"])
def test_a_command_that_needs_no_schema_starts_no_provider(root: Root, command: str) -> None:
    assert root.environ(KeptProviders(), command) == {}
    assert root.processes == []


@pytest.mark.parametrize("variable", ["TF_LOG", VARIABLE])
def test_somebody_who_debugs_a_provider_is_left_alone(root: Root, variable: str) -> None:
    assert root.environ(KeptProviders(), **{variable: "debug"}) == {}
    assert root.processes == []


def test_a_provider_that_cannot_run_is_left_to_terraform_and_not_tried_again(
    tmp_path: Path,
) -> None:
    root, kept = Root(tmp_path, GOES), KeptProviders()
    assert [root.environ(kept), root.environ(kept)] == [{}, {}]
    assert len(root.processes) == 1


def test_several_providers_or_one_that_is_not_installed_are_left_to_terraform(root: Root) -> None:
    kept = KeptProviders()
    root.lock("aws", "random")
    assert root.environ(kept) == {}
    root.lock("random")
    assert root.environ(kept) == {}
    assert root.processes == []
