"""Labels at hand that are true: of reviewers, of lists, of a run's test images."""

from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from scones_core.events import Result
from scones_core.manifest import Manifest
from scones_core.reviews import Answer, read_answers
from scones_core.reviews.shared import LABELS, of_reviewer
from scones_etl.extract.labelled_folder import ANSWERS, LABELS_FILE, read_table
from scones_etl.extract.labelled_folder import COLUMNS as LABEL_COLUMNS
from scones_monitor.compared_traffic import Subject
from scones_toolkit.project import Project
from scones_toolkit.tasks import etl
from scones_toolkit.tasks.workflow.results import results_of


def labelled(results: Iterable[Result], manifest: Manifest) -> Iterator[tuple[str, str]]:
    """Yield the inference id and the true label of each result whose image the manifest has."""
    labels = {row.key: row.label for row in manifest.rows}
    for result in results:
        if "inference" in result and (label := labels.get(result["image"]["key"])):
            yield result["inference"]["inference_id"], label


def answers_at_hand(project: Project, subject: Subject) -> list[Answer]:
    """Return the answers of reviewers: on this host, and in S3 where there is a deployment."""
    answers: list[Answer] = []
    for path in sorted((project.review_folder / ANSWERS).glob("*.jsonl")):
        answers += of_reviewer(path.read_bytes(), path.stem)[0]
    if subject.deployment is not None:
        shared = read_answers(project.client("s3"), subject.deployment.data_bucket, f"{LABELS}/")
        answers += shared.answers
    return answers


def reviewed(project: Project, subject: Subject) -> dict[str, str]:
    """Return the labels that people gave, by inference id: here, in S3, and in a filled-in list.

    Of an image that reviewers answered differently the label that most gave counts; one that is
    disputed has none.
    """
    answers = answers_at_hand(project, subject)
    return _filled_in(project.review_folder / LABELS_FILE) | subject.labels_of(answers)


def labels_at_hand(project: Project, subject: Subject) -> tuple[dict[str, str], Manifest | None]:
    """Return the true labels by inference id, and the manifest of the last run's test images.

    The labels are those of reviewers and of these images; without a run the manifest is None.
    """
    truth, manifest = reviewed(project, subject), None
    if subject.deployment and project.records.path("execution").exists():
        manifest = etl.current(project)
        truth = dict(labelled(results_of(project), manifest)) | truth
    return truth, manifest


def _filled_in(path: Path) -> dict[str, str]:
    """Return the labels of a list that was filled in by hand: files are named by inference id."""
    if not path.is_file() or not path.stat().st_size:
        return {}
    header, rows = read_table(path)
    if not set(header) >= LABEL_COLUMNS:
        return {}
    filled = ((row.values.get("file", ""), row.values.get("label", "")) for row in rows)
    return {PurePosixPath(file).stem: label for file, label in filled if file and label}
