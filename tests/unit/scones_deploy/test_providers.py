from pathlib import Path

from scones_deploy.providers import Provider, needed_providers

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
