import datetime
import gzip
import json
from typing import Any

import pytest

from local_aws.stepfunctions.distributed_map.item_reader import (
    UnreadableItems,
    csv_items,
    json_items,
    json_lines_items,
    listed_item,
    manifest_items,
)


def test_a_bad_line_is_named() -> None:
    with pytest.raises(UnreadableItems, match="Line 2"):
        list(json_lines_items(b"1\n{\n3\n"))


@pytest.mark.parametrize("body", [b"{}", b"3", b"", b"\xff"])
def test_json_that_is_no_list_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableItems):
        json_items(body)


def test_a_rows_missing_cells_are_empty_and_its_surplus_is_dropped() -> None:
    rows = csv_items(b"\xef\xbb\xbfa,b\n1\n1,2,3\n\n", {"CSVHeaderLocation": "FIRST_ROW"})
    assert list(rows) == [{"a": "1", "b": ""}, {"a": "1", "b": "2"}]


@pytest.mark.parametrize("body", [b"a,a\n1,2\n", b"x" * 10_241 + b"\n1\n", b"\xff\xfe"])
def test_a_csv_with_a_bad_header_or_other_bytes_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableItems):
        list(csv_items(body, {"CSVHeaderLocation": "FIRST_ROW"}))


def manifest(**more: Any) -> bytes:
    fields = {
        "destinationBucket": "arn:aws:s3:::lists",
        "fileFormat": "CSV",
        "fileSchema": "Bucket, Key",
        "files": [{"key": "one"}, {"key": "two"}],
        **more,
    }
    return json.dumps(fields).encode()


def test_an_inventorys_lists_are_read_one_after_the_other() -> None:
    lists = {("lists", "one"): b'"b","k+1"\n', ("lists", "two"): gzip.compress(b'"b","%C3%BC"\n')}
    found = manifest_items(manifest(), lambda bucket, key: lists[bucket, key])
    assert [item["Key"] for item in found] == ["k 1", "ü"]


@pytest.mark.parametrize(
    "body", [b"[]", b"{", b"{}", manifest(fileFormat="ORC"), manifest(files=3)]
)
def test_what_is_no_inventory_in_csv_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableItems):
        list(manifest_items(body, lambda *_: b""))


def test_a_list_that_would_fill_the_memory_is_refused() -> None:
    bomb = gzip.compress(b"0" * 1001)
    with pytest.raises(UnreadableItems, match="larger than 1000 bytes"):
        list(manifest_items(manifest(), lambda *_: bomb, max_bytes=1000))
    with pytest.raises(UnreadableItems, match="unpacked"):
        list(manifest_items(manifest(), lambda *_: bomb[:20]))


def test_a_listed_objects_time_is_in_seconds() -> None:
    when = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    item = listed_item({"Key": "k", "Size": 1, "ETag": '"e"', "LastModified": when})
    assert item == {
        "Etag": '"e"',
        "Key": "k",
        "LastModified": int(when.timestamp()),
        "Size": 1,
        "StorageClass": "STANDARD",
    }


@pytest.mark.parametrize(
    ("pointer", "items"), [("/a/b~1c/0", [1]), ("/a/x~0", [2]), ("/a/b~1c", [[1]])]
)
def test_a_pointer_leads_to_the_items(pointer: str, items: list[Any]) -> None:
    body = b'{"a": {"b/c": [[1]], "x~": [2]}}'
    assert list(json_items(body, pointer)) == items


@pytest.mark.parametrize("pointer", ["/b", "/a/b~1c/1", "/a"])
def test_a_pointer_to_no_array_is_an_error(pointer: str) -> None:
    with pytest.raises(UnreadableItems):
        json_items(b'{"a": {"b/c": [[1]]}}', pointer)
