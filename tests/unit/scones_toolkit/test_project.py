from pathlib import Path

import pytest

from scones_core.errors import SconesError
from scones_toolkit.project import Records


def test_a_record_reads_back_as_it_was_written(tmp_path: Path) -> None:
    records = Records(tmp_path / "local")
    records.write("dataset", {"version": "abc"})
    assert records.read("dataset") == {"version": "abc"}


def test_a_missing_record_names_the_task_that_writes_it(tmp_path: Path) -> None:
    with pytest.raises(SconesError, match="No dataset was staged yet: inv etl"):
        Records(tmp_path).read("dataset")


@pytest.mark.parametrize("text", ["{", "[]"])
def test_a_damaged_record_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "training.json").write_text(text)
    with pytest.raises(SconesError, match="run `inv train` again"):
        Records(tmp_path).read("training")
