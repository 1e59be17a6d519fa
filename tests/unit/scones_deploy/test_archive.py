import io
import zipfile

from hypothesis import given, settings
from hypothesis import strategies as st

from scones_deploy.archive import content_sha256, zip_bytes

CONTENTS = st.dictionaries(st.from_regex(r"[a-z]{1,5}(/[a-z]{1,5})?", fullmatch=True), st.binary())


@settings(max_examples=25, deadline=None)
@given(CONTENTS)
def test_order_of_the_entries_does_not_matter(entries: dict[str, bytes]) -> None:
    backwards = dict(reversed(entries.items()))
    assert zip_bytes(entries) == zip_bytes(backwards)
    assert content_sha256(entries) == content_sha256(backwards)


@settings(max_examples=25, deadline=None)
@given(CONTENTS)
def test_the_zip_gives_back_what_went_in(entries: dict[str, bytes]) -> None:
    with zipfile.ZipFile(io.BytesIO(zip_bytes(entries))) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == entries
        assert archive.namelist() == sorted(entries)


def test_date_and_mode_are_fixed() -> None:
    with zipfile.ZipFile(io.BytesIO(zip_bytes({"a": b"1"}))) as archive:
        (info,) = archive.infolist()
    assert info.date_time == (1980, 1, 1, 0, 0, 0)
    assert info.external_attr >> 16 == 0o100644


def test_a_renamed_file_is_another_content() -> None:
    assert content_sha256({"a": b"1"}) != content_sha256({"b": b"1"})
    assert content_sha256({"a": b"1"}) != content_sha256({"a": b"2"})
