"""The checks of the Terraform itself, which need no account: format, validity, tests, Checkov."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scones_core.errors import DeployError
from scones_deploy.terraform.commands import FLAG, Finished, TerraformCommands
from scones_deploy.terraform.environment_folder import BOOTSTRAP
from scones_deploy.terraform.messages import diagnostic_text


def check(commands: TerraformCommands) -> None:
    """Check format and validity of a root module and its bootstrap, and run their tests.

    `environments/*.tftest.hcl` and `examples/*.tftest.hcl` are run with the variables of each
    environment and each example. The root's own tests take about as long as all others together,
    which run at the same time and whose output follows.
    Raises TerraformError with what Terraform found.
    """
    commands.stream("fmt", check=FLAG, diff=FLAG, recursive=FLAG)
    bootstrap = commands.root / BOOTSTRAP
    roots = (None, bootstrap) if bootstrap.is_dir() else (None,)
    for root in roots:
        commands.init(root, backend=False)
    # Nothing asks AWS here, and the tests mock the provider: one serves them all.
    commands.keep_providers()
    for root in roots:
        validate(commands, root)
    pool = ThreadPoolExecutor(max_workers=1)
    try:
        others = [pool.submit(commands.run, "test", **suite) for suite in _others(commands.root)]
        commands.stream("test")
        _report(commands, others)
    finally:
        pool.shutdown(cancel_futures=True)


def validate(commands: TerraformCommands, at: Path | None = None) -> None:
    """Check the configuration, here or in another root module's folder, but not its tests.

    Terraform would read the provider's schema anew for each file of tests, and `test` checks them.
    Raises TerraformError with every fault that it has.
    """
    done = commands.run("validate", at=at, json=FLAG, no_tests=FLAG)
    body = done.json() if done.stdout.strip() else {}
    if done.status or not body.get("valid"):
        raise commands.failure("validate", diagnostic_text(body) or done.stderr)


def _others(root: Path) -> list[dict[str, Any]]:
    """Return the options of every `terraform test` but the root module's own."""
    suites: list[dict[str, Any]] = []
    if (root / BOOTSTRAP).is_dir():
        suites.append({"at": root / BOOTSTRAP})
    for folder in ("environments", "examples"):
        if any(root.glob(f"{folder}/*.tftest.hcl")):
            suites += [
                {"test_directory": folder, "var_file": str(file)}
                for file in sorted(root.glob(f"{folder}/*/env.tfvars"))
            ]
    return suites


def _report(commands: TerraformCommands, suites: list[Future[Finished]]) -> None:
    for suite in suites:
        commands.report("test", suite.result())


CONFIGURATION = ".checkov.yaml"


@dataclass(frozen=True, slots=True)
class Scan:
    """How many checks passed, and how many are skipped at their resource, with a reason."""

    passed: int
    skipped: int


def scan(root: Path, scanners: Path, environ: Mapping[str, str] = os.environ) -> Scan:
    """Return what Checkov finds in a folder of Terraform; uses no network.

    `scanners` is the folder that requirements/scan.lock was installed into. Raises DeployError,
    naming each, for a check that fails, one that is skipped without a reason, and a file that
    Checkov could not read; and where Checkov is not installed.
    """
    if not (scanners / "checkov").is_dir():
        raise DeployError(f"Checkov is not in {scanners}; `make terraform-test` installs it.")
    command = [sys.executable, "-m", "checkov.main", "-d", ".", "--config-file", CONFIGURATION]
    done = subprocess.run(
        [*command, "--output", "json", "--soft-fail"],
        cwd=root,
        env={**environ, "PYTHONPATH": str(scanners), "LOG_LEVEL": "ERROR"},
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        body = json.loads(done.stdout)
        return read_scan(body)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise DeployError(f"Checkov gave no result ({error!r}): {last}") from error


def read_scan(body: Mapping[str, Any]) -> Scan:
    """Return the counts of Checkov's JSON; raises DeployError for what may not pass."""
    results, summary = body["results"], body["summary"]
    wrong = [f"{_where(check)}: {check['check_name']}" for check in results["failed_checks"]]
    wrong += [
        f"{_where(check)}: skipped without a reason"
        for check in results["skipped_checks"]
        if not _reason(check)
    ]
    wrong += [f"{file}: cannot be read" for file in results["parsing_errors"]]
    if wrong:
        raise DeployError("Checkov finds in the Terraform:\n  " + "\n  ".join(wrong))
    return Scan(passed=summary["passed"], skipped=summary["skipped"])


def _where(check: Mapping[str, Any]) -> str:
    return f"{check['file_path']} {check['resource']} {check['check_id']}"


def _reason(check: Mapping[str, Any]) -> str:
    comment = str(check["check_result"].get("suppress_comment") or "").strip()
    return "" if comment == "No comment provided" else comment
