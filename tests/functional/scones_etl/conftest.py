"""Archives of CIFAR-100's layout, pickled as the original's Python 2 and numpy 1 did it."""

import io
import os
import pickle
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import boto3
import numpy as np
import pytest
from moto import mock_aws

FINE = ["apple", "beaver", "bed", "bicycle", "bridge", "bus", "motorcycle", "rose"]
BICYCLE, MOTORCYCLE = FINE.index("bicycle"), FINE.index("motorcycle")
BUCKET = "scones-data"


class Python2Pickler(pickle._Pickler):
    """Writes text as strings of bytes, and names numpy's module as numpy 1 did."""

    # Methods of the pickler in pure Python, which its type leaves out.
    write: Callable[[bytes], object]
    memoize: Callable[[object], None]
    dispatch: ClassVar[dict[type, Any]] = dict(pickle._Pickler.dispatch)

    def save_string(self, value: str | bytes) -> None:
        data = value.encode("latin1") if isinstance(value, str) else value
        short = len(data) < 256
        self.write((b"U" if short else b"T") + len(data).to_bytes(1 if short else 4, "little"))
        self.write(data)
        self.memoize(value)

    dispatch[str] = save_string
    dispatch[bytes] = save_string

    def save_global(self, obj: Any, name: str | None = None) -> None:
        if getattr(obj, "__name__", "") != "_reconstruct":
            vars(pickle._Pickler)["save_global"](self, obj, name)
            return
        self.write(b"cnumpy.core.multiarray\n_reconstruct\n")
        self.memoize(obj)


def dumps(value: object, python: int = 2) -> bytes:
    if python == 3:
        return pickle.dumps(value, protocol=2)
    buffer = io.BytesIO()
    Python2Pickler(buffer, protocol=2).dump(value)
    return buffer.getvalue()


class Archives:
    """Makes the tables of an archive, and the archive."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.train, self.test = self.table(20, 1), self.table(8, 2)
        self.meta: dict[str, Any] = {"fine_label_names": FINE, "coarse_label_names": ["x"]}

    def table(self, per_class: int, seed: int) -> dict[str, Any]:
        """Return rows of three classes, mixed; roses are there to be left out."""
        labels = [BICYCLE, FINE.index("rose"), MOTORCYCLE] * per_class
        pixels = np.random.default_rng(seed).integers(0, 256, (len(labels), 3072))
        return {
            "filenames": [f"bike_s_{seed}{row:05d}.png" for row in range(len(labels))],
            "batch_label": f"batch {seed}",
            "fine_labels": labels,
            "coarse_labels": [0] * len(labels),
            "data": pixels.astype(np.uint8),
        }

    def write(self, name: str = "cifar-100-python.tar.gz", python: int = 2, **raw: bytes) -> Path:
        """Write the archive; `train`, `test` or `meta` in `raw` replace a whole member."""
        members = {
            member: raw.get(member) or dumps(getattr(self, member, ""), python)
            for member in ("file.txt~", "train", "test", "meta")
        }
        return self.pack(name, "cifar-100-python", members)

    def write_cifar10(self, **raw: bytes) -> Path:
        """Write an archive of CIFAR-10's layout: five batches of ten rows, ten classes."""
        members = {"batches.meta": dumps({"label_names": [f"class{n}" for n in range(10)]})}
        for number, batch in enumerate(
            [*(f"data_batch_{part}" for part in range(1, 6)), "test_batch"]
        ):
            table = {
                "labels": list(range(10)),
                "filenames": [f"{batch}_{row}.png" for row in range(10)],
                "data": np.full((10, 3072), 20 * number, np.uint8)
                + np.arange(10, dtype=np.uint8)[:, None],
            }
            members[batch] = dumps(table)
        return self.pack("cifar-10-python.tar.gz", "cifar-10-batches-py", {**members, **raw})

    def pack(self, name: str, folder: str, members: dict[str, bytes]) -> Path:
        """Write a gzipped tar with these members in one folder."""
        path = self.folder / name
        with tarfile.open(path, "w:gz") as archive:
            top = tarfile.TarInfo(folder)
            top.type = tarfile.DIRTYPE
            archive.addfile(top)
            for member, content in members.items():
                info = tarfile.TarInfo(f"{folder}/{member}")
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
        return path


@pytest.fixture
def archives(tmp_path: Path) -> Archives:
    return Archives(tmp_path)


@pytest.fixture
def archive(archives: Archives) -> Path:
    """The archive that SCONES_CIFAR100 names, else a generated one."""
    given = os.environ.get("SCONES_CIFAR100")
    return Path(given) if given else archives.write()


@pytest.fixture
def messages() -> list[str]:
    return []


@pytest.fixture
def say(messages: list[str]) -> Callable[[str], None]:
    return messages.append


@pytest.fixture(scope="session")
def s3_client() -> Any:
    """One client for all tests: to make one takes as long as a test."""
    with mock_aws():
        return boto3.session.Session().client(
            "s3",
            "us-east-1",
            endpoint_url="https://s3.amazonaws.com",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )


@pytest.fixture
def s3(s3_client: Any) -> Iterator[Any]:
    """An S3 client of an account with one empty bucket."""
    with mock_aws():
        s3_client.create_bucket(Bucket=BUCKET)
        yield s3_client
