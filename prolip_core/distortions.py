"""Photos as a worse camera or a worse moment would have taken them: eight kinds, five severities each.

Every kind but the shadow is torchvision's. What is random about a distortion (the grain, the side it turns to, the part that is
cut off, where the shadow falls) depends on the photo, the kind and the seed only: one photo meets the same accident at all five
severities, only worse, and in every process.

`blur`, `noise` and `jpeg` depend on the number of pixels, so the photo is first brought to the size that the model sees. Their
amounts are those of ImageNet-C (Hendrycks and Dietterich 2019, arXiv 1903.12261), which are for 224 pixels.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as transforms

from prolip_core.errors import ConfigError

if TYPE_CHECKING:
    from PIL import Image

VERSION = 1
"""Part of the feature cache's key: raise it when a distortion changes."""

AMOUNTS: dict[str, tuple[float, ...]] = {
    "blur": (1, 2, 3, 4, 6),
    "noise": (0.08, 0.12, 0.18, 0.26, 0.38),
    "darker": (0.7, 0.5, 0.35, 0.2, 0.1),
    "brighter": (1.3, 1.7, 2.2, 3, 4),
    "jpeg": (25, 18, 15, 10, 7),
    "rotation": (5, 15, 30, 60, 90),
    "crop": (0.9, 0.8, 0.7, 0.55, 0.4),
    "shadow": (0.7, 0.5, 0.35, 0.2, 0.1),
}
"""Amounts of severity 1 to 5. blur: σ in pixels of a photo whose shorter side has 224; noise: σ, as a share of white; darker,
brighter: factor on all values; jpeg: quality; rotation: degrees, to either side; crop: share of each side that is left; shadow:
factor on the values inside it, about half of the photo."""

KINDS = tuple(AMOUNTS)
SEVERITIES = 5
REFERENCE_SIDE_PX = 224
SHADOW_EDGE = 0.1
"""Width of the shadow's edge, as a share of the photo's half diagonal."""


@dataclass(frozen=True)
class Distortion:
    """One kind at one severity, 1 … SEVERITIES. Raises ConfigError for any other."""

    kind: str
    severity: int

    def __post_init__(self) -> None:
        if self.kind not in AMOUNTS or not 1 <= self.severity <= SEVERITIES:
            raise ConfigError(
                "There is no distortion “{kind}” of severity {severity}.",
                remedy="Choose one of: {known}; 1 to {limit}.",
                kind=self.kind,
                severity=self.severity,
                known=", ".join(KINDS),
                limit=SEVERITIES,
            )

    @property
    def amount(self) -> float:
        return AMOUNTS[self.kind][self.severity - 1]


def apply(image: Image.Image, distortion: Distortion, image_id: str, *, seed: int, side_px: int) -> Image.Image:
    """The distorted photo, RGB. side_px: the shorter side that the model sees."""
    digest = hashlib.sha256(f"{image_id}|{distortion.kind}|{seed}".encode()).digest()
    random = np.random.default_rng(np.frombuffer(digest, dtype=np.uint32))
    distorted: Image.Image = _APPLY[distortion.kind](image, distortion.amount, random, side_px)
    return distorted


def _blur(image: Image.Image, amount: float, _random: np.random.Generator, side_px: int) -> Image.Image:
    sigma_px = amount * side_px / REFERENCE_SIDE_PX
    width_px = 2 * math.ceil(3 * sigma_px) + 1
    pixels_3HW = transforms.pil_to_tensor(_resized(image, side_px)).float()
    # One axis after the other: the same blur for a fraction of the work.
    for kernel in ([width_px, 1], [1, width_px]):
        pixels_3HW = transforms.gaussian_blur(pixels_3HW, kernel, [sigma_px, sigma_px])
    return _image(pixels_3HW)


def _noise(image: Image.Image, amount: float, random: np.random.Generator, side_px: int) -> Image.Image:
    # Not torchvision's: it draws from the one generator that all decoding threads share.
    generator = torch.Generator().manual_seed(int(random.integers(2**62)))
    pixels_3HW = transforms.pil_to_tensor(_resized(image, side_px)).float()
    return _image(torch.normal(pixels_3HW, 255 * amount, generator=generator))


def _brightness(image: Image.Image, amount: float, _random: np.random.Generator, _side_px: int) -> Image.Image:
    changed: Image.Image = transforms.adjust_brightness(image, amount)
    return changed


def _jpeg(image: Image.Image, amount: float, _random: np.random.Generator, side_px: int) -> Image.Image:
    compressed: Image.Image = transforms.jpeg(_resized(image, side_px), int(amount))
    return compressed


def _rotation(image: Image.Image, amount: float, random: np.random.Generator, _side_px: int) -> Image.Image:
    """Corners that come into view take the photo's mean colour."""
    colour = transforms.pil_to_tensor(image).float().mean(dim=(1, 2)).round().int().tolist()
    side = 1 if random.random() < 0.5 else -1
    turned: Image.Image = transforms.rotate(image, side * amount, InterpolationMode.BILINEAR, fill=colour)
    return turned


def _crop(image: Image.Image, amount: float, random: np.random.Generator, _side_px: int) -> Image.Image:
    width, height = (max(1, round(amount * side)) for side in image.size)
    left, top = (random.random() * (whole - part) for whole, part in zip(image.size, (width, height), strict=True))
    cut: Image.Image = transforms.crop(image, round(top), round(left), height, width)
    return cut


def _shadow(image: Image.Image, amount: float, random: np.random.Generator, _side_px: int) -> Image.Image:
    """One side of a straight line near the middle lies in the dark, with a soft edge; no kept library has a shadow."""
    angle, offset = random.uniform(0, 2 * math.pi), random.uniform(-0.2, 0.2)
    pixels_3HW = transforms.pil_to_tensor(image).float()
    height, width = pixels_3HW.shape[1:]
    y_H, x_W = torch.arange(height) - (height - 1) / 2, torch.arange(width) - (width - 1) / 2
    distance_HW = (x_W * math.cos(angle) + y_H[:, None] * math.sin(angle)) / math.hypot(width / 2, height / 2)
    shade_HW = ((distance_HW - offset) / SHADOW_EDGE + 0.5).clamp(0, 1)
    return _image(pixels_3HW * torch.lerp(torch.ones(()), torch.tensor(amount), shade_HW))


def _resized(image: Image.Image, side_px: int) -> Image.Image:
    """As the model's own preprocessing resizes, shorter side = side_px."""
    resized: Image.Image = transforms.resize(image, [side_px], InterpolationMode.BICUBIC)
    return resized


def _image(pixels_3HW: torch.Tensor) -> Image.Image:
    made: Image.Image = transforms.to_pil_image(pixels_3HW.round().clamp(0, 255).byte())
    return made


_APPLY: dict[str, Callable[[Image.Image, float, np.random.Generator, int], Image.Image]] = {
    "blur": _blur,
    "noise": _noise,
    "darker": _brightness,
    "brighter": _brightness,
    "jpeg": _jpeg,
    "rotation": _rotation,
    "crop": _crop,
    "shadow": _shadow,
}
