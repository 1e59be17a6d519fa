import pytest

from scones_train.sagemaker.metric_lines import parse_line
from scones_train.training.fit import EpochReport
from scones_train.training.progress import ProgressReport


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def said_after(
    progress: ProgressReport, clock: Clock, steps: int, capsys: pytest.CaptureFixture[str]
) -> float:
    """Return what the line of an epoch says, `steps` of 2 s each after the start."""
    for _ in range(steps):
        clock.now += 2
        progress.on_step()
    capsys.readouterr()
    progress.on_epoch(EpochReport(3, 4, 0.5, 1.0))
    return parse_line(capsys.readouterr().out)["seconds_left"]


def test_the_time_left_is_that_of_the_steps_to_come(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    assert said_after(ProgressReport(40, 0, clock), clock, 10, capsys) == 60


def test_steps_that_an_earlier_job_has_done_take_no_time_any_more(
    capsys: pytest.CaptureFixture[str],
) -> None:
    clock = Clock()
    progress = ProgressReport(40, 0, clock)
    progress.on_resume(20)
    assert said_after(progress, clock, 10, capsys) == 20
    assert said_after(progress, clock, 10, capsys) == 0


def test_quick_steps_of_the_preparation_do_not_promise_quick_trainings(
    capsys: pytest.CaptureFixture[str],
) -> None:
    clock = Clock()
    progress = ProgressReport(30, 0, clock, preparation_steps=20)
    # Of 2 s each, 10 of the preparation are left, and 10 that take five times as long.
    assert said_after(progress, clock, 10, capsys) == 10 * 2 + 10 * 10
    assert said_after(progress, clock, 10, capsys) == 10 * 10


def test_a_first_step_that_loads_everything_is_not_taken_for_the_others(
    capsys: pytest.CaptureFixture[str],
) -> None:
    clock = Clock()
    progress = ProgressReport(40, 0, clock)
    clock.now += 28
    assert said_after(progress, clock, 1, capsys) == 39 * 30
    assert said_after(progress, clock, 9, capsys) == 30 * 2


def test_the_steps_of_all_trainings_are_reported_periodically_up_to_the_last(
    capsys: pytest.CaptureFixture[str],
) -> None:
    clock = Clock()
    progress = ProgressReport(100, 0, clock)
    progress.on_resume(4)
    for _ in range(96):
        clock.now += 1
        progress.on_step()
    lines = [parse_line(line) for line in capsys.readouterr().out.splitlines()]
    assert len(lines) == 40
    assert lines[0] == {"step": 3, "steps": 96, "seconds_left": 93}
    assert lines[-1] == {"step": 96, "steps": 96, "seconds_left": 0}
