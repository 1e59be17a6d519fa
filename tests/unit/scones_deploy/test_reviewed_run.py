"""Whose plans apply.yml may apply, against answers of GitHub's REST API written by hand."""

import json
from typing import Any
from urllib.parse import urlsplit

import pytest

from scones_core.errors import DeployError
from scones_deploy.reviewed_run import Request, reviewed_run

REPOSITORY = "unlimited/scones"
BASE = f"repos/{REPOSITORY}"
MERGED, HEAD = "a" * 40, "b" * 40
ORDER = ("dev", "stage", "prod")


def run_of(number: int, **fields: Any) -> dict[str, Any]:
    return {
        "id": number,
        "path": ".github/workflows/plan.yml",
        "event": "pull_request",
        "status": "completed",
        "conclusion": "success",
        "head_branch": "retention",
        "head_sha": HEAD,
        "head_repository": {"full_name": REPOSITORY},
        "pull_requests": [],
        **fields,
    }


def pull_of(number: int, **fields: Any) -> dict[str, Any]:
    return {
        "number": number,
        "merged_at": "2026-11-01T10:00:00Z",
        "merge_commit_sha": MERGED,
        "head": {"ref": "retention", "sha": HEAD},
        "base": {"ref": "main"},
        **fields,
    }


class GitHub:
    """The answers by path without query; each test changes what it is about."""

    def __init__(self, *runs: dict[str, Any], artifacts: tuple[str, ...] = ("plan-dev",)) -> None:
        self.pull = pull_of(7)
        self.answers: dict[str, Any] = {
            BASE: {"default_branch": "main"},
            f"{BASE}/commits/{MERGED}/pulls": [self.pull],
            f"{BASE}/pulls": [self.pull],
            f"{BASE}/actions/workflows/plan.yml/runs": {"workflow_runs": list(runs)},
        }
        for run in runs:
            self.answers[f"{BASE}/actions/runs/{run['id']}"] = run
            kept = [{"name": name} for name in artifacts]
            self.answers[f"{BASE}/actions/runs/{run['id']}/artifacts"] = {"artifacts": kept}
        self.asked: list[str] = []

    def __call__(self, path: str) -> Any:
        self.asked.append(path)
        return json.loads(json.dumps(self.answers[urlsplit(path).path]))

    def find(self, run: str = "", ref: str = "refs/heads/main") -> tuple[int, tuple[str, ...]]:
        found = reviewed_run(self, Request(REPOSITORY, ref, MERGED, ORDER, run))
        return found.id, found.environments


@pytest.mark.parametrize("given", ["", "11"])
def test_the_run_of_the_merged_pull_request_is_found(given: str) -> None:
    github = GitHub(run_of(11), artifacts=("plan-prod", "summary-dev", "plan-dev"))
    assert github.find(given) == (11, ("dev", "prod"))


def test_its_newest_run_counts() -> None:
    github = GitHub(run_of(11), run_of(12))
    assert github.find()[0] == 12
    assert any(f"event=pull_request&status=success&head_sha={HEAD}" in p for p in github.asked)


def test_a_branch_is_added_to_the_path_by_github() -> None:
    assert GitHub(run_of(11, path=".github/workflows/plan.yml@main")).find()[0] == 11


@pytest.mark.parametrize("given", ["", "11"])
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("path", ".github/workflows/evil.yml"),
        ("path", ".github/workflows/plan.yml.evil.yml"),
        ("event", "push"),
        ("event", "pull_request_target"),
        ("status", "in_progress"),
        ("conclusion", "failure"),
        ("conclusion", None),
        ("head_sha", MERGED),
        ("head_branch", "another"),
        ("head_repository", {"full_name": "somebody/scones"}),
        ("head_repository", None),
    ],
)
def test_a_run_that_is_not_of_the_reviewed_commit_is_refused(
    given: str, field: str, value: Any
) -> None:
    with pytest.raises(DeployError, match=f"run 11 are not applied: its {field} is"):
        GitHub(run_of(11, **{field: value})).find(given)


@pytest.mark.parametrize("given", ["", "11"])
def test_the_same_commit_planned_for_another_base_is_refused(given: str) -> None:
    github = GitHub(run_of(11))
    github.answers[f"{BASE}/pulls"] = [github.pull, pull_of(8, base={"ref": "evil"})]
    with pytest.raises(DeployError, match=r"pull request 8, which has the same commit .* evil"):
        github.find(given)


def test_a_run_that_names_a_pull_request_with_another_base_is_refused() -> None:
    other = {"number": 8, "head": {"sha": HEAD}, "base": {"ref": "evil"}}
    with pytest.raises(DeployError, match="pull request 8"):
        GitHub(run_of(11, pull_requests=[other])).find()


def test_an_earlier_commit_of_the_branch_may_have_gone_elsewhere() -> None:
    github = GitHub(run_of(11))
    older = pull_of(3, base={"ref": "old"}, head={"ref": "retention", "sha": "c" * 40})
    github.answers[f"{BASE}/pulls"] = [github.pull, older]
    assert github.find()[0] == 11


@pytest.mark.parametrize(
    "pull",
    [
        pull_of(7, merged_at=None),
        pull_of(7, merge_commit_sha="d" * 40),
        pull_of(7, base={"ref": "release"}),
    ],
)
@pytest.mark.parametrize("given", ["", "11"])
def test_a_commit_that_no_pull_request_brought_is_refused(given: str, pull: Any) -> None:
    github = GitHub(run_of(11))
    github.answers[f"{BASE}/commits/{MERGED}/pulls"] = [pull]
    with pytest.raises(DeployError, match="0 pull requests were merged into main"):
        github.find(given)


def test_a_pull_request_without_a_plan_is_named() -> None:
    with pytest.raises(DeployError, match="Pull request 7 has no successful run"):
        GitHub().find()


def started_by_hand(**fields: Any) -> dict[str, Any]:
    on_main = {"event": "workflow_dispatch", "head_branch": "main", "head_sha": MERGED}
    return run_of(11, **{**on_main, **fields})


def test_a_run_on_the_merged_commit_itself_is_taken_where_it_is_named() -> None:
    github = GitHub(started_by_hand())
    github.answers[f"{BASE}/commits/{MERGED}/pulls"] = []
    assert github.find("11") == (11, ("dev",))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("path", ".github/workflows/evil.yml"),
        ("head_branch", "evil"),
        ("head_sha", HEAD),
        ("conclusion", "cancelled"),
    ],
)
def test_a_run_by_hand_elsewhere_is_refused(field: str, value: str) -> None:
    with pytest.raises(DeployError, match=f"its {field} is"):
        GitHub(started_by_hand(**{field: value})).find("11")


@pytest.mark.parametrize("given", ["../../x", "11?a=b", "eleven", "-1", "1" * 30])
def test_an_id_is_a_number(given: str) -> None:
    github = GitHub(run_of(11))
    with pytest.raises(DeployError, match="is not a run's id"):
        github.find(given)
    assert all("actions/runs" not in path for path in github.asked)


def test_plans_are_applied_from_the_default_branch_only() -> None:
    with pytest.raises(DeployError, match="from main only, not from refs/heads/evil"):
        GitHub(run_of(11)).find("11", ref="refs/heads/evil")


def test_environments_are_applied_in_the_order_that_the_workflow_gives() -> None:
    kept = ("plan-prod", "plan-dev", "plan-stage")
    assert GitHub(run_of(11), artifacts=kept).find()[1] == ("dev", "stage", "prod")


def test_a_plan_for_an_environment_without_a_place_in_that_order_is_refused() -> None:
    with pytest.raises(DeployError, match=r"'qa', an environment that APPLY_ORDER .* add it there"):
        GitHub(run_of(11), artifacts=("plan-dev", "plan-qa")).find()


def test_outputs_are_what_a_matrix_reads() -> None:
    found = reviewed_run(
        GitHub(run_of(11), artifacts=("plan-prod", "plan-dev")),
        Request(REPOSITORY, "refs/heads/main", MERGED, ORDER),
    )
    assert found.outputs() == 'run=11\nenvironments=["dev", "prod"]\n'


VARIABLES = {
    "GITHUB_REPOSITORY": "a/b",
    "GITHUB_REF": "refs/heads/main",
    "GITHUB_SHA": MERGED,
    "APPLY_ORDER": "dev prod",
}


@pytest.mark.parametrize("missing", VARIABLES)
def test_a_job_without_its_variables_is_an_error(missing: str) -> None:
    environ = {name: value for name, value in VARIABLES.items() if name != missing}
    with pytest.raises(DeployError, match=missing):
        Request.of(environ)
