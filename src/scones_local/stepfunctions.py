"""Step Functions: moto's interpreter, with what an inline Map over Lambda functions needs."""

from scones_local import sfn_api, sfn_clients, sfn_engine, sfn_executions, sfn_map
from scones_local.context import Context


def install(context: Context) -> None:
    """Mend the interpreter, then the operations in front of it."""
    # Importing the backend loads every task module, whose names the mends replace.
    from moto.stepfunctions.parser import models as _models  # noqa: F401

    sfn_clients.install(context)
    sfn_engine.install()
    sfn_map.install()
    sfn_executions.install()
    sfn_api.install()
