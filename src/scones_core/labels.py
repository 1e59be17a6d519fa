"""Class names and the order in which a model answers them."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from scones_core.errors import SettingsError
from scones_core.limits import CUSTOM_ATTRIBUTES_CHARACTERS, MAX_CLASSES

_PLAIN = re.compile(r"[A-Za-z0-9_.-]+")
_ATTRIBUTE = re.compile(r"(?:^|[;\s])labels=([^;\s]*)")


@dataclass(frozen=True, slots=True)
class LabelSet:
    """Class names in model order: index 0 is the first probability of every answer.

    One that is constructed may be the part of a model's classes that a source has, down to none.
    Raises SettingsError for a repeated or an empty name.
    """

    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(set(self.names)) != len(self.names) or not all(self.names):
            raise SettingsError(
                f"The classes {list(self.names)} repeat a name or hold an empty one; "
                "name each class once in dataset.classes."
            )

    @classmethod
    def of(cls, names: Sequence[str]) -> "LabelSet":
        """Return a model's classes, in this order.

        Raises SettingsError for fewer than two, and for more than MAX_CLASSES.
        """
        if len(names) > MAX_CLASSES:
            raise SettingsError(
                f"A classifier has at most {MAX_CLASSES:,} classes, not {len(names):,}; "
                "list fewer in dataset.classes."
            )
        if len(names) < 2:
            raise SettingsError(
                f"A classifier needs at least two classes, not {list(names)}; "
                "list them in dataset.classes."
            )
        return cls(tuple(names))

    def index(self, name: str) -> int:
        """Return the model index of a class name; raises SettingsError for an unknown one."""
        try:
            return self.names.index(name)
        except ValueError:
            raise SettingsError(
                f"{name!r} is none of the classes {', '.join(self.names)}."
            ) from None

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)


def labels_attribute(names: Sequence[str]) -> str:
    """Return the custom attribute by which an endpoint names a model's classes, in its order.

    Empty where it would be too long, or a name cannot stand in it.
    """
    text = f"labels={','.join(names)}"
    fits = len(text) <= CUSTOM_ATTRIBUTES_CHARACTERS and all(map(_PLAIN.fullmatch, names))
    return text if fits else ""


def attributed_labels(attributes: str) -> LabelSet | None:
    """Return the classes that custom attributes of an answer name; None where they name none."""
    found = _ATTRIBUTE.search(attributes)
    try:
        return LabelSet.of(found[1].split(",")) if found else None
    except SettingsError:
        return None
