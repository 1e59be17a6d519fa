"""Faults of an embedded AWS's services, asked for over its own HTTP path."""

import json
import urllib.request
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Faults:
    """The faults of one server; as a context manager they are removed at the end."""

    endpoint_url: str

    def add(self, service: str, **fault: Any) -> None:
        """Have requests of a service fail; `fault` has what `local_aws.core.faults.Fault` has."""
        self._ask("POST", {"service": service, **fault})

    def met(self) -> int:
        """Return how many requests the faults have met so far."""
        return sum(fault["met"] for fault in self._ask("GET"))

    def remove(self) -> list[dict[str, Any]]:
        """Remove all faults; return them, each with how many requests it `met`."""
        found: list[dict[str, Any]] = self._ask("DELETE")
        return found

    def __enter__(self) -> "Faults":
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    def _ask(self, method: str, body: dict[str, Any] | None = None) -> Any:
        url = f"{self.endpoint_url}/_local_aws/faults"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, method=method)  # noqa: S310 - loopback
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            return json.load(answer)
