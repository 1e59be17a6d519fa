"""A variant's real process: started, asked, restarted, drained."""

import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import urllib3

from local_aws.core.child_processes import Children
from local_aws.sagemaker.endpoints import instances
from local_aws.sagemaker.endpoints.fleets import Fleet, FleetSettings, NoSuchVariant
from local_aws.sagemaker.endpoints.instances import (
    MAX_ANSWER_BYTES,
    AnswerTooLarge,
    ServeSpec,
    VariantFailed,
    VariantUnavailable,
)
from local_aws.sagemaker.endpoints.traffic import Traffic
from local_aws.sagemaker.endpoints.variants import MAX_PROCESSES, Variant, VariantThrottled
from local_aws.testing import PROGRAMS

SERVE = PROGRAMS / "stand_in_serve.py"
DEADLINE_SECONDS = 15.0
Make = Callable[..., Variant]


def discard(line: str) -> None:
    """Take a line of a container's log."""


@pytest.fixture
def children() -> Iterator[Children]:
    started = Children()
    yield started
    started.stop_all()


@pytest.fixture
def make(children: Children, tmp_path: Path) -> Make:
    def variant(
        name: str = "AllTraffic",
        answer: str = "[0.9, 0.1]",
        *,
        count: int = 1,
        max_concurrency: int = 0,
        prepare: Callable[[], None] = lambda: None,
        **environment: str,
    ) -> Variant:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        (folder / "answer.txt").write_text(answer)
        spec = ServeSpec(
            name=name,
            argv=(sys.executable, str(SERVE)),
            folder=folder,
            environment={"SM_MODEL_DIR": str(folder), **environment},
            startup_seconds=float(environment.get("STARTUP_SECONDS", "10")),
            ping_seconds=0.1,
            prepare=prepare,
        )
        return Variant(
            spec,
            children,
            lambda: discard,
            count=count,
            max_concurrency=max_concurrency,
        )

    return variant


def fleet(tmp_path: Path, *variants: Variant, weights: dict[str, float] | None = None) -> Fleet:
    return Fleet(FleetSettings("config"), variants, weights or {}, folder=tmp_path / "fleet")


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.01)


def test_a_started_variant_answers(make: Make) -> None:
    variant = make()
    variant.start()

    reply = variant.invoke(b"image", {"Content-Type": "image/png"})

    assert (reply.status, reply.body) == (200, b"[0.9, 0.1]")
    assert reply.ok


def test_a_variant_that_ends_early_says_its_last_line(make: Make) -> None:
    with pytest.raises(VariantFailed, match="the weights cannot be read"):
        make(FAIL="1").start()


def test_a_variant_that_never_pings_is_stopped_and_fails(make: Make) -> None:
    variant = make(NO_PING="1", STARTUP_SECONDS="0.5")

    with pytest.raises(VariantFailed, match="did not pass the ping health check"):
        variant.start()
    with pytest.raises(VariantUnavailable):
        variant.invoke(b"", {})


def test_a_program_that_is_not_there_is_named(children: Children, tmp_path: Path) -> None:
    spec = ServeSpec("AllTraffic", ("/no/such/program",), tmp_path, {})

    with pytest.raises(VariantFailed, match="/no/such/program"):
        Variant(spec, children, lambda: discard).start()


def test_a_port_that_was_taken_meanwhile_is_changed(make: Make) -> None:
    variant = make(PORT_TAKEN_ONCE="1")

    variant.start()

    assert variant.invoke(b"", {}).ok


def test_a_crashed_variant_is_started_again(make: Make) -> None:
    variant = make()
    variant.start()

    with pytest.raises(Exception, match=r"aborted|closed|running"):
        variant.invoke(b"die", {})

    def answers() -> bool:
        try:
            return variant.invoke(b"", {}).ok
        except VariantUnavailable:
            return False

    until(answers)


def test_a_variant_is_started_again_though_its_folder_was_deleted_and_starting_failed(
    make: Make, tmp_path: Path
) -> None:
    failures = [OSError("the disk is full"), VariantFailed("no model")]

    def prepare() -> None:
        if failures:
            raise failures.pop()
        (tmp_path / "AllTraffic").mkdir(exist_ok=True)

    variant = make(prepare=prepare)
    variant.start()
    shutil.rmtree(tmp_path / "AllTraffic")

    with pytest.raises(Exception, match=r"aborted|closed|running"):
        variant.invoke(b"die", {})

    def answers() -> bool:
        try:
            return variant.invoke(b"", {}).ok
        except VariantUnavailable:
            return False

    until(answers)


def test_a_target_and_the_weights_choose_the_variant(make: Make, tmp_path: Path) -> None:
    both = fleet(tmp_path, make("a"), make("b"), weights={"a": 1.0, "b": 0.0})

    assert {both.choose().spec.name for _ in range(50)} == {"a"}
    assert both.choose("b").spec.name == "b"
    both.set_weights({"a": 0.0, "b": 2.0})
    assert {both.choose().spec.name for _ in range(50)} == {"b"}
    with pytest.raises(NoSuchVariant, match="'c'"):
        both.choose("c")
    both.set_weights({"b": 0.0})
    with pytest.raises(NoSuchVariant, match="weight 0"):
        both.choose()


def test_a_fleet_with_one_bad_variant_leaves_none_running(make: Make, tmp_path: Path) -> None:
    good = make("good")

    with pytest.raises(VariantFailed):
        fleet(tmp_path, good, make("bad", FAIL="1")).start()

    with pytest.raises(VariantUnavailable):
        good.invoke(b"", {})


def test_what_moves_to_a_new_fleet_leaves_no_request_of_the_old_one_unanswered(
    make: Make, tmp_path: Path
) -> None:
    traffic = Traffic()
    old, new = fleet(tmp_path, make("old", "old")), fleet(tmp_path, make("new", "new"))
    for each in (old, new):
        each.start()
    first = traffic.begin("endpoint")
    assert traffic.shift("endpoint", first, old, 1.0)
    assert traffic.finish("endpoint", first) is None
    held = threading.Event()

    def slow() -> bytes:
        with traffic.lease("endpoint") as serving:
            assert serving is not None
            held.set()
            return serving.choose().invoke(b"sleep 0.5", {}).body

    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(slow)
        assert held.wait(DEADLINE_SECONDS)
        second = traffic.begin("endpoint")
        assert traffic.shift("endpoint", second, new, 1.0)
        assert traffic.finish("endpoint", second) is old
        old.drain()
        assert answer.result() == b"old"
    with traffic.lease("endpoint") as serving:
        assert serving is new
    with pytest.raises(VariantUnavailable):
        old.choose().invoke(b"", {})


def test_a_share_of_the_requests_goes_to_the_new_fleet_until_it_is_rolled_back(
    make: Make, tmp_path: Path
) -> None:
    traffic, old, new = Traffic(), fleet(tmp_path, make("old")), fleet(tmp_path, make("new"))
    first = traffic.begin("endpoint")
    traffic.shift("endpoint", first, old, 1.0)
    traffic.finish("endpoint", first)
    mark = traffic.begin("endpoint")

    def taken() -> list[Fleet | None]:
        found = []
        for _ in range(400):
            with traffic.lease("endpoint") as serving:
                found.append(serving)
        return found

    traffic.shift("endpoint", mark, new, 0.25)
    # 400 draws at 0.25: outside of these bounds about once in ten million runs.
    assert 55 <= taken().count(new) <= 145
    traffic.roll_back("endpoint", mark)
    assert set(taken()) == {old}


def test_a_deployment_of_an_endpoint_deleted_meanwhile_does_not_serve(
    make: Make, tmp_path: Path
) -> None:
    traffic = Traffic()
    mark = traffic.begin("endpoint")

    traffic.remove("endpoint")

    assert not traffic.shift("endpoint", mark, fleet(tmp_path, make()), 1.0)
    with traffic.lease("endpoint") as serving:
        assert serving is None


def test_a_variant_has_a_process_an_instance_and_takes_them_away_again(make: Make) -> None:
    variant = make(count=2)
    variant.start()
    with ThreadPoolExecutor(2) as pool:
        held = [pool.submit(variant.invoke, b"sleep 0.3", {}) for _ in range(2)]
        for future in held:
            future.result()
    pids = {variant.invoke(b"pid", {}).body for _ in range(10)}
    variant.scale(MAX_PROCESSES + 3)
    assert (variant.count, variant.processes) == (MAX_PROCESSES + 3, MAX_PROCESSES)
    variant.scale(1)
    assert variant.processes == 1
    assert variant.invoke(b"pid", {}).body in pids
    variant.scale(0)
    with pytest.raises(VariantUnavailable):
        variant.invoke(b"", {})


def test_a_serverless_variant_refuses_more_requests_than_its_concurrency(make: Make) -> None:
    variant = make(max_concurrency=1)
    variant.start()

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(variant.invoke, b"sleep 1", {})

        def throttled() -> bool:
            try:
                variant.invoke(b"", {})
            except VariantThrottled:
                return True
            return False

        until(throttled)
        assert first.result().ok
    assert variant.invoke(b"", {}).ok


def test_an_answer_of_the_largest_size_is_whole(make: Make) -> None:
    variant = make()
    variant.start()

    assert len(variant.invoke(f"bytes {MAX_ANSWER_BYTES}".encode(), {}).body) == MAX_ANSWER_BYTES


@pytest.mark.parametrize("body", [f"bytes {MAX_ANSWER_BYTES + 1}".encode(), b"endless"])
def test_an_answer_that_is_too_large_is_not_read_to_its_end(make: Make, body: bytes) -> None:
    variant = make()
    variant.start()

    with pytest.raises(AnswerTooLarge):
        variant.invoke(body, {})
    assert variant.invoke(b"image", {}).body == b"[0.9, 0.1]"


def test_an_answer_in_drops_ends_at_its_time(make: Make) -> None:
    variant = make()
    variant.start()

    began = time.monotonic()
    with pytest.raises(urllib3.exceptions.HTTPError):
        variant.invoke(b"drip 0.05", {}, 1.0)
    assert time.monotonic() - began < DEADLINE_SECONDS


@pytest.mark.parametrize("fault", ["ill", "hang"])
def test_a_program_that_does_not_pass_its_pings_any_more_is_replaced(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setattr(instances, "PING_TIMEOUT_SECONDS", 0.2)
    monkeypatch.setattr(instances, "STOP_GRACE_SECONDS", 1.0)
    variant = make()
    variant.start()
    first = variant.invoke(b"pid", {}).body

    (tmp_path / "AllTraffic" / fault).touch()
    until(lambda: _is_down(variant))
    (tmp_path / "AllTraffic" / fault).unlink()
    until(lambda: _pid(variant) not in (b"", first))


def _is_down(variant: Variant) -> bool:
    return _pid(variant) == b""


def _pid(variant: Variant) -> bytes:
    try:
        return variant.invoke(b"pid", {}).body
    except (VariantUnavailable, urllib3.exceptions.HTTPError):
        return b""
