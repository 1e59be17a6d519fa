"""Jobs that share PyTorch's threads."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from threading import Event
from typing import TypeVar

import torch

Result = TypeVar("Result")


class Stopped(Exception):
    """Ends a job whose result is no longer wanted."""


def run_parallel(
    jobs: Sequence[Callable[[Event], Result]], *, parallel: bool = True
) -> list[Result]:
    """Return what the jobs return, in their order; each has a share of PyTorch's threads.

    As many run at the same time as there are threads, which uses the cores better than one
    training on all of them; with `parallel` false they run one after another. An exception of
    one ends the others, through the event that each is given, before it is raised.
    """
    threads, stop = torch.get_num_threads(), Event()
    workers = max(1, min(threads, len(jobs))) if parallel else 1
    pool = ThreadPoolExecutor(workers, "train")
    shares = shared_threads(threads, workers, len(jobs))
    try:
        futures = [
            pool.submit(_on_threads, share, job, stop)
            for share, job in zip(shares, jobs, strict=True)
        ]
        for done in as_completed(futures):
            done.result()
        return [future.result() for future in futures]
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)


def shared_threads(threads: int, workers: int, jobs: int) -> list[int]:
    """Return how many threads each job has, in the order in which they begin.

    Those of the last round have the threads of the workers that are left without one: of five
    trainings on two cores, the last one has both.
    """
    last = jobs % workers or workers
    return [threads // workers] * (jobs - last) + [threads // last] * min(last, jobs)


def _on_threads(threads: int, job: Callable[[Event], Result], stop: Event) -> Result:
    # The number of threads is each thread's own.
    torch.set_num_threads(threads)
    return job(stop)


def stoppable(on_step: Callable[[], None], stop: Event) -> Callable[[], None]:
    """Return a callback that ends a training once the event is set."""

    def checked() -> None:
        if stop.is_set():
            raise Stopped
        on_step()

    return checked
