"""Short pieces of the workflow that need the endpoint; each says whether it worked."""

import uuid
from typing import Any

from botocore.exceptions import ClientError

from tests.support.environments.environment import ACCOUNT, PNG, Environment
from tests.support.permissions.workflow_probes import (
    CAPTURE,
    DATA,
    ENDPOINT,
    IMAGE,
    PREFIX,
    ROLES,
    WorkflowProbes,
)


class EndpointProbes(WorkflowProbes):
    """What an endpoint does that is made, asked and changed, and its schedule."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        live = environment.serving()
        self.configuration = live["EndpointConfigName"]
        # What Terraform gave it: made again otherwise, it would be replaced by the next apply.
        self.endpoint = {
            "DeploymentConfig": live["LastDeploymentConfig"],
            "Tags": environment.client("sagemaker").list_tags(ResourceArn=live["EndpointArn"])[
                "Tags"
            ],
        }

    def serves(self) -> bool:
        """The endpoint is recreated, with its model."""
        return bool(self._made(self.configuration)["EndpointStatus"] == "InService")

    def _made(self, configuration: str) -> Any:
        self._remove()
        self.environment.client("sagemaker").create_endpoint(
            EndpointName=ENDPOINT, EndpointConfigName=configuration, **self.endpoint
        )
        return self._settled()

    def _remove(self) -> None:
        try:
            self.environment.client("sagemaker").delete_endpoint(EndpointName=ENDPOINT)
        except ClientError as error:
            assert "Could not find" in str(error)
        self.until(lambda: ENDPOINT not in self._endpoints())

    def _settled(self) -> Any:
        """Return the endpoint once nothing happens to it: it can be changed only then."""

        def settled() -> Any:
            found = self.environment.serving()
            return found if found["EndpointStatus"] in ("InService", "Failed") else None

        return self.until(settled)

    def _endpoints(self) -> list[str]:
        found = self.environment.client("sagemaker").list_endpoints()["Endpoints"]
        return [endpoint["EndpointName"] for endpoint in found]

    def distinguishes_missing_model(self) -> bool:
        """A model that does not exist is distinguished from one that may not be read."""
        sagemaker, name = self.environment.client("sagemaker"), f"absent-{uuid.uuid4().hex[:8]}"
        sagemaker.create_model(
            ModelName=name,
            ExecutionRoleArn=f"arn:aws:iam::{ACCOUNT}:role/{ROLES['endpoint']}",
            PrimaryContainer={
                "Image": IMAGE,
                "ModelDataUrl": f"s3://{PREFIX}artifacts-{ACCOUNT}/model/absent/model.tar.gz",
            },
        )
        variant = {"VariantName": "v", "ModelName": name, "InitialInstanceCount": 1}
        sagemaker.create_endpoint_config(
            EndpointConfigName=name,
            ProductionVariants=[{**variant, "InstanceType": "ml.m5.large"}],
        )
        return "Could not find model data" in self._made(name).get("FailureReason", "")

    def endpoint_logs(self) -> bool:
        """A new endpoint's container writes to the log group."""

        def streams() -> int:
            logs = self.environment.client("logs")
            group = f"/aws/sagemaker/Endpoints/{ENDPOINT}"
            return len(logs.describe_log_streams(logGroupName=group)["logStreams"])

        before = streams()
        return self.serves() and streams() > before

    def captures(self) -> bool:
        """A request is captured, unless the server logs that the role may not write it."""
        if not self.serves():
            return False
        before, refused = self._captured(), len(self.denials())
        self.environment.answer()
        self.until(lambda: self._captured() > before or len(self.denials()) > refused)
        return self._captured() > before

    def _captured(self) -> int:
        found = self.environment.client("s3").list_objects_v2(Bucket=CAPTURE, Prefix="capture/")
        return int(found["KeyCount"])

    def answers_asynchronously(self) -> bool:
        """A request that lies in S3 is answered there, unless the server logs a denial."""
        s3, key = self.environment.client("s3"), f"async/{uuid.uuid4().hex}.png"
        s3.put_object(Bucket=DATA, Key=key, Body=PNG, ContentType="image/png")
        refused = len(self.denials())
        output = self.environment.client("sagemaker-runtime").invoke_endpoint_async(
            EndpointName=f"{PREFIX}async",
            InputLocation=f"s3://{DATA}/{key}",
            ContentType="image/png",
        )["OutputLocation"]

        def answered() -> bool:
            name = output.removeprefix(f"s3://{CAPTURE}/")
            return bool(s3.list_objects_v2(Bucket=CAPTURE, Prefix=name)["KeyCount"])

        self.until(lambda: answered() or len(self.denials()) > refused)
        return answered()

    def updates(self) -> bool:
        """The endpoint is updated, with a rollback alarm looked at that nothing can raise."""
        assert self.serves()
        sagemaker, name = self.environment.client("sagemaker"), f"probe-{uuid.uuid4().hex[:8]}"
        live = sagemaker.describe_endpoint_config(EndpointConfigName=self.configuration)
        same = ("ProductionVariants", "DataCaptureConfig", "KmsKeyId")
        sagemaker.create_endpoint_config(
            EndpointConfigName=name, **{key: live[key] for key in same if key in live}
        )
        # The alarms that Terraform gave it judge what other probes did to the endpoint: latency
        # on a busy host, errors that were meant.
        guards = {"Alarms": [{"AlarmName": self._quiet_alarm()}]}
        sagemaker.update_endpoint(
            EndpointName=ENDPOINT,
            EndpointConfigName=name,
            DeploymentConfig={
                **self.endpoint["DeploymentConfig"],
                "AutoRollbackConfiguration": guards,
            },
        )
        return bool(self._settled()["EndpointConfigName"] == name)

    def _quiet_alarm(self) -> str:
        """Create an alarm on a metric that nobody writes, and return its name."""
        name = f"{PREFIX}probe"
        self.environment.client("cloudwatch").put_metric_alarm(
            AlarmName=name,
            Namespace="Probe",
            MetricName="Never",
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=1.0,
            ComparisonOperator="GreaterThanThreshold",
        )
        return name

    def goes_down(self) -> bool:
        """The evening's schedule deletes the endpoint."""
        assert self.serves()
        self._fire("down")
        return ENDPOINT not in self._endpoints()

    def comes_up(self) -> bool:
        """The morning's schedule creates it, tags and all."""
        self._remove()
        self._fire("up")
        if ENDPOINT not in self._endpoints():
            return False
        return bool(self._settled()["EndpointStatus"] == "InService")

    def reports_failures(self) -> bool:
        """What a schedule cannot do is reported in its queue: here, to create what is there."""
        assert self.serves()
        sqs = self.environment.client("sqs")
        url = sqs.get_queue_url(QueueName=f"{PREFIX}off-hours")["QueueUrl"]

        def reported() -> bool:
            """Take a message out of the queue, and return whether there was one."""
            found = sqs.receive_message(QueueUrl=url).get("Messages", [])
            for message in found:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            return bool(found)

        while reported():  # what an earlier probe left
            pass
        self._fire("up", retries=0)
        return reported()

    def _fire(self, edge: str, retries: int = 10) -> None:
        self.environment.fire_schedule(f"{ENDPOINT}-{edge}", f"{PREFIX}off-hours", retries=retries)
