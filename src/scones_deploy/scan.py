"""The scan of the Terraform by Checkov, which knows what AWS's own guidance asks for.

Checkov lives in a folder of its own, as it pins versions that nothing else wants.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scones_core.errors import DeployError

CONFIGURATION = ".checkov.yaml"


@dataclass(frozen=True, slots=True)
class Scan:
    """How many checks passed, and how many are left out beside their resource, with a reason."""

    passed: int
    skipped: int


def scan(root: Path, scanners: Path, environ: Mapping[str, str] = os.environ) -> Scan:
    """Return what Checkov finds in a folder of Terraform; asks nobody outside this machine.

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
