"""A training job's checkpoints: down from S3 at its start, up to S3 while it runs.

https://docs.aws.amazon.com/sagemaker/latest/dg/model-checkpoints.html: what the program writes
below the local path is copied as it changes; what it deletes stays in S3.
"""

import contextlib
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from local_aws.core.s3_uri import S3Uri
from local_aws.errors import LocalAwsError
from local_aws.sagemaker.jobs.channels import Channel, DownloadFailed, NothingFound, download

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

DEFAULT_PATH = "/opt/ml/checkpoints"
_SECONDS = 1.0
_WRITERS = 8
# A file, with its time and size.
_File = tuple[Path, tuple[int, int]]


class CheckpointsFailed(LocalAwsError):
    """Checkpoints cannot be read or written; the message is the job's FailureReason."""


def relative_checkpoint_path(config: Mapping[str, Any]) -> str:
    """Return a `CheckpointConfig`'s LocalPath relative to `/opt/ml`; raises CheckpointsFailed."""
    path = PurePosixPath(config.get("LocalPath") or DEFAULT_PATH)
    inside = path.is_relative_to("/opt/ml") and ".." not in path.parts and len(path.parts) > 3
    if not inside:
        raise CheckpointsFailed(
            f"The embedded AWS moves /opt/ml to a folder of the job, so CheckpointConfig's "
            f"LocalPath must be below /opt/ml, not {path}."
        )
    return str(path.relative_to("/opt/ml"))


class Checkpoints:
    """The checkpoints, or another output, of one job, between its folder and S3.

    `failure` is the beginning of the FailureReason where something cannot be written.
    """

    def __init__(
        self,
        s3: "S3Client",
        uri: S3Uri,
        folder: Path,
        *,
        kms_key_id: str | None = None,
        failure: str = "Checkpoint upload failed",
    ) -> None:
        self._s3, self._uri, self._folder, self._failure = s3, uri, folder, failure
        self._extra = (
            {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key_id} if kms_key_id else {}
        )
        self._sent: dict[Path, tuple[int, int]] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Bring what is in S3 to the folder, then follow the folder.

        Raises CheckpointsFailed.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        prefix = S3Uri(self._uri.bucket, self._uri.key.rstrip("/") + "/")
        try:
            download(self._s3, Channel("checkpoints", str(prefix)), self._folder)
        except NothingFound:
            pass
        except DownloadFailed as error:
            raise CheckpointsFailed(str(error)) from error
        self._sent = {path: _state(path) for path in self._files()}
        self.follow()

    def follow(self) -> None:
        """Bring what changes in the folder to S3 from now on."""
        self._thread = threading.Thread(target=self._follow, name="checkpoints", daemon=True)
        self._thread.start()

    def finish(self) -> None:
        """Stop following, and send what is not in S3 yet; raises CheckpointsFailed."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        try:
            self._send()
        except ClientError as error:
            message = error.response["Error"]["Message"]
            raise CheckpointsFailed(
                f"ClientError: {self._failure}:{message} ({self._uri})"
            ) from error

    def _follow(self) -> None:
        while not self._stop.wait(_SECONDS):
            try:
                self._send()
            except ClientError:
                # Tried again with the next change, and reported at the job's end.
                continue

    def _send(self) -> None:
        # Each waits until it is on disk, which is done once for all that wait together.
        with ThreadPoolExecutor(_WRITERS) as pool:
            for _ in pool.map(self._put, self._changed()):
                pass

    def _changed(self) -> list[_File]:
        """Return the files that are not in S3 as they are now."""
        found = []
        for path in self._files():
            # A program may well replace or remove its files meanwhile.
            with contextlib.suppress(FileNotFoundError):
                state = _state(path)
                if self._sent.get(path) != state:
                    found.append((path, state))
        return found

    def _put(self, file: _File) -> None:
        path, state = file
        target = self._uri.join(*path.relative_to(self._folder).parts)
        with contextlib.suppress(FileNotFoundError), path.open("rb") as body:
            self._s3.put_object(
                Bucket=target.bucket,
                Key=target.key,
                Body=body,
                **self._extra,  # type: ignore[arg-type]
            )
            self._sent[path] = state

    def _files(self) -> list[Path]:
        return [path for path in sorted(self._folder.rglob("*")) if path.is_file()]


def _state(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns
