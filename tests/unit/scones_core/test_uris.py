import pytest

from scones_core.errors import SettingsError
from scones_core.uris import S3Uri, image_key, is_on_this_host, list_key, manifest_key


def test_a_location_reads_back_as_it_was_written() -> None:
    assert str(S3Uri.parse("s3://data/a/b.png")) == "s3://data/a/b.png"


@pytest.mark.parametrize(
    "key",
    [
        "photo #1.jpg",
        "what?.png",
        "a%20b",
        "a+b",
        "50%",
        "café",
        "in//double",
        "a&b",
        "t\tab",
        "/x",
    ],
)
def test_everything_behind_the_bucket_is_the_key_as_it_is_written(key: str) -> None:
    assert S3Uri.parse(f"s3://bucket/{key}") == S3Uri("bucket", key)


@pytest.mark.parametrize(
    "text", ["", "data/a", "s3:///key", "https://data/a", "s3:/data/a", "S3://data/a"]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="s3://bucket/key"):
        S3Uri.parse(text)


def test_join_neither_doubles_nor_loses_a_slash() -> None:
    assert str(S3Uri("b", "capture/").join("/endpoint/", "variant")) == (
        "s3://b/capture/endpoint/variant"
    )
    assert S3Uri("b", "").join("x").key == "x"


def test_the_key_layout_is_the_documented_one() -> None:
    assert image_key("v1", "test", "bicycle", "ab" * 32) == (
        "dataset/v1/test/bicycle/abababababababab.png"
    )
    assert list_key("v1", "train") == "dataset/v1/train_lst/train.lst"
    assert manifest_key("v1") == "dataset/v1/manifest.json"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:4566", True),
        ("http://127.8.0.1", True),
        ("http://localhost:4566/", True),
        ("https://s3.us-east-1.amazonaws.com", False),
        ("http://localhost.example.com", False),
        ("http://example.com/127.0.0.1", False),
        ("", False),
    ],
)
def test_only_a_server_of_this_host_is_on_this_host(url: str, expected: bool) -> None:
    assert is_on_this_host(url) is expected
