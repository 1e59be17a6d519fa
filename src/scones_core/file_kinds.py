"""File kinds by their first bytes, for an error that names what was given instead."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FileKind:
    """`name` in words, `format` as Pillow names it, `advice` where converting it is no help."""

    name: str
    format: str = ""
    advice: str = ""

    @property
    def is_picture(self) -> bool:
        """Whether Pillow knows its format, or it is a picture of another."""
        return bool(self.format) or self.name in _OTHER_PICTURES


_OTHER_PICTURES = frozenset({"HEIC", "HEIF", "AVIF", "SVG", "JPEG XL"})
_UNPACK = "unpack it"
_EXPORT = "export its images as files"
_LFS = "fetch the file itself: git lfs pull"
_WEB_PAGE = "download the file itself"
_STARTS: tuple[tuple[bytes, FileKind], ...] = (
    (b"\x89PNG\r\n\x1a\n", FileKind("PNG", "PNG")),
    (b"\xff\xd8\xff", FileKind("JPEG", "JPEG")),
    (b"GIF8", FileKind("GIF", "GIF")),
    (b"II*\0", FileKind("TIFF", "TIFF")),
    (b"MM\0*", FileKind("TIFF", "TIFF")),
    (b"II+\0", FileKind("TIFF", "TIFF")),
    (b"MM\0+", FileKind("TIFF", "TIFF")),
    (b"BM", FileKind("BMP", "BMP")),
    (b"\0\0\0\x0cjP  ", FileKind("JPEG 2000", "JPEG2000")),
    (b"\xff\x4f\xff\x51", FileKind("JPEG 2000", "JPEG2000")),
    (b"\0\0\0\x0cJXL ", FileKind("JPEG XL")),
    (b"\xff\x0a", FileKind("JPEG XL")),
    (b"\0\0\x01\0", FileKind("an icon", "ICO")),
    (b"8BPS", FileKind("a Photoshop document", "PSD")),
    (b"%PDF", FileKind("PDF")),
    (b"version https://git-lfs", FileKind("a Git LFS pointer", advice=_LFS)),
    (b"Rar!", FileKind("a RAR archive", advice=_UNPACK)),
    (b"7z\xbc\xaf\x27\x1c", FileKind("a 7z archive", advice=_UNPACK)),
    (b"\x28\xb5\x2f\xfd", FileKind("a Zstandard file", advice=_UNPACK)),
    (b"\x1f\x9d", FileKind("a file of `compress`", advice=_UNPACK)),
    (b"\x04\x22\x4d\x18", FileKind("an LZ4 file", advice=_UNPACK)),
    (b"\x5d\0\0", FileKind("an LZMA file", advice=_UNPACK)),
    (b"\x89HDF", FileKind("HDF5", advice=_EXPORT)),
    (b"PAR1", FileKind("Parquet", advice=_EXPORT)),
    (b"MATLAB", FileKind("a MATLAB file", advice=_EXPORT)),
    (b"SQLite format 3", FileKind("an SQLite database", advice=_EXPORT)),
    (b"\x80\x02", FileKind("a pickle", advice=_EXPORT)),
    (b"\x80\x03", FileKind("a pickle", advice=_EXPORT)),
    (b"\x80\x04", FileKind("a pickle", advice=_EXPORT)),
    (b"\x80\x05", FileKind("a pickle", advice=_EXPORT)),
)
_BRANDS = {
    b"heic": "HEIC", b"heix": "HEIC", b"heim": "HEIC", b"heis": "HEIC", b"hevc": "HEIC",
    b"hevx": "HEIC", b"mif1": "HEIF", b"msf1": "HEIF", b"avif": "AVIF", b"avis": "AVIF",
}  # fmt: skip
"""ISO/IEC 14496-12, 4.3: the brand follows `ftyp`."""
_MARKUP_BYTES = 512


def kind_of(body: bytes) -> FileKind | None:
    """Return what begins with these bytes, None where nothing known does."""
    found = next((kind for start, kind in _STARTS if body.startswith(start)), None)
    if found is not None:
        return found
    if body[:4] == b"RIFF" and body[8:12] == b"WEBP":
        return FileKind("WebP", "WEBP")
    if body[4:8] == b"ftyp" and body[8:12] in _BRANDS:
        return FileKind(_BRANDS[body[8:12]])
    text = body[:_MARKUP_BYTES].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith(b"<svg") or (text.startswith(b"<?xml") and b"<svg" in text):
        return FileKind("SVG")
    if text.startswith((b"<!doctype html", b"<html")):
        return FileKind("a web page", advice=_WEB_PAGE)
    return None
