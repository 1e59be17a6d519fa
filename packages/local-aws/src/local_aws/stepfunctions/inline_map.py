"""The inline Map: at most 40 items at once, in a loop and not by recursion."""

from typing import Any

from local_aws.core.patching import wrap

MAX_INLINE_CONCURRENCY = 40


def install() -> None:
    """Mend the inline Map's workers."""
    _bound_concurrency()
    _loop_over_items()


def worker_count(asked: int, items: int) -> int:
    """Return how many items run at once; `asked` 0 means as many as there may be."""
    return min(asked or MAX_INLINE_CONCURRENCY, MAX_INLINE_CONCURRENCY, items)


def _bound_concurrency() -> None:
    from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration import (
        inline_iteration_component as inline,
    )

    fault = "starts a thread for each item, or for each of MaxConcurrency without items"

    @wrap(inline.InlineIterationComponent, "_eval_body", fault=fault)
    def evaluate(original: Any, component: Any, env: Any) -> None:
        given = env.stack[-1]
        given.max_concurrency = worker_count(given.max_concurrency, len(given.input_items))
        original(component, env)


def _loop_over_items() -> None:
    from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration import (
        iteration_worker,
    )

    fault = "recurses once an item, so that a worker with some hundred items overflows"

    @wrap(iteration_worker.IterationWorker, "_eval_pool", fault=fault)
    def evaluate_pool(_: Any, worker: Any, job: Any, worker_frame: Any) -> None:
        # A frame is closed before its job: the Map goes on when the last job is closed, and
        # must find the environment up to date then.
        while job is not None:
            frame = worker_frame.open_inner_frame()
            worker._eval_job(env=frame, job=job)
            worker_frame.close_frame(frame)
            ended = isinstance(job.job_output, Exception) or worker.stopped()
            following = None if ended else worker._job_pool.next_job()
            if following is None:
                if not ended:
                    last = frame.event_history_context.last_published_event_id
                    worker_frame.event_history_context.source_event_id = last
                worker._env.close_frame(worker_frame)
            worker._job_pool.close_job(job)
            job = following
            if job is None:
                return
        worker._env.close_frame(worker_frame)
