"""A variant's real process: started, asked, restarted, drained."""

import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import urllib3
from functional.sagemaker.endpoints.conftest import Make, discard

from local_aws.core.child_processes import Children
from local_aws.sagemaker.endpoints import instances
from local_aws.sagemaker.endpoints.instances import (
    MAX_ANSWER_BYTES,
    AnswerTooLarge,
    ServeSpec,
    VariantFailed,
    VariantUnavailable,
)
from local_aws.sagemaker.endpoints.variants import MAX_PROCESSES, Variant, VariantThrottled

DEADLINE_SECONDS = 15.0


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
