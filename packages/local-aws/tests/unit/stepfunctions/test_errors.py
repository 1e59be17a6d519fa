import pytest

from local_aws.stepfunctions.errors import matches_error


@pytest.mark.parametrize(
    ("named", "error", "matches"),
    [
        ({"Own"}, "Own", True),
        ({"Own"}, "Other", False),
        ({"States.ALL"}, "Own", True),
        ({"States.ALL"}, "States.Runtime", False),
        ({"States.ALL"}, "States.DataLimitExceeded", True),
        ({"States.DataLimitExceeded"}, "States.DataLimitExceeded", True),
        ({"States.TaskFailed"}, "Own", True),
        ({"States.TaskFailed"}, "States.Timeout", False),
        ({"States.TaskFailed"}, "States.Runtime", False),
        ({"States.Timeout"}, "States.HeartbeatTimeout", True),
        ({"States.HeartbeatTimeout"}, "States.Timeout", False),
    ],
)
def test_an_error_is_matched_by_its_name_or_by_what_stands_for_it(
    named: set[str], error: str, matches: bool
) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html"""
    assert matches_error(named, error) is matches
