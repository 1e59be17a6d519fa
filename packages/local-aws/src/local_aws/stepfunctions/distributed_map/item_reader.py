"""The data sets that a Distributed Map reads from S3, as lists of items. Nothing here is moto's.

https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itemreader.html
"""

import csv
import gzip
import io
import itertools
import urllib.parse
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from local_aws.errors import LocalAwsError
from local_aws.stepfunctions.json_data import strict_json

INPUT_TYPES = frozenset(("CSV", "JSON", "JSONL", "MANIFEST"))
DELIMITERS = {"COMMA": ",", "PIPE": "|", "SEMICOLON": ";", "SPACE": " ", "TAB": "\t"}
MAX_HEADER_BYTES = 10 * 1024
# So that a small compressed list cannot fill the memory.
MAX_INVENTORY_BYTES = 256 * 1024 * 1024


class UnreadableItems(LocalAwsError):
    """A data set that does not have the form that the ItemReader says."""


def json_items(body: bytes, pointer: str = "") -> Iterator[Any]:
    """Yield the entries of a JSON array; raises UnreadableItems for anything else.

    `pointer` leads to it within the data set, as RFC 6901 has it.
    """
    try:
        value = strict_json(body)
    except ValueError as error:
        raise UnreadableItems(
            f"Attempting to parse the data set as JSON failed: {error}"
        ) from error
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, list) and name.isdecimal() and int(name) < len(value):
            value = value[int(name)]
        elif isinstance(value, dict) and name in value:
            value = value[name]
        else:
            raise UnreadableItems(f"The data set has nothing at the ItemsPointer {pointer}.")
    if not isinstance(value, list):
        raise UnreadableItems("Attempting to map over non-iterable node.")
    return iter(value)


def json_lines_items(body: bytes) -> Iterator[Any]:
    """Yield one item for each line that is not blank; raises UnreadableItems at a bad one."""
    for number, line in enumerate(body.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            yield strict_json(line)
        except ValueError as error:
            raise UnreadableItems(
                f"Line {number} of the data set is not valid JSON: {error}"
            ) from error


def csv_items(body: bytes, config: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """Yield one object of text values for each row; missing cells are empty.

    `config` is the definition's ReaderConfig: CSVHeaderLocation is FIRST_ROW or GIVEN.
    """
    delimiter = DELIMITERS[config.get("CSVDelimiter", "COMMA")]
    rows = csv.reader(io.StringIO(_text(body), newline=""), delimiter=delimiter)
    if config.get("CSVHeaderLocation") == "GIVEN":
        header: Sequence[str] = config["CSVHeaders"]
    else:
        header = next(rows, [])
    if len(set(header)) < len(header):
        raise UnreadableItems("CSV headers cannot contain duplicates.")
    if len(",".join(header).encode()) > MAX_HEADER_BYTES:
        raise UnreadableItems("CSV headers cannot be larger than 10 KiB.")
    for row in rows:
        if row:
            yield dict(itertools.zip_longest(header, row[: len(header)], fillvalue=""))


def manifest_items(
    body: bytes, read: Callable[[str, str], bytes], max_bytes: int = MAX_INVENTORY_BYTES
) -> Iterator[dict[str, str]]:
    """Yield the rows of an S3 Inventory in CSV, whose `manifest.json` is `body`.

    Each is an object with the fields of the inventory's schema, Bucket and Key above all.
    `read` gets a bucket and a key; a list may unpack to `max_bytes`.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory-location.html
    """
    try:
        manifest = strict_json(body)
        bucket = manifest["destinationBucket"].rsplit(":", 1)[-1]
        form, keys = manifest["fileFormat"], [part["key"] for part in manifest["files"]]
        fields = [name.strip() for name in manifest["fileSchema"].split(",")]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UnreadableItems(
            "The data set is not the manifest.json of an S3 Inventory."
        ) from error
    if form != "CSV":
        raise UnreadableItems(f"The S3 Inventory is in {form}; the embedded AWS reads CSV only.")
    for key in keys:
        text = _text(_unzipped(read(bucket, key), max_bytes))
        for row in csv.reader(io.StringIO(text, newline="")):
            item = dict(zip(fields, row, strict=False))
            item["Key"] = urllib.parse.unquote_plus(item.get("Key", ""))
            yield item


def listed_item(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return the item for one object of ListObjectsV2, with the time in seconds."""
    return {
        "Etag": entry.get("ETag"),
        "Key": entry["Key"],
        "LastModified": int(entry["LastModified"].timestamp()),
        "Size": entry["Size"],
        "StorageClass": entry.get("StorageClass", "STANDARD"),
    }


def _text(body: bytes) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableItems(f"The data set is not UTF-8: {error}") from error


def _unzipped(body: bytes, max_bytes: int) -> bytes:
    if not body.startswith(b"\x1f\x8b"):
        return body
    try:
        with gzip.open(io.BytesIO(body)) as stream:
            text = stream.read(max_bytes + 1)
    except (OSError, EOFError) as error:
        raise UnreadableItems(f"A list of the S3 Inventory cannot be unpacked: {error}") from error
    if len(text) > max_bytes:
        raise UnreadableItems(f"A list of the S3 Inventory is larger than {max_bytes} bytes.")
    return text
