import inspect
import os
import signal

import pytest
from botocore.exceptions import EndpointConnectionError
from invoke.exceptions import Exit

from scones_core.errors import DatasetError
from scones_toolkit.cli import guarded


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (DatasetError("no such archive"), 1, "error: no such archive"),
        (EndpointConnectionError(endpoint_url="http://x"), 1, "could not be reached"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_an_expected_error_is_a_sentence_and_an_exit_code(
    error: BaseException, code: int, words: str
) -> None:
    @guarded
    def task() -> None:
        raise error

    with pytest.raises(Exit, match=words) as caught:
        task()
    assert caught.value.code == code


def test_a_bug_keeps_its_stack_trace() -> None:
    @guarded
    def task() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        task()


def test_termination_runs_the_clean_up_and_exits_like_an_interrupt() -> None:
    cleaned = []

    @guarded
    def task() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            signal.pause()
        finally:
            cleaned.append(True)

    before = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(Exit):
            task()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert cleaned == [True]


def test_the_arguments_stay_visible_to_the_task_runner() -> None:
    @guarded
    def task(env: str = "local") -> str:
        return env

    assert list(inspect.signature(task).parameters) == ["env"]
