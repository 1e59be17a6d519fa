"""The live page: what a browser gets at the root, the JSON behind it, and who is refused."""

import http.client
import importlib.resources
import json
import re
from http.client import HTTPResponse
from typing import Any
from urllib.parse import quote

import pytest

from local_aws.testing.aws import Aws

BROWSER = {"Accept": "text/html,application/xhtml+xml"}
HOSTILE = "<img src=x onerror=alert(1)>"


def get(aws: Aws, path: str, **headers: str) -> tuple[HTTPResponse, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", aws.local.record.port, timeout=30)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer, body


def execution(aws: Aws, arn: str, path: list[Any] | tuple[Any, ...] = ()) -> dict[str, Any]:
    query = f"arn={quote(arn)}&path={quote(json.dumps(path))}"
    shown: dict[str, Any] = aws.local.ask(f"/_local_aws/page/execution?{query}")
    return shown


def test_a_browser_gets_the_page_with_all_that_it_loads_from_here(aws: Aws) -> None:
    answer, body = get(aws, "/", **BROWSER)
    assert answer.status == 200 and b"<title>Embedded AWS</title>" in body
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "script-src 'self'" in policy
    for name in re.findall(rb'(?:src|href)="(/[^"]+)"', body):
        assert get(aws, name.decode())[0].status == 200


def test_an_aws_client_gets_the_buckets_at_the_same_path(aws: Aws) -> None:
    aws.client("s3").create_bucket(Bucket="next-to-the-page")
    names = [bucket["Name"] for bucket in aws.client("s3").list_buckets()["Buckets"]]
    assert "next-to-the-page" in names


def test_an_execution_is_shown_state_by_state(aws: Aws) -> None:
    task = {"Type": "Pass", "Result": {"out": 1}, "End": True}
    way = {"Variable": "$.in", "NumericEquals": 2, "Next": "B"}
    choice = {"Type": "Choice", "Choices": [way], "Default": "A"}
    states = {"C": choice, "A": task, "B": {"Type": "Succeed"}}
    arn = aws.state_machine({"StartAt": "C", "States": states})
    ended = aws.run(arn, {"in": 1})
    found = execution(aws, ended["executionArn"])
    first, visit = found["visits"]
    assert (first["name"], visit["name"], visit["status"]) == ("C", "A", "succeeded")
    assert json.loads(visit["input"]) == {"in": 1} and json.loads(visit["output"]) == {"out": 1}
    assert found["status"] == "SUCCEEDED" and set(found["definition"]["States"]) == {"A", "B", "C"}
    listed = aws.local.ask("/_local_aws/page/overview")["executions"]
    assert ended["executionArn"] in [entry["arn"] for entry in listed]


def test_each_iteration_of_a_map_is_shown_on_its_own(aws: Aws) -> None:
    double = {"Type": "Pass", "Parameters": {"twice.$": "States.MathAdd($, $)"}, "End": True}
    arn = aws.state_machine(
        {
            "StartAt": "Each",
            "States": {
                "Each": {
                    "Type": "Map",
                    "MaxConcurrency": 2,
                    "ItemProcessor": {"StartAt": "Double", "States": {"Double": double}},
                    "End": True,
                }
            },
        }
    )
    ended = aws.run(arn, [1, 2, 3, 4, 5])["executionArn"]
    whole = execution(aws, ended)
    assert [visit["name"] for visit in whole["visits"]] == ["Each"]
    assert whole["counts"]["Double"] == {"succeeded": 5}
    assert [entry["path"] for entry in whole["iterations"]] == [[["Each", i]] for i in range(5)]
    third = execution(aws, ended, [["Each", 2]])["visits"][-1]
    assert (third["name"], json.loads(third["output"])) == ("Double", {"twice": 6})


def test_hostile_texts_travel_as_json_text(aws: Aws) -> None:
    fail = {"Type": "Fail", "Error": HOSTILE, "Cause": f'"{HOSTILE}'}
    arn = aws.state_machine({"StartAt": HOSTILE, "States": {HOSTILE: fail}})
    found = execution(aws, aws.run(arn)["executionArn"])
    assert (found["error"], found["cause"]) == (HOSTILE, f'"{HOSTILE}')
    assert found["visits"][0]["name"] == HOSTILE and found["visits"][0]["status"] == "failed"
    answer, _ = get(aws, "/_local_aws/page/overview")
    assert answer.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("name", ["page.js", "graph.js"])
def test_no_script_of_the_page_makes_markup_of_a_text(name: str) -> None:
    script = importlib.resources.files("local_aws.dashboard").joinpath(name).read_text()
    markup = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|srcdoc|eval\("
    assert re.findall(markup, script) == []


@pytest.mark.parametrize("query", ["arn=absent", "arn=absent&path=none", "path=%7B", ""])
def test_an_unknown_execution_is_an_error(aws: Aws, query: str) -> None:
    answer, body = get(aws, f"/_local_aws/page/execution?{query}")
    assert answer.status == 400 and json.loads(body)["message"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example:5055"},
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
    ],
)
def test_what_another_site_sends_is_refused_and_no_site_may_read_answers(
    aws: Aws, headers: dict[str, str]
) -> None:
    for path in ("/_local_aws/page/overview", "/some-bucket"):
        answer, _ = get(aws, path, **headers)
        assert answer.status == 403
        assert "Access-Control-Allow-Origin" not in answer.headers


def test_functions_and_their_processes_are_listed(aws: Aws) -> None:
    name = aws.function("def handler(event, context):\n    return event\n")
    aws.invoke(name)
    functions = aws.local.ask("/_local_aws/page/overview")["functions"]
    assert {f["name"]: f["processes"] for f in functions}[name] == 1
