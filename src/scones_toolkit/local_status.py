"""What runs in the embedded AWS: functions, executions, endpoints, jobs, with their processes."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from local_aws.server.process_usage import PROCESSES_PATH
from scones_toolkit.project import Project

Row = tuple[str, str, str, str, str, str]
Processes = Mapping[str, Sequence[Mapping[str, Any]]]
COLUMNS = ("kind", "name", "state", "processes", "memory", "up")
# Executions beyond these are counted only.
LISTED = 5


def status(project: Project) -> None:
    """Print what is deployed in the embedded AWS, and the processes that run for it."""
    aws = project.local_aws()
    project.console.say(f"The embedded AWS runs at {aws.endpoint_url} (process {aws.record.pid}).")
    processes: dict[str, list[Any]] = defaultdict(list)
    for process in aws.ask(PROCESSES_PATH):
        processes[process["owner"]].append(process)
    rows = [
        *_functions(project, processes),
        *_machines(project),
        *_endpoints(project, processes),
        *_jobs(project, processes),
    ]
    if not rows:
        project.console.say("Nothing is deployed in it yet; try: inv apply")
        return
    project.console.grid("", COLUMNS, rows)


def _functions(project: Project, processes: Processes) -> Iterator[Row]:
    for page in project.client("lambda").get_paginator("list_functions").paginate():
        for found in page["Functions"]:
            state = f"{found['Runtime']}, {found['CodeSize']} B"
            yield _row("function", found["FunctionName"], state, processes)


def _machines(project: Project) -> Iterator[Row]:
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
        yield _row("endpoint", endpoint["EndpointName"], endpoint["EndpointStatus"], processes)


def _jobs(project: Project, processes: Processes) -> Iterator[Row]:
    sagemaker = project.client("sagemaker")
    for job in sagemaker.list_training_jobs()["TrainingJobSummaries"]:
        yield _row("training job", job["TrainingJobName"], job["TrainingJobStatus"], processes)
    for done in sagemaker.list_processing_jobs()["ProcessingJobSummaries"]:
        name, state = done["ProcessingJobName"], done["ProcessingJobStatus"]
        yield _row("processing job", name, state, processes)
    for batch in sagemaker.list_transform_jobs()["TransformJobSummaries"]:
        name, state = batch["TransformJobName"], batch["TransformJobStatus"]
        yield _row("transform job", name, state, processes)
    for schedule in sagemaker.list_monitoring_schedules()["MonitoringScheduleSummaries"]:
        name, state = schedule["MonitoringScheduleName"], schedule["MonitoringScheduleStatus"]
        yield ("monitoring schedule", name, state, "", "", "")


def _row(kind: str, name: str, state: str, processes: Processes) -> Row:
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
