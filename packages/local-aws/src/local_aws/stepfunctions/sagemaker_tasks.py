"""The SageMaker integration: jobs that a state starts, and with `.sync` waits for.

https://docs.aws.amazon.com/step-functions/latest/dg/connect-sagemaker.html
"""

import datetime
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from local_aws.core.patching import replace
from local_aws.stepfunctions.clients import ClientCache
from local_aws.stepfunctions.failures import failure_event, task_failure
from local_aws.stepfunctions.task_errors import cause_of, error_of


@dataclass(frozen=True, slots=True)
class Job:
    """How a kind of job is asked about and stopped: boto3's names, and those of its fields."""

    describe: str
    stop: str
    name: str
    status: str


JOBS = {
    "createtrainingjob": Job(
        "describe_training_job", "stop_training_job", "TrainingJobName", "TrainingJobStatus"
    ),
    "createhyperparametertuningjob": Job(
        "describe_hyper_parameter_tuning_job",
        "stop_hyper_parameter_tuning_job",
        "HyperParameterTuningJobName",
        "HyperParameterTuningJobStatus",
    ),
    "createtransformjob": Job(
        "describe_transform_job", "stop_transform_job", "TransformJobName", "TransformJobStatus"
    ),
    "createprocessingjob": Job(
        "describe_processing_job",
        "stop_processing_job",
        "ProcessingJobName",
        "ProcessingJobStatus",
    ),
}


def install(clients: ClientCache) -> None:
    """Have `arn:aws:states:::sagemaker:` run, and wait with `.sync`."""
    from moto.stepfunctions.parser.asl.component.state.exec.state_task import state_task_factory

    original = vars(state_task_factory)["state_task_service_for"]
    kind = _task_class(clients)

    def service_for(service_name: str) -> Any:
        return kind() if service_name == "sagemaker" else original(service_name)

    fault = "forwards SageMaker's requests, fails at .sync, and names each error States.Runtime"
    replace(state_task_factory, "state_task_service_for", service_for, fault=fault)


def _task_class(clients: ClientCache) -> Any:
    from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
        state_task_service_callback as callback,
    )
    from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
        state_task_service_unsupported as forwarding,
    )
    from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.resource import (
        ResourceCondition,
    )

    class StateTaskServiceSagemaker(forwarding.StateTaskServiceUnsupported):
        """A Task state of SageMaker."""

        def __init__(self) -> None:
            # Without the second moto has no endpoint that it can release after a wait.
            names = (ResourceCondition.Sync, ResourceCondition.WaitForTaskToken)
            patterns = {ResourceCondition(name) for name in names}
            callback.StateTaskServiceCallback.__init__(self, patterns)

        def _from_error(self, env: Any, ex: Exception) -> Any:
            if isinstance(ex, ClientError):
                name = error_of("SageMaker", "AmazonSageMakerException", ex)
                return task_failure(self, env, name, cause_of("AmazonSageMaker", ex))
            return super()._from_error(env=env, ex=ex)

        def _build_sync_resolver(
            self,
            env: Any,
            resource_runtime_part: Any,
            normalised_parameters: Any,
            state_credentials: Any,
        ) -> Callable[[], Any]:
            env.stack.pop()
            job = JOBS[self.resource.api_action.lower()]
            client = clients.get(resource_runtime_part.region, "sagemaker", state_credentials)
            return _look(env, client, job, normalised_parameters[job.name])

    return StateTaskServiceSagemaker


def _look(env: Any, client: Any, job: Job, name: str) -> Callable[[], Any]:
    """Return what tells a finished job's description, None while it runs; see `_eval_sync`."""

    def look() -> dict[str, Any] | None:
        found = getattr(client, job.describe)(**{job.name: name})
        found.pop("ResponseMetadata", None)
        found = json.loads(json.dumps(found, default=_plain))
        if found[job.status] == "Completed":
            return found  # type: ignore[no-any-return]
        if found[job.status] in ("Failed", "Stopped"):
            cause = json.dumps(found, separators=(",", ":"))
            raise failure_event(env, "States.TaskFailed", cause, "TaskFailed")
        return None

    look.cancel = lambda: getattr(client, job.stop)(**{job.name: name})  # type: ignore[attr-defined]
    return look


def _plain(value: Any) -> Any:
    """Return a time in milliseconds since 1970, as a `.sync` task's output has it."""
    return int(value.timestamp() * 1000) if isinstance(value, datetime.datetime) else str(value)
