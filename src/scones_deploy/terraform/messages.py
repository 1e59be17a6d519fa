"""Terraform's errors as sentences: its own message, and what to do where that is known."""

import re
from collections.abc import Mapping
from typing import Any

ANSI = re.compile(r"\x1b\[[0-9;]*m")
FRAME = re.compile(r"^[╷│╵ ]+", re.MULTILINE)
LOCKED = "Error acquiring the state lock"
# Of what Terraform says of the lock: who holds it, for what, and since when, in UTC.
LOCK_INFO = re.compile(r"^(Who|Operation|Created):[ \t]*(\S.*)$", re.MULTILINE)
# Each pattern is a phrase of Terraform's or the S3 backend's own messages.
ADVICE = (
    (
        r"No valid credential sources|failed to refresh cached credentials|no EC2 IMDS role"
        r"|InvalidClientTokenId|ExpiredToken|UnrecognizedClientException|Token has expired"
        r"|failed to get shared config profile|AuthFailure",
        "AWS credentials are missing or no longer valid: name a profile in AWS_PROFILE, "
        "or sign in again with `aws sso login`.",
    ),
    (
        LOCKED,
        "Another run holds the state of this environment: wait for it to end. If it was killed, "
        "`inv unlock` with the same --env releases its lock.",
    ),
    (
        r"S3 bucket \S+ does not exist|NoSuchBucket",
        "The bucket of the state is not there: create it first, as "
        "terraform/bootstrap/README.md says, or name another one in project.state_bucket.",
    ),
    (
        r"Backend configuration changed",
        "The environment's backend.hcl changed since it was initialised: remove its folder "
        "below build/terraform to use the new backend; the state is not moved by that.",
    ),
    (
        r"Backend initialization required|Module not installed|Required plugins are not installed"
        r"|Inconsistent dependency lock file|Missing required provider",
        "Initialise the environment first.",
    ),
    (
        r"Provider dependency changes detected",
        "Record them with `terraform init -backend=false` in the module's folder, and commit "
        ".terraform.lock.hcl.",
    ),
    (
        r'attribute "bucket" is required',
        "Name the bucket of the state in backend.hcl or in project.state_bucket.",
    ),
    (
        r"/aws/sagemaker/TrainingJobs.* already exists"
        r"|ResourceAlreadyExistsException.*/aws/sagemaker/TrainingJobs",
        "All environments of an account and region share the log group "
        "/aws/sagemaker/TrainingJobs, and one of them, or an earlier training job, made it: set "
        "owns_training_log_group = false in this environment's env.tfvars.",
    ),
    (
        r"Saved plan is stale",
        "The state changed after this plan was made: plan again.",
    ),
    (
        r"Failed to query available provider packages|could not connect to registry",
        "The provider registry cannot be reached: connect to the network, or name a provider "
        "mirror in SCONES_TERRAFORM_MIRROR.",
    ),
    (
        # The first is the provider's, whose last look fell into the way back.
        r"unexpected state 'RollingBack'|SageMaker rolled the endpoint back",
        "The earlier release serves, and nothing was deleted: docs/runbooks/failed-rollout.md "
        "says how to go on.",
    ),
    (
        r"does not match any of the checksums|doesn't match any of the checksums",
        "The provider is not the one that .terraform.lock.hcl records: check where it came from.",
    ),
)


def failure(command: str, environment: str, text: str) -> str:
    """Return why a command failed in an environment: Terraform's message, then the advice.

    Where it says who holds the state's lock, that is a sentence alone. `text` is Terraform's
    error output, or its output where it wrote none.
    """
    message = error_text(text) or "Terraform gave no reason."
    if is_held(message):
        return _locked(environment, message)
    advice = next((tip for pattern, tip in ADVICE if re.search(pattern, _flat(message))), "")
    return f"terraform {command} failed for {environment}: {message}" + (
        f"\n{advice}" * bool(advice)
    )


def is_held(text: str) -> bool:
    """Return whether Terraform did nothing as another run, which it names, holds the state."""
    return LOCKED in text and "Who" in _lock_info(text)


def _lock_info(text: str) -> dict[str, str]:
    return dict(LOCK_INFO.findall(FRAME.sub("", ANSI.sub("", text))))


def _locked(environment: str, message: str) -> str:
    info = _lock_info(message)
    held = f" since {info['Created'][:19]} UTC" if "Created" in info else ""
    flag = "" if environment == "local" else f" --env {environment}"
    return (
        f"{info['Who']} has held the lock of {environment}'s state{held} "
        f"({info.get('Operation', 'unknown operation')}), so nothing was done. "
        f"Wait until that ends; if it was killed: inv unlock{flag}"
    )


def error_text(text: str) -> str:
    """Return the error messages in an output: no frame, no colour, no warning among them."""
    plain = FRAME.sub("", ANSI.sub("", text))
    blocks = re.split(r"^(?=(?:Error|Warning): )", plain, flags=re.MULTILINE)
    errors = [block for block in blocks if block.startswith("Error: ")]
    chosen = errors or [block for block in blocks if not block.startswith("Warning: ")]
    return re.sub(r"\n{2,}", "\n", "\n".join(block.strip() for block in chosen)).strip()


def diagnostic_text(body: Mapping[str, Any]) -> str:
    """Return the errors that `terraform validate -json` reports, with file and line."""
    lines = []
    for item in body.get("diagnostics", ()):
        where = item.get("range")
        place = f" ({where['filename']}:{where['start']['line']})" if where else ""
        if item["severity"] == "error":
            lines.append(f"Error: {item['summary']}{place}\n{item.get('detail', '')}")
    return "\n".join(lines)


def _flat(text: str) -> str:
    """Undo the line breaks at which Terraform wraps a message."""
    return re.sub(r"\s+", " ", text)
