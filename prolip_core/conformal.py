"""Sets of classes that hold the right one so many times out of a hundred: conformal prediction.

A score says how badly a class fits a photo: 1 − its probability (Sadinle et al. 2019: the smallest sets on average). A class is
in the set of a new photo unless its score is higher than that of too many photos whose class is known. What is promised
rests on exchangeability: the new photo could as well have been one of the known ones. It is an average over photos of all
classes, not a promise for each class or each photo.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

ROUNDING = 1e-9
"""Products such as 20 · 0.95 are whole numbers that a computer may miss by its last digit."""


def scores(probs_NC: np.ndarray) -> np.ndarray:
    """How badly each class fits: 1 − probability (N, C)."""
    return 1.0 - probs_NC


def rank(count: int, coverage: float) -> int:
    """⌈(n + 1) · coverage⌉: a new score is among the lowest that many of n known ones and itself with at least that
    probability. It may be n + 1: then nothing can be ruled out."""
    return math.ceil((count + 1) * coverage - ROUNDING)


def quantile(true_scores_N: np.ndarray, coverage: float) -> float:
    """The limit of the score: the `rank`-th smallest known one; infinite where there are too few to rule anything out.

    Split conformal prediction: with a model that has seen none of these photos, the right class of a new photo is within the
    limit with a probability of at least `coverage`.
    """
    place = rank(len(true_scores_N), coverage)
    return float(np.sort(true_scores_N)[place - 1]) if place <= len(true_scores_N) else math.inf


def cross_sets(
    true_scores_N: np.ndarray, fold_N: np.ndarray, scores_KMC: Sequence[np.ndarray], coverage: float
) -> np.ndarray:
    """The sets of M new photos by cross-validation+ (Barber et al. 2021; for classes Romano et al. 2020), (M, C) of bool.

    true_scores_N: of each known photo, by the model of its fold, which has not seen it; fold_N: that fold; scores_KMC: of the new
    photos, by the model of every fold. A class is in if fewer than `rank` known photos have a lower score than it has under
    their own model. `guarantee` says what is promised.
    """
    lower_MC = np.zeros(scores_KMC[0].shape, dtype=int)
    for fold, scores_MC in enumerate(scores_KMC):
        lower_MC += np.searchsorted(np.sort(true_scores_N[fold_N == fold]), scores_MC, side="left")
    return lower_MC < rank(len(true_scores_N), coverage)


def guarantee(count: int, folds: int, coverage: float) -> float:
    """The coverage that cross-validation+ never falls below, 1 − 2α − a term that vanishes with more photos (Barber et al. 2021,
    theorem 4), α = 1 − coverage; at least 0. In practice it is close to `coverage`."""
    excess = min(2 * (1 - 1 / folds) / (count / folds + 1), (1 - folds / count) / (folds + 1))
    return max(0.0, 1 - 2 * (1 - coverage) - excess)
