"""A Distributed Map's reads and writes in S3, with the state machine's role."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

from scones_local.states import item_formats
from scones_local.states.failures import StateFailed
from scones_local.states.result_files import manifest


def read_items(
    s3: Any, action: str, parameters: dict[str, Any], config: Mapping[str, Any]
) -> Iterator[Any]:
    """Return the items of an ItemReader: a listing's objects, or what one file holds.

    `action` is listObjectsV2 or getObject, `config` the definition's ReaderConfig. Raises
    botocore's ClientError and UnreadableItems, some only while the items are taken.
    """
    if action.lower() == "listobjectsv2":
        pages = s3.get_paginator("list_objects_v2").paginate(**parameters)
        entries = (entry for page in pages for entry in page.get("Contents", ()))
        return map(item_formats.listed_item, entries)

    def read(bucket: str, key: str) -> bytes:
        content: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        return content

    body = s3.get_object(**parameters)["Body"].read()
    readers: dict[str, Callable[[], Iterator[Any]]] = {
        "CSV": lambda: item_formats.csv_items(body, config),
        "JSON": lambda: item_formats.json_items(body),
        "JSONL": lambda: item_formats.json_lines_items(body),
        "MANIFEST": lambda: item_formats.manifest_items(body, read),
    }
    return readers[config.get("InputType", "JSON")]()


def write_results(
    s3: Any, bucket: str, folder: str, files: dict[str, bytes], map_run_arn: str
) -> None:
    """Write the result files by kind, and at last `manifest.json`; raises StateFailed."""
    sizes: dict[str, tuple[str, int]] = {}
    try:
        for kind, body in files.items():
            sizes[kind] = (f"{folder}{kind}_0.json", len(body))
            s3.put_object(Bucket=bucket, Key=sizes[kind][0], Body=body)
        body = manifest(bucket, map_run_arn, sizes)
        s3.put_object(Bucket=bucket, Key=f"{folder}manifest.json", Body=body)
    except ClientError as error:
        raise StateFailed("States.ResultWriterFailed", str(error)) from error
