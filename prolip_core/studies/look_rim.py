"""Is a class known by the middle of its photos or by their rim? Asked by covering the one or the other, half the picture each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from prolip_core.certainty import Share

LIMIT = 0.05
"""Of false alarms among the classes that are called rim or middle (Benjamini & Hochberg 1995); of the test on other classes."""


def least_photos(n_classes: int) -> int:
    """So many photos of one class it takes before it can be called anything, if no other class stands out: 2 · 0.5ⁿ, adjusted
    over the classes, below LIMIT."""
    return math.floor(math.log2(2 * n_classes / LIMIT)) + 1


Verdict = Literal["rim", "middle", "open"]


@dataclass(frozen=True)
class ClassEvidence:
    """One class. whole, by_middle, by_rim: photos of it answered right as they are, with the rim covered, with the middle
    covered; only_middle, only_rim: right by the one and not by the other. others_by_rim: photos of other classes that got this
    class's name with their middle covered.

    verdict: "rim" where the rim alone is right more often than the middle alone (exact McNemar test, adjusted over classes), and
    photos of other classes get the name less often by their rims (Fisher's exact test): a name that a covered picture gets
    whatever it shows is no evidence. "middle" where the first test says the contrary; else "open".
    """

    label: int
    whole: Share
    by_middle: Share
    by_rim: Share
    only_middle: int
    only_rim: int
    others_by_rim: Share
    p: float
    p_others: float
    verdict: Verdict


def rim_against_middle(
    labels: Sequence[int], whole: Sequence[int], sides: Sequence[tuple[int, int]], n_classes: int
) -> tuple[ClassEvidence, ...]:
    """Every class with a photo. whole: answers to the photos as they are; sides: with the middle and with the rim covered."""
    from scipy.stats import binomtest, false_discovery_control, fisher_exact

    labels_N, whole_N = np.asarray(labels), np.asarray(whole)
    rim_N, middle_N = np.asarray(sides).reshape(-1, 2).T
    present = [label for label in range(n_classes) if label in labels]
    counts = []
    for label in present:
        own_N = labels_N == label
        by_rim_N, by_middle_N = (rim_N == label) & own_N, (middle_N == label) & own_N
        counts.append(
            (own_N, by_rim_N, by_middle_N, int((by_rim_N & ~by_middle_N).sum()), int((by_middle_N & ~by_rim_N).sum()))
        )
    ps = [binomtest(rim, rim + middle).pvalue if rim + middle else 1.0 for *_, rim, middle in counts]
    adjusted = false_discovery_control(ps)
    found = []
    for label, (own_N, by_rim_N, by_middle_N, only_rim, only_middle), p in zip(present, counts, adjusted, strict=True):
        total = int(own_N.sum())
        by_rim = Share(int(by_rim_N.sum()), total)
        others = Share(int(((rim_N == label) & ~own_N).sum()), len(labels) - total)
        table = [[one.count, one.total - one.count] for one in (by_rim, others)]
        p_others = float(fisher_exact(table, alternative="greater").pvalue)
        found.append(
            ClassEvidence(
                label=label,
                whole=Share(int((whole_N[own_N] == label).sum()), total),
                by_middle=Share(int(by_middle_N.sum()), total),
                by_rim=by_rim,
                only_middle=only_middle,
                only_rim=only_rim,
                others_by_rim=others,
                p=float(p),
                p_others=p_others,
                verdict=_verdict(only_rim, only_middle, float(p), p_others),
            )
        )
    return tuple(found)


def _verdict(only_rim: int, only_middle: int, p: float, p_others: float) -> Verdict:
    if p >= LIMIT:
        return "open"
    if only_middle > only_rim:
        return "middle"
    return "rim" if p_others < LIMIT else "open"
