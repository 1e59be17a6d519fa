import json
from io import BytesIO
from typing import TYPE_CHECKING, Any, cast

import pytest

from scones_core.errors import (
    ImageNotFound,
    ImageTooLarge,
    InvalidRequest,
    SettingsError,
    UnsupportedImage,
)
from scones_core.image_header import HEADER_BYTES
from scones_lambdas import clients
from scones_lambdas.environment import SerializeEnvironment
from scones_lambdas.serialize_image import describe_image, handler
from tests.functional.scones_lambdas.conftest import BUCKET, forget_settings, picture, put

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

pytestmark = pytest.mark.usefixtures("world")

EXECUTION = "arn:aws:states:us-east-1:123456789012:execution:scones:one"


def item(image: Any, index: int = 0) -> dict[str, Any]:
    return {"image": image, "execution": EXECUTION, "index": index}


@pytest.mark.parametrize(("kind", "content_type"), [("PNG", "image/png"), ("JPEG", "image/jpeg")])
def test_describes_the_object_without_its_bytes(kind: str, content_type: str, context: Any) -> None:
    body = picture(kind, (40, 30))
    image = put("in/one", body)
    result = handler(item(image), context)
    assert result["image"] == {
        **image,
        "etag": result["image"]["etag"],
        "content_type": content_type,
        "size_bytes": len(body),
        "width": 40,
        "height": 30,
    }
    assert json.loads(json.dumps(result, allow_nan=False)) == result


def test_an_object_longer_than_the_header_keeps_its_whole_size(context: Any) -> None:
    body = picture("PNG", (300, 300))
    assert len(body) > HEADER_BYTES
    image = handler(item(put("in/long", body)), context)["image"]
    assert image["size_bytes"] == len(body)


def segment(marker: int, content: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(content) + 2).to_bytes(2, "big") + content


@pytest.mark.parametrize("count", [2, 3, 20])
def test_metadata_of_any_length_may_stand_before_the_size(count: int, context: Any) -> None:
    plain = picture("JPEG", (40, 30))
    profile = segment(0xE2, b"ICC_PROFILE\0" + bytes(65_000))
    body = plain[:2] + profile * count + plain[2:]
    image = handler(item(put("in/profile.jpg", body)), context)["image"]
    assert (image["width"], image["height"], image["size_bytes"]) == (40, 30, len(body))


def test_a_jpeg_that_shows_no_size_at_all_is_refused(context: Any) -> None:
    body = b"\xff\xd8" + segment(0xE1, bytes(65_000)) * 5
    with pytest.raises(UnsupportedImage, match="no size"):
        handler(item(put("in/none.jpg", body)), context)


def test_an_object_that_is_replaced_between_the_two_reads_is_refused() -> None:
    class Replaced:
        """An S3 whose object is another one at each call."""

        calls = 0

        def get_object(self, **_: Any) -> dict[str, Any]:
            self.calls += 1
            head = b"\xff\xd8" + segment(0xE1, bytes(65_000)) * 5
            return {
                "Body": BytesIO(head[:HEADER_BYTES]),
                "ContentRange": f"bytes 0-1/{len(head)}",
                "ETag": f'"{self.calls}"',
            }

    with pytest.raises(ImageNotFound, match="was replaced"):
        describe_image(
            cast("S3Client", Replaced()), {"bucket": "b", "key": "k"}, SerializeEnvironment.of({})
        )


def test_the_type_is_read_from_the_bytes_not_from_the_name(context: Any) -> None:
    image = put("in/one.png", picture("JPEG"))
    assert handler(item(image), context)["image"]["content_type"] == "image/jpeg"


def test_the_older_form_is_taken(context: Any) -> None:
    image = put("in/one.png", picture())
    older = {"image_data": "", "s3_bucket": image["bucket"], "s3_key": image["key"]}
    assert handler(item(older), context) == handler(item(image), context)


def test_a_bare_item_is_taken_for_an_invocation_by_hand(context: Any) -> None:
    image = put("in/one.png", picture())
    by_hand = handler(image, context)
    assert by_hand["image"] == handler(item(image), context)["image"]
    assert by_hand["inference_id"] == handler(image, context)["inference_id"]


def test_each_position_has_its_own_inference_id_which_a_retry_keeps(context: Any) -> None:
    image = put("in/one.png", picture())
    first, second = (handler(item(image, n), context)["inference_id"] for n in (0, 1))
    assert first != second
    assert handler(item(image, 0), context)["inference_id"] == first


@pytest.mark.parametrize("name", ["a b.png", "a+b.png", "ä/%20.png", "日本.png"])
def test_a_key_is_taken_literally(name: str, context: Any) -> None:
    image = put(name, picture())
    assert handler(item(image), context)["image"]["key"] == name


def test_an_encoded_key_is_not_guessed_at_but_explained(context: Any) -> None:
    put("a b.png", picture())
    with pytest.raises(ImageNotFound, match=r"decode it: 'a b\.png'"):
        handler(item({"bucket": BUCKET, "key": "a+b.png"}), context)


def test_an_absent_object_and_an_absent_bucket_are_distinguished(context: Any) -> None:
    with pytest.raises(ImageNotFound, match=f"no object s3://{BUCKET}/none.png"):
        handler(item({"bucket": BUCKET, "key": "none.png"}), context)
    with pytest.raises(ImageNotFound, match="no bucket scones-nowhere"):
        handler(item({"bucket": "scones-nowhere", "key": "none.png"}), context)


def test_a_name_that_no_bucket_can_have_is_an_invalid_request(context: Any) -> None:
    with pytest.raises(InvalidRequest, match="cannot be an S3 object"):
        handler(item({"bucket": "not a bucket", "key": "one.png"}), context)


def test_an_empty_object_is_no_image(context: Any) -> None:
    with pytest.raises(UnsupportedImage, match=r"in/empty.*(empty|neither)"):
        handler(item(put("in/empty", b"")), context)


@pytest.mark.parametrize("body", [b"GIF89a" + bytes(50), b"%PDF-1.7", b"\x89PNG\r\n\x1a\n", b"x"])
def test_another_format_is_refused_by_name(body: bytes, context: Any) -> None:
    with pytest.raises(UnsupportedImage, match=r"s3://scones-data/in/odd: .*give a PNG or JPEG"):
        handler(item(put("in/odd", body)), context)


def test_too_many_bytes_and_too_many_pixels_are_refused(
    context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = picture(size=(20, 20))
    image = put("in/one.png", body)
    monkeypatch.setenv("MAX_IMAGE_BYTES", str(len(body)))
    monkeypatch.setenv("MAX_IMAGE_PIXELS", "400")
    forget_settings()
    assert handler(item(image), context)["image"]["width"] == 20
    monkeypatch.setenv("MAX_IMAGE_PIXELS", "399")
    forget_settings()
    with pytest.raises(ImageTooLarge, match="20 x 20 pixels"):
        handler(item(image), context)
    monkeypatch.setenv("MAX_IMAGE_BYTES", str(len(body) - 1))
    forget_settings()
    with pytest.raises(ImageTooLarge, match=f"{len(body)} bytes"):
        handler(item(image), context)


def test_a_row_longer_than_any_that_is_decoded_is_refused(context: Any) -> None:
    with pytest.raises(ImageTooLarge, match="70000 x 1 pixels, more than the 65535 a side"):
        handler(item(put("in/row.png", picture(size=(70_000, 1)))), context)


@pytest.mark.parametrize(
    "image", [None, "s3://a/b", [], {}, {"bucket": "a"}, {"bucket": "a", "key": 7}, {"key": "b"}]
)
def test_an_item_of_another_form_is_an_invalid_request(image: Any, context: Any) -> None:
    with pytest.raises(InvalidRequest):
        handler(item(image), context)


@pytest.mark.usefixtures("new_clients")
def test_a_missing_region_is_a_settings_error(
    context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    clients.s3.cache_clear()
    with pytest.raises(SettingsError, match="AWS_REGION"):
        handler(item({"bucket": "scones-data", "key": "one.png"}), context)


def test_the_log_has_names_and_sizes_and_no_bytes(
    context: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    body = picture()
    result = handler(item(put("in/one.png", body)), context)
    line = json.loads(capsys.readouterr().out)
    assert {k: line[k] for k in result["image"]} == result["image"]
    assert line["inference_id"] == result["inference_id"]
    assert max(len(str(value)) for value in line.values()) < 200


def test_only_the_first_bytes_are_fetched(context: Any) -> None:
    image = put("in/long", picture("PNG", (300, 300)))
    fetched: list[dict[str, str]] = []
    clients.s3().meta.events.register(
        "provide-client-params.s3.GetObject", lambda params, **_: fetched.append(params)
    )
    handler(item(image), context)
    assert [call["Range"] for call in fetched] == [f"bytes=0-{HEADER_BYTES - 1}"]
