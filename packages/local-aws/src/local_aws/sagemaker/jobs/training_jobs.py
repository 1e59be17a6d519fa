"""What a training job's run does to moto's record of it."""

import threading
import time
from collections.abc import Iterable, Mapping

from moto.core.utils import utcnow
from moto.sagemaker.exceptions import AWSValidationException

from local_aws.core.s3_uri import S3Uri
from local_aws.errors import LocalAwsError
from local_aws.sagemaker.aws_services import Platform
from local_aws.sagemaker.jobs.channels import Channel
from local_aws.sagemaker.jobs.checkpoints import relocated
from local_aws.sagemaker.jobs.job_lists import not_stoppable
from local_aws.sagemaker.jobs.training import TrainingRun
from local_aws.sagemaker.jobs.training_requests import JobRecord, metric_definitions
from local_aws.sagemaker.jobs.training_spec import TrainingEnd, TrainingSpec
from local_aws.sagemaker.names import require_resource_name
from local_aws.sagemaker.state_events import job_changed
from local_aws.state.stores import outcome

LOG_GROUP = "/aws/sagemaker/TrainingJobs"
NAMESPACE = "/aws/sagemaker/TrainingJobs"


class TrainingJobs:
    """The jobs that run, and what happens to moto's record of each."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._runs: dict[str, TrainingRun] = {}
        self._series: dict[str, dict[str, list[float]]] = {}

    def start(self, job: JobRecord, environment: Mapping[str, str]) -> None:
        """Start a recorded job; its record changes as it goes on.

        Raises AWSValidationException where the request cannot be a job.
        """
        try:
            require_resource_name("trainingJobName", job.training_job_name)
            spec = self._spec(job, environment)
        except (LocalAwsError, KeyError) as error:
            raise AWSValidationException(str(error)) from error
        stream = f"{job.training_job_name}/algo-1-{int(time.time())}"
        run = TrainingRun(
            spec,
            images_path=self._platform.context.images_path,
            folder=self._platform.context.folder("training", job.training_job_name),
            children=self._platform.context.children,
            s3=self._platform.s3(spec.environment),
            on_line=self._platform.log_stream(LOG_GROUP, stream, spec.environment),
            on_status=lambda status, message: enter_status(job, status, message),
            on_metric=lambda name, value: self._metric(job, name, value),
        )
        self._runs[job.arn] = run
        if job.tuning_job_arn:
            self._series[job.arn] = {}
        name = f"training-{job.training_job_name}"
        threading.Thread(target=self._run, args=(job, run), name=name, daemon=True).start()

    def stop(self, job: JobRecord) -> None:
        """Have a running job stop; one that has ended cannot be stopped any more."""
        run = self._runs.get(job.arn)
        if run is None:
            raise not_stoppable("training", job.training_job_status)
        job.training_job_status = "Stopping"
        run.request_stop()

    def interrupt(self, job: JobRecord, back_in_seconds: float) -> None:
        """Take a running spot job's instance away; another one is there after that time.

        Raises LocalAwsError for a job that does not run, or not on a spot instance.
        """
        run = self._runs.get(job.arn)
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

    def _run(self, job: JobRecord, run: TrainingRun) -> None:
        try:
            end_job(job, run.run())
        finally:
            self._runs.pop(job.arn, None)

    def _spec(self, job: JobRecord, environment: Mapping[str, str]) -> TrainingSpec:
        algorithm, resources = job.algorithm_specification, job.resource_config or {}
        condition, checkpoints = job.stopping_condition or {}, job.checkpoint_config or {}
        mode = algorithm.get("TrainingInputMode", "File")
        credentials = self._platform.role_environment(job.role_arn, job.arn)
        self._platform.require_image(credentials, algorithm["TrainingImage"])
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
            checkpoint_path=relocated(checkpoints),
        )

    def _metric(self, job: JobRecord, name: str, value: float) -> None:
        point = {"MetricName": name, "Value": value, "Timestamp": utcnow()}
        others = [m for m in job.final_metric_data_list if m["MetricName"] != name]
        job.final_metric_data_list = [*others, point]
        if job.arn in self._series:
            self._series[job.arn].setdefault(name, []).append(value)
        dimensions = [{"Name": "TrainingJobName", "Value": job.training_job_name}]
        self._platform.put_metric(
            NAMESPACE, [{"MetricName": name, "Value": value, "Dimensions": dimensions}]
        )


def enter_status(job: JobRecord, status: str, message: str) -> None:
    """Put a job's record into a secondary status, and tell of it."""
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


def end_job(job: JobRecord, end: TrainingEnd) -> None:
    """Put a job's record into its final state; the status that waiters look at comes last."""
    now = utcnow()
    _enter_secondary(job, end.secondary, end.message)
    job.secondary_status_transitions[-1]["EndTime"] = now
    job.training_end_time = now
    if end.seconds:
        job.training_time_in_seconds = job.billable_time_in_seconds = max(1, round(end.seconds))
    if end.artifact:
        job.model_artifacts = {"S3ModelArtifacts": end.artifact}
    if end.reason:
        job.failure_reason = end.reason
    with outcome():
        job.training_job_status = end.status
        job_changed(job)
