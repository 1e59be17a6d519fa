import json
from pathlib import Path

import pytest

from scones_core.container_folders import Container, run_processing
from scones_core.errors import TrainingError


def container_with(tmp_path: Path, hyperparameters: bytes) -> Container:
    folder = tmp_path / "input" / "config"
    folder.mkdir(parents=True)
    (folder / "hyperparameters.json").write_bytes(hyperparameters)
    return Container(tmp_path, {})


def test_hyperparameters_behind_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    body = b"\xef\xbb\xbf" + json.dumps({"epochs": "3"}).encode()
    assert container_with(tmp_path, body).hyperparameters() == {"epochs": "3"}


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"[" * 100_000, b"\xff\xfe{\0}\0"])
def test_what_are_no_hyperparameters_are_named_with_their_file(tmp_path: Path, body: bytes) -> None:
    with pytest.raises(TrainingError, match=r"hyperparameters\.json"):
        container_with(tmp_path, body).hyperparameters()


def test_a_reason_with_a_name_that_is_not_utf_8_is_written_escaped(tmp_path: Path) -> None:
    container = Container(tmp_path, {})
    container.write_failure("caf\udce9.png cannot be read")
    container.write_message("caf\udce9.png cannot be read")
    for name in ("failure", "message"):
        assert (tmp_path / "output" / name).read_text() == "caf\\udce9.png cannot be read"


def test_reasons_are_cut_where_sagemaker_cuts_them(tmp_path: Path) -> None:
    container = Container(tmp_path, {})
    container.write_failure("\u00e9" * 5000)
    container.write_message("x" + "\u00e9" * 5000)
    failure, message = ((tmp_path / "output" / name) for name in ("failure", "message"))
    assert failure.read_text() == "\u00e9" * 1024
    assert message.read_text() == "x" + "\u00e9" * 511


def test_a_folder_that_cannot_be_written_hides_no_reason(tmp_path: Path) -> None:
    (tmp_path / "output").write_text("a file in its place")
    Container(tmp_path, {}).write_message("the reason")
    assert (tmp_path / "output").read_text() == "a file in its place"


def test_a_fault_of_a_processing_jobs_own_is_its_message_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(tmp_path))

    def fail(_folder: Path) -> str:
        raise ZeroDivisionError("by zero")

    with pytest.raises(ZeroDivisionError):
        run_processing(fail)
    assert "ZeroDivisionError('by zero')" in (tmp_path / "output" / "message").read_text()
