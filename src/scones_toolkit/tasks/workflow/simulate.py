"""The task that sends simulated images to the workflow, and says how they were answered."""

import itertools
import json
import statistics
import threading
import time
import uuid
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from scones_core.errors import DeployError, ExecutionFailed, MonitorError, SettingsError
from scones_core.events import INLINE_IMAGES, ImageRef
from scones_toolkit.console import Console, ProgressCallback
from scones_toolkit.project import Project
from scones_toolkit.simulation.images import ImageSimulator, Mix, SimulatedImage, parse_mix
from scones_toolkit.simulation.summary import Answered, Outcome, Sent, summarise
from scones_toolkit.tasks import etl
from scones_toolkit.tasks.workflow import run as running
from scones_toolkit.tasks.workflow.results import RUNNING, execution_end, results_of_end

INBOX = "inbox"
DIRECT = "simulated"
# Images of one execution that is started directly: few enough to be in its input.
PER_EXECUTION = INLINE_IMAGES
UPLOADERS = 16
POLL_SECONDS = 1.0
# Of a folder that has thousands of images, so many of a class are enough variety.
POOL = 200
# Executions of a simulation's first images may have begun before its own clock says so.
CLOCK_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Pace:
    """`count` images in bursts of `burst`, `rate` a second on average; 0 is as fast as they go."""

    count: int
    rate: float
    burst: int

    def __post_init__(self) -> None:
        if self.count < 1 or self.burst < 1 or not 0 <= self.rate < 1e6:
            raise SettingsError(
                "--count and --burst are from 1, --rate from 0 (as fast as they go); given were "
                f"{self.count}, {self.burst} and {self.rate:g}."
            )

    def bursts(self) -> Iterator[tuple[float, range]]:
        """Yield when each burst is due, in seconds from the start, and its images' numbers."""
        for first in range(0, self.count, self.burst):
            due = first / self.rate if self.rate else 0.0
            yield due, range(first, min(first + self.burst, self.count))


def simulate(
    project: Project,
    *,
    count: int = 100,
    rate: float = 0.0,
    burst: int = 1,
    mix: str = "",
    shares: dict[str, float] | None = None,
    seed: int = 0,
    wait: float = 300.0,
    direct: bool = False,
    as_json: bool = False,
) -> dict[str, Any]:
    """Send simulated images to the inbox, wait for their answers, and print and return figures.

    Images are those of the staged test split, by the weights of `mix`; `shares` of them are
    broken, blurred, dark or foreign. `direct` starts executions instead of waiting for the inbox
    to do so. `wait` is how many seconds may pass without an answer. Raises SettingsError for
    values out of range, DeployError without an endpoint or an inbox, ExecutionFailed where images
    got no answer.
    """
    project = project.on_stderr() if as_json else project
    pace = Pace(count, rate, burst)
    pool = _pool(project)
    chosen = Mix(parse_mix(mix, sorted(pool)), **(shares or {}))
    _require_deployed(project, direct=direct)
    simulation = _Simulation(
        project, ImageSimulator(chosen, pool, seed), pace, direct=direct, wait=wait
    )
    try:
        with project.console.progress("answered") as advance:
            simulation.run(advance)
    finally:
        figures = summarise(simulation.outcome())
        figures = {"simulation": simulation.name, "prefix": simulation.prefix, **figures}
        if as_json:
            Console().raw(json.dumps(figures, indent=1))
        else:
            _print(project, figures)
        simulation.record()
    if figures["unanswered"] or figures["not_sent"]:
        raise ExecutionFailed(
            f"{figures['unanswered']} images have no answer after {wait:g} s without one, and "
            f"{sum(figures['not_sent'].values())} could not be sent; look at the executions, and "
            "at the inbox's dead-letter queue."
        )
    return figures


def _require_deployed(project: Project, *, direct: bool) -> None:
    flag = project.env_flag
    if not project.deployment.endpoint_name:
        raise DeployError(f"No endpoint is deployed: inv release{flag}, then inv apply{flag}")
    if direct:
        return
    prefix = project.deployment.state_machine_arn.rpartition(":")[2].removesuffix("-classify")
    try:
        project.client("sqs").get_queue_url(QueueName=f"{prefix}-inbox")
    except ClientError as error:
        if not error.response["Error"]["Code"].endswith(("NonExistentQueue", "QueueDoesNotExist")):
            raise
        raise DeployError(
            f"{project.environment} has no inbox: inv apply{flag}; or start executions directly: "
            f"inv simulate --direct{flag}"
        ) from error


def _pool(project: Project) -> dict[str, list[Callable[[], bytes]]]:
    """Return functions that load the staged test images, by class."""
    s3, bucket = project.client("s3"), project.deployment.data_bucket

    @lru_cache(maxsize=2 * POOL)
    def load(key: str) -> bytes:
        body: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        return body

    found: dict[str, list[Callable[[], bytes]]] = {}
    for row in etl.current(project).split("test"):
        own = found.setdefault(row.label, [])
        if len(own) < POOL:
            own.append(partial(load, row.key))
    if not found:
        raise SettingsError(f"The staged dataset has no test images: inv etl{project.env_flag}")
    return found


@dataclass
class _Simulation:
    """One run: a thread sends by the clock, this one gathers answers and shows how far it is."""

    project: Project
    simulator: ImageSimulator
    pace: Pace
    direct: bool
    wait: float
    name: str = field(default_factory=lambda: uuid.uuid4().hex[:8])

    def __post_init__(self) -> None:
        self.prefix = f"{DIRECT if self.direct else INBOX}/simulation-{self.name}/"
        self.bucket = self.project.deployment.data_bucket
        self.s3 = self.project.client("s3")
        self.states = self.project.client("stepfunctions")
        self.started = datetime.now(UTC)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._sent: dict[str, Sent] = {}
        self._not_sent: Counter[str] = Counter()
        self._answered: dict[str, Answered] = {}
        self._executions: dict[str, bool] = {}
        self._recent: deque[tuple[float, int]] = deque([(time.monotonic(), 0)])

    def outcome(self) -> Outcome:
        """Return what is known by now."""
        with self._lock:
            return Outcome(dict(self._sent), dict(self._answered), dict(self._not_sent))

    def record(self) -> None:
        """Leave the results for `inv report`, `inv results` and `inv review`."""
        results = [answer.result for answer in self._answered.values()]
        if results:
            content = {
                "executions": [arn for arn, ours in self._executions.items() if ours],
                "started_at": self.started.isoformat(),
                "results": results,
            }
            self.project.records.write("execution", content)

    def run(self, advance: ProgressCallback) -> None:
        """Send all images and gather their answers; Ctrl-C stops sending at once."""
        sender = threading.Thread(target=self._send_all, name="simulation", daemon=True)
        sender.start()
        last_news, known = time.monotonic(), 0
        try:
            while True:
                sending = sender.is_alive()
                self._gather()
                done = len(self._answered) + self._not_sent.total()
                now = time.monotonic()
                if done > known or sending:
                    last_news, known = now, done
                advance(done, self.pace.count, self._note(), self._left(now))
                if not sending and (done >= self.pace.count or now - last_news > self.wait):
                    return
                self._stop.wait(POLL_SECONDS)
        except KeyboardInterrupt:
            self._stop.set()
            self._gather()
            raise
        finally:
            self._stop.set()
            sender.join()

    def _note(self) -> str:
        with self._lock:
            found = Counter(one.result["decision"] for one in self._answered.values())
            return f"{len(self._sent)} sent, " + ", ".join(f"{n} {d}" for d, n in found.items())

    def _left(self, now: float) -> float | None:
        """Return the seconds left: of sending, then of answering at the rate of the last while.

        None before there is an answer to judge by.
        """
        with self._lock:
            answered, sent = len(self._answered), len(self._sent)
            delays = [
                one.at - self._sent[key].at
                for key, one in itertools.islice(reversed(self._answered.items()), 50)
            ]
        self._recent.append((now, answered))
        while len(self._recent) > 2 and self._recent[1][0] <= now - 15:
            self._recent.popleft()
        (then, before) = self._recent[0]
        if not delays or answered <= before or now <= then:
            return None
        rate = (answered - before) / (now - then)
        unsent = self.pace.count - sent - self._not_sent.total()
        sending = unsent / self.pace.rate if self.pace.rate else 0.0
        # What is on its way is answered meanwhile; the last image takes as long as others do.
        outstanding = (self.pace.count - answered - self._not_sent.total()) / rate
        return max(0.0, sending + statistics.median(delays) if sending else outstanding)

    # Sending.

    def _send_all(self) -> None:
        begin = time.monotonic()
        with ThreadPoolExecutor(UPLOADERS) as pool:
            for due, numbers in self.pace.bursts():
                if self._stop.wait(max(0.0, begin + due - time.monotonic())):
                    return
                if self.direct:
                    for part in range(numbers.start, numbers.stop, PER_EXECUTION):
                        chosen = range(part, min(part + PER_EXECUTION, numbers.stop))
                        pool.submit(self._send_execution, chosen)
                else:
                    for number in numbers:
                        pool.submit(self._send, number)

    def _send(self, number: int) -> ImageRef | None:
        """Put one image into the bucket; what S3 refuses is counted with its reason."""
        if self._stop.is_set():
            return None
        try:
            image = self.simulator(number)
            key = f"{self.prefix}{number:07}-{image.kind}.png"
            self.s3.put_object(
                Bucket=self.bucket, Key=key, Body=image.body, ContentType="image/png"
            )
        except ClientError as error:
            self._refuse(error.response["Error"]["Code"])
            return None
        except BotoCoreError as error:
            self._refuse(type(error).__name__)
            return None
        self._keep(key, image)
        return {"bucket": self.bucket, "key": key}

    def _keep(self, key: str, image: SimulatedImage) -> None:
        with self._lock:
            self._sent[key] = Sent(image.kind, image.label, time.time())

    def _refuse(self, reason: str, count: int = 1) -> None:
        with self._lock:
            self._not_sent[reason] += count

    def _send_execution(self, numbers: range) -> None:
        images = [image for number in numbers if (image := self._send(number))]
        if not images:
            return
        try:
            name = f"simulation-{self.name}-{numbers.start:07}"
            running.start(self.project, images, name=name)
        except (ExecutionFailed, BotoCoreError) as error:
            # They are in the bucket, and no execution was started for them.
            with self._lock:
                for image in images:
                    del self._sent[image["key"]]
            self._refuse(type(error).__name__, len(images))

    # Answers.

    def _gather(self) -> None:
        for arn in self._ended():
            try:
                end = execution_end(self.project, arn)
                results = results_of_end(self.project, end)
            except (MonitorError, ClientError, BotoCoreError):
                # Its images stay unanswered, which the end says.
                continue
            at = end.stopped.timestamp() if end.stopped else time.time()
            with self._lock:
                for result in results:
                    key = str(result["image"].get("key", ""))
                    if key in self._sent:
                        self._executions[arn] = True
                        self._answered[key] = Answered(result, self._plausible(at, key))

    def _plausible(self, at: float, key: str) -> float:
        """Return when an image was answered; by this host's clock where AWS's disagrees."""
        now = time.time()
        return at if self._sent[key].at <= at <= now else now

    def _ended(self) -> Sequence[str]:
        """Return executions that ended since the last call and may have this run's images."""
        own = f"simulation-{self.name}-" if self.direct else f"{INBOX}-"
        since = self.started - timedelta(seconds=CLOCK_SECONDS)
        found: list[str] = []
        pages = self.states.get_paginator("list_executions").paginate(
            stateMachineArn=self.project.deployment.state_machine_arn
        )
        for page in pages:
            for one in page["executions"]:
                if one["startDate"] < since:
                    return found
                arn = one["executionArn"]
                fresh = one["status"] != RUNNING and arn not in self._executions
                if fresh and one["name"].startswith(own):
                    self._executions[arn] = False
                    found.append(arn)
        return found


def _print(project: Project, figures: dict[str, Any]) -> None:
    columns = ("sent", "accepted", "review", "failed", "unanswered", "right")
    rows = [
        (kind, *(counts[name] for name in columns))
        for kind, counts in figures["kinds"].items()
        if counts["sent"]
    ]
    project.console.grid("", ("images", *columns), rows)
    say, latency = project.console.say, figures["latency_seconds"]
    if latency["n"]:
        say(
            f"From upload to the end of its execution (n = {latency['n']}): median "
            f"{latency['p50']:.1f} s, 90 % within {latency['p90']:.1f} s, 99 % within "
            f"{latency['p99']:.1f} s, at most {latency['max']:.1f} s."
        )
    for name, verb in (("sent_per_second", "sent"), ("answered_per_second", "answered")):
        if figures[name]:
            say(f"  {figures[name]:.1f} images a second were {verb}.")
    for name, verb in (("assignments", "assigned"), ("failures", "failed"), ("not_sent", "unsent")):
        if figures[name]:
            say(f"  {verb}: " + ", ".join(f"{n} {label}" for label, n in figures[name].items()))
    if figures["accepted"] + figures["review"]:
        project.hint("results", "report", *(["review"] if figures["review"] else []))
