"""The channels of a job: images with `.lst` files, or RecordIO.

https://docs.aws.amazon.com/sagemaker/latest/dg/image-classification.html#IC-inputoutput
"""

import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from local_aws.sagemaker.algorithms.image_classification.errors import (
    CustomerError,
    invalid_channels,
)
from local_aws.sagemaker.algorithms.image_classification.recordio import records

IMAGE, RECORDIO = "application/x-image", "application/x-recordio"
Example = tuple[int, bytes]


class Channels:
    """The channels below a job's `input` folder."""

    def __init__(self, base: Path) -> None:
        """Read the channels' configuration; raises CustomerError for one that cannot be."""
        self._data = base / "input" / "data"
        config = json.loads((base / "input/config/inputdataconfig.json").read_text())
        self._types = {name: str(entry.get("ContentType")) for name, entry in config.items()}
        if "model" in config:
            raise CustomerError(
                "The local stand-in for image-classification does not go on with a model channel."
            )
        for name in ("train", "validation"):
            if name not in config:
                raise invalid_channels(f"'{name}' is a required property")
            if config[name].get("TrainingInputMode", "File") != "File":
                raise CustomerError("The local stand-in reads channels in File mode only.")
            self._check_type(name)

    def examples(self, name: str) -> Iterator[Example]:
        """Yield the class and the encoded image of each example; raises CustomerError."""
        if self._types[name] == RECORDIO:
            for path in sorted((self._data / name).rglob("*.rec")):
                yield from records(path)
        else:
            yield from self._listed(name)

    def _check_type(self, name: str) -> None:
        kind = self._types[name]
        if kind not in (IMAGE, RECORDIO):
            raise invalid_channels(f"'{kind}' is not one of ['{IMAGE}', '{RECORDIO}']")
        if kind == IMAGE and f"{name}_lst" not in self._types:
            raise invalid_channels(f"'{name}_lst' is a required property")

    def _listed(self, name: str) -> Iterator[Example]:
        lists = sorted((self._data / f"{name}_lst").rglob("*.lst"))
        if not lists:
            raise _invalid_list(name)
        for path in lists:
            with path.open(encoding="utf-8", errors="replace") as lines:
                for line in lines:
                    if line.strip():
                        yield self._example(name, line)

    def _example(self, name: str, line: str) -> Example:
        """Return the example of a line: index, class and path, separated by tabs."""
        parts = line.rstrip("\r\n").split("\t")
        try:
            _, label, path = int(parts[0]), float(parts[1]), PurePosixPath(parts[2])
        except (ValueError, IndexError) as error:
            raise _invalid_list(name) from error
        if len(parts) != 3 or label != int(label) or path.is_absolute() or ".." in path.parts:
            raise _invalid_list(name)
        try:
            return int(label), (self._data / name / path).read_bytes()
        except OSError as error:
            raise CustomerError(
                f"The image {path} of the {name} list is not in the channel."
            ) from error


def _invalid_list(name: str) -> CustomerError:
    return CustomerError(f"Invalid lst file in the {name} channel.")
