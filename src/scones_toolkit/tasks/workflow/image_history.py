"""History of one image in the workflow: from its upload to the bay, or to a person."""

import json
from collections.abc import Mapping
from typing import Any

from boto3.dynamodb.types import TypeDeserializer
from botocore.exceptions import ClientError

from scones_core.errors import DeployError, MonitorError
from scones_core.events import image_version
from scones_core.uris import S3Uri
from scones_toolkit.console import Console
from scones_toolkit.project import Project

_GONE = ("404", "NoSuchKey", "NoSuchBucket")


def image_history(project: Project, location: str, *, as_json: bool = False) -> dict[str, Any]:
    """Print what became of the image that lies at an S3 location now, and return it.

    `decisions` has a row for each release that decided on it, the first first. Raises MonitorError
    where there is no such object, DeployError where the environment has no table of decisions.
    """
    project = project.on_stderr() if as_json else project
    uri = S3Uri.parse(location)
    table = str(project.terraform.outputs().get("assignments_table", ""))
    if not table:
        raise DeployError(
            f"{project.environment} keeps no decisions: inv apply{project.env_flag} makes the table"
        )
    try:
        found = project.client("s3").head_object(Bucket=uri.bucket, Key=uri.key)
    except ClientError as error:
        if error.response["Error"]["Code"] not in _GONE:
            raise
        raise MonitorError(
            f"There is no image at {uri} any more; decisions are kept by an image's version."
        ) from error
    # Whoever started an execution named a version, or none: then it is the one with this ETag.
    versions = [found.get("VersionId", ""), found["ETag"].strip('"')]
    rows = [row for version in versions if version for row in _rows(project, table, uri, version)]
    decisions = sorted(map(_decision, rows), key=lambda row: str(row["recorded_at"]))
    history = {
        "image": str(uri),
        "uploaded": found["LastModified"].isoformat(),
        "decisions": decisions,
    }
    if as_json:
        Console().raw(json.dumps(history, indent=1))
    else:
        _print(project, history)
    return history


def _rows(project: Project, table: str, uri: S3Uri, version: str) -> list[dict[str, Any]]:
    image = image_version({"bucket": uri.bucket, "key": uri.key, "version": version})
    answer = project.client("dynamodb").query(
        TableName=table,
        KeyConditionExpression="image = :image",
        ExpressionAttributeValues={":image": {"S": image}},
    )
    read = TypeDeserializer().deserialize
    return [{name: read(value) for name, value in item.items()} for item in answer["Items"]]


def _decision(row: Mapping[str, Any]) -> dict[str, Any]:
    names = ("recorded_at", "release", "decision", "label", "bay", "orders", "execution")
    found = {name: row.get(name, "") for name in names}
    numbers = {name: float(row[name]) for name in ("confidence", "max_km") if name in row}
    return {**found, **numbers}


def _print(project: Project, history: Mapping[str, Any]) -> None:
    say = project.console.say
    say(f"{history['image']}, there since {history['uploaded']}")
    if not history["decisions"]:
        say(
            "  Nobody decided on it yet. What failed is in the dead-letter queue: "
            f"inv redrive{project.env_flag}"
        )
        return
    header = ("decided", "release", "decision", "class", "confidence", "goes to", "execution")
    rows = [
        (
            row["recorded_at"][:19],
            row["release"],
            row["decision"],
            row["label"],
            f"{row['confidence']:.4f}",
            _destination(row),
            row["execution"].rpartition(":")[2],
        )
        for row in history["decisions"]
    ]
    project.console.grid("", header, rows)


def _destination(row: Mapping[str, Any]) -> str:
    if row["bay"]:
        return f"bay {row['bay']}, {row['orders']} orders, up to {row['max_km']:g} km"
    return "the review queue" if row["decision"] == "review" else "-"
