"""The task that has a person decide the images under review."""

import csv
import io
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from scones_core.errors import DatasetError, MonitorError
from scones_core.events import Result
from scones_core.files import write_atomically
from scones_etl.extract.labelled_folder import COLUMNS as LABEL_COLUMNS
from scones_etl.extract.labelled_folder import LABELS_FILE, read_table
from scones_monitor.join import Joined, join
from scones_toolkit.project import Project
from scones_toolkit.tasks.monitoring import captures

COLUMNS = ("file", "guess", "confidence", "label")
# An inference id comes from whoever called the endpoint, and becomes a file name here.
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_SUFFIXES = {"image/png": "png", "image/jpeg": "jpg", "application/x-image": "img"}


def review(project: Project, *, out: Path | None = None) -> Path:
    """Write the last run's images under review and their `labels.csv`, and return the folder.

    The images are the captured bytes, in order of rising confidence. The `label` column is
    empty but for what was filled in before: fetching again loses no work. Nothing is
    written where no image is under review.
    """
    record = project.records.read("execution")
    results: list[Result] = record["results"]
    waiting = [result for result in results if result["decision"] == "review"]
    folder = out or project.review_folder
    if not waiting:
        project.console.say("No image of the last run is under review; there is nothing to label.")
        return folder
    captured = captures(project, waiting, datetime.fromisoformat(record["started_at"]))
    found = [row for row in join(waiting, captured.records) if row.record and row.record.image]
    rows = sorted(found, key=lambda row: (row.confidence or 0.0, row.key))
    write_atomically(folder / LABELS_FILE, _table(folder, rows).encode())
    project.console.say(
        f"{len(rows)} of {len(waiting)} images under review are in {folder}. Write a class into "
        f"the label column of {LABELS_FILE}; leave it empty to skip an image. Next: "
        f"inv etl --env {project.environment} --add {folder}"
    )
    return folder


def _table(folder: Path, rows: Sequence[Joined]) -> str:
    """Write each image, and return the list of them."""
    known = _filled_in(folder / LABELS_FILE)
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for row in rows:
        name = _name(row)
        if row.record is None or name is None:
            continue
        write_atomically(folder / name, row.record.image)
        table.writerow((name, row.label, f"{row.confidence:.4f}", known.pop(name, "")))
    for name, label in known.items():
        table.writerow((name, "", "", label))
    return text.getvalue()


def _name(row: Joined) -> str | None:
    if row.record is None or not row.record.inference_id:
        return None
    suffix = _SUFFIXES.get(row.record.content_type, "img")
    plain = _PLAIN.fullmatch(row.record.inference_id)
    return f"{row.record.inference_id}.{suffix}" if plain else None


def _filled_in(path: Path) -> dict[str, str]:
    """Return the labels that an earlier list holds, by file, however a spreadsheet saved it.

    Raises MonitorError for a list that is not understood: nobody's work is overwritten.
    """
    if not path.is_file() or not path.stat().st_size:
        return {}
    try:
        header, rows = read_table(path)
    except DatasetError as error:
        raise MonitorError(f"{error} Correct it, or move it away; then fetch again.") from error
    if not set(header) >= LABEL_COLUMNS:
        raise MonitorError(
            f"{path} needs the columns file and label; its header has {', '.join(header)}. Correct "
            "it, or move it away; then fetch again."
        )
    filled = ((row.values.get("file", ""), row.values.get("label", "")) for row in rows)
    return {name: label for name, label in filled if name and label}
