"""The tasks that check the Terraform itself, and write its modules' tables."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from scones_core.errors import DeployError
from scones_deploy.terraform.adapter import Terraform
from scones_deploy.terraform.checks import scan
from scones_deploy.terraform.module_docs import stale_docs, write_docs
from scones_toolkit.project import Project
from scones_toolkit.terraform_lines import TerraformLines

# Beside the packages that the toolkit runs on; see the Makefile.
SCANNERS = Path(sys.prefix) / "scan"


def check(project: Project) -> None:
    """Check format, validity, READMEs, tests under mocks, each environment's variables; scan all.

    Raises DeployError or TerraformError with the first of these that does not hold.
    """
    root, build = project.root / "terraform", project.build / "check"
    if stale := stale_docs(root):
        names = ", ".join(str(file.relative_to(project.root)) for file in stale)
        raise DeployError(f"{names} do not say what the module takes; run `inv terraform.docs`.")
    log = TerraformLines(project.console, build / "terraform.log")
    # A build folder of its own: a check beside a deployed environment must not touch its state.
    terraform = Terraform(root, "local", build_dir=build, environ=os.environ, output=log)
    with ThreadPoolExecutor(max_workers=1) as beside:
        scanned = beside.submit(scan, root, SCANNERS)
        terraform.check()
        found = scanned.result()
    project.console.say(f"  Checkov: {found.passed} passed, {found.skipped} skipped with a reason.")


def docs(project: Project) -> None:
    """Write the inputs and outputs of each module into its README, and print which changed."""
    changed = write_docs(project.root / "terraform")
    for readme in changed:
        project.console.say(f"  {readme.relative_to(project.root)}")
    if not changed:
        project.console.say("  Every README says what its module takes.")
