from dataclasses import replace
from pathlib import Path

import pytest

from scones_core.errors import DeployError
from scones_deploy.release import Release, add_release
from scones_deploy.terraform.plan import Plan
from scones_deploy.terraform.state import AppliedResource
from scones_toolkit.console import Console
from scones_toolkit.project import Project
from scones_toolkit.tasks.deployment.deploy import (
    carry_out,
    drop_releases_of,
    say_how_to_apply,
    verify,
)
from tests.functional.scones_toolkit.tasks.conftest import DEPLOYMENT

RELEASE = Release(
    id="second",
    image="123456789012.dkr.ecr.us-east-1.amazonaws.com/scones-local-model:1.0",
    model_data_url="s3://artifacts/model/job/output/model.tar.gz",
    model_sha256="ab" * 32,
    instance_type="ml.m5.large",
    instance_count=1,
    threshold=0.9,
    labels=("bicycle", "motorcycle"),
    dataset_version="none",
)


class Applied:
    """Terraform whose state has one resource."""

    def applied(self) -> tuple[AppliedResource, ...]:
        return (AppliedResource("aws_s3_bucket.data", "aws_s3_bucket", "", {"bucket": "data"}),)


class Interrupted:
    """Terraform whose apply is ended by Ctrl-C."""

    def apply(self, _plan: Plan) -> None:
        raise KeyboardInterrupt


def test_an_interrupted_apply_says_which_task_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = Project(tmp_path, "dev", console=Console())
    vars(project)["terraform"] = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        carry_out(project, Plan(tmp_path / "p", (), has_changes=True), again="destroy")
    assert "inv destroy --env dev goes on from there" in capsys.readouterr().out


def test_the_task_that_applies_a_kept_plan_can_be_pasted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project, out = Project(tmp_path, "dev", console=Console()), Path("kept plans/dev.tfplan")
    say_how_to_apply(project, Plan(out, (), has_changes=True), out)
    assert capsys.readouterr().out == ("Next: inv apply --plan 'kept plans/dev.tfplan' --env dev\n")
    say_how_to_apply(project, Plan(out, (), has_changes=False), out)
    assert capsys.readouterr().out == f"  {out} is not written: there is nothing to apply.\n"


@pytest.mark.parametrize(
    ("deployed", "words"),
    [
        ("first", "second is chosen in local, and first is deployed"),
        ("", "second is chosen in local, and none is deployed"),
    ],
)
def test_a_release_that_was_chosen_and_not_applied_is_to_be_applied(
    tmp_path: Path, deployed: str, words: str
) -> None:
    project = Project(tmp_path, "local")
    vars(project)["terraform"] = Applied()
    vars(project)["deployment"] = replace(DEPLOYMENT, active_release=deployed)
    project.release_file.parent.mkdir(parents=True)
    add_release(project.release_file, RELEASE)

    with pytest.raises(DeployError, match=f"{words}: `inv plan .*`inv apply "):
        verify(project)


def test_variables_that_name_what_a_purge_removed_are_told_by_file_and_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = Project(tmp_path, "dev", console=Console())
    project.release_file.parent.mkdir(parents=True)
    project.release_file.with_name("env.tfvars").write_text(
        'demand = {\n  model_data_url = "s3://gone/model/a.tar.gz" # approved\n}\n'
        '# model_data_url = "s3://gone/model/b.tar.gz"\nother = "s3://kept/model/c.tar.gz"\n'
    )
    drop_releases_of(project, {"gone"})
    said = "".join(capsys.readouterr())
    assert "terraform/environments/dev/env.tfvars:2 still names s3://gone/model/a.tar.gz," in said
    assert "b.tar.gz" not in said and "c.tar.gz" not in said
