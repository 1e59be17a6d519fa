import pytest

from local_aws.server.middleware import TOO_DEEP, refuse_failures, sandbox_content, stack


class Answer:
    """What a client gets of a request."""

    def __init__(self, application, **environ):
        request = {"REQUEST_METHOD": "GET", "PATH_INFO": "/bucket/key", **environ}
        self.status, self.headers = "", {}
        self.body = b"".join(application(request, self.start))

    def start(self, status, headers, *_):
        self.status, self.headers = status, dict(headers)


def serving(content_type):
    def application(environ, start_response):
        start_response("200 OK", [("Content-Type", content_type)])
        return [b"body"]

    return application


def failing(error):
    def application(environ, start_response):
        raise error

    return application


def test_the_first_layer_is_the_outermost():
    passed = []

    def layer(name):
        def around(application):
            def answer(environ, start_response):
                passed.append(name)
                return application(environ, start_response)

            return answer

        return around

    Answer(stack(serving("text/plain"), [layer("first"), layer("second")]))
    assert passed == ["first", "second"]


@pytest.mark.parametrize(
    "kind", ["text/html", "TEXT/HTML; charset=utf-8", "image/svg+xml", "application/xml", ""]
)
def test_a_page_from_a_bucket_has_no_right_to_this_origin(kind):
    headers = Answer(sandbox_content(serving(kind))).headers
    assert headers["Content-Security-Policy"].startswith("sandbox")
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_data_and_the_servers_own_pages_are_left_alone():
    assert "Content-Security-Policy" not in Answer(sandbox_content(serving("image/png"))).headers
    own = Answer(sandbox_content(serving("text/html")), PATH_INFO="/_local_aws/page/x")
    assert "Content-Security-Policy" not in own.headers


@pytest.mark.parametrize(
    ("error", "expected"), [(RecursionError(), TOO_DEEP), (KeyError("DEFAULT"), "DEFAULT")]
)
@pytest.mark.parametrize("kind", ["application/json", "application/x-www-form-urlencoded"])
def test_what_nobody_expected_is_a_sentence_and_no_500(error, expected, kind):
    answer = Answer(refuse_failures(failing(error)), CONTENT_TYPE=kind)
    assert answer.status == "400 Bad Request" and expected in answer.body.decode()
