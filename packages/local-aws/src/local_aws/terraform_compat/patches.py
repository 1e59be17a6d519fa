"""What Terraform's AWS provider reads back from moto differently than from AWS.

Each such difference makes a plan show changes for ever, or an apply fail. One function mends
one resource, and is named after it.
"""

from local_aws.core.context import Context
from local_aws.terraform_compat import budgets, lambda_configuration, messaging


def install(context: Context) -> None:
    """Mend the answers, one service after the other."""
    del context
    lambda_configuration.install()
    messaging.install()
    budgets.install()
