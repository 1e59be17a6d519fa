"""The operations of training jobs, and what a run does to moto's record of its job."""

import re
import time
from collections.abc import Iterable, Mapping
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import utcnow
from moto.sagemaker.exceptions import AWSValidationException
from moto.sagemaker.models import SageMakerModelBackend, sagemaker_backends
from moto.sagemaker.responses import SageMakerResponse

from local_aws.core.admin_api import PREFIX, route
from local_aws.core.expressions import Expression
from local_aws.core.patching import add, patch
from local_aws.core.s3_uri import S3Uri
from local_aws.core.stores import durable_transition
from local_aws.errors import LocalAwsError
from local_aws.sagemaker.algorithms.algorithm_images import algorithm_of
from local_aws.sagemaker.aws_services import services
from local_aws.sagemaker.jobs.channels import Channel
from local_aws.sagemaker.jobs.checkpoints import relative_checkpoint_path
from local_aws.sagemaker.jobs.job_lists import TRAINING, job_of, list_patches, require_new
from local_aws.sagemaker.jobs.runner import JobResult, RunningJobs
from local_aws.sagemaker.jobs.training import TrainingRun, TrainingSpec
from local_aws.sagemaker.names import require_resource_name
from local_aws.sagemaker.state_events import job_changed

_CHECKED = (
    "InputDataConfig",
    "AlgorithmSpecification",
    "EnableManagedSpotTraining",
    "ResourceConfig",
    "StoppingCondition",
)
INTERRUPT_PATH = f"{PREFIX}sagemaker/interrupt"


# A FakeTrainingJob, with the attributes that moto's lacks.
JobRecord = Any


@patch(
    "moto.sagemaker.models.FakeTrainingJob.__init__",
    why="a job is Completed at once, with invented metrics",
)
def init_fake_training_job(original: Any, self: JobRecord, *args: Any, **kwargs: Any) -> None:
    """Make a record with every attribute that is set later."""
    algorithm = dict(kwargs["algorithm_specification"])
    # moto writes a metric definition of its own into the caller's specification.
    original(self, *args, **{**kwargs, "algorithm_specification": dict(algorithm)})
    self.algorithm_specification = algorithm
    if definitions := metric_definitions(algorithm):
        algorithm["MetricDefinitions"] = definitions
    self.training_job_status, self.secondary_status = "InProgress", "Starting"
    # Every attribute that is set later is there now: the record is read while it changes.
    self.training_start_time = self.training_end_time = self.model_artifacts = None
    self.training_time_in_seconds = self.billable_time_in_seconds = None
    self.failure_reason = self.environment = self.tuning_job_arn = None
    self.final_metric_data_list, self.secondary_status_transitions = [], []
    enter_status(self, "Starting", "Preparing the instances for training")


@patch(
    "moto.sagemaker.responses.SageMakerResponse.create_training_job",
    why="nothing runs; Environment is dropped",
)
def create_training_job(original: Any, self: SageMakerResponse) -> ActionResult:
    """Answer CreateTrainingJob."""
    records, name = self.sagemaker_backend.training_jobs, self._get_param("TrainingJobName")
    require_new(records, name)
    check_request({key: self._get_param(key) for key in _CHECKED})
    result: ActionResult = original(self)
    job: JobRecord = records[name]
    job.environment = self._get_param("Environment") or {}
    try:
        TRAINING_JOBS.start(job, job.environment)
    except Exception:
        del records[name]
        raise
    return result


@patch(
    "moto.sagemaker.models.SageMakerModelBackend.describe_training_job",
    why="a message that differs from AWS's",
)
def describe_training_job(original: Any, self: SageMakerModelBackend, name: str) -> dict[str, Any]:
    """Do what moto's SageMakerModelBackend.describe_training_job should."""
    job_of(self.training_jobs, name)
    found: dict[str, Any] = original(self, name)
    return found


@add("moto.sagemaker.responses.SageMakerResponse.stop_training_job", why="the operation is missing")
def stop_training_job(self: SageMakerResponse) -> ActionResult:
    """Answer StopTrainingJob."""
    records = self.sagemaker_backend.training_jobs
    TRAINING_JOBS.stop(job_of(records, self._get_param("TrainingJobName")))
    return EmptyResult()


list_patches(TRAINING)


@route("POST", INTERRUPT_PATH)
def interrupt(body: dict[str, Any]) -> dict[str, str]:
    """Take a spot instance away: `training_job`, and `back_in_seconds` until the next one."""
    aws = services()
    backend = sagemaker_backends[aws.account_id][aws.region]
    name = str(body.get("training_job", ""))
    job = backend.training_jobs.get(name)
    if job is None:
        raise LocalAwsError(f"There is no training job {name!r}.")
    TRAINING_JOBS.interrupt(job, float(body.get("back_in_seconds", 0)))
    return {"interrupted": name}


# The request's fields and moto's names for them.
_FIELDS = {
    "TrainingJobName": "training_job_name",
    "HyperParameters": "hyper_parameters",
    "AlgorithmSpecification": "algorithm_specification",
    "RoleArn": "role_arn",
    "InputDataConfig": "input_data_config",
    "OutputDataConfig": "output_data_config",
    "ResourceConfig": "resource_config",
    "VpcConfig": "vpc_config",
    "StoppingCondition": "stopping_condition",
    "Tags": "tags",
    "EnableNetworkIsolation": "enable_network_isolation",
    "EnableInterContainerTrafficEncryption": "enable_inter_container_traffic_encryption",
    "EnableManagedSpotTraining": "enable_managed_spot_training",
    "CheckpointConfig": "checkpoint_config",
    "DebugHookConfig": "debug_hook_config",
    "DebugRuleConfigurations": "debug_rule_configurations",
    "TensorBoardOutputConfig": "tensor_board_output_config",
    "ExperimentConfig": "experiment_config",
}


def record_training_job(backend: SageMakerModelBackend, request: Mapping[str, Any]) -> JobRecord:
    """Return the record of a new job; raises AWSValidationException for one that cannot be."""
    check_request(request)
    arguments: dict[str, Any] = {argument: request.get(key) for key, argument in _FIELDS.items()}
    job: JobRecord = backend.create_training_job(**arguments)
    return job


def metric_definitions(algorithm: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the metrics of an `AlgorithmSpecification`; AWS's own algorithms bring theirs."""
    given: list[dict[str, str]] = algorithm.get("MetricDefinitions") or []
    found = algorithm_of(str(algorithm.get("TrainingImage")))
    if found and found.metrics:
        return [{"Name": name, "Regex": regex} for name, regex in found.metrics.items()]
    return given


def check_request(request: Mapping[str, Any]) -> None:
    """Raise AWSValidationException for what AWS refuses, and for what is not done here."""
    algorithm = request.get("AlgorithmSpecification") or {}
    if bool(algorithm.get("TrainingImage")) == bool(algorithm.get("AlgorithmName")):
        raise AWSValidationException(
            "AlgorithmSpecification must have exactly one of TrainingImage and AlgorithmName."
        )
    channels = [one["ChannelName"] for one in request.get("InputDataConfig") or ()]
    if len(channels) != len(set(channels)):
        raise AWSValidationException("Channel names in InputDataConfig must be unique.")
    _check_metrics(algorithm)
    _check_spot(request)
    resources = request.get("ResourceConfig") or {}
    groups = resources.get("InstanceGroups") or []
    if int(resources.get("InstanceCount") or 1) > 1 or groups:
        raise AWSValidationException(
            "The embedded AWS trains on one instance: ResourceConfig's InstanceCount must be 1, "
            "without InstanceGroups."
        )


def _check_metrics(algorithm: Mapping[str, Any]) -> None:
    for definition in algorithm.get("MetricDefinitions") or ():
        try:
            Expression(definition["Regex"])
        except (re.error, RecursionError) as error:
            raise AWSValidationException(
                f"The metric {definition['Name']} has an invalid regular expression: {error}."
            ) from error


def _check_spot(request: Mapping[str, Any]) -> None:
    """Check the times of a spot job.

    https://docs.aws.amazon.com/sagemaker/latest/dg/model-managed-spot-training.html
    """
    condition = request.get("StoppingCondition") or {}
    wait = condition.get("MaxWaitTimeInSeconds")
    if not request.get("EnableManagedSpotTraining"):
        if wait is not None:
            raise AWSValidationException(
                "Invalid MaxWaitTimeInSeconds. It is supported only when "
                "EnableManagedSpotTraining is true"
            )
        return
    runtime = condition.get("MaxRuntimeInSeconds", 86_400)
    if wait is None or wait < runtime:
        raise AWSValidationException(
            "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to "
            "MaxRuntimeInSeconds when EnableManagedSpotTraining is true"
        )


LOG_GROUP = "/aws/sagemaker/TrainingJobs"

NAMESPACE = "/aws/sagemaker/TrainingJobs"


class TrainingJobs:
    """The jobs that run, and what happens to moto's record of each."""

    def __init__(self) -> None:
        self._running: RunningJobs[TrainingRun] = RunningJobs(TRAINING, end_job)
        self._series: dict[str, dict[str, list[float]]] = {}

    def start(self, job: JobRecord, environment: Mapping[str, str]) -> None:
        """Start a recorded job; its record changes as it goes on.

        Raises AWSValidationException where the request cannot be a job.
        """
        aws = services()
        try:
            require_resource_name("trainingJobName", job.training_job_name)
            spec = _spec(job, environment)
        except (LocalAwsError, KeyError) as error:
            raise AWSValidationException(str(error)) from error
        stream = f"{job.training_job_name}/algo-1-{int(time.time())}"
        if job.tuning_job_arn:
            self._series[job.arn] = {}
        run = TrainingRun(
            spec,
            images_path=aws.context.images_path,
            folder=aws.context.folder("training", job.training_job_name),
            children=aws.context.children,
            s3=aws.s3(spec.environment),
            on_line=aws.log_stream(LOG_GROUP, stream, spec.environment),
            on_status=lambda status, message: enter_status(job, status, message),
            on_metric=lambda name, value: self._metric(job, name, value),
        )
        self._running.start(job, run)

    def stop(self, job: JobRecord) -> None:
        """Have a running job stop; one that has ended cannot be stopped any more."""
        self._running.stop(job)

    def interrupt(self, job: JobRecord, back_in_seconds: float) -> None:
        """Take a running spot job's instance away; another one is there after that time.

        Raises LocalAwsError for a job that does not run, or not on a spot instance.
        """
        run = self._running.find(job)
        if run is None or job.secondary_status != "Training":
            raise LocalAwsError(f"The training job {job.training_job_name} is not training.")
        if not job.enable_managed_spot_training:
            raise LocalAwsError(
                f"The training job {job.training_job_name} has no spot instance; create it with "
                "EnableManagedSpotTraining."
            )
        run.interrupt(back_in_seconds)

    def series(self, job: JobRecord, metric: str) -> list[float]:
        """Return the values so far of a metric of a tuning job's trial."""
        return list(self._series.get(job.arn, {}).get(metric, ()))

    def forget_series(self, jobs: Iterable[JobRecord]) -> None:
        """Drop the values of trials that nobody asks for any more."""
        for job in jobs:
            self._series.pop(job.arn, None)

    def _metric(self, job: JobRecord, name: str, value: float) -> None:
        point = {"MetricName": name, "Value": value, "Timestamp": utcnow()}
        others = [m for m in job.final_metric_data_list if m["MetricName"] != name]
        job.final_metric_data_list = [*others, point]
        if job.arn in self._series:
            self._series[job.arn].setdefault(name, []).append(value)
        dimensions = [{"Name": "TrainingJobName", "Value": job.training_job_name}]
        services().put_metric(
            NAMESPACE, [{"MetricName": name, "Value": value, "Dimensions": dimensions}]
        )


def _spec(job: JobRecord, environment: Mapping[str, str]) -> TrainingSpec:
    aws = services()
    algorithm, resources = job.algorithm_specification, job.resource_config or {}
    condition, checkpoints = job.stopping_condition or {}, job.checkpoint_config or {}
    mode = algorithm.get("TrainingInputMode", "File")
    credentials = aws.role_environment(job.role_arn, job.arn)
    aws.require_image(credentials, algorithm["TrainingImage"])
    return TrainingSpec(
        name=job.training_job_name,
        image=algorithm["TrainingImage"],
        hyperparameters=job.hyper_parameters or {},
        channels=tuple(Channel.parse(c, mode) for c in job.input_data_config or ()),
        output=S3Uri.parse(job.output_data_config["S3OutputPath"]),
        environment={
            **credentials,
            "TRAINING_JOB_ARN": job.arn,
            **environment,
        },
        metrics={d["Name"]: d["Regex"] for d in metric_definitions(algorithm)},
        max_runtime_seconds=condition.get("MaxRuntimeInSeconds", 86_400),
        max_wait_seconds=condition.get("MaxWaitTimeInSeconds"),
        instance_type=resources.get("InstanceType", ""),
        kms_key_id=job.output_data_config.get("KmsKeyId") or None,
        checkpoints=S3Uri.parse(checkpoints["S3Uri"]) if checkpoints else None,
        checkpoint_path=relative_checkpoint_path(checkpoints),
    )


def enter_status(job: JobRecord, status: str, message: str) -> None:
    """Put a job's record into a secondary status, and publish the event."""
    _enter_secondary(job, status, message)
    job_changed(job)


def _enter_secondary(job: JobRecord, status: str, message: str) -> None:
    now = utcnow()
    transitions = [dict(transition) for transition in job.secondary_status_transitions]
    if transitions:
        transitions[-1]["EndTime"] = now
    transitions.append({"Status": status, "StartTime": now, "StatusMessage": message})
    if status == "Training":
        job.training_start_time = now
    # The record is read while it changes, so the list is replaced as a whole.
    job.secondary_status_transitions = transitions
    job.secondary_status = status
    job.last_modified_time = now


def end_job(job: JobRecord, result: JobResult) -> None:
    """Put a job's record into its final state; the status that waiters look at comes last."""
    now = utcnow()
    _enter_secondary(job, *result.outcome.value)
    job.secondary_status_transitions[-1]["EndTime"] = now
    job.training_end_time = now
    if result.seconds:
        job.training_time_in_seconds = job.billable_time_in_seconds = max(1, round(result.seconds))
    if result.artifact:
        job.model_artifacts = {"S3ModelArtifacts": result.artifact}
    if result.reason:
        job.failure_reason = result.reason
    with durable_transition():
        job.training_job_status = result.status
        job_changed(job)


TRAINING_JOBS = TrainingJobs()
