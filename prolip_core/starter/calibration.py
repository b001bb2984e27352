"""How sure the starter may be: a look at names that its teacher has not seen. Build time only.

A fifth of the ImageNet classes is held out; the teacher, fitted on the others, places their names, and their prototypes stand for
photos of them. Every held-out class is asked for among its nearest held-out neighbours, which is how alike the classes of a
project are. Zero-shot probabilities are right where the mean confidence equals the share of right answers.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch.nn.functional import nll_loss

FOLDS = 5
NEIGHBOURS = 10
SCALES = (8.0, 12.0, 16.0, 20.0, 24.0, 28.0, 32.0, 40.0)

Place = Callable[[list[int], list[int]], torch.Tensor]
"""(known classes, held-out classes) → unit vectors of the held-out names, from a teacher that was fitted on the known ones."""


@dataclass(frozen=True)
class Confidence:
    """At one logit scale: mean confidence, share of right answers, and mean cross-entropy (nats) over all questions."""

    scale: float
    confidence: float
    right: float
    loss: float


def folds(count: int, seed: int = 0) -> Iterator[tuple[list[int], list[int]]]:
    """(known, held out) of `count` classes, FOLDS times; every class is held out once."""
    order = list(range(count))
    random.Random(seed).shuffle(order)  # noqa: S311 - a split, nothing secret
    for fold in range(FOLDS):
        held = order[fold::FOLDS]
        yield sorted(set(order) - set(held)), held


def held_out_names(count: int, place: Place, seed: int = 0) -> tuple[torch.Tensor, list[list[int]]]:
    """Unit vectors (count, D) of every class name from a teacher that did not know it; the classes of each fold."""
    groups: list[list[int]] = []
    rows: dict[int, torch.Tensor] = {}
    for known, held in folds(count, seed):
        groups.append(held)
        rows.update(zip(held, place(known, held), strict=True))
    return torch.stack([rows[c] for c in range(count)]), groups


def confidence_at(
    scales: Sequence[float], name_CD: torch.Tensor, prototype_CD: torch.Tensor, groups: Sequence[Sequence[int]]
) -> list[Confidence]:
    """Every prototype against the names of its NEIGHBOURS nearest classes (itself among them) of the same fold.

    name_CD, prototype_CD: unit vectors (C, D). groups: the classes of each fold, at least NEIGHBOURS in each.
    """
    cosines = []
    for group in groups:
        rows = torch.tensor(group)
        like_GG = prototype_CD[rows] @ prototype_CD[rows].T
        near_GK = like_GG.fill_diagonal_(torch.inf).topk(NEIGHBOURS, dim=1).indices  # the class itself comes first
        cosines.append((prototype_CD[rows] @ name_CD[rows].T).gather(1, near_GK))
    cosine_NK = torch.cat(cosines)
    truth_N = torch.zeros(len(cosine_NK), dtype=torch.long)
    right = float((cosine_NK.argmax(1) == 0).float().mean())
    found = []
    for scale in scales:
        log_NK = (scale * cosine_NK).log_softmax(1)
        sure = float(log_NK.amax(1).exp().mean())
        found.append(Confidence(scale, sure, right, float(nll_loss(log_NK, truth_N))))
    return found
