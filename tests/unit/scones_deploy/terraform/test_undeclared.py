from pathlib import Path

import pytest

from scones_core.errors import TerraformError
from scones_deploy.terraform.undeclared import require_declared
from tests.support.environments.checkout import ROOT

VARIABLES = """
variable "colour" {
  type = string
}
variable "alarms" {
  description = "budget"
  type = object({
    monthly_budget_usd = optional(number, 1)
    windows = optional(list(object({ from = string })), [])
    by_class = optional(map(object({ share = number })), {})
    mail = optional(object({ to = string }))
    tags = optional(map(string), {})
  })
}
variable "anything" {}
"""


def checked(folder: Path, text: str) -> None:
    (folder / "variables.tf").write_text(VARIABLES)
    (folder / "env.tfvars").write_text(text)
    require_declared(folder, folder / "env.tfvars")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('# a comment\ncolor = "red"', r"line 2: there is no variable 'color', .* mean colour\?"),
        ("zzz = 1", r"no variable 'zzz', .*; there are alarms, anything, colour\."),
        ("alarms = { monthly_budget = 1 }", r"no alarms\.monthly_budget, .* monthly_budget_usd\?"),
        ('alarms = {\n  "tag" = {}\n}', r"line 2: there is no alarms\.tag, .* mean tags\?"),
        ('alarms = { mail = { too = "a" } }', r"alarms\.mail\.too, .*; did you mean to\?"),
        ('alarms = { windows = [{ form = "a" }] }', r"alarms\.windows\.form"),
        ("alarms = { by_class = { van = { shares = 1 } } }", r"alarms\.by_class\.shares"),
    ],
)
def test_a_name_that_is_not_declared_is_said_with_its_line_and_the_nearest(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(TerraformError, match=message):
        checked(tmp_path, text)


@pytest.mark.parametrize(
    "text",
    [
        'colour = "red"\nalarms = null\nanything = { whatever = 1 }',
        'alarms = { tags = { any = "name" }, windows = [{ from = "a" }], mail = null }',
        "",
        "colour = { not closed",
    ],
)
def test_what_is_declared_passes_and_what_is_no_hcl_is_left_to_terraform(
    tmp_path: Path, text: str
) -> None:
    checked(tmp_path, text)


@pytest.mark.parametrize("environment", ["local", "dev", "prod"])
def test_the_projects_own_environments_set_only_what_is_declared(environment: str) -> None:
    root = ROOT / "terraform"
    require_declared(root, root / "environments" / environment / "env.tfvars")
