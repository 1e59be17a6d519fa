"""What training jobs and endpoints use of the other services: roles, S3, logs, metrics.

Roles, logs and metrics are reached in the process; S3 over HTTP, with the credentials of the
job's role, so that what a role may do is decided where it is decided for everybody.
"""

import contextlib
import os
import threading
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from moto.cloudwatch.models import cloudwatch_backends
from moto.logs.exceptions import ResourceAlreadyExistsException, ResourceNotFoundException
from moto.logs.models import logs_backends
from moto.s3.models import s3_backends
from moto.utilities.utils import get_partition

from local_aws.client_environment import client_environment
from local_aws.core.context import Context
from local_aws.iam.access_decisions import authorise, permits
from local_aws.iam.policy_evaluation import Access
from local_aws.iam.resources import log_arn
from local_aws.iam.roles import RoleSessions
from local_aws.iam.s3_requests import default_key, put_accesses
from local_aws.sagemaker.container_processes import LineSink
from local_aws.sagemaker.image_programs import PULLS, ImageDenied, pull_accesses

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
_SESSION = "SageMaker"


class AwsServices:
    """The services around SageMaker, for one account and region."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.account_id, self.region = context.account_id, context.region
        self._roles = RoleSessions("sagemaker.amazonaws.com")
        self._session = boto3.Session()
        self._session_lock = threading.Lock()

    def role_environment(self, role_arn: str, source_arn: str | None = None) -> dict[str, str]:
        """Return a program's whole environment: paths, and the role's AWS credentials.

        `source_arn` is the job or model that the role is taken for, None where it was taken
        before. Raises RoleNotAssumable.
        """
        credentials = self._roles.credentials(role_arn, _SESSION, source_arn)
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "C.UTF-8",
            "PYTHONUNBUFFERED": "1",
            **client_environment(self.context.endpoint_url, self.region),
            **credentials.environment(),
        }

    def require_image(self, environment: Mapping[str, str], image: str) -> None:
        """Raise ImageDenied where the role may not pull an image that lies in ECR."""
        key = environment["AWS_ACCESS_KEY_ID"]
        for access in pull_accesses(image):
            if not permits(key, access):
                raise ImageDenied(
                    f"The role has no {access.action.partition(':')[2]} permission for the image "
                    f"{image}: it needs ecr:GetAuthorizationToken on *, and "
                    f"{', '.join(PULLS)} on its repository."
                )

    def s3(self, environment: Mapping[str, str]) -> "S3Client":
        """Return a client with the credentials of such an environment."""
        client: S3Client = self._client("s3", environment)
        return client

    def publish(self, environment: Mapping[str, str], topic_arn: str, message: str) -> None:
        """Send a message to an SNS topic with the credentials of such an environment.

        Raises botocore's ClientError, and BotoCoreError.
        """
        self._client("sns", environment).publish(TopicArn=topic_arn, Message=message)

    def _client(self, service: str, environment: Mapping[str, str]) -> Any:
        # Creating a client from a shared session is not thread-safe; using one is.
        with self._session_lock:
            return self._session.client(  # type: ignore[call-overload]
                service,
                region_name=self.region,
                endpoint_url=self.context.endpoint_url,
                aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
                aws_session_token=environment.get("AWS_SESSION_TOKEN"),
                config=Config(
                    s3={"addressing_style": "path"}, retries={"total_max_attempts": 2}, proxies={}
                ),
            )

    def put_object(
        self, *, bucket: str, key: str, body: bytes, kms_key_id: str | None, role_arn: str
    ) -> None:
        """Store a JSON-lines object in the process, so that it also works while the server stops.

        Raises AccessDenied when the role may not, and moto's S3 errors, such as for a bucket
        that is gone.
        """
        backend = s3_backends[self.account_id][get_partition(self.region)]
        access_key_id = self._roles.credentials(role_arn, _SESSION).access_key_id
        used_key = kms_key_id or default_key(backend.buckets.get(bucket))
        values = {"aws:requestedregion": self.region, "aws:securetransport": "true"}
        authorise(access_key_id, put_accesses(bucket, key, used_key, self.region, values))
        stored = backend.put_object(
            bucket,
            key,
            body,
            encryption="aws:kms" if kms_key_id else None,
            kms_key_id=kms_key_id,
        )
        stored.set_metadata({"Content-Type": "application/jsonlines"})

    def log_stream(self, group: str, stream: str, environment: Mapping[str, str]) -> LineSink:
        """Return a function that appends a line to a log stream, made now if need be.

        It drops the lines when the role of that environment may not write them.
        """
        backend = logs_backends[self.account_id][self.region]
        if not self._may_log(group, stream, environment, new_group=group not in backend.groups):
            return lambda _: None
        with contextlib.suppress(ResourceAlreadyExistsException):
            backend.ensure_log_group(group)
            backend.ensure_log_stream(group, stream)

        def write(line: str) -> None:
            event = {"timestamp": int(time.time() * 1000), "message": line or " "}
            # A log group that was deleted meanwhile takes no lines; the program goes on.
            with contextlib.suppress(ResourceNotFoundException):
                backend.put_log_events(group, stream, [event])

        return write

    def _may_log(
        self, group: str, stream: str, environment: Mapping[str, str], *, new_group: bool
    ) -> bool:
        actions = ["CreateLogStream", "PutLogEvents", *(["CreateLogGroup"] if new_group else [])]
        arn = log_arn(self.region, self.account_id, group, stream)
        key = environment["AWS_ACCESS_KEY_ID"]
        return all(permits(key, Access(f"logs:{action}", arn)) for action in actions)

    def put_metric(self, namespace: str, data: list[dict[str, Any]]) -> None:
        """Store data points in CloudWatch; each gets the time of the embedded AWS's clock."""
        cloudwatch_backends[self.account_id][self.region].put_metric_data(namespace, data)

    def alarms_in_alarm(self, names: Sequence[str], role_arn: str) -> list[str]:
        """Return those of the named alarms that are in the state ALARM.

        Raises AccessDenied when the role may not describe them.
        """
        key = self._roles.credentials(role_arn, _SESSION).access_key_id
        before = f"arn:aws:cloudwatch:{self.region}:{self.account_id}:alarm:"
        authorise(key, [Access("cloudwatch:DescribeAlarms", f"{before}{name}") for name in names])
        alarms = cloudwatch_backends[self.account_id][self.region].alarms
        return [name for name in names if name in alarms and alarms[name].state_value == "ALARM"]


_services: list[AwsServices] = []


def use(services: AwsServices) -> None:
    """Set the services that jobs and endpoints use; called once, when the server starts."""
    _services[:] = [services]


def services() -> AwsServices:
    """Return the services around SageMaker that `use` has set."""
    return _services[0]
