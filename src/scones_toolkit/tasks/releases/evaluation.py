"""The task that scores a model on its held-out images: by itself, or through its endpoint."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from scones_core.errors import DatasetError, DeployError, SettingsError
from scones_core.manifest import Manifest, ManifestRow
from scones_core.uris import S3Uri
from scones_etl.load import read_manifest
from scones_images import decode
from scones_toolkit.project import Project
from scones_toolkit.tasks import etl
from scones_toolkit.tasks.releases.releases import unpacked
from scones_toolkit.tasks.training.local import print_confusions
from scones_train.evaluation.agreement import Agreement, ask, compare
from scones_train.evaluation.metrics import summarise
from scones_train.model_folder import read_predictions
from scones_train.serving.predictor import Predictor


def evaluate(
    project: Project,
    *,
    artifact: str | None = None,
    target: Literal["artifact", "endpoint"] = "artifact",
) -> dict[str, float]:
    """Score a model on its test images, print the figures, and return them.

    Raises SettingsError for an artifact that is named where the endpoint's own is meant.
    """
    if target == "endpoint" and artifact:
        raise SettingsError(
            "--artifact goes with --target artifact; the endpoint serves the active release's."
        )
    if target == "endpoint":
        return evaluate_endpoint(project).endpoint
    return evaluate_artifact(project, artifact)


def evaluate_artifact(project: Project, artifact: str | None = None) -> dict[str, float]:
    """Score an artifact on the staged test images, print the figures, and return them.

    Images of classes that the model does not know are left out, and counted. Raises DatasetError
    where it knows none.
    """
    location = S3Uri.parse(artifact or project.records.read("training")["model_data_url"])
    manifest = etl.current(project)
    with unpacked(project, str(location)) as folder:
        predictor = Predictor.load(folder)
        card = predictor.card
        rows = _known_rows(project, manifest, card.labels)
        bodies = _test_images(project, rows)
        images = np.stack([decode(body, card.size, grey=card.grey) for body in bodies])
        labels = np.array([card.labels.index(row.label) for row in rows])
        figures = summarise(predictor.probabilities(images), labels, card.threshold)
    shown = {name: _formatted(value) for name, value in figures.items()}
    project.console.table(f"{location} on {len(labels)} test images", shown)
    print_confusions(project.console, card)
    return figures


def evaluate_endpoint(project: Project) -> Agreement:
    """Score the deployed endpoint on the images that its model was tested on in training.

    Prints the figures next to training's own, and returns both. Raises DeployError where a
    probability differs by more than float32 explains: then another model answers.
    """
    release = project.active_release
    name = project.deployment.endpoint_name
    if release is None or not name:
        raise DeployError(
            f"No endpoint is deployed in {project.environment}: inv release{project.env_flag}, "
            f"then inv apply{project.env_flag}"
        )
    manifest = read_manifest(
        project.client("s3"), project.deployment.data_bucket, release.dataset_version
    )
    with unpacked(project, release.model_data_url) as folder:
        tested = read_predictions(folder)
    bodies = _test_images(project, manifest.split("test"))
    with project.console.progress("asking the endpoint") as advance:
        runtime, target = project.client("sagemaker-runtime"), project.deployment.target
        answers = ask(runtime, name, bodies, advance, target)
    found = compare(tested, bodies, answers, release.threshold)
    _print_agreement(project, name, found)
    if not found.holds:
        raise DeployError(
            f"The endpoint {name} differs from release {release.id} by up to {found.furthest:.2g} "
            "in a probability: it serves another model; compare `inv plan`."
        )
    return found


def _known_rows(
    project: Project, manifest: Manifest, labels: Sequence[str]
) -> tuple[ManifestRow, ...]:
    """Return the test rows of the classes that a model knows, and print how many are not."""
    rows = manifest.split("test")
    known = tuple(row for row in rows if row.label in labels)
    if not known:
        raise DatasetError(
            f"The model knows {', '.join(labels)}, and none of the classes of the dataset "
            f"{manifest.version}; stage the dataset that it was trained on: "
            f"inv etl{project.env_flag}"
        )
    if left := len(rows) - len(known):
        names = [name for name in manifest.classes if name not in labels]
        project.console.warn(
            f"  {left} test images are left out: the model does not know {', '.join(names)}."
        )
    return known


def _test_images(project: Project, rows: Sequence[ManifestRow]) -> list[bytes]:
    """Return the images of these rows as they are stored."""
    s3, bucket, bodies = project.client("s3"), project.deployment.data_bucket, list[bytes]()
    with project.console.progress("downloading") as advance:
        for row in rows:
            bodies.append(s3.get_object(Bucket=bucket, Key=row.key)["Body"].read())
            advance(len(bodies), len(rows))
    return bodies


def _print_agreement(project: Project, endpoint: str, found: Agreement) -> None:
    rows = [
        (
            name,
            _formatted(value),
            _formatted(found.endpoint[name]),
            _difference(value, found.endpoint[name]),
        )
        for name, value in found.training.items()
    ]
    title = f"{endpoint} on {found.images} test images"
    project.console.grid(title, ("figure", "in training", "endpoint", "difference"), rows)
    project.console.say(
        f"  {found.identical} of {found.images} answers are the same to the last bit of float32; "
        f"the furthest is {found.furthest:.2g} off."
    )


def _difference(before: float, now: float) -> str:
    return "none" if before == now else f"{now - before:+.2g}"


def _formatted(value: float) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
