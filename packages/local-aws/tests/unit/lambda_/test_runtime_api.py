"""The Runtime API serves its own worker and nobody else."""

import http.client
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from local_aws.lambda_.runtime_api import Invocation, RuntimeApi

ARN = "arn:aws:lambda:us-east-1:123456789012:function:f"
NEXT = "/2018-06-01/runtime/invocation/next"
INIT_ERROR = "/2018-06-01/runtime/init/error"


@pytest.fixture
def api() -> Iterator[RuntimeApi]:
    made = RuntimeApi()
    made.expect(os.getpid())
    yield made
    made.close()


def client(api: RuntimeApi) -> http.client.HTTPConnection:
    host, _, port = api.address.partition(":")
    return http.client.HTTPConnection(host, int(port), timeout=10)


def test_the_worker_gets_its_event_and_answers(api: RuntimeApi) -> None:
    invocation = Invocation(b'{"a": 1}', ARN, 3.0)
    api.deliver(invocation)
    connection = client(api)
    connection.request("GET", NEXT)
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (200, b'{"a": 1}')
    path = f"/2018-06-01/runtime/invocation/{invocation.request_id}/response"
    connection.request("POST", path, b'"done"')
    assert connection.getresponse().status == 202
    assert invocation.done.is_set()
    assert invocation.result == b'"done"'


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Mode": "no-cors"},
        {"Host": "evil.example"},
        {"Host": "localhost:1"},
    ],
)
def test_a_browsers_request_gets_no_event(api: RuntimeApi, headers: dict[str, str]) -> None:
    api.deliver(Invocation(b'{"secret": 1}', ARN, 3.0))
    connection = client(api)
    connection.request("GET", NEXT, headers=headers)
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (403, b"{}")


def test_a_browser_cannot_report_that_the_worker_failed(api: RuntimeApi) -> None:
    connection = client(api)
    connection.request("POST", INIT_ERROR, b"{}", {"Sec-Fetch-Site": "cross-site"})
    assert connection.getresponse().status == 403
    assert api.init_error is None
    assert not api.initialised.is_set()


def test_another_process_gets_no_event(api: RuntimeApi) -> None:
    api.deliver(Invocation(b'{"secret": 1}', ARN, 3.0))
    program = (
        "import http.client, sys\n"
        "connection = http.client.HTTPConnection(sys.argv[1], timeout=10)\n"
        "try:\n"
        f"    connection.request('GET', {NEXT!r})\n"
        "    print(connection.getresponse().status)\n"
        "except (http.client.HTTPException, OSError):\n"
        "    print('closed')\n"
    )
    run = subprocess.run(
        [sys.executable, "-I", "-c", program, api.address],
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip() == "closed"


def test_a_request_that_waits_for_an_event_is_not_replaced(api: RuntimeApi) -> None:
    first, second = client(api), client(api)
    first.request("GET", NEXT)
    assert api.initialised.wait(10)
    second.request("GET", NEXT)
    assert second.getresponse().status == 409
    api.deliver(Invocation(b'"mine"', ARN, 3.0))
    assert first.getresponse().read() == b'"mine"'


def test_a_runtime_whose_connection_broke_waits_with_a_new_one(api: RuntimeApi) -> None:
    broken, again = client(api), client(api)
    broken.request("GET", NEXT)
    assert api.initialised.wait(10)
    broken.close()
    assert api.wait_until_free(10)
    again.request("GET", NEXT)
    api.deliver(Invocation(b'"again"', ARN, 3.0))
    assert again.getresponse().read() == b'"again"'
