import pytest

from scones_core.errors import ImageNotFound, InvalidRequest


def test_a_sentence_of_usual_length_is_kept() -> None:
    sentence = f"There is no object s3://{'b' * 63}/{'k' * 1024}. Check the bucket and the key."
    assert str(ImageNotFound(sentence)) == sentence


@pytest.mark.parametrize("text", ["k" * 200_000, "\U0001f6b2" * 60_000, '"' * 2_001])
def test_a_sentence_about_a_name_without_end_is_cut_in_its_middle(text: str) -> None:
    said = str(InvalidRequest(f"s3://b/{text} cannot be an S3 object; give its bucket and key."))
    assert len(said) <= 2_000
    assert said.startswith(f"s3://b/{text[:500]}")
    assert said.endswith(" cannot be an S3 object; give its bucket and key.")
