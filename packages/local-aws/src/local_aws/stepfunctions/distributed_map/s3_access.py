"""A Distributed Map's reads and writes in S3, with the state machine's role."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from local_aws.stepfunctions.distributed_map import item_reader
from local_aws.stepfunctions.distributed_map.result_writer import (
    ChildRecord,
    manifest,
    result_files,
)
from local_aws.stepfunctions.errors import StateFailed


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
        return map(item_reader.listed_item, entries)

    def read(bucket: str, key: str) -> bytes:
        content: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        return content

    body = s3.get_object(**parameters)["Body"].read()
    readers: dict[str, Callable[[], Iterator[Any]]] = {
        "CSV": lambda: item_reader.csv_items(body, config),
        "JSON": lambda: item_reader.json_items(body, str(config.get("ItemsPointer", ""))),
        "JSONL": lambda: item_reader.json_lines_items(body),
        "MANIFEST": lambda: item_reader.manifest_items(body, read),
    }
    return readers[config.get("InputType", "JSON")]()


def export_results(
    s3: Any,
    target: Mapping[str, Any],
    config: Mapping[str, Any],
    records: Sequence[ChildRecord],
    map_run_arn: str,
) -> dict[str, Any]:
    """Write the children's results and their manifest; return the state's result.

    `target` has the Bucket and perhaps a Prefix, `config` is the definition's WriterConfig.
    Raises StateFailed where S3 refuses.
    """
    prefix = str(target.get("Prefix", "")).rstrip("/")
    folder = f"{prefix}/" if prefix else ""
    folder += f"{map_run_arn.rsplit(':', 1)[-1]}/"
    form = config.get("Transformation", "NONE"), config.get("OutputType", "JSON")
    _write(s3, str(target["Bucket"]), folder, result_files(records, *form), map_run_arn)
    details = {"Bucket": target["Bucket"], "Key": f"{folder}manifest.json"}
    return {"MapRunArn": map_run_arn, "ResultWriterDetails": details}


def _write(s3: Any, bucket: str, folder: str, files: dict[str, bytes], map_run_arn: str) -> None:
    sizes: dict[str, tuple[str, int]] = {}
    try:
        for kind, body in files.items():
            sizes[kind] = (f"{folder}{kind}_0.json", len(body))
            s3.put_object(Bucket=bucket, Key=sizes[kind][0], Body=body)
        body = manifest(bucket, map_run_arn, sizes)
        s3.put_object(Bucket=bucket, Key=f"{folder}manifest.json", Body=body)
    except ClientError as error:
        raise StateFailed("States.ResultWriterFailed", str(error)) from error
