"""The model folder: the graph, the card that describes it, weights, answers for test images.

`golden_samples.json` may be absent: it has images whose answers are known, to try an endpoint
with. So may `reliability.svg`, which shows the confidence of the calibrated answers against the
truth.
"""

from collections.abc import Sequence
from pathlib import Path

from scones_core.archives import ArchiveLimits, read_files
from scones_core.errors import ArchiveError, MalformedArtifact
from scones_core.golden_samples import SAMPLES, GoldenSample, dumps, loads
from scones_core.model_card import CARD, MAX_CARD_BYTES, ModelCard
from scones_train.evaluation import predictions
from scones_train.evaluation.predictions import ImagePredictions

GRAPH, WEIGHTS = "model.onnx", "weights.safetensors"
PREDICTIONS = predictions.FILE
DIAGRAM = "reliability.svg"
MAX_BYTES = {
    CARD: MAX_CARD_BYTES,
    GRAPH: 200_000_000,
    WEIGHTS: 400_000_000,
    PREDICTIONS: 50_000_000,
    SAMPLES: 16_000_000,
    DIAGRAM: 1_000_000,
}
OPTIONAL = {SAMPLES, DIAGRAM}
ARCHIVE_LIMITS = ArchiveLimits(1000, max(MAX_BYTES.values()), 2 * sum(MAX_BYTES.values()))


def write_artifact(
    model_dir: Path,
    card: ModelCard,
    graph: bytes,
    weights: bytes,
    tested: ImagePredictions,
    *,
    samples: Sequence[GoldenSample] = (),
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
    """Return the card and the bytes of the ONNX graph; the weights are not opened.

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

    They are read at the top level, each within its size limit; other files are passed over.
    Raises MalformedArtifact, also for what no model archive holds: a link, a device, a path
    that leads out of the folder.
    """
    try:
        with archive.open("rb") as file:
            found = read_files(file, MAX_BYTES, ARCHIVE_LIMITS)
    except (OSError, ArchiveError) as error:
        raise MalformedArtifact(f"{archive} cannot be unpacked: {error}.") from error
    missing = set(MAX_BYTES) - OPTIONAL - set(found)
    if missing:
        raise MalformedArtifact(f"{archive} holds no {min(missing)}; train the model again.")
    card = ModelCard.loads(found[CARD])
    samples = loads(found[SAMPLES]) if SAMPLES in found else ()
    tested = ImagePredictions.loads(found[PREDICTIONS])
    write_artifact(model_dir, card, found[GRAPH], found[WEIGHTS], tested, samples=samples)
    return card
