"""Terraform's commands over one root module: command lines, environment, output, errors.

What is python-terraform's own work stays so: it builds every command line. The processes are
started here, because python-terraform 0.10.1

- answers a failure as a tuple; here it is a TerraformError with Terraform's message;
- holds captured output back until the command ends; here each line is passed on at once;
- knows no environment but `os.environ`; here it is a parameter;
- applies with `-auto-approve=false`, which no run without a terminal survives; here a saved
  plan is applied, exactly that one;
- destroys with `-force`, which Terraform removed in 1.0; here a destroy is a plan as well;
- raises TypeError for `output("name")`; here every output is read at once;
- calls the deprecated `Logger.warn` for each failure;
- takes any misspelt method for a Terraform command; here the commands are methods.
"""

import json
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import IO, Any, NoReturn

from python_terraform import IsFlagged
from python_terraform import Terraform as CommandLine

from scones_core.errors import TerraformError
from scones_deploy.terraform.binary import TerraformBinary
from scones_deploy.terraform.kept_provider import KeptProviders
from scones_deploy.terraform.messages import LOCKED, error_text, failure, is_held
from scones_deploy.terraform.providers import ProviderSource, usable_environ


@dataclass(frozen=True, slots=True)
class Finished:
    """How a process ended: exit status, and the text of both streams."""

    status: int
    stdout: str
    stderr: str

    def json(self) -> Any:
        """Return stdout, parsed; raises TerraformError where it is not JSON."""
        try:
            return json.loads(self.stdout)
        except ValueError as error:
            raise TerraformError(
                f"Terraform printed no JSON but {self.stdout[:200]!r}; is it Terraform that runs?"
            ) from error


def run(
    command: Sequence[str],
    *,
    folder: Path,
    environ: Mapping[str, str],
    output: Callable[[str], None] | None = None,
) -> Finished:
    """Run a command to its end and return its output.

    `output` is called with each line of stdout as it is written, without its line end. An
    interrupt waits for the command: a terminal sends it to Terraform too, which then stops in
    good order and gives the state lock back; KeyboardInterrupt follows after that. A terminal
    that is closed does not stop the command: Terraform would die of that, without saving what it
    made; KeyboardInterrupt follows here as well, after its end.
    Raises TerraformError where the command cannot be started.
    """
    with _hangups_ignored() as heed_hangups:
        try:
            process = subprocess.Popen(
                command,
                cwd=folder,
                env=dict(environ),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                errors="replace",
            )
        except OSError as error:
            raise TerraformError(
                f"{command[0]} cannot be run in {folder}: {error.strerror}."
            ) from error
        heed_hangups()
        with process:
            return _follow(process, output)


@contextmanager
def _hangups_ignored() -> Iterator[Callable[[], None]]:
    """Ignore SIGHUP, as commands do that are started then; what is yielded makes it an interrupt.

    Only the main thread may say what a signal does; in another one nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def heed() -> None:
        # Under nohup it stays ignored.
        if before is not signal.SIG_IGN:
            signal.signal(signal.SIGHUP, _interrupt)

    try:
        yield heed
    finally:
        signal.signal(signal.SIGHUP, before)


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _follow(process: subprocess.Popen[str], output: Callable[[str], None] | None) -> Finished:
    stdout: list[str] = []
    stderr: list[str] = []
    reader = threading.Thread(target=_drain, args=(process.stderr, stderr), daemon=True)
    reader.start()
    interrupted = False
    try:
        while _pass_on(process.stdout, stdout, output):
            interrupted = True
    except BaseException:
        # `output` failed: nothing reads the command's output now, but it must still end in order.
        _drain(process.stdout, stdout)
        raise
    finally:
        reader.join()
        process.wait()
    if interrupted:
        raise KeyboardInterrupt
    return Finished(process.returncode, "".join(stdout), "".join(stderr))


def _pass_on(
    stream: IO[str] | None, stdout: list[str], output: Callable[[str], None] | None
) -> bool:
    """Read to the end of a stream, or to an interrupt; return whether it was an interrupt."""
    try:
        for line in stream or ():
            stdout.append(line)
            if output:
                output(line.rstrip("\n"))
    except KeyboardInterrupt:
        return True
    return False


def _drain(stream: IO[str] | None, into: list[str]) -> None:
    into.extend(stream or ())


FLAG = IsFlagged
# Entered with what is being done, for as long as it takes.
Working = Callable[[str], AbstractContextManager[None]]


def in_silence(_what: str) -> AbstractContextManager[None]:
    """Return a context that shows nothing of what is being done."""
    return nullcontext()


# What a command does, in the words of who waits for it. An apply has its resources counted.
DOING = {
    "init": "connecting Terraform to its state and providers",
    "plan": "planning",
    "show": "reading the plan",
    "output": "reading what is deployed",
    "state pull": "reading what is deployed",
}

# Terraform and the AWS provider read a schema of many megabytes at every start; Go's collector
# takes a quarter of a plan's processor time by default. A value that the shell sets is kept.
COLLECTOR = {"GOGC": "400", "GOMEMLIMIT": "1GiB"}


class TerraformCommands:
    """Runs Terraform's commands for one environment of a root module.

    `data_dir` takes Terraform's working data. `environ` is what Terraform gets, `output` is
    called with each line it writes, `color` keeps its colours. `providers` says where an init
    finds its providers, and may keep files in `build_dir`. `working` shows what a command does
    while it runs. `ignored` is a sentence about variables of the shell that are not passed on;
    empty where there are none.
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
        working: Working = in_silence,
    ) -> None:
        self.root = root
        self._working = working
        self._environment = environment
        self._data_dir = data_dir
        self._build_dir = build_dir
        self._output = output
        self._color = color
        self._providers = providers
        self._environ = _automated(environ, data_dir)
        self.ignored = _ignored_notice(environ)
        self._kept: KeptProviders | None = None
        self._lines = CommandLine(
            working_dir=str(root),
            # The library reads a state file when it is made; state is Terraform's affair.
            state=str(data_dir / "no-state-file"),
            terraform_bin_path=str(binary.path),
        )

    def keep_providers(self) -> None:
        """Have the commands from now on share one provider, which is started by the first.

        For the embedded AWS and for tests alone: see `kept_provider`.
        """
        self._kept = KeptProviders()

    def init(self, at: Path | None = None, **options: Any) -> str:
        """Install modules and providers, here or in another root module's folder.

        A lock file that is there is never changed. Returns a line about the providers' source
        and one about ignored variables of the shell, or none where there is nothing to say.
        """
        root = at or self.root
        source = self._providers(root, self._build_dir, self._environ)
        self._environ = dict(source.environ)
        locked = "readonly" if (root / ".terraform.lock.hcl").is_file() else None
        self.stream("init", at=at, input=False, lockfile=locked, **options)
        return "\n".join(filter(None, (source.notice, self.ignored)))

    def stream(
        self, command: str, *args: Path | str, expected: tuple[int, ...] = (0,), **options: Any
    ) -> Finished:
        """Run a command whose output is passed on; raises TerraformError where it fails."""
        done = self.run(command, *args, output=self._output, **options)
        if LOCKED in done.stderr and "NoSuchKey" in done.stderr:
            # The S3 backend gives up a wait where the lock goes between its try to take it and
            # its look whose it is. It is free then, and nothing was done yet.
            done = self.run(command, *args, output=self._output, **options)
        if is_held(done.stderr):  # the error is a sentence then, without these lines
            self._pass_on_errors(done)
        self.checked(command, done, expected)
        self._pass_on_errors(done)
        return done

    def _pass_on_errors(self, done: Finished) -> None:
        for line in done.stderr.splitlines():
            self._output(line)

    def report(self, command: str, done: Finished) -> None:
        """Pass on the output of a command that has ended; raises TerraformError as `stream`."""
        for line in done.stdout.splitlines():
            self._output(line)
        self.checked(command, done)

    def run(
        self,
        command: str,
        *args: Path | str,
        output: Callable[[str], None] | None = None,
        at: Path | None = None,
        **options: Any,
    ) -> Finished:
        """Run a command and return how it ended, whatever that was."""
        self._data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        color = {} if self._color else {"no_color": FLAG}
        argv = self._lines.generate_cmd_string(command, *map(str, args), **{**color, **options})
        root = at or self.root
        # Another root module's providers and modules are kept apart from the environment's.
        data_dir = self._data_dir / at.name if at else self._data_dir
        environ = {**self._environ, "TF_DATA_DIR": str(data_dir)}
        if self._kept:
            environ |= self._kept.environ(command, root, data_dir, environ)
        with self._working(DOING[command]) if command in DOING else nullcontext():
            return run(argv, folder=root, environ=environ, output=output)

    def checked(self, command: str, done: Finished, expected: tuple[int, ...] = (0,)) -> Finished:
        """Return what ended as expected; raises TerraformError with Terraform's message else."""
        if done.status not in expected:
            raise self.failure(command, done.stderr if error_text(done.stderr) else done.stdout)
        return done

    def failure(self, command: str, text: str) -> TerraformError:
        """Return the error of a command that failed with this text."""
        return TerraformError(failure(command, self._environment, text))


def is_ignored(name: str) -> bool:
    """Return whether a variable of the shell would change what Terraform does unseen.

    What reaches an environment is in its files: the same plan for everybody, and for the gate.
    """
    return name.startswith(("TF_VAR_", "TF_CLI_ARGS"))


def _ignored_notice(environ: Mapping[str, str]) -> str:
    names = sorted(name for name in environ if is_ignored(name))
    if not names:
        return ""
    return (
        f"{', '.join(names)} of this shell {'is' if len(names) == 1 else 'are'} ignored: an "
        "environment's variables are set in its env.tfvars."
    )


def _automated(environ: Mapping[str, str], data_dir: Path) -> dict[str, str]:
    workspace = environ.get("TF_WORKSPACE", "default")
    if workspace not in ("", "default"):
        raise TerraformError(
            f"TF_WORKSPACE={workspace} in this shell selects another state, and an environment of "
            "this project has only one: run `unset TF_WORKSPACE`."
        )
    return {
        **COLLECTOR,
        **{name: v for name, v in usable_environ(environ).items() if not is_ignored(name)},
        "TF_DATA_DIR": str(data_dir),
        "TF_IN_AUTOMATION": "1",
        "TF_INPUT": "0",
        "CHECKPOINT_DISABLE": "1",
    }
