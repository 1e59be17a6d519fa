import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scones_core.errors import BuildError
from scones_deploy.bundle import content_sha256, own_modules, zip_bytes


def write(source: Path, **modules: str) -> Path:
    for name, text in modules.items():
        path = source / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        (path.parent / "__init__.py").touch()
        path.write_text(text)
    return source


def test_imports_are_followed_also_inside_functions_and_relative_ones(tmp_path: Path) -> None:
    source = write(
        tmp_path,
        scones_lambdas__one="from scones_core.a import A\ndef f():\n    from . import two\n",
        scones_lambdas__two="X = 1\n",
        scones_lambdas__three="X = 1\n",
        scones_core__a="from scones_core import b\nA: int = 1\n",
        scones_core__b="import json\n",
        scones_core__c="X = 1\n",
    )
    assert list(own_modules(source, "scones_lambdas.one")) == [
        "scones_core/__init__.py",
        "scones_core/a.py",
        "scones_core/b.py",
        "scones_lambdas/__init__.py",
        "scones_lambdas/one.py",
        "scones_lambdas/two.py",
    ]


def test_a_value_of_a_package_is_no_missing_module(tmp_path: Path) -> None:
    source = write(tmp_path, scones_lambdas__one="from scones_core import X\n", scones_core__a="")
    (source / "scones_core/__init__.py").write_text("X = 1\n")
    assert "scones_core/__init__.py" in own_modules(source, "scones_lambdas.one")


def test_nothing_is_run(tmp_path: Path) -> None:
    source = write(tmp_path, scones_lambdas__one="raise SystemExit(1)\n")
    assert "scones_lambdas/one.py" in own_modules(source, "scones_lambdas.one")


def test_another_package_of_the_project_is_refused(tmp_path: Path) -> None:
    source = write(
        tmp_path,
        scones_lambdas__one="import scones_train.model.small_network\n",
        scones_train__model="X = 1\n",
    )
    with pytest.raises(BuildError, match="imports scones_train"):
        own_modules(source, "scones_lambdas.one")


@pytest.mark.parametrize("text", ["import scones_core.nowhere", "from scones_core import NOTHING"])
def test_an_import_of_what_is_not_there_is_refused(tmp_path: Path, text: str) -> None:
    source = write(tmp_path, scones_lambdas__one=text + "\n", scones_core__a="A = 1\n")
    with pytest.raises(BuildError, match=r"which does not exist"):
        own_modules(source, "scones_lambdas.one")


def test_a_missing_function_is_named(tmp_path: Path) -> None:
    source = write(tmp_path, scones_lambdas__one="")
    with pytest.raises(BuildError, match=r"scones_lambdas\.two cannot be found"):
        own_modules(source, "scones_lambdas.two")


def test_broken_python_is_named_with_its_line(tmp_path: Path) -> None:
    source = write(tmp_path, scones_lambdas__one="x = 1\ndef\n")
    with pytest.raises(BuildError, match=r"one\.py:2 is not valid Python"):
        own_modules(source, "scones_lambdas.one")


CONTENTS = st.dictionaries(st.from_regex(r"[a-z]{1,5}(/[a-z]{1,5})?", fullmatch=True), st.binary())


@settings(max_examples=25, deadline=None)
@given(CONTENTS)
def test_order_of_the_entries_does_not_matter(entries: dict[str, bytes]) -> None:
    backwards = dict(reversed(entries.items()))
    assert zip_bytes(entries) == zip_bytes(backwards)
    assert content_sha256(entries) == content_sha256(backwards)


@settings(max_examples=25, deadline=None)
@given(CONTENTS)
def test_the_zip_gives_back_what_went_in(entries: dict[str, bytes]) -> None:
    with zipfile.ZipFile(io.BytesIO(zip_bytes(entries))) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == entries
        assert archive.namelist() == sorted(entries)


def test_date_and_mode_are_fixed() -> None:
    with zipfile.ZipFile(io.BytesIO(zip_bytes({"a": b"1"}))) as archive:
        (info,) = archive.infolist()
    assert info.date_time == (1980, 1, 1, 0, 0, 0)
    assert info.external_attr >> 16 == 0o100644


def test_a_renamed_file_is_another_content() -> None:
    assert content_sha256({"a": b"1"}) != content_sha256({"b": b"1"})
    assert content_sha256({"a": b"1"}) != content_sha256({"a": b"2"})
