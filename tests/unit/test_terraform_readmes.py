"""The repository's own Terraform, read as files."""

from pathlib import Path

from scones_deploy.terraform.module_docs import modules, stale_docs

TERRAFORM = Path(__file__).parents[2] / "terraform"


def test_every_module_s_readme_says_what_it_takes() -> None:
    declared = {file.parent for file in TERRAFORM.glob("modules/*/variables.tf")}
    assert declared | {TERRAFORM / "bootstrap"} <= set(modules(TERRAFORM))
    assert stale_docs(TERRAFORM) == [], "run `inv terraform.docs`"
