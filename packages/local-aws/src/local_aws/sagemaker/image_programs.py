"""Images: which local programs stand for a container image.

The map is a JSON file: a glob on the image's repository name, without registry, tag and digest,
to the commands that run in its place:

    {"scones-*": {"train": ["python", "-m", "..."], "serve": [...], "environment": {"K": "v"}}}

`process` is what a processing job runs that names no entrypoint. The first entry
that matches wins; a command that an entry does not have is not there. AWS's own images that no
entry matches have the programs of `local_aws.sagemaker.algorithms`.
"""

import fnmatch
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from local_aws.core.files import write_atomically
from local_aws.errors import LocalAwsError
from local_aws.iam.policy_evaluation import Access
from local_aws.sagemaker.algorithms.algorithm_images import algorithm_of, builtin_argv

Command = Literal["train", "serve"]


class UnknownImage(LocalAwsError):
    """No local program stands for a container image."""


@dataclass(frozen=True, slots=True)
class ImageCommands:
    """The programs of one image, each as an argument list; empty where the image has none."""

    train: tuple[str, ...] = ()
    serve: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    process: tuple[str, ...] = ()

    def argv(self, command: Command) -> tuple[str, ...]:
        """Return the argument list of one of the two commands; may be empty."""
        return self.train if command == "train" else self.serve


def repository_name(image: str) -> str:
    """Return an image's repository: `<registry>/team/model:tag@sha256:…` gives `team/model`."""
    name, _, _ = image.partition("@")
    first, _, rest = name.partition("/")
    # A first part with a dot or a port is a registry's host; otherwise it belongs to the name.
    if rest and ("." in first or ":" in first or first == "localhost"):
        name = rest
    return name.partition(":")[0]


def write_images(path: Path, images: Mapping[str, ImageCommands]) -> None:
    """Write the map, whole or not at all."""
    content = {
        glob: {
            "train": list(commands.train),
            "serve": list(commands.serve),
            "environment": dict(commands.environment),
            **({"process": list(commands.process)} if commands.process else {}),
        }
        for glob, commands in images.items()
    }
    # In the order given: the first glob that matches wins.
    write_atomically(path, json.dumps(content, indent=2) + "\n")


def read_images(path: Path) -> dict[str, ImageCommands]:
    """Return the map in file order; a missing file is an empty map, a malformed one an error."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise LocalAwsError(f"{path} is not JSON: {error}.") from error
    if not isinstance(content, dict):
        raise LocalAwsError(f"{path} must be an object of image globs.")
    return {glob: _commands(path, glob, entry) for glob, entry in content.items()}


def commands_for(image: str, path: Path) -> ImageCommands:
    """Return the commands that stand for an image; raises UnknownImage where there are none."""
    repository = repository_name(image)
    for glob, commands in read_images(path).items():
        if fnmatch.fnmatchcase(repository, glob):
            return commands
    if algorithm := algorithm_of(image):
        train, environment = builtin_argv(algorithm, "train")
        return ImageCommands(train, builtin_argv(algorithm, "serve")[0], environment)
    raise UnknownImage(
        f"No local program stands for the image {image}: add {repository!r} to {path}."
    )


def argv_for(image: str, command: Command, path: Path) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return the argument list and the environment of an image's command; raises UnknownImage."""
    commands = commands_for(image, path)
    argv = commands.argv(command)
    if not argv:
        raise UnknownImage(f"The image {image} has no {command!r} command in {path}.")
    return argv, dict(commands.environment)


def _commands(path: Path, glob: str, entry: Any) -> ImageCommands:
    try:
        return ImageCommands(
            train=_argv(entry.get("train", [])),
            serve=_argv(entry.get("serve", [])),
            environment={str(k): str(v) for k, v in entry.get("environment", {}).items()},
            process=_argv(entry.get("process", [])),
        )
    except (AttributeError, TypeError) as error:
        raise LocalAwsError(
            f"{path}: the entry {glob!r} needs train and serve as lists of texts and "
            "environment as an object."
        ) from error


def _argv(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(part, str) for part in value):
        raise TypeError(f"{value!r} is no list of texts")
    return tuple(value)


PULLS = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
_PRIVATE = re.compile(r"(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com/([^:@]+)")


class ImageDenied(LocalAwsError):
    """A role may not pull an image."""


def pull_accesses(image: str) -> list[Access]:
    """Return what it takes to pull an image; nothing for one outside of a private registry."""
    found = _PRIVATE.match(image)
    if found is None:
        return []
    account, region, repository = found.groups()
    arn = f"arn:aws:ecr:{region}:{account}:repository/{repository}"
    return [Access("ecr:GetAuthorizationToken", "*"), *(Access(action, arn) for action in PULLS)]
