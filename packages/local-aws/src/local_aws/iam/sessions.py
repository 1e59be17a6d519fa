"""Temporary credentials of roles, as the services hold them."""

import threading
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from local_aws.core.context import ACCOUNT_ID, REGION
from local_aws.iam.roles import is_enforced, moto_now, require_trust

SESSION_SECONDS = 43_200
# Credentials go into the environment of programs, so they are renewed long before their end.
_RENEWAL = timedelta(seconds=SESSION_SECONDS // 2)


@dataclass(frozen=True, slots=True)
class RoleCredentials:
    """A session's credentials, as STS hands them out."""

    access_key_id: str
    secret_access_key: str
    session_token: str

    def environment(self) -> dict[str, str]:
        """Return the variables from which every AWS client takes them."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
            "AWS_SESSION_TOKEN": self.session_token,
        }


class RoleSessions:
    """The sessions that a service holds, one for each role and session name. Thread-safe."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._lock = threading.Lock()
        self._held: dict[tuple[str, str], Any] = {}

    def credentials(
        self, role_arn: str, session_name: str, source_arn: str | None = None
    ) -> RoleCredentials:
        """Return valid credentials of a role; those at hand while they last long enough.

        Raises RoleNotAssumable when the role's trust policy does not name the service. Without
        a `source_arn` the trust was checked where the role was handed over.
        """
        if source_arn is not None and is_enforced():
            require_trust(self._service, role_arn, source_arn)
        with self._lock:
            session = self._held.get((role_arn, session_name))
            if session is None or session.expiration - moto_now() < _RENEWAL:
                session = self._held[role_arn, session_name] = _assume(role_arn, session_name)
        return RoleCredentials(
            session.access_key_id, session.secret_access_key, session.session_token
        )


def _assume(role_arn: str, session_name: str) -> Any:
    from moto.sts.models import sts_backends

    return sts_backends[ACCOUNT_ID]["aws"].assume_role(
        region_name=REGION,
        role_session_name=session_name,
        role_arn=role_arn,
        policy="",
        duration=SESSION_SECONDS,
        external_id="",
    )
