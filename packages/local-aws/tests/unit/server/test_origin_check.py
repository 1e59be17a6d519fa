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


BROWSER = {"HTTP_USER_AGENT": "Mozilla/5.0 (X11; Linux x86_64; rv:60.0) Gecko/20100101"}
FOREIGN = {"HTTP_REFERER": "https://evil.example/page"}
OWN = {"HTTP_REFERER": "http://127.0.0.1:5055/bucket/page"}


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize(
    "sent",
    [
        FOREIGN,
        {"HTTP_REFERER": "HTTPS://evil.example/"},
        {"HTTP_REFERER": "http://127.0.0.1:5055.evil.example/"},
        {"HTTP_REFERER": "http://127.0.0.1:5055@evil.example/"},
        {"HTTP_REFERER": "http://127.0.0.1:9999/"},
        {**BROWSER, **FOREIGN},
        BROWSER,
        {**BROWSER, **OWN},
        {**BROWSER, "HTTP_REFERER": "about:client"},
    ],
)
def test_a_change_by_a_page_of_a_browser_that_sends_no_origin_is_refused(
    method: str, sent: dict[str, str]
) -> None:
    """An old browser sends none, an extension may remove it; a page can withhold the Referer."""
    assert "page" in refusal(request(REQUEST_METHOD=method, **sent))


@pytest.mark.parametrize(
    ("sent", "path"),
    [
        ({}, "/bucket/key"),
        (OWN, "/_local_aws/page/overview"),
        (FOREIGN, "/"),  # a link
    ],
)
def test_a_browser_that_sends_no_origin_reads(sent: dict[str, str], path: str) -> None:
    assert refusal(request(**BROWSER, **sent, PATH_INFO=path)) == ""


def test_a_page_of_a_browser_that_sends_no_origin_embeds_nothing_from_here() -> None:
    assert "page" in refusal(request(**BROWSER, **FOREIGN, PATH_INFO="/bucket/key"))


@pytest.mark.parametrize("value", ["Ours/1", "https://www.example.com/"])
def test_a_client_that_is_no_browser_reads_with_any_referer(value: str) -> None:
    """Policies of buckets have a condition on it."""
    assert refusal(request(HTTP_REFERER=value, PATH_INFO="/bucket/key")) == ""


def test_a_referer_that_is_no_address_is_no_page() -> None:
    assert refusal(request(HTTP_REFERER="Ours/1", REQUEST_METHOD="POST")) == ""


def test_a_browser_that_sends_no_origin_is_answered_at_the_loopback_itself_only() -> None:
    assert "browser" in refusal(request(**BROWSER, HTTP_HOST="x.s3.amazonaws.com"))
