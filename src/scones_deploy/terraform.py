"""The one adapter over python-terraform.

What is the library's own work stays so: it builds every command line. The processes are
started here, because python-terraform 0.10.1

- answers a failure as a tuple; here it is a TerraformError with Terraform's words;
- holds captured output back until the command ends; here each line is passed on at once;
- knows no environment but `os.environ`; here it is a parameter;
- applies with `-auto-approve=false`, which no run without a terminal survives; here a saved
  plan is applied, exactly that one;
- destroys with `-force`, which Terraform removed in 1.0; here a destroy is a plan as well;
- raises TypeError for `output("name")`; here every output is read at once;
- calls the deprecated `Logger.warn` for each failure;
- takes any misspelt method for a Terraform command; here the commands are methods.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from python_terraform import IsFlagged
from python_terraform import Terraform as CommandLine

from scones_core.errors import TerraformError
from scones_core.outputs import Deployment
from scones_deploy.applied import AppliedResource, parse_state
from scones_deploy.environment_folder import BOOTSTRAP, EnvironmentFolder, environments
from scones_deploy.plan import Plan, parse_plan
from scones_deploy.plan_record import check_record, record_path, write_record
from scones_deploy.terraform_binary import TerraformBinary, find_terraform
from scones_deploy.terraform_messages import diagnostic_words, error_words, failure
from scones_deploy.terraform_mirror import ProviderSource, provider_source, usable_environ
from scones_deploy.terraform_process import Finished, run

CHANGES = 2
APPLY, DESTROY = "apply.tfplan", "destroy.tfplan"


class Terraform:
    """Terraform for one environment of a root module.

    `root` is the root module's folder, with `environments/<environment>/` in it; `build_dir`
    holds the Lambda bundles (`lambda/`) and takes this environment's working data
    (`terraform/<environment>/`), so environments never mix. `environ` is what Terraform gets,
    `output` is called with each line it writes, `color` keeps its colours. `find` and
    `providers` select program and providers.
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
        find: Callable[[Path, Mapping[str, str]], TerraformBinary] = find_terraform,
        providers: Callable[..., ProviderSource] = provider_source,
    ) -> None:
        self.root = root.absolute()
        self.environment = environment
        self.build_dir = build_dir.absolute()
        self.data_dir = self.build_dir / "terraform" / environment
        self._folder = EnvironmentFolder.find(self.root, environment, self.build_dir / "lambda")
        self._output = output
        self._color = color
        self._providers = providers
        self._binary = find(self.build_dir, environ)
        self._environ = self._automated(environ)
        self._commands = CommandLine(
            working_dir=str(self.root),
            # The library reads a state file when it is made; state is Terraform's affair.
            state=str(self.data_dir / "no-state-file"),
            terraform_bin_path=str(self._binary.path),
        )

    @property
    def version(self) -> str:
        """The version of the Terraform that runs, like `1.11.4`."""
        return self._binary.version

    def init(self, backend: Mapping[str, str] | None = None) -> str:
        """Install modules and providers, and connect the environment's state.

        `backend` adds settings to those of backend.hcl, like a bucket that carries the account
        id. A lock file that is there is never changed. Returns a sentence about the providers'
        source, empty where there is nothing to say. Raises TerraformError, also where no
        provider can be had.
        """
        settings = self._folder.backend()
        added = (f"{key}={value}" for key, value in (backend or {}).items())
        return self._init(backend_config=[str(settings), *added])

    def _init(self, at: Path | None = None, **options: Any) -> str:
        root = at or self.root
        source = self._providers(root, self.build_dir, self._environ)
        self._environ = dict(source.environ)
        locked = "readonly" if (root / ".terraform.lock.hcl").is_file() else None
        self._stream("init", at=at, input=False, lockfile=locked, **options)
        return source.notice

    def check(self) -> None:
        """Check format and validity, and run the tests; needs no state.

        Those of bootstrap too, and `environments/*.tftest.hcl` with each one's variables.

        Raises TerraformError with what Terraform found.
        """
        self._stream("fmt", check=IsFlagged, diff=IsFlagged, recursive=IsFlagged)
        bootstrap = self.root / BOOTSTRAP
        for at in (None, bootstrap) if bootstrap.is_dir() else (None,):
            self._init(at, backend=False)
            self.validate(at)
            self._stream("test", at=at)
        if any(self.root.glob("environments/*.tftest.hcl")):
            for name in environments(self.root):
                file = self.root / "environments" / name / "env.tfvars"
                self._stream("test", test_directory="environments", var_file=str(file))

    def validate(self, at: Path | None = None) -> None:
        """Check the configuration, here or in another root module's folder.

        Raises TerraformError with every fault that it has.
        """
        done = self._run("validate", at=at, json=IsFlagged)
        body = done.json() if done.stdout.strip() else {}
        if done.status or not body.get("valid"):
            raise self._failure("validate", diagnostic_words(body) or done.stderr)

    def plan(self, *, destroy: bool = False, out: Path | None = None) -> Plan:
        """Save a plan for the environment, or for its destruction, and return it.

        `out` is another place for its file than where `saved_plan` looks; a record of what it
        was made from is written beside it. A plan that changes nothing leaves no file there.
        """
        path = out.absolute() if out else self.data_dir / (DESTROY if destroy else APPLY)
        path.parent.mkdir(parents=True, exist_ok=True)
        done = self._stream(
            "plan",
            expected=(0, CHANGES),
            input=False,
            detailed_exitcode=IsFlagged,
            destroy=IsFlagged if destroy else None,
            out=str(path),
            var_file=[str(file) for file in self._folder.variable_files()],
            var=[f"lambda_dir={self._folder.bundles}"],
        )
        if done.status != CHANGES:
            if out:
                path.unlink(missing_ok=True)
                record_path(path).unlink(missing_ok=True)
            return Plan(path, changes=(), has_changes=False)
        if out:
            write_record(path, self._folder)
        return self._read(path)

    def kept_plan(self, path: Path) -> Plan:
        """Return the plan that `plan(out=path)` wrote, on this machine or on another one.

        Raises DeployError where it is not whole, is another environment's, or was made from
        other files than those that are here.
        """
        check_record(path.absolute(), self._folder)
        return self._read(path.absolute())

    def words(self, plan: Plan) -> str:
        """Return a plan as Terraform shows it to a person, without colour."""
        done = self._run("show", plan.path, no_color=IsFlagged)
        return self._checked("show", done).stdout

    def saved_plan(self) -> Plan | None:
        """Return the plan that was saved and not applied yet.

        None where there is none, or where the configuration, a variable file or the Lambda
        bundles were written after it: it would not bring about what they say now.
        """
        path = self.data_dir / APPLY
        if not path.is_file():
            return None
        saved = path.stat().st_mtime
        if any(file.stat().st_mtime > saved for file in self._folder.inputs()):
            return None
        return self._read(path)

    def _read(self, path: Path) -> Plan:
        shown = self._checked("show", self._run("show", path, json=IsFlagged))
        return parse_plan(path, shown.json(), has_changes=True)

    def apply(self, plan: Plan) -> None:
        """Apply exactly this plan; its file is removed then, as it may hold secrets."""
        self._stream("apply", plan.path, input=False)
        plan.path.unlink(missing_ok=True)
        record_path(plan.path).unlink(missing_ok=True)

    def outputs(self) -> dict[str, Any]:
        """Return the value of every output by name; empty before the first apply."""
        done = self._checked("output", self._run("output", json=IsFlagged))
        return {name: item["value"] for name, item in done.json().items()}

    def applied(self, plan: Plan | None = None) -> tuple[AppliedResource, ...]:
        """Return every resource of the state, or as a plan leaves it; none before any apply."""
        shown = self._run("show", *([plan.path] if plan else []), json=IsFlagged)
        return parse_state(self._checked("show", shown).json())

    def deployment(self) -> Deployment:
        """Return the environment's outputs, typed; raises DeployError where it has none."""
        return Deployment.of(self.outputs())

    def _automated(self, environ: Mapping[str, str]) -> dict[str, str]:
        return {
            **usable_environ(environ),
            "TF_DATA_DIR": str(self.data_dir),
            "TF_IN_AUTOMATION": "1",
            "TF_INPUT": "0",
            "CHECKPOINT_DISABLE": "1",
        }

    def _stream(
        self, command: str, *args: Path, expected: tuple[int, ...] = (0,), **options: Any
    ) -> Finished:
        done = self._run(command, *args, output=self._output, **options)
        self._checked(command, done, expected)
        for line in done.stderr.splitlines():
            self._output(line)
        return done

    def _run(
        self,
        command: str,
        *args: Path,
        output: Callable[[str], None] | None = None,
        at: Path | None = None,
        **options: Any,
    ) -> Finished:
        self.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        color = {} if self._color else {"no_color": IsFlagged}
        words = self._commands.generate_cmd_string(command, *map(str, args), **{**color, **options})
        if at is None:
            return run(words, folder=self.root, environ=self._environ, output=output)
        # Another root module's providers and modules, kept apart from the environment's.
        apart = {**self._environ, "TF_DATA_DIR": str(self.data_dir / at.name)}
        return run(words, folder=at, environ=apart, output=output)

    def _checked(self, command: str, done: Finished, expected: tuple[int, ...] = (0,)) -> Finished:
        if done.status not in expected:
            raise self._failure(command, done.stderr if error_words(done.stderr) else done.stdout)
        return done

    def _failure(self, command: str, text: str) -> TerraformError:
        return TerraformError(failure(command, self.environment, text))
