"""The run of plan.yml whose plans may be applied: that of the merged pull request, no other's.

Run by apply.yml as `python -m scones_deploy.reviewed_run` before anything is installed, so it
imports only the standard library and scones_core. The answers' fields are those of GitHub's
REST API, version 2022-11-28 (https://docs.github.com/en/rest).
"""

import json
import os
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from scones_core.errors import DeployError

WORKFLOW = ".github/workflows/plan.yml"
PREFIX = "plan-"
TIMEOUT_SECONDS = 30
MAX_ANSWER_BYTES = 16 << 20

Api = Callable[[str], Any]


@dataclass(frozen=True, slots=True)
class Request:
    """What apply.yml was started for: a commit of a branch, and perhaps a run that was named.

    `order` has the environments that may be applied, in the order of their apply.
    """

    repository: str
    ref: str
    sha: str
    order: tuple[str, ...]
    run: str = ""

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "Request":
        """Return the request of a job's variables; raises DeployError where one is missing."""
        try:
            return cls(
                environ["GITHUB_REPOSITORY"],
                environ["GITHUB_REF"],
                environ["GITHUB_SHA"],
                tuple(environ["APPLY_ORDER"].split()),
                environ.get("GIVEN_RUN", "").strip(),
            )
        except KeyError as error:
            raise DeployError(f"{error.args[0]} is not set; this is a step of apply.yml.") from None


@dataclass(frozen=True, slots=True)
class ReviewedRun:
    """A run's id, and the environments whose plans it kept, in the order of their apply."""

    id: int
    environments: tuple[str, ...]

    def outputs(self) -> str:
        """Return the lines that go into the file GITHUB_OUTPUT."""
        return f"run={self.id}\nenvironments={json.dumps(self.environments)}\n"


def reviewed_run(api: Api, request: Request) -> ReviewedRun:
    """Return the successful run of plan.yml that planned exactly what was merged.

    That is a run for the pull request that brought the commit into the default branch, of its
    last commit; or, where it is named, one that was started by hand on the default branch and
    on this very commit. `api` answers a path of GitHub's REST API. Raises DeployError, with what
    does not fit, for any other run.
    """
    branch = str(api(f"repos/{request.repository}")["default_branch"])
    if request.ref != f"refs/heads/{branch}":
        raise DeployError(f"Plans are applied from {branch} only, not from {request.ref}.")
    merge = _Merge(api, request, branch)
    run = merge.given_run() if request.run else merge.newest_run()
    listed = merge.get(f"actions/runs/{run['id']}/artifacts?per_page=100")["artifacts"]
    kept = {
        str(item["name"]).removeprefix(PREFIX)
        for item in listed
        if str(item["name"]).startswith(PREFIX)
    }
    if unknown := sorted(kept - set(request.order)):
        raise DeployError(
            f"Run {run['id']} keeps a plan for {unknown[0]!r}, an environment that APPLY_ORDER in "
            "apply.yml does not name: add it there, after those that go before it."
        )
    return ReviewedRun(int(run["id"]), tuple(name for name in request.order if name in kept))


@dataclass(frozen=True, slots=True)
class _Merge:
    """A commit of the default branch, and where GitHub is asked about it."""

    api: Api
    request: Request
    branch: str

    def get(self, path: str) -> Any:
        return self.api(f"repos/{self.request.repository}/{path}")

    def given_run(self) -> Mapping[str, Any]:
        """Return the run that was named, once it is known to be of this commit."""
        if not re.fullmatch(r"[0-9]{1,20}", self.request.run):
            raise DeployError(f"{self.request.run!r} is not a run's id, the number in its address.")
        run: Mapping[str, Any] = self.get(f"actions/runs/{self.request.run}")
        if run["event"] == "workflow_dispatch":
            self._require(run, head_branch=self.branch, head_sha=self.request.sha)
        else:
            self._require_of(self._pull(), run)
        return run

    def newest_run(self) -> Mapping[str, Any]:
        """Return the newest run for the pull request's last commit."""
        pull = self._pull()
        head = pull["head"]["sha"]
        query = f"event=pull_request&status=success&head_sha={head}&per_page=100"
        runs = self.get(f"actions/workflows/{Path(WORKFLOW).name}/runs?{query}")["workflow_runs"]
        if not runs:
            raise DeployError(
                f"Pull request {pull['number']} has no successful run of plan.yml for {head}; "
                f"{self._advice()}."
            )
        run: Mapping[str, Any] = max(runs, key=lambda found: int(found["id"]))
        self._require_of(pull, run)
        return run

    def _advice(self) -> str:
        return f"run plan.yml on {self.branch}, review its plans and give its id"

    def _pull(self) -> Mapping[str, Any]:
        """Return the one pull request whose merge made the commit."""
        pulls: list[Mapping[str, Any]] = [
            pull
            for pull in self.get(f"commits/{self.request.sha}/pulls?per_page=100")
            if pull.get("merged_at")
            and pull["merge_commit_sha"] == self.request.sha
            and pull["base"]["ref"] == self.branch
        ]
        if len(pulls) != 1:
            raise DeployError(
                f"{len(pulls)} pull requests were merged into {self.branch} as "
                f"{self.request.sha}, and it must be one; {self._advice()}."
            )
        return pulls[0]

    def _require_of(self, pull: Mapping[str, Any], run: Mapping[str, Any]) -> None:
        head = pull["head"]
        self._require(run, event="pull_request", head_branch=head["ref"], head_sha=head["sha"])
        # A run says of which commit it was, and not of which pull request: with another base,
        # the same commit is planned by another plan.yml.
        owner = quote(self.request.repository.partition("/")[0], safe="")
        of_head = f"state=all&head={owner}:{quote(head['ref'], safe='')}&per_page=100"
        for other in [*self.get(f"pulls?{of_head}"), *run.get("pull_requests", ())]:
            if other["head"]["sha"] == head["sha"] and other["base"]["ref"] != self.branch:
                raise DeployError(
                    f"Run {run['id']} may be that of pull request {other['number']}, which has "
                    f"the same commit and goes into {other['base']['ref']}; {self._advice()}."
                )

    def _require(self, run: Mapping[str, Any], **wanted: str) -> None:
        """Require a successful run of plan.yml in this repository, with these fields."""
        found = {
            **run,
            # GitHub adds the branch to the path of some runs.
            "path": str(run["path"]).partition("@")[0],
            "head_repository": (run.get("head_repository") or {}).get("full_name"),
        }
        always = {
            "path": WORKFLOW,
            "status": "completed",
            "conclusion": "success",
            "head_repository": self.request.repository,
        }
        for name, value in {**always, **wanted}.items():
            if found.get(name) != value:
                raise DeployError(
                    f"The plans of run {run['id']} are not applied: its {name} is "
                    f"{found.get(name)!r}, and must be {value!r}."
                )


def github(url: str, token: str) -> Api:
    """Return a function that answers a path of GitHub's REST API; raises DeployError."""

    def get(path: str) -> Any:
        request = urllib.request.Request(  # noqa: S310 - GitHub itself sets the address
            f"{url}/{path}",
            headers={
                "Accept": "application/vnd.github+json",
                "Authorization": f"Bearer {token}",
                "X-GitHub-Api-Version": "2022-11-28",
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
                return json.loads(answer.read(MAX_ANSWER_BYTES))
        except (urllib.error.URLError, OSError, ValueError) as error:
            raise DeployError(f"GitHub does not answer {path}: {error}") from error

    return get


def main(environ: Mapping[str, str] = os.environ) -> int:
    """Write run and environments into the job's outputs; return 1, with an annotation, else."""
    try:
        api = github(environ.get("GITHUB_API_URL", ""), environ.get("GH_TOKEN", ""))
        found = reviewed_run(api, Request.of(environ))
        with Path(environ["GITHUB_OUTPUT"]).open("a", encoding="utf-8") as outputs:
            outputs.write(found.outputs())
    except (DeployError, KeyError, TypeError, AttributeError) as error:
        reason = str(error) if isinstance(error, DeployError) else f"unexpected answer ({error!r})"
        print(f"::error::{reason}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
