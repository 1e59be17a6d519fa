"""Which requests a browser may send: those of the page itself, and those that a person opens.

The server listens on the loopback only, but a browser brings other sites' requests there: a
site's script may post a form to it, and a name of the site's may be made to point to it (DNS
rebinding). AWS clients send no `Origin`, and name this machine or AWS's own domains as `Host`.
"""

import ipaddress
import json
from collections.abc import Callable, Iterable
from typing import Any

from local_aws.server.admin_api import Wsgi

# What moto tells services by, and what the AWS clients of this machine are configured with.
_DOMAINS = ("localhost", "amazonaws.com", "amazonaws.com.cn", "api.aws")
_FOREIGN = ("cross-site", "same-site")


def guarded(application: Wsgi) -> Wsgi:
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
    origin = environ.get("HTTP_ORIGIN", "")
    if origin and origin != f"http://{host}":
        return f"The embedded AWS takes no requests from pages of {origin!r}."
    # A link may lead here; anything else from another site may not.
    if environ.get("HTTP_SEC_FETCH_SITE") in _FOREIGN and (
        environ.get("HTTP_SEC_FETCH_MODE") != "navigate"
        or environ.get("REQUEST_METHOD") != "GET"
        or environ.get("PATH_INFO") != "/"
    ):
        return "The embedded AWS takes no requests from pages of other sites."
    return ""


def is_ours(host: str) -> bool:
    """Return whether a `Host` header names the loopback or a domain of AWS."""
    name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
    name = name.strip("[]").lower().rstrip(".")
    if any(name == domain or name.endswith(f".{domain}") for domain in _DOMAINS):
        return True
    # With a prefix, as an S3 bucket's or `sync-` of Step Functions: no browser takes such a name.
    if name.endswith("127.0.0.1"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
