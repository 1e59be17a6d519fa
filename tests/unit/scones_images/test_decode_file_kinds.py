import io

import pytest
from PIL import Image

from scones_images import ENDPOINT, PHOTOS, ImageError, decode


def encoded(kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (32, 32)).save(buffer, kind)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (encoded("AVIF"), "but AVIF; convert it to PNG or JPEG"),
        (encoded("JPEG2000"), "but JPEG 2000; convert it"),
        (encoded("ICO"), "but an icon; convert it"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "but HEIC; convert it"),
        (b"\xef\xbb\xbf<svg xmlns='http://www.w3.org/2000/svg'/>", "but SVG; convert it"),
        (b"<?xml version='1.0'?><svg/>", "but SVG; convert it"),
        (b"\n<!DOCTYPE html><html>", "but a web page; download the file itself"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer; fetch the file"),
        (b"II*\0\x08\0\0\0\0\0", "the TIFF is damaged, or of a rare kind"),
        (encoded("JPEG").replace(b"\x11\x08", b"\x11\x0c", 1), "the JPEG is damaged, or of a rare"),
    ],
)
def test_what_a_file_is_that_is_not_read_is_named(body: bytes, named: str) -> None:
    with pytest.raises(ImageError, match=named):
        decode(body, limits=PHOTOS)


def test_what_only_photographs_may_be_is_named_to_the_endpoints_caller() -> None:
    with pytest.raises(ImageError, match="not a PNG or JPEG image but WebP; convert it to PNG"):
        decode(encoded("WEBP"), limits=ENDPOINT)


@pytest.mark.parametrize("body", [b"words", bytes(600), b"RIFF\0\0\0\0WAVE", b"<html"[:3]])
def test_bytes_of_no_known_kind_are_only_not_an_image(body: bytes) -> None:
    with pytest.raises(ImageError, match=r"are not a PNG or JPEG image$"):
        decode(body)
