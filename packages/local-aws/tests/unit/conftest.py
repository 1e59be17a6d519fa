from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest

from local_aws.core import patching


@contextmanager
def moto_with_patches() -> Iterator[None]:
    """Apply the declared patches, and take them back: other tests of the process use plain moto."""
    with pytest.MonkeyPatch.context() as monkeypatch:

        def set_attribute(owner: Any, name: str, value: Any, *_: Any, **__: Any) -> None:
            monkeypatch.setattr(owner, name, value, raising=False)

        monkeypatch.setattr(patching, "_set", set_attribute)
        monkeypatch.setattr(patching, "_declared", list(patching._declared))
        patching.apply_patches()
        yield


@pytest.fixture(scope="module")
def patched_moto() -> Iterator[None]:
    with moto_with_patches():
        yield


@pytest.fixture
def patching_moto() -> Callable[[], AbstractContextManager[None]]:
    return moto_with_patches
