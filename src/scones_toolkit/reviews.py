"""The review task: what the model was not sure of, brought to a person and back into training."""

import csv
import io
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from scones_core.errors import MonitorError
from scones_core.events import Result
from scones_core.files import write_atomically
from scones_etl.labelled import LABELS_FILE
from scones_monitor.join import Joined, join
from scones_toolkit import workflows
from scones_toolkit.project import Project

COLUMNS = ("file", "guess", "confidence", "label")
# An inference id comes from whoever called the endpoint, and becomes a file name here.
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_ENDINGS = {"image/png": "png", "image/jpeg": "jpg", "application/x-image": "img"}


def fetch(project: Project, *, out: Path | None = None) -> Path:
    """Write the last run's images under review and their `labels.csv`, and return the folder.

    The images are the captured bytes, in order of rising confidence. The `label` column is
    empty but for what was filled in before: fetching again loses no work. Raises MonitorError
    where nothing is under review.
    """
    record = project.records.read("execution")
    results: list[Result] = record["results"]
    waiting = [result for result in results if result["decision"] == "review"]
    if not waiting:
        raise MonitorError("No image of the last run is under review: each one was decided.")
    captures = workflows.captures(project, waiting, datetime.fromisoformat(record["started_at"]))
    found = [row for row in join(waiting, captures.records) if row.record and row.record.image]
    folder = out or project.build / project.environment / "review"
    rows = sorted(found, key=lambda row: (row.confidence or 0.0, row.key))
    write_atomically(folder / LABELS_FILE, _table(folder, rows).encode())
    project.console.say(
        f"{len(rows)} of {len(waiting)} images under review are in {folder}. Write a class into "
        f"the label column of {LABELS_FILE}, empty passes an image over; then: "
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
    ending = _ENDINGS.get(row.record.content_type, "img")
    plain = _PLAIN.fullmatch(row.record.inference_id)
    return f"{row.record.inference_id}.{ending}" if plain else None


def _filled_in(path: Path) -> dict[str, str]:
    """Return the labels that an earlier list holds, by file."""
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8-sig", newline="") as stream:
        rows = [(row.get("file") or "", row.get("label") or "") for row in csv.DictReader(stream)]
    return {name: label for name, label in rows if name and label}
