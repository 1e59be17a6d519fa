"""Variants whose program is a stand-in."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local_aws.core.child_processes import Children
from local_aws.sagemaker.endpoints.instances import ServeSpec
from local_aws.sagemaker.endpoints.variants import Variant
from local_aws.sagemaker.endpoints.weighted_variants import Fleet, FleetSettings
from local_aws.testing import PROGRAMS

SERVE = PROGRAMS / "stand_in_serve.py"
Make = Callable[..., Variant]


def discard(line: str) -> None:
    """Take a line of a container's log."""


@pytest.fixture
def children() -> Iterator[Children]:
    started = Children()
    yield started
    started.stop_all()


@pytest.fixture
def make(children: Children, tmp_path: Path) -> Make:
    def variant(
        name: str = "AllTraffic",
        answer: str = "[0.9, 0.1]",
        *,
        count: int = 1,
        max_concurrency: int = 0,
        prepare: Callable[[], None] = lambda: None,
        **environment: str,
    ) -> Variant:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        (folder / "answer.txt").write_text(answer)
        spec = ServeSpec(
            name=name,
            argv=(sys.executable, str(SERVE)),
            folder=folder,
            environment={"SM_MODEL_DIR": str(folder), **environment},
            startup_seconds=float(environment.get("STARTUP_SECONDS", "10")),
            ping_seconds=0.1,
            prepare=prepare,
        )
        return Variant(
            spec,
            children,
            lambda: discard,
            count=count,
            max_concurrency=max_concurrency,
        )

    return variant


def fleet(tmp_path: Path, *variants: Variant, weights: dict[str, float] | None = None) -> Fleet:
    """Return a fleet that is not started."""
    return Fleet(FleetSettings("config"), variants, weights or {}, folder=tmp_path / "fleet")
