"""The faults of python-terraform that `scones_deploy.terraform.adapter` works around.

Each test fails once the library has caught up; the workaround can go then.
"""

import inspect
import logging
from pathlib import Path

import pytest
from python_terraform import IsNotFlagged, Terraform

from scones_deploy.terraform.binary import find_terraform

pytestmark = pytest.mark.filterwarnings("ignore:The 'warn' method:DeprecationWarning")


@pytest.fixture
def library(tmp_path: Path, environ: dict[str, str]) -> Terraform:
    binary = find_terraform(tmp_path / "build", environ)
    folder = tmp_path / "module"
    folder.mkdir()
    (folder / "main.tf").write_text('output "word" {\n  value = "yes"\n}\n')
    library = Terraform(working_dir=str(folder), terraform_bin_path=str(binary.path))
    assert library.init()[0] == 0
    return library


def test_apply_waits_for_an_answer_that_nobody_gives(library: Terraform) -> None:
    status, _, errors = library.apply()
    assert status != 0
    assert "approv" in errors or "input" in errors
    assert library.apply(skip_plan=True)[0] == 0


def test_destroy_uses_a_flag_that_terraform_removed(library: Terraform) -> None:
    status, _, errors = library.destroy()
    assert status != 0
    assert "-force" in errors
    assert library.destroy(force=IsNotFlagged, auto_approve=True)[0] == 0


def test_one_output_by_name_is_a_type_error(library: Terraform) -> None:
    assert library.apply(skip_plan=True)[0] == 0
    assert library.output()["word"]["value"] == "yes"
    with pytest.raises(TypeError):
        library.output("word")


def test_a_failure_is_a_tuple(library: Terraform) -> None:
    (Path(library.working_dir) / "bad.tf").write_text("nonsense\n")
    status, _, errors = library.plan()
    assert (status, bool(errors)) == (1, True)


def test_a_failure_is_logged_by_a_deprecated_call(
    library: Terraform, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING), pytest.warns(DeprecationWarning, match="warn"):
        library.cmd("nonsense")
    assert caplog.records


def test_output_is_either_captured_or_seen(
    library: Terraform, capfd: pytest.CaptureFixture[str]
) -> None:
    status, out, errors = library.cmd("version", capture_output=False)
    assert (status, out, errors) == (0, None, None)
    assert "Terraform v" in capfd.readouterr().out


def test_no_environment_can_be_given() -> None:
    parameters = inspect.signature(Terraform.__init__).parameters
    assert "is_env_vars_included" in parameters
    assert not {"env", "environ", "environment"} & set(parameters)


def test_a_misspelt_method_runs_terraform(library: Terraform) -> None:
    status, _, errors = library.aplly()
    assert status != 0
    assert "aplly" in errors


def test_a_state_file_is_parsed_when_the_object_is_made(tmp_path: Path) -> None:
    (tmp_path / "terraform.tfstate").write_text("{")
    with pytest.raises(ValueError, match=r"Expecting"):
        Terraform(working_dir=str(tmp_path))
