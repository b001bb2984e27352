"""Makes the photos and the odd files that the tests feed to the engine. Everything is computed; no file is stored."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pillow_heif
from PIL import Image

LOSSY_SAVE = {"JPEG": {"quality": 92}, "WebP": {"quality": 92}, "HEIC": {"quality": 92}, "AVIF": {"quality": 90}}
PILLOW_NAME = {"WebP": "WEBP"}


def photo(seed: int = 0, width_px: int = 96, height_px: int = 64) -> Image.Image:
    """A smooth colourful picture that differs clearly from seed to seed."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8))
    return coarse.resize((width_px, height_px), Image.Resampling.BICUBIC)


def encode(image: Image.Image, image_format: str, **options: object) -> bytes:
    """The picture as a file of one of the accepted formats."""
    settings = {**LOSSY_SAVE.get(image_format, {}), **options}
    buffer = io.BytesIO()
    if image_format == "HEIC":
        heif = pillow_heif.from_pillow(image)
        heif.save(buffer, **settings)
    else:
        image.save(buffer, PILLOW_NAME.get(image_format, image_format), **settings)
    return buffer.getvalue()


def jpeg(seed: int = 0, width_px: int = 96, height_px: int = 64, **options: object) -> bytes:
    return encode(photo(seed, width_px, height_px), "JPEG", **options)


def cut(data: bytes, fraction: float = 0.6) -> bytes:
    return data[: int(len(data) * fraction)]


def chunk(kind: bytes, content: bytes) -> bytes:
    """A PNG chunk with its check sum."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_declaring(width_px: int, height_px: int) -> bytes:
    """A PNG of a few bytes whose header claims any size."""
    header = struct.pack(">IIBBBBB", width_px, height_px, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def png_with(data: bytes, *chunks: bytes) -> bytes:
    """The PNG with further chunks right behind its header."""
    return data[:33] + b"".join(chunks) + data[33:]


def png_with_wrong_check_sum() -> bytes:
    """The last byte of the check sum of the pixel data is changed; the pixels themselves are whole."""
    data = bytearray(encode(photo(), "PNG"))
    data[data.rindex(b"IEND") - 5] ^= 0xFF
    return bytes(data)


def tiff_header(*tags: tuple[int, int, int], order: str = "<") -> bytes:
    """A TIFF of one directory and no pixels; a tag is (number, type 3 = short / 4 = long, value)."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    data = mark + struct.pack(order + "IH", 8, len(tags))
    for number, kind, value in tags:
        field = struct.pack(order + "HH", value, 0) if kind == 3 else struct.pack(order + "I", value)
        data += struct.pack(order + "HHI", number, kind, 1) + field
    return data + bytes(64)


def dng() -> bytes:
    return tiff_header((256, 4, 4000), (257, 4, 3000), (50706, 4, 0x0401))


def nef() -> bytes:
    """Nikon: a reduced preview first (NewSubfileType 1), the sensor data in a sub-directory; big-endian."""
    return tiff_header((254, 4, 1), (256, 4, 160), (257, 4, 120), (330, 4, 400), order=">")


def cr2() -> bytes:
    return b"II*\0\x10\0\0\0CR\x02\0" + bytes(100)


def isobmff(brand: bytes, *compatible: bytes) -> bytes:
    body = b"ftyp" + brand + bytes(4) + b"".join(compatible)
    return struct.pack(">I", len(body) + 4) + body + bytes(64)


def adobe_cmyk_jpeg(colour_cmyk: tuple[int, int, int, int]) -> bytes:
    """As Photoshop writes it: Adobe marker, inverted values. Pillow's writer does the same."""
    return encode(Image.new("CMYK", (64, 48), colour_cmyk), "JPEG", quality=100)
