import pytest

from local_aws.dashboard.endpoints import WINDOW, Latencies, quantile


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [([], 0.5, None), ([3.0], 0.95, 3.0), ([1.0, 2.0, 3.0, 4.0], 0.5, 2.0)],
)
def test_a_quantile_is_one_of_the_values(
    values: list[float], share: float, expected: float | None
) -> None:
    assert quantile(values, share) == expected


def test_the_95th_of_a_hundred_is_the_95th() -> None:
    assert quantile([float(n) for n in range(1, 101)], 0.95) == 95.0


def test_failed_requests_are_counted_and_not_timed() -> None:
    latencies = Latencies()
    latencies.note("e", "v", 200, 2_000)
    latencies.note("e", "v", 503, 900_000)
    found = latencies.of("e", "v")
    assert found == {"requests": 2, "errors": 1, "p50_ms": 2.0, "p95_ms": 2.0}


def test_only_the_last_requests_are_timed() -> None:
    latencies = Latencies()
    for _ in range(WINDOW):
        latencies.note("e", "v", 200, 9_000)
    for _ in range(WINDOW):
        latencies.note("e", "v", 200, 1_000)
    assert latencies.of("e", "v")["p95_ms"] == 1.0


def test_a_variant_that_was_never_asked_has_no_latency() -> None:
    assert Latencies().of("e", "v")["p50_ms"] is None
