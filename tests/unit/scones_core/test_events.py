from pathlib import Path

import pytest

from scones_core.errors import InvalidRequest
from scones_core.events import CHALLENGER_PREFIX, challenger_of, inference_id, parse_image_ref

ROOT = Path(__file__).parents[3]


def test_an_image_is_given_by_bucket_and_key() -> None:
    assert parse_image_ref({"bucket": "b", "key": "k", "more": 1}) == {"bucket": "b", "key": "k"}


def test_the_older_input_is_still_accepted() -> None:
    older = {"image_data": "", "s3_bucket": "b", "s3_key": "test/bicycle_s_000513.png"}
    assert parse_image_ref(older) == {"bucket": "b", "key": "test/bicycle_s_000513.png"}


@pytest.mark.parametrize(
    "value", [None, "s3://b/k", 3, {}, {"bucket": "b"}, {"bucket": "", "key": "k"}, {"key": 1}]
)
def test_anything_else_is_an_invalid_request(value: object) -> None:
    with pytest.raises(InvalidRequest):
        parse_image_ref(value)


@pytest.mark.parametrize("name", ["bucket", "key", "version"])
def test_a_text_that_no_encoding_has_names_no_object(name: str) -> None:
    with pytest.raises(InvalidRequest, match=f"^An image's {name} .*surrogate"):
        parse_image_ref({"bucket": "b", "key": "k", "version": "v", name: "a\ud800.png"})


def test_a_refusal_does_not_grow_with_what_was_sent() -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_image_ref({"k" * 200_000: 1})
    assert len(str(refused.value)) < 300


def test_an_inference_id_is_the_same_for_each_retry_and_no_other_item() -> None:
    execution = "arn:aws:states:us-east-1:123456789012:execution:m:run-1"
    assert inference_id(execution, 3) == inference_id(execution, 3)
    ids = {inference_id(execution, i) for i in range(100)} | {inference_id("other", 3)}
    assert len(ids) == 101
    assert all(len(each) <= 64 for each in ids)


@pytest.mark.parametrize(
    ("variant", "release"),
    [
        ("Challenger-20261129-074748-679c", "20261129-074748-679c"),
        ("AllTraffic", ""),
        ("Shadow", ""),
        ("", ""),
    ],
)
def test_a_challengers_variant_says_its_release(variant: str, release: str) -> None:
    assert challenger_of(variant) == release


def test_terraform_names_a_challengers_variant_the_same() -> None:
    outputs = (ROOT / "terraform" / "modules" / "naming" / "outputs.tf").read_text()
    assert f'value       = "{CHALLENGER_PREFIX}"' in outputs
