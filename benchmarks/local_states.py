"""How fast the embedded AWS runs state machines, and what 50,000 executions leave behind.

    python benchmarks/local_states.py [--items 1000] [--executions 50000] [--json FILE]

Everything runs in one server on this host, whose load is printed with the figures. Each Map is
run a few times; the median counts, with the spread next to it. The functions only return their
event, so the figures are the interpreter's and the invocations', not a handler's. Exits 1 where
the executions leave more than 300 MB or twenty threads behind.
"""

import argparse
import functools
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from local_aws.control import LocalAws

sys.path.insert(0, str(Path(__file__).parents[1]))
from local_aws.testing.aws import Aws

ECHO = "def handler(event, context):\n    return event\n"
ALLOWED_MB, ALLOWED_THREADS = 300, 20
RUNS = 5


def flow(states: dict[str, Any]) -> dict[str, Any]:
    """Return a definition that starts at the first of the states."""
    return {"StartAt": next(iter(states)), "States": states}


def mapped(states: dict[str, Any], mode: str = "INLINE", concurrency: int = 10) -> dict[str, Any]:
    """Return a definition that runs the states for each entry of its input."""
    config = {"Mode": mode, **({"ExecutionType": "EXPRESS"} if mode == "DISTRIBUTED" else {})}
    processor = {"ProcessorConfig": config, **flow(states)}
    state = {
        "Type": "Map",
        "MaxConcurrency": concurrency,
        "ItemProcessor": processor,
        "ResultPath": None,
        "End": True,
    }
    return flow({"Map": state})


def chain(functions: list[str]) -> dict[str, Any]:
    """Return one Task state for each function, with a timeout and a retry as deployed ones have."""
    names = [f"Task{number}" for number in range(len(functions))]
    retry = [{"ErrorEquals": ["Lambda.TooManyRequestsException"], "MaxAttempts": 3}]
    return {
        name: {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Parameters": {"FunctionName": function, "Payload.$": "$"},
            "OutputPath": "$.Payload",
            "TimeoutSeconds": 30,
            "Retry": retry,
            **({"Next": following} if following else {"End": True}),
        }
        for name, function, following in zip(names, functions, [*names[1:], None], strict=True)
    }


def rate(run: Callable[[], Any], count: int) -> dict[str, float]:
    """Return how many of `count` are done in a second: median, least and most of some runs."""
    run()  # processes start, definitions are read
    rates = []
    for _ in range(RUNS):
        begun = time.perf_counter()
        run()
        rates.append(count / (time.perf_counter() - begun))
    return {
        "per_second": round(statistics.median(rates), 1),
        "least": round(min(rates), 1),
        "most": round(max(rates), 1),
        "runs": RUNS,
    }


def map_rates(aws: Aws, items: int) -> dict[str, Any]:
    """Return the rates of Maps over that many items."""
    states, functions = aws.client("stepfunctions"), [aws.function(ECHO) for _ in range(3)]
    trivial = {"P": {"Type": "Pass", "End": True}}
    images = [{"bucket": "b", "key": f"images/{number:06d}.png"} for number in range(items)]
    machines = {
        "inline_map_of_pass": aws.state_machine(mapped(trivial)),
        "inline_map_of_three_functions": aws.state_machine(mapped(chain(functions))),
        "distributed_map_of_three_functions": aws.state_machine(
            mapped(chain(functions), "DISTRIBUTED")
        ),
    }

    def run(machine: str) -> None:
        arn = states.start_execution(stateMachineArn=machine, input=json.dumps(images))
        while states.list_executions(stateMachineArn=machine, statusFilter="RUNNING")["executions"]:
            time.sleep(0.05)  # asking is cheap enough not to take part in what is measured
        ended = states.describe_execution(executionArn=arn["executionArn"])
        assert ended["status"] == "SUCCEEDED", ended

    return {
        name: rate(functools.partial(run, machine), items) for name, machine in machines.items()
    }


def process_figures(pid: int) -> dict[str, int]:
    """Return a process's resident memory in MB and its number of threads."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    return {
        "megabytes": int(fields["VmRSS"].split()[0]) // 1024,
        "threads": int(fields["Threads"]),
    }


def left_behind(aws: Aws, executions: int) -> dict[str, Any]:
    """Start that many executions, half of them Express; return what the server grew by."""
    pid = aws.local.record.pid
    states = aws.client("stepfunctions")
    trivial = flow({"P": {"Type": "Pass", "Parameters": {"text": "x" * 200}, "End": True}})
    standard, express = aws.state_machine(trivial), aws.state_machine(trivial, type="EXPRESS")
    before = process_figures(pid)
    begun = time.perf_counter()
    for number in range(executions):
        arn = (standard, express)[number % 2]
        states.start_execution(stateMachineArn=arn, input=json.dumps({"number": number}))
    seconds = time.perf_counter() - begun
    time.sleep(2)
    after = process_figures(pid)
    return {
        "executions": executions,
        "per_second": round(executions / seconds, 1),
        **{f"{name}_before": value for name, value in before.items()},
        **{f"{name}_after": value for name, value in after.items()},
    }


def main() -> int:
    """Measure, print, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=1000)
    parser.add_argument("--executions", type=int, default=50_000)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    with (
        tempfile.TemporaryDirectory() as home,
        LocalAws.start(Path(home), 0, {}) as local,
    ):
        aws = Aws.of(local)
        figures = {"load_before": load, **map_rates(aws, arguments.items)}
        if arguments.executions:
            figures["executions"] = left_behind(aws, arguments.executions)
    text = json.dumps(figures, indent=2)
    print(text)
    if arguments.json:
        arguments.json.write_text(text + "\n", encoding="utf-8")
    left = figures.get("executions", {})
    grown = left.get("megabytes_after", 0) - left.get("megabytes_before", 0)
    more = left.get("threads_after", 0) - left.get("threads_before", 0)
    return int(grown > ALLOWED_MB or more > ALLOWED_THREADS)


if __name__ == "__main__":
    sys.exit(main())
