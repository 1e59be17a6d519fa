"""The folders that SageMaker gives a training or serving container."""

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from scones_core.errors import TrainingError

DEFAULT_BASE = "/opt/ml"
# FailureReason of a training job holds this many characters.
FAILURE_CHARACTERS = 1024


@dataclass(frozen=True, slots=True)
class Container:
    """The container's folders; `SM_*` variables win over the places below `base`."""

    base: Path
    environ: Mapping[str, str]

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Self:
        """Return the container that these environment variables describe."""
        return cls(Path(environ.get("SAGEMAKER_BASE_DIR") or DEFAULT_BASE), environ)

    @property
    def model_dir(self) -> Path:
        """Where training leaves its model and serving finds it."""
        return Path(self.environ.get("SM_MODEL_DIR") or self.base / "model")

    def channel(self, name: str) -> Path:
        """Return the folder of an input channel."""
        given = self.environ.get(f"SM_CHANNEL_{name.upper()}")
        return Path(given) if given else self.base / "input" / "data" / name

    @property
    def checkpoint_dir(self) -> Path | None:
        """Where checkpoints are kept, None where the job was given no such folder."""
        given = self.environ.get("SM_CHECKPOINT_DIR")
        folder = Path(given) if given else self.base / "checkpoints"
        return folder if given or folder.is_dir() else None

    def hyperparameters(self) -> dict[str, Any]:
        """Return the job's hyperparameters, none if it has no such file.

        Raises TrainingError for a file that is no JSON object.
        """
        path = self.base / "input" / "config" / "hyperparameters.json"
        if not path.exists():
            return {}
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise TrainingError(f"{path} cannot be read: {error}.") from error
        if not isinstance(values, dict):
            raise TrainingError(f"{path} must hold a JSON object of strings.")
        return values

    def write_failure(self, reason: str) -> None:
        """Write the file that becomes the job's FailureReason, where the base folder allows it.

        The reason stands on stderr as well, so a base that cannot be written hides nothing.
        """
        path = self.base / "output" / "failure"
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = path.with_name("failure.partial")
            temporary.write_text(reason[:FAILURE_CHARACTERS], encoding="utf-8")
            temporary.replace(path)
