import pytest

from local_aws.server.origin_check import is_ours, refusal


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:5055",
        "127.0.0.1",
        "localhost:5055",
        "LOCALHOST",
        "[::1]:5055",
        "bucket.localhost:5055",
        "bucket.127.0.0.1:5055",
        "sync-127.0.0.1:5055",
        "s3.us-east-1.amazonaws.com",
        "bucket.s3.amazonaws.com",
    ],
)
def test_the_loopback_and_the_domains_of_aws_are_answered(host: str) -> None:
    assert is_ours(host)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:5055",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "notlocalhost",
        "amazonaws.com.evil.example",
        "evilamazonaws.com",
        "evil127.0.0.1",
        "sync-127.0.0.1.evil.example",
        "1127.0.0.1",
        "10.0.0.1",
        "192.168.0.1",
    ],
)
def test_a_name_that_was_made_to_point_here_is_refused(host: str) -> None:
    assert not is_ours(host)
    assert "host" in refusal({"HTTP_HOST": host})


def request(**headers: str) -> dict[str, str]:
    base = {"HTTP_HOST": "127.0.0.1:5055", "REQUEST_METHOD": "GET", "PATH_INFO": "/"}
    return {**base, **headers}


def test_a_client_without_a_browser_is_answered() -> None:
    assert refusal(request(REQUEST_METHOD="POST")) == ""


def test_the_page_itself_is_answered() -> None:
    assert refusal(request(HTTP_ORIGIN="http://127.0.0.1:5055")) == ""


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:9999"])
def test_a_script_of_another_page_is_refused(origin: str) -> None:
    assert "pages of" in refusal(request(HTTP_ORIGIN=origin, REQUEST_METHOD="POST"))


def test_a_link_leads_to_the_page_and_to_nothing_else() -> None:
    link = {"HTTP_SEC_FETCH_SITE": "cross-site", "HTTP_SEC_FETCH_MODE": "navigate"}
    assert refusal(request(**link)) == ""
    assert refusal(request(**link, PATH_INFO="/_local_aws/page/overview"))
    assert refusal(request(HTTP_SEC_FETCH_SITE="cross-site", HTTP_SEC_FETCH_MODE="no-cors"))


@pytest.mark.parametrize("host", ["x.s3.amazonaws.com", "a.localhost:5055", "b.127.0.0.1:5055"])
@pytest.mark.parametrize(
    "sent", [{"HTTP_SEC_FETCH_SITE": "same-origin"}, {"HTTP_SEC_FETCH_DEST": "empty"}, None]
)
def test_a_browser_is_answered_at_the_loopback_itself_only(
    host: str, sent: dict[str, str] | None
) -> None:
    headers = {"HTTP_ORIGIN": f"http://{host}"} if sent is None else sent
    assert refusal(request(HTTP_HOST=host)) == ""
    assert "browser" in refusal(request(HTTP_HOST=host, **headers))


@pytest.mark.parametrize("host", ["127.0.0.1:5055", "localhost:5055", "[::1]:5055"])
def test_a_browser_is_answered_at_the_loopback(host: str) -> None:
    sent = {"HTTP_ORIGIN": f"http://{host}", "HTTP_SEC_FETCH_SITE": "same-origin"}
    assert refusal(request(HTTP_HOST=host, **sent)) == ""
