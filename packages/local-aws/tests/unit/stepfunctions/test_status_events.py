"""https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html"""

import pytest

from local_aws.stepfunctions.status_events import MAX_ESCAPED_BYTES, included_data

LIMIT = 253_952
# One byte of the text is two of the escaped one.
QUOTES = LIMIT // 2


@pytest.mark.parametrize(
    ("given", "output", "has_input", "has_output"),
    [
        ("{}", None, True, None),
        ("i" * LIMIT, None, True, None),
        ("i" * (LIMIT + 1), None, False, None),
        ('"' * QUOTES, None, True, None),
        ('"' * QUOTES + "i", None, False, None),
        ("ü" * QUOTES, None, True, None),
        ("i" * (LIMIT - 10), "o" * 10, True, True),
        ("i" * (LIMIT - 10), "o" * 11, False, True),
        ("i", "o" * LIMIT, False, True),
        ("i", "o" * (LIMIT + 1), False, False),
    ],
)
def test_data_over_248_kib_is_left_out_of_an_event_and_the_event_says_so(
    given: str, output: str | None, has_input: bool, has_output: bool | None
) -> None:
    assert MAX_ESCAPED_BYTES == LIMIT
    assert included_data(given, output) == {
        "input": given if has_input else None,
        "inputDetails": {"included": has_input},
        "output": output if has_output else None,
        "outputDetails": None if has_output is None else {"included": has_output},
    }
