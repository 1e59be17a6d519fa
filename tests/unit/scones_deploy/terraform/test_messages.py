import pytest

from scones_deploy.terraform.messages import error_text, failure

FRAMED = """\x1b[33m╷\x1b[0m
│ Warning: Something is deprecated
│
│ Use something else.
╵
╷
│ \x1b[31mError: \x1b[0mfirst fault
│
│   on main.tf line 3:
│    3: region = 1
│
│ The first
│ detail.
╵
╷
│ Error: second fault
╵
"""


def test_errors_are_kept_without_frame_colour_or_warnings() -> None:
    assert error_text(FRAMED) == (
        "Error: first fault\non main.tf line 3:\n3: region = 1\nThe first\ndetail.\n"
        "Error: second fault"
    )


def test_unframed_errors_are_read_as_well() -> None:
    assert error_text("\nError: a fault\n\nDetail.\n") == "Error: a fault\nDetail."


def test_text_without_an_error_is_kept_and_silence_said() -> None:
    assert error_text("sh: cannot run\n") == "sh: cannot run"
    assert failure("init", "dev", "") == (
        "terraform init failed for dev: Terraform gave no reason."
    )


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("Error: No valid credential\n│ sources found", "AWS_PROFILE"),
        ("Error: Error acquiring the state lock", "`inv unlock`"),
        (
            "Error: creating CloudWatch Logs Log Group (/aws/sagemaker/TrainingJobs): operation "
            "error CloudWatch Logs: CreateLogGroup, https response error StatusCode: 400, "
            "ResourceAlreadyExistsException: The specified log group\n│ already exists",
            "owns_training_log_group = false",
        ),
        ('Error: S3 bucket "scones-state" does not exist.', "create it first"),
        ("Error: Saved plan is stale", "plan again"),
        ("Error: Failed to query available provider packages", "SCONES_TERRAFORM_MIRROR"),
        ("Error: Backend initialization required, please run", "Initialise"),
        (
            "Error: unexpected state\n│ 'RollingBack', wanted target 'InService'",
            "failed-rollout.md",
        ),
        ("Error: Backend configuration changed", "backend.hcl changed"),
    ],
)
def test_known_faults_say_what_to_do_also_where_lines_are_wrapped(text: str, advice: str) -> None:
    message = failure("plan", "dev", text)
    assert message.startswith("terraform plan failed for dev: Error: ")
    assert advice in message.splitlines()[-1]


def test_a_warning_gives_no_advice() -> None:
    text = "Warning: Error acquiring the state lock\n\nError: another fault\n"
    assert failure("plan", "dev", text) == "terraform plan failed for dev: Error: another fault"


HELD = """╷
│ Error: Error acquiring the state lock
│
│ Error message: operation error S3: PutObject, https response error
│ StatusCode: 412, api error PreconditionFailed: At least one of the
│ pre-conditions you specified did not hold
│ Lock Info:
│   ID:        5f0d1e4b-7a53-9f0c-0c1d-1a1c7f1d2b3a
│   Path:      scones-dev-terraform-state/scones/dev/terraform.tfstate
│   Operation: OperationTypeApply
│   Who:       ci@runner-7
│   Version:   1.11.4
│   Created:   2026-11-20 14:32:05.123456789 +0000 UTC
│   Info:
│
│
│ Terraform acquires a state lock to protect the state from being written
│ by multiple users at the same time.
╵
"""


@pytest.mark.parametrize(
    ("environment", "task"), [("dev", "inv unlock --env dev"), ("local", "inv unlock")]
)
def test_a_held_lock_is_one_sentence(environment: str, task: str) -> None:
    assert failure("plan", environment, HELD) == (
        f"ci@runner-7 has held the lock of {environment}'s state since 2026-11-20 14:32:05 UTC "
        "(OperationTypeApply), so nothing was done. Wait until that ends; if it was killed: "
        f"{task}"
    )


def test_a_lock_that_cannot_be_taken_for_another_reason_keeps_terraforms_words() -> None:
    refused = "Error: Error acquiring the state lock\n\nError message: AccessDenied"
    assert "AccessDenied" in failure("plan", "dev", refused)
