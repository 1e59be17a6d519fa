import io
import zipfile
from pathlib import Path

import torch

from scones_train.training.checkpoint import Checkpoint


def test_a_state_that_was_saved_is_found_again(tmp_path: Path) -> None:
    kept = Checkpoint(tmp_path / "final.pt", "f")
    kept.save({"epoch": 3, "values": torch.arange(1000)})
    found = kept.load()
    assert found is not None
    assert found["epoch"] == 3
    assert torch.equal(found["values"], torch.arange(1000))


def test_a_file_that_swells_is_reported_and_never_unpacked(tmp_path: Path) -> None:
    plain, path, said = io.BytesIO(), tmp_path / "final.pt", list[str]()
    torch.save({"fingerprint": "f", "state": {"values": torch.zeros(1_000_000)}}, plain)
    with (
        zipfile.ZipFile(plain) as given,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for member in given.infolist():
            packed.writestr(member.filename, given.read(member))
    assert path.stat().st_size < 40_000
    assert Checkpoint(path, "f", said.append).load() is None
    assert "unpacks to over" in said[0]
