"""Lambda zips: deterministic, from locked wheels and the function's own modules.

boto3 is not bundled: the runtime has it. Terraform reads `manifest.json` and uploads the zips
as they are.
"""

import base64
import hashlib
import io
import json
import zipfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from modulefinder import ModuleFinder
from pathlib import Path

from scones_core.errors import BuildError
from scones_core.files import write_if_changed
from scones_core.settings import BundleSettings
from scones_deploy.wheels import TARGET_FILE, Target, dependency_tree, locked

FUNCTIONS = (
    "serialize_image",
    "classify_image",
    "filter_inferences",
    "classify_batch",
    "record_results",
    "collect_inbox",
)
MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class Bundle:
    """One function's zip. `path` is relative to the project where it lies inside it.

    `source_code_hash` is the base64 of the zip's SHA-256, as Lambda reports it; sizes are in
    bytes; `content_sha256` identifies names and contents, whatever compressed them.
    """

    path: str
    handler: str
    sha256: str
    source_code_hash: str
    content_sha256: str
    zip_bytes: int
    unzipped_bytes: int
    dependencies: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BundleManifest:
    """Every function's bundle by name, as `manifest.json` holds them."""

    bundles: dict[str, Bundle]

    def dumps(self) -> str:
        """Return the manifest as JSON: sorted keys, the same text for the same content."""
        return json.dumps(asdict(self), sort_keys=True, indent=2) + "\n"

    @classmethod
    def read(cls, out: Path) -> "BundleManifest":
        """Return the manifest in a folder of bundles; raises BuildError where it is none."""
        path = out / MANIFEST
        try:
            bodies = json.loads(path.read_bytes())["bundles"]
            return cls({name: Bundle(**body) for name, body in bodies.items()})
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise BuildError(f"{path} cannot be read ({error}); run `inv build`.") from error


def build_bundles(
    root: Path, out: Path, *, settings: BundleSettings, cache: Path | None = None
) -> BundleManifest:
    """Write a zip for each function and `manifest.json` into `out`; return the manifest.

    `root` is the project: its `src` and `requirements/lambda.lock` go in, for the Python and the
    processor that its Terraform deploys to. `cache` (by default
    `<root>/.cache`) keeps unpacked wheels, so a rebuild needs no network. The manifest is
    written last; a file whose content is unchanged is left untouched.
    Raises BuildError where a wheel or module is missing, or a bundle exceeds its budget; then
    nothing in `out` has changed.
    """
    lock = root / "requirements" / "lambda.lock"
    target = Target.read(root / TARGET_FILE)
    wheels = _read_tree(dependency_tree(lock, cache or root / ".cache", target))
    zips: dict[Path, bytes] = {}
    bundles: dict[str, Bundle] = {}
    for name in FUNCTIONS:
        entries = {**wheels, **own_modules(root / "src", f"scones_lambdas.{name}")}
        zips[out / f"{name}.zip"] = packed = zip_bytes(entries)
        _require_budget(name, entries, packed, settings)
        shown = _display_path(root, out / f"{name}.zip")
        bundles[name] = _describe(name, shown, entries, packed, tuple(locked(lock)))
    manifest = BundleManifest(bundles)
    for path, packed in zips.items():
        write_if_changed(path, packed)
    write_if_changed(out / MANIFEST, manifest.dumps().encode())
    return manifest


def _read_tree(tree: Path) -> dict[str, bytes]:
    files = (path for path in tree.rglob("*") if path.is_file())
    return {path.relative_to(tree).as_posix(): path.read_bytes() for path in files}


def _display_path(root: Path, path: Path) -> str:
    inside = path.resolve().is_relative_to(root.resolve())
    return (path.resolve().relative_to(root.resolve()) if inside else path.resolve()).as_posix()


def _describe(
    name: str, path: str, entries: dict[str, bytes], packed: bytes, dependencies: tuple[str, ...]
) -> Bundle:
    digest = hashlib.sha256(packed)
    return Bundle(
        path=path,
        handler=f"scones_lambdas.{name}.handler",
        sha256=digest.hexdigest(),
        source_code_hash=base64.b64encode(digest.digest()).decode(),
        content_sha256=content_sha256(entries),
        zip_bytes=len(packed),
        unzipped_bytes=_size(entries),
        dependencies=dependencies,
    )


def _size(entries: dict[str, bytes]) -> int:
    return sum(map(len, entries.values()))


def _require_budget(
    name: str, entries: dict[str, bytes], packed: bytes, settings: BundleSettings
) -> None:
    for size, limit, setting in (
        (len(packed), settings.max_zip_bytes, "max_zip_bytes"),
        (_size(entries), settings.max_unzipped_bytes, "max_unzipped_bytes"),
    ):
        if size > limit:
            raise BuildError(
                f"The bundle {name} has {size:,} bytes, over bundle.{setting} = {limit:,}; "
                f"its largest parts are {_largest(entries)}."
            )


def _largest(entries: dict[str, bytes]) -> str:
    parts: Counter[str] = Counter()
    for name, content in entries.items():
        parts[name.split("/")[0]] += len(content)
    return ", ".join(f"{part} ({size:,} bytes unzipped)" for part, size in parts.most_common(3))


OWN_PACKAGES = ("scones_core", "scones_lambdas")


def own_modules(source: Path, handler_module: str) -> dict[str, bytes]:
    """Return the function's own sources by archive name: its module and what that imports.

    Imports are followed without running anything, also those inside functions. So a change
    to one function leaves the bundles of the others, and what is deployed of them, as it is.
    Raises BuildError where the module is missing or is not valid Python.
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
            f"{error.filename}:{error.lineno} is not valid Python: {error.msg}."
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
            f"it may import only {' and '.join(OWN_PACKAGES)}."
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


EPOCH = (1980, 1, 1, 0, 0, 0)
UNIX = 3
REGULAR_0644 = 0o100644 << 16


def zip_bytes(entries: Mapping[str, bytes]) -> bytes:
    """Return a zip of these contents by archive name: sorted, 1980-01-01, 0644, no folders."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(entries):
            info = zipfile.ZipInfo(name, EPOCH)
            info.create_system = UNIX
            info.external_attr = REGULAR_0644
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, entries[name], compresslevel=9)
    return buffer.getvalue()


def content_sha256(entries: Mapping[str, bytes]) -> str:
    """Return the identity of the contents: 64 hexadecimal digits over sorted names and bytes.

    Unlike the zip's own hash it does not depend on the zlib that compressed it.
    """
    digest = hashlib.sha256()
    for name in sorted(entries):
        digest.update(f"{name}\0{hashlib.sha256(entries[name]).hexdigest()}\n".encode())
    return digest.hexdigest()
