"""Records of a model's answers under each condition, for benchmarks/drift.py.

A model is trained on a part of the archive; the other images, the pool, it has never seen. Each
condition is the whole pool, distorted in one way, so that conditions differ in nothing else. A
record is the probabilities and the input statistics of one image.
"""

import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scones_core.errors import DatasetError
from scones_core.labels import LabelSet
from scones_core.settings import DatasetSettings
from scones_etl.extract.resolve import resolve_source
from scones_etl.extract.synthetic import Synthetic
from scones_etl.pipeline import stage
from scones_images import decode
from scones_images.distortions import DISTORTIONS, SEVERITIES, distort
from scones_images.statistics import STATISTICS, batch_statistics
from scones_toolkit.tasks.training.local import run_training
from scones_train.serving.predictor import Predictor
from scones_train.training.hyperparameters import Hyperparameters

CLEAN = "clean"
NEW_VEHICLE = "new vehicle"
CAMERA = "camera swap"

Records = dict[str, NDArray[np.float64]]
"""By condition, (images, 1 + statistics): the second class's probability, then STATISTICS."""

COLUMNS = ("probability", *STATISTICS)


def records(archive: str, cache: Path, pool: int, recipe: str) -> Records:
    """Return the records of each condition; they are kept in `cache`, as is the model.

    `pool` is the number of images, half of each class; `recipe` is the training's. Raises
    SconesError.
    """
    path = cache / f"records-{recipe}-{pool}.npz"
    if not path.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        images, base = _pool(archive, cache, pool, recipe)
        if not (base / "model" / "model.json").is_file():
            hyperparameters = Hyperparameters(recipe=recipe, epochs=6, folds=0)
            run_training(base, hyperparameters.strings(), _say)
        predictor = Predictor.load(base / "model")
        found = {}
        for name, batch in _conditions(images):
            found[name] = _record(batch, predictor)
            _say(f"{name}: {len(batch)} images")
        part = path.with_suffix(".part.npz")
        np.savez(part, **_as_any(found))
        part.rename(path)
    with np.load(path, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


def _as_any(found: Records) -> dict[str, Any]:
    return dict(found)


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _pool(archive: str, cache: Path, pool: int, recipe: str) -> tuple[NDArray[np.uint8], Path]:
    """Return the images that the model never sees, and the folder with the others as channels."""
    settings = DatasetSettings()
    staged = stage(
        resolve_source(archive, cache_dir=cache), LabelSet.of(settings.classes), settings
    )
    order = np.random.default_rng(0).permutation(len(staged.manifest.rows))
    by_label: dict[str, list[bytes]] = {label: [] for label in settings.classes}
    for index in order:
        row = staged.manifest.rows[index]
        by_label[Path(row.key).parts[-2]].append(staged.objects[row.key])
    base, unseen = cache / f"training-{recipe}-{pool}", []
    for label, bodies in by_label.items():
        unseen += bodies[: pool // 2]
        rest = bodies[pool // 2 :]
        if len(rest) < 60:
            raise DatasetError(f"{len(bodies)} images of {label} are too few for a pool of {pool}.")
        # Twenty images to validate, twenty to test, the rest to train.
        for place, body in enumerate(rest):
            folder = {0: "validation", 1: "test"}.get(place // 20, "train")
            target = base / "input" / "data" / folder / label / f"{place:04}.png"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(body)
    return np.stack([decode(body) for body in unseen]), base


def _conditions(images: NDArray[np.uint8]) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    yield CLEAN, images
    for name in DISTORTIONS:
        for severity in SEVERITIES:
            rng = np.random.default_rng(severity)
            yield (
                f"{name} {severity}",
                np.stack([distort(image, name, severity, rng) for image in images]),
            )
    yield CAMERA, np.stack([_other_camera(image) for image in images])
    drawn = Synthetic(train_per_class=len(images), test_per_class=1)
    yield NEW_VEHICLE, drawn.read(LabelSet.of(("bus", "tram"))).images[: len(images)]


def _other_camera(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return what another camera makes of a scene: warmer, a steeper curve, softer, JPEG."""
    toned = (image / 255.0) ** 1.15 * np.array([1.06, 1.0, 0.9])
    side = image.shape[0]
    soft = Image.fromarray((toned.clip(0, 1) * 255).astype(np.uint8))
    soft = soft.resize((side * 3 // 2, side * 3 // 2), Image.Resampling.BILINEAR)
    soft = soft.resize((side, side), Image.Resampling.BILINEAR)
    out = io.BytesIO()
    soft.save(out, "JPEG", quality=85)
    with Image.open(out) as stored:
        return np.asarray(stored.convert("RGB"))


def _record(images: NDArray[np.uint8], predictor: Predictor) -> NDArray[np.float64]:
    probabilities = predictor.probabilities(images)[:, 1].astype(np.float64)
    statistics = batch_statistics(images)
    return np.column_stack([probabilities, *(statistics[name] for name in STATISTICS)])
