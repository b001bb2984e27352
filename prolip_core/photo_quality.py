"""How well a photo can be seen: sharpness, brightness, contrast of its small copy, and from where on that is a problem.

The small copy has about the size that the model sees, so a blur that only shows in the full photo does not count. Each limit was
set on 1,924 real photos (612 of clothing, 312 of magnetic tiles, 1,000 of ImageNet) and on copies of all of them that were made
worse, at a longer side of 240 pixels:

- Blurred: 7 real photos (0.4 %; no tile, no garment) and 73 / 98 / 99.9 % of the copies with a Gaussian blur of 1.5 / 2 / 3
  pixels. The fixed limit alone, which holds for the first few photos of a project: 2 real ones (0.1 %) and 28 / 81 / 99 %.
- Dark: 2 real photos (0.1 %) and 27 / 83 / 99 % of the copies with a light of 1/8, 1/16, 1/32.
- Bright: no real photo and 14 / 33 % of the copies with eight and sixteen times the light; many of these are not white all over.

A part on a white table or a black cloth is nearly all white or black too, but has contrast, and is not called bright or dark.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

import numpy as np
from scipy.ndimage import uniform_filter1d

from prolip_core.types import Quality

BLUR_WINDOW = 11
BLURRED_SHARPNESS = 0.45
"""Below this any photo looks blurred; the medians of the three sets are 0.73, 0.76 and 0.80."""

BLURRED_SHARE_OF_MEDIAN = 0.7
"""Below this share of the median of a project's photos one looks blurred beside the others, whatever the material."""

MEDIAN_FROM_PHOTOS = 8
"""With fewer photos the median may be that of the blurred ones."""

DARK_BRIGHTNESS = 0.15
BRIGHT_BRIGHTNESS = 0.93
FLAT_CONTRAST = 0.1
"""A dark or bright photo with more contrast than this shows something all the same."""

TINY_SIDE_PX = 64
"""Shorter side under which a model that looks at 224 pixels or more sees mostly blown-up dots."""


def measure(grey_HW: np.ndarray) -> Quality:
    """Of a grey picture, uint8 (H, W): sharpness, mean brightness and contrast (standard deviation), each 0 … 1.

    A picture of one grey has a sharpness of 0.
    """
    values_HW = grey_HW.astype(np.float32) / 255.0
    # A direction without any change (the length of a stripe) tells nothing.
    along = [value for value in (_sharpness(values_HW), _sharpness(values_HW.T)) if value is not None]
    return Quality(
        sharpness=min(along, default=0.0),
        brightness=float(values_HW.mean()),
        contrast=float(values_HW.std()),
    )


def blur_limit(sharpness: Sequence[float]) -> float:
    """The sharpness under which a photo looks blurred among photos of these sharpnesses."""
    if len(sharpness) < MEDIAN_FROM_PHOTOS:
        return BLURRED_SHARPNESS
    return max(BLURRED_SHARPNESS, BLURRED_SHARE_OF_MEDIAN * median(sharpness))


def is_dark(quality: Quality) -> bool:
    """So dark that hardly anything can be told apart."""
    return quality.brightness < DARK_BRIGHTNESS and quality.contrast < FLAT_CONTRAST


def is_bright(quality: Quality) -> bool:
    """So bright that hardly anything can be told apart."""
    return quality.brightness > BRIGHT_BRIGHTNESS and quality.contrast < FLAT_CONTRAST


def _sharpness(values_HW: np.ndarray) -> float | None:
    """One direction of 1 − the blur of Crete et al. 2007 ("The blur effect", SPIE 6492, eqs. 1-6): how much of the variation
    between neighbours a further blur takes away. A sharp picture loses most of it, a blurred one hardly any."""
    blurred_HW = uniform_filter1d(values_HW, BLUR_WINDOW, axis=0, mode="nearest")
    variation = np.abs(np.diff(values_HW, axis=0))
    left = np.abs(np.diff(blurred_HW, axis=0))
    total = float(variation.sum())
    return float(np.maximum(0.0, variation - left).sum()) / total if total > 0 else None
