from pathlib import Path
from typing import Any

import pytest

from scones_core.errors import SettingsError
from scones_toolkit.commands.monitoring import review
from scones_toolkit.project import Project


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"csv": True, "sample": 20}, "none of --of, --run and --sample"),
        ({"csv": True, "run": "run-1"}, "none of --of, --run and --sample"),
        ({"agreement": True, "of": "accepted"}, "none of --of, --run and --sample"),
        ({"since": "7d"}, "--sample: give that too"),
    ],
)
def test_a_flag_that_would_do_nothing_is_refused(
    tmp_path: Path, flags: dict[str, Any], words: str
) -> None:
    with pytest.raises(SettingsError, match=words):
        review.function(Project(tmp_path, "dev"), **flags)
