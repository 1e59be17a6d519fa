"""The project's own modules that a Lambda function needs, found from its imports."""

from modulefinder import ModuleFinder
from pathlib import Path

from scones_core.errors import BuildError

OWN_PACKAGES = ("scones_core", "scones_lambdas")


def own_modules(source: Path, handler_module: str) -> dict[str, bytes]:
    """Return the function's own sources by archive name: its module and what that imports.

    Imports are followed without running anything, also those inside functions. So a change
    to one function leaves the bundles of the others, and what is deployed of them, as it is.
    Raises BuildError where the module is missing or is no valid Python.
    """
    finder = ModuleFinder(path=[str(source)])
    try:
        finder.import_hook(handler_module)
    except ImportError as error:
        raise BuildError(
            f"The function module {handler_module} cannot be found below {source}: {error}."
        ) from error
    except SyntaxError as error:
        raise BuildError(
            f"{error.filename}:{error.lineno} is no valid Python: {error.msg}."
        ) from error
    located = (getattr(module, "__file__", None) for module in finder.modules.values())
    files = [Path(file) for file in located if file]
    names = {path.relative_to(source).as_posix(): path for path in files}
    _require_own(names, handler_module)
    _require_found(finder, handler_module)
    return {name: path.read_bytes() for name, path in sorted(names.items())}


def _require_own(names: dict[str, Path], handler_module: str) -> None:
    foreign = sorted(n for n in names if n.split("/")[0] not in OWN_PACKAGES)
    if foreign:
        raise BuildError(
            f"{handler_module} imports {foreign[0]}, which no Lambda bundle carries; "
            f"it may import {' and '.join(OWN_PACKAGES)} alone."
        )


def _require_found(finder: ModuleFinder, handler_module: str) -> None:
    missing = sorted(n for n in finder.badmodules if n.split(".")[0] in OWN_PACKAGES)
    unknown = [name for name in missing if not _is_attribute(finder, name)]
    if unknown:
        raise BuildError(f"{handler_module} imports {unknown[0]}, which does not exist.")


def _is_attribute(finder: ModuleFinder, name: str) -> bool:
    """Say whether `name` may be a value that its module defines, not a module."""
    module = finder.modules.get(name.rpartition(".")[0])
    return name.rpartition(".")[2] in getattr(module, "globalnames", {})
