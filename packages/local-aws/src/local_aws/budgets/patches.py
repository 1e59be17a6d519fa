"""Budgets' patches: importing this module declares them."""

from local_aws.budgets import api
from local_aws.core.context import Context

PATCHED = (api,)


def install(context: Context) -> None:
    """Do nothing more: the patches need nothing of the running server."""
    del context
