"""What each statement of the policies on the environment's own resources is for."""

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from local_aws.testing.aws import plain_client, policy
from tests.support.environments.environment import ACCOUNT, Environment
from tests.support.permissions.probes import Probes
from tests.support.permissions.workflow_probes import PREFIX, TOPIC, messages_of_topic

BUCKETS = ("data", "artifacts", "capture", "logs")


def bucket_name(purpose: str) -> str:
    return f"{PREFIX}{purpose}-{ACCOUNT}"


@dataclass(frozen=True)
class Held:
    """One resource's policy, as AWS's calls read and write it."""

    read: Callable[[], str]
    write: Callable[[str], object]

    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.read())
        return found


class ResourceProbes:
    """The resources that have policies, and what their statements are for."""

    def __init__(self, environment: Environment, probes: Probes) -> None:
        self.environment, self.probes = environment, probes
        self.policies = {
            "key": self._key(),
            "topic": self._topic(),
            "queue inbox": self._queue(),
            **{f"bucket {purpose}": self._bucket(purpose) for purpose in BUCKETS},
        }

    def _key(self) -> Held:
        kms = self.environment.client("kms")
        key = kms.describe_key(KeyId="alias/scones-local")["KeyMetadata"]["KeyId"]
        where = {"KeyId": key, "PolicyName": "default"}
        return Held(
            lambda: kms.get_key_policy(**where)["Policy"],
            lambda text: kms.put_key_policy(**where, Policy=text),
        )

    def _topic(self) -> Held:
        sns, where = self.environment.client("sns"), {"TopicArn": TOPIC}
        return Held(
            lambda: sns.get_topic_attributes(**where)["Attributes"]["Policy"],
            lambda text: sns.set_topic_attributes(
                **where, AttributeName="Policy", AttributeValue=text
            ),
        )

    def _queue(self) -> Held:
        sqs = self.environment.client("sqs")
        url = sqs.get_queue_url(QueueName=f"{PREFIX}inbox")["QueueUrl"]
        return Held(
            lambda: sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"][
                "Policy"
            ],
            lambda text: sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": text}),
        )

    def _bucket(self, purpose: str) -> Held:
        s3, where = self.environment.client("s3"), {"Bucket": bucket_name(purpose)}
        return Held(
            lambda: s3.get_bucket_policy(**where)["Policy"],
            lambda text: s3.put_bucket_policy(**where, Policy=text),
        )

    def of(self, resource: str, sid: str) -> Callable[[], bool]:
        """Return what a statement is for."""
        if sid == "DenyWithoutTls":
            return lambda: self.refuses_plain_http(resource)
        found: dict[tuple[str, str], Callable[[], bool]] = {
            ("key", "AccountManagesAccess"): self.probes.classified,
            ("key", "LogGroups"): self.encrypts_logs,
            ("key", "AlarmsPublish"): self.publishes_alarms,
            ("topic", "AlarmsPublish"): self.publishes_alarms,
            ("key", "FailuresPublish"): self.publishes_failures,
            ("topic", "FailuresPublish"): self.publishes_failures,
            ("queue inbox", "RuleSends"): self.probes.takes_the_inbox,
            ("bucket logs", "AccessLogDelivery"): self.takes_access_logs,
        }
        return found[resource, sid]

    def refuses_plain_http(self, resource: str) -> bool:
        """A request without TLS is denied by the policy itself, whatever its sender may do."""
        url, bucket = self.environment.aws.endpoint_url, resource.removeprefix("bucket ")
        try:
            if resource == "topic":
                plain_client(url, "sns").publish(TopicArn=TOPIC, Message="plain")
            else:
                plain_client(url, "s3").list_objects_v2(Bucket=bucket_name(bucket), MaxKeys=1)
        except ClientError as error:
            assert "explicit deny in a resource-based policy" in str(error)
            return True
        return False

    def encrypts_logs(self) -> bool:
        """A log group of the environment gets the environment's key."""
        logs = self.environment.client("logs")
        (group, *_) = logs.describe_log_groups(logGroupNamePrefix="/aws/lambda/scones-local-")[
            "logGroups"
        ]
        try:
            logs.associate_kms_key(logGroupName=group["logGroupName"], kmsKeyId=group["kmsKeyId"])
        except ClientError as error:
            assert "is not allowed to be used with" in str(error)
            return False
        return True

    def publishes_alarms(self) -> bool:
        """An alarm of the environment publishes to its topic, by the alarm's own history."""
        cloudwatch = self.environment.client("cloudwatch")
        alarm = next(
            found
            for found in cloudwatch.describe_alarms(AlarmNamePrefix=PREFIX)["MetricAlarms"]
            if TOPIC in found["AlarmActions"]
        )["AlarmName"]
        reason = uuid.uuid4().hex
        cloudwatch.set_alarm_state(AlarmName=alarm, StateValue="OK", StateReason=reason)
        cloudwatch.set_alarm_state(AlarmName=alarm, StateValue="ALARM", StateReason=reason)
        history = cloudwatch.describe_alarm_history(AlarmName=alarm, HistoryItemType="Action")
        return bool(history["AlarmHistoryItems"][0]["HistorySummary"].startswith("Successfully"))

    def publishes_failures(self) -> bool:
        """A failed execution is published in words, to a queue that subscribes to the topic."""
        name = f"probe-{uuid.uuid4().hex[:8]}"
        said = f"did not finish its execution {name}: FAILED"
        with messages_of_topic(self.environment) as messages:
            self.probes.fails(name)
            found = self.probes.within(4, lambda: any(said in text for text in messages()))
        return bool(found)

    def takes_access_logs(self) -> bool:
        """The data bucket's access is logged into the bucket of logs."""
        s3 = self.environment.client("s3")
        logged = s3.get_bucket_logging(Bucket=bucket_name("data"))["LoggingEnabled"]
        try:
            s3.put_bucket_logging(
                Bucket=bucket_name("data"), BucketLoggingStatus={"LoggingEnabled": logged}
            )
        except ClientError as error:
            assert error.response["Error"]["Code"] == "InvalidTargetBucketForLogging"
            return False
        return True


def without(document: dict[str, Any], sid: str) -> str:
    """Return a policy less one statement; less all, it says nothing that would ever hold."""
    less = [statement for statement in document["Statement"] if statement["Sid"] != sid]
    assert len(less) == len(document["Statement"]) - 1
    resource = document["Statement"][0]["Resource"]
    nobody = {"Effect": "Deny", "Principal": {"AWS": "arn:aws:iam::111111111111:role/nobody"}}
    nothing = {**nobody, "Action": "s3:GetBucketWebsite", "Resource": resource}
    return policy(*(less or [nothing]))
