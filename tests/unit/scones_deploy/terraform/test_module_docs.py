from pathlib import Path

import pytest

from scones_core.errors import DeployError
from scones_deploy.terraform.module_docs import BEGIN, END, entries, stale_docs, write_docs

VARIABLES = """
variable "size" {
  description = "How much | how \\"big\\"."
  type = object({
    least = number
    most  = optional(number, 3)
    names = list(string)
  })
  default = {}

  validation {
    condition     = var.size.least > 0
    error_message = "size.least must be greater than 0."
  }
}

variable "name" {
  description = "Its name."
  type        = string
}
"""
OUTPUTS = """
output "arn" {
  description = "Its ARN."
  value       = "arn"
}
"""


@pytest.fixture
def module(tmp_path: Path) -> Path:
    folder = tmp_path / "modules" / "thing"
    folder.mkdir(parents=True)
    (folder / "variables.tf").write_text(VARIABLES)
    (folder / "outputs.tf").write_text(OUTPUTS)
    (folder / "README.md").write_text(f"# thing\nIs a thing.\n\n{BEGIN}\n{END}\nThe end.\n")
    return folder


def test_a_module_s_tables_are_written_between_the_markers(tmp_path: Path, module: Path) -> None:
    assert write_docs(tmp_path) == [module / "README.md"]
    text = (module / "README.md").read_text()
    assert text.startswith("# thing\nIs a thing.\n\n")
    assert text.endswith(f"{END}\nThe end.\n")
    assert "| `name` | `string` | required | Its name. |" in text
    size = "object({ least = number, most = optional(number, 3), names = list(string) })"
    assert f"| `size` | `{size}` | `{{}}` |" in text
    assert "| `arn` | Its ARN. |" in text


def test_what_is_written_is_not_stale(tmp_path: Path, module: Path) -> None:
    assert stale_docs(tmp_path) == [module / "README.md"]
    write_docs(tmp_path)
    assert stale_docs(tmp_path) == []
    assert write_docs(tmp_path) == []


def test_a_new_variable_makes_the_readme_stale(tmp_path: Path, module: Path) -> None:
    write_docs(tmp_path)
    with (module / "variables.tf").open("a") as file:
        file.write('\nvariable "more" {\n  description = "More."\n}\n')
    assert stale_docs(tmp_path) == [module / "README.md"]


def test_a_readme_without_markers_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("# none\n")
    assert write_docs(tmp_path) == []


def test_a_marker_without_its_end_is_refused(tmp_path: Path, module: Path) -> None:
    (module / "README.md").write_text(f"{BEGIN}\n")
    with pytest.raises(DeployError, match="needs the lines"):
        write_docs(tmp_path)


def test_a_variable_without_a_description_is_refused(module: Path) -> None:
    (module / "more.tf").write_text('variable "bare" {\n  type = string\n}\n')
    with pytest.raises(DeployError, match="bare has no description"):
        entries(module, "variable")


def test_a_file_that_is_no_hcl_is_named(module: Path) -> None:
    (module / "broken.tf").write_text('variable "x" {')
    with pytest.raises(DeployError, match=r"broken\.tf cannot be read"):
        entries(module, "variable")
