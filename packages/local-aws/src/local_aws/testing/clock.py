"""The clock of an embedded AWS, driven over its own HTTP path."""

import datetime
import json
import urllib.request
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Clock:
    endpoint_url: str

    def now(self) -> datetime.datetime:
        return datetime.datetime.fromisoformat(self._ask(None)["now"])

    def advance(self, seconds: float) -> None:
        """Go forward; what falls due on the way has been done when this returns."""
        self._ask({"advance_seconds": seconds})

    def _ask(self, body: dict[str, Any] | None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        url = f"{self.endpoint_url}/_local_aws/clock"
        request = urllib.request.Request(url, data)  # noqa: S310 - the loopback server's own
        with urllib.request.urlopen(request, timeout=120) as answer:  # noqa: S310
            found: dict[str, Any] = json.load(answer)
            return found
