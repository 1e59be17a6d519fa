"""The price table: `prices.json` beside this file, with its date, region and sources."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scones_core.errors import CostError

TABLE = Path(__file__).with_name("prices.json")


@dataclass(frozen=True, slots=True)
class Prices:
    """Unit prices by name and hosting prices an hour by instance type, in `currency`.

    `checked` is the day on which the table was last compared with its sources.
    """

    checked: str
    region: str
    currency: str
    unit: Mapping[str, float]
    hosting: Mapping[str, float]

    @classmethod
    def load(cls, path: Path = TABLE) -> "Prices":
        """Return the table; raises CostError, naming the file, where it is none."""
        try:
            body: dict[str, Any] = json.loads(path.read_bytes())
            return cls(
                checked=body["checked"],
                region=body["region"],
                currency=body["currency"],
                unit={name: float(item["usd"]) for name, item in body["prices"].items()},
                hosting={name: float(usd) for name, usd in body["hosting_hour"]["usd"].items()},
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise CostError(f"{path} is no price table ({error!r}); restore it.") from error

    def __getitem__(self, name: str) -> float:
        try:
            return self.unit[name]
        except KeyError:
            raise CostError(f"The price table {TABLE} has no {name}; add it there.") from None

    def hour(self, instance_type: str) -> float:
        """Return what an hour of a hosting instance costs; raises CostError for another type."""
        try:
            return self.hosting[instance_type]
        except KeyError:
            raise CostError(
                f"The price table {TABLE} ({self.region}, {self.checked}) has no {instance_type}; "
                f"add its price an hour there. It has {', '.join(sorted(self.hosting))}."
            ) from None
