import json

import pytest
import urllib3

from local_aws.sagemaker.endpoints import invocations
from local_aws.sagemaker.endpoints.instances import Reply


def test_a_container_that_takes_longer_than_a_minute_is_a_model_error() -> None:
    """The limit is that of InvokeEndpoint: 60 seconds for an answer."""
    pool = urllib3.HTTPConnectionPool("127.0.0.1")
    late = urllib3.exceptions.ReadTimeoutError(pool, "/invocations", "late")
    words = invocations.no_answer(late, 60)
    found = invocations.model_error("us-east-1", "123456789012", "shop", 0, words)
    content = json.loads(found.body)
    assert (found.status, found.headers["x-amzn-errortype"]) == (424, "ModelError")
    assert content["OriginalStatusCode"] == 0
    assert "timed out while waiting for a response from container primary (60 s)" in words
    assert content["LogStreamArn"].endswith(":log-group:/aws/sagemaker/Endpoints/shop")


@pytest.mark.parametrize(("status", "kind"), [(400, "client"), (499, "client"), (500, "server")])
def test_a_refusal_names_whose_it_is(status: int, kind: str) -> None:
    assert invocations.received(status, "no") == (
        f'Received {kind} error ({status}) from primary with message "no"'
    )


def test_a_long_refusal_is_cut() -> None:
    reply = Reply(500, {}, b"x" * 5000)
    assert len(invocations.refusal(reply)) == invocations.MAX_MESSAGE_CHARACTERS
