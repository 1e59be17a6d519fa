"""The words of the model image lead to programs that exist."""

import importlib.util

import pytest

from scones_core.container_programs import PROGRAMS, VARIABLE, main, program


def test_every_word_of_every_workload_is_a_module_with_a_program() -> None:
    for words in PROGRAMS.values():
        for module in words.values():
            found = importlib.util.find_spec(module)
            assert found is not None
            assert found.origin is not None
    assert program("train", {}) == "scones_train.training.train"
    assert program("serve", {VARIABLE: "demand"}) == "scones_demand.serve"


@pytest.mark.parametrize("arguments", [[], ["start"], ["train", "serve"]])
def test_another_word_or_workload_is_named(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert "train or serve" in capsys.readouterr().err


def test_a_workload_that_there_is_not_runs_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(VARIABLE, "weather")
    assert main(["train"]) == 2
    assert "'weather'" in capsys.readouterr().err
