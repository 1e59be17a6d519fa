"""The services that are open: those whose behaviour is kept as AWS has it.

moto has another 150, of which nobody here has looked at one. A client that calls one of them is
refused with a clear error, unless `LOCAL_AWS_SERVICES` names it (`ec2,ssm`). What such a service
holds is not saved.
"""

import os
import re

from local_aws.errors import LocalAwsError

SETTING = "LOCAL_AWS_SERVICES"
# By the names of moto's packages.
SERVICES = frozenset(
    {
        *("applicationautoscaling", "awslambda", "budgets", "cloudwatch", "dynamodb", "ecr"),
        *("events", "iam", "kms", "logs", "resourcegroupstaggingapi", "s3", "s3control"),
        *("sagemaker", "sagemakermetrics", "sagemakerruntime", "scheduler", "servicequotas"),
        *("sns", "sqs", "stepfunctions", "sts"),
    }
)
_NAME = re.compile(r"[a-z0-9_-]+")


def opened() -> frozenset[str]:
    """Return the services that the setting opens besides, by moto's names.

    Raises LocalAwsError for a name that cannot be a service's.
    """
    names = [name.strip().lower() for name in os.environ.get(SETTING, "").split(",")]
    for name in filter(None, names):
        if not _NAME.fullmatch(name):
            raise LocalAwsError(f"{SETTING} names {name!r}; it takes names such as ec2,ssm.")
    return frozenset(name.replace("-", "") for name in names if name)


def is_open(service: str) -> bool:
    """Return whether a service of moto's may be called."""
    return service in SERVICES or service.replace("_", "") in opened()


def service_of(module: str) -> str:
    """Return which service a module of moto's belongs to."""
    return module.split(".")[1]
