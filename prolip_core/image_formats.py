"""What a file really is, told from its content and never from its name. Reads bytes only; decodes nothing.

Every kind that people drop by mistake has a sentence of its own, so that the remedy fits: a web page that was saved as
.jpg asks for another download, a camera raw file for an export. Signatures: the formats' own specifications; for the
camera raw kinds also TIFF/EP (ISO 12234-2), in which the first directory holds a reduced preview and the sensor data
stand in a sub-directory.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass

from prolip_core.errors import EmptyImageError, ImageError, NotAnImageError, UnsupportedFormatError

ACCEPTED_FORMATS = ("JPEG", "PNG", "WebP", "HEIC", "AVIF", "TIFF", "BMP", "GIF")

_ACCEPTED_TEXT = ", ".join(ACCEPTED_FORMATS)
_HEAD_BYTES = 4096
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}
_AVIF_BRANDS = {b"avif", b"avis"}
_STILL_BRANDS = {b"mif1", b"mif2", b"msf1", b"miaf"}
_BMP_HEADER_SIZES = {12, 16, 40, 52, 56, 64, 108, 124}
_TAG_SUBFILE, _TAG_PHOTOMETRIC, _TAG_SUB_IFDS, _TAG_DNG_VERSION = 254, 262, 330, 50706
_CFA_PHOTOMETRICS = {32803, 34892}
_CHOOSE = "Choose a photo; these formats can be read: {accepted}."
_EXPORT = "Export it as JPEG from your photo program and add the exported file."


@dataclass(frozen=True)
class _Refusal:
    """A kind of file that is not taken: how it is recognised, and what is said."""

    matches: Callable[[bytes], bool]
    error: type[ImageError]
    message: str
    remedy: str


def identify(data: bytes, filename: str) -> str:
    """The format of the content, one of `ACCEPTED_FORMATS`.

    Raises EmptyImageError, UnsupportedFormatError (a picture of another format) or NotAnImageError (no picture).
    """
    if not data:
        raise EmptyImageError(
            "{filename} is empty (0 bytes).",
            remedy="Copy the photo again from the camera or the phone.",
            filename=filename,
        )
    head = data[:_HEAD_BYTES]
    found = _accepted_format(head)
    if found == "TIFF" and _is_raw_tiff(data):
        found = None
    if found is not None:
        return found
    for refusal in _REFUSALS:
        if refusal.matches(head):
            raise refusal.error(refusal.message, remedy=refusal.remedy, filename=filename, accepted=_ACCEPTED_TEXT)
    raise NotAnImageError(
        "{filename} is not a photo: its content is of no known picture format.",
        remedy=_CHOOSE,
        filename=filename,
        accepted=_ACCEPTED_TEXT,
    )


def _accepted_format(head: bytes) -> str | None:
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    if head[:6] in (b"GIF87a", b"GIF89a"):
        return "GIF"
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "TIFF"
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADER_SIZES:
        return "BMP"  # two letters alone would take a text that begins with "BMW" for a picture
    return _isobmff_format(head)


def _brands(head: bytes) -> set[bytes]:
    """Major and compatible brands of an ISO base media file (ISO/IEC 14496-12, box `ftyp`); empty for other files."""
    if head[4:8] != b"ftyp":
        return set()
    end = min(int.from_bytes(head[:4], "big"), len(head))
    compatible = {head[i : i + 4] for i in range(16, end - 3, 4)}
    return {head[8:12]} | compatible


def _isobmff_format(head: bytes) -> str | None:
    brands = _brands(head)
    if brands & _AVIF_BRANDS:
        return "AVIF"
    if brands & _HEIC_BRANDS or (brands and head[8:12] in _STILL_BRANDS):
        return "HEIC"
    return None


def _is_raw_tiff(data: bytes) -> bool:
    """True for DNG, CR2, NEF, ARW and the like, which are TIFF files that hold sensor data beside a small preview."""
    if data[8:10] == b"CR":
        return True
    tags = _first_directory(data)
    preview_first = bool(tags.get(_TAG_SUBFILE, 0) & 1) and _TAG_SUB_IFDS in tags
    return preview_first or _TAG_DNG_VERSION in tags or tags.get(_TAG_PHOTOMETRIC) in _CFA_PHOTOMETRICS


def _first_directory(data: bytes) -> dict[int, int]:
    """Tag → its first value as an integer (for short values) of the first directory of a classic TIFF file."""
    order = "<" if data[:2] == b"II" else ">"
    if data[2:4] not in (b"*\0", b"\0*") or len(data) < 8:
        return {}
    (start,) = struct.unpack_from(order + "I", data, 4)
    if start + 2 > len(data):
        return {}
    (count,) = struct.unpack_from(order + "H", data, start)
    tags: dict[int, int] = {}
    for entry in range(start + 2, min(start + 2 + 12 * count, len(data) - 11), 12):
        tag, kind = struct.unpack_from(order + "HH", data, entry)
        (value,) = struct.unpack_from(order + ("H" if kind == 3 else "I"), data, entry + 8)
        tags[tag] = value
    return tags


def _starts(*signatures: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(signatures)


def _is_svg(head: bytes) -> bool:
    return re.search(rb"<svg[\s>]", head) is not None and head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")


def _is_html(head: bytes) -> bool:
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return start.startswith((b"<!doctype html", b"<html", b"<head", b"<body")) or b"<html" in start[:1024]


def _is_video(head: bytes) -> bool:
    return (
        head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide")
        or head.startswith((b"\x1aE\xdf\xa3", b"\0\0\x01\xba", b"\x30\x26\xb2\x75"))
        or (head[:4] == b"RIFF" and head[8:12] == b"AVI ")
    )


def _is_raw(head: bytes) -> bool:
    return (
        head[:4] in (b"II*\0", b"MM\0*", b"IIU\0", b"IIRO", b"IIRS", b"MMOR")
        or head.startswith(b"FUJIFILMCCD-RAW")
        or b"crx " in _brands(head)
    )


def _is_text(head: bytes) -> bool:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    # Told by what a text has not: Shift-JIS and Latin-1 are no valid UTF-8, but have no control characters either.
    return not any(byte < 9 or (13 < byte < 32 and byte != 27) for byte in head)


# The first match wins: a camera raw of ISO base media kind stands before video, SVG before web page, all before text.
_REFUSALS: tuple[_Refusal, ...] = (
    _Refusal(_is_raw, UnsupportedFormatError, "{filename} is a camera raw file, which cannot be read.", _EXPORT),
    _Refusal(
        _starts(b"%PDF"),
        UnsupportedFormatError,
        "{filename} is a PDF document, which cannot be read.",
        "Save the picture inside it as JPEG or PNG and add that file.",
    ),
    _Refusal(
        _starts(b"8BPS"), UnsupportedFormatError, "{filename} is a Photoshop file, which cannot be read.", _EXPORT
    ),
    _Refusal(
        _starts(b"\0\0\x01\0", b"\0\0\x02\0"),
        UnsupportedFormatError,
        "{filename} is an icon, which cannot be read.",
        "Add a photo of the product instead.",
    ),
    _Refusal(
        lambda head: (
            head[4:12] in (b"jP  \r\n\x87\n", b"JXL \r\n\x87\n")
            or head.startswith(
                (b"\xff\x4f\xff\x51", b"\xff\x0a", b"v/1\x01", b"#?RADIANCE", b"DDS ", b"gimp xcf", b"%!PS")
            )
            or head[128:132] == b"DICM"
        ),
        UnsupportedFormatError,
        "{filename} is a picture of a format that cannot be read.",
        _EXPORT,
    ),
    _Refusal(
        _is_svg,
        UnsupportedFormatError,
        "{filename} is an SVG drawing, which cannot be read.",
        "Export it as PNG from your drawing program and add the exported file.",
    ),
    _Refusal(
        _is_video,
        NotAnImageError,
        "{filename} is a video, not a photo.",
        "Take still pictures from it and save them as JPEG.",
    ),
    _Refusal(
        _starts(b"PK\x03\x04", b"PK\x05\x06", b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07", b"\x1f\x8b"),
        NotAnImageError,
        "{filename} is a packed archive or an Office document, not a photo.",
        "Unpack it and add the photos that are inside.",
    ),
    _Refusal(
        _is_html,
        NotAnImageError,
        "{filename} is a web page, not a photo: a download went wrong.",
        "Open the page in a browser, save the picture itself and add that file.",
    ),
    _Refusal(
        _starts(b"version https://git-lfs.github.com/spec/"),
        NotAnImageError,
        "{filename} is only a Git LFS pointer; the photo itself was not downloaded.",
        'Run "git lfs pull" in that folder, or ask for the real photos.',
    ),
    _Refusal(
        _is_text,
        NotAnImageError,
        "{filename} is a text file, not a photo.",
        _CHOOSE,
    ),
)
