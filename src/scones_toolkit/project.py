"""One environment of one checkout: its paths, its clients, its Terraform."""

import errno
import json
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import boto3
import botocore.session
from botocore.config import Config
from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES

from local_aws.control import LocalAws
from local_aws.errors import LocalAwsError
from scones_core.errors import DeployError, SconesError
from scones_core.files import write_json
from scones_core.settings import Settings
from scones_core.terraform_outputs import Deployment
from scones_deploy.release import Release, read_releases
from scones_deploy.terraform.adapter import Terraform
from scones_deploy.terraform.state_bucket import (
    StateLock,
    backend_bucket,
    backend_settings,
    state_lock,
)
from scones_toolkit.console import Console, RichOutput, TerraformLines

Environment = Literal["local", "dev", "prod"]

# In local mode nothing of a developer's own configuration of AWS is read.
NO_FILES = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
# boto3's settings as (name in a file, variable, default, conversion): none by file or variable.
SEALED = {
    name: (None, None, default, convert)
    for name, (_, _, default, convert) in BOTOCORE_DEFAUT_SESSION_VARIABLES.items()
} | {
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
}


# The task that writes each record, for the sentence that asks for it.
WRITTEN_BY = {
    "dataset": ("No dataset was staged", "etl"),
    "training": ("No training job was run", "train"),
    "execution": ("Nothing was classified", "run"),
    "demand/data": ("No hours were staged", "demand.etl"),
    "demand/training": ("No demand model was trained", "demand.train"),
}
# The record that each of these tasks needs before.
NEEDED_BEFORE = {"training": "dataset", "demand/training": "demand/data"}


class Records:
    """The records of one environment."""

    def __init__(self, folder: Path, env_flag: str = "") -> None:
        self.folder, self._env_flag = folder, env_flag

    def path(self, name: str) -> Path:
        """Return where a record is."""
        return self.folder / f"{name}.json"

    def write(self, name: str, content: dict[str, Any]) -> Path:
        """Write a record, replacing the older one, and return its path."""
        path = self.path(name)
        write_json(path, content)
        return path

    def read(self, name: str) -> dict[str, Any]:
        """Return a record; raises SconesError, naming the tasks that lead to it, without one."""
        path = self.path(name)
        missing, task = WRITTEN_BY[name]
        task = f"inv {task}{self._env_flag}"
        before = NEEDED_BEFORE.get(name)
        first = ""
        if before and not self.path(before).exists():
            first = f"inv {WRITTEN_BY[before][1]}{self._env_flag}, then "
        try:
            content = json.loads(path.read_bytes())
        except FileNotFoundError:
            raise SconesError(f"{missing} yet: {first}{task} ({path} is missing)") from None
        except ValueError as error:
            raise SconesError(f"{path} is not valid JSON ({error}); run `{task}` again.") from error
        if not isinstance(content, dict):
            raise SconesError(f"{path} is not a JSON object; run `{task}` again.")
        return content


@dataclass(frozen=True)
class Project:
    """A checkout, seen as one of its environments.

    `verbose` prints Terraform's output; otherwise only its progress is shown. `hints` has each
    task name the next one. `stand_in` is an embedded AWS in place of the environment's account.
    """

    root: Path
    environment: Environment = "local"
    settings: Settings = field(default_factory=Settings)
    console: Console = field(default_factory=Console)
    verbose: bool = False
    hints: bool = True
    stand_in: LocalAws | None = None

    @classmethod
    def open(cls, root: Path, environment: Environment, *, verbose: bool = False) -> "Project":
        """Return the project in a folder, with its settings; raises SettingsError."""
        return cls(root, environment, Settings.load(root / "scones.toml"), verbose=verbose)

    def on_stderr(self) -> "Project":
        """Return the same project whose console is stderr: stdout is for another program."""
        return replace(self, console=Console(RichOutput(stderr=True, soft_wrap=True)))

    @property
    def env_flag(self) -> str:
        """The flag that names this environment on a command line, with a space; empty for local."""
        return "" if self.environment == "local" else f" --env {self.environment}"

    def hint(self, *tasks: str) -> None:
        """Print which tasks usually come next, like `release` or `approve 1`."""
        if self.hints:
            self.console.say(f"Next: {', '.join(f'inv {task}{self.env_flag}' for task in tasks)}")

    @property
    def build(self) -> Path:
        """Where everything that can be made again is written."""
        return self.root / self.settings.project.build_dir

    @property
    def cache(self) -> Path:
        """Where downloads are kept."""
        return self.root / self.settings.project.cache_dir

    @property
    def local_home(self) -> Path:
        """Where the embedded AWS keeps its files."""
        return self.root / self.settings.project.local_dir / "aws"

    @property
    def review_folder(self) -> Path:
        """Where images to label go: outside of what can be made again, as people write there."""
        return self.root / "review" / self.environment

    @property
    def terraform_data(self) -> Path:
        """Terraform's working data of this environment: modules, providers, a saved plan."""
        return self.build / "terraform" / self.environment

    @property
    def release_file(self) -> Path:
        """The release manifest of this environment, which Terraform reads."""
        return self.root / "terraform" / "environments" / self.environment / "release.tfvars.json"

    def require_writable(self, path: Path, *, read: Path | None = None) -> None:
        """Make the folder of a file that a flag names, and say so; raises SconesError.

        Before the work whose result goes there: a mistyped path is seen at once, and so is one
        of the file that the task is to `read`, of which there may be no other copy.
        """
        if read is not None and path.exists() and read.exists() and path.samefile(read):
            raise SconesError(f"{path} is the file that is read; write the result to another one.")
        folder = path.absolute().parent
        new = not folder.is_dir()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            raise SconesError(f"{path} cannot be written: {error.strerror}.") from error
        if new:
            self.console.say(f"  The folder {folder} did not exist; it was made.")

    @property
    def records(self) -> Records:
        """What tasks leave for one another in this environment."""
        return Records(self.build / self.environment, self.env_flag)

    @cached_property
    def environ(self) -> Mapping[str, str]:
        """The environment variables that reach this environment's AWS.

        Raises LocalAwsError when the environment is `local` and no embedded AWS runs.
        """
        if not self.embedded:
            return dict(os.environ)
        # No profile, token or endpoint of a real account may mix with the local ones.
        others = {name: value for name, value in os.environ.items() if name[:4] != "AWS_"}
        return {**others, **NO_FILES, **self.local_aws().environment()}

    @property
    def embedded(self) -> bool:
        """Whether this environment is in an embedded AWS, and not in an account."""
        return self.environment == "local" or self.stand_in is not None

    def local_aws(self) -> LocalAws:
        """Return the running embedded AWS; raises LocalAwsError when none runs."""
        if self.stand_in is not None:
            return self.stand_in
        try:
            aws = LocalAws.attach(self.local_home)
        except LocalAwsError as error:
            raise LocalAwsError(
                "The embedded AWS is not running; start it: inv local.up"
            ) from error
        self._warn_of_other_code(aws)
        return aws

    def _warn_of_other_code(self, aws: LocalAws) -> None:
        """Say, once in a task, that the server runs what the code was before a `git pull`."""
        if "code_checked" in self.__dict__:
            return
        self.__dict__["code_checked"] = True
        if aws.runs_other_code():
            # stdout may be for another program, as that of `local.env` is.
            self.on_stderr().console.warn(
                "The embedded AWS runs other code than this checkout has now: "
                "inv local.down, then inv local.up, load it and keep what was deployed."
            )

    def now(self) -> datetime:
        """Return the time by the clock of this environment's AWS, in UTC.

        A driven clock of an embedded AWS is ahead of the host's. Where none runs it is the host's.
        """
        if self.embedded:
            with suppress(LocalAwsError):
                return self.local_aws().now()
        return datetime.now(UTC)

    @cached_property
    def session(self) -> boto3.Session:
        """The boto3 session of this environment's AWS; clients are better made by `client`."""
        if not self.embedded:
            return boto3.Session()
        environ = self.environ
        return boto3.Session(
            botocore_session=botocore.session.Session(SEALED),
            aws_access_key_id=environ["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=environ["AWS_SECRET_ACCESS_KEY"],
            region_name=environ["AWS_DEFAULT_REGION"],
        )

    def client(self, service: str) -> Any:
        """Return a boto3 client of a service of this environment's AWS."""
        local = self.embedded
        config = Config(
            retries={"mode": "standard", "max_attempts": 5},
            max_pool_connections=32,
            # The embedded AWS is on this host, where no proxy can reach it.
            proxies={} if local else None,
        )
        endpoint = self.environ.get("AWS_ENDPOINT_URL") if local else None
        # The stubs know a service only by a literal name.
        create: Any = self.session.client
        return create(service, endpoint_url=endpoint, config=config)

    @cached_property
    def terraform(self) -> Terraform:
        """The adapter over Terraform for this environment."""
        return Terraform(
            self.root / "terraform",
            self.environment,
            build_dir=self.build,
            environ=self.environ,
            output=self.lines,
            working=self.console.working,
        )

    @cached_property
    def lines(self) -> TerraformLines:
        """Where Terraform's output goes."""
        log = self.build / self.environment / "terraform.log"
        return TerraformLines(self.console, log, verbose=self.verbose)

    @cached_property
    def deployment(self) -> Deployment:
        """What Terraform deployed here; raises DeployError when nothing is.

        Raises LocalAwsError when no embedded AWS runs for it.
        """
        _ = self.environ
        # What `terraform init` leaves.
        if not (self.terraform_data / "terraform.tfstate").exists():
            advice = "apply" if self.environment == "local" else f"plan{self.env_flag}"
            raise DeployError(
                f"{self.environment} is not deployed from this checkout: inv {advice}"
            )
        outputs = self.terraform.outputs()
        if not outputs:
            self._require_unlocked()
            raise DeployError(f"{self.environment} is not deployed: inv apply{self.env_flag}")
        try:
            return Deployment.of(outputs)
        except DeployError:
            self._require_unlocked()
            raise

    @property
    def state_bucket(self) -> str:
        """The bucket of Terraform's state: of an account the one that is set, or as documented."""
        if self.environment == "local":
            return backend_bucket(self.release_file.with_name("backend.hcl"))
        if self.settings.project.state_bucket:
            return self.settings.project.state_bucket
        account = self.client("sts").get_caller_identity()["Account"]
        return f"scones-{self.environment}-terraform-state-{account}"

    def state_lock(self) -> StateLock | None:
        """Return the lock on Terraform's state; None where no run of Terraform holds it."""
        settings = backend_settings(self.release_file.with_name("backend.hcl"))
        return state_lock(self.client("s3"), self.state_bucket, settings.get("key", ""))

    def _require_unlocked(self) -> None:
        """Raise DeployError where Terraform is at work, which has nothing to show yet."""
        lock = self.state_lock()
        if lock is not None and lock.operation == "OperationTypeApply":
            raise DeployError(
                f"{self.environment} is being deployed: {lock.who} has applied since "
                f"{lock.since}. Wait until that ends; if it was killed: inv unlock"
                f"{self.env_flag}"
            )

    def load_partial_deployment(self) -> None:
        """Have `deployment` be what has been applied so far, until it is forgotten."""
        self.__dict__["deployment"] = Deployment.of_part(
            self.terraform.outputs(),
            environment=self.environment,
            region=self.session.region_name,
            account_id=self.client("sts").get_caller_identity()["Account"],
        )

    def forget_deployment(self) -> None:
        """Have the deployment read again: an apply may have changed it."""
        self.__dict__.pop("deployment", None)

    @property
    def active_release(self) -> Release | None:
        """The release that this environment's endpoint serves; None before the first one."""
        found = read_releases(self.release_file)
        return found.releases[found.active] if found.active else None
