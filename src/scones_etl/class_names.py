"""Names of classes that can be part of an S3 key and of a path."""

import re
import unicodedata
from collections.abc import Iterable

from scones_core.class_folders import printable
from scones_core.errors import DatasetError

# A class name becomes a part of S3 keys and of paths.
_MAX_NAME = 64
_CLASS_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


def require_plain_names(classes: Iterable[str]) -> None:
    """Do nothing if each class name can be a folder's, else raise DatasetError."""
    for name in classes:
        if not _CLASS_NAME.fullmatch(name):
            raise DatasetError(
                f"The class name {name!r} cannot be part of an S3 key{_why(name)}. A class "
                "name has up to 64 letters a-z, digits, _, - and ., the first a letter or digit: "
                "map it in "
                f"dataset.class_names, as {printable(name)!r} = {suggested_name(name)!r}."
            )


def _why(name: str) -> str:
    if not name:
        return ": it is empty"
    if len(name) > _MAX_NAME:
        return f": it has {len(name)} characters"
    if " " in name:
        return ": it contains a space"
    odd = next((c for c in name if not re.match(r"[A-Za-z0-9_.-]", c)), "")
    if not odd:
        return f": it begins with {name[0]!r}"
    return f": it contains {odd!r}"


def suggested_name(name: str) -> str:
    """Return a class name that can be part of an S3 key and is like the given one."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    joined = re.sub(r"[^A-Za-z0-9_.-]+", "_", plain).strip("_.-")
    return joined[:_MAX_NAME] or "class"
