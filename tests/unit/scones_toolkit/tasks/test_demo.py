import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console as RichConsole

from scones_core.errors import TerraformError
from scones_core.settings import Settings
from scones_toolkit.console import Console
from scones_toolkit.project import Project
from scones_toolkit.tasks import demo, local

STAGED = SimpleNamespace(manifest=SimpleNamespace(source={"kind": "folder"}))


def test_a_demo_that_fails_says_how_to_go_on_with_what_it_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = io.StringIO()
    aws = SimpleNamespace(endpoint_url="http://x", home=tmp_path, stop=lambda: out.write("stopped"))

    def fail(*_: Any) -> None:
        raise TerraformError("no plan")

    monkeypatch.setattr(
        demo, "etl", SimpleNamespace(extract=lambda *_, **__: STAGED, validate=lambda *_: None)
    )
    monkeypatch.setattr(local, "start_for_demo", lambda _project: aws)
    monkeypatch.setattr(demo, "_run", fail)
    project = Project(tmp_path, console=Console(RichConsole(file=out, width=300)))

    with pytest.raises(TerraformError):
        demo.demo(project)
    assert (
        "is stopped and keeps what was made: `inv local.up`"
        in out.getvalue().partition("stopped")[2]
    )


@pytest.mark.parametrize(
    ("source", "given", "epochs", "folds"),
    [
        ("cifar100", {}, 6, 3),
        ("cifar10", {}, 6, 3),
        ("folder", {}, None, None),
        ("cifar100", {"epochs": 2}, 2, None),
        ("cifar100", {"folds": 4}, None, 4),
    ],
)
def test_a_demo_trains_shorter_only_on_what_that_was_measured_on(
    tmp_path: Path, source: str, given: dict[str, int], epochs: int | None, folds: int | None
) -> None:
    project = Project(tmp_path, settings=Settings().override("training", **given))

    found = demo.shorter_training(project, source).settings.training

    assert (found.epochs, found.folds) == (epochs, folds)
