"""The one adapter over Terraform: an environment's plans, applies and outputs."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from scones_core.terraform_outputs import Deployment
from scones_core.uris import is_on_this_host
from scones_deploy.terraform.binary import TerraformBinary, find_terraform
from scones_deploy.terraform.checks import check, validate
from scones_deploy.terraform.commands import FLAG, TerraformCommands, Working, in_silence
from scones_deploy.terraform.environment_folder import EnvironmentFolder
from scones_deploy.terraform.init_record import forget_init, is_initialised, write_init_record
from scones_deploy.terraform.plan import (
    Plan,
    check_record,
    is_current,
    parse_plan,
    record_path,
    require_same_changes,
    write_record,
)
from scones_deploy.terraform.providers import ProviderSource, provider_source
from scones_deploy.terraform.state import AppliedResource, parse_planned, parse_state
from scones_deploy.terraform.undeclared import require_declared

CHANGES = 2
APPLY, DESTROY, AGAIN = "apply.tfplan", "destroy.tfplan", "again.tfplan"
PART = "part.tfplan"


class Terraform:
    """Terraform for one environment of a root module.

    `root` is the root module's folder, with `environments/<environment>/` in it; `build_dir`
    holds the Lambda bundles (`lambda/`) and takes this environment's working data
    (`terraform/<environment>/`), so environments never mix. `environ` is what Terraform gets,
    `output` is called with each line it writes, `color` keeps its colours. `lock_timeout` is
    how long a plan or an apply waits for another run, like an estimate of costs, to give the
    state's lock back. `working` shows what is being done. `find` and `providers` select program
    and providers.
    `is_connected` is true once `init` has succeeded.
    Raises TerraformError where the environment has no folder.
    """

    def __init__(
        self,
        root: Path,
        environment: str,
        build_dir: Path,
        environ: Mapping[str, str],
        output: Callable[[str], None],
        *,
        color: bool = False,
        lock_timeout: str = "60s",
        working: Working = in_silence,
        find: Callable[[Path, Mapping[str, str]], TerraformBinary] = find_terraform,
        providers: Callable[..., ProviderSource] = provider_source,
    ) -> None:
        self.root = root.absolute()
        self.environment = environment
        self.build_dir = build_dir.absolute()
        self.data_dir = self.build_dir / "terraform" / environment
        self._folder = EnvironmentFolder.find(self.root, environment, self.build_dir / "lambda")
        self.is_connected = False
        self._state: dict[str, Any] | None = None
        self._environ = environ
        self._lock_timeout = lock_timeout
        self._binary = find(self.build_dir, environ)
        self._commands = TerraformCommands(
            self.root,
            environment,
            self.data_dir,
            self._binary,
            environ=environ,
            output=output,
            color=color,
            build_dir=self.build_dir,
            providers=providers,
            working=working,
        )
        if is_on_this_host(environ.get("AWS_ENDPOINT_URL", "")):
            self._commands.keep_providers()

    @property
    def version(self) -> str:
        """The version of the Terraform that runs, like `1.11.4`."""
        return self._binary.version

    def init(self, backend: Mapping[str, str] | None = None) -> str:
        """Install modules and providers, and connect the environment's state.

        Nothing is run where an earlier init of the same configuration still holds. `backend` adds
        settings to those of backend.hcl, like a bucket that carries the account id. A lock file
        that is there is never changed. Returns a line about the providers' source and one about
        ignored variables of the shell, or none where there is nothing to say.
        Raises TerraformError, also where no provider can be had.
        """
        added = (f"{key}={value}" for key, value in (backend or {}).items())
        settings = [str(self._folder.backend()), *added]
        place = self.root, self.data_dir, settings, self._environ
        if is_initialised(*place):
            notice = self._commands.ignored
        else:
            forget_init(self.data_dir)
            notice = self._commands.init(
                backend_config=settings,
                # Where no test is, so that the modules of a hundred test runs are not installed.
                test_directory=os.path.relpath(self._folder.path, self.root),
            )
            write_init_record(*place)
        self.is_connected = True
        return notice

    def check(self) -> None:
        """Check format and validity, and run the tests; needs no state.

        Those of bootstrap too, and `environments/*.tftest.hcl` with each one's variables.

        Raises TerraformError with what Terraform found.
        """
        check(self._commands)

    def validate(self) -> None:
        """Check the configuration; raises TerraformError with every fault that it has."""
        validate(self._commands)

    def plan(self, *, destroy: bool = False, out: Path | None = None) -> Plan:
        """Save a plan for the environment, or for its destruction, and return it.

        `out` is another place for its file than where `saved_plan` looks; a record of what it
        was made from is written next to either. A plan that changes nothing leaves no file there.
        """
        path = out.absolute() if out else self.data_dir / (DESTROY if destroy else APPLY)
        made = self._plan(path, destroy=destroy)
        if made.has_changes:
            write_record(path, self._folder)
        elif out:
            path.unlink(missing_ok=True)
            record_path(path).unlink(missing_ok=True)
        return made

    def plan_part(self, addresses: Sequence[str]) -> Plan:
        """Return a plan of these alone, like `module.storage`, with what they depend on."""
        return self._plan(self.data_dir / PART, addresses=addresses)

    def plan_ignoring(self, alarms: Sequence[str]) -> Plan:
        """Return a plan in which these rollback alarms take no update of an endpoint back.

        It is not what `saved_plan` returns: it is for one apply.
        """
        return self._plan(self.data_dir / AGAIN, ignored_alarms=alarms)

    def _plan(
        self,
        path: Path,
        *,
        destroy: bool = False,
        addresses: Sequence[str] = (),
        ignored_alarms: Sequence[str] = (),
    ) -> Plan:
        # What is to be removed may have been made by other code, with other variables.
        if not destroy:
            require_declared(self.root, self._folder.path / "env.tfvars")
        ignored = [f"ignored_rollback_alarms={json.dumps(ignored_alarms)}"]
        path.parent.mkdir(parents=True, exist_ok=True)
        done = self._commands.stream(
            "plan",
            expected=(0, CHANGES),
            input=False,
            lock_timeout=self._lock_timeout,
            detailed_exitcode=FLAG,
            destroy=FLAG if destroy else None,
            out=str(path),
            target=list(addresses),
            var_file=[str(file) for file in self._folder.variable_files()],
            var=[f"lambda_dir={self._folder.lambda_dir()}", *(ignored if ignored_alarms else [])],
        )
        if done.status != CHANGES:
            return Plan(path, changes=(), has_changes=False)
        return self._read(path)

    def kept_plan(self, path: Path) -> Plan:
        """Return a new plan, which makes the very changes of the one that `plan(out=path)` wrote.

        The kept plan may come from another host, and its record with it: both only say what
        was reviewed, and what is applied is planned here, from the files that are here.
        Raises DeployError where the kept plan is not whole, is another environment's, was made
        from other files than those that are here, or makes other changes than the new one.
        """
        path = path.absolute()
        check_record(path, self._folder)
        reviewed, current = self._read(path), self._plan(self.data_dir / AGAIN)
        require_same_changes(reviewed, current)
        return replace(current, reviewed=path)

    def plan_text(self, plan: Plan) -> str:
        """Return a plan as Terraform shows it to a person, without colour."""
        done = self._commands.run("show", plan.path, no_color=FLAG)
        return self._commands.checked("show", done).stdout

    def saved_plan(self) -> Plan | None:
        """Return the plan that was saved and not applied yet.

        None where there is none, or where it was made from other files than those that are here:
        it would not bring about what they say now.
        """
        path = self.data_dir / APPLY
        if not path.is_file() or not is_current(path, self._folder):
            return None
        return self._read(path)

    def _read(self, path: Path) -> Plan:
        shown = self._commands.checked("show", self._commands.run("show", path, json=FLAG))
        return parse_plan(path, shown.json(), has_changes=True)

    def apply(self, plan: Plan) -> None:
        """Apply exactly this plan; its file is removed then, as it may hold secrets.

        The plan that is saved for the next apply goes even where this one fails: what was done
        until then has made it stale. A file that somebody asked for stays.
        """
        files = [plan.path]
        done, self._state = False, None
        try:
            self._commands.stream("apply", plan.path, input=False, lock_timeout=self._lock_timeout)
            done = True
        finally:
            if done and plan.reviewed:
                files.append(plan.reviewed)
            for path in files if done or plan.path.parent == self.data_dir else ():
                path.unlink(missing_ok=True)
                record_path(path).unlink(missing_ok=True)

    def unlock(self, lock_id: str) -> None:
        """Release the lock of this id, which a run that was killed left on the state."""
        # Without `force` Terraform would ask at a terminal; the caller has asked.
        self._commands.stream("force-unlock", lock_id, force=FLAG)

    def outputs(self) -> dict[str, Any]:
        """Return the value of every output by name; empty before the first apply."""
        if self._state is not None:
            return {name: item["value"] for name, item in self._state.get("outputs", {}).items()}
        done = self._commands.checked("output", self._commands.run("output", json=FLAG))
        return {name: item["value"] for name, item in done.json().items()}

    def applied(self, plan: Plan | None = None) -> tuple[AppliedResource, ...]:
        """Return every resource of the state, or as a plan leaves it; none before any apply."""
        if plan is not None:
            shown = self._commands.run("show", plan.path, json=FLAG)
            return parse_planned(self._commands.checked("show", shown).json())
        pulled = self._commands.checked("state pull", self._commands.run("state pull"))
        # It has the outputs too, which `terraform output` would take a second or more for.
        self._state = pulled.json() if pulled.stdout.strip() else {}
        return parse_state(self._state)

    def deployment(self) -> Deployment:
        """Return the environment's outputs, typed; raises DeployError where it has none."""
        return Deployment.of(self.outputs())
