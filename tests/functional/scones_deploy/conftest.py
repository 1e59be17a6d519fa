import os
from collections.abc import Callable
from pathlib import Path

import pytest

from scones_deploy.terraform.adapter import Terraform

MAIN = """
terraform {
  backend "local" {}
}
variable "lambda_dir" {
  type = string
}
variable "colour" {
  type = string
}
variable "active_release" {
  type    = string
  default = null
}
resource "terraform_data" "paint" {
  input = var.colour
}
resource "terraform_data" "release" {
  count            = var.active_release == null ? 0 : 1
  triggers_replace = var.active_release
}
output "colour" {
  value = terraform_data.paint.output
}
output "lambda_dir" {
  value = var.lambda_dir
}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "terraform"
    for environment, colour in (("dev", "blue"), ("prod", "red")):
        folder = root / "environments" / environment
        folder.mkdir(parents=True)
        (folder / "env.tfvars").write_text(f'colour = "{colour}"\n')
        (folder / "backend.hcl").write_text(f'path = "{tmp_path}/{environment}.tfstate"\n')
    (root / "main.tf").write_text(MAIN)
    return root


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    home = tmp_path / "home"
    home.mkdir()
    return {"PATH": os.environ["PATH"], "HOME": str(home)}


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def terraform(
    root: Path, tmp_path: Path, environ: dict[str, str], lines: list[str]
) -> Callable[..., Terraform]:
    def make(environment: str = "dev", **options: object) -> Terraform:
        arguments = {"output": lines.append, "environ": environ, **options}
        return Terraform(root, environment, tmp_path / "build", **arguments)  # type: ignore[arg-type]

    return make
