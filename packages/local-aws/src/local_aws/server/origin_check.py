"""Origin check: a browser may send requests of the page itself, and those a person opens.

The server listens on the loopback only, but a browser brings other sites' requests there: a
site's script may post a form to it, and a name of the site's may be made to point to it (DNS
rebinding). AWS clients send no `Origin`, and name this host or AWS's own domains as `Host`.
A browser says by `Origin` or `Sec-Fetch-Site` where a request comes from. Of one that does not (it
is old, or an extension removes them), a page could make any request look like a person's, by
withholding the `Referer`: it changes nothing here.
"""

import ipaddress
import json
import re
from collections.abc import Callable, Iterable
from typing import Any

from local_aws.core.admin_api import Wsgi

# What moto recognises services by, and what the AWS clients of this host are configured with.
_DOMAINS = ("localhost", "amazonaws.com", "amazonaws.com.cn", "api.aws")
_PREFIXED = re.compile(r"(^|\.|^sync-)127\.0\.0\.1$")
_FOREIGN = ("cross-site", "same-site")
_READS = ("GET", "HEAD", "OPTIONS")
# So begins the name of every browser, and of no AWS client.
_BROWSER = "Mozilla/"
_OTHER_SITES = "The embedded AWS takes no requests from pages of other sites."


def check_origin(application: Wsgi) -> Wsgi:
    """Return the application; what another site makes a browser send is refused with 403."""

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        why = refusal(environ)
        if not why:
            return application(environ, start_response)
        body = json.dumps({"message": why}).encode()
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        start_response("403 Forbidden", headers)
        return [body]

    return answer


def refusal(environ: dict[str, Any]) -> str:
    """Return why a request is refused, "" for one that is not."""
    host = environ.get("HTTP_HOST", "")
    if host and not is_ours(host):
        return f"The embedded AWS does not answer to the host {host!r}."
    # A name of AWS's is whatever the network's name server makes of it, also for a browser.
    if _is_browser(environ) and not is_loopback(host):
        return f"The embedded AWS answers a browser at the loopback only, not at {host!r}."
    origin = environ.get("HTTP_ORIGIN", "")
    if origin and origin != f"http://{host}":
        return f"The embedded AWS takes no requests from pages of {origin!r}."
    site = environ.get("HTTP_SEC_FETCH_SITE")
    if not origin and site is None:
        return _refusal_by_referer(environ, host)
    # A link may lead here; anything else from another site may not.
    is_link = environ.get("HTTP_SEC_FETCH_MODE") == "navigate" and _opens_page(environ)
    return _OTHER_SITES if site in _FOREIGN and not is_link else ""


def _refusal_by_referer(environ: dict[str, Any], host: str) -> str:
    referer = environ.get("HTTP_REFERER", "").lower()
    own = f"http://{host.lower()}/"
    is_foreign = referer.startswith(("http://", "https://")) and not referer.startswith(own)
    if environ.get("REQUEST_METHOD") in _READS:
        is_embedded = is_foreign and _is_browser(environ) and not _opens_page(environ)
        return _OTHER_SITES if is_embedded else ""
    if is_foreign:
        return _OTHER_SITES
    if _is_browser(environ):
        return (
            "The embedded AWS takes no change from a browser that does not say which page it comes "
            "from: allow the header Origin, or use another User-Agent for a client."
        )
    return ""


def _opens_page(environ: dict[str, Any]) -> bool:
    return environ.get("REQUEST_METHOD") == "GET" and environ.get("PATH_INFO") == "/"


def _is_browser(environ: dict[str, Any]) -> bool:
    return (
        "HTTP_ORIGIN" in environ
        or environ.get("HTTP_USER_AGENT", "").startswith(_BROWSER)
        or any(name.startswith("HTTP_SEC_FETCH_") for name in environ)
    )


def is_loopback(host: str) -> bool:
    """Return whether a `Host` header names the loopback itself."""
    return _name(host) in ("127.0.0.1", "localhost", "::1")


def _name(host: str) -> str:
    name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
    return name.strip("[]").lower().rstrip(".")


def is_ours(host: str) -> bool:
    """Return whether a `Host` header names the loopback or a domain of AWS."""
    name = _name(host)
    if any(name == domain or name.endswith(f".{domain}") for domain in _DOMAINS):
        return True
    # With a prefix, as an S3 bucket's or `sync-` of Step Functions.
    if _PREFIXED.search(name):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
