"""The settings of an asynchronous endpoint, as its configuration gives them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from local_aws.core.s3_uri import S3Uri

if TYPE_CHECKING:
    pass


@dataclass(frozen=True, slots=True)
class AsyncSettings:
    """Where answers and notifications go. `concurrency` is that of one instance."""

    output: S3Uri
    failure: S3Uri | None = None
    kms_key_id: str | None = None
    success_topic: str = ""
    error_topic: str = ""
    response_topics: frozenset[str] = frozenset()
    concurrency: int = 4
    role_arn: str = ""

    @classmethod
    def parse(cls, config: Mapping[str, Any] | None, role_arn: str) -> Self | None:
        """Return the settings; None for an endpoint that answers at once.

        `role_arn` is the role that reads inputs, writes answers and publishes. Raises UriError.
        """
        if not config:
            return None
        output, client = config["OutputConfig"], config.get("ClientConfig") or {}
        described = output.get("NotificationConfig") or {}
        failure = output.get("S3FailurePath")
        return cls(
            output=S3Uri.parse(output["S3OutputPath"]),
            failure=S3Uri.parse(failure) if failure else None,
            kms_key_id=output.get("KmsKeyId") or None,
            success_topic=described.get("SuccessTopic") or "",
            error_topic=described.get("ErrorTopic") or "",
            response_topics=frozenset(described.get("IncludeInferenceResponseIn") or ()),
            concurrency=int(client.get("MaxConcurrentInvocationsPerInstance") or 4),
            role_arn=role_arn,
        )
