"""A change's whole way: proposed, planned, merged, applied, found altered, taken back."""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from scones_local.process import LocalAws
from tests.support.bootstrap import Bootstrap
from tests.support.checkout import Checkout, Ended, copy_checkout

ENVIRONMENT = "terraform/environments/dev/env.tfvars"
LOG_GROUP = "/aws/lambda/scones-dev-filter-inferences"


@dataclass
class Repository:
    """A scratch repository whose dev environment lies in an embedded AWS, as in an account."""

    checkout: Checkout
    local: LocalAws
    bootstrap: Bootstrap

    def git(self, *words: str) -> None:
        identity = ("-c", "user.name=t", "-c", "user.email=t@example.com")
        subprocess.run(
            ["git", *identity, *words], cwd=self.checkout.root, check=True, capture_output=True
        )

    def inv(self, *task: str, role: str = "plan") -> Ended:
        """Run a task as the job of a workflow does, which took one of the bootstrap's roles."""
        environ = self.local.environment() | self.bootstrap.job(role)
        return self.checkout.inv(*task, timeout=400, **environ)

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.local.endpoint_url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(s3={"addressing_style": "path"}),
        )

    def propose(self, old: str, new: str) -> None:
        """Change a variable of dev on a branch of its own."""
        file = self.checkout.root / ENVIRONMENT
        self.git("switch", "--quiet", "--create", f"branch-{new.rsplit(maxsplit=1)[-1]}", "main")
        file.write_text(file.read_text().replace(old, new))
        self.git("commit", "--quiet", "--all", "--message", new)

    def plan(self) -> str:
        """Plan dev as plan.yml does, and return the comment."""
        ended = self.inv(
            "plan", "--env", "dev", "--out", "kept/dev.tfplan", "--summary", "summary/dev.md"
        )
        assert ended.code == 0, ended
        return (self.checkout.root / "summary" / "dev.md").read_text()

    def apply(self, role: str = "apply") -> Ended:
        return self.inv("apply", "--env", "dev", "--plan", "kept/dev.tfplan", role=role)

    def merge(self) -> None:
        branch = subprocess.run(
            ["git", "branch", "--show-current"],
            cwd=self.checkout.root,
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        self.git("switch", "--quiet", "main")
        self.git("merge", "--quiet", "--no-ff", "--message", f"Merge {branch}", branch)

    def retention(self) -> int:
        groups = self.client("logs").describe_log_groups(logGroupNamePrefix=LOG_GROUP)
        days: int = groups["logGroups"][0]["retentionInDays"]
        return days


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    checkout = copy_checkout(tmp_path / "checkout")
    with LocalAws.start(tmp_path / "aws", 0, {}) as local:
        bootstrap = Bootstrap.apply(checkout.root / "terraform", "dev", local)
        made = Repository(checkout, local, bootstrap)
        with (checkout.root / ENVIRONMENT).open("a") as variables:
            boundary = bootstrap.outputs["permissions_boundary_arn"]
            variables.write(f'permissions_boundary_arn = "{boundary}"\n')
        (checkout.root / ".gitignore").write_text(
            "build/\n.cache/\nkept/\nsummary/\n__pycache__/\n*.tfstate\n"
        )
        made.git("init", "--quiet", "--initial-branch", "main")
        made.git("add", "--all")
        made.git("commit", "--quiet", "--message", "The project")
        yield made


@pytest.mark.slow
def test_a_change_is_planned_merged_applied_watched_and_reverted(repository: Repository) -> None:
    assert repository.inv("build").code == 0
    assert re.match(r"### dev: \d+ to add, 0 to change, 0 to destroy\n", repository.plan())
    applied = repository.apply()
    assert applied.code == 0, applied
    assert repository.retention() == 30

    repository.propose("log_retention_days     = 30", "log_retention_days     = 14")
    comment = repository.plan()
    assert re.search(r" 0 to add, \d to change, 0 to destroy", comment)
    assert "retention_in_days" in comment
    refused = repository.apply(role="plan")
    assert refused.code == 1
    assert "not authorized to perform: logs:PutRetentionPolicy" in refused.err, refused
    assert repository.retention() == 30
    repository.git("switch", "--quiet", "main")
    repository.apply().says("made from another configuration", "Plan again")
    repository.git("switch", "--quiet", "branch-14")
    repository.merge()
    assert repository.apply().code == 0
    assert repository.retention() == 14

    assert repository.inv("drift", "--env", "dev").code == 0
    repository.client("logs").put_retention_policy(logGroupName=LOG_GROUP, retentionInDays=3)
    found = repository.inv("drift", "--env", "dev", "--summary", "summary/drift.md")
    assert found.code == 2, found
    drift = (repository.checkout.root / "summary" / "drift.md").read_text()
    assert drift.startswith("### dev: 0 to add, 1 to change, 0 to destroy")
    assert repository.retention() == 3

    repository.git("revert", "--no-edit", "--mainline", "1", "HEAD")
    assert re.search(r" 0 to add, \d to change, 0 to destroy", repository.plan())
    assert repository.apply().code == 0
    assert repository.retention() == 30
