from pathlib import Path

import pytest

from local_aws.server.instance_lock import record_path
from local_aws.server.main import _remove_record


def test_a_record_that_cannot_be_removed_is_said_and_holds_up_no_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record_path(tmp_path).mkdir()
    _remove_record(tmp_path)
    assert "server.json stays: " in capsys.readouterr().err
