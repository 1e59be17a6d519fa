"""Requests while an endpoint moves from one fleet to the next."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from functional.sagemaker.endpoints.conftest import Make, fleet

from local_aws.sagemaker.endpoints.instances import (
    VariantUnavailable,
)
from local_aws.sagemaker.endpoints.traffic import Traffic
from local_aws.sagemaker.endpoints.weighted_variants import Fleet

DEADLINE_SECONDS = 15.0


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
