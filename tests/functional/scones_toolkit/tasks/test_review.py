from datetime import UTC, datetime

import pytest

from scones_core.errors import MonitorError
from scones_monitor.captured_records import CapturedRecord
from scones_monitor.join import Joined
from scones_toolkit.tasks.review import _table


def under_review(number: int) -> Joined:
    record = CapturedRecord(
        f"event-{number}", f"id{number}", datetime.now(UTC), "image/png", b"x", (0.6, 0.4), "main"
    )
    return Joined(f"k{number}", "van", 0.6, record)


ROWS = [under_review(number) for number in range(3)]


def test_labels_that_a_spreadsheet_saved_with_semicolons_survive_another_fetch(tmp_path) -> None:
    listed = tmp_path / "labels.csv"
    header, *lines = _table(tmp_path, ROWS).splitlines()
    edited = [header, *(f"{line}bus" for line in lines)]
    listed.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(edited).replace(",", ";").encode())

    assert _table(tmp_path, ROWS).count("bus") == 3


@pytest.mark.parametrize("content", [b"id,breed\n1,bus\n", b"file,label\nid0.png,bus,x\n", b"\xff"])
def test_a_list_that_is_not_understood_is_not_overwritten(tmp_path, content: bytes) -> None:
    (tmp_path / "labels.csv").write_bytes(content)

    with pytest.raises(MonitorError, match="move it away"):
        _table(tmp_path, ROWS)
    assert (tmp_path / "labels.csv").read_bytes() == content
