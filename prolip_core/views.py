"""Augmented views of a photo: which part is seen, and whether it is mirrored.

View 0 is the photo as the model wants it. Every other view is the paper's augmentation: a random resized crop of 0.5 to 1 of
the area, then a horizontal flip in half of the cases. A view depends on the photo, its number and the seed only, so it is the
same in every process and in any order.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

import numpy as np

AREA_RANGE = (0.5, 1.0)
ASPECT_RANGE = (3 / 4, 4 / 3)
TRIES = 10
VERSION = 1
"""Part of the feature cache's key: raise it when a view changes."""


@dataclass(frozen=True)
class Crop:
    """A box in pixels of the decoded photo, and whether it is mirrored after the crop."""

    top: int
    left: int
    height: int
    width: int
    flip: bool

    @property
    def box(self) -> tuple[int, int, int, int]:
        return self.top, self.left, self.height, self.width


def crop_of(image_id: str, view: int, seed: int, width_px: int, height_px: int) -> Crop:
    """The crop of one augmented view (view ≥ 1) of a photo of that size.

    Area and aspect ratio are drawn as in the Inception augmentation (Szegedy et al. 2015): uniform area, log-uniform aspect;
    after ten boxes that do not fit, the largest central box of an allowed aspect.
    """
    digest = hashlib.sha256(f"{image_id}|{view}|{seed}".encode()).digest()
    random = np.random.default_rng(np.frombuffer(digest, dtype=np.uint32))
    flip = bool(random.random() < 0.5)
    for _ in range(TRIES):
        area = width_px * height_px * random.uniform(*AREA_RANGE)
        aspect = math.exp(random.uniform(math.log(ASPECT_RANGE[0]), math.log(ASPECT_RANGE[1])))
        width, height = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < width <= width_px and 0 < height <= height_px:
            top = int(random.integers(0, height_px - height + 1))
            left = int(random.integers(0, width_px - width + 1))
            return Crop(top, left, height, width, flip)
    width = min(width_px, round(height_px * ASPECT_RANGE[1]))
    height = min(height_px, round(width_px / ASPECT_RANGE[0]))
    return Crop((height_px - height) // 2, (width_px - width) // 2, height, width, flip)
