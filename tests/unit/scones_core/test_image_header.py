import io
import struct
import time
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from scones_core.errors import UnsupportedImage
from scones_core.image_header import (
    HEADER_BYTES,
    ImageHeader,
    IncompleteHeader,
    count_scans,
    read_image_header,
    require_few_scans,
)


def saved(kind: str, width: int, height: int, mode: str = "RGB", **options: object) -> bytes:
    file = io.BytesIO()
    Image.new(mode, (width, height)).save(file, kind, **options)
    return file.getvalue()


def png_header(width: int, height: int) -> bytes:
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    )


def segment(marker: int, content: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content


def frame(width: int, height: int, marker: int = 0xC0) -> bytes:
    return segment(marker, struct.pack(">BHHB", 8, height, width, 3) + bytes(9))


@given(width=st.integers(1, 300), height=st.integers(1, 300), kind=st.sampled_from(["PNG", "JPEG"]))
def test_reads_the_type_and_size_that_pillow_wrote(width: int, height: int, kind: str) -> None:
    header = read_image_header(saved(kind, width, height))
    assert header == ImageHeader(f"image/{kind.lower()}", width, height, 3)


@pytest.mark.parametrize("mode", ["L", "CMYK", "RGB"])
@pytest.mark.parametrize("progressive", [True, False])
def test_reads_every_kind_of_jpeg_frame(mode: str, progressive: bool) -> None:
    head = saved("JPEG", 33, 21, mode, progressive=progressive)
    channels = {"L": 1, "RGB": 3, "CMYK": 4}[mode]
    assert read_image_header(head) == ImageHeader("image/jpeg", 33, 21, channels)


def test_a_full_exif_segment_fits_into_the_bytes_that_are_fetched() -> None:
    jpeg = b"\xff\xd8" + segment(0xE1, bytes(65_533)) + frame(4000, 3000)
    assert read_image_header(jpeg[:HEADER_BYTES]) == ImageHeader("image/jpeg", 4000, 3000, 3)


def test_fill_bytes_and_markers_without_length_are_passed() -> None:
    jpeg = b"\xff\xd8\xff\xff\xff\x01" + frame(7, 5)
    assert read_image_header(jpeg) == ImageHeader("image/jpeg", 7, 5, 3)


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (b"", "neither"),
        (b"GIF89a", "neither"),
        (b"<svg>", "neither"),
        (png_header(8, 8)[:20], "ends within"),
        (png_header(8, 8)[:-1] + b"\0", "damaged"),
        (png_header(8, 8).replace(b"IHDR", b"IDAT"), "damaged"),
        (png_header(0, 8), "0 x 8"),
        (png_header(8, 2**31), "8 x 2147483648"),
        (b"\xff\xd8\xff", "no size"),
        (b"\xff\xd8" + segment(0xE0, bytes(9))[:-1], "no size"),
        (b"\xff\xd8" + segment(0xE1, bytes(65_533)) * 3, "no size"),
        (b"\xff\xd8\xff\xe0\x00\x00" + frame(7, 5), "impossible length"),
        (b"\xff\xd8\xff\xe0\x00\x01" + frame(7, 5), "impossible length"),
        (b"\xff\xd8" + segment(0xE0, bytes(9)) + bytes(99), "no size"),
        (b"\xff\xd8" + segment(0xDA, bytes(9)) + frame(7, 5), "no frame header"),
        (b"\xff\xd8\xff\xd9" + frame(7, 5), "no frame header"),
        (b"\xff\xd8" + frame(0, 5), "0 x 5"),
        (b"\xff\xd8" + frame(7, 0), "7 x 0"),
        (b"\xff\xd8" + frame(7, 5)[:8], "no size"),
    ],
)
def test_a_header_that_is_none_is_refused(head: bytes, message: str) -> None:
    with pytest.raises(UnsupportedImage, match=message):
        read_image_header(head)


@pytest.mark.parametrize("junk", [b"\0", b"abcdefg", b"\xff\x00", b"\0\xff\x00\xff"])
def test_bytes_of_no_segment_are_passed_as_decoders_pass_them(junk: bytes) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (7, 5)).save(buffer, "JPEG")
    body = buffer.getvalue()
    for at in (body.index(b"\xff\xdb"), body.index(b"\xff\xc0")):
        odd = body[:at] + junk + body[at:]
        header = read_image_header(odd)
        assert (header.width, header.height) == Image.open(io.BytesIO(odd)).size == (7, 5)


@pytest.mark.parametrize("marker", [0xC4, 0xC8, 0xCC])
def test_tables_are_not_taken_for_a_frame(marker: int) -> None:
    jpeg = b"\xff\xd8" + frame(9, 9, marker) + frame(7, 5)
    assert read_image_header(jpeg).width == 7


@given(
    start=st.sampled_from([b"", b"\xff\xd8\xff", png_header(8, 8), b"\x89PNG\r\n\x1a\n"]),
    rest=st.binary(max_size=200),
)
def test_any_bytes_are_read_or_refused(start: bytes, rest: bytes) -> None:
    try:
        header = read_image_header(start + rest)
    except UnsupportedImage:
        return
    assert header.width > 0
    assert header.height > 0


@pytest.mark.parametrize("filler", [b"\xff", b"\xff\x01", b"\xff\xe0\x00\x02"])
def test_the_most_markers_that_fit_take_no_time(filler: bytes) -> None:
    head = (b"\xff\xd8\xff\x01" + filler * HEADER_BYTES)[:HEADER_BYTES]
    before = time.thread_time()
    with pytest.raises(UnsupportedImage):
        read_image_header(head)
    assert time.thread_time() - before < 2


@pytest.mark.parametrize(
    ("mode", "channels"), [("1", 1), ("L", 1), ("I;16", 1), ("LA", 2), ("P", 3), ("RGBA", 4)]
)
def test_a_png_says_how_many_channels_it_has(mode: str, channels: int) -> None:
    assert read_image_header(saved("PNG", 5, 4, mode)).channels == channels


def test_a_frame_header_behind_a_megabyte_of_metadata_needs_more_bytes() -> None:
    jpeg = b"\xff\xd8" + segment(0xE1, bytes(65_000)) * 20 + frame(640, 480)
    with pytest.raises(IncompleteHeader):
        read_image_header(jpeg[:HEADER_BYTES])
    assert read_image_header(jpeg).pixels == 640 * 480


def with_scans(count: int, *, filler: bytes = b"") -> bytes:
    """Return a grey progressive JPEG whose first scan is repeated."""
    jpeg = saved("JPEG", 16, 16, "L", progressive=True)
    start = jpeg.index(b"\xff\xda")
    end = jpeg.index(b"\xff", start + 2)
    return jpeg[:start] + (jpeg[start:end] + filler) * count + jpeg[-2:]


@pytest.mark.parametrize("count", [1, 2, 40, 100])
def test_counts_the_scans_of_a_jpeg(count: int) -> None:
    assert count_scans(with_scans(count)) == count


def test_an_end_marker_inside_a_segment_between_scans_hides_none() -> None:
    assert count_scans(with_scans(50, filler=segment(0xEF, b"\xff\xd9\xff\xd9"))) == 50


def test_bytes_between_segments_that_a_decoder_skips_hide_no_scan() -> None:
    stray = with_scans(50, filler=segment(0xEF, b"x") + b"stray bytes")
    assert count_scans(stray) == 50


# Decoders pass over what stands between segments, and Pillow over markers without a handler.
STRAY = [
    b"\xff\xd0A",
    b"\xff\xd0\xff\xd7\x00",
    b"\xff\x00\x7f\xff",
    segment(0xEF, b"x") + b"A",
    b"\xff\xe5\x00\x00",
    b"\xff\xe5\x00\x01",
]


@pytest.mark.parametrize("stray", STRAY)
def test_stray_bytes_before_the_first_scan_hide_no_scan(stray: bytes) -> None:
    jpeg = with_scans(50)
    for at in (2, jpeg.index(b"\xff\xc2"), jpeg.index(b"\xff\xda")):
        odd = jpeg[:at] + stray + jpeg[at:]
        assert Image.open(io.BytesIO(odd)).size == (16, 16)
        assert count_scans(odd) == 50


@pytest.mark.parametrize(
    "hiding", [b"\xff\xd9", b"\xff\xd8", b"\xff\xf0\x7f\xff", b"\xff\xc8\x7f\xff", b"\xff\xd0A"]
)
@pytest.mark.parametrize("filler", [b"\xff\xe5\x00\x02", segment(0xE1, b"Exif\0\0" + b"x" * 10)])
def test_segments_that_pillow_reads_are_counted_wherever_they_stand(
    hiding: bytes, filler: bytes
) -> None:
    jpeg = saved("JPEG", 8, 8)
    with pytest.raises(UnsupportedImage, match="more than"):
        require_few_scans(jpeg[:2] + hiding + filler * 21_000 + jpeg[2:])


def test_exif_in_as_many_segments_as_a_camera_writes_is_accepted() -> None:
    jpeg = saved("JPEG", 8, 8)
    exif = segment(0xE1, b"Exif\0\0" + bytes(60_000))
    assert count_scans(jpeg[:2] + exif * 16 + jpeg[2:]) == 1
    with pytest.raises(UnsupportedImage, match="16 Exif segments"):
        count_scans(jpeg[:2] + exif * 17 + jpeg[2:])


def test_scans_in_previews_and_behind_the_end_do_not_count() -> None:
    preview = segment(0xE1, b"Exif\0\0" + saved("JPEG", 8, 8)) * 3
    jpeg = saved("JPEG", 33, 21)
    assert count_scans(jpeg[:2] + preview + jpeg[2:] + b"\xff\xda" * 500) == 1


@pytest.mark.parametrize("body", [b"", b"GIF89a\xff\xda", png_header(8, 8) + b"\xff\xda" * 9])
def test_what_is_no_jpeg_has_no_scans(body: bytes) -> None:
    assert count_scans(body) == 0


@given(st.binary(max_size=400))
def test_scans_of_any_bytes_are_counted_and_never_more_than_markers(body: bytes) -> None:
    assert 0 <= count_scans(b"\xff\xd8\xff" + body) <= body.count(b"\xda")


def test_more_scans_than_any_encoder_writes_are_refused() -> None:
    require_few_scans(with_scans(100))
    with pytest.raises(UnsupportedImage, match="more than 100 scans"):
        require_few_scans(with_scans(101))


@pytest.mark.parametrize("filler", [b"\xff\xda\x00\x02", b"\xff\x01", b"\xff\xe0\x00\x02"])
def test_six_megabytes_of_markers_are_refused_in_no_time(filler: bytes) -> None:
    before = time.thread_time()
    with pytest.raises(UnsupportedImage, match="more than"):
        require_few_scans(b"\xff\xd8\xff\xe0\x00\x02" + filler * (6_000_000 // len(filler)))
    assert time.thread_time() - before < 1
