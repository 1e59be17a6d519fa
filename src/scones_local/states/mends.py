"""Step Functions: moto's interpreter, made to execute as AWS does."""

from scones_local.context import Context
from scones_local.states import (
    api,
    clients,
    definitions,
    distributed_map,
    engine,
    execution_log,
    executions,
    history,
    inline_map,
    integrations,
    map_runs_api,
    programs,
    queries,
    sagemaker_tasks,
    speed,
    starts,
    sync_starts,
    task_errors,
)


def install(context: Context) -> None:
    """Mend the interpreter, then the operations in front of it."""
    # Importing the backend loads every task module, whose names the mends replace.
    from moto.stepfunctions.parser import models as _models  # noqa: F401

    cache = clients.install(context)
    speed.install()
    definitions.install()
    integrations.install(cache)
    task_errors.install()
    sagemaker_tasks.install(cache)
    engine.install()
    programs.install()
    queries.install()
    history.install()
    inline_map.install()
    distributed_map.install(cache)
    starts.install()
    sync_starts.install()
    executions.install()
    execution_log.install(cache.denial)
    map_runs_api.install()
    api.install()
