"""What Terraform's AWS provider reads back from moto differently than from AWS.

Each such difference makes a plan show changes for ever, or an apply fail.
"""

from local_aws.core.context import Context
from local_aws.terraform_compat import budgets, lambda_configuration, messaging

# Its patch of moto is declared when it is imported.
PATCHED = (messaging,)


def install(context: Context) -> None:
    """Patch the answers, one service after the other."""
    del context
    lambda_configuration.install()
    budgets.install()
