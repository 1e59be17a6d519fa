"""The tasks that retrain the active model, and that release what a retraining proposes."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from botocore.exceptions import ClientError

from scones_core.errors import DeployError, ExecutionFailed, ReleaseError, SettingsError
from scones_core.json_text import parse_json
from scones_core.limits import JOB_VARIABLE_CHARACTERS
from scones_deploy.release import Releases, read_releases
from scones_etl.class_names import require_plain_names
from scones_monitor.joined_results import cause_text
from scones_toolkit.project import Project
from scones_toolkit.tasks.etl import ALL_CLASSES
from scones_toolkit.tasks.releases import releases
from scones_toolkit.tasks.training import candidates
from scones_train.sagemaker.model_package import REJECTED

PROPOSALS = "retraining/proposals/"
SCHEMA = 1
MAX_PROPOSAL_BYTES = 1 << 20
POLL_SECONDS = 2.0
# After how long a state that goes on is printed again.
REPEAT_SECONDS = 30.0
# The outcome of that name in retrain.asl.json.
ALREADY_RUNNING = "another retraining is running"


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a retraining proposes: a candidate's ARN, and why it was trained.

    `figures` are those of candidate and active model on the same `test_images` images.
    """

    run: str
    reason: str
    candidate: str
    new_images: int
    test_images: int
    figures: Mapping[str, Mapping[str, float]]

    @classmethod
    def loads(cls, text: str | bytes) -> Self:
        """Return the proposal that the state machine wrote; raises ReleaseError otherwise."""
        try:
            body = parse_json(text)
            if body["schema"] != SCHEMA:
                raise ValueError(f"schema {body['schema']!r:.40} is not {SCHEMA}")
            return cls(
                run=str(body["run"]),
                reason=str(body["reason"]),
                candidate=str(body["candidate"]),
                new_images=int(body["new_images"]),
                test_images=int(body["test_images"]),
                figures={
                    name: {figure: float(value) for figure, value in found.items()}
                    for name, found in body["figures"].items()
                },
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ReleaseError(f"The proposal cannot be read ({error}); retrain again.") from error


def retrain(
    project: Project, *, min_new_images: int, sleep: Callable[[float], None] = time.sleep
) -> dict[str, Any]:
    """Run a retraining, print how it ended, and return the execution's output.

    Classes of [dataset] that the active release does not know become classes of the model where
    enough images of them were answered. Raises SettingsError for more names of them than a job
    takes, DeployError where Terraform deployed none, ExecutionFailed where it failed.
    """
    if min_new_images < 0:
        raise SettingsError(f"--min-new-images must be 0 or more, not {min_new_images}.")
    machine = project.deployment.retraining_state_machine_arn
    if not machine:
        raise DeployError(
            f"Retraining is off in {project.environment}. Write\n"
            f'  retraining = {{ training_image = "{_image(project)}" }}\n'
            f"into terraform/environments/{project.environment}/env.tfvars, then "
            f"inv apply{project.env_flag}; it needs an active release (inv release)."
        )
    states = project.client("stepfunctions")
    execution_input: dict[str, Any] = {
        "reason": "started by inv retrain",
        "min_new_images": min_new_images,
    }
    if new_classes := _new_classes(project):
        execution_input["new_classes"] = new_classes
    try:
        started = states.start_execution(stateMachineArn=machine, input=json.dumps(execution_input))
    except ClientError as error:
        raise ExecutionFailed(f"No retraining could be started: {error}.") from error
    arn = started["executionArn"]
    project.console.say(f"  {arn} runs; Ctrl-C leaves it running.")
    try:
        ended = _followed(project, states, arn, sleep)
    except KeyboardInterrupt:
        project.console.say(
            f"  The retraining goes on. What it proposes when it ends: inv release --proposed"
            f"{project.env_flag}"
        )
        raise
    if ended["status"] != "SUCCEEDED":
        raise ExecutionFailed(
            f"The retraining ended as {ended['status']}: {ended.get('error', '')} "
            f"{cause_text(ended.get('cause') or '')}".rstrip()
        )
    output: dict[str, Any] = json.loads(ended["output"])
    _print_outcome(project, output)
    return output


def _image(project: Project) -> str:
    """Return the URI of the training image, pushed or not."""
    tag = project.settings.training.image_tag
    return f"{project.deployment.model_repository_url}:{tag}-training"


def _followed(
    project: Project, states: Any, arn: str, sleep: Callable[[float], None]
) -> Mapping[str, Any]:
    """Return an execution once it has ended; until then its state is printed now and then."""
    begun, shown, said = time.monotonic(), "", 0.0
    while (found := states.describe_execution(executionArn=arn))["status"] == "RUNNING":
        state, passed = _entered(states, arn), time.monotonic() - begun
        if state and (state != shown or passed - said >= REPEAT_SECONDS):
            project.console.say(f"  {passed:5.0f} s  {state}")
            shown, said = state, passed
        sleep(POLL_SECONDS)
    ended: Mapping[str, Any] = found
    return ended


def _new_classes(project: Project) -> list[str]:
    """Return the classes of [dataset] that the active release does not know."""
    known = {*project.deployment.labels, ALL_CLASSES}
    new = [name for name in project.settings.dataset.classes if name not in known]
    require_plain_names(new)
    if len(",".join(new)) > JOB_VARIABLE_CHARACTERS:
        raise SettingsError(
            f"The {len(new)} new classes of dataset.classes have more than "
            f"{JOB_VARIABLE_CHARACTERS} characters together, which is what a job takes; train a "
            "model of so many by inv etl and inv train."
        )
    return new


def _entered(states: Any, arn: str) -> str:
    """Return the name of the state that an execution entered last."""
    events = states.get_execution_history(executionArn=arn, reverseOrder=True, maxResults=10)
    names = (
        event["stateEnteredEventDetails"]["name"]
        for event in events["events"]
        if "stateEnteredEventDetails" in event
    )
    return next(names, "")


def _print_outcome(project: Project, output: Mapping[str, Any]) -> None:
    say = project.console.say
    if "dataset" in output:
        dataset = output["dataset"]
        say(f"  {dataset['new']} of {dataset['added']} answered images are new.")
        for image, reason in dataset["left_out"].items():
            say(f"    left out: {image}: {reason}")
        if added := dataset.get("new_classes"):
            say(f"  Classes that the active release does not know: {', '.join(added)}.")
    for which, figures in output.get("figures", {}).items():
        say(f"  {which}: accuracy {figures['accuracy']:.4f} on {figures['n_test']:.0f} test images")
    outcome = output["outcome"]
    if outcome == "proposed":
        say("  The candidate is proposed; nothing is deployed yet.")
        project.hint("release --proposed")
    elif outcome == "refused":
        say(f"  The candidate is refused: {'; '.join(output['refusals'])}. The active one stays.")
    elif outcome == ALREADY_RUNNING:
        say(f"  Nothing was trained: {outcome}. What that one proposes when it ends:")
        project.hint("release --proposed")
    else:
        say(f"  Nothing was trained: {outcome}.")
        project.hint("review")


def release_proposed(
    project: Project,
    *,
    gate_override: str = "",
    allow_synthetic: bool = False,
    share: float | None = None,
) -> Releases:
    """Approve the newest proposal's candidate and write it into the release file; return that.

    It is approved once nothing else refuses the release. Raises ReleaseError where nothing is
    proposed, or the newest was decided on already.
    """
    proposal = newest_proposal(project)
    candidate = next(
        (c for c in candidates.registry(project).all() if c.arn == proposal.candidate), None
    )
    if candidate is None:
        raise ReleaseError(
            f"The candidate {proposal.candidate} of {proposal.run} is not in the registry any "
            f"more; retrain again: inv retrain{project.env_flag}"
        )
    known = read_releases(project.release_file).releases.values()
    if any(release.model_package_arn == candidate.arn for release in known):
        raise ReleaseError(
            f"The newest proposal, candidate {candidate.version} of {proposal.run}, is a release "
            f"already; inv releases{project.env_flag} lists them."
        )
    if candidate.status == REJECTED:
        raise ReleaseError(
            f"The newest proposal, candidate {candidate.version} of {proposal.run}, was rejected"
            f"{f' ({candidate.note})' if candidate.note else ''}."
        )
    note = f"proposed by {proposal.run}: {proposal.reason}; {proposal.new_images} new images"
    return releases.release(
        project,
        candidate=candidate.version,
        gate_override=gate_override,
        allow_synthetic=allow_synthetic,
        share=share,
        approval=note,
    )


def newest_proposal(project: Project) -> Proposal:
    """Return the proposal that was written last; raises ReleaseError where there is none."""
    s3, bucket = project.client("s3"), project.deployment.artifacts_bucket
    newest, written = "", datetime.min.replace(tzinfo=UTC)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=PROPOSALS)
    for page in pages:
        for stored in page.get("Contents", []):
            if stored["LastModified"] > written:
                newest, written = stored["Key"], stored["LastModified"]
    if not newest:
        raise ReleaseError(
            f"Nothing is proposed in {project.environment}: inv retrain{project.env_flag}"
        )
    body = s3.get_object(Bucket=bucket, Key=newest)["Body"]
    return Proposal.loads(body.read(MAX_PROPOSAL_BYTES))
