"""A training job's output, read from CloudWatch Logs while it grows."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from botocore.exceptions import ClientError

from scones_train.sagemaker.metric_lines import parse_line

LOG_GROUP = "/aws/sagemaker/TrainingJobs"

# Called with steps done, steps in all (0 before the first are reported), and the line itself.
Progress = Callable[[int, int, str], None]


class Logs(Protocol):
    """The part of boto3's `logs` client that a job's output is read with."""

    def describe_log_streams(self, **request: Any) -> Mapping[str, Any]:
        """Return the streams of a group."""

    def get_log_events(self, **request: Any) -> Mapping[str, Any]:
        """Return one page of a stream."""


class Follower:
    """Reads what a job has written since the last look."""

    def __init__(self, logs: Logs, job: str, progress: Progress) -> None:
        self._logs, self._job, self._progress = logs, job, progress
        self._tokens: dict[str, str] = {}
        self._done = self._total = 0
        self.metrics: dict[str, float] = {}

    def read(self) -> None:
        """Pass every new line on; a log that cannot be read now is read the next time."""
        try:
            for line in self._lines():
                self._take(line)
        except ClientError:
            return

    def _lines(self) -> Iterator[str]:
        streams = self._logs.describe_log_streams(
            logGroupName=LOG_GROUP, logStreamNamePrefix=f"{self._job}/"
        )
        for stream in streams["logStreams"]:
            yield from self._new_events(stream["logStreamName"])

    def _new_events(self, stream: str) -> Iterator[str]:
        while True:
            token = self._tokens.get(stream)
            page = self._logs.get_log_events(
                logGroupName=LOG_GROUP,
                logStreamName=stream,
                startFromHead=True,
                **({"nextToken": token} if token else {}),
            )
            self._tokens[stream] = page["nextForwardToken"]
            yield from (event["message"] for event in page["events"])
            if page["nextForwardToken"] == token:
                return

    def _take(self, line: str) -> None:
        values = parse_line(line)
        self._done = int(values.pop("step", self._done))
        self._total = int(values.pop("steps", self._total))
        for place in ("epoch", "epochs"):
            values.pop(place, None)
        self.metrics.update(values)
        self._progress(self._done, self._total, line.rstrip())
