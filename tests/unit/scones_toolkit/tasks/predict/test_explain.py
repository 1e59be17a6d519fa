import io
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console as RichConsole

from scones_core.errors import DeployError
from scones_monitor.period_summary import Place
from scones_toolkit.console import Console
from scones_toolkit.project import Project
from scones_toolkit.tasks.predict import Explanations
from tests.support.colour_model import LABELS, encoded, plain, write_colour_model


def place(label: str) -> Place:
    return Place(
        key="k",
        start=0,
        length=1,
        label=label,
        confidence=0.9,
        truth="",
        inference_id="i",
        time=datetime(2026, 11, 20, tzinfo=UTC),
    )


def project(root: Path) -> Project:
    return Project(root, console=Console(RichConsole(file=io.StringIO())))


def test_an_answer_is_explained_for_its_own_class_by_one_load_of_the_model(tmp_path: Path) -> None:
    model = tmp_path / "build" / "local" / "training" / "model"
    write_colour_model(model)
    explain = Explanations(project(tmp_path))
    pixels = plain(120, 110)
    pixels[: len(pixels) // 2] = plain(250, 0)[: len(pixels) // 2]
    body = encoded(pixels)

    first = explain(place(LABELS[0]), body)
    for path in model.iterdir():
        path.unlink()
    other = explain(place(LABELS[1]), body)

    assert first is not None and other is not None
    assert max(first.size) >= 128
    # What speaks for the one class speaks against the other.
    assert not np.array_equal(np.asarray(first), np.asarray(other))
    assert explain(place("tram"), body) is None


def test_without_a_model_the_reason_is_raised(tmp_path: Path) -> None:
    with pytest.raises(DeployError, match="There is no model"):
        Explanations(project(tmp_path))(place(LABELS[0]), encoded(plain(120, 110)))
