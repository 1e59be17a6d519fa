import json
import signal
from pathlib import Path

import pytest
import torch

from scones_train.evaluation.predictions import FILE
from tests.functional.scones_train.conftest import Job

SETTINGS = {"epochs": "5", "batch_size": "8", "folds": "2"}
MODEL = ("model.onnx", "weights.safetensors", FILE, "model.json")


def model_bytes(job: Job) -> dict[str, bytes]:
    return {name: (job.base / "model" / name).read_bytes() for name in MODEL}


@pytest.fixture(scope="session")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The model of a training that nothing disturbs and that keeps no checkpoint."""
    from tests.functional.scones_train.conftest import Job

    job = Job(tmp_path_factory.mktemp("uninterrupted"))
    job.hyperparameters(**SETTINGS)
    assert job.run().returncode == 0
    return model_bytes(job)


def interrupt(job: Job, line: str, number: signal.Signals, **environ: str) -> None:
    """Start the training and end it by a signal once a line of its output begins like this."""
    with job.started(**environ) as process:
        assert process.stdout is not None
        assert any(said.startswith(line) for said in process.stdout)
        process.send_signal(number)
        process.communicate(timeout=30)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_training_that_goes_on_ends_in_the_very_bytes_of_one_that_was_not_disturbed(
    job: Job, uninterrupted: dict[str, bytes], number: signal.Signals
) -> None:
    (job.base / "checkpoints").mkdir()
    job.hyperparameters(**SETTINGS)
    interrupt(job, "epoch=2/5", number)
    assert not (job.base / "model").exists()
    done = job.run()
    assert done.returncode == 0, done.stderr
    assert "final resumes after epoch" in done.stdout
    assert "epoch=1/5" not in done.stdout
    assert model_bytes(job) == uninterrupted
    assert list((job.base / "checkpoints").glob("*.pt")) == []


def test_a_finished_fold_is_not_trained_again(job: Job, uninterrupted: dict[str, bytes]) -> None:
    folder = job.base / "kept"
    job.hyperparameters(**SETTINGS)
    interrupt(job, "fold=1/2", signal.SIGTERM, SM_CHECKPOINT_DIR=str(folder))
    state = torch.load(folder / "fold-1.pt", weights_only=True)["state"]
    assert "logits" in state
    assert job.run(SM_CHECKPOINT_DIR=str(folder)).returncode == 0
    assert model_bytes(job) == uninterrupted


def test_a_checkpoint_of_other_settings_is_reported_and_not_used(job: Job) -> None:
    (job.base / "checkpoints").mkdir()
    job.hyperparameters(**SETTINGS)
    interrupt(job, "epoch=2/5", signal.SIGTERM)
    job.hyperparameters(**{**SETTINGS, "seed": "7"})
    done = job.run()
    assert done.returncode == 0
    assert "final.pt is of other settings or images" in done.stdout
    assert "epoch=1/5" in done.stdout


def test_an_invalid_checkpoint_is_reported_and_never_unpickled(job: Job) -> None:
    folder = job.base / "checkpoints"
    folder.mkdir()
    job.hyperparameters(**{**SETTINGS, "folds": "0"})
    (folder / "final.pt").write_bytes(b"cos\nsystem\n(S'touch evil'\ntR.")
    done = job.run()
    assert done.returncode == 0
    assert "final.pt is not a checkpoint" in done.stdout
    assert not (job.base / "evil").exists()


def test_a_folder_that_cannot_be_written_costs_the_checkpoint_and_not_the_model(
    job: Job, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    job.hyperparameters(**{**SETTINGS, "folds": "0"})
    done = job.run(SM_CHECKPOINT_DIR=str(tmp_path / "file" / "below"))
    assert done.returncode == 0, done.stderr
    assert "cannot be written" in done.stdout
    assert json.loads((job.base / "model" / "model.json").read_text())["labels"]
