"""The checks of the Terraform itself, which need no account and no state."""

from pathlib import Path

from scones_deploy.environment_folder import BOOTSTRAP, environments
from scones_deploy.terraform_commands import FLAG, TerraformCommands
from scones_deploy.terraform_messages import diagnostic_words


def check(commands: TerraformCommands) -> None:
    """Check format and validity of a root module and its bootstrap, and run their tests.

    `environments/*.tftest.hcl` is run with each environment's variables. Raises TerraformError
    with what Terraform found.
    """
    commands.stream("fmt", check=FLAG, diff=FLAG, recursive=FLAG)
    bootstrap = commands.root / BOOTSTRAP
    for at in (None, bootstrap) if bootstrap.is_dir() else (None,):
        commands.init(at, backend=False)
        validate(commands, at)
        commands.stream("test", at=at)
    if any(commands.root.glob("environments/*.tftest.hcl")):
        for name in environments(commands.root):
            file = commands.root / "environments" / name / "env.tfvars"
            commands.stream("test", test_directory="environments", var_file=str(file))


def validate(commands: TerraformCommands, at: Path | None = None) -> None:
    """Check the configuration, here or in another root module's folder.

    Raises TerraformError with every fault that it has.
    """
    done = commands.run("validate", at=at, json=FLAG)
    body = done.json() if done.stdout.strip() else {}
    if done.status or not body.get("valid"):
        raise commands.failure("validate", diagnostic_words(body) or done.stderr)
