import sys
import types
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from local_aws.core import patching
from local_aws.errors import LocalAwsError


@pytest.fixture(autouse=True)
def only_patches_of_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patching, "_declared", [])
    monkeypatch.setattr(patching, "_applied", [])


class Target:
    greeting = "hello"

    def method(self, x: int) -> int:
        return x

    @property
    def attribute(self) -> int:
        return 1

    @staticmethod
    def static(x: int) -> int:
        return x

    @classmethod
    def of_class(cls, x: int) -> tuple[str, int]:
        return (cls.__name__, x)


def copy() -> Any:
    """Return a class of its own, which patches may add to."""
    return type("Target", (), dict(Target.__dict__))


def test_a_wrapped_method_gets_the_original_and_all_arguments() -> None:
    target = copy()

    @patching.wrap(target, "method", fault="adds nothing")
    def method(original: Callable[[Target, int], int], self: Target, x: int) -> int:
        return original(self, x) + 1

    assert target().method(1) == 2


@pytest.mark.parametrize(
    ("name", "ask", "expected"),
    [
        ("attribute", lambda t: t().attribute, (1,)),
        ("static", lambda t: t.static(2), (2,)),
        ("of_class", lambda t: t.of_class(3), (("Target", 3),)),
    ],
)
def test_a_property_a_static_and_a_class_method_stay_what_they_are(
    name: str, ask: Callable[[Any], object], expected: tuple[object]
) -> None:
    target = copy()
    patching.wrap(target, name, fault="is no tuple")(lambda original, *args: (original(*args),))
    assert ask(target) == expected


def test_a_function_of_a_module_can_be_wrapped() -> None:
    module = types.ModuleType("made")
    vars(module)["double"] = lambda x: 2 * x
    patching.wrap(module, "double", fault="is too small")(lambda original, x: original(x) + 1)
    assert module.double(2) == 5


def test_a_wrapped_symbol_that_is_gone_is_named() -> None:
    with pytest.raises(LocalAwsError, match=r"Target\.gone"):
        patching.wrap(Target, "gone", fault="any")
    with pytest.raises(LocalAwsError, match=r"Target\.gone"):
        patching.replace(Target, "gone", 1, fault="any")


def test_what_moto_has_by_now_is_not_added_again() -> None:
    with pytest.raises(LocalAwsError, match=r"Target\.method"):
        patching.implement(Target, "method", fault="was missing")


def test_each_patch_is_recorded_with_its_fault_and_version() -> None:
    target = copy()
    patching.implement(target, "added", fault="is missing")(lambda _: 7)
    patching.replace(target, "greeting", "hi", fault="is too long")
    assert (target().added(), target.greeting) == (7, "hi")
    added, replaced = patching.patches()[-2:]
    assert added.symbol.endswith("Target.added") and added.why == "is missing"
    assert replaced.symbol.endswith("Target.greeting")
    assert {added.moto_version, replaced.moto_version} == {patching.MOTO_VERSION}


def test_another_moto_is_refused_and_the_installed_one_is_not() -> None:
    patching.require_moto()
    with pytest.raises(LocalAwsError, match=r"9\.9\.9.*moto==5"):
        patching.require_moto("9.9.9")


@pytest.fixture
def moto_like(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """A package with a class, as declared patches name it."""
    module = types.ModuleType("moto_like")
    backend = vars(module)["Backend"] = copy()
    backend.__module__, backend.__qualname__ = "moto_like", "Backend"
    monkeypatch.setitem(sys.modules, "moto_like", module)
    return module


def test_a_declared_patch_takes_effect_when_patches_are_applied(
    moto_like: types.ModuleType,
) -> None:
    @patching.patch("moto_like.Backend.method", why="adds nothing", upstream="https://example.com")
    def method(original: Callable[[Target, int], int], self: Target, x: int) -> int:
        return original(self, x) + 1

    assert moto_like.Backend().method(1) == 1
    patching.apply_patches()
    assert moto_like.Backend().method(1) == 2
    assert patching.patches()[-1].upstream == "https://example.com"
    patching.apply_patches()
    assert moto_like.Backend().method(1) == 2


def test_declared_additions_and_values_are_applied_in_their_order(
    moto_like: types.ModuleType,
) -> None:
    patching.add("moto_like.Backend.added", why="is missing")(lambda _: 7)
    patching.set_value("moto_like.Backend.greeting", "hi", why="is too long")
    patching.apply_patches()
    assert (moto_like.Backend().added(), moto_like.Backend.greeting) == (7, "hi")


@pytest.mark.parametrize(
    "target", ["moto_like.Backend.gone", "moto_like.Gone.method", "moto_gone.Backend.method"]
)
def test_a_declared_patch_of_what_is_gone_is_refused_by_name(
    moto_like: types.ModuleType, target: str
) -> None:
    patching.patch(target, why="any")(lambda original: original)
    with pytest.raises(LocalAwsError, match=target.rpartition(".")[0].replace(".", r"\.")):
        patching.apply_patches()


def test_a_declared_addition_that_moto_has_is_refused(moto_like: types.ModuleType) -> None:
    patching.add("moto_like.Backend.method", why="was missing")(lambda _: 1)
    with pytest.raises(LocalAwsError, match=r"Backend\.method by now"):
        patching.apply_patches()


def test_patches_that_a_test_needs_end_with_it(
    moto_like: types.ModuleType, patching_moto: Callable[[], AbstractContextManager[None]]
) -> None:
    patching.patch("moto_like.Backend.method", why="any")(lambda original, self, x: 2)
    patching.add("moto_like.Backend.added", why="is missing")(lambda _: 7)
    with patching_moto():
        assert (moto_like.Backend().method(1), moto_like.Backend().added()) == (2, 7)
    assert moto_like.Backend().method(1) == 1
    assert not hasattr(moto_like.Backend, "added")
