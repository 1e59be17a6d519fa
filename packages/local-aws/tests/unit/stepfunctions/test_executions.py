from local_aws.stepfunctions.executions import MAX_EVENTS, MAX_EXECUTIONS, excess, forget


def test_what_is_within_the_limits_stays() -> None:
    assert excess([5] * MAX_EXECUTIONS) == set()


def test_the_oldest_finished_executions_go_first_and_running_ones_stay() -> None:
    sizes = [None, 1, None, *([1] * MAX_EXECUTIONS), 1]
    assert excess(sizes) == {1, 3}


def test_long_histories_count() -> None:
    assert excess([MAX_EVENTS, 10, 10]) == {0}
    assert excess([10, MAX_EVENTS - 10]) == set()


def test_a_list_is_cut_in_place() -> None:
    executions = list(range(MAX_EXECUTIONS + 3))
    forget(executions, size=lambda _: 1)
    assert executions == list(range(3, MAX_EXECUTIONS + 3))
