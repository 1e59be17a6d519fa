"""A retraining's gate: `python -m scones_train.retraining_gate`, as a processing job.

Both models are scored again on the same test images, so that it does not matter which images
the active one was tested on in its own training. Where the candidate knows more classes, the two
are compared on images of those that both know. Below `/opt/ml/processing`:

    input/candidate/model.tar.gz   the model that was trained
    input/active/model.tar.gz      the model of the active release
    input/test/<label>/*           the test images of the candidate's dataset
    input/manifest/manifest.json   that dataset's manifest
    output/evaluation/             evaluation.json: verdict, reasons, figures, and the arguments
                                   of CreateModelPackage

The environment has JOB, IMAGE (the one that serves), MODEL_DATA_URL, GROUP and COMMIT of the
candidate; ACTIVE_THRESHOLD; and optionally QUALITY, a JSON object with limits of [quality].
"""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from scones_core.container_folders import run_processing
from scones_core.errors import SettingsError, TrainingError
from scones_core.manifest import Manifest
from scones_core.settings import QualitySettings
from scones_train.channels import ImageSet, load_channel
from scones_train.evaluation.metrics import summarise
from scones_train.evaluation.predictions import ImagePredictions, channel_names
from scones_train.evaluation.quality_gate import (
    MIN_COMMON_IMAGES,
    ScoredModel,
    below_active,
    below_limits,
    below_on_classes,
    in_common,
)
from scones_train.model_folder import unpack_artifact
from scones_train.sagemaker.model_package import (
    PENDING,
    REJECTED,
    Training,
    package_request,
)
from scones_train.serving.predictor import Predictor

RESULT = "evaluation.json"
MAX_DESCRIPTION_CHARACTERS = 1024
"""ModelPackageDescription of CreateModelPackage.
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateModelPackage.html"""


@dataclass(frozen=True, slots=True)
class GateResult:
    """The verdict: `refusals` has a clause for each reason against the candidate.

    `figures` are those of candidate and active model on the same `images` test images, of classes
    that both know.
    """

    images: int
    refusals: tuple[str, ...]
    figures: Mapping[str, Mapping[str, float]]
    package: Mapping[str, Any]

    @property
    def passed(self) -> bool:
        """Whether nothing speaks against the candidate."""
        return not self.refusals

    def dumps(self) -> str:
        """Return the result as JSON."""
        body = {
            "passed": self.passed,
            "images": self.images,
            "refusals": self.refusals,
            "figures": self.figures,
            "package": self.package,
        }
        return json.dumps(body, sort_keys=True, allow_nan=False)


def main() -> int:
    """Compare in the container that the environment describes; return 0, or 1 after an error.

    A candidate that does not pass is a result, no error.
    """
    return run_processing(_run)


def _run(folder: Path) -> str:
    found = evaluate_candidate(folder / "input", os.environ)
    target = folder / "output" / "evaluation" / RESULT
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(found.dumps(), encoding="utf-8")
    conclusion = "passed" if found.passed else "; ".join(found.refusals)
    return f"{found.images} test images: {conclusion}"


def evaluate_candidate(folder: Path, environ: Mapping[str, str]) -> GateResult:
    """Return how the candidate does against the limits and the active model.

    Raises MalformedArtifact for a model that cannot be read, TrainingError for test images that
    cannot, SettingsError for a missing or malformed variable.
    """
    limits = _limits(environ.get("QUALITY", ""))
    manifest = Manifest.loads((folder / "manifest" / "manifest.json").read_bytes())
    with TemporaryDirectory() as name:
        new, old = (_model(folder, role, Path(name)) for role in ("candidate", "active"))
    card, labels = new.card, new.card.labels
    test = load_channel(folder / "test", labels)
    names = channel_names(folder / "test", labels)
    candidate = ScoredModel(_answers(new, "candidate", test, names, labels), card.threshold)
    threshold = _number(environ, "ACTIVE_THRESHOLD")
    active = ScoredModel(_answers(old, "active", test, names, labels), threshold)
    compared, active = in_common(candidate, active)
    refusals = below_limits(candidate, limits)
    refusals += below_on_classes(candidate, labels, old.card.labels, limits)
    if len(compared.predictions) < MIN_COMMON_IMAGES:
        refusals.append(
            f"it was tested on {len(compared.predictions)} images of classes that the active "
            f"release knows, and {MIN_COMMON_IMAGES} are needed to compare the two"
        )
    else:
        refusals += below_active(compared, active, limits.significance)
    figures = {"candidate": _figures(compared), "active": _figures(active)}
    training = Training(
        job=_text(environ, "JOB"),
        image=_text(environ, "IMAGE"),
        model_data_url=_text(environ, "MODEL_DATA_URL"),
        metrics={
            "threshold": card.threshold,
            **{f"test_{name}": value for name, value in _figures(candidate).items()},
        },
        dataset_version=manifest.version,
        manifest_sha256=card.manifest_sha256,
        commit=environ.get("COMMIT", ""),
        data_source=manifest.source["kind"],
    )
    request = package_request(_text(environ, "GROUP"), training)
    request["ModelApprovalStatus"] = REJECTED if refusals else PENDING
    if refusals:
        reasons = f"Refused after its training by {training.job}: {'; '.join(refusals)}"
        request["ModelPackageDescription"] = reasons[:MAX_DESCRIPTION_CHARACTERS]
    return GateResult(len(compared.predictions), tuple(refusals), figures, request)


def _model(folder: Path, role: str, target: Path) -> Predictor:
    unpack_artifact(folder / role / "model.tar.gz", target / role)
    return Predictor.load(target / role)


def _answers(
    model: Predictor,
    role: str,
    test: ImageSet,
    names: Sequence[str],
    labels: Sequence[str],
) -> ImagePredictions:
    """Return a model's answers for the test images of the classes that it knows.

    `labels` are the class names of the test images' labels. Raises TrainingError where the model
    takes images of another size, or knows none of these classes.
    """
    card = model.card
    if test.size != card.size:
        raise TrainingError(
            f"The {role} model takes images of {card.size[1]}x{card.size[0]} pixels, and the test "
            f"images have {test.size[1]}x{test.size[0]}; release a model of this dataset first."
        )
    index = {name: number for number, name in enumerate(card.labels)}
    own = np.array([index.get(name, -1) for name in labels], np.int64)[test.labels]
    rows = np.flatnonzero(own >= 0)
    if not len(rows):
        raise TrainingError(
            f"The {role} model knows none of the classes {', '.join(labels)} of the test images; "
            "release a model of this dataset first."
        )
    return ImagePredictions(
        tuple(names[row] for row in rows.tolist()),
        own[rows],
        model.probabilities(test.pixels[rows]),
    )


def _figures(model: ScoredModel) -> dict[str, float]:
    found = model.predictions
    return dict(summarise(found.probabilities, found.labels, model.threshold))


def _limits(text: str) -> QualitySettings:
    if not text:
        return QualitySettings()
    try:
        return QualitySettings(**json.loads(text))
    except (ValueError, TypeError) as error:
        raise SettingsError(
            f"QUALITY must be an object with limits of [quality]: {error}"
        ) from error


def _text(environ: Mapping[str, str], name: str) -> str:
    if not environ.get(name):
        raise SettingsError(f"The job has no variable {name}; apply the Terraform again.")
    return environ[name]


def _number(environ: Mapping[str, str], name: str) -> float:
    try:
        return float(_text(environ, name))
    except ValueError as error:
        raise SettingsError(f"{name} must be a number: {error}") from error


if __name__ == "__main__":
    sys.exit(main())
