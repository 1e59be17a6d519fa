"""An environment's bootstrap, applied to an embedded AWS, and its roles for GitHub's jobs."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local_aws.control import LocalAws
from local_aws.testing.aws import ACCOUNT
from local_aws.testing.web_identity import take_role, web_token
from scones_deploy.terraform.binary import find_terraform
from scones_deploy.terraform.commands import FLAG, TerraformCommands
from scones_deploy.terraform.providers import provider_source

REPOSITORY = "owner/name"
ISSUER = "token.actions.githubusercontent.com"
# Terraform merges such a file into the module's own: no bucket has a host name on this host.
PATH_STYLE = 'provider "aws" {\n  s3_use_path_style = true\n}\n'


@dataclass(frozen=True)
class Bootstrap:
    """What the bootstrap of an environment put out, in an embedded AWS."""

    environment: str
    local: LocalAws
    outputs: dict[str, Any]

    @classmethod
    def apply(cls, terraform: Path, environment: str, local: LocalAws) -> "Bootstrap":
        """Apply `terraform/bootstrap` as its README says."""
        (terraform / "bootstrap" / "path_style_override.tf").write_text(PATH_STYLE)
        commands = _commands(terraform / "bootstrap", environment, local)
        commands.init()
        state = f"{environment}.tfstate"
        given = {"environment": environment, "account_id": ACCOUNT, "repository": REPOSITORY}
        variables = [f"{name}={value}" for name, value in given.items()]
        commands.stream("apply", state=state, var=variables, auto_approve=FLAG)
        shown = commands.run("output", state=state, json=FLAG)
        return cls(environment, local, {key: put["value"] for key, put in shown.json().items()})

    def keys(self, role: str) -> dict[str, str]:
        """Return the credentials of `plan` or `apply`, as a session's arguments."""
        github = {"plan": f"{self.environment}-plan", "apply": self.environment}[role]
        token = web_token(ISSUER, f"repo:{REPOSITORY}:environment:{github}")
        return take_role(self.local.endpoint_url, self.outputs[f"{role}_role_arn"], token)

    def job(self, role: str) -> dict[str, str]:
        """Return the variables of a GitHub job that took the role."""
        return {name.upper(): value for name, value in self.keys(role).items()}


def _commands(root: Path, environment: str, local: LocalAws) -> TerraformCommands:
    build = root.parents[1] / "build"
    environ = {**os.environ, **local.environment()}
    return TerraformCommands(
        root,
        environment,
        build / "bootstrap",
        find_terraform(build, environ),
        environ=environ,
        output=lambda line: None,
        color=False,
        build_dir=build,
        providers=provider_source,
    )
