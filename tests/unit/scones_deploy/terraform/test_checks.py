from pathlib import Path
from typing import Any

import pytest

from scones_core.errors import DeployError
from scones_deploy.terraform.checks import read_scan, scan


def check(comment: str = "") -> dict[str, Any]:
    return {
        "check_id": "CKV_AWS_1",
        "check_name": "Ensure it",
        "resource": "aws_x.y",
        "file_path": "/main.tf",
        "check_result": {"result": "SKIPPED", "suppress_comment": comment},
    }


def body(**results: Any) -> dict[str, Any]:
    found = {"failed_checks": [], "skipped_checks": [], "parsing_errors": [], **results}
    return {"results": found, "summary": {"passed": 5, "skipped": 1}}


def test_what_passes_is_counted() -> None:
    found = read_scan(body(skipped_checks=[check("nothing is started by it")]))
    assert (found.passed, found.skipped) == (5, 1)


@pytest.mark.parametrize(
    ("results", "message"),
    [
        ({"failed_checks": [check()]}, "/main.tf aws_x.y CKV_AWS_1: Ensure it"),
        ({"skipped_checks": [check("No comment provided")]}, "skipped without a reason"),
        ({"skipped_checks": [check(" ")]}, "skipped without a reason"),
        ({"parsing_errors": ["/odd.tf"]}, "/odd.tf: cannot be read"),
    ],
)
def test_what_may_not_pass_is_named(results: dict[str, Any], message: str) -> None:
    with pytest.raises(DeployError, match="Checkov finds") as caught:
        read_scan(body(**results))
    assert message in str(caught.value)


def test_without_the_scanners_nothing_counts_as_passed(tmp_path: Path) -> None:
    with pytest.raises(DeployError, match="make terraform-test"):
        scan(tmp_path, tmp_path / "scan")
