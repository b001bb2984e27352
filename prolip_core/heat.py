"""A heat map as numbers: which area counts most, in what order areas are covered, and what can be said in a sentence.

A map is a grid (G, G): each cell's share in what the score of the answer loses when it is covered, in nats; below 0 the cell
spoke against the answer. `seen` (G, G) marks the cells that lie on the photo.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from prolip_core.i18n import N_
from prolip_core.types import Note

MARKED = 0.2
"""The hottest fifth of a photo is marked."""

MAINLY = 1.6
"""A quarter of the photo with so many times the heat that an even spread would give it is "mainly there"."""

LEAST_CELLS = 4
"""A side of the photo with fewer cells is not cut in halves."""

LEAST_NATS = 0.01
"""A map whose hottest cell has less shows nothing: nine such cells together take a chance of 50 % to 48 %."""

_PLACES = (
    (N_("the upper left"), N_("the upper middle"), N_("the upper right")),
    (N_("the left side"), N_("the middle"), N_("the right side")),
    (N_("the lower left"), N_("the lower middle"), N_("the lower right")),
)


def order(heat_GG: np.ndarray, seen_GG: np.ndarray) -> np.ndarray:
    """Flat positions of the cells on the photo, the hottest first; equals in reading order."""
    cells = np.flatnonzero(seen_GG)
    ranked: np.ndarray = cells[np.argsort(-heat_GG.ravel()[cells], kind="stable")]
    return ranked


def first(ranked: np.ndarray, share: float, shape: tuple[int, ...]) -> np.ndarray:
    """A cover of that shape: the first cells of an order, that share of them, rounded, at least one."""
    cover = np.zeros(math.prod(shape), dtype=bool)
    cover[ranked[: max(1, round(share * len(ranked)))]] = True
    return cover.reshape(shape)


def area_under(shares: Sequence[float], values: Sequence[float]) -> float:
    """The area under a curve by trapezia, over the width of its shares."""
    return float(np.trapezoid(values, shares)) / (shares[-1] - shares[0])


def caption(heat_GG: np.ndarray, seen_GG: np.ndarray) -> Note:
    """Where the evidence for the answer lies, in a sentence: the quarter of the photo that has most of the heat, if it is MAINLY
    there; nine overlapping quarters are asked, or three halves of a photo that is very long."""
    warm_GG = np.where(seen_GG, np.clip(heat_GG, 0, None), 0.0)
    if warm_GG.max() < LEAST_NATS:
        return Note("No single area of the photo mattered much for this answer.")
    densities = {
        (row, column): warm_GG[down, across].sum() / seen_GG[down, across].sum()
        for row, down in _parts(seen_GG.any(axis=1)).items()
        for column, across in _parts(seen_GG.any(axis=0)).items()
    }
    row, column = max(densities, key=lambda place: densities[place])
    if densities[row, column] < MAINLY * warm_GG.sum() / seen_GG.sum():
        return Note("It looked at much of the photo: what spoke for this answer is spread over it.")
    return Note("It looked mainly at {place} of the photo.", {"place": Note(_PLACES[row][column])})


def _parts(on_photo_G: Any) -> dict[int, slice]:
    """Place → cells: the first half of the photo along one side (0), the middle one (1), the last one (2)."""
    start, length = int(np.flatnonzero(on_photo_G)[0]), int(on_photo_G.sum())
    if length < LEAST_CELLS:
        return {1: slice(start, start + length)}
    half = length // 2
    return {
        place: slice(start + offset, start + offset + half)
        for place, offset in enumerate((0, (length - half) // 2, length - half))
    }
