"""What was acknowledged and is done later is done, whatever became of the server meanwhile.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-async.html
"""

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from local_aws.control import LocalAws
from local_aws.sagemaker.image_programs import ImageCommands
from local_aws.testing.aws import Aws
from local_aws.testing.hosting import Hosting, variant

# It fails until it is let go on.
HELD_UP = """
import boto3
def handler(event, context):
    s3 = boto3.client("s3")
    s3.head_object(Bucket="work", Key="go")
    s3.put_object(Bucket="work", Key=f"done/{context.aws_request_id}")
"""


@dataclass(frozen=True)
class Restarted:
    """A server after its restart, and what an earlier one had acknowledged."""

    hosting: Hosting
    request_ids: frozenset[str]
    endpoint: str
    output: str


def kill(local: LocalAws) -> None:
    os.kill(local.record.pid, signal.SIGKILL)
    local.stop()


@pytest.fixture(scope="module", params=[kill, LocalAws.stop], ids=["killed", "stopped"])
def restarted(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    toys: dict[str, ImageCommands],
) -> Iterator[Restarted]:
    home = tmp_path_factory.mktemp("accepted")
    with LocalAws.start(home, 0, toys) as local:
        aws = Aws.of(local)
        hosting = Hosting.of(aws)
        output = {"S3OutputPath": f"s3://{hosting.bucket}/answers"}
        configuration = hosting.configuration(
            variant(hosting.model("later")), AsyncInferenceConfig={"OutputConfig": output}
        )
        endpoint = hosting.endpoint(configuration)
        scale(hosting, endpoint, 0)
        aws.client("s3").create_bucket(Bucket="work")
        name = aws.function(HELD_UP)
        queued = hosting.runtime.invoke_endpoint_async(EndpointName=endpoint, Body=b"image")
        invoked = [aws.invoke(name, {}, InvocationType="Event")[1] for _ in range(5)]
        request.param(local)
    with LocalAws.start(home, 0, toys) as local:
        assert local.problems() == []
        yield Restarted(
            Hosting(Aws(local, aws.role), hosting.bucket, hosting.role),
            frozenset(answer["ResponseMetadata"]["RequestId"] for answer in invoked),
            endpoint,
            queued["OutputLocation"].split("/", 3)[3],
        )


def scale(hosting: Hosting, endpoint: str, count: int) -> None:
    wish = {"VariantName": "AllTraffic", "DesiredInstanceCount": count}
    hosting.sagemaker.update_endpoint_weights_and_capacities(
        EndpointName=endpoint, DesiredWeightsAndCapacities=[wish]
    )
    hosting.settled(endpoint)


def test_an_acknowledged_event_runs_under_its_request_id_after_a_restart(
    restarted: Restarted,
) -> None:
    aws, ids = restarted.hosting.aws, restarted.request_ids
    s3 = aws.client("s3")
    s3.put_object(Bucket="work", Key="go")

    def done() -> set[str] | None:
        aws.advance(60)
        found = s3.list_objects_v2(Bucket="work", Prefix="done/").get("Contents", [])
        return {item["Key"] for item in found} if len(found) == len(ids) else None

    assert aws.eventually(done) == {f"done/{one}" for one in ids}


def test_an_accepted_request_of_an_asynchronous_endpoint_is_answered_after_a_restart(
    restarted: Restarted,
) -> None:
    hosting = restarted.hosting
    hosting.settled(restarted.endpoint)
    scale(hosting, restarted.endpoint, 1)
    output = restarted.output
    assert hosting.aws.eventually(lambda: hosting.objects(output).get(output)) == b"later"
