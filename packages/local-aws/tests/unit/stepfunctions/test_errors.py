import pytest

from local_aws.stepfunctions.errors import MAX_STATE_BYTES, matches_error, within_quota


def test_a_states_data_is_measured_as_compact_utf8():
    assert within_quota("x" * MAX_STATE_BYTES)
    assert not within_quota("x" * (MAX_STATE_BYTES + 1))
    assert not within_quota("ü" * (MAX_STATE_BYTES // 2 + 1))
    pairs = {str(n): 0 for n in range(10)}
    assert within_quota({**pairs, "rest": "x" * (MAX_STATE_BYTES - len('"0":0,') * 10 - 9 - 2)})


@pytest.mark.parametrize(
    ("named", "error", "matches"),
    [
        ({"Own"}, "Own", True),
        ({"Own"}, "Other", False),
        ({"States.ALL"}, "Own", True),
        ({"States.ALL"}, "States.Runtime", False),
        ({"States.ALL"}, "States.DataLimitExceeded", False),
        ({"States.DataLimitExceeded"}, "States.DataLimitExceeded", True),
        ({"States.TaskFailed"}, "Own", True),
        ({"States.TaskFailed"}, "States.Timeout", False),
        ({"States.TaskFailed"}, "States.Runtime", False),
        ({"States.Timeout"}, "States.HeartbeatTimeout", True),
        ({"States.HeartbeatTimeout"}, "States.Timeout", False),
    ],
)
def test_an_error_is_matched_by_its_name_or_by_what_stands_for_it(named, error, matches):
    """https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html"""
    assert matches_error(named, error) is matches
