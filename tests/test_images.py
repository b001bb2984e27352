"""Photos of every accepted format and colour model are read rightly; damage of every kind ends in an ImageError."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageFile

from prolip_core import config, images
from prolip_core.errors import BrokenImageError, ImageError, ImageTooLargeError, TooManyPixelsError
from prolip_core.image_formats import ACCEPTED_FORMATS
from tests import image_factory as factory

LOSSLESS = ("PNG", "BMP", "TIFF")


def pixel(image: Image.Image, x: int = 0, y: int = 0) -> tuple[int, ...]:
    value = image.getpixel((x, y))
    assert isinstance(value, tuple)
    return value


def encoded(image: Image.Image, image_format: str = "PNG", **options: object) -> bytes:
    return factory.encode(image, image_format, **options)


def distance(first: Image.Image, second: Image.Image) -> float:
    return float(np.abs(np.asarray(first, dtype=float) - np.asarray(second, dtype=float)).mean())


@pytest.mark.parametrize("image_format", ACCEPTED_FORMATS)
def test_every_accepted_format_is_recognised_and_read(image_format: str) -> None:
    original = factory.photo(3)
    data = encoded(original, image_format)
    record = images.check(data, "named.wrong")
    assert (record.format, record.width_px, record.height_px) == (image_format, 96, 64)
    assert record.image_id == hashlib.sha256(data).hexdigest()
    assert record.size_bytes == len(data) and record.filename == "named.wrong"
    assert 0 <= record.phash < 2 ** (images.PHASH_SIZE**2)
    decoded = images.decode(data, "x")
    assert decoded.mode == "RGB"
    # GIF has 256 colours; the lossy formats lose a little; a swap of two channels would be far over 20.
    assert distance(decoded, original) <= (0 if image_format in LOSSLESS else 10)


def test_mpo_of_a_phone_reads_its_first_picture() -> None:
    first, second = factory.photo(1), factory.photo(2)
    data = encoded(first, "MPO", save_all=True, append_images=[second], quality=95)
    assert images.check(data, "x").format == "JPEG"
    assert distance(images.decode(data, "x"), first) < 5


@pytest.mark.parametrize("image_format", ["GIF", "WebP", "PNG", "TIFF"])
def test_first_frame_of_several(image_format: str) -> None:
    frames = [Image.new("RGB", (40, 30), colour) for colour in ("red", "blue")]
    data = encoded(frames[0], image_format, save_all=True, append_images=frames[1:])
    red, _, blue = pixel(images.decode(data, "x"))
    assert red > 240 and blue < 15


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WebP", "TIFF", "AVIF", "HEIC"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_turn(image_format: str, orientation: int) -> None:
    """The stored picture is made from the upright one by the turn's inverse, written as a slow index rule here."""
    upright = np.zeros((64, 96, 3), dtype=np.uint8)
    upright[:32, :48], upright[:32, 48:], upright[32:, :48] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    # EXIF: where the stored 0th row and 0th column lie in the upright picture (CIPA DC-008).
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: upright.transpose(1, 0, 2)[::-1],
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: upright.transpose(1, 0, 2)[:, ::-1],
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(Image.fromarray(np.ascontiguousarray(stored)), image_format, exif=exif.tobytes())
    record = images.check(data, "x")
    assert (record.width_px, record.height_px) == (96, 64)
    assert distance(images.decode(data, "x"), Image.fromarray(upright)) < 4


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")  # pytest sets aside the engine's own filter
@pytest.mark.parametrize("exif", [b"Exif\0\0II*\0\xff\xff\xff\xff broken", b"Exif\0\0no header at all"])
@pytest.mark.parametrize("image_format", ["JPEG", "WebP"])
def test_odd_exif_does_not_cost_the_photo(exif: bytes, image_format: str) -> None:
    data = encoded(factory.photo(), image_format, exif=exif)
    assert images.check(data, "x").width_px == 96


@pytest.mark.parametrize(
    ("stored", "image_format", "expected"),
    [
        (Image.new("L", (40, 30), 77), "PNG", (77, 77, 77)),
        (Image.new("1", (40, 30), 1), "PNG", (255, 255, 255)),
        (Image.new("P", (40, 30), 0), "PNG", (0, 0, 0)),
        (Image.new("RGBA", (40, 30), (255, 0, 0, 0)), "PNG", (255, 255, 255)),
        (Image.new("RGBA", (40, 30), (255, 0, 0, 128)), "PNG", (255, 127, 127)),
        (Image.new("LA", (40, 30), (0, 0)), "PNG", (255, 255, 255)),
        (Image.new("RGBA", (40, 30), (255, 0, 0, 0)), "WebP", (255, 255, 255)),
        (Image.new("RGBA", (40, 30), (0, 0, 0, 0)), "TIFF", (255, 255, 255)),
        (Image.new("CMYK", (40, 30), (0, 255, 255, 0)), "TIFF", (255, 0, 0)),
        (Image.new("YCbCr", (40, 30), (76, 85, 255)), "TIFF", (254, 0, 0)),
        (Image.new("LAB", (40, 30), (255, 128, 128)), "TIFF", (255, 255, 255)),
        (Image.new("LAB", (40, 30), (138, 209, 198)), "TIFF", (255, 0, 0)),
    ],
    ids=lambda value: f"{value.mode}" if isinstance(value, Image.Image) else None,
)
def test_colour_models(stored: Image.Image, image_format: str, expected: tuple[int, ...]) -> None:
    found = pixel(images.decode(encoded(stored, image_format), "x"), 20, 15)
    assert max(abs(a - b) for a, b in zip(found, expected, strict=True)) <= 5, found


def test_palette_with_a_transparent_colour_is_laid_on_white() -> None:
    palette = Image.new("P", (40, 30), 1)
    palette.putpalette([0, 0, 0, 200, 10, 10])
    palette.paste(0, (0, 0, 20, 30))
    image = images.decode(encoded(palette, transparency=0), "x")
    assert pixel(image, 5, 5) == (255, 255, 255) and pixel(image, 35, 5) == (200, 10, 10)


def test_cmyk_jpeg_as_photoshop_writes_it_is_not_inverted() -> None:
    red, green, blue = pixel(images.decode(factory.adobe_cmyk_jpeg((0, 255, 255, 0)), "x"), 30, 20)
    assert red > 230 and green < 40 and blue < 40


@pytest.mark.parametrize("image_format", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled_and_not_clipped(image_format: str) -> None:
    values = np.linspace(0, 65535, 40 * 30).reshape(30, 40).round().astype(np.uint16)
    decoded = np.asarray(images.decode(encoded(Image.fromarray(values), image_format), "x"))
    assert (decoded == decoded[..., :1]).all()
    assert np.abs(decoded[..., 0] - values / 65535 * 255).max() <= 0.5


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.0, 0.5, 1.0, float("nan")], [0, 128, 255, 0]),
        ([0.0, 100.0, 255.0, 10.0], [0, 100, 255, 10]),
        ([-1.0, 0.0, 1.0, 1.0], [0, 128, 255, 255]),
    ],
)
def test_floating_point_grey(values: list[float], expected: list[int]) -> None:
    image = Image.fromarray(np.repeat(np.repeat(np.array([values], dtype=np.float32), 20, axis=0), 10, axis=1))
    decoded = images.decode(encoded(image, "TIFF"), "x")
    assert [pixel(decoded, x)[0] for x in (0, 10, 20, 30)] == expected


def test_profile_of_wide_colours_is_applied() -> None:
    profile = _display_profile(red_x=0.9)
    plain, managed = (encoded(Image.new("RGB", (40, 30), (200, 80, 60)), icc_profile=icc) for icc in (None, profile))
    assert pixel(images.decode(plain, "x")) == (200, 80, 60)
    red, green, blue = pixel(images.decode(managed, "x"))
    assert (red, green, blue) != (200, 80, 60) and red > 200


def test_grey_photo_with_a_colour_profile_goes_through_it() -> None:
    data = encoded(Image.new("L", (40, 30), 120), icc_profile=_display_profile(red_x=0.9))
    assert pixel(images.decode(data, "x")) != (120, 120, 120)


def _display_profile(red_x: float) -> bytes:
    """The sRGB profile with another name and its red primary moved: tag rXYZ holds three s15Fixed16 numbers (ICC.1)."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for index in range(int.from_bytes(profile[128:132], "big")):
        entry = 132 + 12 * index
        start = int.from_bytes(profile[entry + 4 : entry + 8], "big")
        size = int.from_bytes(profile[entry + 8 : entry + 12], "big")
        if profile[entry : entry + 4] == b"rXYZ":
            profile[start + 8 : start + 12] = round(red_x * 65536).to_bytes(4, "big")
        if profile[entry : entry + 4] == b"desc":
            for plain, other in ((b"sRGB", b"wide"), ("sRGB".encode("utf-16-be"), "wide".encode("utf-16-be"))):
                profile[start : start + size] = profile[start : start + size].replace(plain, other)
    return bytes(profile)


@pytest.mark.parametrize("profile", [b"not a profile", bytes(200), b"\0" * 4 + b"lcms" + bytes(120)])
@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "TIFF"])
def test_broken_profile_is_ignored(profile: bytes, image_format: str) -> None:
    image = Image.new("RGB", (40, 30), (200, 80, 60))
    found = pixel(images.decode(encoded(image, image_format, icc_profile=profile), "x"))
    assert max(abs(a - b) for a, b in zip(found, (200, 80, 60), strict=True)) <= 3


def test_png_with_huge_comments_and_a_profile_bomb_is_read() -> None:
    bomb = factory.chunk(b"iCCP", b"name\0\0" + zlib.compress(bytes(30_000_000)))
    comment = factory.chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(30_000_000)))
    data = factory.png_with(encoded(factory.photo(5)), bomb, comment)
    assert distance(images.decode(data, "x"), factory.photo(5)) == 0


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("fraction", [0.3, 0.6, 0.9, 0.999])
def test_cut_jpeg_is_found_at_every_scale(progressive: bool, fraction: float) -> None:
    data = factory.jpeg(1, 1600, 1200, progressive=progressive)
    assert images.decode(data, "x", min_side_px=150).size == (200, 150)  # 1/8: the scale under test is really used
    for min_side_px in (None, 600, 300, 150):
        with pytest.raises(BrokenImageError):
            images.decode(factory.cut(data, fraction), "x", min_side_px=min_side_px)
    assert not ImageFile.LOAD_TRUNCATED_IMAGES


@pytest.mark.parametrize(
    ("min_side_px", "expected"), [(150, (200, 150)), (151, (400, 300)), (600, (800, 600)), (601, (1600, 1200))]
)
def test_reduced_jpeg_is_never_smaller_than_asked(min_side_px: int, expected: tuple[int, int]) -> None:
    assert images.decode(factory.jpeg(1, 1600, 1200), "x", min_side_px=min_side_px).size == expected


def test_reduced_jpeg_shows_the_same_picture_and_the_record_the_full_size() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = factory.jpeg(1, 1600, 1200, exif=exif.tobytes())
    full, reduced = images.decode(data, "x"), images.decode(data, "x", min_side_px=150)
    assert (full.size, reduced.size) == ((1200, 1600), (150, 200))
    assert distance(full.resize(reduced.size, Image.Resampling.BOX), reduced) < 3
    record = images.check(data, "x")
    assert (record.width_px, record.height_px) == (1200, 1600)


@pytest.mark.parametrize("limit", [1000, 5000])
def test_limits_come_from_the_configuration(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    data = factory.jpeg(1, 100, 50)
    monkeypatch.setattr(config, "MAX_IMAGE_PIXELS", limit)
    if limit == 1000:
        with pytest.raises(TooManyPixelsError, match="100 × 50"):
            images.check(data, "x")
    else:
        assert images.check(data, "x").width_px == 100
    monkeypatch.setattr(config, "MAX_IMAGE_BYTES", len(data) - 1)
    with pytest.raises(ImageTooLargeError):
        images.check(data, "x")


def test_photo_between_pillows_own_limits_is_read_without_a_warning() -> None:
    """Pillow warns from 89 million pixels on; our limit is higher. Only the declared size matters here."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        images.silence_decoder_warnings()
        with pytest.raises(BrokenImageError):  # and not TooManyPixelsError
            images.check(factory.png_declaring(10_000, 10_000), "x")


def _sample_files() -> dict[str, bytes]:
    files = {name: encoded(factory.photo(4, 48, 40), name) for name in ACCEPTED_FORMATS}
    files["JPEG progressive"] = encoded(factory.photo(4, 48, 40), "JPEG", progressive=True)
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        files[f"TIFF {compression}"] = encoded(factory.photo(4, 48, 40), "TIFF", compression=compression)
    exif = Image.Exif()
    exif[0x0112] = 6
    files["JPEG EXIF"] = encoded(factory.photo(4, 48, 40), "JPEG", exif=exif.tobytes())
    files["PNG palette"] = encoded(factory.photo(4, 48, 40).quantize(16), transparency=3)
    files["WebP lossless"] = encoded(factory.photo(4, 48, 40), "WebP", lossless=True)
    files["GIF animated"] = encoded(factory.photo(4), "GIF", save_all=True, append_images=[factory.photo(5)])
    return files


SAMPLES = _sample_files()
EXAMPLES = int(os.environ.get("PROLIP_FUZZ_EXAMPLES", "40"))


@pytest.mark.parametrize("name", SAMPLES)
@settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(draw=st.data())
def test_damage_never_ends_in_another_exception(name: str, draw: st.DataObject) -> None:
    data = bytearray(SAMPLES[name])
    header_first = st.one_of(st.integers(0, min(200, len(data) - 1)), st.integers(0, len(data) - 1))
    for position, value in draw.draw(st.lists(st.tuples(header_first, st.integers(0, 255)), max_size=8)):
        data[position] = value
    end = draw.draw(st.one_of(st.none(), st.integers(0, len(data))))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        images.silence_decoder_warnings()
        for read in (images.check, images.decode):
            try:
                read(bytes(data[:end]), "photo")
            except ImageError as error:
                assert "photo" in str(error)


def test_nothing_is_written_to_the_console() -> None:
    """A cut EXIF block makes Pillow warn; in a process of its own, where no test runner catches the warning."""
    data = encoded(factory.photo(), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\x09\0\x12\x01\x03")
    code = "import sys; from prolip_core import images; images.check(sys.stdin.buffer.read(), 'x')"
    root = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", code], input=data, capture_output=True, cwd=root, check=True, timeout=60
    )
    assert b"PIL" not in done.stderr and done.stdout == b""


def test_threads_give_the_same_pixels() -> None:
    files = list(SAMPLES.values()) * 4
    expected = [images.decode(data, "x").tobytes() for data in files]
    with ThreadPoolExecutor(max_workers=8) as pool:
        found = list(pool.map(lambda data: images.decode(data, "x").tobytes(), files))
    assert found == expected


def test_inspect_gives_record_thumbnail_and_grey_picture() -> None:
    image = factory.photo(2, 640, 480)
    data = encoded(image, "PNG")
    found = images.inspect(data, "a.png")
    small = Image.open(io.BytesIO(found.thumbnail))
    assert (small.format, small.size) == ("WEBP", (240, 180))
    assert distance(small.convert("RGB"), image.resize((240, 180))) < 6
    assert found.grey_HW.shape == (180, 240) and found.grey_HW.dtype == np.uint8
    assert found.record == images.check(data, "a.png")
