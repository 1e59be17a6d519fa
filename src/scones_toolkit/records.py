"""What one task leaves for the next: small JSON files in `build/<environment>/`."""

import json
from pathlib import Path
from typing import Any

from scones_core.errors import SconesError
from scones_core.files import write_json

# The task that writes each record, for the sentence that asks for it.
WRITTEN_BY = {"dataset": "etl", "training": "train", "execution": "run"}


class Records:
    """The records of one environment."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, name: str, content: dict[str, Any]) -> Path:
        """Write a record, replacing the older one, and return its path."""
        path = self.folder / f"{name}.json"
        write_json(path, content)
        return path

    def read(self, name: str) -> dict[str, Any]:
        """Return a record; raises SconesError, naming the task that writes it, without one."""
        path = self.folder / f"{name}.json"
        task = WRITTEN_BY.get(name, name)
        try:
            content = json.loads(path.read_bytes())
        except FileNotFoundError:
            raise SconesError(f"{path} is not there; run `inv {task}` first.") from None
        except ValueError as error:
            raise SconesError(f"{path} is no JSON ({error}); run `inv {task}` again.") from error
        if not isinstance(content, dict):
            raise SconesError(f"{path} is no JSON object; run `inv {task}` again.")
        return content
