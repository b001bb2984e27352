"""Bytes of one photo → checked RGB image. Pillow is imported here and nowhere else in the engine.

The order of the checks is the order of their cost: size in bytes, kind by content (`image_formats`), pixels that the
header declares, then a full decode. The decoder of the recognised format is called directly and never by file name,
so no other of Pillow's formats can be reached.

A JPEG may be decoded at 1/2, 1/4 or 1/8 of its size (libjpeg scales inside the inverse DCT). The whole stream is still
entropy-decoded, so a file that is cut short is found at every scale; a test holds this. What cannot be found is a JPEG
whose bytes were changed without changing its structure: the format has no check sum. PNG has one per chunk, and it is
checked here because Pillow leaves out the one of the pixel data.
"""

from __future__ import annotations

import hashlib
import io
import math
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import imagehash
import numpy as np
import pillow_heif
from PIL import ExifTags, Image, ImageCms
from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from prolip_core import config
from prolip_core.errors import BrokenImageError, ImageTooLargeError, ImageTooSmallError, TooManyPixelsError
from prolip_core.image_formats import identify
from prolip_core.types import ImageRecord

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

PHASH_SIZE = 16
"""The perceptual hash has PHASH_SIZE² = 256 bits; `duplicates` says why."""

THUMBNAIL_SIDE_PX = 240
"""Longer side of a small copy: sharp in a grid of six on a wide screen, and about what a CLIP model sees (224)."""

_PHASH_MIN_SIDE_PX = 128  # twice the 64 pixels that the hash is computed from
_MAX_PROFILE_BYTES = 1 << 20  # Pillow refuses a PNG whose colour profile unpacks to more

_OPENERS: dict[str, Callable[[io.BytesIO], ImageFile]] = {
    "JPEG": JpegImageFile,  # of an MPO (two pictures in one JPEG, written by many phones) this reads the first
    "PNG": PngImageFile,
    "WebP": WebPImageFile,
    "HEIC": pillow_heif.HeifImageFile,
    "AVIF": AvifImageFile,
    "TIFF": TiffImageFile,
    "BMP": BmpImageFile,
    "GIF": GifImageFile,
}

_DECODER_ERRORS = (
    OSError,  # truncated file; also UnidentifiedImageError, and "decoder error -2"
    SyntaxError,  # Pillow's word for "not of this format after all": bad header, bad chunk
    ValueError,  # impossible sizes, unknown modes, text chunks over their limit; libheif's parse errors
    TypeError,  # a tag that holds another type than the plugin expects
    KeyError,  # a TIFF without a tag that it must have
    IndexError,  # end of data inside a header
    AttributeError,  # a plugin goes on with an object that was never made
    EOFError,  # no first frame
    ArithmeticError,  # OverflowError of a size, ZeroDivisionError of a rational tag
    struct.error,  # end of data inside a header
    zlib.error,  # compressed part damaged
    MemoryError,  # a size from a damaged header that cannot be had
    RuntimeError,  # libheif and libavif; NotImplementedError; RecursionError
    AssertionError,  # Pillow states its own invariants in this way
)
"""What Pillow and its plugins raise on damaged data; found in their sources and by fuzzing (tests/test_images.py)."""

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF tag 0x0112 → the turn that sets the picture upright (CIPA DC-008, "Orientation")."""


def silence_decoder_warnings() -> None:
    """Keep Pillow's remarks on odd metadata off the console; what matters is raised as an error.

    Called once on import. Filters are set for the whole process because Python before 3.14 has none per thread, and
    `warnings.catch_warnings` around each decode would not be safe in threads.
    """
    warnings.filterwarnings("ignore", module=r"(PIL|pillow_heif)\.")


silence_decoder_warnings()


def check(data: bytes, filename: str) -> ImageRecord:
    """The record of a photo that passed every check: format, size limits, full decode.

    `width_px` and `height_px` are those of the upright picture, `phash` is its perceptual hash.
    Raises one of the subclasses of ImageError, whatever the bytes are.
    """
    return _record(_decode(data, filename, _PHASH_MIN_SIDE_PX), data, filename)


def _record(decoded: _Decoded, data: bytes, filename: str) -> ImageRecord:
    width_px, height_px = decoded.full_size
    return ImageRecord(
        image_id=hashlib.sha256(data).hexdigest(),
        filename=filename,
        format=decoded.format,
        width_px=width_px,
        height_px=height_px,
        size_bytes=len(data),
        phash=int(str(imagehash.phash(decoded.image, hash_size=PHASH_SIZE)), 16),
    )


@dataclass(frozen=True)
class Inspected:
    """A checked photo, its small copy (WebP), and the same in grey, uint8 (H, W), longer side THUMBNAIL_SIDE_PX at most."""

    record: ImageRecord
    thumbnail: bytes
    grey_HW: np.ndarray


def inspect(data: bytes, filename: str) -> Inspected:
    """Everything that the app keeps of a new photo, from one decoding. Raises what `check` raises."""
    decoded = _decode(data, filename, THUMBNAIL_SIDE_PX)
    record, small = _record(decoded, data, filename), decoded.image
    small.thumbnail((THUMBNAIL_SIDE_PX, THUMBNAIL_SIDE_PX), Image.Resampling.LANCZOS, reducing_gap=2.0)
    return Inspected(record, _webp(small), np.asarray(small.convert("L")))


def decode(data: bytes, filename: str, *, min_side_px: int | None = None) -> Image.Image:
    """The photo as an upright 8-bit RGB image in sRGB, transparency on white, the first frame of an animation.

    With `min_side_px` a JPEG may come at 1/2, 1/4 or 1/8 of its size, with the shorter side never under
    min(min_side_px, its full length); this saves most of the time for large photos. Safe to call from threads.
    Raises one of the subclasses of ImageError, whatever the bytes are.
    """
    return _decode(data, filename, min_side_px).image


def small(data: bytes, filename: str, side_px: int) -> np.ndarray:
    """The photo as `decode` gives it, its longer side at most side_px, uint8 (H, W, 3). Raises what `decode` raises."""
    image = decode(data, filename, min_side_px=side_px)
    image.thumbnail((side_px, side_px), Image.Resampling.LANCZOS, reducing_gap=2.0)
    return np.asarray(image)


def png(pixels_HW3: np.ndarray) -> bytes:
    """A PNG file of uint8 (H, W, 3)."""
    buffer = io.BytesIO()
    Image.fromarray(pixels_HW3).save(buffer, "PNG")
    return buffer.getvalue()


def _webp(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=80)
    return buffer.getvalue()


@dataclass(frozen=True)
class _Decoded:
    image: Image.Image
    format: str
    full_size: tuple[int, int]


def _decode(data: bytes, filename: str, min_side_px: int | None) -> _Decoded:
    if len(data) > config.MAX_IMAGE_BYTES:
        raise too_many_bytes(len(data), filename)
    image_format = identify(data, filename)
    with _damage_reported(filename, image_format):
        if image_format == "PNG":
            data = _png_essentials(data)
        if image_format == "JPEG":
            _require_jpeg_end(data)
        opened = _OPENERS[image_format](io.BytesIO(data))
        full_size = opened.size
        _check_dimensions(full_size, filename)
        if min_side_px is not None and image_format == "JPEG":
            opened.draft(None, (min_side_px, min_side_px))
        drafted_size = opened.size
        opened.load()
        if opened.size != drafted_size:  # TIFF turns itself upright while it loads
            full_size = opened.size
        turn = _TURNS.get(_orientation(opened))
        image = _to_rgb(opened)
        if turn is not None:
            image = image.transpose(turn)
            if turn >= Image.Transpose.ROTATE_90 and turn != Image.Transpose.ROTATE_180:
                full_size = (full_size[1], full_size[0])
    return _Decoded(image, image_format, full_size)


@contextmanager
def _damage_reported(filename: str, image_format: str) -> Iterator[None]:
    """Turn what decoders raise into the errors that are told to a person."""
    try:
        yield
    except Image.DecompressionBombError as error:
        raise TooManyPixelsError(
            "{filename} unpacks to more pixels than the limit of {limit_million} million.",
            remedy="Make it smaller in a photo editor (4000 pixels on the longer side are plenty) and add it again.",
            filename=filename,
            limit_million=config.MAX_IMAGE_PIXELS // 1_000_000,
        ) from error
    except _DECODER_ERRORS as error:
        raise BrokenImageError(
            "{filename} is damaged or cut short: its {format} data cannot be decoded.",
            remedy="Copy it again from the camera, or open it in a photo viewer and save it again as JPEG.",
            filename=filename,
            format=image_format,
        ) from error


def too_many_bytes(size_bytes: int, filename: str) -> ImageTooLargeError:
    """The error for a file of `size_bytes`, which is over the limit."""
    tenths_mb = math.ceil(size_bytes * 10 / 2**20)  # rounded up: 60.01 must not read as "60.0, the limit is 60"
    return ImageTooLargeError(
        "{filename} has {size_mb} MB; the limit is {limit_mb} MB.",
        remedy="Save it as JPEG, or make it smaller in a photo editor, and add it again.",
        filename=filename,
        size_mb=tenths_mb / 10,
        limit_mb=config.MAX_IMAGE_BYTES // 2**20,
    )


def _check_dimensions(size: tuple[int, int], filename: str) -> None:
    """Raises TooManyPixelsError or ImageTooSmallError, before a pixel is decoded."""
    width_px, height_px = size
    if width_px * height_px > config.MAX_IMAGE_PIXELS:
        raise TooManyPixelsError(
            "{filename} has {width_px} × {height_px} = {million} million pixels; the limit is {limit_million} million.",
            remedy="Make it smaller in a photo editor (4000 pixels on the longer side are plenty) and add it again.",
            filename=filename,
            width_px=width_px,
            height_px=height_px,
            million=math.ceil(width_px * height_px / 100_000) / 10,
            limit_million=config.MAX_IMAGE_PIXELS // 1_000_000,
        )
    if min(size) < config.MIN_IMAGE_SIDE_PX:
        raise ImageTooSmallError(
            "{filename} has only {width_px} × {height_px} pixels; each side needs at least {limit_px}.",
            remedy="Add the original photo instead of a preview or an icon.",
            filename=filename,
            width_px=width_px,
            height_px=height_px,
            limit_px=config.MIN_IMAGE_SIDE_PX,
        )


def _png_essentials(data: bytes) -> bytes:
    """The PNG with every check sum checked and without the chunks that do not change the picture.

    Comments and metadata of any size are dropped (Pillow refuses a whole photo for one text chunk over 1 MiB), and so
    is the animation: what stays is the default image. Raises ValueError for a wrong check sum or a missing end.
    """
    view = memoryview(data)
    kept: list[memoryview] = [view[:8]]
    start = 8
    while start + 12 <= len(data):
        kind = data[start + 4 : start + 8]
        end = start + 12 + int.from_bytes(view[start : start + 4], "big")
        if end > len(data):
            break
        intact = zlib.crc32(view[start + 4 : end - 4]) == int.from_bytes(view[end - 4 : end], "big")
        if not intact and kind[:1].isupper():  # an upper-case letter marks a chunk that the picture needs
            raise ValueError(f"wrong check sum of chunk {kind!r}")
        usable = kind in (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"eXIf", b"IEND")
        if intact and (usable or (kind == b"iCCP" and _profile_unpacks(data[start + 8 : end - 4]))):
            kept.append(view[start:end])
        if kind == b"IEND":
            return b"".join(kept)
        start = end
    raise ValueError("no IEND chunk")


def _require_jpeg_end(data: bytes) -> None:
    """Raises ValueError if no end marker follows the pixel data.

    A copy that broke off often leaves a file of full length whose rest is zeros; libjpeg draws those as a grey area and
    does not complain. Inside the pixel data FF D9 cannot occur (ITU-T T.81, B.1.1.5: FF is followed by 00 there).
    """
    start = 2
    while data[start : start + 1] == b"\xff" and data[start + 1 : start + 2] != b"\xda":  # up to the first scan
        start += 2 + max(2, int.from_bytes(data[start + 2 : start + 4], "big"))
    if data.find(b"\xff\xd9", start) < 0:
        raise ValueError("no end marker")


def _profile_unpacks(content: bytes) -> bool:
    """True if the zlib stream behind the profile's name is whole and of a reasonable size."""
    stream = zlib.decompressobj()
    try:
        stream.decompress(content.partition(b"\0")[2][1:], _MAX_PROFILE_BYTES)
    except zlib.error:
        return False
    return stream.eof


def _orientation(image: Image.Image) -> Any:
    """The EXIF orientation, 1 (upright) where there is none. Damaged EXIF is no reason to refuse a sound picture."""
    try:
        return image.getexif().get(ExifTags.Base.Orientation, 1)
    except _DECODER_ERRORS:
        return 1


def _to_rgb(image: Image.Image) -> Image.Image:
    """Any mode that a decoder gives → RGB in sRGB; transparency is laid on white."""
    profile = image.info.get("icc_profile")
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        image = _grey_to_8_bit(image)
    if image.mode == "LAB":
        return _lab_to_srgb(image)
    if not image.has_transparency_data:
        return _to_srgb(image, profile)
    rgba = image.convert("RGBA")
    colour = _to_srgb(rgba.convert("RGB"), profile)
    flat = Image.new("RGB", image.size, "white")
    flat.paste(colour, mask=rgba.getchannel("A"))
    return flat


def _grey_to_8_bit(image: Image.Image) -> Image.Image:
    """Grey of 16 or 32 bits or floating point → 8 bits.

    16 bits go by their full range, so brightness stays comparable from photo to photo. The wider types have no agreed
    white: values in 0 … 1 (floating point), 0 … 255 and 0 … 65535 are taken as such, others from their least to their
    greatest.
    """
    values_HW = np.nan_to_num(np.asarray(image, dtype=np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(values_HW.min()), float(values_HW.max())
    if image.mode.startswith("I;16"):
        low, high = 0.0, 65535.0
    elif low >= 0.0:
        steps = (1.0, 255.0, 65535.0) if image.mode == "F" else (255.0, 65535.0)
        white = next((step for step in steps if high <= step), None)
        low, high = (0.0, white) if white is not None else (low, high)
    span = high - low or 1.0
    return Image.fromarray(np.rint((values_HW - low) * (255.0 / span)).astype(np.uint8))


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Colours through the embedded profile; a profile that is damaged or belongs to another colour model is ignored."""
    if not profile:
        return image if image.mode == "RGB" else image.convert("RGB")  # `convert` would copy 36 MB of a 12 MP photo
    if image.mode not in ("L", "CMYK", "RGB"):
        image = image.convert("RGB")
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        space = source.profile.xcolor_space.strip()
        if space == "RGB" and image.mode == "L":
            image = image.convert("RGB")
        is_srgb = ImageCms.getProfileDescription(source).startswith("sRGB")
        if is_srgb or {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}.get(space) != image.mode:
            return image if image.mode == "RGB" else image.convert("RGB")
        converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError, AttributeError):
        converted = None
    return converted if converted is not None else image.convert("RGB")


def _lab_to_srgb(image: Image.Image) -> Image.Image:
    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
    if converted is None:
        raise ValueError("no conversion from LAB")
    return converted
