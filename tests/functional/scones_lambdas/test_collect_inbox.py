"""Messages of the inbox's queue, against moto's S3 and a stubbed Step Functions."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from scones_lambdas import clients
from scones_lambdas.collect_inbox import handler

MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:classify"
STARTED = {"executionArn": "arn:one", "startDate": 0}

pytestmark = pytest.mark.usefixtures("world")


@pytest.fixture
def states(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
    client = boto3.client("stepfunctions", region_name="us-east-1")
    monkeypatch.setattr(clients, "stepfunctions", lambda: client)
    with Stubber(client) as stub:
        yield stub
        stub.assert_no_pending_responses()


def eventbridge(key: str, **more: Any) -> dict[str, Any]:
    return {
        "source": "aws.s3",
        "detail-type": "Object Created",
        "detail": {"bucket": {"name": "data"}, "object": {"key": key, "size": 1, **more}},
    }


def batch(*bodies: Any) -> dict[str, Any]:
    texts = [body if isinstance(body, str) else json.dumps(body) for body in bodies]
    return {"Records": [{"messageId": f"m{n}", "body": text} for n, text in enumerate(texts)]}


def expect(stub: Stubber, given: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Expect one start; what it was given is put into the list."""

    def taken(params: dict[str, Any], **_: Any) -> None:
        given.append(params)

    stub.client.meta.events.register("provide-client-params.sfn.StartExecution", taken)
    stub.add_response("start_execution", STARTED)
    return given


@pytest.mark.parametrize(
    "key", ["inbox/a b.png", "inbox/a+b.png", "inbox/vélo 🚲.png", "inbox/%.png"]
)
def test_a_key_of_eventbridge_is_taken_as_it_is(states: Stubber, key: str) -> None:
    given = expect(states, [])
    assert handler(batch(eventbridge(key, **{"version-id": "v1"}))) == {"batchItemFailures": []}
    assert given[0]["stateMachineArn"] == MACHINE
    images = json.loads(given[0]["input"])["images"]
    assert images == [{"bucket": "data", "key": key, "version": "v1"}]


def test_a_key_of_s3_s_own_notification_is_decoded(states: Stubber) -> None:
    given = expect(states, [])
    entry = {"bucket": {"name": "data"}, "object": {"key": "inbox/a+b%2B%C3%A9.png"}}
    handler(batch({"Records": [{"s3": entry}]}))
    images = json.loads(given[0]["input"])["images"]
    assert images == [{"bucket": "data", "key": "inbox/a b+é.png"}]


def test_a_burst_is_one_execution_over_a_manifest(states: Stubber) -> None:
    given = expect(states, [])
    handler(batch(*[eventbridge(f"inbox/{n}.png") for n in range(500)]))
    source = json.loads(given[0]["input"])["source"]
    assert source["format"] == "JSONL"
    assert source["manifest"] == f"runs/{given[0]['name']}/manifest.jsonl"
    body = clients.s3().get_object(Bucket=source["bucket"], Key=source["manifest"])["Body"].read()
    images = [json.loads(line) for line in body.splitlines()]
    assert images == [{"bucket": "data", "key": f"inbox/{n}.png"} for n in range(500)]


def test_a_batch_that_comes_again_is_the_same_execution(states: Stubber) -> None:
    given = expect(states, [])
    states.add_client_error("start_execution", "ExecutionAlreadyExists", "it exists")
    event = batch(eventbridge("inbox/a.png"))
    assert handler(event) == handler(event) == {"batchItemFailures": []}
    assert given[0]["name"] == given[1]["name"]


@pytest.mark.parametrize(
    "poison",
    [
        *("no json", "[" * 100_000, "{}", "[]", '"text"', '{"detail": {}}', '{"Records": 3}'),
        # Half a surrogate pair, which no manifest can hold.
        '{"detail": {"bucket": {"name": "data"}, "object": {"key": "\\ud800.png"}}}',
    ],
)
def test_a_poisoned_message_is_put_aside_with_its_reason_and_the_others_are_worked_on(
    states: Stubber, poison: str
) -> None:
    given = expect(states, [])
    answer = handler(batch(poison, eventbridge("inbox/a.png")))
    assert answer == {"batchItemFailures": []}
    url = clients.sqs().get_queue_url(QueueName="dead-letters")["QueueUrl"]
    [aside] = clients.sqs().receive_message(QueueUrl=url, MessageAttributeNames=["All"])["Messages"]
    assert aside["Body"] == poison
    assert "message is n" in aside["MessageAttributes"]["Reason"]["StringValue"]
    assert json.loads(given[0]["input"])["images"] == [{"bucket": "data", "key": "inbox/a.png"}]


def test_without_a_dead_letter_queue_a_poisoned_message_comes_again(states: Stubber) -> None:
    url = clients.sqs().get_queue_url(QueueName="dead-letters")["QueueUrl"]
    clients.sqs().delete_queue(QueueUrl=url)
    assert handler(batch("poison")) == {"batchItemFailures": [{"itemIdentifier": "m0"}]}


def test_s3_s_test_message_starts_nothing(states: Stubber) -> None:
    test = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "data"}
    assert handler(batch(test)) == {"batchItemFailures": []}


def test_a_start_that_fails_gives_the_whole_batch_back(states: Stubber) -> None:
    states.add_client_error("start_execution", "StateMachineDeleting", "it is deleted")
    with pytest.raises(ClientError, match="it is deleted"):
        handler(batch(eventbridge("inbox/a.png")))
