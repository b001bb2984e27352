"""How far two accuracies are apart, with a range: of two methods on the same photos, or of one method on two sets of photos.

Both ranges are Newcombe's: square-and-add intervals made of Wilson's, which keep their promise for small numbers and for
accuracies near 0 and 1, and never leave -1 … 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest

from prolip_core.metrics import wilson_interval

Interval = tuple[float, float]


@dataclass(frozen=True)
class Paired:
    """Two series of answers about the same photos: how many both got right, the first alone, the second alone, neither."""

    both: int
    first_only: int
    second_only: int
    neither: int

    @property
    def count(self) -> int:
        return self.both + self.first_only + self.second_only + self.neither

    @property
    def first(self) -> float:
        """Accuracy of the first, a fraction."""
        return (self.both + self.first_only) / self.count

    @property
    def second(self) -> float:
        return (self.both + self.second_only) / self.count

    @property
    def difference(self) -> float:
        """Second minus first, -1 … 1."""
        return (self.second_only - self.first_only) / self.count

    @property
    def interval(self) -> Interval:
        """Newcombe's 95 % interval of the difference of paired proportions (Newcombe 1998, Statistics in Medicine 17, 2635-2650,
        method 10): Wilson's intervals, square-and-add, with the correlation corrected for continuity."""
        (low_1, high_1), (low_2, high_2) = (
            wilson_interval(self.both + only, self.count) for only in (self.first_only, self.second_only)
        )
        down_2, up_2 = self.second - low_2, high_2 - self.second
        down_1, up_1 = self.first - low_1, high_1 - self.first
        phi = self._correlation()
        below = math.sqrt(max(0.0, down_2**2 - 2 * phi * down_2 * up_1 + up_1**2))
        above = math.sqrt(max(0.0, up_2**2 - 2 * phi * up_2 * down_1 + down_1**2))
        return self.difference - below, self.difference + above

    @property
    def p(self) -> float:
        """The exact McNemar test, as `metrics.mcnemar_p`."""
        flips = self.first_only + self.second_only
        return float(binomtest(self.first_only, flips, 0.5).pvalue) if flips else 1.0

    def _correlation(self) -> float:
        right_1, right_2 = self.both + self.first_only, self.both + self.second_only
        spread = right_1 * (self.count - right_1) * right_2 * (self.count - right_2)
        if not spread:
            return 0.0
        together: float = self.both * self.neither - self.first_only * self.second_only
        if together > 0:
            together = max(together - self.count / 2, 0.0)
        return together / math.sqrt(spread)


def paired(first_N: Sequence[bool], second_N: Sequence[bool]) -> Paired:
    """From "was it right?", photo by photo in the same order. Raises ValueError for different lengths or no photo."""
    pairs = list(zip(first_N, second_N, strict=True))
    if not pairs:
        raise ValueError("nothing was answered")
    counts = {key: pairs.count(key) for key in ((True, True), (True, False), (False, True), (False, False))}
    return Paired(*counts.values())


def sign_flip_p(apart_N: Sequence[int]) -> float:
    """Exact two-sided randomisation test (Fisher 1935, The Design of Experiments, section 21) of two methods on the same photos.

    apart_N: photo by photo how many more draws the second had right than the first, a whole number. Under the hypothesis of no
    difference either sign is as likely; the p-value is the share of all 2^N signs whose sum is at least as far from 0. With one
    draw it is the exact McNemar test. It speaks of other test photos, not of other draws.
    """
    sizes = [abs(one) for one in apart_N if one]
    reach = sum(sizes)
    chance = np.zeros(2 * reach + 1)
    chance[reach] = 1.0
    for size in sizes:
        # No sum gets beyond its ends, so nothing is carried round.
        chance = (np.roll(chance, size) + np.roll(chance, -size)) / 2
    found = abs(sum(apart_N))
    return min(1.0, float(chance[: reach - found + 1].sum() + chance[reach + found :].sum())) if found else 1.0


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """The same p-values for many tests at once: calling those below 0.05 different is wrong about any of them at most one time
    in twenty (Holm 1979, Scandinavian Journal of Statistics 6, 65-70)."""
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - rank) * p_values[place]))
        adjusted[place] = highest
    return tuple(adjusted)


def mean_of(shares: Sequence[tuple[float, int]]) -> tuple[float, Interval]:
    """The mean of independent shares (right, count), each counting the same, and its 95 % interval: Wilson's intervals put
    together by the method of variance estimates recovery (Zou and Donner 2008, Statistics in Medicine 27, 1693-1702).
    Counts ≥ 1; `right` may be a mean over draws, and has the interval of the nearest whole number then, moved to it."""
    rates = [right / count for right, count in shares]
    bounds = [
        tuple(end + (right - round(right)) / count for end in wilson_interval(round(right), count))
        for right, count in shares
    ]
    mean = sum(rates) / len(rates)
    below = math.hypot(*(rate - low for rate, (low, _) in zip(rates, bounds, strict=True))) / len(rates)
    above = math.hypot(*(high - rate for rate, (_, high) in zip(rates, bounds, strict=True))) / len(rates)
    return mean, (mean - below, mean + above)


def mean_difference(first: Sequence[tuple[float, int]], second: Sequence[tuple[float, int]]) -> tuple[float, Interval]:
    """Second minus first of two such means, and its 95 % interval (the same method once more). With one share each it is
    Newcombe's for unpaired proportions (Newcombe 1998, Statistics in Medicine 17, 873-890, method 10)."""
    (mean_1, (low_1, high_1)), (mean_2, (low_2, high_2)) = mean_of(first), mean_of(second)
    difference = mean_2 - mean_1
    below, above = math.hypot(mean_2 - low_2, high_1 - mean_1), math.hypot(high_2 - mean_2, mean_1 - low_1)
    return difference, (difference - below, difference + above)
