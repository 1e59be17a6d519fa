"""Lambda zips: deterministic, from locked wheels and the function's own modules.

boto3 is not bundled: the runtime has it. Terraform reads `manifest.json` and uploads the zips
as they are.
"""

import base64
import hashlib
import json
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

from scones_core.errors import BuildError
from scones_core.files import write_if_changed
from scones_core.settings import BundleSettings
from scones_deploy.archive import content_sha256, zip_bytes
from scones_deploy.modules import own_modules
from scones_deploy.wheels import dependency_tree, locked

FUNCTIONS = ("serialize_image", "classify_image", "filter_inferences")
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

    `root` is the project: its `src` and `requirements/lambda.lock` go in. `cache` (by default
    `<root>/.cache`) keeps unpacked wheels, so a rebuild needs no network. The manifest is
    written last; a file whose content is unchanged is left untouched.
    Raises BuildError where a wheel or module is missing, or a bundle exceeds its budget; then
    nothing in `out` has changed.
    """
    lock = root / "requirements" / "lambda.lock"
    wheels = _read_tree(dependency_tree(lock, cache or root / ".cache"))
    zips: dict[Path, bytes] = {}
    bundles: dict[str, Bundle] = {}
    for name in FUNCTIONS:
        entries = {**wheels, **own_modules(root / "src", f"scones_lambdas.{name}")}
        zips[out / f"{name}.zip"] = packed = zip_bytes(entries)
        _require_budget(name, entries, packed, settings)
        shown = _shown(root, out / f"{name}.zip")
        bundles[name] = _describe(name, shown, entries, packed, tuple(locked(lock)))
    manifest = BundleManifest(bundles)
    for path, packed in zips.items():
        write_if_changed(path, packed)
    write_if_changed(out / MANIFEST, manifest.dumps().encode())
    return manifest


def _read_tree(tree: Path) -> dict[str, bytes]:
    files = (path for path in tree.rglob("*") if path.is_file())
    return {path.relative_to(tree).as_posix(): path.read_bytes() for path in files}


def _shown(root: Path, path: Path) -> str:
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
