"""Functions: what a worker is made from: the deployed code, its environment, its interpreter."""

import base64
import functools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local_aws.iam.roles import RoleSessions
from local_aws.lambda_.packages import layer_contents


@dataclass(frozen=True, slots=True)
class FunctionSpec:
    """One version of a function, as deployed. `code_sha256` names the content of `code`.

    `credentials` are the variables with its role's credentials; renewed ones need new workers.
    `layers` are packages, the first lowest; `layer_sha256s` name their contents.
    """

    name: str
    version: str
    arn: str
    handler: str
    runtime: str
    code: bytes = field(repr=False)
    code_sha256: str
    timeout_seconds: float
    memory_mb: int
    environment: Mapping[str, str]
    region: str
    log_group: str
    reserved_concurrency: int | None = None
    layers: tuple[bytes, ...] = field(default=(), repr=False)
    layer_sha256s: tuple[str, ...] = ()
    json_logs: bool = False
    log_level: str = "INFO"
    system_log_level: str = "INFO"
    temporary_mb: int = 512
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)
    allows_loops: bool = False

    def fingerprint(self) -> str:
        """Return what decides whether a warm worker may still be used."""
        parts = [self.code_sha256, self.handler, self.runtime, self.timeout_seconds]
        parts += [self.memory_mb, sorted(self.environment.items()), self.log_group]
        parts += [
            self.layer_sha256s,
            self.json_logs,
            self.temporary_mb,
            sorted(self.credentials.items()),
        ]
        parts += [self.log_level, self.system_log_level, self.temporary_mb]
        return json.dumps(parts)


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """Where workers come from: interpreter, boot flags, folders, and their AWS variables."""

    python: str
    runtime: Path
    temporary: Path
    client_environment: Mapping[str, str]
    flags: tuple[str, ...] = ()
    idle_seconds: float = 600.0


def worker_environment(
    spec: FunctionSpec,
    settings: WorkerSettings,
    *,
    task: Path,
    layers: Path | None,
    folder: Path,
    runtime_api: str,
    log_stream: str,
) -> dict[str, str]:
    """Return the whole environment of a worker; nothing of the server's own is in it.

    The names are those of
    https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html. `folder` is the
    worker's own place for temporary files, `layers` what stands for `/opt`.
    """
    bins = [str(layers / "bin")] if layers else []
    return {
        "PATH": ":".join([*bins, "/usr/local/bin", "/usr/bin", "/bin"]),
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "LAMBDA_TASK_ROOT": str(task),
        "LAMBDA_RUNTIME_DIR": str(settings.runtime),
        "AWS_LAMBDA_RUNTIME_API": runtime_api,
        "_HANDLER": spec.handler,
        "AWS_LAMBDA_FUNCTION_NAME": spec.name,
        "AWS_LAMBDA_FUNCTION_VERSION": spec.version,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(spec.memory_mb),
        "AWS_LAMBDA_LOG_GROUP_NAME": spec.log_group,
        "AWS_LAMBDA_LOG_STREAM_NAME": log_stream,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{spec.runtime}",
        **settings.client_environment,
        **spec.credentials,
        **spec.environment,
    }


_ASK = "import sys; print('%d.%d' % sys.version_info[:2]); print(sys.executable)"
_ANSWER_SECONDS = 20


def base_python() -> str:
    """Return the interpreter behind the virtual environment, which sees none of its packages."""
    return getattr(sys, "_base_executable", None) or sys.executable


def base_runtime() -> str:
    """Return the name of the runtime that the server's own interpreter is, as `python3.12`."""
    return f"python{sys.version_info.major}.{sys.version_info.minor}"


@functools.lru_cache(maxsize=32)
def python_for(runtime: str) -> str | None:
    """Return the path of the interpreter for a runtime such as `python3.12`; None without one.

    It is the server's own where that is the version, else the first that runs and says that
    it is that version: of the name on the PATH, then of the installations next to the server's
    own, as version managers lay them. A manager's stand-in may be on the PATH for nothing.
    """
    if runtime == base_runtime():
        return base_python()
    if not runtime.startswith("python3."):
        return None
    return next((path for found in _candidates(runtime) if (path := _asked(found, runtime))), None)


def _candidates(runtime: str) -> Iterator[str]:
    on_path = shutil.which(runtime)
    if on_path is not None:
        yield on_path
    installed = Path(sys.base_prefix).parent.glob(f"*/bin/{runtime}")
    yield from (str(path) for path in sorted(installed, reverse=True))


def _asked(found: str, runtime: str) -> str | None:
    """Return the program's own path, not a stand-in's, when it runs and is that version."""
    try:
        output_lines = subprocess.run(
            [found, "-I", "-S", "-c", _ASK],
            capture_output=True,
            text=True,
            timeout=_ANSWER_SECONDS,
            check=True,
        ).stdout.splitlines()
    except (OSError, subprocess.SubprocessError):
        return None
    return output_lines[1] if output_lines[:1] == [runtime.removeprefix("python")] else None


def function_spec(function: Any, roles: RoleSessions) -> FunctionSpec:
    """Return what a worker needs to know of moto's function."""
    reserved = function.reserved_concurrency
    logging = function.kept.get("LoggingConfig", {})
    layers, layer_sha256s = layer_contents(function) if function.layers else ((), ())
    return FunctionSpec(
        name=function.function_name,
        version=str(function.version),
        arn=function.function_arn,
        handler=function.handler,
        runtime=function.run_time,
        code=function.code_bytes,
        code_sha256=base64.b64decode(function.code_sha_256).hex(),
        timeout_seconds=float(function.timeout),
        memory_mb=int(function.memory_size),
        environment={**_logging_environment(logging), **function.environment_vars},
        region=function.region,
        log_group=logging.get("LogGroup") or function.logs_group_name,
        reserved_concurrency=None if reserved in (None, "") else int(reserved),
        layers=layers,
        layer_sha256s=layer_sha256s,
        json_logs=logging.get("LogFormat") == "JSON",
        log_level=logging.get("ApplicationLogLevel") or "INFO",
        system_log_level=logging.get("SystemLogLevel") or "INFO",
        temporary_mb=int(function.ephemeral_storage),
        credentials=roles.credentials(function.role, function.function_name).environment(),
        allows_loops=getattr(function, "recursive_loop", "") == "Allow",
    )


def _logging_environment(logging: dict[str, str]) -> dict[str, str]:
    variables = {"AWS_LAMBDA_LOG_FORMAT": logging.get("LogFormat", "Text")}
    if logging.get("LogFormat") == "JSON":
        variables["AWS_LAMBDA_LOG_LEVEL"] = logging.get("ApplicationLogLevel") or "INFO"
    return variables


def lambda_runtime_folder() -> Path:
    """Return the folder that stands for the Lambda runtime's own packages."""
    given = os.environ.get("LOCAL_AWS_LAMBDA_RUNTIME")
    return Path(given).resolve() if given else Path(sys.prefix) / "lambda-runtime"
