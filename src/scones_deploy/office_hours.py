"""Office hours of an environment: whether an endpoint is meant to be there now."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from scones_core.errors import DeployError
from scones_deploy.terraform.plan import Plan

WEEK = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
# A schedule starts within its minute, and an endpoint is deleted or created within some more.
MARGIN = timedelta(minutes=20)


@dataclass(frozen=True, slots=True)
class OfficeHours:
    """The hours, days and zone in which an endpoint is up; it is deleted at other times."""

    start: time
    end: time
    days: frozenset[str]
    zone: ZoneInfo

    @classmethod
    def of(cls, output: Mapping[str, Any] | None) -> Self | None:
        """Return the hours of the output `office_hours`; None where nothing is ever deleted.

        Raises DeployError for an output that is none.
        """
        if output is None or output.get("action") != "delete":
            return None
        try:
            start, end = (time.fromisoformat(output[edge]) for edge in ("from", "to"))
            return cls(start, end, frozenset(_days(output["days"])), ZoneInfo(output["timezone"]))
        except (KeyError, ValueError, TypeError, ZoneInfoNotFoundError) as error:
            raise DeployError(f"The output office_hours cannot be read ({error!r}).") from error

    def is_down(self, now: datetime) -> bool:
        """Return whether the schedules may have taken the endpoint away at `now`, an aware time.

        Also true for twenty minutes after a beginning, while it is created again.
        """
        there, ready = now.astimezone(self.zone), (now - MARGIN).astimezone(self.zone)
        return not (self._covers(there) and self._covers(ready))

    def _covers(self, at: datetime) -> bool:
        return WEEK[at.isoweekday() % 7] in self.days and self.start <= at.time() < self.end


def only_creates_endpoint(plan: Plan) -> bool:
    """Return whether all that a plan does is to create one endpoint, as after an evening."""
    return [(change.type, change.actions) for change in plan.changes] == [
        ("aws_sagemaker_endpoint", ("create",))
    ]


def _days(text: str) -> list[str]:
    """Return the days of `MON-FRI` or `MON,WED`; raises ValueError for a name that is none."""
    found: list[str] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        begin, end = WEEK.index(first), WEEK.index(last or first)
        if not re.fullmatch(r"[A-Z]{3}(-[A-Z]{3})?", part) or begin > end:
            raise ValueError(f"{part!r} is not a range of days within {WEEK[0]}-{WEEK[-1]}")
        found += WEEK[begin : end + 1]
    return found
