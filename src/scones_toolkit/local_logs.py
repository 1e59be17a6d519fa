"""The logs of the embedded AWS by the name of what wrote them."""

import datetime
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from local_aws.errors import LocalAwsError
from scones_toolkit.project import Project

POLL_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Source:
    """A log group, or those of its streams whose names begin so."""

    group: str
    prefix: str = ""


def logs(project: Project, name: str, *, follow: bool = False) -> None:
    """Print the log of a function, endpoint, job or state machine; `follow` until Ctrl-C.

    Raises LocalAwsError, with the names that there are, for any other name.
    """
    project.local_aws()
    client = project.client("logs")
    known = sources(client, project.client("stepfunctions"))
    if name not in known:
        names = ", ".join(sorted(known)) or "none yet"
        raise LocalAwsError(
            f"Nothing has written a log under the name {name!r}; there are: {names}."
        )
    reader = Reader(client, known[name])
    try:
        while True:
            for line in reader.lines():
                project.console.say(line)
            if not follow:
                return
            threading.Event().wait(POLL_SECONDS)
    except KeyboardInterrupt:
        if not follow:
            raise


def sources(client: Any, states: Any) -> dict[str, Source]:
    """Return where the logs of each name are.

    Functions and endpoints have a group each; jobs share a group for each kind, and their
    streams begin with the job's name; a state machine says its group itself.
    """
    found: dict[str, Source] = {}
    for page in client.get_paginator("describe_log_groups").paginate():
        for group in page["logGroups"]:
            path = group["logGroupName"]
            if path.endswith("Jobs"):
                found.update(_jobs(client, path))
            else:
                found[path.rpartition("/")[2]] = Source(path)
    for machine in states.list_state_machines()["stateMachines"]:
        if group := _group_of(states, machine["stateMachineArn"]):
            found[machine["name"]] = Source(group)
    return found


def _jobs(client: Any, group: str) -> Iterator[tuple[str, Source]]:
    for page in client.get_paginator("describe_log_streams").paginate(logGroupName=group):
        for stream in page["logStreams"]:
            job = stream["logStreamName"].partition("/")[0]
            yield job, Source(group, f"{job}/")


def _group_of(states: Any, arn: str) -> str:
    described = states.describe_state_machine(stateMachineArn=arn)
    for destination in described.get("loggingConfiguration", {}).get("destinations", ()):
        group = destination["cloudWatchLogsLogGroup"]["logGroupArn"]
        return str(group).removesuffix(":*").partition(":log-group:")[2]
    return ""


class Reader:
    """Reads a source on from where it was read to."""

    def __init__(self, client: Any, source: Source) -> None:
        self._client, self._source = client, source
        self._since = 0
        self._seen: set[tuple[str, ...]] = set()

    def lines(self) -> list[str]:
        """Return the lines that have come since the last call, the oldest first."""
        events = sorted(self._events(), key=lambda event: int(event["timestamp"]))
        new = [event for event in events if _identity(event) not in self._seen]
        if new:
            self._since = int(new[-1]["timestamp"])
            self._seen = {_identity(e) for e in events if int(e["timestamp"]) == self._since}
        return [_line(event) for event in new]

    def _events(self) -> Iterator[Mapping[str, Any]]:
        wanted: dict[str, Any] = {"logGroupName": self._source.group, "startTime": self._since}
        if self._source.prefix:
            wanted["logStreamNamePrefix"] = self._source.prefix
        for page in self._client.get_paginator("filter_log_events").paginate(**wanted):
            yield from page["events"]


def _identity(event: Mapping[str, Any]) -> tuple[str, ...]:
    return str(event["eventId"]), str(event["logStreamName"])


def _line(event: Mapping[str, Any]) -> str:
    at = datetime.datetime.fromtimestamp(event["timestamp"] / 1000, datetime.UTC)
    return f"{at:%H:%M:%S} {event['message'].rstrip()}"
