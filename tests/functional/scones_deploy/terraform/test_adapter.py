import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from scones_core.errors import DeployError, TerraformError
from scones_deploy.terraform.adapter import Terraform
from scones_deploy.terraform.providers import ProviderSource

Make = Callable[..., Terraform]


def test_a_plan_says_what_it_would_do_and_apply_does_exactly_that(
    terraform: Make, root: Path, lines: list[str]
) -> None:
    dev = terraform()
    dev.init()
    plan = dev.plan()
    assert plan.has_changes
    assert (plan.add, plan.change, plan.destroy) == (1, 0, 0)
    assert [(c.address, c.actions) for c in plan.changes] == [("terraform_data.paint", ("create",))]

    (root / "environments/dev/env.tfvars").write_text('colour = "green"\n')
    dev.apply(plan)

    assert dev.outputs()["colour"] == "blue"
    assert any("Apply complete!" in line for line in lines)
    assert not plan.path.exists()


def test_an_unchanged_environment_plans_nothing(terraform: Make) -> None:
    dev = terraform()
    dev.init()
    dev.apply(dev.plan())
    plan = dev.plan()
    assert not plan.has_changes
    assert plan.changes == ()


def test_modules_can_be_applied_before_the_rest(terraform: Make, root: Path) -> None:
    module = root / "modules" / "shade"
    module.mkdir(parents=True)
    (module / "main.tf").write_text('resource "terraform_data" "this" {}\n')
    (root / "shade.tf").write_text('module "shade" {\n  source = "./modules/shade"\n}\n')
    dev = terraform()
    dev.init()
    part = dev.plan_part(["module.shade"])
    assert [change.address for change in part.changes] == ["module.shade.terraform_data.this"]
    assert dev.saved_plan() is None, "`apply` must not take it for a plan of everything"
    dev.apply(part)
    rest = dev.plan()
    assert [change.address for change in rest.changes] == ["terraform_data.paint"]


def test_a_second_init_runs_only_where_something_changed(
    terraform: Make, root: Path, tmp_path: Path, lines: list[str]
) -> None:
    def inits(**options: object) -> bool:
        lines.clear()
        terraform(**options).init()
        return any("successfully initialized" in line for line in lines)

    backend, data = root / "environments/dev/backend.hcl", tmp_path / "build/terraform/dev"
    assert inits()
    assert not inits()
    (root / "more.tf").write_text('output "more" {\n  value = 1\n}\n')
    assert inits() and not inits()
    shutil.rmtree(data)
    assert inits() and not inits()
    (data / "terraform.tfstate").unlink()
    assert inits() and not inits()
    backend.write_text(f'path = "{tmp_path}/elsewhere.tfstate"\n')
    with pytest.raises(TerraformError, match="remove its folder"):
        terraform().init()
    with pytest.raises(TerraformError, match="remove its folder"):
        terraform().init()


def test_an_init_that_still_holds_names_the_ignored_variables_too(
    terraform: Make, environ: dict[str, str]
) -> None:
    terraform().init()
    dev = terraform(environ={**environ, "TF_VAR_colour": "red"})
    assert "TF_VAR_colour of this shell is ignored" in dev.init()
    assert dev.plan().has_changes


def test_a_change_and_a_replacement_are_counted(terraform: Make, root: Path) -> None:
    folder = root / "environments/dev"
    dev = terraform()
    dev.init()
    (folder / "release.tfvars.json").write_text(json.dumps({"active_release": "one"}))
    dev.apply(dev.plan())
    (folder / "release.tfvars.json").write_text(json.dumps({"active_release": "two"}))
    (folder / "env.tfvars").write_text('colour = "green"\n')
    plan = dev.plan()
    assert (plan.add, plan.change, plan.destroy) == (1, 1, 1)
    assert {c.address for c in plan.changes if c.destroys} == {"terraform_data.release[0]"}


def test_the_folder_of_the_bundles_is_the_same_from_every_checkout(terraform: Make) -> None:
    dev = terraform()
    dev.init()
    dev.apply(dev.plan())
    assert dev.outputs()["lambda_dir"] == "../build/lambda"


def test_outputs_that_came_with_the_resources_are_those_of_the_last_apply(
    terraform: Make, root: Path
) -> None:
    dev = terraform()
    dev.init()
    assert dev.applied() == () and dev.outputs() == {}
    dev.apply(dev.plan())
    alone = dev.outputs()
    assert [found.address for found in dev.applied()] == ["terraform_data.paint"]
    assert dev.outputs() == alone
    (root / "environments/dev/env.tfvars").write_text('colour = "green"\n')
    dev.apply(dev.plan())
    assert dev.outputs()["colour"] == "green"


def test_environments_never_mix(terraform: Make) -> None:
    dev, prod = terraform("dev"), terraform("prod")
    for environment in (dev, prod):
        environment.init()
    dev.apply(dev.plan())
    assert prod.outputs() == {}
    prod.apply(prod.plan())
    assert (dev.outputs()["colour"], prod.outputs()["colour"]) == ("blue", "red")


def test_destroy_leaves_nothing(terraform: Make) -> None:
    dev = terraform()
    dev.init()
    dev.apply(dev.plan())
    made = dev.plan(destroy=True)
    assert made.destroy == 1
    dev.apply(made)
    assert dev.outputs() == {}


def test_lines_arrive_while_terraform_is_still_running(
    terraform: Make, root: Path, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    (root / "wait.tf").write_text(
        'resource "terraform_data" "wait" {\n'
        '  provisioner "local-exec" {\n'
        f'    command = "until [ -e {gate} ]; do sleep 0.05; done"\n'
        "  }\n}\n"
    )

    def open_gate(line: str) -> None:
        if "terraform_data.wait: Creating..." in line:
            gate.touch()

    dev = terraform(output=open_gate)
    dev.init()
    dev.apply(dev.plan())
    assert gate.exists()


def test_an_output_that_fails_leaves_terraform_its_time_to_end(terraform: Make) -> None:
    def fail(line: str) -> None:
        if "Creating..." in line:
            raise BrokenPipeError

    dev = terraform(output=fail)
    dev.init()
    plan = dev.plan()
    with pytest.raises(BrokenPipeError):
        dev.apply(plan)
    assert dev.outputs()["colour"] == "blue"


def test_a_failure_carries_terraforms_own_message(terraform: Make, root: Path) -> None:
    dev = terraform()
    dev.init()
    (root / "bad.tf").write_text('resource "terraform_data" "bad" {\n  input = var.nowhere\n}\n')
    with pytest.raises(TerraformError) as caught:
        dev.plan()
    message = str(caught.value)
    assert message.startswith("terraform plan failed for dev: Error: Reference to undeclared")
    assert 'An input variable with the name "nowhere" has not been declared.' in message
    assert "│" not in message


def test_gos_collector_is_set_unless_the_shell_sets_it(
    terraform: Make, root: Path, environ: dict[str, str], lines: list[str]
) -> None:
    (root / "said.tf").write_text(
        'resource "terraform_data" "said" {\n'
        '  provisioner "local-exec" {\n    command = "echo collector $GOGC $GOMEMLIMIT"\n  }\n}\n'
    )
    for own in ({}, {"GOGC": "50"}):
        dev = terraform(environ={**environ, **own})
        dev.init()
        dev.apply(dev.plan())
        (root / "said.tf").write_text((root / "said.tf").read_text().replace('"said"', '"again"'))
    said = [line.partition("collector ")[2] for line in lines if ": collector " in line]
    assert said == ["400 1GiB", "50 1GiB"]


def test_validate_leaves_the_tests_to_test(terraform: Make, root: Path) -> None:
    dev = terraform()
    dev.init()
    (root / "bad.tftest.hcl").write_text('run "bad" {\n  nothing = 1\n}\n')
    dev.validate()
    with pytest.raises(TerraformError, match="nothing"):
        dev.check()


def test_validate_names_file_and_line(terraform: Make, root: Path) -> None:
    dev = terraform()
    dev.init()
    dev.validate()
    (root / "bad.tf").write_text('output "bad" {\n  value = var.nowhere\n}\n')
    with pytest.raises(TerraformError, match=r"undeclared input variable \(bad.tf:2\)"):
        dev.validate()


def test_a_locked_state_says_what_to_do(terraform: Make, tmp_path: Path) -> None:
    dev = terraform(lock_timeout="0s")
    dev.init()
    dev.apply(dev.plan())
    with (tmp_path / "dev.tfstate").open("r+") as state:
        fcntl.lockf(state, fcntl.LOCK_EX)
        with pytest.raises(TerraformError, match="Another run holds the state"):
            dev.plan()


def test_a_state_that_another_run_locks_for_a_moment_is_waited_for(
    terraform: Make, tmp_path: Path
) -> None:
    dev = terraform()
    dev.init()
    dev.apply(dev.plan())
    # Terraform waits only for a lock that says whose it is.
    (tmp_path / ".dev.tfstate.lock.info").write_text('{"ID": "another run"}')
    with (tmp_path / "dev.tfstate").open("r+") as state:
        fcntl.lockf(state, fcntl.LOCK_EX)

        def end_the_other_run(line: str) -> None:
            if line.startswith("Acquiring state lock"):
                fcntl.lockf(state, fcntl.LOCK_UN)

        assert not terraform(output=end_the_other_run).plan().has_changes


def test_an_interrupt_lets_terraform_stop_in_good_order(
    root: Path, tmp_path: Path, environ: dict[str, str], terraform: Make
) -> None:
    (root / "wait.tf").write_text(
        'resource "terraform_data" "wait" {\n'
        '  provisioner "local-exec" {\n    command = "sleep 60"\n  }\n}\n'
    )
    program = (
        "import functools, json, signal, sys\n"
        # Whoever runs the tests in the background has them begin with this signal ignored.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from pathlib import Path\n"
        "from scones_deploy.terraform.adapter import Terraform\n"
        "root, build, environ = Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])\n"
        "dev = Terraform(root, 'dev', build, environ, functools.partial(print, flush=True))\n"
        "dev.init()\n"
        "dev.apply(dev.plan())\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(root), str(tmp_path / "build"), json.dumps(environ)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert any("wait: Creating..." in line for line in process.stdout)
        os.killpg(process.pid, signal.SIGINT)
        said, complaints = process.communicate(timeout=60)
    assert "Gracefully shutting down" in said
    assert complaints.endswith("KeyboardInterrupt\n")
    (root / "wait.tf").unlink()
    dev = terraform()
    dev.init()
    dev.plan()


def test_a_stale_plan_is_refused(terraform: Make) -> None:
    dev = terraform()
    dev.init()
    plan = dev.plan()
    kept = plan.path.read_bytes()
    dev.apply(plan)
    plan.path.write_bytes(kept)
    with pytest.raises(TerraformError, match="plan again"):
        dev.apply(plan)


def test_missing_credentials_say_how_to_get_some(
    terraform: Make, root: Path, environ: dict[str, str]
) -> None:
    (root / "main.tf").write_text('terraform {\n  backend "s3" {}\n}\n')
    (root / "environments/dev/backend.hcl").write_text(
        'bucket = "none"\nkey = "none"\nregion = "us-east-1"\n'
    )
    dev = terraform(environ={**environ, "AWS_EC2_METADATA_DISABLED": "true"})
    with pytest.raises(TerraformError, match="AWS_PROFILE"):
        dev.init()


def test_backend_settings_can_be_added(terraform: Make, root: Path, tmp_path: Path) -> None:
    (root / "environments/dev/backend.hcl").write_text("# the path is given next to this file\n")
    dev = terraform()
    dev.init({"path": f"{tmp_path}/elsewhere.tfstate"})
    dev.apply(dev.plan())
    assert (tmp_path / "elsewhere.tfstate").is_file()


def test_a_lock_file_is_never_changed(terraform: Make, root: Path, environ: dict[str, str]) -> None:
    text = 'provider "registry.terraform.io/hashicorp/random" {\n  version = "3.7.2"\n}\n'
    (root / ".terraform.lock.hcl").write_text(text)
    dev = terraform(providers=lambda *_: ProviderSource(environ))
    with pytest.raises(TerraformError, match=r"commit \.terraform\.lock\.hcl"):
        dev.init()
    assert (root / ".terraform.lock.hcl").read_text() == text


def test_a_missing_backend_file_is_named(terraform: Make, root: Path) -> None:
    (root / "environments/dev/backend.hcl").unlink()
    with pytest.raises(TerraformError, match=r"dev/backend\.hcl is missing; .*bucket"):
        terraform().init()


@pytest.mark.parametrize("name", ["staging", "../dev", ""])
def test_an_unknown_environment_lists_the_known_ones(terraform: Make, name: str) -> None:
    with pytest.raises(TerraformError, match="the environments are dev, prod"):
        terraform(name)


def test_an_environment_without_outputs_is_no_deployment(terraform: Make) -> None:
    dev = terraform()
    dev.init()
    with pytest.raises(DeployError, match="no output 'environment'"):
        dev.deployment()


def test_a_stray_state_file_in_the_folder_is_not_read(terraform: Make, root: Path) -> None:
    (root / "terraform.tfstate").write_text("{")
    assert terraform().version


def test_a_config_file_that_does_not_exist_is_not_passed_on(
    terraform: Make, environ: dict[str, str], lines: list[str]
) -> None:
    dev = terraform(environ={**environ, "TF_CLI_CONFIG_FILE": "/nowhere/terraformrc"})
    dev.init()
    assert not any("nowhere" in line for line in lines)


def test_a_saved_plan_is_found_until_it_is_applied(terraform: Make) -> None:
    terraform().init()
    assert terraform().saved_plan() is None
    made = terraform().plan()
    assert terraform().saved_plan() == made
    terraform().apply(made)
    assert terraform().saved_plan() is None


def test_a_saved_plan_that_failed_half_way_is_not_offered_again(
    terraform: Make, root: Path, tmp_path: Path
) -> None:
    (root / "bad.tf").write_text(
        'resource "terraform_data" "bad" {\n'
        '  provisioner "local-exec" {\n    command = "false"\n  }\n}\n'
    )
    dev = terraform()
    dev.init()
    with pytest.raises(TerraformError, match="terraform apply failed"):
        dev.apply(dev.plan())
    assert dev.saved_plan() is None
    asked_for = dev.plan(out=tmp_path / "kept.tfplan")
    with pytest.raises(TerraformError, match="terraform apply failed"):
        dev.apply(asked_for)
    assert asked_for.path.exists()


@pytest.mark.parametrize("name", ["main.tf", "environments/dev/env.tfvars", "x.auto.tfvars"])
def test_a_saved_plan_of_other_files_is_not_offered(terraform: Make, root: Path, name: str) -> None:
    terraform().init()
    made = terraform().plan()
    before = made.path.stat().st_mtime - 60
    with (root / name).open("a") as file:
        file.write("\n")
    # As a checkout of another commit may leave it: older than the plan.
    os.utime(root / name, (before, before))
    assert terraform().saved_plan() is None


def test_a_workspace_of_the_shell_is_refused_by_name(
    terraform: Make, environ: dict[str, str]
) -> None:
    with pytest.raises(TerraformError, match=r"TF_WORKSPACE=staging .* `unset TF_WORKSPACE`"):
        terraform(environ={**environ, "TF_WORKSPACE": "staging"})


@pytest.mark.parametrize("name", ["", "default"])
def test_the_one_workspace_may_be_named(
    terraform: Make, environ: dict[str, str], name: str
) -> None:
    terraform(environ={**environ, "TF_WORKSPACE": name}).init()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TF_VAR_active_release", "evil"),
        ("TF_VAR_unknown", "x"),
        ("TF_CLI_ARGS_plan", "-destroy"),
        ("TF_CLI_ARGS", "-parallelism=2"),
        ("TF_CLI_ARGS_show", "-nonsense"),
    ],
)
def test_variables_and_arguments_of_the_shell_are_named_and_change_nothing(
    terraform: Make, environ: dict[str, str], name: str, value: str
) -> None:
    plain = terraform()
    plain.init()
    plain.apply(plain.plan())
    dev = terraform(environ={**environ, name: value})
    assert name in dev.init()
    assert not dev.plan().has_changes
