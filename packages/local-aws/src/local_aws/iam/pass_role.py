"""Roles that a request hands to a service: `iam:PassRole`, and the role's own trust."""

from dataclasses import dataclass
from typing import Any

from local_aws.core.context import ACCOUNT_ID
from local_aws.errors import LocalAwsError
from local_aws.iam.roles import RoleNotAssumable, require_trust


@dataclass(frozen=True, slots=True)
class HandedRole:
    """A role that a service is to act with, on behalf of the resource of `source_arn`."""

    role_arn: str
    service: str
    source_arn: str


class TrustMissing(LocalAwsError):
    """A service cannot take the role that it was handed; `code` is the service's error code."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


# By service and operation: the parameter with the role, and the one that names the resource.
_PARAMETERS = {
    ("lambda", "CreateFunction"): ("Role", "FunctionName", "function:"),
    ("lambda", "UpdateFunctionConfiguration"): ("Role", "FunctionName", "function:"),
    ("states", "CreateStateMachine"): ("roleArn", "name", "stateMachine:"),
    ("states", "UpdateStateMachine"): ("roleArn", "stateMachineArn", ""),
    ("sagemaker", "CreateHyperParameterTuningJob"): (
        "TrainingJobDefinition.RoleArn",
        "HyperParameterTuningJobName",
        "hyper-parameter-tuning-job/",
    ),
    ("sagemaker", "CreateModel"): ("ExecutionRoleArn", "ModelName", "model/"),
    ("sagemaker", "CreateDataQualityJobDefinition"): (
        "RoleArn",
        "JobDefinitionName",
        "data-quality-job-definition/",
    ),
    ("sagemaker", "CreateMonitoringSchedule"): (
        "MonitoringScheduleConfig.MonitoringJobDefinition.RoleArn",
        "MonitoringScheduleName",
        "monitoring-schedule/",
    ),
    ("sagemaker", "CreateProcessingJob"): ("RoleArn", "ProcessingJobName", "processing-job/"),
    ("sagemaker", "CreateTrainingJob"): ("RoleArn", "TrainingJobName", "training-job/"),
}


# By service and operation: the parameter with the target, or the targets, that have roles.
_TARGETS = {
    ("events", "PutTargets"): "Targets",
    ("scheduler", "CreateSchedule"): "Target",
    ("scheduler", "UpdateSchedule"): "Target",
}


def handed_roles(response: Any, service: str, operation: str) -> list[HandedRole]:
    """Return the roles that a request hands over."""
    if (service, operation) in _TARGETS:
        return _target_roles(response, service, _TARGETS[service, operation])
    if (service, operation) not in _PARAMETERS:
        return []
    parameter, named, before = _PARAMETERS[service, operation]
    role_arn, name = _nested(response, parameter), str(response._get_param(named) or "")
    if not role_arn:
        return []
    start = f"arn:aws:{service}:{response.region}:{ACCOUNT_ID}:{before}"
    source = name if name.startswith("arn:") else f"{start}{name}"
    return [HandedRole(str(role_arn), f"{service}.amazonaws.com", source)]


def _target_roles(response: Any, service: str, parameter: str) -> list[HandedRole]:
    """Return the roles of targets. EventBridge asks for their trust only when it delivers."""
    given = response._get_param(parameter) or []
    group = response._get_param("GroupName") or "default"
    source = f"arn:aws:{service}:{response.region}:{ACCOUNT_ID}:schedule-group/{group}"
    return [
        HandedRole(str(target["RoleArn"]), f"{service}.amazonaws.com", source)
        for target in (given if isinstance(given, list) else [given])
        if target.get("RoleArn")
    ]


def require_assumable(response: Any, service: str, operation: str) -> None:
    """Raise TrustMissing when the service cannot take a role that the request hands over."""
    for handed in [] if service == "events" else handed_roles(response, service, operation):
        try:
            require_trust(handed.service, handed.role_arn, handed.source_arn)
        except RoleNotAssumable as error:
            raise _refusal(service, handed) from error


def _refusal(service: str, handed: HandedRole) -> TrustMissing:
    if service == "lambda":
        return TrustMissing(
            "InvalidParameterValueException",
            "The role defined for the function cannot be assumed by Lambda.",
        )
    if service == "states":
        return TrustMissing(
            "AccessDeniedException",
            "Neither the global service principal states.amazonaws.com, nor the regional one is "
            "authorized to assume the provided role.",
        )
    if service == "scheduler":
        return TrustMissing(
            "ValidationException",
            "The execution role you provide must allow AWS EventBridge Scheduler to assume the "
            "role.",
        )
    return TrustMissing(
        "ValidationException",
        f"Could not assume role {handed.role_arn}. Please ensure that the role exists and allows "
        f"principal '{handed.service}' to assume the role.",
    )


def _nested(response: Any, parameter: str) -> Any:
    first, *inner = parameter.split(".")
    value = response._get_param(first)
    for name in inner:
        value = (value or {}).get(name)
    return value
