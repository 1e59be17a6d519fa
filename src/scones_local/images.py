"""What a container image stands for on a machine without containers: two command lines."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ImageCommands:
    """The programs of one image: `train` and `serve` argument lists, and their environment."""

    train: tuple[str, ...]
    serve: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


def write_images(path: Path, images: Mapping[str, ImageCommands]) -> None:
    """Write the image map: globs on a repository name (no registry, no tag) to commands."""
    text = json.dumps({name: asdict(commands) for name, commands in images.items()}, indent=2)
    partial = path.with_suffix(".part")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
