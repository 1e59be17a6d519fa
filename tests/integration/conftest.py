"""A scratch checkout with the whole workflow run once in it, and left up for the tests."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.checkout import Checkout, copy_checkout
from tests.support.environment import BICYCLE, Environment, model_archive


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A checkout in which nothing has been done yet."""
    return copy_checkout(tmp_path)


@dataclass(frozen=True)
class Demo:
    """A finished demo whose embedded AWS is still up."""

    checkout: Checkout
    summary: dict[str, Any]
    out: str


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The whole chain: on the real archive where SCONES_CIFAR100 names one, else synthetic."""
    checkout = copy_checkout(tmp_path_factory.mktemp("checkout"))
    try:
        ended = checkout.inv("demo", "--keep", "--source", checkout.source, timeout=900)
        assert ended.code == 0, f"{ended.out[-5000:]}\n{ended.err[-5000:]}"
        summary = json.loads((checkout.root / "build" / "demo" / "summary.json").read_text())
        yield Demo(checkout, summary, ended.out)
    finally:
        checkout.inv("local.down")


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    """The environment `local` with an endpoint, its model image a stand-in that says bicycle."""
    started = Environment.start(copy_checkout(tmp_path_factory.mktemp("environment")))
    with started.aws:
        started.done("build")
        started.done("apply")
        started.release("first", model_archive(json.dumps(BICYCLE)))
        started.done("apply")
        yield started
