"""What Terraform's AWS provider reads back from moto differently than from AWS.

Each such difference makes a plan show changes for ever, or an apply fail. One function mends
one resource, and is named after it.
"""

from scones_local.context import Context
from scones_local.gaps import billing, functions, messaging, s3, s3_lifecycle


def install(context: Context) -> None:
    """Mend the answers, one service after the other."""
    del context
    s3.install()
    s3_lifecycle.install()
    functions.install()
    messaging.install()
    billing.install()
