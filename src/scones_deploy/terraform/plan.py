"""Plans: what one would do, the check against losses, and the record of what it was made from."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from scones_core.errors import DeployError, TerraformError
from scones_core.files import sha256_of, write_json
from scones_deploy.artifact_release import is_artifact_missing
from scones_deploy.terraform.environment_folder import EnvironmentFolder

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


# An endpoint's loss is an outage, a state machine's the end of its executions and their
# history; the others hold what nothing makes again: objects, images, registered models.
PROTECTED = (
    "aws_ecr_repository",
    "aws_kms_key",
    "aws_s3_bucket",
    "aws_sagemaker_endpoint",
    "aws_sagemaker_model_package_group",
    "aws_sfn_state_machine",
)
# How many of the differing changes a message names.
LISTED = 8


@dataclass(frozen=True, slots=True)
class ResourceChange:
    """A resource's address, type and planned actions, like `("delete", "create")`.

    `unemptied_bucket` is the name of a bucket that Terraform would not empty before it deletes
    it; empty for everything else. `tainted` is true where it is replaced because its creation
    did not come to an end. `artifact` is the S3 location of what a new model of SageMaker is
    loaded from; empty for everything else.
    """

    address: str
    type: str
    actions: tuple[str, ...]
    unemptied_bucket: str = ""
    tainted: bool = False
    artifact: str = ""

    @property
    def destroys(self) -> bool:
        """Whether the present object is lost, also where a new one replaces it."""
        return "delete" in self.actions

    @property
    def forgets(self) -> bool:
        """Whether Terraform would forget the object, which then bills on without an owner."""
        return "forget" in self.actions


@dataclass(frozen=True, slots=True)
class Plan:
    """A saved plan: its file, the resources it touches, and whether it changes anything.

    `has_changes` is also true where only outputs change. A replacement counts as one to add
    and one to destroy, as in Terraform's own summary. `digests` has a SHA-256 of all that
    Terraform says of each change, by the address of the resource or `output.<name>`.
    `reviewed` is the kept plan that this one was compared with; its file goes with this one's.
    """

    path: Path
    changes: tuple[ResourceChange, ...]
    has_changes: bool
    digests: Mapping[str, str] = field(default_factory=dict)
    reviewed: Path | None = None

    @property
    def add(self) -> int:
        """The number of resources to create."""
        return sum("create" in change.actions for change in self.changes)

    @property
    def change(self) -> int:
        """The number of resources to update in place."""
        return sum("update" in change.actions for change in self.changes)

    @property
    def destroy(self) -> int:
        """The number of resources to destroy."""
        return sum(change.destroys for change in self.changes)


def parse_plan(path: Path, body: Mapping[str, Any], *, has_changes: bool) -> Plan:
    """Return the plan that `terraform show -json` describes.

    The format is https://developer.hashicorp.com/terraform/internals/json-format; resources
    without a change and data sources are left out. Raises TerraformError for anything else.
    """
    try:
        changes = tuple(
            ResourceChange(
                item["address"],
                item["type"],
                tuple(item["change"]["actions"]),
                _unemptied_bucket(item["type"], item["change"].get("before") or {}),
                item.get("action_reason") == "replace_because_tainted",
                _artifact(item["type"], item["change"].get("after") or {}),
            )
            for item in body.get("resource_changes", ())
            if item["mode"] == "managed" and item["change"]["actions"] != ["no-op"]
        )
        digests = dict(_digests(body))
    except (KeyError, TypeError, AttributeError) as error:
        raise TerraformError(f"The plan {path} cannot be read ({error!r}); plan again.") from error
    return Plan(path, changes, has_changes, digests)


def _digests(body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for item in body.get("resource_changes", ()):
        if item["change"]["actions"] != ["no-op"]:
            deposed = f" (deposed {item['deposed']})" if item.get("deposed") else ""
            yield f"{item['address']}{deposed}", _digest(item)
    for name, change in body.get("output_changes", {}).items():
        if change["actions"] != ["no-op"]:
            yield f"output.{name}", _digest(change)


def _digest(body: Any) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def require_same_changes(reviewed: Plan, current: Plan) -> None:
    """Let a plan pass that changes what a reviewed one does: the same resources, to the same.

    Raises DeployError, naming what differs. What else a plan file may hold, such as
    provisioners, is not compared: so of the two the current one is to be applied.
    """
    then, now = reviewed.digests, current.digests
    differing = sorted(name for name in then.keys() | now.keys() if then.get(name) != now.get(name))
    if differing:
        shown = ", ".join(differing[:LISTED])
        rest = f" and {len(differing) - LISTED} more" if len(differing) > LISTED else ""
        raise DeployError(
            f"{reviewed.path} was not applied: planned again, the changes to {shown}{rest} are "
            "not those that were reviewed. Code or state moved on: plan again, and review that."
        )


def protect(plan: Plan, *, allow_destroy: bool) -> None:
    """Let a plan pass that keeps every protected resource: endpoint, buckets, key and the like.

    Raises DeployError, naming them, where it would destroy, replace or forget one, also where a
    module or a key of `for_each` was renamed, and `allow_destroy` is false. What an interrupted
    apply left half made was never in use: its replacement loses nothing.
    """
    protected = [c for c in plan.changes if c.type in PROTECTED and not c.tainted]
    lost = [c.address for c in protected if c.destroys or c.forgets]
    if lost and not allow_destroy:
        raise DeployError(
            f"The plan destroys, replaces or forgets {', '.join(lost)}; nothing was applied. A "
            "`moved` block keeps what was only renamed; if the loss is what you want, give "
            "--allow-destroy."
        )


def require_empty_buckets(plan: Plan, s3: "S3Client") -> None:
    """Let a plan pass whose buckets can all be deleted.

    Terraform deletes what it can before it fails at a bucket that still holds something, the
    key of that bucket's objects among it. Raises DeployError, naming the buckets.
    """
    names = [c.unemptied_bucket for c in plan.changes if c.destroys and c.unemptied_bucket]
    full = [name for name in names if _has_objects(s3, name)]
    if full:
        raise DeployError(
            f"The buckets {', '.join(full)} hold objects; nothing was destroyed. Copy what is to "
            "be kept, set force_destroy = true in this environment's env.tfvars, apply that, and "
            "destroy again."
        )


def require_artifacts(plan: Plan, s3: "S3Client", variables: Path) -> None:
    """Let a plan pass whose new models all have their artifact in S3.

    Raises DeployError, naming the models and the file of variables to change.
    """
    lost = [c for c in plan.changes if c.artifact and is_artifact_missing(s3, c.artifact)]
    if lost:
        raise DeployError(
            f"{', '.join(f'{c.address} is made of {c.artifact}' for c in lost)}, which is not "
            f"there: name another model in {variables}, or none, or copy the artifact back, and "
            "plan again."
        )


def _artifact(kind: str, after: Mapping[str, Any]) -> str:
    if kind != "aws_sagemaker_model":
        return ""
    containers = after.get("primary_container") or [{}]
    return str(containers[0].get("model_data_url") or "")


def _unemptied_bucket(kind: str, before: Mapping[str, Any]) -> str:
    emptied = kind != "aws_s3_bucket" or before.get("force_destroy")
    return "" if emptied else str(before.get("bucket") or "")


def _has_objects(s3: "S3Client", name: str) -> bool:
    try:
        # Versions and delete markers keep a bucket as much as objects do.
        found = s3.list_object_versions(Bucket=name, MaxKeys=1)
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") == "NoSuchBucket":
            return False
        raise
    return bool(found.get("Versions") or found.get("DeleteMarkers"))


@dataclass(frozen=True, slots=True)
class PlanRecord:
    """Environment, fingerprint of the inputs, place of the bundles, hash of the plan itself.

    Terraform notes in a plan where each Lambda zip lies, so it can only be applied from there.
    """

    environment: str
    inputs_sha256: str
    bundles: str
    plan_sha256: str


def record_path(plan: Path) -> Path:
    """Return where the record of a plan file is."""
    return plan.with_name(f"{plan.name}.json")


def current_record(plan: Path, folder: EnvironmentFolder) -> PlanRecord:
    """Return the record that this plan would have if it had been made now."""
    return PlanRecord(
        environment=folder.name,
        inputs_sha256=folder.fingerprint(),
        bundles=str(folder.bundles),
        plan_sha256=sha256_of(plan),
    )


def write_record(plan: Path, folder: EnvironmentFolder) -> None:
    """Write the record of a plan that was made just now."""
    write_json(record_path(plan), asdict(current_record(plan, folder)))


def is_current(plan: Path, folder: EnvironmentFolder) -> bool:
    """Return whether a plan was made for this environment from what lies here now."""
    try:
        check_record(plan, folder)
    except DeployError:
        return False
    return True


def check_record(plan: Path, folder: EnvironmentFolder) -> None:
    """Let a plan pass that was made for this environment from what lies here now.

    Raises DeployError, with the difference, for any other, and where plan or record is missing.
    """
    try:
        record = PlanRecord(**json.loads(record_path(plan).read_bytes()))
        current = current_record(plan, folder)
    except (OSError, ValueError, TypeError) as error:
        raise DeployError(
            f"There is no complete plan at {plan}: `inv plan --out` writes one, with its record, "
            "where there is something to change, and the apply of a plan removes it."
        ) from error
    if record != current:
        raise DeployError(f"{plan} was not applied: {_difference(record, current)}. Plan again.")


def _difference(record: PlanRecord, current: PlanRecord) -> str:
    if record.environment != current.environment:
        return f"it is a plan for {record.environment}, not for {current.environment}"
    if record.inputs_sha256 != current.inputs_sha256:
        return "it was made from another configuration, other variables or other Lambda zips"
    if record.bundles != current.bundles:
        return f"it takes the Lambda zips from {record.bundles}, and they are in {current.bundles}"
    return "its content is not what its record says"
