"""What a service's application answers where moto has nothing, or fails."""

import io
import json
from types import SimpleNamespace

import pytest
from botocore.model import Shape
from botocore.parsers import create_parser
from werkzeug.routing import Map, Rule

from local_aws.server.wsgi_services import ServiceApplication


def fail(request: object, url: str, headers: dict[str, str]) -> None:
    raise TypeError("list indices must be integers")


# A service of which every handler fails as no handler should.
BROKEN = SimpleNamespace(
    url_map=Map([Rule("/", endpoint="all")]),
    view_functions={"all": SimpleNamespace(callback=fail)},
)


def ask(environ: dict[str, str]) -> tuple[dict[str, str], bytes]:
    head: dict[str, str] = {}

    def start(status: str, headers: list[tuple[str, str]], exc_info: None = None) -> None:
        head.update(status=status, **{name.lower(): value for name, value in headers})

    request = {
        "REQUEST_METHOD": "POST",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "PATH_INFO": "/",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        **environ,
    }
    body = b"".join(ServiceApplication("any", BROKEN)(request, start))
    return head, body


@pytest.mark.parametrize("kind", ["application/x-amz-json-1.1", "application/json"])
def test_an_internal_failure_is_answered_at_once_in_json(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A status of 500 would have clients try again for minutes."""
    head, body = ask({"CONTENT_TYPE": kind})
    assert head["status"].startswith("400")
    assert head["x-amzn-errortype"] == "EmbeddedAwsFailure"
    assert "TypeError: list indices" in json.loads(body)["message"]
    assert "Traceback" in caplog.text


FORM = "application/x-www-form-urlencoded; charset=utf-8"


@pytest.mark.parametrize(("protocol", "kind"), [("query", FORM), ("rest-xml", "image/png")])
def test_an_internal_failure_is_answered_at_once_in_xml(protocol: str, kind: str) -> None:
    head, body = ask({"CONTENT_TYPE": kind})
    answer = {"status_code": int(head["status"][:3]), "headers": head, "body": body}
    error = create_parser(protocol).parse(answer, Shape("Error", {"type": "structure"}))["Error"]
    assert error["Code"] == "EmbeddedAwsFailure"
    assert "TypeError: list indices" in error["Message"]
