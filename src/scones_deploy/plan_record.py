"""What a kept plan was made from, in a file beside it, so that no other code applies it."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from scones_core.errors import DeployError
from scones_core.files import sha256_of, write_json
from scones_deploy.environment_folder import EnvironmentFolder


@dataclass(frozen=True, slots=True)
class PlanRecord:
    """Environment, fingerprint of the inputs, place of the bundles, hash of the plan itself.

    Terraform notes in a plan where each Lambda zip lies, so it is applied from there alone.
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


def check_record(plan: Path, folder: EnvironmentFolder) -> None:
    """Let a plan pass that was made for this environment from what lies here now.

    Raises DeployError, with the difference, for any other, and where plan or record is missing.
    """
    try:
        record = PlanRecord(**json.loads(record_path(plan).read_bytes()))
        current = current_record(plan, folder)
    except (OSError, ValueError, TypeError) as error:
        raise DeployError(
            f"There is no whole plan at {plan} ({error}); `inv plan --out` writes one, with its "
            "record, where there is something to change."
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
