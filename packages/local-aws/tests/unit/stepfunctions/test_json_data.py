import pytest

from local_aws.stepfunctions.json_data import MAX_STATE_BYTES, compact, strict_json, within_quota


@pytest.mark.parametrize("text", ['{"a": NaN}', "[Infinity]", "-Infinity", "{", "", "[" * 100_000])
def test_what_is_not_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        strict_json(text)


def test_a_value_comes_back() -> None:
    assert strict_json(compact({"ü": [1.5, None, "NaN"]})) == {"ü": [1.5, None, "NaN"]}


def test_a_states_data_is_measured_as_compact_utf8() -> None:
    assert within_quota("x" * MAX_STATE_BYTES)
    assert not within_quota("x" * (MAX_STATE_BYTES + 1))
    assert not within_quota("ü" * (MAX_STATE_BYTES // 2 + 1))
    pairs = {str(n): 0 for n in range(10)}
    assert within_quota({**pairs, "rest": "x" * (MAX_STATE_BYTES - len('"0":0,') * 10 - 9 - 2)})
