"""What a monitoring schedule asks for, and the processing job that each of its executions is.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_MonitoringScheduleConfig.html
https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-byoc-contract-inputs.html
"""

import datetime
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from local_aws.core.s3_uri import S3Uri
from local_aws.errors import LocalAwsError
from local_aws.eventbridge import cron

# "If you would like a daily schedule, you do not provide this parameter."
DAILY = "cron(0 0 ? * * *)"
_CRON = re.compile(r"cron\((0 (?:\*|\d{1,2}(?:/\d{1,2})?) \? \* \* \*)\)")
_OFFSET = re.compile(r"(-?)P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?)?")
_UTC = ZoneInfo("UTC")
_BASELINE = "/opt/ml/processing/baseline"
_CAPTURED = {"sagemakerCaptureJson": {"captureIndexNames": ["endpointInput", "endpointOutput"]}}
_HOUR = datetime.timedelta(hours=1)


class InvalidSchedule(LocalAwsError):
    """A schedule is none that AWS takes, or that runs here; the message says why."""


@dataclass(frozen=True, slots=True)
class Window:
    """The hours whose records an execution looks at."""

    start: datetime.datetime
    end: datetime.datetime

    def hours(self) -> Iterator[str]:
        """Yield each hour as the folders that captured records lie in."""
        hour = self.start.replace(minute=0, second=0, microsecond=0)
        while hour < self.end:
            yield f"{hour:%Y/%m/%d/%H}"
            hour += _HOUR


def next_time(expression: str, after: datetime.datetime) -> datetime.datetime | None:
    """Return when an expression is due next; None for NOW, and where it is never due.

    Raises InvalidSchedule for what SageMaker takes no times from.
    """
    if expression == "NOW":
        return None
    found = _CRON.fullmatch(expression)
    try:
        if found:
            return cron.parsed(found[1]).after(after, _UTC)
    except cron.ExpressionError as error:
        raise InvalidSchedule(f"The schedule {expression} is none: {error}.") from error
    raise InvalidSchedule(
        f"The schedule {expression} is none: use NOW, cron(0 * ? * * *), cron(0 [00-23] ? * * *) "
        "or cron(0 [00-23]/[01-24] ? * * *)."
    )


def window(config: Mapping[str, Any], due: datetime.datetime) -> Window:
    """Return what the execution that is due then looks at: all since the one before it.

    Raises InvalidSchedule for offsets that are no durations.
    """
    start, end = config.get("DataAnalysisStartTime"), config.get("DataAnalysisEndTime")
    if start or end:
        return Window(due + _offset(start or "PT0H"), due + _offset(end or "PT0H"))
    expression = config.get("ScheduleExpression") or DAILY
    following = next_time(expression, due)
    return Window(due - (following - due if following else _HOUR), due)


def normalised(definition: Mapping[str, Any]) -> dict[str, Any]:
    """Return a DataQualityJobDefinition in the form that a schedule has inline."""
    app = definition["DataQualityAppSpecification"]
    return {
        "BaselineConfig": definition.get("DataQualityBaselineConfig"),
        "MonitoringInputs": [definition["DataQualityJobInput"]],
        "MonitoringOutputConfig": definition["DataQualityJobOutputConfig"],
        "MonitoringResources": definition["JobResources"],
        "MonitoringAppSpecification": app,
        "StoppingCondition": definition.get("StoppingCondition"),
        "Environment": app.get("Environment"),
        "NetworkConfig": definition.get("NetworkConfig"),
        "RoleArn": definition["RoleArn"],
    }


def endpoint_input(definition: Mapping[str, Any]) -> dict[str, Any]:
    """Return the endpoint that a definition watches; raises InvalidSchedule for anything else."""
    for given in definition["MonitoringInputs"]:
        found = given.get("EndpointInput")
        if found:
            return dict(found)
    raise InvalidSchedule("The embedded AWS monitors endpoints only: EndpointInput must be given.")


def processing_request(
    definition: Mapping[str, Any],
    source: S3Uri,
    captured: Sequence[str],
    looked_at: Window,
    *,
    schedule: str,
    name: str,
) -> dict[str, Any]:
    """Return the CreateProcessingJob request of one execution.

    `captured` are the folders below `source` that have records, `<variant>/yyyy/mm/dd/hh`.
    """
    watched, app = endpoint_input(definition), definition["MonitoringAppSpecification"]
    endpoint, path = watched["EndpointName"], watched["LocalPath"]
    inputs = [
        _input(f"endpoint_input_{number}", source.join(folder), f"{path}/{endpoint}/{folder}")
        for number, folder in enumerate(captured, 1)
    ]
    output = definition["MonitoringOutputConfig"]["MonitoringOutputs"][0]["S3Output"]
    below = (endpoint, schedule, f"{looked_at.start:%Y/%m/%d/%H}")
    target = {**output, "S3Uri": str(S3Uri.parse(output["S3Uri"]).join(*below))}
    baseline = list(_baseline(definition.get("BaselineConfig") or {}))
    return {
        "ProcessingJobName": name,
        "RoleArn": definition["RoleArn"],
        "AppSpecification": {
            key: app[key]
            for key in ("ImageUri", "ContainerEntrypoint", "ContainerArguments")
            if app.get(key)
        },
        "ProcessingInputs": [*inputs, *(entry for entry, _, _ in baseline)],
        "ProcessingOutputConfig": {
            "Outputs": [{"OutputName": "result", "S3Output": target}],
            "KmsKeyId": definition["MonitoringOutputConfig"].get("KmsKeyId"),
        },
        "ProcessingResources": definition["MonitoringResources"],
        "StoppingCondition": definition.get("StoppingCondition"),
        "NetworkConfig": definition.get("NetworkConfig"),
        "Environment": {
            "dataset_format": json.dumps(_CAPTURED),
            "dataset_source": path,
            "start_time": _time(looked_at.start),
            "end_time": _time(looked_at.end),
            "output_path": target["LocalPath"],
            "publish_cloudwatch_metrics": "Disabled",
            "sagemaker_endpoint_name": endpoint,
            "sagemaker_monitoring_schedule_name": schedule,
            **{variable: place for _, variable, place in baseline},
            **(definition.get("Environment") or {}),
        },
    }


def _baseline(config: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], str, str]]:
    """Yield an input, the variable that names it, and its place, for each file that is given."""
    for field, name in (("ConstraintsResource", "constraints"), ("StatisticsResource", "stats")):
        uri = (config.get(field) or {}).get("S3Uri")
        if uri:
            folder = f"{_BASELINE}/{name}"
            variable = "baseline_constraints" if name == "constraints" else "baseline_statistics"
            place = f"{folder}/{uri.rpartition('/')[2]}"
            yield _input(f"baseline_{name}", S3Uri.parse(uri), folder), variable, place


def _input(name: str, uri: S3Uri, path: str) -> dict[str, Any]:
    source = {"S3Uri": str(uri), "LocalPath": path, "S3DataType": "S3Prefix"}
    return {"InputName": name, "S3Input": {**source, "S3InputMode": "File"}}


def _time(at: datetime.datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def _offset(text: str) -> datetime.timedelta:
    found = _OFFSET.fullmatch(text)
    if not found or text.endswith(("P", "T")):
        raise InvalidSchedule(f"{text} is no duration such as -PT1H.")
    days, hours, minutes = (int(part or 0) for part in found.groups()[1:])
    length = datetime.timedelta(days=days, hours=hours, minutes=minutes)
    return -length if found[1] else length
