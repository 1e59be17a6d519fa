"""How fast the embedded AWS is: start, Lambda, and the workflow as it was first built.

    python benchmarks/local.py [--invocations 300] [--images 300] [--items 1000]
                               [--ministack VENV] [--json FILE]

Everything runs in one run on one host, so the ratios count and not the figures. What the
server's process took of a processor for each call or image is printed next to it: on a busy host
the rates say little, and that still says how the server compares. Workers and client are not in it.

The older
design is one Standard execution an image, of three Lambdas that hand the image's bytes on in the
state; the Map takes the same three Lambdas over all images of one execution. With `--ministack`,
a virtual environment with ministack and boto3 from PyPI, the same is measured there as well, in
a network of its own (`unshare -rn`); without it the comparison is not made, and that is said.
"""

import argparse
import contextlib
import fcntl
import http.client
import json
import os
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.workflow_older_design import HANDLERS, Deployed, Target, deploy  # noqa: E402

from local_aws.control import LocalAws  # noqa: E402

STARTERS = 8
COLD_STARTS = 7
MINISTACK_SECONDS = 60


def spread(seconds: list[float]) -> dict[str, float]:
    """Return n, and the 10th, 50th and 90th percentile in milliseconds."""
    cuts = statistics.quantiles(seconds, n=10)
    ms = {"p10": cuts[0], "p50": statistics.median(seconds), "p90": cuts[8]}
    return {"n": len(seconds), **{name: round(value * 1000, 3) for name, value in ms.items()}}


def timed(work: Callable[[], Any], count: int, pid: int = 0) -> dict[str, float]:
    """Return the spread of `count` calls, and what process `pid` took for each."""
    found = []
    before = processor_seconds(pid)
    for _ in range(count):
        began = time.perf_counter()
        work()
        found.append(time.perf_counter() - began)
    return {**spread(found), "server_ms": taken_ms(pid, before, count)}


def in_process(count: int) -> dict[str, float]:
    """Call the first handler itself, without AWS: what the work alone takes."""
    space: dict[str, Any] = {}
    exec(HANDLERS["echo"], space)  # noqa: S102 - the benchmark's own text
    return timed(lambda: space["handler"]({"a": 1}, None), count)


def warm(target: Target, count: int) -> dict[str, float]:
    """Invoke a function that is running already."""
    invoke = target.client("lambda").invoke
    name = target.function("echo")

    def work() -> None:
        invoke(FunctionName=name, Payload=b'{"a": 1}')["Payload"].read()

    timed(work, 20)
    return timed(work, count, target.server_pid)


def cold(target: Target) -> dict[str, float]:
    """Invoke functions that have never run."""
    invoke = target.client("lambda").invoke
    names = iter([target.function("echo") for _ in range(COLD_STARTS)])

    def work() -> None:
        invoke(FunctionName=next(names), Payload=b"{}")["Payload"].read()

    return timed(work, COLD_STARTS)


def older_design(target: Target, deployed: Deployed, images: int) -> dict[str, float]:
    """Run one Standard execution an image."""
    states = target.client("stepfunctions")

    def one(number: int) -> None:
        started = states.start_execution(
            stateMachineArn=deployed.one_image, input=json.dumps(deployed.event(number))
        )
        await_end(states, started["executionArn"])

    with ThreadPoolExecutor(STARTERS) as pool:
        list(pool.map(one, range(STARTERS)))  # warm
        return rate(lambda: list(pool.map(one, range(images))), images, target.server_pid)


def mapped(target: Target, deployed: Deployed, items: int) -> dict[str, float]:
    """Run one execution whose Map has an iteration an image."""
    states = target.client("stepfunctions")
    event = json.dumps([deployed.event(number) for number in range(items)])

    def run() -> None:
        started = states.start_execution(stateMachineArn=deployed.all_images, input=event)
        await_end(states, started["executionArn"])

    return rate(run, items, target.server_pid)


def await_end(states: Any, execution: str) -> None:
    """Return when an execution has succeeded; raises RuntimeError when it has not."""
    while (found := states.describe_execution(executionArn=execution))["status"] == "RUNNING":
        time.sleep(0.02)
    if found["status"] != "SUCCEEDED":
        raise RuntimeError(f"{found['status']}: {found.get('error')} {found.get('cause')}")


def rate(run: Callable[[], Any], count: int, pid: int) -> dict[str, float]:
    """Return how many of `count` are done in a second, and what process `pid` took for each."""
    before, began = processor_seconds(pid), time.perf_counter()
    run()
    seconds = time.perf_counter() - began
    return {
        "n": count,
        "seconds": round(seconds, 3),
        "images_per_second": round(count / seconds, 1),
        "server_ms": taken_ms(pid, before, count),
    }


def taken_ms(pid: int, before: float, count: int) -> float:
    """Return what a process took of the processors since `before`, for each of `count`, in ms."""
    return round((processor_seconds(pid) - before) * 1000 / count, 2)


def processor_seconds(pid: int) -> float:
    """Return what a process, without its children, has taken of the processors; 0 if unknown."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return 0.0
    user, system = stat.rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def measure(target: Target, options: argparse.Namespace) -> dict[str, Any]:
    """Return what one endpoint does; a workload that it cannot run is named with its error."""
    found: dict[str, Any] = {}
    deployed = deploy(target)
    works: dict[str, Callable[[], dict[str, float]]] = {
        "warm": lambda: warm(target, options.invocations),
        "cold": lambda: cold(target),
        "older": lambda: older_design(target, deployed, options.images),
        "map": lambda: mapped(target, deployed, options.items),
    }
    for name, work in works.items():
        try:
            found[name] = work()
        except Exception as error:
            found[name] = {"failed": f"{type(error).__name__}: {error}"[:300]}
    return found


def embedded(options: argparse.Namespace) -> dict[str, Any]:
    """Return the figures of the embedded AWS."""
    starts = []
    for _ in range(3):
        with tempfile.TemporaryDirectory() as home:
            began = time.perf_counter()
            with LocalAws.start(Path(home), 0, {}):
                starts.append(time.perf_counter() - began)
    with tempfile.TemporaryDirectory() as home, LocalAws.start(Path(home), 0, {}) as local:
        target = Target(local.endpoint_url, local.record.pid)
        return {"ready": spread(starts), **measure(target, options)}


def ministack(options: argparse.Namespace) -> dict[str, Any]:
    """Return ministack's figures, or why there are none."""
    if options.ministack is None:
        return {"not_compared": "no --ministack VENV was given"}
    command = ["unshare", "-rn", sys.executable, __file__, "--inside", *sys.argv[1:]]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=1800, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        return {"not_compared": f"{error} {getattr(error, 'stderr', '') or ''}"[-500:]}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def inside(options: argparse.Namespace) -> None:
    """Measure ministack in this process's own network; print the figures as JSON."""
    loopback_up()
    with tempfile.TemporaryDirectory() as folder, started(options.ministack, folder) as server:
        figures = {"ready": {"n": 1, "p50": round(server.ready_seconds * 1000, 3)}}
        found = measure(Target("http://127.0.0.1:4566", server.pid), options)
        print(json.dumps({**figures, **found}))


def loopback_up() -> None:
    """Switch the loopback interface on, which is off in a new network namespace."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        set_flags, up = 0x8914, 0x1
        fcntl.ioctl(any_socket, set_flags, struct.pack("16sH14s", b"lo", up, b""))


@dataclass(frozen=True)
class Started:
    """A server that answers."""

    pid: int
    ready_seconds: float


@contextlib.contextmanager
def started(venv: Path, folder: str) -> Iterator[Started]:
    """Run ministack."""
    environment = {**os.environ, "HOME": folder, "TMPDIR": folder, "LAMBDA_EXECUTOR": "local"}
    began = time.perf_counter()
    with Path(folder, "ministack.log").open("wb") as log:
        process = subprocess.Popen(
            [venv / "bin" / "ministack"], env=environment, cwd=folder, stdout=log, stderr=log
        )
    try:
        while not answers():
            if process.poll() is not None or time.perf_counter() - began > MINISTACK_SECONDS:
                raise SystemExit(Path(folder, "ministack.log").read_text()[-400:])
            time.sleep(0.05)
        yield Started(process.pid, time.perf_counter() - began)
    finally:
        process.terminate()
        process.wait()


def answers() -> bool:
    """Return whether ministack's health path answers."""
    connection = http.client.HTTPConnection("127.0.0.1", 4566, timeout=2)
    try:
        connection.request("GET", "/_ministack/health")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def table(figures: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of a table."""
    own, other = figures["embedded"], figures["ministack"]
    yield f"{'':28}{'embedded':>24}{'ministack':>24}"
    for name in ("ready", "cold", "warm"):
        yield f"{name + ', p50 (p10-p90) ms':28}{ms(own.get(name)):>24}{ms(other.get(name)):>24}"
    for name in ("older", "map"):
        yield f"{name + ', images/s':28}{ips(own.get(name)):>24}{ips(other.get(name)):>24}"
    for name in ("warm", "older", "map"):
        title = f"{name}, server ms each"
        yield f"{title:28}{server_ms(own.get(name)):>24}{server_ms(other.get(name)):>24}"
    yield f"{'handler in-process, p50 ms':28}{figures['in_process']['p50']:>24}"
    if "not_compared" in other:
        yield f"ministack was not compared: {other['not_compared']}"
    yield f"load of the host at the end: {figures['load']}"


def ms(found: dict[str, Any] | None) -> str:
    """Return a spread as text."""
    if not found or "failed" in found:
        return "failed" if found else "-"
    if "p10" not in found:
        return f"{found['p50']} (n={found['n']})"
    return f"{found['p50']} ({found['p10']}-{found['p90']})"


def server_ms(found: dict[str, Any] | None) -> str:
    """Return what the server's process took for each as text."""
    return str(found.get("server_ms", "-")) if found else "-"


def ips(found: dict[str, Any] | None) -> str:
    """Return a throughput as text."""
    if not found or "failed" in found:
        return "failed" if found else "-"
    return f"{found['images_per_second']} (n={found['n']})"


def main() -> None:
    """Measure, print a table, write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--invocations", type=int, default=300)
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--items", type=int, default=1000)
    parser.add_argument("--ministack", type=Path)
    parser.add_argument("--json", type=Path, default=ROOT / "build" / "benchmarks" / "local.json")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        inside(options)
        return
    figures: dict[str, Any] = {"in_process": in_process(options.invocations)}
    figures["embedded"] = embedded(options)
    figures["ministack"] = ministack(options)
    figures["load"] = [round(one, 1) for one in os.getloadavg()]
    figures["processors"] = os.cpu_count()
    print("\n".join(table(figures)))
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
