"""Copies of a photo share a group, different photos do not; figures on real photos hold what the module states."""

from __future__ import annotations

import dataclasses
import io
import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from prolip_core import duplicates, images
from prolip_core.types import ImageRecord
from tests import image_factory

DATA = Path(__file__).parents[1].parent / "shared" / "data"


def record(phash: int, width_px: int = 400, height_px: int = 300) -> ImageRecord:
    return ImageRecord(f"{phash:064x}", "x.jpg", "JPEG", width_px, height_px, 1, phash)


def checked(image: Image.Image, image_format: str = "JPEG", **options: object) -> ImageRecord:
    return images.check(image_factory.encode(image, image_format, **options), "x")


def photo(seed: int) -> Image.Image:
    """A picture with detail at several scales, as photos have."""
    rng = np.random.default_rng(seed)
    total = np.zeros((240, 320, 3))
    for cells in (4, 8, 16, 32):
        layer = Image.fromarray(rng.integers(0, 256, (cells, cells, 3), dtype=np.uint8)).resize((320, 240))
        total += np.asarray(layer, dtype=float) / cells
    return Image.fromarray((total / total.max() * 255).astype(np.uint8))


def flip_bits(phash: int, positions: Sequence[int]) -> int:
    for position in positions:
        phash ^= 1 << position
    return phash


def slow_pairs(records: Sequence[ImageRecord]) -> set[tuple[int, int]]:
    """The definition, written as a double loop."""
    found = set()
    for i, a in enumerate(records):
        for j, b in enumerate(records[:i]):
            aspect = abs(np.log(a.width_px / a.height_px) - np.log(b.width_px / b.height_px))
            if (a.phash ^ b.phash).bit_count() <= 48 and aspect <= 0.06:
                found.add((j, i))
    return found


COPIES: dict[str, Callable[[Image.Image], ImageRecord]] = {
    "JPEG quality 85": lambda image: checked(image, quality=85),
    "JPEG quality 40": lambda image: checked(image, quality=40),
    "PNG": lambda image: checked(image, "PNG"),
    "WebP": lambda image: checked(image, "WebP", quality=60),
    "half size": lambda image: checked(image.resize((160, 120))),
    "1600 pixels, decoded at a reduced scale": lambda image: checked(image.resize((1600, 1200))),
    "brighter": lambda image: checked(ImageEnhance.Brightness(image).enhance(1.1)),
    "darker": lambda image: checked(ImageEnhance.Brightness(image).enhance(0.9)),
    "cropped by 2 %": lambda image: checked(image.crop((3, 2, 317, 238))),
    "stored turned, with EXIF": lambda image: checked(
        image.transpose(Image.Transpose.ROTATE_90), exif=b"Exif\0\0" + _orientation(6)
    ),
}


def _orientation(value: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = value
    return exif.tobytes().removeprefix(b"Exif\0\0")


@pytest.mark.parametrize("copy", COPIES)
def test_copies_share_a_group_and_others_do_not(copy: str) -> None:
    originals = [photo(seed) for seed in range(8)]
    records = [checked(image) for image in originals] + [COPIES[copy](image) for image in originals]
    assert duplicates.groups(records) == tuple(range(8)) * 2


def test_order_and_limit_of_the_distance() -> None:
    base = int.from_bytes(np.random.default_rng(0).bytes(32), "big")
    at_limit = flip_bits(base, range(0, 2 * duplicates.MAX_DISTANCE_BITS, 2))
    over = flip_bits(base, range(1, 2 * duplicates.MAX_DISTANCE_BITS + 3, 2))
    assert duplicates.groups([record(over), record(base), record(at_limit)]) == (0, 1, 1)
    assert duplicates.groups([]) == ()
    assert duplicates.groups([record(0), record(0), record(2**256 - 1)]) == (0, 0, 1)


def test_other_aspect_ratio_is_another_photo() -> None:
    assert duplicates.groups([record(5, 400, 300), record(5, 300, 400), record(5, 404, 300)]) == (0, 1, 0)


def slow_groups(records: Sequence[ImageRecord]) -> tuple[int, ...]:
    """Join every pair by relabelling; right wherever no group is wider than the bound."""
    parent = list(range(len(records)))
    for first, second in slow_pairs(records):
        old, new = parent[second], parent[first]
        parent = [new if label == old else label for label in parent]
    order: dict[int, int] = {}
    return tuple(order.setdefault(label, len(order)) for label in parent)


def test_same_answer_as_the_slow_definition() -> None:
    rng = np.random.default_rng(1)
    records = []
    for _ in range(40):
        base = int.from_bytes(rng.bytes(32), "big")
        for count in (0, 20, 48, 49):
            width_px = int(rng.integers(390, 420))
            records.append(record(flip_bits(base, rng.choice(256, count, replace=False).tolist()), width_px))
    assert duplicates.groups(records) == slow_groups(records)


@pytest.mark.parametrize("block_rows", [7, 1024])
def test_winding_groups_are_found_whole(block_rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clouds around a centre that is not there: at most 2 × 48 bits wide, with only some neighbours near each other."""
    monkeypatch.setattr(duplicates, "_BLOCK_ROWS", block_rows)
    rng = np.random.default_rng(4)
    records = []
    for flips in (31, 31, 32, 32, 33):
        base = int.from_bytes(rng.bytes(32), "big")
        records += [record(flip_bits(base, rng.choice(256, flips, replace=False).tolist())) for _ in range(15)]
    records = [records[index] for index in rng.permutation(len(records))]
    expected = slow_groups(records)
    assert 12 < len(set(expected)) < 70  # neither all together nor all apart
    assert duplicates.groups(records) == expected


def test_chain_within_the_bound_is_one_group_in_every_order() -> None:
    """Five photos, each like its neighbours only; the ends are just 2 × 48 bits apart."""
    chain = [record(flip_bits(0, range(position))) for position in (0, 12, 48, 60, 96)]
    for order in itertools.permutations(chain):
        assert duplicates.groups(order) == (0,) * 5
    far_end = record(flip_bits(0, range(97)))
    assert len(set(duplicates.groups([*chain, far_end]))) == 2


def test_chain_is_bounded() -> None:
    """Frames of a slow film: each like the last, the ends nothing alike."""
    rng = np.random.default_rng(2)
    chain = [int.from_bytes(rng.bytes(32), "big")]
    for _ in range(300):
        chain.append(flip_bits(chain[-1], rng.choice(256, 4, replace=False).tolist()))
    found = duplicates.groups([record(phash) for phash in chain])
    for group in set(found):
        members = [phash for phash, number in zip(chain, found, strict=True) if number == group]
        widest = max((a ^ b).bit_count() for a in members for b in members)
        assert widest <= 2 * duplicates.MAX_DISTANCE_BITS
    assert 1 < len(set(found)) < 100


@pytest.mark.parametrize("noise", [2, 5])
def test_plain_grey_surfaces_do_not_run_together(noise: int) -> None:
    """The same light on every part, and nothing but grain to tell them apart."""
    height, width = 240, 320
    light = 110 + 40 * np.cos(np.linspace(-1, 1, width))[None, :] * np.cos(np.linspace(-1, 1, height))[:, None]
    records = []
    for seed in range(100):
        grain = np.random.default_rng(seed).normal(0, noise, (height, width))
        records.append(checked(Image.fromarray(np.clip(light + grain, 0, 255).astype(np.uint8)), quality=90))
    assert max(Counter(duplicates.groups(records)).values()) == 1


def test_parts_in_a_holder_are_a_series_and_not_copies_of_each_other() -> None:
    """A hundred parts 24 bits from a common picture (some 45 from each other), three of them re-saved with 4 bits of change."""
    rng = np.random.default_rng(3)
    common = int.from_bytes(rng.bytes(32), "big")
    parts = [flip_bits(common, rng.choice(256, 24, replace=False).tolist()) for _ in range(100)]
    resaved = [flip_bits(part, rng.choice(256, 4, replace=False).tolist()) for part in parts[:3]]
    found = duplicates.groups([record(phash) for phash in [*parts, *resaved]])
    assert len(set(found[:100])) == 100
    assert found[100:] == found[:3]


def test_a_series_short_of_the_limit_is_still_one_group() -> None:
    rng = np.random.default_rng(3)
    alike = [flip_bits(0, rng.choice(256, 12, replace=False).tolist()) for _ in range(duplicates.LOOK_ALIKES)]
    assert set(duplicates.groups([record(phash) for phash in alike])) == {0}


def real(folder: str) -> list[tuple[Path, ImageRecord]]:
    if not (DATA / folder).is_dir():
        pytest.skip(f"the development photos are not here: {DATA / folder}")
    return [(path, images.check(path.read_bytes(), path.name)) for path in sorted((DATA / folder).rglob("*.jpg"))]


@pytest.mark.parametrize("folder", ["clothing", "imagenet-one-per-class"])
def test_no_false_pair_among_different_photos(folder: str) -> None:
    records = [found for _, found in real(folder)]
    assert len(set(duplicates.groups(records))) == len(records)


def test_tiles_stay_apart_by_tile() -> None:
    photos = real("magnetic-tile")
    found = duplicates.groups([entry for _, entry in photos])
    assert max(Counter(found).values()) == 11
    assert len(set(found)) == 175


def test_resaved_real_photos_are_found() -> None:
    photos = real("magnetic-tile")[::8] + real("clothing")[::12]
    for path, original in photos:
        buffer = io.BytesIO()
        with Image.open(path) as image:
            image.resize((image.width * 3 // 5, image.height * 3 // 5)).save(buffer, "JPEG", quality=70)
        copy = images.check(buffer.getvalue(), "copy.jpg")
        assert duplicates.groups([original, dataclasses.replace(copy)]) == (0, 0), path
