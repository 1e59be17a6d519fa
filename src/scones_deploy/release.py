"""Releases: what an endpoint serves, in the file that Terraform reads as variables.

`terraform/environments/<env>/release.tfvars.json` holds every release and names the active
one. A rollback activates an earlier release; no release is ever changed.
"""

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scones_core.assignments import Assignment, assignments_table, parse_assignments
from scones_core.errors import ReleaseError, SconesError, SettingsError
from scones_core.files import write_if_changed
from scones_core.json_text import parse_json
from scones_core.labels import LabelSet
from scones_core.uris import S3Uri

# Fields that releases of an earlier version of this project do not have.
LATER = frozenset({"model_package_arn", "gate_override"})


@dataclass(frozen=True, slots=True)
class Release:
    """One model, and how it is served.

    `id` has 1 to 20 of a-z, 0-9 and "-"; `image` is a container image with tag or digest;
    `model_data_url` the S3 location of model.tar.gz and `model_sha256` its hash; `threshold`
    the lowest confidence that is accepted, over 0 and at most 1; `labels` in model order;
    `model_package_arn` that of the approved candidate; `gate_override` the reason for overriding
    the quality gate, and its verdict.
    Raises ReleaseError for a field that is not of this form.
    """

    id: str
    image: str
    model_data_url: str
    model_sha256: str
    instance_type: str
    instance_count: int
    threshold: float
    labels: tuple[str, ...]
    dataset_version: str
    environment: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    model_package_arn: str = ""
    gate_override: str = ""

    def __post_init__(self) -> None:
        for name, valid, form in _checks(self):
            if not valid:
                raise ReleaseError(
                    f"Release {self.id!r}: {name} must be {form}, not {getattr(self, name)!r}."
                )


def require_share(share: float, otherwise: str) -> None:
    """Raise ReleaseError for a share that no challenger has; `otherwise` makes it answer all."""
    if not is_number(share, 0, 1) or share in (0, 1):
        raise ReleaseError(
            f"A challenger's share must lie between 0 and 1, not {share!r}: {otherwise} the active "
            "release, which answers all."
        )


@dataclass(frozen=True, slots=True)
class Challenger:
    """A release that answers a share of the requests, between 0 and 1, in the active one's place.

    Raises ReleaseError for another share.
    """

    release: str
    share: float

    def __post_init__(self) -> None:
        require_share(self.share, f"`inv rollback {self.release}` makes it")


@dataclass(frozen=True, slots=True)
class Releases:
    """Every release by id, and the id of the one in service; None where there is none.

    `assignments` are those of the classes, whichever release is in service.
    """

    active: str | None = None
    releases: Mapping[str, Release] = field(default_factory=dict)
    assignments: Mapping[str, Assignment] = field(default_factory=dict)
    challenger: Challenger | None = None

    def dumps(self) -> str:
        """Return Terraform's variables of the fields' names as JSON, keys sorted."""
        bodies = {name: _body(release) for name, release in self.releases.items()}
        body = {
            "active_release": self.active,
            "releases": bodies,
            "assignments": assignments_table(self.assignments),
            **({"challenger": asdict(self.challenger)} if self.challenger else {}),
        }
        return json.dumps(body, sort_keys=True, indent=2, allow_nan=False) + "\n"


def release_id(now: datetime, model_sha256: str) -> str:
    """Return `<yyyymmdd>-<hhmmss>-<4 digits of the model's hash>`, in UTC: ids sort by time."""
    return f"{now.astimezone(UTC):%Y%m%d-%H%M%S}-{model_sha256[:4]}"


def read_releases(path: Path) -> Releases:
    """Return the releases of an environment; none where the file does not exist.

    Raises ReleaseError, naming the file, for one that is not as this project writes it.
    """
    try:
        body = parse_json(path.read_text(encoding="utf-8"))
        releases = {name: _release(name, value) for name, value in body["releases"].items()}
        active = body["active_release"]
        # An earlier version of this project wrote none.
        assignments = parse_assignments(body.get("assignments", {}))
        challenger = Challenger(**body["challenger"]) if body.get("challenger") else None
    except FileNotFoundError:
        return Releases()
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SconesError) as error:
        raise ReleaseError(
            f"{path} is not a release file ({error}); restore it from version control."
        ) from error
    if active is not None and active not in releases:
        raise ReleaseError(f"{path} activates {active!r}, which is none of its releases.")
    if challenger is not None and challenger.release not in releases:
        raise ReleaseError(
            f"{path} has {challenger.release!r} challenge the active release, and it is none of "
            "its releases."
        )
    return Releases(active, releases, assignments, challenger)


def add_release(
    path: Path,
    release: Release,
    *,
    activate: bool = True,
    assignments: Mapping[str, Assignment] | None = None,
) -> Releases:
    """Write one more release into the file, active unless `activate` is false; return them all.

    See `with_release`.
    """
    known = read_releases(path)
    return write_releases(
        path, with_release(known, release, activate=activate, assignments=assignments)
    )


def with_release(
    known: Releases,
    release: Release,
    *,
    activate: bool = True,
    share: float | None = None,
    assignments: Mapping[str, Assignment] | None = None,
) -> Releases:
    """Return the releases with one more, active unless `activate` is false; nothing is written.

    With a `share` it challenges the active one. `assignments` replace those of the file, None
    keeps them.

    What differs from a release of the file only in its id is that release: none is added, and
    the older one is activated. Raises ReleaseError where the id is taken by another content:
    endpoint configurations carry it in their names; and where it cannot challenge the active one.
    """
    if assignments is not None:
        known = replace(known, assignments=assignments)
    name = same_release(known, release)
    if not name:
        if known.releases.get(release.id, release) != release:
            raise ReleaseError(
                f"Release {release.id} exists already with another content; give this one a new id."
            )
        name = release.id
        known = replace(known, releases={**known.releases, name: release})
    if share is not None:
        return _challenged(known, name, share)
    return _activated(known, name) if activate else known


def same_release(known: Releases, release: Release) -> str:
    """Return the id of the release that differs from this one in its id at most; "" for none."""
    same = (n for n, other in known.releases.items() if replace(other, id=release.id) == release)
    return next(same, "")


def activate(
    path: Path, release: str | None, *, assignments: Mapping[str, Assignment] | None = None
) -> Releases:
    """Make a release of the file the active one, or none of them; return them all.

    `assignments` replace those of the file, None keeps them. Another active release than before
    has no challenger. Raises ReleaseError for an id that the file does not have.
    """
    known = read_releases(path)
    if release is not None and release not in known.releases:
        raise ReleaseError(
            f"There is no release {release!r} in {path}; "
            f"it has {', '.join(sorted(known.releases)) or 'none'}."
        )
    if assignments is not None:
        known = replace(known, assignments=assignments)
    return write_releases(path, _activated(known, release))


def challenge(path: Path, release: str, share: float) -> Releases:
    """Have a release of the file answer a share of the requests next to the active one.

    Replaces an earlier challenger, or its share; returns them all. Raises ReleaseError where
    there is no active release, or the two are not different ones with the same labels.
    """
    known = read_releases(path)
    if known.active is not None and release not in known.releases:
        raise ReleaseError(
            f"There is no release {release!r} in {path}; "
            f"it has {', '.join(sorted(known.releases))}."
        )
    return write_releases(path, _challenged(known, release, share))


def _challenged(known: Releases, release: str, share: float) -> Releases:
    if known.active is None:
        raise ReleaseError("There is no active release to be challenged: inv release")
    if release == known.active:
        raise ReleaseError(f"{release} is the active release; another one can challenge it.")
    theirs, own = (known.releases[name].labels for name in (release, known.active))
    if theirs != own:
        raise ReleaseError(
            f"{release} answers {', '.join(theirs)} and the active release {', '.join(own)}: two "
            "releases on one endpoint have the same classes in the same order. `inv rollback "
            f"{release}` makes it the active release without a comparison."
        )
    return replace(known, challenger=Challenger(release, share))


def end_challenge(path: Path) -> Releases:
    """Have the active release answer all requests again; return the releases."""
    return write_releases(path, replace(read_releases(path), challenger=None))


def _activated(known: Releases, release: str | None) -> Releases:
    """Return the releases with another active one, whose challenger nobody has named yet."""
    challenger = known.challenger if release == known.active else None
    return replace(known, active=release, challenger=challenger)


def drop_releases(path: Path, gone: Iterable[str]) -> Releases:
    """Take releases out of the file, the active one too; return those that are left.

    Without any left the file is removed: it says nothing then.
    """
    known, dropped = read_releases(path), set(gone)
    left = {name: release for name, release in known.releases.items() if name not in dropped}
    if not left:
        path.unlink(missing_ok=True)
        return Releases()
    known = known if known.active not in dropped else _activated(known, None)
    if known.challenger and known.challenger.release in dropped:
        known = replace(known, challenger=None)
    return write_releases(path, replace(known, releases=left))


def require_same_assignments(path: Path, settings: Mapping[str, Assignment]) -> None:
    """Raise ReleaseError where a release file and the settings assign a class differently.

    A file without releases says nothing of assignments. A class that only the settings assign and
    the active release does not know is one to come: the release that knows it brings it.
    """
    known = read_releases(path)
    served = known.releases[known.active].labels if known.active else ()
    to_come = settings.keys() - known.assignments.keys() - set(served)
    names = sorted((known.assignments.keys() | settings.keys()) - to_come)
    odd = [name for name in names if known.assignments.get(name) != settings.get(name)]
    if known.releases and odd:
        raise ReleaseError(
            f"The assignment of {odd[0]} is {_assigned(known.assignments, odd[0])} in {path.name} "
            f"and {_assigned(settings, odd[0])} in scones.toml; `inv release`, or `inv "
            "rollback` to the release that is to serve, writes what scones.toml says into the file."
        )


def _assigned(assignments: Mapping[str, Assignment], name: str) -> str:
    found = assignments.get(name)
    return f"bay {found.bay}, {found.orders}, {found.max_km:g} km" if found else "none"


def write_releases(path: Path, releases: Releases) -> Releases:
    """Write the file of an environment's releases where it differs, and return them."""
    write_if_changed(path, releases.dumps().encode())
    return releases


def _body(release: Release) -> dict[str, Any]:
    return {key: value for key, value in asdict(release).items() if key != "id"}


def _release(name: str, body: Mapping[str, Any]) -> Release:
    known = {f.name for f in fields(Release)} - {"id"}
    odd = (set(body) - known) | (known - set(body) - LATER)
    if odd:
        lacks = min(odd) in known
        raise ReleaseError(f"release {name!r} {'lacks' if lacks else 'has an unknown'} {min(odd)}")
    return Release(**{**body, "id": name, "labels": _tuple(body["labels"])})


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _checks(release: Release) -> list[tuple[str, bool, str]]:
    texts = "a map from string to string"
    return [
        ("id", matches(ID, release.id), "1 to 20 of a-z, 0-9 and inner -"),
        (
            "image",
            matches(IMAGE, release.image),
            "an image with its registry and a digest, or a tag other than latest",
        ),
        ("model_data_url", is_artifact(release.model_data_url), "s3://<bucket>/….tar.gz"),
        ("model_sha256", matches(SHA256, release.model_sha256), "64 hexadecimal digits"),
        ("instance_type", matches(INSTANCE_TYPE, release.instance_type), "like ml.m5.large"),
        ("instance_count", is_count(release.instance_count), "an integer of at least 1"),
        ("threshold", is_share(release.threshold), "greater than 0 and at most 1"),
        ("labels", is_labels(release.labels), "two or more different names"),
        ("dataset_version", is_text(release.dataset_version), "a string"),
        ("environment", is_map(release.environment, lambda v: isinstance(v, str)), texts),
        ("metrics", is_map(release.metrics, is_number), "a map from string to finite number"),
        ("model_package_arn", isinstance(release.model_package_arn, str), "a string"),
        ("gate_override", isinstance(release.gate_override, str), "a string"),
    ]


ID = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,18}[a-z0-9])?")
SHA256 = re.compile(r"[0-9a-f]{64}")
IMAGE = re.compile(
    r"[a-z0-9][a-z0-9.:-]*/[a-z0-9][a-z0-9._/-]*"
    r"(?:@sha256:[0-9a-f]{64}|:(?!latest$)[A-Za-z0-9_][A-Za-z0-9._-]*)"
)
INSTANCE_TYPE = re.compile(r"ml\.[a-z0-9-]+\.[a-z0-9]+")


def matches(pattern: re.Pattern[str], value: Any) -> bool:
    """Say whether a value is a text of this form."""
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def is_text(value: Any) -> bool:
    """Say whether a value is a text that says something."""
    return isinstance(value, str) and bool(value.strip())


def is_number(value: Any, low: float = -math.inf, high: float = math.inf) -> bool:
    """Say whether a value is a finite number in these bounds."""
    return type(value) in (int, float) and math.isfinite(value) and low <= value <= high


def is_share(value: Any) -> bool:
    """Return whether a value is a number greater than 0 and at most 1."""
    return is_number(value, 0, 1) and value > 0


def is_count(value: Any) -> bool:
    """Say whether a value is an integer of at least 1."""
    return type(value) is int and value >= 1


def is_map(value: Any, valid: Any) -> bool:
    """Say whether a value maps texts to values of which `valid` is true."""
    return isinstance(value, Mapping) and all(is_text(k) and valid(v) for k, v in value.items())


def is_artifact(value: Any) -> bool:
    """Say whether a value is the S3 location of a .tar.gz."""
    try:
        return S3Uri.parse(value).key.endswith(".tar.gz")
    except (SettingsError, TypeError, AttributeError):
        return False


def is_labels(value: Any) -> bool:
    """Say whether a value is two or more different class names."""
    try:
        return all(map(is_text, LabelSet.of(value)))
    except (SettingsError, TypeError):
        return False
