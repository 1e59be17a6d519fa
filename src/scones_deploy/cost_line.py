"""One item of an estimate, and the units that items are counted in."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from scones_deploy.applied import AppliedResource

HOURS = 730.0
GB = 1e9
MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Line:
    """One item: what stands for a month without any image, and for each million images."""

    service: str
    what: str
    month: float = 0.0
    million: float = 0.0


def of(resources: Iterable[AppliedResource], kind: str) -> list[Mapping[str, Any]]:
    """Return the values of the resources of one type."""
    return [resource.values for resource in resources if resource.type == kind]
