"""boto3 clients, one a process, made at the first call and never at import.

Region, credentials and endpoint come from the environment that Lambda (or the embedded AWS)
sets: AWS_REGION, AWS_ENDPOINT_URL and its per-service forms are read by botocore itself.

The timeouts are the innermost link of a chain that the definition's tests hold: all attempts
of all calls < the function's timeout < the state's TimeoutSeconds < the execution's.
"""

import os
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import boto3
from botocore.config import Config

from scones_core.errors import SettingsError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker_runtime import SageMakerRuntimeClient
    from mypy_boto3_stepfunctions import SFNClient

MAX_BACKOFF_SECONDS = 1.0
"""The longest pause of botocore's standard mode before its second attempt."""


@dataclass(frozen=True, slots=True)
class CallLimits:
    """Seconds and attempts of one call to a service.

    In `adaptive` mode a client that is throttled slows all of its calls down together.
    """

    connect_seconds: float
    read_seconds: float
    attempts: int
    mode: Literal["standard", "adaptive"] = "standard"

    @property
    def worst_case_seconds(self) -> float:
        """The time after which a call to a dead service has failed for good."""
        one = self.connect_seconds + self.read_seconds
        return self.attempts * one + (self.attempts - 1) * MAX_BACKOFF_SECONDS

    def config(self) -> Config:
        """Return them as botocore takes them."""
        return Config(
            connect_timeout=self.connect_seconds,
            read_timeout=self.read_seconds,
            retries={"mode": self.mode, "total_max_attempts": self.attempts},
            max_pool_connections=POOL,
            user_agent=USER_AGENT,
            # TLS has checked each byte that arrives; to compute S3's checksum of it once more is
            # a seventh of what a GetObject takes.
            response_checksum_validation="when_required",
        )


S3_LIMITS = CallLimits(connect_seconds=1.5, read_seconds=4, attempts=2)
RUNTIME_LIMITS = CallLimits(connect_seconds=2, read_seconds=20, attempts=1)
"""One attempt: the state machine retries, where each try is seen and paid for once."""
BATCH_RUNTIME_LIMITS = CallLimits(connect_seconds=2, read_seconds=10, attempts=2, mode="adaptive")
RECORD_LIMITS = CallLimits(connect_seconds=1, read_seconds=3, attempts=3, mode="adaptive")
USER_AGENT = f"scones Boto3/{boto3.__version__}"
"""botocore composes its own again for each request, which is a tenth of what a request takes."""
POOL = 50
"""Connections that a client keeps open: no call of a batch waits for one."""


@cache
def s3() -> "S3Client":
    """Return the process's S3 client."""
    return boto3.client("s3", region_name=_region(), config=S3_LIMITS.config())


@cache
def sagemaker_runtime() -> "SageMakerRuntimeClient":
    """Return the process's client of SageMaker endpoints."""
    return boto3.client("sagemaker-runtime", region_name=_region(), config=RUNTIME_LIMITS.config())


@cache
def batch_runtime() -> "SageMakerRuntimeClient":
    """Return the client of SageMaker endpoints for batches, which retries by itself."""
    config = BATCH_RUNTIME_LIMITS.config()
    return boto3.client("sagemaker-runtime", region_name=_region(), config=config)


@cache
def dynamodb() -> Any:
    """Return the process's DynamoDB client."""
    return _untyped("dynamodb")


@cache
def events() -> Any:
    """Return the process's EventBridge client."""
    return _untyped("events")


@cache
def sqs() -> Any:
    """Return the process's SQS client."""
    return _untyped("sqs")


@cache
def stepfunctions() -> "SFNClient":
    """Return the process's Step Functions client."""
    return boto3.client("stepfunctions", region_name=_region(), config=RECORD_LIMITS.config())


def queue_url(client: Any, arn: str) -> str:
    """Return a queue's URL by its ARN; to ask for it would be a call and a permission more."""
    account, name = arn.split(":")[4:6]
    return f"{client.meta.endpoint_url}/{account}/{name}"


def _untyped(service: str) -> Any:
    make: Any = boto3.client
    return make(service, region_name=_region(), config=RECORD_LIMITS.config())


def _region() -> str:
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if not region:
        raise SettingsError("There is no AWS region; set AWS_REGION.")
    return region
