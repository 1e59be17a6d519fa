import io
import re
from pathlib import Path

import pytest
from rich.console import Console as RichConsole

from scones_core.errors import SettingsError, TrainingError
from scones_core.settings import Settings
from scones_toolkit.console import Console
from scones_toolkit.project import Project
from scones_toolkit.tasks.training.tune import searched, tune
from scones_train.model_folder import read_artifact


@pytest.fixture
def project(tmp_path: Path) -> Project:
    out = io.StringIO()
    console = Console(RichConsole(file=out, highlight=False, soft_wrap=True))
    return Project(tmp_path, "local", Settings().override("training", folds=0), console)


@pytest.mark.parametrize("strategy", ["random", "bayesian"])
def test_a_search_here_keeps_the_best_model(project: Project, photos: str, strategy: str) -> None:
    found = tune(project, backend="local", strategy=strategy, jobs=2, source=photos, epochs=1)
    card, _ = read_artifact(project.build / "local" / "tuning" / "best")
    assert card.metrics["calibration_accuracy"] == found.objective
    assert str(card.settings["batch_size"]) == found.values["batch_size"]
    printed = project.console.rich.file
    assert isinstance(printed, io.StringIO)
    shown = printed.getvalue()
    assert len(re.findall(r"^trial-\d +\d\.\d{4}", shown, re.MULTILINE)) == 2


def test_flags_that_do_not_go_together_are_refused(project: Project) -> None:
    with pytest.raises(SettingsError, match="--source, --classes"):
        tune(project, source="synthetic")
    with pytest.raises(TrainingError, match="1 to 750"):
        tune(project, backend="local", strategy="random", jobs=0)


class InterruptedSearch:
    """SageMaker, during whose search a person presses Ctrl-C."""

    stopped = ""

    def create_hyper_parameter_tuning_job(self, **_: object) -> None: ...

    def describe_hyper_parameter_tuning_job(self, **_: object) -> dict[str, object]:
        raise KeyboardInterrupt

    def stop_hyper_parameter_tuning_job(self, *, HyperParameterTuningJobName: str) -> None:
        self.stopped = HyperParameterTuningJobName


def test_an_interrupt_says_that_the_search_is_stopped(project: Project) -> None:
    sagemaker = InterruptedSearch()
    limits = {"ResourceLimits": {"MaxNumberOfTrainingJobs": 2}}
    request = {
        "HyperParameterTuningJobName": "scones-1",
        "HyperParameterTuningJobConfig": limits,
    }
    with pytest.raises(KeyboardInterrupt):
        searched(project, sagemaker, request)
    assert sagemaker.stopped == "scones-1"
    file = project.console.rich.file
    assert isinstance(file, io.StringIO)
    assert "The search scones-1 is being stopped" in file.getvalue()
