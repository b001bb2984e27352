"""Distorted photos: by the amounts that are written down, worse with every severity, the same for everybody."""

from __future__ import annotations

import io
import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as transforms

from prolip_core import distortions, feature_cache, features, images
from prolip_core.distortions import AMOUNTS, KINDS, SEVERITIES, Distortion
from prolip_core.errors import ConfigError
from tests import image_factory
from tests.fakes import tiny_backbone
from tests.test_docs import document, section, table
from tests.test_features import Photos

PHOTO = image_factory.photo(1, 96, 64)
TEXTURED = Image.blend(PHOTO, Image.effect_noise(PHOTO.size, 100).convert("RGB"), 0.5)
SIDE_PX = 64
"""That of the photo, so that nothing is resized."""


def distorted(kind: str, severity: int, image: Image.Image = PHOTO, image_id: str = "a", seed: int = 0) -> np.ndarray:
    found = distortions.apply(image, Distortion(kind, severity), image_id, seed=seed, side_px=SIDE_PX)
    assert found.mode == "RGB"
    return np.asarray(found).astype(float)


def clean() -> np.ndarray:
    return np.asarray(PHOTO).astype(float)


@pytest.mark.parametrize("kind", KINDS)
def test_every_severity_is_further_from_the_photo(kind: str) -> None:
    assert len(AMOUNTS[kind]) == SEVERITIES
    pictures = [distorted(kind, severity, TEXTURED) for severity in range(1, SEVERITIES + 1)]
    if kind == "crop":  # another size: measured by what is left
        away = [1 - one.shape[0] * one.shape[1] / clean()[..., 0].size for one in pictures]
    elif kind == "rotation":  # a texture is as far from itself at 30° as at 90°; a slope, away from the corners, is not
        slope = Image.linear_gradient("L").resize((64, 64)).convert("RGB")
        turned = [distorted(kind, severity, slope) for severity in range(1, SEVERITIES + 1)]
        away = [float(np.abs(one - np.asarray(slope))[20:44, 20:44].mean()) for one in turned]
    else:
        away = [float(np.abs(one - np.asarray(TEXTURED)).mean()) for one in pictures]
    assert away[0] > 0 and all(low < high for low, high in itertools.pairwise(away)), away


@pytest.mark.parametrize("kind", KINDS)
def test_a_distortion_depends_on_photo_seed_and_amount_only(kind: str) -> None:
    first = distorted(kind, 3)
    torch.manual_seed(99)
    assert np.array_equal(distorted(kind, 3), first)
    others = [distorted(kind, 3, image_id=name, seed=seed) for name, seed in (("b", 0), ("c", 0), ("a", 1), ("d", 2))]
    changes = any(one.shape != first.shape or not np.array_equal(one, first) for one in others)
    assert changes == (kind in {"noise", "rotation", "crop", "shadow"})


def test_blur_is_a_gaussian_of_the_stated_width() -> None:
    """One white pixel on black becomes the product of two Gaussians."""
    spot = np.zeros((65, 65, 3), np.uint8)
    spot[32, 32] = 255
    sigma_px = 2 * 65 / 224 * 2
    found = np.asarray(
        distortions.apply(Image.fromarray(spot), Distortion("blur", 4), "a", seed=0, side_px=65), dtype=float
    )
    offsets = np.arange(65) - 32
    bell = np.exp(-(offsets**2) / (2 * sigma_px**2))
    bell /= bell.sum()
    assert found[..., 0] == pytest.approx(255 * np.outer(bell, bell), abs=0.6)


def test_noise_has_the_stated_spread_and_no_shift() -> None:
    grey = Image.new("RGB", (240, 160), (128, 128, 128))
    noise = np.asarray(distortions.apply(grey, Distortion("noise", 1), "a", seed=0, side_px=160), dtype=float) - 128
    assert noise.std() == pytest.approx(255 * AMOUNTS["noise"][0], rel=0.02)
    assert abs(noise.mean()) < 0.5


def test_light_is_multiplied() -> None:
    for kind in ("darker", "brighter"):
        expected = np.clip(clean() * AMOUNTS[kind][1], 0, 255)
        assert distorted(kind, 2) == pytest.approx(expected, abs=1)


def test_jpeg_is_that_of_the_codec() -> None:
    again = Image.open(io.BytesIO(image_factory.encode(PHOTO, "JPEG", quality=15)))
    assert np.array_equal(distorted("jpeg", 3), np.asarray(again).astype(float))


def test_a_turn_of_ninety_degrees_is_one() -> None:
    square = image_factory.photo(2, 64, 64)
    found = distorted("rotation", 5, square)
    turns = [
        np.asarray(square.transpose(how)).astype(float)
        for how in (Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_270)
    ]
    assert any(np.array_equal(found, one) for one in turns)
    corner = distorted("rotation", 3)[0, 0]
    assert corner == pytest.approx(clean().mean(axis=(0, 1)), abs=1)


def test_a_crop_is_a_part_of_the_photo() -> None:
    found = distorted("crop", 4)
    height, width = found.shape[:2]
    assert (height, width) == (round(0.55 * 64), round(0.55 * 96))
    places = [
        (top, left)
        for top in range(64 - height + 1)
        for left in range(96 - width + 1)
        if np.array_equal(clean()[top : top + height, left : left + width], found)
    ]
    assert len(places) == 1
    where = {distorted("crop", 4, image_id=str(number))[0, 0, 0] for number in range(20)}
    assert len(where) > 5


def test_a_shadow_covers_about_half_and_leaves_the_rest() -> None:
    white = Image.new("RGB", (120, 80), (200, 200, 200))
    shares = []
    for number in range(40):
        found = np.asarray(
            distortions.apply(white, Distortion("shadow", 2), str(number), seed=0, side_px=80), dtype=float
        )
        assert found.min() == pytest.approx(100, abs=1) and found.max() == pytest.approx(200, abs=1)
        shares.append((found[..., 0] < 150).mean())
    assert 0.4 < np.mean(shares) < 0.6 and min(shares) > 0.15 and max(shares) < 0.85


def test_a_light_blur_looks_like_pillow_s() -> None:
    sigma_px = 1 * SIDE_PX / 224
    assert np.abs(distorted("blur", 1) - np.asarray(PHOTO.filter(ImageFilter.GaussianBlur(sigma_px)))).max() < 8


@pytest.mark.parametrize(("kind", "severity"), [("rain", 1), ("blur", 0), ("blur", 6)])
def test_other_distortions_are_refused(kind: str, severity: int) -> None:
    with pytest.raises(ConfigError, match=f"no distortion “{kind}” of severity {severity}"):
        Distortion(kind, severity)


# In the features.


def test_features_are_those_of_the_distorted_photo() -> None:
    backbone, photos = tiny_backbone(), Photos(3)
    batch = features.extract(backbone, photos, photos.ids, seed=5, distortion=Distortion("noise", 2))
    for n, image_id in enumerate(photos.ids):
        image = images.decode(photos.by_id[image_id], "x", min_side_px=64)
        image = distortions.apply(image, Distortion("noise", 2), image_id, seed=5, side_px=32)
        assert torch.allclose(batch.pre_VNP[0, n], backbone.encode_pre(backbone.pixels(image)[None])[0], atol=1e-4)


def test_a_photo_that_is_resized_to_what_the_model_sees_is_read_the_same() -> None:
    """So an amount of next to nothing is the clean photo: what a curve shows is the distortion alone."""
    backbone = tiny_backbone()
    small = transforms.resize(PHOTO, [32], InterpolationMode.BICUBIC)
    assert torch.allclose(backbone.pixels(PHOTO), backbone.pixels(small), atol=0.02)


def test_the_cache_tells_distortions_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backbone, photos = tiny_backbone(), Photos(1)

    def key(distortion: Distortion | None, seed: int = 0) -> str:
        return feature_cache.key_of(features.cache_settings(backbone, seed, distortion))

    keys = [key(None), *(key(Distortion(kind, severity)) for kind in KINDS for severity in range(1, SEVERITIES + 1))]
    keys.append(key(Distortion("noise", 1), seed=1))
    monkeypatch.setattr(distortions, "VERSION", distortions.VERSION + 1)
    keys.append(key(Distortion("noise", 1)))
    assert len(set(keys)) == len(keys)
    assert key(None) == keys[0]
    first = features.extract(backbone, photos, photos.ids, cache_folder=tmp_path, distortion=Distortion("darker", 5))
    photos.reads.clear()
    again = features.extract(backbone, photos, photos.ids, cache_folder=tmp_path, distortion=Distortion("darker", 5))
    assert photos.reads == [] and torch.equal(first.pre_VNP, again.pre_VNP)
    plain = features.extract(backbone, photos, photos.ids, cache_folder=tmp_path)
    assert photos.reads and not torch.allclose(plain.pre_VNP, first.pre_VNP)


def test_the_documented_amounts_are_those_of_the_code() -> None:
    rows = table(section(document("method.md"), "Another camera, another day"))
    assert {row[0]: tuple(map(float, row[1:6])) for row in rows} == AMOUNTS
