"""Step Functions: moto's interpreter, with what an inline Map over Lambda functions needs."""

from scones_local.context import Context
from scones_local.states import api, clients, engine, executions, inline_map


def install(context: Context) -> None:
    """Mend the interpreter, then the operations in front of it."""
    # Importing the backend loads every task module, whose names the mends replace.
    from moto.stepfunctions.parser import models as _models  # noqa: F401

    clients.install(context)
    engine.install()
    inline_map.install()
    executions.install()
    api.install()
