"""How a section of the settings is read: each value checked against its field's type."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_type_hints

from scones_core.errors import SettingsError


def read_tables(path: Path) -> dict[str, Any]:
    """Return what a TOML file holds, nothing when it is absent; raises SettingsError."""
    if not path.exists():
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is no TOML: {error}.") from error


def section(kind: type, name: str, table: Any, path: Path, environ: Mapping[str, str]) -> Any:
    """Return `kind`, a dataclass, from a file's table under the environment's variables.

    Raises SettingsError, naming file or variable, key and expected type.
    """
    if not isinstance(table, dict):
        raise SettingsError(f"{path}: {name} must be a section: write [{name}].")
    hints = get_type_hints(kind)
    unknown = set(table) - set(hints)
    if unknown:
        raise SettingsError(
            f"{path}: [{name}] has no setting {min(unknown)!r}; it has {', '.join(hints)}."
        )
    values = {
        key: _typed(value, hints[key], f"{path}: {name}.{key}") for key, value in table.items()
    }
    _refuse_unknown_variables(name, hints, environ)
    for key, hint in hints.items():
        variable = f"SCONES_{name}_{key}".upper()
        if variable in environ:
            values[key] = _parse(environ[variable], hint, variable)
    return kind(**values)


def _refuse_unknown_variables(
    name: str, keys: Mapping[str, Any], environ: Mapping[str, str]
) -> None:
    prefix = f"SCONES_{name}_".upper()
    unknown = {v for v in environ if v.startswith(prefix)} - {prefix + k.upper() for k in keys}
    if unknown:
        raise SettingsError(
            f"The variable {min(unknown)} sets nothing: [{name}] has {', '.join(keys)}."
        )


def _typed(value: Any, hint: Any, where: str) -> Any:
    wanted = _plain(hint)
    if wanted is tuple and isinstance(value, list) and all(isinstance(v, str) for v in value):
        return tuple(value)
    if wanted is float and type(value) is int:
        return float(value)
    if wanted is not tuple and type(value) is wanted:
        return value
    raise SettingsError(f"{where} must be {_word(wanted)}, not {value!r}.")


def _parse(text: str, hint: Any, where: str) -> Any:
    wanted = _plain(hint)
    try:
        if wanted is tuple:
            return tuple(part.strip() for part in text.split(",") if part.strip())
        if wanted is bool:
            return {"1": True, "true": True, "0": False, "false": False}[text.lower()]
        return wanted(text)
    except (ValueError, KeyError):
        raise SettingsError(f"{where} must be {_word(wanted)}, not {text!r}.") from None


def _plain(hint: Any) -> type:
    """Return the type behind `X | None` and `tuple[X, ...]`."""
    if isinstance(hint, UnionType):
        hint = next(arg for arg in get_args(hint) if arg is not type(None))
    plain: type = getattr(hint, "__origin__", hint)
    return plain


def _word(kind: type) -> str:
    words = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
    return words.get(kind, "a list of texts")
