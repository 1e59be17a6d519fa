"""The embedded AWS of this checkout: start, stop, reset, status, logs, use of permissions."""

import contextlib
import shlex
import shutil
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local_aws.control import ImageCommands, LocalAws
from local_aws.errors import LocalAwsError
from scones_core.errors import SconesError
from scones_etl.extract.labelled_folder import LABELS_FILE
from scones_toolkit.cli import confirm
from scones_toolkit.console import plural
from scones_toolkit.project import Project

# The repository of the model image, whatever the project and the environment are called.
MODEL_IMAGES = "*-model"
# How long `up` waits for the endpoints that are started again.
ENDPOINT_SECONDS = 90.0
# Folders below build/local of models and of a dataset's report, which need no embedded AWS.
MADE_WITHOUT_AWS = ("training", "tuning", "demand", "dataset-report")


def start(project: Project) -> LocalAws:
    """Return the embedded AWS, with what the last one on this folder had.

    The model image is this checkout's own programs. Raises LocalAwsError when one runs already,
    its port is taken, or what was kept cannot be loaded.
    """
    kept = LocalAws.has_state(project.local_home)
    try:
        with project.console.working("starting the embedded AWS"):
            aws = LocalAws.start(
                project.local_home, project.settings.local.port, model_images(project)
            )
    except LocalAwsError as error:
        raise LocalAwsError(
            f"{error} (`inv local.down` stops the one of this checkout; SCONES_LOCAL_PORT gives "
            "another port.)"
        ) from error
    try:
        if not kept:
            delete_records(project)
    except BaseException:  # a folder that cannot be written: nothing stays running unseen
        aws.stop()
        raise
    return aws


def start_for_demo(project: Project) -> LocalAws:
    """Return an empty embedded AWS; what an earlier demo did not tidy up is removed.

    Raises LocalAwsError where somebody else's state is kept, and leaves it alone.
    """
    home, mark = project.local_home, _demo_mark(project)
    # Where one runs already, the start is what says so.
    if LocalAws.has_state(home) and not LocalAws.is_running(home):
        if not mark.exists():
            raise LocalAwsError(
                f"{_relative(home)} keeps what was deployed to the embedded AWS, and a demo starts "
                "from nothing: `inv local.reset` removes it, or "
                "SCONES_PROJECT_LOCAL_DIR=.local/demo gives the demo a folder of its own."
            )
        LocalAws.reset(home)
    aws = start(project)
    mark.touch()
    return aws


def end_demo(project: Project, aws: LocalAws, *, keep: bool) -> None:
    """Leave the demo's embedded AWS up as the user's own, or remove all that it kept."""
    if not keep:
        aws.stop()
        LocalAws.reset(project.local_home)
    _demo_mark(project).unlink(missing_ok=True)


def _demo_mark(project: Project) -> Path:
    """Return the file that is there while the folder is a demo's, which may be emptied."""
    return project.local_home / "demo"


def delete_records(project: Project) -> None:
    """Remove what describes an embedded AWS that is gone: records, releases, a saved plan.

    What this host made without any AWS stays, and a folder with a labels.csv: a person wrote it.
    """
    project.release_file.unlink(missing_ok=True)
    for folder in (project.build / "demo", project.records.folder, project.terraform_data):
        for path in folder.glob("*"):
            if folder == project.records.folder and path.name in MADE_WITHOUT_AWS:
                continue
            if (path / LABELS_FILE).exists():
                project.console.say(f"  {_relative(path)} stays: its {LABELS_FILE} is yours.")
            elif path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def model_images(project: Project) -> dict[str, ImageCommands]:
    """Return which programs `train` and `serve` of the model image are on this host."""
    python = [sys.executable, "-m"]
    return {
        MODEL_IMAGES: ImageCommands(
            train=(*python, "scones_core.container_programs", "train"),
            serve=(*python, "scones_core.container_programs", "serve"),
            environment={
                "PYTHONPATH": str(project.root / "src"),
                # Read by OpenMP before Python starts; see the Makefile.
                "GOMP_SPINCOUNT": "1000",
                # In a container every address is right; on a laptop only the loopback is.
                "SCONES_BIND_HOST": "127.0.0.1",
            },
        )
    }


def up(project: Project) -> None:
    """Start the embedded AWS unless it runs, leave it running, and print how to reach it."""
    with contextlib.suppress(LocalAwsError):
        print_access(project, project.local_aws())
        return
    kept = LocalAws.has_state(project.local_home)
    aws = start(project)
    _demo_mark(project).unlink(missing_ok=True)
    print_access(project, aws)
    if kept:
        project.console.say("It has the state of the last run.")
        with project.console.working("waiting for the endpoints, which start again"):
            statuses = _await_endpoints(project)
        for name, status in statuses.items():
            project.console.say(f"  endpoint {name}: {status}")


def _await_endpoints(project: Project) -> dict[str, str]:
    """Wait for the endpoints that are started again; return what became of each."""
    sagemaker, deadline = project.client("sagemaker"), time.monotonic() + ENDPOINT_SECONDS
    while True:
        found = sagemaker.list_endpoints()["Endpoints"]
        statuses = {entry["EndpointName"]: entry["EndpointStatus"] for entry in found}
        if "Creating" not in statuses.values() or time.monotonic() > deadline:
            return statuses
        time.sleep(0.2)


def env(project: Project) -> None:
    """Print the shell commands that point AWS clients and Terraform at the embedded AWS."""
    for name, value in project.local_aws().environment().items():
        project.console.raw(f"export {name}={shlex.quote(value)}")


def print_access(project: Project, aws: LocalAws) -> None:
    """Print the variables that point boto3, the AWS CLI and Terraform at the embedded AWS."""
    say = project.console.say
    say(f"The embedded AWS runs at {aws.endpoint_url} (log: {_relative(aws.home / 'server.log')}).")
    say("For boto3, the AWS CLI (2.13 or later) and Terraform, or by: eval $(inv local.env)")
    for name, value in aws.environment().items():
        say(f"  export {name}={value}")
    say("The project's own tasks need none of these.")
    say(f"Dashboard: {aws.endpoint_url}")
    say("Stop it: inv local.down (keeps what was deployed); empty it: inv local.reset")


def down(project: Project) -> None:
    """Stop the embedded AWS, if it runs, with all that it started."""
    try:
        aws = LocalAws.attach(project.local_home)
    except LocalAwsError:
        project.console.say("The embedded AWS is not running.")
        return
    aws.stop()
    project.console.say(
        "The embedded AWS is stopped. Start it with the same state: inv local.up; "
        "remove its state: inv local.reset"
    )


def reset(project: Project, *, confirmed: bool = False) -> None:
    """Stop the embedded AWS if it runs, and remove all that was deployed to it.

    Raises DeployError where that was not confirmed, and SconesError, before anything is stopped,
    where a folder to remove from cannot be written.
    """
    home = project.local_home
    if not LocalAws.has_state(home) and not LocalAws.is_running(home):
        project.console.say(f"There is nothing in {_relative(home)} to remove.")
        return
    _require_removable(project)
    if not confirmed:
        confirm(
            f"Everything in the embedded AWS ({_relative(home)}), its release file, and the "
            f"records in {_relative(project.records.folder)} will be removed.",
            "local",
        )
    if LocalAws.is_running(home):
        LocalAws.attach(project.local_home).stop()
    LocalAws.reset(home)
    _demo_mark(project).unlink(missing_ok=True)
    delete_records(project)
    project.console.say("The embedded AWS is empty. Start it: inv local.up")


def _require_removable(project: Project) -> None:
    """Raise SconesError for a folder of a reset that this user cannot write."""
    home, records = project.local_home, project.records.folder
    inside = [path for path in home.iterdir() if path.is_dir()]
    for folder in (home, *inside, records, project.release_file.parent):
        if not folder.is_dir():
            continue
        try:
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            raise SconesError(
                f"{_relative(folder)} cannot be written ({error.strerror}): nothing was stopped or "
                "removed. Make it writable, and reset again."
            ) from error


def _relative(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


Row = tuple[str, str, str, str, str, str]
Processes = Mapping[str, Sequence[Mapping[str, Any]]]
STATUS_COLUMNS = ("kind", "name", "state", "processes", "memory", "up")
# Executions beyond these are counted only.
LISTED = 5


def status(project: Project) -> None:
    """Print what is deployed in the embedded AWS, and the processes that run for it."""
    aws = project.local_aws()
    project.console.say(f"The embedded AWS runs at {aws.endpoint_url} (process {aws.record.pid}).")
    for problem in aws.problems():
        project.console.say(problem)
    processes: dict[str, list[Any]] = defaultdict(list)
    for process in aws.processes():
        processes[process["owner"]].append(process)
    rows = [
        *_functions(project, processes),
        *_state_machines(project),
        *_endpoints(project, processes),
        *_training_and_batch_jobs(project, processes),
    ]
    if not rows:
        project.console.say("Nothing is deployed in it yet; try: inv apply")
        return
    project.console.grid("", STATUS_COLUMNS, rows)


def _functions(project: Project, processes: Processes) -> Iterator[Row]:
    for page in project.client("lambda").get_paginator("list_functions").paginate():
        for found in page["Functions"]:
            state = f"{found['Runtime']}, {found['CodeSize']} B"
            yield _process_row("function", found["FunctionName"], state, processes)


def _state_machines(project: Project) -> Iterator[Row]:
    states = project.client("stepfunctions")
    for machine in states.list_state_machines()["stateMachines"]:
        arn = machine["stateMachineArn"]
        executions = states.list_executions(stateMachineArn=arn)["executions"]
        yield ("state machine", machine["name"], _counts(executions), "", "", "")
        for execution in executions[:LISTED]:
            yield ("  execution", execution["name"], execution["status"].lower(), "", "", "")


def _counts(executions: Sequence[Mapping[str, Any]]) -> str:
    found = [execution["status"] for execution in executions]
    counts = {status: found.count(status) for status in sorted(set(found))}
    return ", ".join(f"{n} {status.lower()}" for status, n in counts.items()) or "no executions"


def _endpoints(project: Project, processes: Processes) -> Iterator[Row]:
    for endpoint in project.client("sagemaker").list_endpoints()["Endpoints"]:
        yield _process_row(
            "endpoint", endpoint["EndpointName"], endpoint["EndpointStatus"], processes
        )


def _training_and_batch_jobs(project: Project, processes: Processes) -> Iterator[Row]:
    sagemaker = project.client("sagemaker")
    for job in sagemaker.list_training_jobs()["TrainingJobSummaries"]:
        yield _process_row(
            "training job", job["TrainingJobName"], job["TrainingJobStatus"], processes
        )
    for done in sagemaker.list_processing_jobs()["ProcessingJobSummaries"]:
        name, state = done["ProcessingJobName"], done["ProcessingJobStatus"]
        yield _process_row("processing job", name, state, processes)
    for batch in sagemaker.list_transform_jobs()["TransformJobSummaries"]:
        name, state = batch["TransformJobName"], batch["TransformJobStatus"]
        yield _process_row("transform job", name, state, processes)


def _process_row(kind: str, name: str, state: str, processes: Processes) -> Row:
    own = processes.get(f"{kind.replace(' ', '-')}/{name}", ())
    pids = ", ".join(str(process["pid"]) for process in own)
    sizes = [process["memory_mb"] for process in own if process["memory_mb"] is not None]
    up = duration(max((process["uptime_seconds"] for process in own), default=0.0)) if own else ""
    return (kind, name, state, pids, f"{sum(sizes)} MiB" if sizes else "", up)


def duration(seconds: float) -> str:
    """Return a time span in its two largest units."""
    whole = int(seconds)
    for size, unit, smaller, below in ((86_400, "d", 3600, "h"), (3600, "h", 60, "min")):
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // smaller} {below}"
    return f"{whole // 60} min {whole % 60} s" if whole >= 60 else f"{whole} s"


ACCESS_COLUMNS = ("role", "statement", "actions used", "not used")


def access(project: Project, role: str = "") -> None:
    """Print each statement of the roles' policies, with the actions that it allowed.

    `role` is a part of a role's name; "" for all that acted. A statement that allowed nothing is
    no proof that nothing needs it: only what was run since the start is known.
    """
    uses = project.local_aws().access()
    found = [use for use in uses if role in _role_name(use)]
    if not found:
        which = f" with {role!r} in its name" if role else ""
        acted = ", ".join(sorted({_role_name(use) for use in uses}))
        others = f"; these were: {acted}" if role and acted else ""
        project.console.say(f"No role{which} was allowed anything yet{others}; try: inv run")
        return
    project.console.grid("", ACCESS_COLUMNS, [_access_row(use) for use in found])
    idle = sum(not use["used"] for use in found)
    project.console.say(
        f"{plural(len(found), 'statement')}; {idle} of these allowed nothing so far."
    )


def _access_row(use: Mapping[str, Any]) -> tuple[str, str, str, str]:
    return _role_name(use), use["sid"], _joined(use["used"]) or "-", _joined(use["unused"])


def _role_name(use: Mapping[str, Any]) -> str:
    return str(use["role"]).rpartition("/")[2]


def _joined(actions: Sequence[str]) -> str:
    return ", ".join(actions)


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
    if not follow:
        lines = reader.lines() or [f"{name} has not written a log yet."]
        project.console.say("\n".join(lines))
        return
    try:
        while True:
            for line in reader.lines():
                project.console.say(line)
            threading.Event().wait(POLL_SECONDS)
    except KeyboardInterrupt:
        return


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
                found.update(_job_streams(client, path))
            else:
                found[path.rpartition("/")[2]] = Source(path)
    for machine in states.list_state_machines()["stateMachines"]:
        if group := _group_of(states, machine["stateMachineArn"]):
            found[machine["name"]] = Source(group)
    return found


def _job_streams(client: Any, group: str) -> Iterator[tuple[str, Source]]:
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
    at = datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
    return f"{at:%H:%M:%S} {event['message'].rstrip()}"
