"""The tasks that check and document the Terraform: their flags and their help."""

import scones_toolkit.tasks as do
from scones_toolkit.cli import task
from scones_toolkit.project import Project


@task("inv terraform.test", local=True)
def test(project: Project) -> None:
    """Check the Terraform: format, validity, READMEs, `terraform test` under mocks, Checkov."""
    do.deploy.check_terraform(project)


@task("inv terraform.docs", local=True)
def docs(project: Project) -> None:
    """Write each module's inputs and outputs into its README."""
    do.deploy.write_terraform_docs(project)
