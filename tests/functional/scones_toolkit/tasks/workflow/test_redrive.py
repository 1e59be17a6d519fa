import json
from typing import Any

import pytest

from scones_core.errors import MonitorError
from scones_core.events import INLINE_IMAGES
from scones_toolkit.tasks.workflow.redrive import redrive
from tests.functional.scones_toolkit.tasks.conftest import LocalProject


@pytest.fixture
def queue(project: LocalProject) -> str:
    sqs = project.client("sqs")
    url: str = sqs.create_queue(QueueName="scones-local-dead-letters")["QueueUrl"]
    return url


def send(project: LocalProject, queue: str, item: Any, error: str = "EndpointThrottled") -> None:
    body = {"schema_version": "1", "item": item, "error": error, "cause": "", "execution": "x"}
    project.client("sqs").send_message(QueueUrl=queue, MessageBody=json.dumps(body))


def waiting(project: LocalProject, queue: str) -> int:
    name = "ApproximateNumberOfMessages"
    found = project.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=[name])
    return int(found["Attributes"][name])


def image(key: str) -> dict[str, str]:
    return {"bucket": "data", "key": key}


def failed(key: str, error: str) -> dict[str, object]:
    return {"image": image(key), "decision": "failed", "error": {"Error": error, "Cause": ""}}


def given(project: LocalProject, arn: str) -> Any:
    described = project.client("stepfunctions").describe_execution(executionArn=arn)
    return json.loads(described["input"])


def test_curable_dead_letters_run_again_and_the_others_stay(
    project: LocalProject, queue: str
) -> None:
    send(project, queue, image("a ä+.png"))
    send(project, queue, image("b.png"), "UnsupportedImage")
    send(project, queue, "nonsense")
    project.client("sqs").send_message(QueueUrl=queue, MessageBody="no JSON")

    arn = redrive(project)

    assert given(project, arn) == {"images": [image("a ä+.png")]}
    assert waiting(project, queue) == 3
    assert "UnsupportedImage: another try ends the same way" in project.printed
    assert redrive(project) == ""
    assert "nothing that another try may cure" in project.printed


def test_all_dead_letters_that_name_an_image_run_again_when_asked_for(
    project: LocalProject, queue: str
) -> None:
    send(project, queue, image("b.png"), "UnsupportedImage")

    assert given(project, redrive(project, everything=True)) == {"images": [image("b.png")]}
    assert waiting(project, queue) == 0


def test_many_images_are_given_by_a_manifest(project: LocalProject, queue: str) -> None:
    keys = [f"{number}.png" for number in range(INLINE_IMAGES + 1)]
    for first in range(0, len(keys), 10):
        entries = [
            {"Id": str(number), "MessageBody": json.dumps({"item": image(key), "error": "X"})}
            for number, key in enumerate(keys[first : first + 10])
        ]
        project.client("sqs").send_message_batch(QueueUrl=queue, Entries=entries)

    source = given(project, redrive(project))["source"]

    body = project.client("s3").get_object(Bucket="data", Key=source["manifest"])["Body"]
    assert source["format"] == "JSONL"
    assert sorted(json.loads(line)["key"] for line in body.iter_lines()) == sorted(keys)
    assert waiting(project, queue) == 0


def test_an_empty_queue_is_a_sentence(project: LocalProject, queue: str) -> None:
    assert redrive(project) == ""
    assert "dead-letter queue is empty" in project.printed


def test_an_environment_without_the_queue_says_what_to_do(project: LocalProject) -> None:
    with pytest.raises(MonitorError, match="has no dead-letter queue; give --run"):
        redrive(project)


def test_an_execution_that_failed_continues_once(project: LocalProject) -> None:
    states = project.client("stepfunctions")
    arn = states.add("one", {}, status="FAILED", redriveStatus="REDRIVABLE", error="States.Timeout")

    assert redrive(project, run="one") == arn
    with pytest.raises(MonitorError, match="still runs"):
        redrive(project, run="one")


def test_an_execution_that_cannot_be_redriven_any_more_says_why(project: LocalProject) -> None:
    project.client("stepfunctions").add(
        "one",
        {},
        status="FAILED",
        redriveStatus="NOT_REDRIVABLE",
        redriveStatusReason="Execution is older than 14 days.",
        redriveCount=2,
    )

    with pytest.raises(MonitorError, match=r"older than 14 days\. It was redriven 2 times"):
        redrive(project, run="one")


def test_failed_images_of_an_execution_that_succeeded_run_again_once(project: LocalProject) -> None:
    results = [failed("a.png", "EndpointUnavailable"), failed("b.png", "ImageTooLarge")]
    project.client("stepfunctions").add("one", {}, {"results": results})

    arn = redrive(project, run="one")

    assert given(project, arn) == {"images": [image("a.png")]}
    with pytest.raises(MonitorError, match=f"redriven already, by the execution {arn[-24:]}"):
        redrive(project, run="one")


def test_the_failed_images_of_all_executions_of_the_last_run_run_again(
    project: LocalProject,
) -> None:
    states = project.client("stepfunctions")
    arns = [
        states.add("one", {}, {"results": [failed("a.png", "EndpointUnavailable")]}),
        states.add("two", {}, {"results": []}),
        states.add("three", {}, {"results": [failed("c.png", "EndpointUnavailable")]}),
    ]
    project.records.write("execution", {"executions": arns, "results": []})

    arn = redrive(project, run="last")

    assert given(project, arn) == {"images": [image("a.png"), image("c.png")]}
    with pytest.raises(MonitorError, match="The last run was redriven already"):
        redrive(project, run="last")
    project.records.write("execution", {"executions": arns[1:2] * 2, "results": []})
    with pytest.raises(MonitorError, match="No image of the last run failed"):
        redrive(project, run="last")


@pytest.mark.parametrize(
    ("results", "sentence"),
    [
        ([], "No image of the execution one failed"),
        ([failed("b.png", "ImageTooLarge")], "None of the 1 failed images of one can be cured"),
    ],
)
def test_a_run_with_nothing_to_cure_is_a_sentence(
    project: LocalProject, results: Any, sentence: str
) -> None:
    project.client("stepfunctions").add("one", {}, {"results": results})

    with pytest.raises(MonitorError, match=sentence):
        redrive(project, run="one")
