"""The tasks of the demand forecast, one after the other, in a scratch folder."""

import csv
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from local_aws.sagemaker.algorithms.autogluon_image.__main__ import PACKAGES
from scones_core.errors import DatasetError, SconesError, SettingsError, TrainingError
from scones_demand.generator import competition_split, generate_hours
from scones_demand.hours import write_hours
from scones_demand.model import DemandModel
from scones_toolkit.console import Console
from scones_toolkit.project import Project
from scones_toolkit.tasks.demand import forecast as demand
from tests.support.html_page import Page

MAX_PAGE_BYTES = 2_000_000
QUICK = {"max_iter": 12, "learning_rate": 0.3, "max_leaf_nodes": 8, "fold_every": 3}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path, "local", console=Console())


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """The competition's two files, one hour of a code of weather that there is not."""
    known, asked = competition_split(generate_hours(days=150))
    weather = known.values["weather"].copy()
    weather[5] = float("nan")
    write_hours(
        tmp_path / "data" / "train.csv", replace(known, values={**known.values, "weather": weather})
    )
    write_hours(tmp_path / "data" / "test.csv", asked)
    return tmp_path / "data"


def test_hours_become_a_model_a_submission_and_a_page(
    project: Project, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    demand.etl(project, str(source))
    demand.train(project, demand.settings(**QUICK))
    demand.evaluate(project)
    demand.forecast(project, source=None, out=tmp_path / "submission.csv")
    page = demand.report(project)

    said = capsys.readouterr().out
    assert "rows whose weather code is unknown, kept without it: 1" in said
    assert "linear regression" in said
    with (tmp_path / "submission.csv").open() as file:
        rows = list(csv.reader(file))
    asked = (source / "test.csv").read_text().splitlines()
    assert rows[0] == ["datetime", "count"]
    assert [row[0] for row in rows[1:]] == [line.split(",")[0] for line in asked[1:]]
    assert all(float(row[1]) >= 0 for row in rows[1:])

    with pytest.raises(DatasetError):
        demand.forecast(project, source="absent.csv", out=tmp_path / "new" / "forecast.csv")
    assert not (tmp_path / "new").exists()

    for write in (
        lambda out: demand.forecast(project, source=None, out=out),
        lambda out: demand.report(project, out=out),
    ):
        with pytest.raises(SconesError, match=r"cannot be written: (File exists|Not a directory)"):
            write(page / "within" / "a.html")

    text = page.read_text()
    for panel in ("Models tried", "Score by model version", "a week", "by hour", "by weather"):
        assert panel in text
    assert "rows whose weather code is unknown" in text
    assert set(Page(text).cut_tables()) == {"bars"}, "these fit any width"
    assert "http" not in text.replace("http-equiv", "")
    assert page.stat().st_size < MAX_PAGE_BYTES
    scored = sum(row["hours"] for row in DemandModel.read(page.parent / "model").card.folds)
    assert f"of {scored:,} hours in" in text
    assert text.count(f">{scored:,}<") >= len(demand.LINES)


def test_hours_that_somebody_brought_are_not_replaced_by_generated_ones(
    project: Project, source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    demand.etl(project)
    assert "these hours are generated" in capsys.readouterr().out
    demand.etl(project, str(source))
    staged = (demand.folder(project) / "train.csv").read_bytes()
    with pytest.raises(SettingsError, match=f"--source {source} reads them again, --source synth"):
        demand.etl(project)
    assert (demand.folder(project) / "train.csv").read_bytes() == staged
    demand.etl(project, demand.SYNTHETIC)
    assert (demand.folder(project) / "train.csv").read_bytes() != staged


def test_each_training_is_a_version_with_its_score(project: Project, source: Path) -> None:
    demand.etl(project, str(source))
    for seed in (0, 1):
        demand.train(project, demand.settings(**QUICK, seed=seed))
    versions = project.records.read(demand.TRAINING)["versions"]
    assert [version["version"] for version in versions] == [1, 2]
    assert versions[0]["rmsle"] != versions[1]["rmsle"]


def test_a_task_that_lacks_an_earlier_one_names_it(project: Project, tmp_path: Path) -> None:
    with pytest.raises(SconesError, match=r"inv demand\.etl"):
        demand.train(project, demand.settings(**QUICK))
    demand.etl(project, demand.SYNTHETIC)
    with pytest.raises(SconesError, match=r"inv demand\.train"):
        demand.forecast(project, source=None, out=tmp_path / "a.csv")


def test_a_folder_without_hours_to_train_on_says_what_it_lacks(
    project: Project, tmp_path: Path
) -> None:
    with pytest.raises(DatasetError, match=r"The folder \S+ has no train\.csv"):
        demand.etl(project, str(tmp_path))


def test_the_hours_to_forecast_are_not_replaced_by_the_forecast(
    project: Project, source: Path
) -> None:
    demand.etl(project, str(source))
    demand.train(project, demand.settings(**QUICK))
    asked = source / "test.csv"
    before = asked.read_bytes()
    with pytest.raises(SconesError, match=r"test\.csv is the file that is read"):
        demand.forecast(project, source=str(asked), out=asked)
    assert asked.read_bytes() == before


def test_flags_that_do_not_go_together_say_what_does(project: Project) -> None:
    chosen = demand.settings_of("autogluon")
    with pytest.raises(SettingsError, match=r"trains by --backend sagemaker"):
        demand.train(project, chosen, algorithm="builtin")
    with pytest.raises(SettingsError, match=r"--algorithm builtin"):
        demand.train(project, chosen, backend="sagemaker", algorithm="autogluon")


def test_autogluon_is_a_version_that_forecasts_and_is_shown(
    project: Project, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(PACKAGES))
    for name in ("autogluon", "autogluon.tabular"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    demand.etl(project, str(source))
    demand.train(project, demand.settings_of("autogluon", fold_every=3), algorithm="autogluon")
    demand.forecast(project, source=None, out=tmp_path / "submission.csv")
    asked = (source / "test.csv").read_text().splitlines()
    assert len((tmp_path / "submission.csv").read_text().splitlines()) == len(asked)
    assert "AutoGluon" in demand.report(project).read_text()


def test_files_that_overlap_are_refused(project: Project, source: Path) -> None:
    known = (source / "train.csv").read_text().splitlines()
    asked = (source / "test.csv").read_text().splitlines()
    both = known[50].rsplit(",", 3)[0]
    (source / "test.csv").write_text("\n".join([*asked, both]) + "\n")
    with pytest.raises(
        DatasetError, match=rf"test\.csv, line {len(asked) + 1}, column 'datetime'.*"
    ):
        demand.etl(project, str(source))


def test_a_forecast_of_days_that_were_trained_on_is_refused(
    project: Project, source: Path, tmp_path: Path
) -> None:
    demand.etl(project, str(source))
    demand.train(project, demand.settings(**QUICK))
    with pytest.raises(DatasetError, match="the model was trained on"):
        demand.forecast(project, source=str(source / "train.csv"), out=tmp_path / "a.csv")


def test_a_model_of_other_hours_than_the_staged_ones_is_not_taken_for_theirs(
    project: Project, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    demand.etl(project, str(source))
    demand.train(project, demand.settings(**QUICK))
    demand.evaluate(project)
    demand.etl(project, demand.SYNTHETIC)
    for use in (
        lambda: demand.report(project),
        lambda: demand.evaluate(project),
        lambda: demand.forecast(project, source=None, out=tmp_path / "a.csv"),
    ):
        with pytest.raises(TrainingError, match="Other hours were staged"):
            use()
    demand.forecast(project, source=str(source / "test.csv"), out=tmp_path / "a.csv")
    assert f"trained on {source}" in capsys.readouterr().out

    demand.train(project, demand.settings(**QUICK))
    # The scores of the other hours do not stand next to this model's.
    record = project.records.read(demand.TRAINING)
    assert [row[0] for row in record["leaderboard"]] == ["gradient boosting"]
    page = demand.report(project).read_text()
    assert ">2 (" in page
    assert ">1 (" not in page
