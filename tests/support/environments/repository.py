"""A scratch repository whose dev environment lies in an embedded AWS, as in an account."""

import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from local_aws.control import LocalAws
from local_aws.testing.aws import ACCOUNT, new_client
from scones_core.settings import EndpointSettings, Settings
from scones_deploy.artifact_release import artifact_release
from scones_deploy.release import add_release
from tests.support.environments.bootstrap import Bootstrap
from tests.support.environments.checkout import Checkout, Ended
from tests.support.environments.environment import quiet_hours

ENVIRONMENT = "terraform/environments/dev"
IGNORED = "build/\n.cache/\nkept/\nsummary/\n__pycache__/\n*.tfstate\n"


@dataclass
class Repository:
    """Its tasks run as the workflows' jobs do, with a role of the bootstrap's."""

    checkout: Checkout
    local: LocalAws
    bootstrap: Bootstrap

    @classmethod
    def create(cls, checkout: Checkout, local: LocalAws) -> "Repository":
        """Apply the bootstrap, and commit the project with the boundary that it put out."""
        bootstrap = Bootstrap.apply(checkout.root / "terraform", "dev", local)
        made = cls(checkout, local, bootstrap)
        boundary = bootstrap.outputs["permissions_boundary_arn"]
        begin, end = quiet_hours(datetime.now(UTC))
        made.edit('"07:00"', f'"{begin}"')
        made.edit('"19:00"', f'"{end}"')
        made.add(f'permissions_boundary_arn = "{boundary}"\n')
        (checkout.root / ".gitignore").write_text(IGNORED)
        made.git("init", "--quiet", "--initial-branch", "main")
        made.git("add", "--all")
        made.git("commit", "--quiet", "--message", "The project")
        return made

    def git(self, *words: str) -> str:
        identity = ("-c", "user.name=t", "-c", "user.email=t@example.com")
        command = ["git", *identity, *words]
        root = self.checkout.root
        return subprocess.run(
            command, cwd=root, check=True, capture_output=True, text=True
        ).stdout.strip()

    def inv(self, *task: str, role: str = "plan") -> Ended:
        """Run a task as the job of a workflow does, which took one of the bootstrap's roles."""
        environ = self.local.environment() | self.bootstrap.job(role)
        return self.checkout.inv_within(400, *task, **environ)

    def client(self, service: str, role: str = "") -> Any:
        """Return a client with one of the bootstrap's roles; else an administrator's."""
        keys = self.bootstrap.keys(role) if role else {}
        return new_client(self.local.endpoint_url, service, **keys)

    def edit(self, old: str, new: str) -> None:
        """Replace a text in dev's variables."""
        file = self.checkout.root / ENVIRONMENT / "env.tfvars"
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))

    def add(self, text: str) -> None:
        """Add to dev's variables."""
        with (self.checkout.root / ENVIRONMENT / "env.tfvars").open("a") as variables:
            variables.write(text)

    def propose(self, old: str, new: str) -> None:
        """Change a variable of dev on a branch of its own."""
        self.git("switch", "--quiet", "--create", f"branch-{new.rsplit(maxsplit=1)[-1]}", "main")
        self.edit(old, new)
        self.git("commit", "--quiet", "--all", "--message", new)

    def release(self, archive: bytes) -> None:
        """Have dev serve an artifact, which whoever trained it has uploaded."""
        bucket, key = f"scones-dev-artifacts-{ACCOUNT}", "model/any/output/model.tar.gz"
        self.client("s3").put_object(Bucket=bucket, Key=key, Body=archive)
        made = artifact_release(
            self.client("s3"),
            f"s3://{bucket}/{key}",
            image=f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/scones-dev-model:0.1.0",
            endpoint=EndpointSettings(),
            now=datetime.now(UTC),
        )
        assigned = Settings.load(self.checkout.root / "scones.toml", {}).assignment
        path = self.checkout.root / ENVIRONMENT / "release.tfvars.json"
        add_release(path, made, assignments=assigned)

    def plan(self) -> str:
        """Plan dev as plan.yml does, and return the comment."""
        ended = self.inv(
            "plan", "--env", "dev", "--out", "kept/dev.tfplan", "--summary", "summary/dev.md"
        )
        assert ended.code == 0, ended
        return (self.checkout.root / "summary" / "dev.md").read_text()

    def apply(self, role: str = "apply") -> Ended:
        """Apply the kept plan as apply.yml does."""
        return self.inv("apply", "--env", "dev", "--plan", "kept/dev.tfplan", role=role)

    def applied(self) -> str:
        """Apply the kept plan, which must succeed, and return what was said."""
        ended = self.apply()
        assert ended.code == 0, ended.out[-4000:] + ended.err[-4000:]
        return ended.out

    def merge(self) -> None:
        """Merge the branch that is checked out, as a pull request is."""
        branch = self.git("branch", "--show-current")
        self.git("switch", "--quiet", "main")
        self.git("merge", "--quiet", "--no-ff", "--message", f"Merge {branch}", branch)
