from pathlib import Path

from scones_deploy.terraform.plan import Plan, ResourceChange
from scones_toolkit.tasks.deployment.deploy import MAX_PLAN_CHARACTERS, markdown


def made(*actions: str) -> Plan:
    return Plan(Path("p"), (ResourceChange("aws_x.this", "aws_x", actions),), has_changes=True)


def test_no_changes_are_one_line() -> None:
    assert markdown("dev", Plan(Path("p"), (), has_changes=False), "") == "### dev: no changes\n"


def test_a_summary_has_counts_losses_and_terraforms_words() -> None:
    text = markdown("prod", made("delete", "create"), "Plan: 1 to add, 0 to change, 1 to destroy.")
    assert text.startswith(
        "### prod: 1 to add, 0 to change, 1 to destroy\n\n- destroys `aws_x.this`\n"
    )
    assert "```text\nPlan: 1 to add, 0 to change, 1 to destroy.\n```" in text


def test_words_with_backticks_do_not_end_their_fence() -> None:
    words = 'description = "```\\n# not a heading"'
    assert f"````text\n{words}\n````" in markdown("dev", made("create"), words)


def test_two_long_plans_fit_a_comment() -> None:
    text = markdown("dev", made("create"), "x" * (MAX_PLAN_CHARACTERS + 1))
    assert 2 * len(text) < 65_536
    assert f"cut after {MAX_PLAN_CHARACTERS:,} of {MAX_PLAN_CHARACTERS + 1:,} characters" in text
