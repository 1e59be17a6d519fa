"""The checks of the Terraform itself, which need no account and no state."""

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from scones_deploy.environment_folder import BOOTSTRAP, environments
from scones_deploy.terraform_commands import FLAG, TerraformCommands
from scones_deploy.terraform_messages import diagnostic_words
from scones_deploy.terraform_process import Finished


def check(commands: TerraformCommands) -> None:
    """Check format and validity of a root module and its bootstrap, and run their tests.

    `environments/*.tftest.hcl` is run with each environment's variables. The root's own tests
    take about as long as all others together, which run beside them and are told afterwards.
    Raises TerraformError with what Terraform found.
    """
    commands.stream("fmt", check=FLAG, diff=FLAG, recursive=FLAG)
    bootstrap = commands.root / BOOTSTRAP
    for at in (None, bootstrap) if bootstrap.is_dir() else (None,):
        commands.init(at, backend=False)
        validate(commands, at)
    beside = ThreadPoolExecutor(max_workers=1)
    try:
        others = [beside.submit(commands.run, "test", **suite) for suite in _others(commands.root)]
        commands.stream("test")
        _tell(commands, others)
    finally:
        beside.shutdown(cancel_futures=True)


def validate(commands: TerraformCommands, at: Path | None = None) -> None:
    """Check the configuration, here or in another root module's folder.

    Raises TerraformError with every fault that it has.
    """
    done = commands.run("validate", at=at, json=FLAG)
    body = done.json() if done.stdout.strip() else {}
    if done.status or not body.get("valid"):
        raise commands.failure("validate", diagnostic_words(body) or done.stderr)


def _others(root: Path) -> list[dict[str, Any]]:
    """Return the options of every `terraform test` but the root module's own."""
    suites: list[dict[str, Any]] = []
    if (root / BOOTSTRAP).is_dir():
        suites.append({"at": root / BOOTSTRAP})
    if any(root.glob("environments/*.tftest.hcl")):
        suites += [
            {"test_directory": "environments", "var_file": str(file)}
            for file in (root / "environments" / name / "env.tfvars" for name in environments(root))
        ]
    return suites


def _tell(commands: TerraformCommands, suites: list[Future[Finished]]) -> None:
    for suite in suites:
        commands.tell("test", suite.result())
