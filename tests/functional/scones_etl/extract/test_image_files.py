"""Files of a folder, whatever they are, read to pixels or to a reason why not."""

import os
from pathlib import Path

from scones_etl.extract.image_files import digests, read_photos
from scones_etl.image_format import ImageFormat


def test_a_file_that_says_it_is_empty_is_not_waited_for(tmp_path: Path) -> None:
    # As some files of /proc do, a pipe has no size and gives nothing until somebody writes to it.
    os.mkfifo(tmp_path / "waits.png")
    (tmp_path / "empty.png").touch()
    names = ["waits.png", "empty.png"]
    photos, faults = read_photos(tmp_path, names, digests(tmp_path, names), ImageFormat(32))
    assert photos == {}
    assert faults == dict.fromkeys(names, "the image is empty")
