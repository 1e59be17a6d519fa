"""Event source mappings of queues, against Lambda's pages on SQS.

https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
"""

import json
from typing import Any

import pytest

from local_aws.testing.aws import Aws, unique
from local_aws.testing.refusals import refusal

# Puts what it got into a queue, then does what the first body says.
FORWARDS = """
import json, os, boto3
def handler(event, context):
    boto3.client("sqs").send_message(QueueUrl=os.environ["OUT"], MessageBody=json.dumps(event))
    bodies = [record["body"] for record in event["Records"]]
    if "raise" in bodies: raise ValueError("as asked")
    answer = os.environ.get("ANSWER")
    if answer == "failed":
        failed = [r["messageId"] for r in event["Records"] if r["body"].startswith("bad")]
        return {"batchItemFailures": [{"itemIdentifier": one} for one in failed]}
    return json.loads(answer) if answer else None
"""


class Source:
    """A queue, a function that it runs, and the queue with what the function got."""

    def __init__(
        self,
        aws: Aws,
        *,
        answer: str | None = None,
        visibility: int = 30,
        dead_after: int | None = None,
        **queue: str,
    ) -> None:
        self.aws, self.sqs, self.functions = aws, aws.client("sqs"), aws.client("lambda")
        self.out, _ = aws.queue()
        self.dead, dead_arn = aws.queue()
        name = unique("source")
        attributes = {"VisibilityTimeout": str(visibility), **queue}
        if dead_after:
            redrive = {"deadLetterTargetArn": dead_arn, "maxReceiveCount": dead_after}
            attributes["RedrivePolicy"] = json.dumps(redrive)
        self.url = self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        self.arn = f"arn:aws:sqs:us-east-1:123456789012:{name}"
        variables = {"OUT": self.out, **({"ANSWER": answer} if answer else {})}
        self.function = aws.function(FORWARDS, Environment={"Variables": variables})

    def map(self, **more: Any) -> dict[str, Any]:
        mapping: dict[str, Any] = self.functions.create_event_source_mapping(
            FunctionName=self.function, EventSourceArn=self.arn, **more
        )
        return mapping

    def send(self, *bodies: str, **more: Any) -> None:
        for body in bodies:
            self.sqs.send_message(QueueUrl=self.url, MessageBody=body, **more)

    def seen(self) -> list[dict[str, Any]]:
        """Return the records of the next event that the function got."""
        message = self.aws.message(self.out)
        self.sqs.delete_message(QueueUrl=self.out, ReceiptHandle=message["ReceiptHandle"])
        records: list[dict[str, Any]] = json.loads(message["Body"])["Records"]
        return records

    def count(self, url: str | None = None) -> int:
        """Return how many messages a queue has, visible or not."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        asked = self.sqs.get_queue_attributes(QueueUrl=url or self.url, AttributeNames=names)
        return sum(int(value) for value in asked["Attributes"].values())

    def empties(self, url: str | None = None) -> bool:
        return self.aws.eventually(lambda: True if self.count(url) == 0 else None)


def bodies(records: list[dict[str, Any]]) -> list[str]:
    return [record["body"] for record in records]


def test_messages_that_were_there_before_the_mapping_are_worked_on(aws: Aws) -> None:
    source = Source(aws)
    source.send("before")
    source.map()
    assert bodies(source.seen()) == ["before"]
    source.empties()


def test_a_record_has_the_messages_own_attributes(aws: Aws) -> None:
    source = Source(aws)
    given = {"kind": {"DataType": "String", "StringValue": "bike"}}
    sent = source.sqs.send_message(QueueUrl=source.url, MessageBody="x", MessageAttributes=given)
    source.map()
    (record,) = source.seen()
    assert record["messageId"] == sent["MessageId"]
    assert record["md5OfBody"] == sent["MD5OfMessageBody"]
    assert record["md5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    assert abs(int(record["attributes"]["SentTimestamp"]) - _now_ms(aws)) < 600_000
    assert record["messageAttributes"]["kind"] == {
        "stringValue": "bike",
        "stringListValues": [],
        "binaryListValues": [],
        "dataType": "String",
    }


def _now_ms(aws: Aws) -> int:
    url, _ = aws.queue()
    sqs = aws.client("sqs")
    sqs.send_message(QueueUrl=url, MessageBody="now")
    got = sqs.receive_message(QueueUrl=url, MessageSystemAttributeNames=["SentTimestamp"])
    return int(got["Messages"][0]["Attributes"]["SentTimestamp"])


def test_a_failed_batch_comes_back_after_the_visibility_timeout_and_not_before(aws: Aws) -> None:
    source = Source(aws, visibility=40)
    source.map(BatchSize=1)
    source.send("raise")
    (first,) = source.seen()
    aws.advance(30)
    assert source.count(source.out) == 0
    aws.advance(15)
    (second,) = source.seen()
    assert second["messageId"] == first["messageId"]
    assert second["attributes"]["ApproximateReceiveCount"] == "2"
    assert second["receiptHandle"] != first["receiptHandle"]


def test_a_message_that_always_fails_goes_to_the_dead_letters(aws: Aws) -> None:
    source = Source(aws, visibility=30, dead_after=2)
    source.map(BatchSize=1)
    source.send("raise")
    for _ in range(2):
        assert bodies(source.seen()) == ["raise"]
        aws.advance(31)
    assert aws.message(source.dead)["Body"] == "raise"
    source.empties()
    assert source.count(source.out) == 0


def test_only_the_items_that_a_function_reports_come_back(aws: Aws) -> None:
    source = Source(aws, answer="failed", visibility=30)
    source.send("good 1", "bad", "good 2")
    source.map(BatchSize=10, FunctionResponseTypes=["ReportBatchItemFailures"])
    assert sorted(bodies(source.seen())) == ["bad", "good 1", "good 2"]
    aws.eventually(lambda: True if source.count() == 1 else None)
    aws.advance(31)
    assert bodies(source.seen()) == ["bad"]


@pytest.mark.parametrize(
    "answer", ["null", "{}", '{"batchItemFailures": []}', '{"batchItemFailures": null}']
)
def test_an_empty_report_is_a_success(aws: Aws, answer: str) -> None:
    source = Source(aws, answer=answer)
    source.map(FunctionResponseTypes=["ReportBatchItemFailures"])
    source.send("x")
    source.seen()
    source.empties()


@pytest.mark.parametrize(
    "answer",
    [
        '"text"',
        '{"batchItemFailures": [{"itemIdentifier": ""}]}',
        '{"batchItemFailures": [{"itemIdentifier": null}]}',
        '{"batchItemFailures": [{"id": "x"}]}',
        '{"batchItemFailures": [{"itemIdentifier": "none of this batch"}]}',
    ],
)
def test_a_wrong_report_fails_the_batch(aws: Aws, answer: str) -> None:
    source = Source(aws, answer=answer, visibility=30)
    source.map(FunctionResponseTypes=["ReportBatchItemFailures"])
    source.send("x")
    source.seen()
    aws.advance(31)
    assert source.seen()[0]["attributes"]["ApproximateReceiveCount"] == "2"


def test_a_report_counts_only_where_the_mapping_asks_for_it(aws: Aws) -> None:
    source = Source(aws, answer="failed")
    source.map()
    source.send("bad")
    source.seen()
    source.empties()


def test_what_no_filter_matches_is_deleted(aws: Aws) -> None:
    source = Source(aws)
    pattern = json.dumps({"body": {"kind": ["bike"], "size": [{"numeric": [">", 5]}]}})
    source.map(FilterCriteria={"Filters": [{"Pattern": pattern}]})
    source.send('{"kind": "car", "size": 9}', "no JSON", '{"kind": "bike", "size": 3}')
    source.send('{"kind": "bike", "size": 9}')
    assert bodies(source.seen()) == ['{"kind": "bike", "size": 9}']
    source.empties()
    assert source.count(source.out) == 0


def test_a_filter_on_a_text_and_on_an_attribute(aws: Aws) -> None:
    source = Source(aws)
    patterns = [{"body": ["plain"]}, {"messageAttributes": {"k": {"stringValue": ["v"]}}}]
    source.map(FilterCriteria={"Filters": [{"Pattern": json.dumps(one)} for one in patterns]})
    source.send("other", "plain")
    assert bodies(source.seen()) == ["plain"]
    source.send("by attribute", MessageAttributes={"k": {"DataType": "String", "StringValue": "v"}})
    assert bodies(source.seen()) == ["by attribute"]


def test_a_batch_waits_for_its_window_and_is_at_most_its_size(aws: Aws) -> None:
    source = Source(aws, visibility=300)
    source.map(BatchSize=3, MaximumBatchingWindowInSeconds=60)
    source.send("1", "2")
    aws.advance(50)
    assert source.count(source.out) == 0
    aws.advance(11)
    assert sorted(bodies(source.seen())) == ["1", "2"]
    source.send("3", "4", "5", "6")
    assert len(source.seen()) == 3


def test_a_delayed_message_is_worked_on_when_its_time_has_come(aws: Aws) -> None:
    source = Source(aws)
    source.map()
    source.send("late", DelaySeconds=120)
    aws.advance(100)
    assert source.count(source.out) == 0
    aws.advance(21)
    assert bodies(source.seen()) == ["late"]


def test_a_disabled_mapping_does_nothing_until_it_is_enabled(aws: Aws) -> None:
    source = Source(aws)
    uuid = source.map(Enabled=False)["UUID"]
    source.send("waits")
    assert source.functions.get_event_source_mapping(UUID=uuid)["State"] == "Disabled"
    aws.advance(60)
    assert source.count() == 1
    source.functions.update_event_source_mapping(UUID=uuid, Enabled=True)
    assert bodies(source.seen()) == ["waits"]
    source.functions.delete_event_source_mapping(UUID=uuid)
    source.send("nobody's")
    aws.advance(60)
    assert source.count(source.out) == 0


def test_what_lambda_refuses_of_a_mapping(aws: Aws) -> None:
    source = Source(aws)
    code, message = refusal(source.map, BatchSize=11)
    assert (code, "batch window" in message) == ("InvalidParameterValueException", True)
    code, message = refusal(source.map, FilterCriteria={"Filters": [{"Pattern": "{no"}]})
    assert (code, message) == (
        "InvalidParameterValueException",
        "Invalid filter pattern definition.",
    )
    uuid = source.map()["UUID"]
    code, message = refusal(source.map)
    assert (code, uuid in message) == ("ResourceConflictException", True)
    arn = source.functions.get_function_configuration(FunctionName=source.function)["FunctionArn"]
    for name in (source.function, arn):
        listed = source.functions.list_event_source_mappings(FunctionName=name)
        assert [one["UUID"] for one in listed["EventSourceMappings"]] == [uuid]


def test_a_function_whose_role_may_not_read_the_queue_gets_no_mapping(aws: Aws) -> None:
    source = Source(aws)
    role = aws.role_with({"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"})
    source.functions.update_function_configuration(FunctionName=source.function, Role=role)
    code, message = refusal(source.map)
    assert code == "InvalidParameterValueException"
    assert "does not have permissions to call ReceiveMessage on SQS" in message
