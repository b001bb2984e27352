"""A heat map drawn over its photo: the photo in grey, heat as colour, a line around the marked area."""

from __future__ import annotations

import numpy as np

from prolip_core import heat
from prolip_core.types import Box

COLOUR = (255, 96, 0)
STRENGTH = 0.75
"""Share of the colour where it is hottest."""

UNSEEN = 0.35
"""Brightness of what the model does not see: the photo's ends that are cropped away."""


def draw(photo_HW3: np.ndarray, heat_GG: np.ndarray, marked_GG: np.ndarray, box: Box) -> np.ndarray:
    """The picture, uint8 (H, W, 3). box: where the map lies on the photo. Colour is relative to the hottest cell of this map;
    a map that shows nothing (`heat.LEAST_NATS`) stays without."""
    from scipy.ndimage import binary_erosion, map_coordinates

    height, width = photo_HW3.shape[:2]
    down_H, across_W = (
        _cells(height, box.top, box.bottom, len(heat_GG)),
        _cells(width, box.left, box.right, len(heat_GG)),
    )
    seen_HW = np.logical_and.outer(*((one >= -0.5) & (one < len(heat_GG) - 0.5) for one in (down_H, across_W)))
    warm_GG = np.clip(heat_GG, 0, None) / max(float(heat_GG.max()), heat.LEAST_NATS)
    if heat_GG.max() < heat.LEAST_NATS:
        warm_GG = np.zeros_like(warm_GG)
    places = np.meshgrid(down_H, across_W, indexing="ij")
    share_HW1 = STRENGTH * (map_coordinates(warm_GG, places, order=1, mode="nearest") * seen_HW)[..., None]
    grey_HW3 = np.repeat(photo_HW3.mean(axis=2, keepdims=True), 3, axis=2) * np.where(seen_HW, 1.0, UNSEEN)[..., None]
    drawn_HW3 = (1 - share_HW1) * grey_HW3 + share_HW1 * np.array(COLOUR)
    rows_H, columns_W = (np.clip(np.floor(one + 0.5).astype(int), 0, len(heat_GG) - 1) for one in (down_H, across_W))
    marked_HW = marked_GG[np.ix_(rows_H, columns_W)] & seen_HW
    thick = max(1, min(height, width) // 120)
    inner_HW = binary_erosion(marked_HW, iterations=thick)
    drawn_HW3[marked_HW & ~inner_HW] = 255
    drawn_HW3[inner_HW & ~binary_erosion(inner_HW, iterations=thick)] = 0
    drawn: np.ndarray = np.rint(drawn_HW3).astype(np.uint8)
    return drawn


def _cells(length: int, start: float, end: float, grid: int) -> np.ndarray:
    """The place of every pixel's middle in cells of the map, which has its cells' middles at 0 … grid − 1."""
    middle = (np.arange(length) + 0.5) / length
    cells: np.ndarray = (middle - start) / (end - start) * grid - 0.5
    return cells
