"""Trainings side by side, on the threads that PyTorch has."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import Any

import torch


class Stopped(Exception):
    """Ends a training whose result nobody waits for any more."""


@contextmanager
def side_by_side(trainings: int, *, at_once: bool) -> Iterator[tuple[Callable[..., Any], Event]]:
    """Yield what begins a job, and what stops the trainings, which share PyTorch's threads.

    The jobs are the trainings, in order, after one that is no training and has a thread.
    """
    threads, stop = torch.get_num_threads(), Event()
    workers = min(threads, trainings) if at_once else 1
    each = iter([threads // workers, *shared_threads(threads, workers, trainings)])
    pool = ThreadPoolExecutor(workers, "train")

    def begin(job: Callable[..., Any], *given: Any, **named: Any) -> Future[Any]:
        return pool.submit(_on_threads, next(each), job, *given, **named)

    try:
        yield begin, stop
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)


def shared_threads(threads: int, workers: int, trainings: int) -> list[int]:
    """Return how many threads each training has, in the order in which they begin.

    Those of the last round have the threads of the workers that are left without one: of five
    trainings on two cores, the last one has both.
    """
    last = trainings % workers or workers
    return [threads // workers] * (trainings - last) + [threads // last] * last


def _on_threads(threads: int, job: Callable[..., Any], *given: Any, **named: Any) -> Any:
    # The number of threads is each thread's own.
    torch.set_num_threads(threads)
    return job(*given, **named)


def stoppable(tick: Callable[[], None], stop: Event) -> Callable[[], None]:
    """Return a tick that ends a training once the event is set."""

    def checked() -> None:
        if stop.is_set():
            raise Stopped
        tick()

    return checked
