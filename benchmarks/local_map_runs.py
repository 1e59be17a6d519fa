"""What a Map Run of the embedded AWS takes for each child, from 1,000 children to 50,000.

    python benchmarks/local_map_runs.py [--sizes 1000,10000,50000] [--batch 0] [--forms]

A Distributed Map reads a manifest of JSON lines, runs one Pass state as an Express child for each
item (or each batch), and writes its results to S3. Printed are the server's processor time and
memory for each child. With `--forms` the smallest size is run from a listing, CSV, JSON and an
inventory as well. Exits 1 where a child takes over 10 % more in the largest run than in the
smallest but one, or more than 8 KB of memory.
"""

import argparse
import csv
import io
import json
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.local import processor_seconds  # noqa: E402

from local_aws.control import LocalAws  # noqa: E402
from local_aws.testing.aws import Aws  # noqa: E402

BUCKET = "maps"
FLAT, KILOBYTES = 0.10, 8.0
GET = "arn:aws:states:::s3:getObject"
READERS: dict[str, dict[str, Any]] = {
    "JSONL": {"Resource": GET, "ReaderConfig": {"InputType": "JSONL"}},
    "JSON": {"Resource": GET, "ReaderConfig": {"InputType": "JSON"}},
    "CSV": {
        "Resource": GET,
        "ReaderConfig": {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"},
    },
    "INVENTORY": {"Resource": GET, "ReaderConfig": {"InputType": "MANIFEST"}},
    "LISTING": {"Resource": "arn:aws:states:::s3:listObjectsV2"},
}


def definition(form: str, batch: int) -> dict[str, Any]:
    """Return a state machine with one Map over a source of that form."""
    field = "Prefix.$" if form == "LISTING" else "Key.$"
    state = {
        "Type": "Map",
        "MaxConcurrency": 40,
        "ItemReader": {**READERS[form], "Parameters": {"Bucket": BUCKET, field: "$.source"}},
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"},
            "StartAt": "Only",
            "States": {"Only": {"Type": "Pass", "Result": {"ok": 1}, "End": True}},
        },
        "ToleratedFailurePercentage": 5,
        "ResultWriter": {
            "Resource": "arn:aws:states:::s3:putObject",
            "Parameters": {"Bucket": BUCKET, "Prefix": "out"},
        },
        "End": True,
    }
    if batch:
        state["ItemBatcher"] = {"MaxItemsPerBatch": batch}
    return {"StartAt": "Map", "States": {"Map": state}}


def put_source(s3: Any, form: str, count: int) -> str:
    """Write a source with that many items; return its key or prefix."""
    items = [{"bucket": "data", "key": f"images/{number:08d} é.png"} for number in range(count)]
    text = io.StringIO()
    if form == "LISTING":
        keys = [f"listed/{number:08d} é+.png" for number in range(count)]
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda key: s3.put_object(Bucket=BUCKET, Key=key, Body=b"x"), keys))
        return "listed/"
    if form == "JSON":
        json.dump(items, text)
    elif form == "JSONL":
        text.writelines(json.dumps(item) + "\n" for item in items)
    else:
        writer = csv.writer(text)
        rows = [list(item.values()) for item in items]
        writer.writerows(rows if form == "INVENTORY" else [["bucket", "key"], *rows])
    key = f"{form}-{count}"
    s3.put_object(Bucket=BUCKET, Key=key, Body=text.getvalue().encode())
    if form != "INVENTORY":
        return key
    manifest = {
        "destinationBucket": f"arn:aws:s3:::{BUCKET}",
        "fileFormat": "CSV",
        "fileSchema": "Bucket, Key",
        "files": [{"key": key}],
    }
    s3.put_object(Bucket=BUCKET, Key=f"{key}.json", Body=json.dumps(manifest).encode())
    return f"{key}.json"


def run(aws: Aws, form: str, count: int, batch: int) -> dict[str, float]:
    """Return what a Map Run took for each child: ms of a processor, KB of memory."""
    pid, source = aws.local.record.pid, put_source(aws.client("s3"), form, count)
    machine = aws.state_machine(definition(form, batch))
    processor, memory = processor_seconds(pid), kilobytes(pid)
    states = aws.client("stepfunctions")
    arn = states.start_execution(stateMachineArn=machine, input=json.dumps({"source": source}))
    ended = aws.wait(arn["executionArn"], 3600)
    assert ended["status"] == "SUCCEEDED", ended
    (found,) = states.list_map_runs(executionArn=arn["executionArn"])["mapRuns"]
    counts = states.describe_map_run(mapRunArn=found["mapRunArn"])
    assert counts["itemCounts"]["succeeded"] == count, counts
    children = counts["executionCounts"]["total"]
    return {
        "children": children,
        "ms": 1000 * (processor_seconds(pid) - processor) / children,
        "kilobytes": (kilobytes(pid) - memory) / children,
    }


def kilobytes(pid: int) -> int:
    """Return a process's resident memory."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def main() -> int:
    """Measure, print, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", default="1000,10000,50000")
    parser.add_argument("--batch", type=int, default=0)
    parser.add_argument("--forms", action="store_true")
    arguments = parser.parse_args()
    sizes, found = [int(size) for size in arguments.sizes.split(",")], []
    with tempfile.TemporaryDirectory() as home, LocalAws.start(Path(home), 0, {}) as local:
        aws = Aws.of(local)
        aws.client("s3").create_bucket(Bucket=BUCKET)
        for form in [*READERS] if arguments.forms else []:
            figures = run(aws, form, sizes[0], arguments.batch)
            print(f"{sizes[0]} items, {form}: {figures['ms']:.2f} ms a child", flush=True)
        for size in sizes:
            found.append(figures := run(aws, "JSONL", size, arguments.batch))
            print(
                f"{size} items, {figures['children']} children: {figures['ms']:.2f} ms of a "
                f"processor, {figures['kilobytes']:.1f} KB a child",
                flush=True,
            )
    middle, last = found[-2 if len(found) > 1 else -1], found[-1]
    return int(last["ms"] > (1 + FLAT) * middle["ms"] or last["kilobytes"] > KILOBYTES)


if __name__ == "__main__":
    sys.exit(main())
