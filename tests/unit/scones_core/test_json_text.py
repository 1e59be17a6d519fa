import pytest

from scones_core.json_text import parse_json


@pytest.mark.parametrize("text", ['{"a": [1, -2.5e3, null, true]}', '"\\ud83d\\ude00"', "9" * 308])
def test_json_has_its_value(text: str) -> None:
    assert parse_json(text) == parse_json(text.encode())


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "NaN",
        '{"a": -Infinity}',
        "[" + "9" * 309 + "]",
        "9" * 5_000,
        '{"a": -1e999}',
        '"\\ud800"',
        '{"\\uDC00": 1}',
        '["a\\ud83d"]',
        "[" * 100_000,
        '{"a":' * 100_000,
    ],
)
def test_a_value_that_no_file_or_table_takes_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_json(text)
    with pytest.raises(ValueError):
        parse_json(text.encode())


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32-le"])
def test_bytes_are_read_in_any_encoding_of_json_and_strictly(encoding: str) -> None:
    assert parse_json('["é"]'.encode(encoding)) == ["é"]
    with pytest.raises(ValueError):
        parse_json('["\\ud800"]'.encode(encoding))
    with pytest.raises(ValueError):
        parse_json('["\ud800"]'.encode(encoding, "surrogatepass"))
