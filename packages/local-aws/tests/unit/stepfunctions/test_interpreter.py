import pytest

from local_aws.stepfunctions.interpreter import worker_count


@pytest.mark.parametrize(
    ("asked", "items", "workers"),
    [(0, 5, 5), (0, 500, 40), (10, 500, 10), (1000, 500, 40), (10, 3, 3), (10, 0, 0)],
)
def test_a_map_runs_no_more_items_than_asked_than_there_are_and_than_forty(
    asked: int, items: int, workers: int
) -> None:
    assert worker_count(asked, items) == workers
