"""Step Functions: moto's interpreter, made to execute as AWS does."""

import logging

from local_aws.core.context import Context
from local_aws.core.stores import on_restored

# Importing a module declares its patches.
from local_aws.stepfunctions import (  # noqa: F401
    api,
    clients,
    definitions,
    errors,
    execution_log,
    executions,
    flow_states,
    history,
    interpreter,
    progress,
    redrive,
    tasks,
)
from local_aws.stepfunctions.distributed_map import api as map_runs_api
from local_aws.stepfunctions.distributed_map import map_state  # noqa: F401
from local_aws.stepfunctions.query_language import (  # noqa: F401
    intrinsics,
    jsonpath,
    result_path,
    variables,
)


def install(context: Context) -> None:
    """Have executions call this server; drop the interpreter's log.

    A failed task is an outcome, and the history has it.
    """
    clients.use(context)
    on_restored(map_runs_api.end_interrupted_map_runs)
    logging.getLogger("moto.stepfunctions").setLevel(logging.CRITICAL)
