"""Last step: record the results of a small run, or close a large one.

A small run's results come as a list. Of a large run the batches have recorded their own; what is
left are the images of batches that failed as a whole, and the sum of the counts.
"""

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from scones_core.errors import InvalidRequest
from scones_core.events import DECISIONS, Result, count_by_decision
from scones_lambdas import clients
from scones_lambdas.environment import RecordEnvironment
from scones_lambdas.logs_and_metrics import count_results, logger
from scones_lambdas.result_destinations import recorder, write_results

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

LINE_BYTES_LIMIT = 1 << 20
"""Of one batch in the files of a Map Run: its input and cause have 262,144 bytes at most, each."""


@cache
def environment() -> RecordEnvironment:
    """Return where results go; raises SettingsError."""
    return RecordEnvironment.of(os.environ)


def handler(event: Any, context: "LambdaContext") -> Any:
    """Return a small run's results, or a large one's counts and where its results lie.

    `event` has the `execution` and either `results`, or `map_run` (Bucket and Key of the
    ResultWriter's manifest) and `run`. Raises InvalidRequest for another event, and where a large
    run had no images; MessageNotSent where the dead-letter queue takes nothing.
    """
    if not isinstance(event, Mapping) or not isinstance(event.get("execution"), str):
        raise InvalidRequest("record_results takes an execution, and results or a map_run.")
    record = recorder(environment(), lambda: context.get_remaining_time_in_millis() / 1000)
    execution = event["execution"]
    if "map_run" in event:
        return close_run(event, execution, record.record)
    given = parse_results(event.get("results"))
    results = record.record(given, execution)
    # The rest was counted where it was decided.
    count_results([new for old, new in zip(given, results, strict=True) if new != old])
    logger().info("results recorded", extra={**count_by_decision(results)})
    return {"results": results}


def parse_results(value: Any) -> list[Result]:
    """Return the value as results; raises InvalidRequest otherwise."""
    if not isinstance(value, list) or not all(map(_is_result, value)):
        raise InvalidRequest("Results are a list of what filter_inferences and failed images give.")
    return value


def _is_result(value: Any) -> bool:
    if not isinstance(value, Mapping) or "image" not in value:
        return False
    required = {"error"} if value.get("decision") == "failed" else {"inference", "threshold"}
    return value.get("decision") in DECISIONS and all(
        isinstance(value.get(name), Mapping) or name == "threshold" for name in required
    )


def close_run(event: Mapping[str, Any], execution: str, record: Any) -> dict[str, Any]:
    """Return the counts of all batches; images of failed ones are failed, with their cause."""
    writer, run = event["map_run"], event.get("run")
    if not isinstance(writer, Mapping) or not isinstance(run, str):
        raise InvalidRequest("A map_run is what a ResultWriter answers; its run is a name.")
    bucket, counts = str(writer["Bucket"]), count_by_decision(())
    files = json.loads(_read(bucket, str(writer["Key"])).read())["ResultFiles"]
    for file in files["SUCCEEDED"]:
        for output in _lines(bucket, file["Key"]):
            for decision in DECISIONS:
                counts[decision] += output["counts"][decision]
    for number, child in enumerate(c for f in files["FAILED"] for c in _lines(bucket, f["Key"])):
        lost = record(failed_batch(child), execution)
        count_results(lost)
        write_results(bucket, run, f"failed-{number:06d}", lost)
        counts["failed"] += len(lost)
    if not any(counts.values()):
        raise InvalidRequest("The source has no images: the prefix or the manifest is empty.")
    logger().info("run recorded", extra={"run": run, **counts})
    return {"counts": counts, "results": {"bucket": bucket, "prefix": f"runs/{run}/results/"}}


def failed_batch(child: Mapping[str, Any]) -> list[Result]:
    """Return a failed result for each image of a child execution that failed."""
    cause = str(child.get("Cause") or "The batch was stopped from outside and left no cause.")
    # A function's exception comes as JSON with a stack trace.
    with contextlib.suppress(ValueError, KeyError, TypeError):
        cause = json.loads(cause)["errorMessage"]
    return [
        {
            "image": item["image"],
            "decision": "failed",
            "index": item["index"],
            "error": {"Error": str(child.get("Error", "BatchFailed")), "Cause": str(cause)[:1000]},
        }
        for item in json.loads(child["Input"])["Items"]
    ]


def _lines(bucket: str, key: str) -> Iterator[Any]:
    """Yield the values of a file with one JSON a line, or of a file that is one JSON list."""
    lines = _read(bucket, key).iter_lines(chunk_size=LINE_BYTES_LIMIT)
    for line in filter(None, lines):
        value = json.loads(line)
        yield from value if isinstance(value, list) else [value]


def _read(bucket: str, key: str) -> Any:
    try:
        return clients.s3().get_object(Bucket=bucket, Key=key)["Body"]
    except ClientError as error:
        raise InvalidRequest(f"The Map Run's file s3://{bucket}/{key} cannot be read.") from error
