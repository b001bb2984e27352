"""A heat map as numbers: which area counts most, in what order areas are covered, and what can be said in a sentence.

A map is a grid (G, G): each cell's share in what the score of the answer loses when it is covered, in nats; below 0 the cell
spoke against the answer. `seen` (G, G) marks the cells that lie on the photo.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from prolip_core.i18n import N_
from prolip_core.types import Note

MARKED = 0.2
"""The hottest fifth of a photo is marked."""

MAINLY = 0.4
"""So much of the heat in a quarter of the picture is "mainly there"; evenly spread, a quarter has 0.25."""

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
    """Where the evidence for the answer lies, in a sentence: the quarter of the picture that has most of the heat, if it has
    MAINLY of it; nine overlapping quarters are asked."""
    warm_GG = np.where(seen_GG, np.clip(heat_GG, 0, None), 0.0)
    if warm_GG.max() < LEAST_NATS:
        return Note("No single area of the photo mattered much for this answer.")
    half = warm_GG.shape[0] // 2
    starts = (0, half // 2, half)
    shares = {
        (row, column): warm_GG[top : top + half, left : left + half].sum() / warm_GG.sum()
        for row, top in enumerate(starts)
        for column, left in enumerate(starts)
    }
    row, column = max(shares, key=lambda place: shares[place])
    if shares[row, column] < MAINLY:
        return Note("It looked at much of the photo: what spoke for this answer is spread over it.")
    return Note("It looked mainly at {place} of the photo.", {"place": Note(_PLACES[row][column])})
