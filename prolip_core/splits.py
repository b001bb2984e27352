"""Who teaches and who measures: support / query, cross-validation folds, and the checks that keep the two apart.

Everything here works on group numbers beside the photos: photos of one group (near-duplicates, see `duplicates.py`) are
never on both sides of anything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from prolip_core.errors import DatasetError
from prolip_core.types import LabelledImage, Split

MIN_PER_CLASS_FOR_FOLDS = 3
"""Cross-validation needs this many photos (groups of near-duplicates) in every class; below it nothing is held out."""


def make_split(
    support: Sequence[LabelledImage], query: Sequence[LabelledImage], groups: dict[str, int], n_classes: int
) -> Split:
    """Support and query without a photo, or a near-duplicate of one, in common.

    A query photo whose group also stands in the support is dropped (and named in `dropped`): the photos that teach are few
    and dear, and a test on a photo that was trained on proves nothing.

    groups: image id → group number. Raises DatasetError if a class is left without support, or nothing is left to test.
    """
    taught = {groups[image.image_id] for image in support}
    kept = tuple(image for image in query if groups[image.image_id] not in taught)
    dropped = tuple(image for image in query if groups[image.image_id] in taught)
    counts = Counter(image.label for image in support)
    missing = [label for label in range(n_classes) if not counts[label]]
    if missing:
        raise DatasetError(
            "Class number {number} has no photo to learn from.",
            remedy="Add at least one photo of it, or remove the class.",
            number=missing[0] + 1,
        )
    if query and not kept:
        raise DatasetError(
            "All {count} test photos are the same as, or near-duplicates of, training photos.",
            remedy="Take new photos for the test, or leave the test folder out: then cross-validation measures.",
            count=len(query),
        )
    return Split(tuple(support), kept, dropped)


def smallest_class(labels_N: Sequence[int], groups_N: Sequence[int], n_classes: int) -> int:
    """Number of different groups in the class that has fewest."""
    seen: list[set[int]] = [set() for _ in range(n_classes)]
    for label, group in zip(labels_N, groups_N, strict=True):
        seen[label].add(group)
    return min(len(members) for members in seen)


def folds(
    labels_N: Sequence[int], groups_N: Sequence[int], n_classes: int, *, n_folds: int, seed: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Stratified folds: pairs of index arrays (fit, held out); every photo is held out exactly once.

    Near-duplicates stay together and no class is ever absent from a fit side. `n_folds` is lowered to the size of the smallest
    class. Raises DatasetError where a class has fewer than MIN_PER_CLASS_FOR_FOLDS different photos, or cannot be kept on every
    fit side.
    """
    smallest = smallest_class(labels_N, groups_N, n_classes)
    if smallest < MIN_PER_CLASS_FOR_FOLDS:
        raise DatasetError(
            "Cross-validation needs at least {limit} different photos in every class; the smallest class has {count}.",
            remedy="Add different photos to it.",
            limit=MIN_PER_CLASS_FOR_FOLDS,
            count=smallest,
        )
    labels = np.asarray(labels_N)
    groups = np.asarray(groups_N)
    splitter = StratifiedGroupKFold(n_splits=min(n_folds, smallest), shuffle=True, random_state=seed)
    pairs = [(fit, held) for fit, held in splitter.split(labels, labels, groups) if len(held)]
    if _every_class_taught(labels, pairs):
        return pairs
    # A class whose groups are very uneven can end up whole on one side; dealing out its groups one by one prevents that.
    pairs = _folds_by_group(labels, groups, min(n_folds, smallest), seed)
    if not _every_class_taught(labels, pairs):
        raise DatasetError(
            "Cross-validation is not possible: the photos of one class are near-duplicates of photos of another.",
            remedy="Check their classes.",
        )
    return pairs


def _every_class_taught(labels_N: np.ndarray, pairs: list[tuple[np.ndarray, np.ndarray]]) -> bool:
    return all(len(held) and set(labels_N[fit]) == set(labels_N) for fit, held in pairs)


def _folds_by_group(
    labels_N: np.ndarray, groups_N: np.ndarray, n_folds: int, seed: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Deals the groups of each class to the folds in turn, so that every class is on every fit side."""
    random = np.random.default_rng(seed)
    fold_of_group: dict[int, int] = {}
    for label in np.unique(labels_N):
        members = [int(g) for g in np.unique(groups_N[labels_N == label]) if int(g) not in fold_of_group]
        for position, group in enumerate(random.permutation(members)):
            fold_of_group[int(group)] = position % n_folds
    fold_N = np.array([fold_of_group[int(group)] for group in groups_N])
    return [(np.flatnonzero(fold_N != fold), np.flatnonzero(fold_N == fold)) for fold in range(n_folds)]
