"""What the business makes of a class: a vehicle's loading bay, and how far its orders may be.

`[assignment.bicycle] bay = "A", orders = "near", max_km = 3` in scones.toml; written by
`inv release` next to the releases, checked by Terraform against the labels, and read by the
functions. Without any assignment the workflow classifies only.
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from scones_core.errors import SettingsError

Orders = Literal["near", "far"]

MAX_NAMES = 10
"""Classes that an error names; further ones are counted."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """Where a vehicle loads and which orders it gets, up to `max_km` kilometres away.

    `vehicle` is the class name. Raises SettingsError for a value that is not of this form.
    """

    vehicle: str
    bay: str
    orders: Orders
    max_km: float

    def __post_init__(self) -> None:
        where = f"[assignment.{self.vehicle}]"
        if not isinstance(self.bay, str) or not 1 <= len(self.bay.strip()) <= 64:
            raise SettingsError(f"{where} bay must be a string of 1 to 64 characters.")
        if self.orders not in get_args(Orders):
            raise SettingsError(f'{where} orders must be "near" or "far", not {self.orders!r:.40}.')
        if type(self.max_km) not in (int, float) or not 0 < self.max_km < math.inf:
            raise SettingsError(
                f"{where} max_km must be a number of kilometres over 0, not {self.max_km!r:.40}."
            )


def radius_text(orders: str, max_km: float) -> str:
    """Return which orders an assignment gives, as `near, up to 3 km`."""
    return f"{orders}, up to {max_km:g} km"


def parse_assignments(table: Any) -> dict[str, Assignment]:
    """Return the assignments of a table by class name: `{"bicycle": {"bay": "A", ...}}`.

    Raises SettingsError, naming the class, for a table that is not of this form.
    """
    if not isinstance(table, Mapping):
        raise SettingsError("Assignments are tables by class name: [assignment.<class>].")
    found = {}
    for name, values in table.items():
        if not isinstance(values, Mapping) or set(values) != {"bay", "orders", "max_km"}:
            raise SettingsError(f"[assignment.{name}] must have bay, orders and max_km, no more.")
        found[name] = Assignment(name, **values)
    return found


def assignments_table(assignments: Mapping[str, Assignment]) -> dict[str, dict[str, Any]]:
    """Return the table that `parse_assignments` reads."""
    bodies = {name: asdict(each) for name, each in assignments.items()}
    return {
        name: {k: v for k, v in body.items() if k != "vehicle"} for name, body in bodies.items()
    }


def require_assignments(
    assignments: Collection[str], labels: Collection[str], others: Collection[str] = ()
) -> None:
    """Raise SettingsError unless each label has an assignment and no unknown class has one.

    `others` are classes that may have one, too: of earlier releases, and of those to come. None at
    all is allowed: then images are classified and lead to no assignment.
    """
    if not assignments:
        return
    if missing := [label for label in labels if label not in assignments]:
        several = len(missing) > 1
        more = f" and {len(missing) - MAX_NAMES} more" if len(missing) > MAX_NAMES else ""
        raise SettingsError(
            f"The {'classes' if several else 'class'} {', '.join(missing[:MAX_NAMES])}{more} "
            f"{'have' if several else 'has'} no assignment: write [assignment.{missing[0]}]"
            f"{', and so on,' if several else ''} with bay, orders and max_km into scones.toml, or "
            "remove all assignments to classify only."
        )
    if unknown := [name for name in assignments if name not in {*labels, *others}]:
        raise SettingsError(
            f"[assignment.{unknown[0]}] is about no class of the model, which has "
            f"{', '.join(labels)}; correct it in scones.toml, or add a class that is to come to "
            "dataset.classes."
        )
