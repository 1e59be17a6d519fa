import json

import pytest

from scones_core.errors import MalformedArtifact
from scones_core.golden_samples import GoldenSample, dumps, loads

IMAGE = GoldenSample(b"\x89PNG\xff", "image/png", (0.25, 0.75))


def test_images_are_read_back_with_every_bit_of_their_answers() -> None:
    third = GoldenSample(b"", "image/jpeg", (1 / 3, 2 / 3))
    assert loads(dumps([IMAGE, third])) == (IMAGE, third)


def altered(**changes: object) -> str:
    body = json.loads(dumps([IMAGE]))
    body["samples"][0].update(changes)
    return json.dumps(body)


@pytest.mark.parametrize(
    "text",
    [
        b"\xff",
        "[]",
        "{}",
        '{"schema": 2, "samples": []}',
        "[" * 100_000,
        altered(body="no base64!"),
        altered(body=7),
        altered(probabilities=[]),
        altered(probabilities=["0.5"]),
        altered(probabilities=[float("nan")]),
        altered(content_type=None),
    ],
)
def test_anything_else_is_refused(text: str | bytes) -> None:
    with pytest.raises(MalformedArtifact, match=r"samples\.json"):
        loads(text)
