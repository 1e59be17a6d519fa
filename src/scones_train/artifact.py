"""The model folder: the graph, the card that describes it, weights, answers for test images.

`samples.json` may be absent: it has images whose answers are known, to try an endpoint with.
So may `reliability.svg`, which shows the confidence of the calibrated answers against the truth.
"""

import json
import math
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from scones_core.errors import MalformedArtifact, SettingsError
from scones_core.known_images import SAMPLES, KnownImage, dumps, loads
from scones_core.labels import LabelSet
from scones_train import predictions
from scones_train.predictions import ImagePredictions

SCHEMA = 1
CARD, GRAPH, WEIGHTS = "model.json", "model.onnx", "weights.pt"
PREDICTIONS = predictions.FILE
DIAGRAM = "reliability.svg"
MAX_BYTES = {
    CARD: 1_000_000,
    GRAPH: 200_000_000,
    WEIGHTS: 400_000_000,
    PREDICTIONS: 50_000_000,
    SAMPLES: 16_000_000,
    DIAGRAM: 1_000_000,
}
OPTIONAL = {SAMPLES, DIAGRAM}
SIDE = range(1, 4097)


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What `model.json` says: enough to serve the model and to judge it.

    `image` holds height, width and channels, 1 where the model knows grey images alone;
    `normalisation` mean and std by channel, which
    the graph applies itself; `metrics` the figures on the test split and how many images
    they and the threshold rest on; `confusion_matrix` that split's counts by [true class]
    [answered class]; `settings` the hyperparameters. Raises MalformedArtifact
    for values out of range.
    """

    labels: tuple[str, ...]
    image: Mapping[str, int]
    normalisation: Mapping[str, tuple[float, ...]]
    temperature: float
    threshold: float
    target_precision: float
    metrics: Mapping[str, float]
    confusion_matrix: tuple[tuple[int, ...], ...]
    settings: Mapping[str, Any]
    dataset_version: str
    manifest_sha256: str
    schema: int = field(default=SCHEMA)

    def __post_init__(self) -> None:
        try:
            LabelSet.of(self.labels)
        except SettingsError as error:
            raise MalformedArtifact(f"{CARD}: {error}") from error
        _check("temperature", self.temperature, 0.01, 100)
        _check("threshold", self.threshold, 0, 1)
        _check("target_precision", self.target_precision, 0, 1)
        if any(self.image.get(name) not in SIDE for name in ("height", "width")):
            raise MalformedArtifact(f"{CARD}: image needs a height and a width of 1 to 4096.")

    @property
    def grey(self) -> bool:
        """Whether the model knows images without colour alone; others are made grey for it."""
        return self.image.get("channels") == 1

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels of the images that the model takes."""
        return self.image["height"], self.image["width"]

    def dumps(self) -> str:
        """Return the card as JSON text."""
        return json.dumps(asdict(self), sort_keys=True, indent=1, allow_nan=False) + "\n"

    @classmethod
    def loads(cls, text: str | bytes) -> Self:
        """Return the card that `dumps` wrote; raises MalformedArtifact for anything else."""
        try:
            body = json.loads(text)
            if body["schema"] != SCHEMA:
                raise MalformedArtifact(
                    f"{CARD} has schema {body['schema']!r:.40}, this version reads {SCHEMA}; "
                    "train the model again."
                )
            if not all(isinstance(name, str) for name in body["labels"]):
                raise TypeError("a label is no text")
            return cls(**{**body, "labels": tuple(body["labels"])})
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise MalformedArtifact(
                f"{CARD} cannot be read ({error}); train the model again."
            ) from error


def _check(name: str, value: Any, least: float, most: float) -> None:
    if type(value) not in (int, float) or not math.isfinite(value) or not least <= value <= most:
        raise MalformedArtifact(f"{CARD}: {name} must be {least} to {most}, not {value!r:.40}.")


def write_artifact(
    model_dir: Path,
    card: ModelCard,
    graph: bytes,
    weights: bytes,
    tested: ImagePredictions,
    *,
    samples: Sequence[KnownImage] = (),
    diagram: str = "",
) -> None:
    """Write the files; the card comes last, so that a folder with one is complete.

    Raises MalformedArtifact, before anything is written, for a file that no reader would take.
    """
    contents = {
        GRAPH: graph,
        WEIGHTS: weights,
        PREDICTIONS: tested.dumps().encode(),
        **({SAMPLES: dumps(samples).encode()} if samples else {}),
        **({DIAGRAM: diagram.encode()} if diagram else {}),
        CARD: card.dumps().encode(),
    }
    for name, content in contents.items():
        if len(content) > MAX_BYTES[name]:
            raise MalformedArtifact(f"{name} would have over {MAX_BYTES[name]:,} bytes.")
    model_dir.mkdir(parents=True, exist_ok=True)
    for name in (CARD, *OPTIONAL):
        (model_dir / name).unlink(missing_ok=True)
    for name, content in contents.items():
        temporary = model_dir / f"{name}.partial"
        temporary.write_bytes(content)
        temporary.replace(model_dir / name)


def read_artifact(model_dir: Path) -> tuple[ModelCard, bytes]:
    """Return the card and the bytes of the ONNX graph; `weights.pt` is not opened.

    Raises MalformedArtifact for a folder that is incomplete, oversized or contradictory.
    """
    return ModelCard.loads(_file(model_dir, CARD)), _file(model_dir, GRAPH)


def read_predictions(model_dir: Path) -> ImagePredictions:
    """Return what the model answered for its test images; raises MalformedArtifact."""
    return ImagePredictions.loads(_file(model_dir, PREDICTIONS))


def _file(model_dir: Path, name: str) -> bytes:
    path = model_dir / name
    try:
        if path.stat().st_size > MAX_BYTES[name]:
            raise MalformedArtifact(f"{path} exceeds {MAX_BYTES[name]} bytes; it is no such model.")
        return path.read_bytes()
    except OSError as error:
        raise MalformedArtifact(
            f"{path} cannot be read ({error.strerror}); the model folder needs {CARD} and {GRAPH}."
        ) from error


def unpack_artifact(archive: Path, model_dir: Path) -> ModelCard:
    """Unpack the known files of a `model.tar.gz` into a folder and return its card.

    Only regular files of the known names are taken, at the top level and within their size
    limits; everything else in the archive is left alone. Raises MalformedArtifact.
    """
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(archive, mode="r|gz") as tar:
            for member in tar:
                name = member.name.removeprefix("./")
                if name in MAX_BYTES and member.isfile():
                    found[name] = _member(tar, member, MAX_BYTES[name])
    except (OSError, EOFError, tarfile.TarError, ValueError) as error:
        raise MalformedArtifact(f"{archive} cannot be unpacked ({error}).") from error
    missing = set(MAX_BYTES) - OPTIONAL - set(found)
    if missing:
        raise MalformedArtifact(f"{archive} holds no {min(missing)}; train the model again.")
    card = ModelCard.loads(found[CARD])
    samples = loads(found[SAMPLES]) if SAMPLES in found else ()
    tested = ImagePredictions.loads(found[PREDICTIONS])
    write_artifact(model_dir, card, found[GRAPH], found[WEIGHTS], tested, samples=samples)
    return card


def _member(tar: tarfile.TarFile, member: tarfile.TarInfo, limit: int) -> bytes:
    if member.size > limit:
        raise MalformedArtifact(f"{member.name} exceeds {limit} bytes; it is no such model.")
    content = tar.extractfile(member)
    if content is None:
        raise MalformedArtifact(f"{member.name} is no regular file.")
    return content.read()
