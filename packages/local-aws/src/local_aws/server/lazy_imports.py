"""What moto imports for a service that is hardly ever asked, put off until it is."""

import contextlib
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from local_aws.core.patching import replace


class _Ecs:
    """Stands for moto's ECS backends, by account and region, and imports them when used."""

    def __init__(self, *keys: str) -> None:
        self._keys = keys

    def __getitem__(self, key: str) -> "_Ecs":
        return _Ecs(*self._keys, key)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # what pickle looks for, before there are any keys
            raise AttributeError(name)
        found: Any = importlib.import_module("moto.ecs.models").ecs_backends
        for key in self._keys:
            found = found[key]
        return getattr(found, name)


def defer_services() -> None:
    """Import what the modules of other services need of ECS and Batch, and no more.

    Either imports all of EC2, which alone takes a third of the server's start. Both are there
    in full as soon as a request asks for them.
    """
    if "moto.ecs" not in sys.modules:
        _defer_ecs()
    if "moto.batch" not in sys.modules:
        _defer_batch()


def _defer_ecs() -> None:
    stand_in = ModuleType("moto.ecs")
    stand_in.ecs_backends = _Ecs()  # type: ignore[attr-defined]
    with _in_place_of("moto.ecs", stand_in):
        from moto.applicationautoscaling import models
    fault = "imports all of ECS and EC2 for the one kind of target that is an ECS service"
    replace(models, "ecs_backends", _Ecs(), fault=fault)


def _defer_batch() -> None:
    """Import the one enumeration that Step Functions takes, without the package around it."""
    import moto

    stand_in = ModuleType("moto.batch")
    stand_in.__path__ = [str(Path(next(iter(moto.__path__)), "batch"))]
    with _in_place_of("moto.batch", stand_in):
        importlib.import_module("moto.batch.utils")


@contextlib.contextmanager
def _in_place_of(name: str, stand_in: ModuleType) -> Iterator[None]:
    sys.modules[name] = stand_in
    try:
        yield
    finally:
        del sys.modules[name]
