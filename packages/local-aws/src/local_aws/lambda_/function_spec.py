"""What a worker is made from: the deployed function, and where workers come from."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


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
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)

    def fingerprint(self) -> str:
        """Return what decides whether a warm worker may still be used."""
        parts = [self.code_sha256, self.handler, self.runtime, self.timeout_seconds]
        parts += [self.memory_mb, sorted(self.environment.items()), self.log_group]
        parts += [self.layer_sha256s, self.json_logs, sorted(self.credentials.items())]
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
