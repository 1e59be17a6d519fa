"""What holds for every workflow of GitHub's, read from the files themselves."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
VERSIONED = re.compile(
    r"uses: (\S+@[0-9a-f]{40}|docker://\S+@sha256:[0-9a-f]{64}) # v\d+\.\d+\.\d+$"
)
TASK = re.compile(r"\.venv/bin/inv ([\w.-]+)(.*)")
CREDENTIALS = "aws-actions/configure-aws-credentials"


def load(path: Path) -> dict[str, Any]:
    # YAML 1.1 reads the key `on` as true.
    body = yaml.safe_load(path.read_text())
    return {"on" if key is True else key: value for key, value in body.items()}


def jobs() -> list[Any]:
    return [
        pytest.param(job, id=f"{path.stem}-{name}")
        for path in FILES
        for name, job in load(path)["jobs"].items()
    ]


def steps(job: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = job["steps"]
    return found


def assumes_role(job: dict[str, Any]) -> bool:
    return any(step.get("uses", "").startswith(CREDENTIALS) for step in steps(job))


def test_the_workflows_are_those_that_are_described() -> None:
    names = ["apply", "check", "drift", "plan", "promote", "propose"]
    assert [path.stem for path in FILES] == names


def test_each_planned_environment_has_its_place_in_the_order_of_the_apply() -> None:
    workflows = {path.stem: load(path)["jobs"] for path in FILES}
    planned = workflows["plan"]["plan"]["strategy"]["matrix"]["environment"]
    find = next(step for step in steps(workflows["apply"]["find"]) if step.get("id") == "find")
    assert find["env"]["APPLY_ORDER"].split() == planned
    assert workflows["drift"]["compare"]["strategy"]["matrix"]["environment"] == planned


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_actions_are_pinned_and_say_their_version(path: Path) -> None:
    used = [line.strip().removeprefix("- ") for line in path.read_text().splitlines()]
    used = [line for line in used if line.startswith("uses:")]
    assert used
    for line in used:
        assert VERSIONED.match(line), line


def test_one_action_has_one_version() -> None:
    pins: dict[str, set[str]] = {}
    for path in FILES:
        for action, version in re.findall(r"uses: (\S+)@(\S+ # \S+)", path.read_text()):
            pins.setdefault(action, set()).add(version)
    assert all(len(versions) == 1 for versions in pins.values()), pins


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_workflow_starts_with_no_right_to_write(path: Path) -> None:
    body = load(path)
    assert body["permissions"] in ({}, {"contents": "read"})
    assert "pull_request_target" not in body["on"]
    assert "secrets." not in path.read_text()
    assert "aws-access-key-id" not in path.read_text()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_two_runs_cross(path: Path) -> None:
    body = load(path)
    changing = [job for job in body["jobs"].values() if assumes_role(job)]
    assert "concurrency" in body or all("concurrency" in job for job in changing)


@pytest.mark.parametrize("job", jobs())
def test_a_job_ends_and_runs_on_a_named_system(job: dict[str, Any]) -> None:
    assert 0 < job["timeout-minutes"] <= 120
    assert job["runs-on"] == "ubuntu-24.04"


@pytest.mark.parametrize("job", jobs())
def test_only_a_job_with_an_environment_gets_a_token_for_aws(job: dict[str, Any]) -> None:
    token = job.get("permissions", {}).get("id-token") == "write"
    assert token == assumes_role(job)
    if token:
        assert job["environment"]
        assert job["permissions"]["contents"] == "read"
        assert {key for key, value in job["permissions"].items() if value == "write"} == {
            "id-token"
        }


@pytest.mark.parametrize("job", jobs())
def test_a_checkout_keeps_no_credentials(job: dict[str, Any]) -> None:
    for step in steps(job):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("job", jobs())
def test_texts_from_outside_reach_a_shell_as_variables_alone(job: dict[str, Any]) -> None:
    for step in steps(job):
        assert "${{" not in step.get("run", "")


@pytest.mark.parametrize("job", jobs())
def test_a_job_with_aws_runs_the_same_tasks_as_a_person(job: dict[str, Any]) -> None:
    commands = [step["run"] for step in steps(job) if "run" in step]
    if assumes_role(job):
        assert all(re.match(r"make |\.venv/bin/inv ", command) for command in commands)
    elif any(command.startswith("make ") for command in commands):
        assert commands == ["make test"]


def test_only_apply_applies_and_only_the_plan_that_was_kept() -> None:
    applying = {
        path.stem: step["run"]
        for path in FILES
        for job in load(path)["jobs"].values()
        for step in steps(job)
        if "inv apply" in step.get("run", "")
    }
    assert list(applying) == ["apply"]
    assert "--plan" in applying["apply"]
    assert "--allow-destroy" not in applying["apply"]


def test_plan_and_drift_take_the_role_that_only_reads() -> None:
    for name in ("plan", "drift"):
        for job in load(ROOT / ".github" / "workflows" / f"{name}.yml")["jobs"].values():
            assert not assumes_role(job) or job["environment"].endswith("-plan")


def test_a_fork_gets_no_credentials() -> None:
    job = load(ROOT / ".github" / "workflows" / "plan.yml")["jobs"]["plan"]
    assert "github.event.pull_request.head.repo.full_name == github.repository" in job["if"]


def test_every_task_and_flag_of_a_workflow_exists() -> None:
    called: dict[str, set[str]] = {}
    for path in FILES:
        for match in TASK.finditer(path.read_text()):
            called.setdefault(match[1], set()).update(re.findall(r"--[a-z-]+", match[2]))
    assert set(called) == {"apply", "drift", "fetch", "plan", "promote", "release"}
    for task, flags in called.items():
        command = [sys.executable, "-m", "invoke", "--help", task]
        text = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        missing = [flag for flag in flags if not re.search(rf"{flag}\b", text)]
        assert not missing, (task, missing)


def test_every_target_of_make_exists() -> None:
    targets = set(re.findall(r"^([a-z -]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    known = {name for line in targets for name in line.split()}
    called = {name for path in FILES for name in re.findall(r"run: make (\w+)", path.read_text())}
    assert called == {"build", "setup", "test"}
    assert called <= known
