"""Terraform's commands over one root module: command lines, environment, output, errors.

What is python-terraform's own work stays so: it builds every command line. The processes are
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
from scones_deploy.terraform_binary import TerraformBinary
from scones_deploy.terraform_messages import error_words, failure
from scones_deploy.terraform_mirror import ProviderSource, usable_environ
from scones_deploy.terraform_process import Finished, run

FLAG = IsFlagged


class TerraformCommands:
    """Runs Terraform's commands for one environment of a root module.

    `data_dir` takes Terraform's working data. `environ` is what Terraform gets, `output` is
    called with each line it writes, `color` keeps its colours. `providers` says where an init
    finds its providers, and may keep files in `build_dir`.
    """

    def __init__(
        self,
        root: Path,
        environment: str,
        data_dir: Path,
        binary: TerraformBinary,
        *,
        environ: Mapping[str, str],
        output: Callable[[str], None],
        color: bool,
        build_dir: Path,
        providers: Callable[..., ProviderSource],
    ) -> None:
        self.root = root
        self._environment = environment
        self._data_dir = data_dir
        self._build_dir = build_dir
        self._output = output
        self._color = color
        self._providers = providers
        self._environ = _automated(environ, data_dir)
        self._lines = CommandLine(
            working_dir=str(root),
            # The library reads a state file when it is made; state is Terraform's affair.
            state=str(data_dir / "no-state-file"),
            terraform_bin_path=str(binary.path),
        )

    def init(self, at: Path | None = None, **options: Any) -> str:
        """Install modules and providers, here or in another root module's folder.

        A lock file that is there is never changed. Returns a sentence about the providers'
        source, empty where there is nothing to say.
        """
        root = at or self.root
        source = self._providers(root, self._build_dir, self._environ)
        self._environ = dict(source.environ)
        locked = "readonly" if (root / ".terraform.lock.hcl").is_file() else None
        self.stream("init", at=at, input=False, lockfile=locked, **options)
        return source.notice

    def stream(
        self, command: str, *args: Path, expected: tuple[int, ...] = (0,), **options: Any
    ) -> Finished:
        """Run a command whose output is passed on; raises TerraformError where it fails."""
        done = self.run(command, *args, output=self._output, **options)
        self.checked(command, done, expected)
        for line in done.stderr.splitlines():
            self._output(line)
        return done

    def tell(self, command: str, done: Finished) -> None:
        """Pass on what a command said that ran beside others; raises TerraformError as above."""
        for line in done.stdout.splitlines():
            self._output(line)
        self.checked(command, done)

    def run(
        self,
        command: str,
        *args: Path,
        output: Callable[[str], None] | None = None,
        at: Path | None = None,
        **options: Any,
    ) -> Finished:
        """Run a command and return how it ended, whatever that was."""
        self._data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        color = {} if self._color else {"no_color": FLAG}
        words = self._lines.generate_cmd_string(command, *map(str, args), **{**color, **options})
        if at is None:
            return run(words, folder=self.root, environ=self._environ, output=output)
        # Another root module's providers and modules, kept apart from the environment's.
        apart = {**self._environ, "TF_DATA_DIR": str(self._data_dir / at.name)}
        return run(words, folder=at, environ=apart, output=output)

    def checked(self, command: str, done: Finished, expected: tuple[int, ...] = (0,)) -> Finished:
        """Return what ended as expected; raises TerraformError with Terraform's words else."""
        if done.status not in expected:
            raise self.failure(command, done.stderr if error_words(done.stderr) else done.stdout)
        return done

    def failure(self, command: str, text: str) -> TerraformError:
        """Return the error of a command that failed with this text."""
        return TerraformError(failure(command, self._environment, text))


def _automated(environ: Mapping[str, str], data_dir: Path) -> dict[str, str]:
    return {
        **usable_environ(environ),
        "TF_DATA_DIR": str(data_dir),
        "TF_IN_AUTOMATION": "1",
        "TF_INPUT": "0",
        "CHECKPOINT_DISABLE": "1",
    }
