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


def test_a_demo_that_fails_says_how_to_go_on_with_what_it_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = io.StringIO()
    aws = SimpleNamespace(endpoint_url="http://x", home=tmp_path, stop=lambda: out.write("stopped"))

    def fail(*_: Any) -> None:
        raise TerraformError("no plan")

    monkeypatch.setattr(
        demo, "etl", SimpleNamespace(extract=lambda *_, **__: None, validate=lambda *_: None)
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
    ("source", "set_by_hand", "expected"),
    [
        ("cifar100", {}, demo.SHORTER_FOR_CIFAR),
        ("cifar10", {}, demo.SHORTER_FOR_CIFAR),
        ("folder", {}, {}),
        ("cifar100", {"epochs": 2}, {}),
        ("cifar100", {"folds": 4}, {}),
    ],
)
def test_a_demo_trains_shorter_only_on_what_that_was_measured_on(
    tmp_path: Path, source: str, set_by_hand: dict[str, int], expected: dict[str, int]
) -> None:
    settings = Settings().override("training", **set_by_hand)

    assert demo.shorter_training(Project(tmp_path, settings=settings), source) == expected
