"""How well a photo can be seen: sharpness, brightness, contrast of its small copy, and from where on that is a problem.

The small copy has about the size that the model sees, so a blur that only shows in the full photo does not count. The limits were
set on 600 real photos (clothing, magnetic tiles, ImageNet, 200 each): none of them is called blurred, dark or bright.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import uniform_filter1d

from prolip_core.types import Quality

BLUR_WINDOW = 11
BLURRED_SHARPNESS = 0.45
"""Below this a photo looks blurred at the size that the model sees: the least sharp of 600 real photos has 0.51, half of their
copies blurred by two pixels of the small copy have less than 0.40."""

DARK_BRIGHTNESS = 0.1
BRIGHT_BRIGHTNESS = 0.95
TINY_SIDE_PX = 64
"""Shorter side under which a model that looks at 224 pixels or more sees mostly blown-up dots."""


def measure(grey_HW: np.ndarray) -> Quality:
    """Of a grey picture, uint8 (H, W): sharpness, mean brightness and contrast (standard deviation), each 0 … 1."""
    values_HW = grey_HW.astype(np.float32) / 255.0
    return Quality(
        sharpness=min(_sharpness(values_HW), _sharpness(values_HW.T)),
        brightness=float(values_HW.mean()),
        contrast=float(values_HW.std()),
    )


def _sharpness(values_HW: np.ndarray) -> float:
    """One direction of 1 − the blur of Crete et al. 2007 ("The blur effect", SPIE 6492, eqs. 1-6): how much of the variation
    between neighbours a further blur takes away. A sharp picture loses most of it, a blurred one hardly any."""
    blurred_HW = uniform_filter1d(values_HW, BLUR_WINDOW, axis=0, mode="nearest")
    variation = np.abs(np.diff(values_HW, axis=0))
    left = np.abs(np.diff(blurred_HW, axis=0))
    total = float(variation.sum())
    return float(np.maximum(0.0, variation - left).sum()) / total if total > 0 else 0.0
