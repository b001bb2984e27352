"""Sharpness, brightness and contrast, and where they become a problem: on computed pictures and on real photos."""

from __future__ import annotations

from dataclasses import replace
from statistics import mean

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from prolip_core import images, photo_quality
from prolip_core.types import Quality
from tests.conftest import development_photos


def texture(seed: int = 0, contrast: float = 40.0) -> np.ndarray:
    """Edges of every size, as photos have them: blobs of many scales, each with a hard border."""
    random = np.random.default_rng(seed)
    layers = [np.sign(gaussian_filter(random.normal(size=(180, 240)), size)) for size in (2, 4, 8, 16)]
    return np.asarray(np.clip(128 + contrast * np.sum(layers, axis=0) / 2, 0, 255), dtype=np.uint8)


def blurred(grey_HW: np.ndarray, sigma: float | tuple[float, float]) -> np.ndarray:
    return np.asarray(np.rint(gaussian_filter(grey_HW.astype(np.float64), sigma)), dtype=np.uint8)


def test_brightness_and_contrast_are_mean_and_deviation() -> None:
    halves = np.zeros((20, 20), np.uint8)
    halves[:, 10:] = 255
    found = photo_quality.measure(halves)
    assert (found.brightness, found.contrast) == pytest.approx((0.5, 0.5))
    even = photo_quality.measure(np.full((20, 20), 51, np.uint8))
    assert (even.sharpness, even.brightness, even.contrast) == pytest.approx((0.0, 0.2, 0.0), abs=1e-6)


def test_the_more_blur_the_less_sharp() -> None:
    values = [photo_quality.measure(blurred(texture(), sigma)).sharpness for sigma in (0, 1, 2, 3, 5)]
    assert values == sorted(values, reverse=True)
    assert values[0] > 0.6 > photo_quality.BLURRED_SHARPNESS > values[3]


def test_sharpness_does_not_depend_on_contrast_or_brightness() -> None:
    strong, faint = (photo_quality.measure(texture(contrast=contrast)).sharpness for contrast in (60, 4))
    assert faint == pytest.approx(strong, abs=0.02)  # a faint mark on an even surface is not blurred
    lighter = texture(contrast=20) + np.uint8(60)
    assert photo_quality.measure(lighter).sharpness == pytest.approx(
        photo_quality.measure(texture(contrast=20)).sharpness
    )


def test_a_shaken_camera_blurs_one_direction() -> None:
    for sigma in ((3.0, 0.0), (0.0, 3.0)):
        assert photo_quality.measure(blurred(texture(), sigma)).sharpness < photo_quality.BLURRED_SHARPNESS


def test_a_direction_without_change_tells_nothing() -> None:
    stripes = np.zeros((40, 40), np.uint8)
    stripes[:, ::8] = 200
    for grey_HW in (stripes, stripes.T, stripes[:1]):
        assert photo_quality.measure(grey_HW).sharpness > 0.6


def test_the_limit_follows_the_projects_own_photos() -> None:
    few = [0.8] * (photo_quality.MEDIAN_FROM_PHOTOS - 1)
    assert photo_quality.blur_limit([]) == photo_quality.blur_limit(few) == photo_quality.BLURRED_SHARPNESS
    assert photo_quality.blur_limit([*few, 0.8]) == pytest.approx(0.56)
    assert photo_quality.blur_limit([0.5] * 20) == photo_quality.BLURRED_SHARPNESS


def test_a_part_on_white_or_black_is_neither_bright_nor_dark() -> None:
    for ground, part in ((255, 40), (2, 200)):
        photo = np.full((180, 240), ground, np.uint8)
        assert _told(photo) == ("dark" if ground < 128 else "bright")
        photo[60:120, 80:130] = part  # 7 % of the photo
        assert _told(photo) is None


def _told(grey_HW: np.ndarray) -> str | None:
    quality = photo_quality.measure(grey_HW)
    dark, bright = photo_quality.is_dark(quality), photo_quality.is_bright(quality)
    assert not (dark and bright)
    return "dark" if dark else "bright" if bright else None


def test_the_limits_themselves_are_not_over_the_limit() -> None:
    edge = Quality(0.7, photo_quality.DARK_BRIGHTNESS, 0.05)
    assert not photo_quality.is_dark(edge) and photo_quality.is_dark(replace(edge, brightness=0.149))
    edge = Quality(0.7, photo_quality.BRIGHT_BRIGHTNESS, 0.05)
    assert not photo_quality.is_bright(edge) and photo_quality.is_bright(replace(edge, brightness=0.931))


@pytest.mark.parametrize("name", ["clothing", "magnetic-tile", "imagenet-one-per-class"])
def test_real_photos_are_not_called_bad_and_bad_copies_are(name: str) -> None:
    paths = sorted(development_photos(name).rglob("*.jpg"))
    sample = [images.inspect(path.read_bytes(), path.name).grey_HW for path in paths[:: len(paths) // 40]]
    real = [photo_quality.measure(grey_HW) for grey_HW in sample]
    limit = photo_quality.blur_limit([quality.sharpness for quality in real])
    assert mean(quality.sharpness < limit for quality in real) <= 0.05
    assert not any(photo_quality.is_dark(quality) or photo_quality.is_bright(quality) for quality in real)
    assert mean(photo_quality.measure(blurred(grey_HW, 2)).sharpness < limit for grey_HW in sample) >= 0.85
    # A 1/32 of the light, through the curve of sRGB (about its power of 2.2).
    dark = [photo_quality.measure((grey_HW * (1 / 32) ** (1 / 2.2)).astype(np.uint8)) for grey_HW in sample]
    assert mean(photo_quality.is_dark(quality) for quality in dark) >= 0.9
