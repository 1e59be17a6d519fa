"""What a change costs when much is saved already: one small change, before and after.

    python benchmarks/local_saving.py [--executions 2000] [--objects 5000] [--json FILE]

A change is a rule of EventBridge that is put again, and answered once it is on disk. It is timed
on an empty server and on one that has executions, objects and log events, by one client here.
The ratio counts: where saving is proportional to what changed, it is near 1. Next to it are the
processor's time that the server took for each change, and the sizes of the saved files.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.local import timed
from benchmarks.workflow_older_design import Target

from local_aws.control import LocalAws

CHANGES = 100
STREAMS, EVENTS = 20, 1000
SETTLE_SECONDS = 3.0


def changes(target: Target) -> dict[str, float]:
    """Return the spread of one change after another."""
    put = target.client("events").put_rule
    numbers = iter(range(CHANGES + 5))

    def change() -> None:
        put(Name="changed", ScheduleExpression=f"rate({next(numbers) + 2} days)", State="DISABLED")

    for _ in range(5):
        change()
    return timed(change, CHANGES, target.server_pid)


def fill(target: Target, executions: int, objects: int) -> None:
    """Leave behind what a busy afternoon does."""
    states, s3, logs = (target.client(name) for name in ("stepfunctions", "s3", "logs"))
    states_of = {"P": {"Type": "Pass", "Parameters": {"text": "x" * 200}, "End": True}}
    machine = states.create_state_machine(
        name="filled",
        definition=json.dumps({"StartAt": "P", "States": states_of}),
        roleArn=target.role(),
    )["stateMachineArn"]
    s3.create_bucket(Bucket="filled")
    logs.create_log_group(logGroupName="filled")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: states.start_execution(stateMachineArn=machine), range(executions)))
        list(
            pool.map(
                lambda n: s3.put_object(Bucket="filled", Key=f"{n}", Body=b"x" * 2500),
                range(objects),
            )
        )
    now = int(time.time() * 1000)
    for stream in map(str, range(STREAMS)):
        logs.create_log_stream(logGroupName="filled", logStreamName=stream)
        events = [{"timestamp": now, "message": f"message {number}"} for number in range(EVENTS)]
        logs.put_log_events(logGroupName="filled", logStreamName=stream, logEvents=events)
    time.sleep(SETTLE_SECONDS)


@contextmanager
def server() -> Iterator[tuple[Target, Path]]:
    """Run an embedded AWS that saves; yield it and the folder of what it saved."""
    with (
        tempfile.TemporaryDirectory() as home,
        LocalAws.start(Path(home), 0, {}) as local,
    ):
        yield Target(local.endpoint_url, local.record.pid), Path(home, "state")


def sizes(folder: Path) -> dict[str, float]:
    """Return what is saved: the value that each save writes, and the bodies."""
    bodies = [path.stat().st_size for path in (folder / "bodies").iterdir()]
    return {
        "records_kb": round((folder / "records").stat().st_size / 1024, 1),
        "bodies": len(bodies),
        "bodies_mb": round(sum(bodies) / 2**20, 1),
    }


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--executions", type=int, default=2000)
    parser.add_argument("--objects", type=int, default=5000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with server() as (target, folder):
        empty = changes(target)
        fill(target, options.executions, options.objects)
        full = changes(target)
        figures: dict[str, Any] = {"empty": empty, "filled": full, **sizes(folder)}
    figures["ratio"] = round(full["p50"] / empty["p50"], 2)
    figures["load"] = [round(one, 1) for one in os.getloadavg()]
    text = json.dumps(figures, indent=2)
    print(text)
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
