"""Who signs a request: the access key and scope, and whether AWS would take that key."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from local_aws.core.context import REGION
from local_aws.iam.roles import SESSION_KEY_PREFIX, has_expired, is_enforced, session_of

_QUERY_SERVICES = frozenset(
    ("autoscaling", "cloudformation", "cloudwatch", "ec2", "iam", "sns", "sqs", "sts")
)


@dataclass(frozen=True, slots=True)
class Signed:
    """The credential scope of a request; the texts are "" where it is not signed."""

    key: str = ""
    region: str = REGION
    service: str = ""


class KeyRefused(Exception):
    """The access key is that of no session, or of one whose time is over."""

    def __init__(self, *, expired: bool) -> None:
        said = "is expired" if expired else "is invalid."
        super().__init__(f"The security token included in the request {said}")
        self.expired = expired

    def code_for(self, service: str) -> str:
        """Return the error code of a service; those of the query protocol have their own."""
        if service in _QUERY_SERVICES:
            return "ExpiredToken" if self.expired else "InvalidClientTokenId"
        return "ExpiredTokenException" if self.expired else "UnrecognizedClientException"


def signed_by(environ: dict[str, Any]) -> Signed:
    """Return who signed a WSGI request, by its header or its presigned query."""
    return signed_with(
        environ.get("HTTP_AUTHORIZATION", ""),
        parse_qs(environ.get("QUERY_STRING", "")).get("X-Amz-Credential", [""])[0],
    )


def signed_with(authorization: str, presigned: str = "") -> Signed:
    """Return the credential scope of a SigV4 header, else of a presigned URL's parameter."""
    credential = authorization.partition("Credential=")[2] or presigned
    parts = credential.split(",")[0].split("/")
    return Signed(parts[0], parts[2], parts[3]) if len(parts) > 3 else Signed()


def require_valid_key(key: str) -> None:
    """Raise KeyRefused for a session key that nobody was given, or whose time is over."""
    if not key.startswith(SESSION_KEY_PREFIX) or not is_enforced():
        return
    session = session_of(key)
    if session is None or has_expired(session):
        raise KeyRefused(expired=session is not None)
