import gzip
import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scones_core.errors import ChecksumMismatch, DatasetError
from scones_core.labels import LabelSet
from scones_etl.extract.download import Say, SourceUnreachable
from scones_etl.extract.resolve import Download, resolve_source
from scones_etl.extract.source import Source
from tests.functional.scones_etl.conftest import FINE, Archives

Resolve = Callable[..., Source]


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def resolve(cache: Path, say: Say) -> Resolve:
    def resolved(
        choice: str,
        environ: dict[str, str] | None = None,
        download: Download = never,
        **more: Any,
    ) -> Source:
        return resolve_source(
            choice, cache_dir=cache, environ=environ or {}, download=download, say=say, **more
        )

    return resolved


def never(_target: Path, _say: Say) -> None:
    raise AssertionError("nothing was to be downloaded")


def unreachable(_target: Path, _say: Say) -> None:
    raise SourceUnreachable("https://example.invalid did not answer.")


def handing_out(path: Path) -> Download:
    def download(target: Path, _say: Say) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)

    return download


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def test_a_path_is_taken_as_it_is_before_the_environment(
    resolve: Resolve, archives: Archives
) -> None:
    path = archives.write("mine.tar.gz")

    source = resolve(str(path), {"SCONES_CIFAR100": "/nowhere"})

    assert (source.kind, source.name) == ("cifar100", "mine.tar.gz")
    assert source.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("choice", ["auto", "cifar100"])
def test_the_environment_names_an_archive(
    resolve: Resolve, archives: Archives, choice: str
) -> None:
    path = archives.write("mine.tar.gz")

    assert resolve(choice, {"SCONES_CIFAR100": str(path)}).name == "mine.tar.gz"


@pytest.mark.parametrize("choice", ["auto", "cifar100"])
def test_the_original_is_downloaded_once(resolve: Resolve, archives: Archives, choice: str) -> None:
    path = archives.write("theirs.tar.gz")

    first = resolve(choice, download=handing_out(path), archive_md5=md5(path))
    second = resolve(choice, archive_md5=md5(path))

    assert first == second
    assert first.kind == "cifar100"


def test_without_a_network_images_are_drawn_and_it_is_said_loudly(
    resolve: Resolve, messages: list[str]
) -> None:
    source = resolve("auto", download=unreachable, synthetic_if_unreachable=True)

    assert source.kind == "synthetic"
    assert "WARNING" in messages[-1]
    assert "says nothing about the real task" in messages[-1]


@pytest.mark.parametrize("choice", ["auto", "cifar100"])
def test_without_a_network_the_original_is_an_error_that_names_the_way_out(
    resolve: Resolve, messages: list[str], choice: str
) -> None:
    with pytest.raises(SourceUnreachable, match="--source synthetic"):
        resolve(choice, download=unreachable)
    assert messages == []


def test_without_a_network_the_original_is_an_error_even_in_a_demo_that_asks_for_it(
    resolve: Resolve,
) -> None:
    with pytest.raises(SourceUnreachable):
        resolve("cifar100", download=unreachable, synthetic_if_unreachable=True)


def test_a_damaged_download_is_not_replaced_by_drawings(
    resolve: Resolve, archives: Archives, messages: list[str]
) -> None:
    path = archives.write()

    with pytest.raises(ChecksumMismatch, match="Delete it"):
        resolve("auto", download=handing_out(path), archive_md5="0" * 32)

    assert messages == []


def test_a_cached_archive_that_is_not_the_original_is_refused(
    resolve: Resolve, archives: Archives, cache: Path
) -> None:
    handing_out(archives.write())(cache / "cifar-100-python.tar.gz", print)

    with pytest.raises(ChecksumMismatch, match="eb9058c3a382ffc7106e4002c42a8d85"):
        resolve("auto")


def test_drawn_images_can_be_asked_for(resolve: Resolve, messages: list[str]) -> None:
    assert resolve("synthetic").kind == "synthetic"
    assert messages == []


@pytest.mark.parametrize(
    ("choice", "environ"),
    [("cifar10", {}), ("/no/such.tar.gz", {}), ("auto", {"SCONES_CIFAR100": "/no/such.tar.gz"})],
)
def test_a_path_that_does_not_exist_is_an_error_with_its_name(
    resolve: Resolve, choice: str, environ: dict[str, str]
) -> None:
    with pytest.raises(DatasetError, match="no such file exists") as caught:
        resolve(choice, environ)

    assert (environ.get("SCONES_CIFAR100") or choice) in str(caught.value)


def test_a_folder_without_images_is_refused(resolve: Resolve, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="is a folder without a folder of images"):
        resolve(str(tmp_path))


def test_a_source_is_recognised_by_its_content(
    resolve: Resolve, archives: Archives, tmp_path: Path
) -> None:
    (tmp_path / "photos" / "cat").mkdir(parents=True)
    (tmp_path / "photos" / "cat" / "x.jpg").touch()
    digits = tmp_path / "digits"
    digits.mkdir()
    for name in ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"):
        (digits / name).touch()

    paths = (archives.write(), archives.write_cifar10(), tmp_path / "photos", digits)
    assert [resolve(str(path)).kind for path in paths] == ["cifar100", "cifar10", "folder", "mnist"]


@pytest.mark.parametrize(
    "content",
    [b"", b"no gzip", b"\x1f\x8b\x08\0", gzip.compress(b"")],
    ids=["empty", "text", "cut", "gzip of nothing"],
)
def test_a_file_that_is_no_source_says_so_when_it_is_read(
    resolve: Resolve, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "thing.tar.gz"
    path.write_bytes(content)

    with pytest.raises(DatasetError, match=r"thing\.tar\.gz"):
        resolve(str(path)).read(LabelSet.of(["bicycle", "motorcycle"]))


def test_each_source_names_its_classes(
    resolve: Resolve, archives: Archives, tmp_path: Path
) -> None:
    for name in ("dog", "cat"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        (tmp_path / "photos" / name / "x.jpg").touch()

    assert resolve(str(archives.write())).class_names() == tuple(FINE)
    assert resolve(str(tmp_path / "photos")).class_names() == ("cat", "dog")
    assert resolve("synthetic").class_names() == ("bicycle", "motorcycle")


def test_an_empty_source_is_not_the_current_folder(
    resolve: Resolve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("dog", "cat"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.jpg").touch()
    monkeypatch.chdir(tmp_path)

    with pytest.raises(DatasetError, match="The source '' is none of auto"):
        resolve("")


@pytest.mark.parametrize("choice", ["https://example.org/photos.zip", "s3://bucket/photos/"])
def test_an_address_is_to_be_downloaded_first(resolve: Resolve, choice: str) -> None:
    with pytest.raises(DatasetError, match="an address is not read: download it"):
        resolve(choice)
