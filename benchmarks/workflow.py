"""The workflow at scale against its older design: images a second, events, transitions, dollars.

    python benchmarks/workflow.py [--sizes 1000,50000] [--older 500] [--json FILE]

Both designs run in one embedded AWS on this host, in one run, with one stub endpoint
(`stub_endpoint.py`). The older one is one Standard execution an image, of three functions that
hand the image's bytes on in the state; the newer one is the deployed workflow over a manifest,
with rows, events and review messages, which the older does not have. The ratios count, not the
figures. What the server and its children (functions, endpoint) took of a processor is printed next
to the rates: on a busy host the rates say little, and the older design, which keeps 24 functions
busy, gets a larger share of such a host. Prices are those of `scones_deploy/prices.json`.

What a million images cost has the time of the Express executions in it as this host took it.

Exits 1 where an aim is missed: ten times the older throughput, at most $0.25 of orchestration a
million images, and processor time and memory an image within 10 % from the smallest size to the
largest. The memory is that of the rows, messages, results and logs that are kept.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks import workflow_newer_design, workflow_older_design  # noqa: E402
from benchmarks.local import processor_seconds  # noqa: E402

from local_aws.control import LocalAws  # noqa: E402

MILLION = 1_000_000
STARTERS = 8
WARM = 50
"""Images before the measurement: processes start, definitions are read."""
TIMES, DOLLARS, FLAT = 10.0, 0.25, 0.10
EXPRESS_GB = 64 / 1024
"""An Express execution is billed for its memory in steps of 64 MB.
https://aws.amazon.com/step-functions/pricing/"""


@dataclass
class Use:
    """What a piece of work took: seconds, and of the server seconds of a processor and memory.

    `whole` are the seconds of a processor that the server took with its children.
    """

    seconds: float = 0.0
    processor: float = 0.0
    whole: float = 0.0
    megabytes: float = 0.0


@contextmanager
def measured(pid: int) -> Iterator[Use]:
    """Measure what happens inside, of the process and of the clock."""
    use, began = Use(), time.perf_counter()
    processor, memory = processor_seconds(pid), resident_megabytes(pid)
    before = {one: processor_seconds(one) for one in descendants(pid)}
    yield use
    use.seconds = time.perf_counter() - began
    # A process that is gone by now is not counted.
    use.whole = sum(processor_seconds(one) - before.get(one, 0) for one in descendants(pid))
    use.processor = processor_seconds(pid) - processor
    use.megabytes = resident_megabytes(pid) - memory


def descendants(pid: int) -> list[int]:
    """Return a process and all that it started, and that these started."""
    found = [pid]
    for one in found:
        for children in Path(f"/proc/{one}/task").glob("*/children"):
            found += [int(child) for child in children.read_text().split()]
    return found


def resident_megabytes(pid: int) -> float:
    """Return a process's resident memory."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def prices() -> dict[str, float]:
    """Return list prices in dollars by name."""
    text = (ROOT / "src/scones_deploy/prices.json").read_text(encoding="utf-8")
    return {name: price["usd"] for name, price in json.loads(text)["prices"].items()}


def older(workflow: workflow_newer_design.Workflow, pid: int, count: int) -> dict[str, Any]:
    """Return the figures of the older design over that many images."""
    target = workflow_older_design.Target(workflow.aws.local.endpoint_url, pid)
    machine = workflow_older_design.deploy(target, workflow.endpoint).one_image
    states = target.client("stepfunctions")

    def start(number: int) -> str:
        given = json.dumps(workflow_older_design.Deployed.event(number))
        arn: str = states.start_execution(stateMachineArn=machine, input=given)["executionArn"]
        return arn

    def run(images: int) -> list[dict[str, Any]]:
        with ThreadPoolExecutor(STARTERS) as pool:
            arns = list(pool.map(start, range(images)))
        return [workflow.ended(arn) for arn in arns]

    run(WARM)
    with measured(pid) as use:
        ended = run(count)
    assert {execution["status"] for execution in ended} == {"SUCCEEDED"}, ended[0]
    events = history(states, ended[-1]["executionArn"])
    transitions = entered(events)
    cost = MILLION * transitions * prices()["states_transition"]
    return figures(count, use, len(events), transitions, cost)


def newer(
    workflow: workflow_newer_design.Workflow,
    pid: int,
    count: int,
    image: Callable[[int], bytes] = workflow_newer_design.image,
) -> dict[str, Any]:
    """Return the figures of the deployed workflow over a manifest of that many images."""
    keys = workflow.put_images(f"images/{count}/", count, image)
    given = workflow.put_manifest(f"{count}.jsonl", keys)
    states = workflow.client("stepfunctions")
    with measured(pid) as use:
        ended = workflow.ended(workflow.start(f"size-{count}", given))
    assert ended["status"] == "SUCCEEDED", ended
    counts = json.loads(ended["output"])["counts"]
    assert sum(counts.values()) == count, counts
    failures = workflow.results(f"size-{count}") if counts["failed"] else []
    causes = {found["error"]["Cause"] for found in failures if found["decision"] == "failed"}
    events = history(states, ended["executionArn"])
    (run,) = states.list_map_runs(executionArn=ended["executionArn"])["mapRuns"]
    found = states.describe_map_run(mapRunArn=run["mapRunArn"])
    children = found["executionCounts"]["total"]
    transitions = entered(events) + children
    price = prices()
    time_cost = use.seconds * found["maxConcurrency"] * EXPRESS_GB
    time_cost *= price["states_express_gb_second"]
    cost = transitions * price["states_transition"] + children * price["states_express_request"]
    cost += time_cost
    made = figures(count, use, len(events) / count, transitions / count, MILLION * cost / count)
    of_time = round(MILLION * time_cost / count, 4)
    return {
        **made,
        "dollars_of_time": of_time,
        "children": children,
        **counts,
        "causes": sorted(causes),
    }


def history(states: Any, arn: str) -> list[dict[str, Any]]:
    """Return an execution's events."""
    pages = states.get_paginator("get_execution_history").paginate(executionArn=arn)
    return [event for page in pages for event in page["events"]]


def entered(events: list[dict[str, Any]]) -> int:
    """Return how many states were entered: so many transitions are billed."""
    return sum(event["type"].endswith("StateEntered") for event in events)


def figures(
    count: int, use: Use, events: float, transitions: float, dollars: float
) -> dict[str, Any]:
    """Return the figures by name."""
    return {
        "images": count,
        "images_per_second": round(count / use.seconds, 1),
        "processor_ms_per_image": round(1000 * use.whole / count, 3),
        "server_processor_ms_per_image": round(1000 * use.processor / count, 3),
        "server_kilobytes_per_image": round(1024 * use.megabytes / count, 2),
        "history_events_per_image": round(events, 4),
        "transitions_per_image": round(transitions, 4),
        "dollars_per_million_images": round(dollars, 4),
    }


def missed(before: dict[str, Any], sizes: list[dict[str, Any]]) -> list[str]:
    """Return a sentence for each aim that was missed."""
    first, last = sizes[0], sizes[-1]
    times = last["images_per_second"] / before["images_per_second"]
    dollars = max(size["dollars_per_million_images"] for size in sizes[1:] or sizes)
    found = []
    if times < TIMES:
        found.append(f"throughput is {times:.1f} times the older one, not {TIMES:.0f}")
    if dollars > DOLLARS:
        found.append(f"orchestration costs ${dollars:.2f} a million, over ${DOLLARS}")
    found += [
        f"{size['failed']} images failed: {size['causes']}" for size in sizes if size["failed"]
    ]
    for figure in ("server_processor_ms_per_image", "server_kilobytes_per_image"):
        growth = last[figure] / first[figure] - 1
        if growth > FLAT:
            found.append(f"{figure} grows by {growth:.0%}, over {FLAT:.0%}")
    return found


def main() -> int:
    """Measure, print, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", default="1000,50000")
    parser.add_argument("--older", type=int, default=500)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    sizes = [int(size) for size in arguments.sizes.split(",")]
    with tempfile.TemporaryDirectory() as folder:
        home, faults = Path(folder) / "aws", Path(folder) / "faults.json"
        with LocalAws.start(home, 0, workflow_newer_design.images(faults)) as local:
            pid = local.record.pid
            workflow = workflow_newer_design.deploy(local)
            before = older(workflow, pid, arguments.older)
            print("older", json.dumps(before), flush=True)
            newer(workflow, pid, WARM)
            found = []
            for size in sizes:
                found.append(newer(workflow, pid, size))
                print("newer", json.dumps(found[-1]), flush=True)
    ratios = {
        name: round(found[-1][name] / before[name], 5)
        for name in before
        if name != "images" and before[name]
    }
    failures = missed(before, found)
    report = {
        "load": os.getloadavg()[0],
        "older": before,
        "newer": found,
        "ratios": ratios,
        "missed": failures,
    }
    print(json.dumps(report, indent=2))
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(main())
