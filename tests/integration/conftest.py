"""A scratch checkout with the whole workflow run once in it, and left up for the tests."""

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.environments.checkout import Checkout, copy_checkout
from tests.support.environments.daily_reports import IMAGE
from tests.support.environments.environment import BICYCLE, Environment, model_archive, quiet_hours
from tests.support.permissions.workflow_probes import IMAGE as MODEL_IMAGE


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
    """The whole chain: on the real archive where SCONES_CIFAR100 names one, else synthetic.

    A quarter of the epochs is enough for a chain; `benchmarks/accuracy.py` runs the whole recipe.
    """
    checkout = copy_checkout(tmp_path_factory.mktemp("checkout"))
    asked = ("demo", "--keep", "--source", checkout.source)
    try:
        ended = checkout.inv_within(900, *asked, SCONES_TRAINING_EPOCHS="2")
        assert ended.code == 0, f"{ended.out[-5000:]}\n{ended.err[-5000:]}"
        summary = json.loads((checkout.root / "build" / "demo" / "summary.json").read_text())
        yield Demo(checkout, summary, ended.out)
    finally:
        checkout.inv("local.down")


def every_role(now: datetime) -> str:
    """Return variables that give the environment all its roles."""
    begin, end = quiet_hours(now)
    return f"""
serving      = {{ additional_modes = ["async"] }}
office_hours = {{ from = "{begin}", to = "{end}", days = "SUN-SAT", timezone = "Etc/UTC" }}
monitoring   = {{ image = "{IMAGE}" }}
retraining   = {{ training_image = "{MODEL_IMAGE}" }}
"""


def forecast_demand(model_data_url: str) -> str:
    """Return variables that have demand forecast by a model."""
    schedule = '{ expression = "cron(0 0 1 1 ? 2199)" }'
    model = f'{{ image = "{MODEL_IMAGE}", model_data_url = "{model_data_url}" }}'
    return f"demand = {{ model = {model}, schedule = {schedule} }}\n"


@pytest.fixture(scope="session")
def applied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stopped checkout with the environment `local` applied, without an endpoint.

    An apply takes a minute: it is made once, and `Environment.copy` starts copies of it.
    """

    def make(root: Path) -> None:
        started = Environment.start(copy_checkout(root))
        with started.aws:
            started.done("build")
            said = started.done("apply")
            assert "there is no endpoint, so nothing was scored" in said

    return made_once(tmp_path_factory, "applied", make)


@pytest.fixture(scope="session")
def serving(tmp_path_factory: pytest.TempPathFactory, applied: Path) -> Path:
    """A stopped checkout, applied with an endpoint and roles of every kind.

    Next to its endpoint, which says bicycle, there are an asynchronous one, office hours, a
    daily report, a retraining and a demand forecast. The release is older than the week that a
    report compares with.
    """

    def make(root: Path) -> None:
        started = Environment.copy(applied, root)
        with started.aws:
            started.release("first", model_archive(json.dumps(BICYCLE)), age=timedelta(days=30))
            model = started.upload("demand", model_archive(json.dumps(BICYCLE)))
            more = every_role(started.clock.now()) + forecast_demand(model)
            started.variables.write_text(started.variables.read_text() + more)
            started.done("apply")

    return made_once(tmp_path_factory, "serving", make)


@pytest.fixture(scope="module")
def served(serving: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    """The environment `local` with an endpoint, its model a stand-in: a copy for each file."""
    started = Environment.copy(serving, tmp_path_factory.mktemp("served") / "checkout")
    with started.aws:
        yield started


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """Return a folder that one process of a test run makes, for all of them."""
    own = factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    finished, part = shared / name, shared / f"{name}-unfinished"
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not finished.exists():
            shutil.rmtree(part, ignore_errors=True)  # of a process that failed
            make(part)
            part.rename(finished)
    return finished
