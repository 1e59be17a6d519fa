"""What Terraform's AWS provider reads back from moto differently than from AWS.

Each such difference makes a plan show changes for ever, or an apply fail. One function mends
one resource, and is named after it.
"""

from scones_local import gaps_billing, gaps_lambda, gaps_messaging, gaps_s3
from scones_local.context import Context


def install(context: Context) -> None:
    """Mend the answers, one service after the other."""
    del context
    gaps_s3.install()
    gaps_lambda.install()
    gaps_messaging.install()
    gaps_billing.install()
