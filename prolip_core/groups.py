"""Is it fair to all? How often each group of photos (by line, camera, shift …) was answered rightly, and whether groups differ.

Groups may show different classes, and some classes are harder than others. So groups are compared class by class, never by their
plain accuracies: a group that merely has the harder classes is not called worse. Photos count as independent of each other.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from prolip_core import metrics
from prolip_core.types import Note, Prediction

MIN_PHOTOS = 12
"""A smaller group is too small to tell: the 95 % interval of a share could be wider than 50 points. The rule looks at the number
of photos alone; one that looked at the answers would make the test below wrong."""

LEVEL = 0.05
"""A gap is told if the test would see one at least as clear in fewer cases than this among equal groups."""

PERMUTATIONS = 4_999
SEED = 0
_DRAWN_AT_A_TIME = 2_000_000

WITHOUT = Note("photos without this tag")
"""What the group of photos that do not carry the tag is called; its value is None."""

Value = str | None


@dataclass(frozen=True)
class Share:
    """How often one method was right on the photos of a group.

    `interval` is Wilson's 95 % interval of `accuracy`; `expected` the accuracy that the group would have if each of its classes
    were recognised as often as it is among all measured photos.
    """

    correct: int
    accuracy: float
    interval: tuple[float, float]
    expected: float


@dataclass(frozen=True)
class Group:
    """The measured photos whose tag has one value (None: that do not carry it)."""

    value: Value
    count: int
    zero_shot: Share
    prolip: Share

    @property
    def is_small(self) -> bool:
        return self.count < MIN_PHOTOS


@dataclass(frozen=True)
class Gap:
    """The two groups that are furthest apart, in standard errors.

    difference: by how much `better` is right more often than `worse` on photos of the same classes (Mantel and Haenszel's
    weights), 0 … 1; interval: of all such differences at once 95 %, -1 … 1; plain: the difference of the two accuracies as they
    are, whatever the classes; p: how often a pair would be at least as far apart if no group differed, over all pairs at once.
    """

    better: Value
    worse: Value
    difference: float
    interval: tuple[float, float]
    plain: float
    p: float

    @property
    def is_told(self) -> bool:
        return self.p < LEVEL


@dataclass(frozen=True)
class TagReport:
    """One tag: its groups, those without it last, and the gap for each method; None where no two groups can be compared.

    no_shared_class: pairs of large enough groups that are not compared because they have no class in common.
    """

    tag: str
    groups: tuple[Group, ...]
    zero_shot: Gap | None
    prolip: Gap | None
    no_shared_class: int

    @property
    def large(self) -> tuple[Group, ...]:
        return tuple(group for group in self.groups if not group.is_small)


@dataclass(frozen=True)
class _Pairs:
    """Which groups are compared in which classes: group `first_K[k]` with `second_K[k]`, weights_KC[k, c] > 0 where both have
    photos of class c."""

    first_K: np.ndarray
    second_K: np.ndarray
    weights_KC: np.ndarray
    counts_GC: np.ndarray

    def differences(self, right_GC: np.ndarray) -> np.ndarray:
        """(K, C): by how much the first group of each pair was right more often in each class; any number without photos."""
        shares_GC = right_GC / np.maximum(1, self.counts_GC)
        found: np.ndarray = shares_GC[self.first_K] - shares_GC[self.second_K]
        return found


def of_tag(
    tag: str,
    values: Mapping[str, str],
    zero_shot: Sequence[Prediction],
    prolip: Sequence[Prediction],
    *,
    permutations: int = PERMUTATIONS,
    seed: int = SEED,
) -> TagReport:
    """Both methods on the groups of one tag. values: image id → value, of the photos that carry the tag; ids that were not
    measured are passed over. Raises ValueError if nothing was measured, or not the same photos by both methods."""
    if not prolip or [p.image_id for p in zero_shot] != [p.image_id for p in prolip]:
        raise ValueError("groups need the same measured photos by both methods, in the same order")
    own = [values.get(one.image_id) for one in prolip]
    names: list[Value] = [*sorted({value for value in own if value is not None}), *([None] if None in own else [])]
    group_N = [names.index(value) for value in own]
    label_N = [one.label for one in prolip]
    shape = (len(names), max(label_N) + 1)
    counts_GC = _counts(group_N, label_N, [True] * len(own), shape)
    right = [_counts(group_N, label_N, [p.predicted == p.label for p in of], shape) for of in (zero_shot, prolip)]
    shares = [_shares(counts_GC, right_GC) for right_GC in right]
    groups = tuple(
        Group(name, int(counts_C.sum()), zero, tuned)
        for name, counts_C, zero, tuned in zip(names, counts_GC, *shares, strict=True)
    )
    large = [not group.is_small for group in groups]
    pairs, no_shared_class = _pairs(counts_GC[large])
    compared = [name for name, is_large in zip(names, large, strict=True) if is_large]
    gaps = [_gap(compared, pairs, right_GC[large], permutations, seed) for right_GC in right]
    return TagReport(tag, groups, gaps[0], gaps[1], no_shared_class)


def _counts(
    group_N: Sequence[int], label_N: Sequence[int], counted_N: Sequence[bool], shape: tuple[int, int]
) -> np.ndarray:
    counts_GC = np.zeros(shape, dtype=np.int64)
    np.add.at(counts_GC, (np.array(group_N), np.array(label_N)), np.array(counted_N, dtype=np.int64))
    return counts_GC


def _shares(counts_GC: np.ndarray, right_GC: np.ndarray) -> list[Share]:
    rate_C = right_GC.sum(axis=0) / np.maximum(1, counts_GC.sum(axis=0))
    shares = []
    for counts_C, right_C in zip(counts_GC, right_GC, strict=True):
        correct, count = int(right_C.sum()), int(counts_C.sum())
        expected = float(counts_C @ rate_C) / count
        shares.append(Share(correct, correct / count, metrics.wilson_interval(correct, count), expected))
    return shares


def _pairs(counts_GC: np.ndarray) -> tuple[_Pairs, int]:
    """All pairs with a class in common, and how many have none. The weight of a class is n·m / (n + m) for n and m photos
    (Mantel and Haenszel 1959; Cochran 1954)."""
    both = list(itertools.combinations(range(len(counts_GC)), 2))
    first_K, second_K = np.array([a for a, _ in both], dtype=int), np.array([b for _, b in both], dtype=int)
    n_KC, m_KC = counts_GC[first_K], counts_GC[second_K]
    weights_KC = n_KC * m_KC / np.maximum(1, n_KC + m_KC)
    shared = weights_KC.sum(axis=1) > 0
    return _Pairs(first_K[shared], second_K[shared], weights_KC[shared], counts_GC), int((~shared).sum())


def _gap(names: Sequence[Value], pairs: _Pairs, right_GC: np.ndarray, permutations: int, seed: int) -> Gap | None:
    if not len(pairs.first_K):
        return None
    error_K = np.sqrt(pairs.weights_KC @ _variances(pairs.counts_GC, right_GC))
    sums_K = (pairs.weights_KC * pairs.differences(right_GC)).sum(axis=1)
    distance_K = _ratio(np.abs(sums_K), error_K)
    total_K = pairs.weights_KC.sum(axis=1)
    # Where all are as far apart, as when nothing was wrong, the pair with the most photos says most.
    k = max(range(len(distance_K)), key=lambda one: (round(float(distance_K[one]), 9), total_K[one]))
    p = _permutation_p(pairs, right_GC, error_K, float(distance_K[k]), permutations, seed)
    better, worse = int(pairs.first_K[k]), int(pairs.second_K[k])
    if sums_K[k] < 0:
        better, worse = worse, better
    accuracy_G = right_GC.sum(axis=1) / pairs.counts_GC.sum(axis=1)
    return Gap(
        names[better],
        names[worse],
        abs(float(sums_K[k] / total_K[k])),
        _interval(pairs, right_GC, k, better, worse),
        float(accuracy_G[better] - accuracy_G[worse]),
        p,
    )


def _variances(counts_GC: np.ndarray, right_GC: np.ndarray) -> np.ndarray:
    """Of a single answer (right: 1, wrong: 0) within each class, over all groups that are compared."""
    n_C, m_C = counts_GC.sum(axis=0), right_GC.sum(axis=0)
    found: np.ndarray = m_C * (n_C - m_C) / np.maximum(1, n_C * (n_C - 1))
    return found


def _ratio(distance: np.ndarray, error_K: np.ndarray) -> np.ndarray:
    """0 where nothing varies: then there is no distance either, unless the classes alone make it."""
    found: np.ndarray = np.where(error_K > 0, distance / np.where(error_K > 0, error_K, 1), 0.0)
    return found


def _permutation_p(
    pairs: _Pairs, right_GC: np.ndarray, error_K: np.ndarray, distance: float, permutations: int, seed: int
) -> float:
    """How often the largest of all pairs' distances is at least `distance` if the answers of each class are dealt out anew to its
    photos, whatever their group (Westfall and Young 1993, max-T; with one pair the exact form of the test of Cochran, Mantel and
    Haenszel). The drawn counts of a class are multivariate hypergeometric. The observed answers count as one deal more (Phipson
    and Smyth 2010), so p is never 0."""
    random = np.random.default_rng(seed)
    reached, n_pairs = 0, len(error_K)
    step = max(1, _DRAWN_AT_A_TIME // n_pairs)
    varied = np.flatnonzero(_variances(pairs.counts_GC, right_GC) > 0)
    for begin in range(0, permutations, step):
        size = min(step, permutations - begin)
        sums_BK = np.zeros((size, n_pairs))
        for c in varied:
            counts_G = pairs.counts_GC[:, c]
            drawn_BG = random.multivariate_hypergeometric(
                counts_G, int(right_GC[:, c].sum()), size=size, method="marginals"
            ) / np.maximum(1, counts_G)
            sums_BK += pairs.weights_KC[:, c] * (drawn_BG[:, pairs.first_K] - drawn_BG[:, pairs.second_K])
        reached += int((_ratio(np.abs(sums_BK), error_K).max(axis=1) >= distance - 1e-9).sum())
    return (1 + reached) / (1 + permutations)


def _interval(pairs: _Pairs, right_GC: np.ndarray, k: int, better: int, worse: int) -> tuple[float, float]:
    """Newcombe's interval of a difference of two shares (1998, method 10) with both groups weighted to the same classes. A
    group's effective count is that of the variance of its weighted share. Bonferroni's level over all pairs, since the pair was
    chosen as the one furthest apart."""
    from scipy.stats import norm

    z = float(norm.ppf(1 - (1 - metrics.CONFIDENCE_LEVEL) / 2 / len(pairs.first_K)))
    weight_C = pairs.weights_KC[k] / pairs.weights_KC[k].sum()
    shares, bounds = [], []
    for group in (better, worse):
        counts_C = np.maximum(1, pairs.counts_GC[group])
        share = float(weight_C @ (right_GC[group] / counts_C))
        shares.append(share)
        bounds.append(score_interval(share, 1 / float((weight_C**2 / counts_C).sum()), z))
    (low_1, high_1), (low_2, high_2) = bounds
    difference = shares[0] - shares[1]
    return (
        difference - math.hypot(shares[0] - low_1, high_2 - shares[1]),
        difference + math.hypot(high_1 - shares[0], shares[1] - low_2),
    )


def score_interval(share: float, count: float, z: float) -> tuple[float, float]:
    """Wilson's score interval (1927) of a share, 0 … 1, of an effective `count` > 0, reaching `z` standard errors."""
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * math.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    return max(0.0, middle - half), min(1.0, middle + half)


def notes(report: TagReport, gap: Gap | None) -> tuple[Note, ...]:
    """What the groups of a tag say about one method, in sentences; `gap` is that method's."""
    found = [_no_gap(report) if gap is None else _told(gap)]
    if gap is not None and round(100 * gap.plain) != round(100 * gap.difference):
        found.append(
            Note(
                "Over all of their photos it is {points} points, because the groups do not show the same classes equally often.",
                {"points": f"{100 * gap.plain:+.0f}"},
            )
        )
    small = sum(group.is_small for group in report.groups)
    if small and gap is not None:
        found.append(
            Note(
                "Too small to tell, and left out of the comparison: groups with fewer than {limit} photos ({count}).",
                {"limit": MIN_PHOTOS, "count": small},
            )
        )
    if report.no_shared_class and gap is not None:
        found.append(
            Note(
                "Not compared, because the two groups have no class in common: pairs of groups ({count}).",
                {"count": report.no_shared_class},
            )
        )
    return tuple(found)


def title(value: Value) -> str | Note:
    """What a group is called."""
    return WITHOUT if value is None else value


def _told(gap: Gap) -> Note:
    values: dict[str, object] = {
        "better": title(gap.better),
        "worse": title(gap.worse),
        "points": f"{100 * gap.difference:.0f}",
        "low": f"{100 * gap.interval[0]:+.0f}",
        "high": f"{100 * gap.interval[1]:+.0f}",
    }
    if not gap.is_told:
        return Note(
            "No gap can be told from these photos. Furthest apart are “{better}” and “{worse}”: {points} points on photos of the "
            "same classes (likely {low} to {high}), which could well be luck.",
            values,
        )
    if metrics.luck(gap.p, 1) == "very unlikely":
        return Note(
            "There is a gap: “{better}” was right more often than “{worse}”, by {points} points on photos of the same classes "
            "(likely {low} to {high}). This is very unlikely to be luck.",
            values,
        )
    return Note(
        "There is a gap: “{better}” was right more often than “{worse}”, by {points} points on photos of the same classes "
        "(likely {low} to {high}). This is unlikely to be luck.",
        values,
    )


def _no_gap(report: TagReport) -> Note:
    if len(report.large) < 2:
        return Note(
            "No gap can be told: fewer than two groups have the {limit} photos that it takes. Give more photos this tag, or test "
            "on more photos.",
            {"limit": MIN_PHOTOS},
        )
    return Note(
        "No gap can be told: no two groups have a class in common, so a gap between groups would be one between classes. Test "
        "each group on photos of the same classes."
    )
