"""What a batch transform is asked for.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateTransformJob.html
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from local_aws.core.s3_uri import S3Uri
from local_aws.errors import LocalAwsError
from local_aws.sagemaker.jobs.channels import Channel

Status = Literal["Completed", "Failed", "Stopped"]
_MEGABYTE = 1024**2
_MOST_MEGABYTES = 100
_STRATEGIES = {"MULTI_RECORD": "MultiRecord", "SINGLE_RECORD": "SingleRecord"}
_PLAIN_PROCESSING = {"InputFilter": "$", "OutputFilter": "$", "JoinSource": "None"}


class UnsupportedTransform(LocalAwsError):
    """A batch transform cannot be done here, or not at all; the message says why."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How requests are made: at most so many at once, so large, of one or several records."""

    concurrency: int = 1
    megabytes: int = 6
    strategy: str = "MultiRecord"

    @property
    def most_bytes(self) -> int:
        """Return how large a request may be; 0 megabytes stand for no limit."""
        return (self.megabytes or _MOST_MEGABYTES) * _MEGABYTE

    def advised(self, request: Mapping[str, Any], advice: Mapping[str, Any]) -> "Pace":
        """Return the pace with what the container advises where the request says nothing.

        `advice` is the answer to `GET /execution-parameters`.
        """
        found = self
        if request.get("MaxConcurrentTransforms") is None and _positive(
            advice.get("MaxConcurrentTransforms")
        ):
            found = replace(found, concurrency=int(advice["MaxConcurrentTransforms"]))
        if request.get("MaxPayloadInMB") is None and isinstance(advice.get("MaxPayloadInMB"), int):
            found = replace(found, megabytes=max(0, min(advice["MaxPayloadInMB"], 100)))
        if request.get("BatchStrategy") is None:
            advised = _STRATEGIES.get(str(advice.get("BatchStrategy")), found.strategy)
            found = replace(found, strategy=advised)
        return found


@dataclass(frozen=True, slots=True)
class TransformSpec:
    """One job: where its inputs are, where outputs go, and how the model is asked."""

    name: str
    source: Channel
    output: S3Uri
    request: Mapping[str, Any]
    pace: Pace
    content_type: str = ""
    accept: str = ""
    gzip: bool = False
    by_line: bool = False
    joined_by_line: bool = False
    kms_key_id: str | None = None
    retries: int = 3
    timeout_seconds: float = 600.0

    @classmethod
    def parse(cls, request: Mapping[str, Any]) -> "TransformSpec":
        """Return what a request asks for; raises UnsupportedTransform, UriError and KeyError."""
        _check(request)
        given, wanted = request["TransformInput"], request["TransformOutput"]
        source = given["DataSource"]["S3DataSource"]
        client = request.get("ModelClientConfig") or {}
        return cls(
            name=request["TransformJobName"],
            source=Channel("input", source["S3Uri"], source["S3DataType"]),
            output=S3Uri.parse(wanted["S3OutputPath"]),
            request=request,
            pace=_pace(request),
            content_type=given.get("ContentType") or "",
            accept=wanted.get("Accept") or "",
            gzip=given.get("CompressionType") == "Gzip",
            by_line=given.get("SplitType") == "Line",
            joined_by_line=wanted.get("AssembleWith") == "Line",
            kms_key_id=wanted.get("KmsKeyId") or None,
            retries=int(client.get("InvocationsMaxRetries", 3)),
            timeout_seconds=float(client.get("InvocationsTimeoutInSeconds", 600)),
        )

    def target(self, key: str, name: str) -> S3Uri:
        """Return where the output of an input goes; `name` is its name in a manifest.

        That is below the output path as the input was below its own, with `.out` at the end.
        """
        prefix = S3Uri.parse(self.source.source).key
        if self.source.kind == "ManifestFile":
            pass
        elif key.startswith(f"{prefix}/"):
            name = key.removeprefix(f"{prefix}/")
        else:
            name = key[prefix.rfind("/") + 1 :]
        return self.output.join(f"{name}.out")


@dataclass(frozen=True, slots=True)
class TransformEnd:
    """How a job ended."""

    status: Status
    reason: str = ""


def _pace(request: Mapping[str, Any]) -> Pace:
    plain = Pace()
    megabytes = request.get("MaxPayloadInMB")
    return Pace(
        concurrency=int(request.get("MaxConcurrentTransforms") or plain.concurrency),
        megabytes=plain.megabytes if megabytes is None else int(megabytes),
        strategy=request.get("BatchStrategy") or plain.strategy,
    )


def _check(request: Mapping[str, Any]) -> None:
    """Raise UnsupportedTransform for what AWS refuses, and for what is not done here."""
    if int((request.get("TransformResources") or {}).get("InstanceCount") or 1) > 1:
        raise UnsupportedTransform(
            "The embedded AWS transforms on one instance: TransformResources' InstanceCount must "
            "be 1."
        )
    split = request["TransformInput"].get("SplitType", "None")
    if split not in {"None", "Line"}:
        raise UnsupportedTransform(f"The embedded AWS splits no {split}; use Line or None.")
    processing = {**_PLAIN_PROCESSING, **(request.get("DataProcessing") or {})}
    if processing != _PLAIN_PROCESSING:
        raise UnsupportedTransform(
            "The embedded AWS filters and joins no records: DataProcessing must be left out."
        )
    if request.get("DataCaptureConfig"):
        raise UnsupportedTransform("The embedded AWS captures endpoints' records only.")
    pace = _pace(request)
    if pace.concurrency * pace.megabytes > _MOST_MEGABYTES:
        raise UnsupportedTransform(
            "MaxConcurrentTransforms * MaxPayloadInMB must be less than or equal to 100."
        )


def _positive(value: Any) -> bool:
    return isinstance(value, int) and 0 < value <= 100
