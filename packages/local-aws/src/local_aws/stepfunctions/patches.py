"""Step Functions: moto's interpreter, made to execute as AWS does."""

from local_aws.core.context import Context
from local_aws.stepfunctions import (
    api,
    clients,
    definitions,
    error_names,
    execution_lifecycle,
    execution_log,
    executions,
    history,
    inline_map,
    integrations,
    interpreter_speed,
    query_language,
    sagemaker_tasks,
    starts,
    sync_starts,
    task_errors,
)
from local_aws.stepfunctions.distributed_map import api as map_runs_api
from local_aws.stepfunctions.distributed_map import state


def install(context: Context) -> None:
    """Mend the interpreter, then the operations in front of it."""
    # Importing the backend loads every task module, whose names the mends replace.
    from moto.stepfunctions.parser import models as _models  # noqa: F401

    cache = clients.install(context)
    interpreter_speed.install()
    definitions.install()
    integrations.install(cache)
    task_errors.install()
    sagemaker_tasks.install(cache)
    error_names.install()
    execution_lifecycle.install()
    query_language.install()
    history.install()
    inline_map.install()
    state.install(cache)
    starts.install()
    sync_starts.install()
    executions.install()
    execution_log.install(cache.denial)
    map_runs_api.install()
    api.install()
