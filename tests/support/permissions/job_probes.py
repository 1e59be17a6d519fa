"""Short pieces of the retraining and of the demand forecast; each says whether it worked."""

import json
import time
import uuid
from collections.abc import Callable
from functools import cached_property
from typing import Any

from botocore.exceptions import ClientError

from local_aws.testing import PROGRAMS
from local_aws.testing.aws import REGION
from scones_train.sagemaker.model_package import Training, package_request
from tests.support.environments.environment import ACCOUNT, PNG, Environment
from tests.support.permissions.workflow_probes import DATA, IMAGE, PREFIX

ARTIFACTS = f"{PREFIX}artifacts-{ACCOUNT}"
RETRAIN, DEMAND = (
    f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{PREFIX}{name}"
    for name in ("retrain", "demand")
)
# What the probes' jobs read: one object of a dataset and one of a model.
SOURCES = {
    (DATA, "dataset/probe/manifest.json"): b"{}",
    **{
        (DATA, f"dataset/probe/{part}/bicycle/a.png"): PNG
        for part in ("train", "validation", "test")
    },
    (DATA, "demand/input/hours.csv"): b"datetime\n",
    (ARTIFACTS, "model/probe/answer.txt"): b"[0.9, 0.1]",
}


class JobProbes:
    """What the state machines of jobs do, one step at a time: its container is a stand-in."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        for (bucket, key), body in SOURCES.items():
            environment.client("s3").put_object(Bucket=bucket, Key=key, Body=body)

    @cached_property
    def retraining(self) -> str:
        """Return the retraining's definition as Terraform made it."""
        states = self.environment.client("stepfunctions")
        text: str = states.describe_state_machine(stateMachineArn=RETRAIN)["definition"]
        return text

    def of(self, role: str, sid: str) -> Callable[[], bool]:
        """Return what a statement of a role's policy is for."""
        found: dict[tuple[str, str], Callable[[], bool]] = {
            ("retrain_machine", "LookForOtherRuns"): self.looks_for_others,
            ("retrain_machine", "LookForAnswers"): self.looks_for_answers,
            ("retrain_machine", "RegisterCandidate"): self.registers,
            ("retrain_machine", "NotifyPeople"): self.notifies,
            ("retrain_machine", "PublishEvents"): self.publishes,
            ("retrain_machine", "ExchangeSummaries"): self.reads_summaries,
            ("retrain_machine", "UseKey"): self.reads_summaries,
            ("retrain_jobs", "ReadModels"): self.compares,
            ("retrain_jobs", "ListModels"): self.compares,
            ("retrain_jobs", "WriteResults"): self.compares,
            ("retrain_jobs", "CreateProcessingLogGroup"): self.creates_log_group,
        }
        whole = {
            "retrain_machine": self.trains,
            "retrain_jobs": self.assembles,
            "retrain_starter": self.starts_by_alarm,
            "demand_machine": self.forecasts,
            "demand_jobs": self.forecasts_from_nothing if "LogGroup" in sid else self.forecasts,
            "demand_starter": self.starts_by_schedule,
        }
        return found.get((role, sid)) or whole[role]

    def looks_for_others(self) -> bool:
        return self._step("ListRunning")

    def looks_for_answers(self) -> bool:
        return self._step("LookForAnswers")

    def registers(self) -> bool:
        return self._step("Register")

    def notifies(self) -> bool:
        return self._step("ReportRefusal")

    def publishes(self) -> bool:
        return self._step("PublishProposal")

    def reads_summaries(self) -> bool:
        return self._step("ReadSummary")

    def trains(self) -> bool:
        return self._step("Train")

    def _step(self, name: str) -> bool:
        """Run one state of the retraining by its own role, as if those before it had run."""
        run = f"{PREFIX}retrain-{uuid.uuid4().hex[:8]}"
        self.environment.client("s3").put_object(
            Bucket=ARTIFACTS, Key=f"retraining/{run}/dataset.json", Body=b"{}"
        )
        training = Training(run, IMAGE, f"s3://{ARTIFACTS}/model/probe/m.tar.gz", {}, "v", "h", "")
        given = {
            "run": run,
            "reason": "a probe",
            "minNewImages": "0",
            "candidate": "none",
            "dataset": {"version": "probe"},
            "comparison": {
                "refusals": ["a probe"],
                "package": package_request(f"{PREFIX}candidates", training),
            },
        }
        whole = json.loads(self.retraining)
        state = {key: value for key, value in whole["States"][name].items() if key != "Next"}
        cut = {
            "QueryLanguage": whole["QueryLanguage"],
            "StartAt": "Given",
            "States": {
                "Given": {"Type": "Pass", "Assign": given, "Next": name},
                name: {**state, "End": True},
            },
        }
        states = self.environment.client("stepfunctions")
        states.update_state_machine(stateMachineArn=RETRAIN, definition=json.dumps(cut))
        try:
            return self._succeeds(RETRAIN)
        finally:
            states.update_state_machine(stateMachineArn=RETRAIN, definition=self.retraining)

    def _succeeds(self, machine: str) -> bool:
        states = self.environment.client("stepfunctions")
        arn = states.start_execution(stateMachineArn=machine, input="{}")["executionArn"]

        def ended() -> str:
            status: str = states.describe_execution(executionArn=arn)["status"]
            return "" if status == "RUNNING" else status

        return bool(_until(ended) == "SUCCEEDED")

    def assembles(self) -> bool:
        """A job reads the dataset, writes one, and its log."""
        return self._processes(f"{DATA}/dataset/probe/manifest.json", f"{DATA}/dataset/made")

    def compares(self) -> bool:
        """A job reads a model and writes its result."""
        return self._processes(f"{ARTIFACTS}/model/probe/", f"{ARTIFACTS}/retraining/made")

    def creates_log_group(self) -> bool:
        """The first processing job of an account makes the log group."""
        self.forget("ProcessingJobs")
        return self.assembles()

    def forget(self, kind: str) -> None:
        """Delete the log group of a kind of jobs, as in an account that had none yet."""
        logs, name = self.environment.client("logs"), f"/aws/sagemaker/{kind}"
        try:
            logs.delete_log_group(logGroupName=name)
        except ClientError as error:
            assert error.response["Error"]["Code"] == "ResourceNotFoundException"

    def logged(self, kind: str, job: str) -> bool:
        """Return whether a job, or those whose names begin so, wrote a log."""
        try:
            found = self.environment.client("logs").describe_log_streams(
                logGroupName=f"/aws/sagemaker/{kind}", logStreamNamePrefix=job
            )
        except ClientError as error:
            assert error.response["Error"]["Code"] == "ResourceNotFoundException"
            return False
        return bool(found["logStreams"])

    def _processes(self, source: str, target: str) -> bool:
        sagemaker, name = self.environment.client("sagemaker"), f"probe-{uuid.uuid4().hex[:8]}"
        folder = "/opt/ml/processing"
        program = str(PROGRAMS / "stand_in_process.py")
        read = {"S3Uri": f"s3://{source}", "LocalPath": f"{folder}/in", "S3DataType": "S3Prefix"}
        left = {"S3Uri": f"s3://{target}", "LocalPath": f"{folder}/out", "S3UploadMode": "EndOfJob"}
        key = self.environment.client("kms").describe_key(KeyId="alias/scones-local")
        try:
            sagemaker.create_processing_job(
                ProcessingJobName=name,
                RoleArn=f"arn:aws:iam::{ACCOUNT}:role/{PREFIX}retrain-jobs",
                AppSpecification={
                    "ImageUri": IMAGE,
                    "ContainerEntrypoint": ["python", program, f"{folder}/in", f"{folder}/out"],
                },
                ProcessingInputs=[
                    {"InputName": "in", "S3Input": {**read, "S3InputMode": "File"}},
                ],
                ProcessingOutputConfig={
                    "KmsKeyId": key["KeyMetadata"]["Arn"],
                    "Outputs": [{"OutputName": "out", "S3Output": left}],
                },
                ProcessingResources={
                    "ClusterConfig": {
                        "InstanceType": "ml.m5.large",
                        "InstanceCount": 1,
                        "VolumeSizeInGB": 1,
                    }
                },
            )
        except ClientError as error:
            assert "permission for the image" in str(error)
            return False

        def ended() -> str:
            found = sagemaker.describe_processing_job(ProcessingJobName=name)
            status: str = found["ProcessingJobStatus"]
            return status if status in ("Completed", "Failed") else ""

        return bool(_until(ended) == "Completed" and self.logged("ProcessingJobs", name))

    def forecasts(self) -> bool:
        """Demand is forecast, and the jobs write their logs."""
        before = self._transforms()
        if not self._succeeds(DEMAND):
            return False
        return all(self.logged("TransformJobs", job) for job in self._transforms() - before)

    def forecasts_from_nothing(self) -> bool:
        """The first batch transform of an account makes the log group."""
        self.forget("TransformJobs")
        return self.forecasts()

    def _transforms(self) -> set[str]:
        found = self.environment.client("sagemaker").list_transform_jobs(MaxResults=100)
        return {job["TransformJobName"] for job in found["TransformJobSummaries"]}

    def starts_by_alarm(self) -> bool:
        """The alarm that Terraform names starts a retraining."""
        cloudwatch, asked = (
            self.environment.client("cloudwatch"),
            {
                "AlarmName": f"{PREFIX}low-confidence",
                "StateReason": uuid.uuid4().hex,
            },
        )

        def fire() -> None:
            cloudwatch.set_alarm_state(**asked, StateValue="OK")
            cloudwatch.set_alarm_state(**asked, StateValue="ALARM")

        return self._starts(RETRAIN, fire)

    def starts_by_schedule(self) -> bool:
        """The schedule starts a forecast: a copy of it does, that is called a minute from now."""
        name = f"{PREFIX}demand"
        return self._starts(DEMAND, lambda: self.environment.fire_schedule(name))

    def _starts(self, machine: str, fire: Callable[[], None]) -> bool:
        """Return whether this starts an execution; the server logs it where a role may not."""
        states, before, refused = (
            self.environment.client("stepfunctions"),
            self._executions(machine),
            self._denials(),
        )
        fire()
        _until(lambda: self._executions(machine) != before or self._denials() > refused)
        started = self._executions(machine) - before
        for arn in started:
            states.stop_execution(executionArn=arn)
        return bool(started)

    def _executions(self, machine: str) -> set[str]:
        found = self.environment.client("stepfunctions").list_executions(stateMachineArn=machine)
        return {each["executionArn"] for each in found["executions"]}

    def _denials(self) -> int:
        return (self.environment.aws.home / "server.log").read_text().count("Denied:")


def _until(ask: Callable[[], Any], seconds: float = 60) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := ask()):
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.05)
    return found
