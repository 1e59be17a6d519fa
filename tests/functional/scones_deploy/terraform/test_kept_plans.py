import json
from collections.abc import Callable
from pathlib import Path

import pytest

from scones_core.errors import DeployError, TerraformError
from scones_deploy.terraform.adapter import Terraform
from scones_deploy.terraform.environment_folder import EnvironmentFolder
from scones_deploy.terraform.plan import write_record

Make = Callable[..., Terraform]


def ready(terraform: Make, environment: str = "dev") -> Terraform:
    made = terraform(environment)
    made.init()
    return made


def test_a_kept_plan_is_applied_by_another_run(terraform: Make, tmp_path: Path) -> None:
    kept = tmp_path / "kept" / "dev.tfplan"
    ready(terraform).plan(out=kept)
    later = ready(terraform)
    later.apply(later.kept_plan(kept))
    assert later.outputs()["colour"] == "blue"
    assert list(kept.parent.iterdir()) == []


def test_a_kept_plan_is_not_offered_as_the_saved_one(terraform: Make, tmp_path: Path) -> None:
    dev = ready(terraform)
    dev.plan(out=tmp_path / "dev.tfplan")
    assert dev.saved_plan() is None


def test_a_plan_without_changes_leaves_no_file(terraform: Make, tmp_path: Path) -> None:
    kept = tmp_path / "kept" / "dev.tfplan"
    dev = ready(terraform)
    dev.plan(out=kept)
    dev.apply(dev.kept_plan(kept))
    assert not dev.plan(out=kept).has_changes
    assert list(kept.parent.iterdir()) == []


def test_words_are_what_terraform_shows(terraform: Make, tmp_path: Path) -> None:
    dev = ready(terraform)
    words = dev.plan_text(dev.plan(out=tmp_path / "dev.tfplan"))
    assert "Plan: 1 to add, 0 to change, 0 to destroy." in words
    assert "\x1b" not in words


@pytest.mark.parametrize(
    "name",
    [
        "main.tf",
        "new.tf",
        "main_override.tf",
        "environments/dev/env.tfvars",
        "environments/dev/release.tfvars.json",
        "environments/dev/backend.hcl",
        "terraform.tfvars",
        "any.auto.tfvars",
        "definitions/classify.asl.json",
        "definitions/distributed_map.asl.json",
        "modules/storage/main.tf",
        "modules/storage/templates/policy.txt",
        ".terraform.lock.hcl",
    ],
)
def test_a_plan_of_other_code_is_refused(
    terraform: Make, root: Path, tmp_path: Path, name: str
) -> None:
    kept = tmp_path / "dev.tfplan"
    dev = ready(terraform)
    dev.plan(out=kept)
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    with (root / name).open("a") as file:
        file.write("\n")
    with pytest.raises(DeployError, match=r"made from another configuration.* Plan again"):
        dev.kept_plan(kept)


@pytest.mark.parametrize("name", ["more.tf.json", "any.auto.tfvars.json", "terraform.tfvars.json"])
def test_a_plan_of_other_code_in_json_is_refused(
    terraform: Make, root: Path, tmp_path: Path, name: str
) -> None:
    kept = tmp_path / "dev.tfplan"
    dev = ready(terraform)
    dev.plan(out=kept)
    (root / name).write_text("{}")
    with pytest.raises(DeployError, match="made from another configuration"):
        dev.kept_plan(kept)


def test_a_zip_that_its_manifest_does_not_know_is_another_plans(
    terraform: Make, tmp_path: Path
) -> None:
    bundles = tmp_path / "build" / "lambda"
    bundles.mkdir(parents=True)
    (bundles / "classify_image.zip").write_bytes(b"reviewed")
    dev = ready(terraform)
    dev.plan(out=tmp_path / "dev.tfplan")
    (bundles / "classify_image.zip").write_bytes(b"another")
    with pytest.raises(DeployError, match="other Lambda zips"):
        dev.kept_plan(tmp_path / "dev.tfplan")


def forge(dev: Terraform, root: Path, kept: Path, old: str, new: str) -> None:
    """Keep a plan of other code, with the record that this code's plan would have."""
    code = (root / "main.tf").read_text()
    assert old in code
    (root / "main.tf").write_text(code.replace(old, new))
    dev.plan(out=kept)
    (root / "main.tf").write_text(code)
    folder = EnvironmentFolder.find(dev.root, dev.environment, dev.build_dir / "lambda")
    write_record(kept, folder)


def test_a_plan_of_other_changes_is_refused_whatever_its_record_says(
    terraform: Make, root: Path, tmp_path: Path
) -> None:
    dev = ready(terraform)
    forge(dev, root, tmp_path / "dev.tfplan", "= var.colour", '= "evil"')
    with pytest.raises(DeployError, match=r"terraform_data\.paint are not those .* reviewed"):
        dev.kept_plan(tmp_path / "dev.tfplan")


def test_what_else_a_plan_holds_is_never_run(terraform: Make, root: Path, tmp_path: Path) -> None:
    dev = ready(terraform)
    ran = tmp_path / "ran"
    command = f'provisioner "local-exec" {{\n    command = "touch {ran}"\n  }}'
    kept = tmp_path / "dev.tfplan"
    forge(dev, root, kept, "input = var.colour", f"input = var.colour\n  {command}")
    dev.apply(dev.kept_plan(kept))
    assert dev.outputs()["colour"] == "blue"
    assert not ran.exists()
    assert not kept.exists()


def test_a_plan_of_other_zips_is_refused(terraform: Make, tmp_path: Path) -> None:
    kept = tmp_path / "dev.tfplan"
    dev = ready(terraform)
    dev.plan(out=kept)
    (tmp_path / "build" / "lambda").mkdir(parents=True)
    (tmp_path / "build" / "lambda" / "manifest.json").write_text("{}")
    with pytest.raises(DeployError, match="other Lambda zips"):
        dev.kept_plan(kept)


@pytest.mark.parametrize(
    "name", ["environments/prod/env.tfvars", "bootstrap/main.tf", "README.md", "tests/a.tftest.hcl"]
)
def test_what_the_plan_does_not_read_may_change(
    terraform: Make, root: Path, tmp_path: Path, name: str
) -> None:
    kept = tmp_path / "dev.tfplan"
    dev = ready(terraform)
    made = dev.plan(out=kept)
    (root / name).parent.mkdir(exist_ok=True)
    with (root / name).open("a") as file:
        file.write("\n")
    found = dev.kept_plan(kept)
    assert (found.changes, found.digests) == (made.changes, made.digests)
    assert found.reviewed == kept


def test_another_environments_plan_is_refused(terraform: Make, tmp_path: Path) -> None:
    kept = tmp_path / "dev.tfplan"
    ready(terraform).plan(out=kept)
    with pytest.raises(DeployError, match="a plan for dev, not for prod"):
        ready(terraform, "prod").kept_plan(kept)


def test_an_altered_plan_is_refused(terraform: Make, tmp_path: Path) -> None:
    kept = tmp_path / "dev.tfplan"
    dev = ready(terraform)
    dev.plan(out=kept)
    kept.write_bytes(kept.read_bytes() + b"\n")
    with pytest.raises(DeployError, match="not what its record says"):
        dev.kept_plan(kept)


@pytest.mark.parametrize("record", [None, "", "[]", '{"environment": "dev"}'])
def test_a_plan_without_its_record_is_refused(
    terraform: Make, tmp_path: Path, record: str | None
) -> None:
    kept = tmp_path / "dev.tfplan"
    dev = ready(terraform)
    dev.plan(out=kept)
    record_path = tmp_path / "dev.tfplan.json"
    if record is None:
        record_path.unlink()
    else:
        record_path.write_text(record)
    with pytest.raises(DeployError, match="no complete plan"):
        dev.kept_plan(kept)


def test_a_plan_that_takes_its_zips_from_elsewhere_is_refused(
    terraform: Make, tmp_path: Path
) -> None:
    kept = tmp_path / "dev.tfplan"
    dev = ready(terraform)
    dev.plan(out=kept)
    record_path = tmp_path / "dev.tfplan.json"
    record = {**json.loads(record_path.read_text()), "bundles": "/elsewhere/lambda"}
    record_path.write_text(json.dumps(record))
    with pytest.raises(DeployError, match="/elsewhere/lambda"):
        dev.kept_plan(kept)


def test_a_state_that_has_moved_on_makes_a_kept_plan_stale(terraform: Make, tmp_path: Path) -> None:
    kept = tmp_path / "dev.tfplan"
    dev = ready(terraform)
    dev.plan(out=kept)
    dev.apply(dev.plan())
    with pytest.raises(DeployError, match="plan again"):
        dev.apply(dev.kept_plan(kept))


def test_bootstrap_is_checked_too(terraform: Make, root: Path) -> None:
    (root / "bootstrap").mkdir()
    (root / "bootstrap" / "main.tf").write_text('output "bad" {\n  value = var.nowhere\n}\n')
    (root / "main.tf").write_text(
        'variable "lambda_dir" {\n  type    = string\n  default = ""\n}\n'
    )
    with pytest.raises(TerraformError, match="nowhere"):
        terraform().check()
