"""The step of apply.yml itself, with the Python and the path that it has, against a server."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
MERGED, HEAD = "a" * 40, "b" * 40
PULL = {
    "number": 7,
    "merged_at": "2026-11-01T10:00:00Z",
    "merge_commit_sha": MERGED,
    "head": {"ref": "retention", "sha": HEAD},
    "base": {"ref": "main"},
}
RUN = {
    "id": 11,
    "path": ".github/workflows/plan.yml",
    "event": "pull_request",
    "status": "completed",
    "conclusion": "success",
    "head_branch": "retention",
    "head_sha": HEAD,
    "head_repository": {"full_name": "o/r"},
}
ANSWERS: dict[str, object] = {
    "/repos/o/r": {"default_branch": "main"},
    f"/repos/o/r/commits/{MERGED}/pulls": [PULL],
    "/repos/o/r/pulls": [PULL],
    "/repos/o/r/actions/workflows/plan.yml/runs": {"workflow_runs": [RUN]},
    "/repos/o/r/actions/runs/11/artifacts": {"artifacts": [{"name": "plan-dev"}]},
}


class Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        found = ANSWERS.get(self.path.partition("?")[0])
        allowed = self.headers["Authorization"] == "Bearer secret"
        body = json.dumps(found).encode()
        self.send_response(200 if found and allowed else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep the test's output free of requests."""


@pytest.fixture
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def step(outputs: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "apply.yml").read_text())
    job = workflow["jobs"]["find"]
    (command,) = [step for step in job["steps"] if step.get("id") == "find"]
    words = command["run"].split()
    assert words[0] == "python"
    variables = {
        **{name: command["env"][name] for name in ("PYTHONPATH", "APPLY_ORDER")},
        "GITHUB_REPOSITORY": "o/r",
        "GITHUB_REF": "refs/heads/main",
        "GITHUB_SHA": MERGED,
        "GITHUB_OUTPUT": str(outputs),
        **environ,
    }
    # -S: nothing is installed when this step runs.
    return subprocess.run(
        [sys.executable, "-S", *words[1:]],
        cwd=ROOT,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_step_names_run_and_environments(url: str, tmp_path: Path) -> None:
    done = step(tmp_path / "out", GITHUB_API_URL=url, GH_TOKEN="secret")
    assert done.returncode == 0, done
    assert (tmp_path / "out").read_text() == 'run=11\nenvironments=["dev"]\n'


def test_a_refusal_is_an_annotation_and_ends_the_job(url: str, tmp_path: Path) -> None:
    done = step(tmp_path / "out", GITHUB_API_URL=url, GH_TOKEN="secret", GIVEN_RUN="12")
    assert done.returncode == 1
    assert done.stdout.startswith("::error::GitHub does not answer repos/o/r/actions/runs/12")
    assert not (tmp_path / "out").exists()


def test_an_answer_of_another_form_is_no_traceback(url: str, tmp_path: Path) -> None:
    done = step(tmp_path / "out", GITHUB_API_URL=f"{url}/repos/o/r?", GH_TOKEN="secret")
    assert done.returncode == 1
    assert done.stdout.startswith("::error::")
    assert "Traceback" not in done.stderr
