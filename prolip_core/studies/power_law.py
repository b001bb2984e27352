"""How a learning curve goes on: error = a + b·n^(−c), fitted by weighted least squares, with a range by bootstrap.

The shape is that of Cortes et al. (Learning curves: asymptotic values and rate of convergence, NIPS 1993); fitting it to a curve
of one's own with weights that grow with n, to tell what more photos would bring, follows Figueroa et al. (Predicting sample
size required for classification performance, BMC Medical Informatics and Decision Making 12:8, 2012).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

EXPONENTS = tuple(round(0.02 * step, 2) for step in range(1, 101))
"""Tried values of c: 0.02 to 2."""

MIN_SIZES = 4
"""Three numbers are fitted; fewer points than four would be met by any curve."""

MIN_DRAWS = 3
RESAMPLES = 400
LIKELY = (0.1, 0.9)
"""The range holds 80 % of the resamples: four times out of five the gain should lie in it."""

STEP = 1.5
"""How a gain varies is seen on the curve's last step that is at least so many times as long."""


@dataclass(frozen=True)
class PowerLaw:
    """error(n) = floor + scale · n^(−exponent), floor and scale 0 or more: it never rises."""

    floor: float
    scale: float
    exponent: float

    def error(self, photos: float) -> float:
        return self.floor + self.scale * math.pow(photos, -self.exponent)


@dataclass(frozen=True)
class Forecast:
    """What `more` photos per class on top of `now` are likely to bring: gain in accuracy as a fraction.

    `gain` is that of the fit, 0 or more; the range is one for a single lot of new photos, and may begin below 0.
    """

    law: PowerLaw
    now: float
    more: int
    gain: float
    gain_interval: tuple[float, float]


def weights(count: int) -> np.ndarray:
    """Weight of the j-th smallest of m sizes: j/m (Figueroa et al. 2012), so that the end of the curve counts most."""
    return np.arange(1, count + 1) / count


def fit(sizes_S: Sequence[float], errors_S: Sequence[float]) -> PowerLaw:
    """The weighted least-squares power law: for every c of EXPONENTS a ≥ 0 and b ≥ 0 in closed form, and the best c of all."""
    floor_B, scale_B, exponent_B = fit_many(np.asarray(sizes_S, dtype=float), np.asarray([errors_S], dtype=float))
    return PowerLaw(float(floor_B[0]), float(scale_B[0]), float(exponent_B[0]))


def fit_many(sizes_S: np.ndarray, errors_BS: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """a, b and c for every row of errors."""
    weight_S = weights(len(sizes_S)) / weights(len(sizes_S)).sum()
    mean_B = errors_BS @ weight_S
    best_B = np.full(len(errors_BS), np.inf)
    found_3B = np.zeros((3, len(errors_BS)))
    for exponent in EXPONENTS:
        power_S = sizes_S**-exponent
        centred_S = power_S - power_S @ weight_S
        spread = centred_S**2 @ weight_S
        scale_B = (errors_BS - mean_B[:, None]) @ (weight_S * centred_S) / max(spread, np.finfo(float).tiny)
        floor_B = mean_B - scale_B * (power_S @ weight_S)
        # Outside the bounds the optimum of a convex problem lies on one of them: a = 0, or b = 0.
        through_zero_B = np.maximum(errors_BS @ (weight_S * power_S) / (power_S**2 @ weight_S), 0)
        inside_B = (scale_B >= 0) & (floor_B >= 0)
        for a_B, b_B, allowed_B in (
            (floor_B, scale_B, inside_B),
            (np.zeros_like(mean_B), through_zero_B, ~inside_B),
            (mean_B, np.zeros_like(mean_B), ~inside_B),
        ):
            loss_B = (errors_BS - a_B[:, None] - b_B[:, None] * power_S) ** 2 @ weight_S
            better_B = allowed_B & (loss_B < best_B)
            best_B = np.where(better_B, loss_B, best_B)
            found_3B = np.where(better_B, np.stack([a_B, b_B, np.full_like(mean_B, exponent)]), found_3B)
    return found_3B[0], found_3B[1], found_3B[2]


def forecast(
    right_DSM: np.ndarray,
    labels_M: np.ndarray,
    weights_M: np.ndarray,
    sizes_S: Sequence[float],
    *,
    now: float,
    more: int,
    seed: int,
) -> Forecast | None:
    """The gain of `more` photos per class with its range; None where MIN_SIZES or MIN_DRAWS is not reached.

    right_DSM: whether photo m was answered rightly in draw d at size s; weights_M: what each photo counts, sum 1. Resampled are
    the draws, and the measured photos within their class, which tells how sure the fit is; added to it is how much the gain of
    one and the same step varies from draw to draw.
    """
    draws, sizes, _ = right_DSM.shape
    if sizes < MIN_SIZES or draws < MIN_DRAWS:
        return None
    sizes_array = np.asarray(sizes_S, dtype=float)
    wrong_DSM = 1.0 - right_DSM.astype(float)
    law = fit(sizes_S, (wrong_DSM.mean(axis=0) @ weights_M).tolist())
    random = np.random.default_rng(seed)
    drawn_BD = random.multinomial(draws, np.full(draws, 1 / draws), size=RESAMPLES) / draws
    photos_BM = np.zeros((RESAMPLES, len(labels_M)))
    for label in np.unique(labels_M):
        members = np.flatnonzero(labels_M == label)
        photos_BM[:, members] = random.multinomial(len(members), np.full(len(members), 1 / len(members)), RESAMPLES)
    errors_BS = np.einsum("bsm,bm->bs", np.einsum("bd,dsm->bsm", drawn_BD, wrong_DSM), photos_BM * weights_M)
    _, scale_B, exponent_B = fit_many(sizes_array, errors_BS)
    gains_B = scale_B * (now**-exponent_B - (now + more) ** -exponent_B)
    gains_B = gains_B + random.normal(0, _spread(right_DSM @ weights_M, sizes_array), RESAMPLES)
    low, high = np.quantile(gains_B, LIKELY)
    return Forecast(law, now, more, law.error(now) - law.error(now + more), (float(low), float(high)))


def _spread(rates_DS: np.ndarray, sizes_S: np.ndarray) -> float:
    """Standard deviation over draws of the gain by the last long step of the curve."""
    before = np.flatnonzero(sizes_S * STEP <= sizes_S[-1])[-1]
    return float((rates_DS[:, -1] - rates_DS[:, before]).std(ddof=1))


def points(interval: tuple[float, float]) -> tuple[str, str]:
    """A range of gains in whole points, rounded outwards: ("+3", "+6"), ("-1", "+2")."""
    low, high = (round(100 * bound, 6) for bound in interval)
    return f"{math.floor(low):+d}", f"{math.ceil(high):+d}"
