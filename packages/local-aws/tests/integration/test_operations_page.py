"""The page that leads from an operation to its module is as the patches are."""

import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"


def test_the_page_of_operations_is_as_generated(tmp_path: Path) -> None:
    made = tmp_path / "operations.md"
    command = [sys.executable, "-m", "local_aws.operations_page", str(made)]
    subprocess.run(command, check=True, timeout=300)
    again = "python -m local_aws.operations_page packages/local-aws/docs/operations.md"
    assert made.read_text() == PAGE.read_text(), f"run: {again}"
