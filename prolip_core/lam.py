"""The choice of λ from the support photos alone.

The paper's λ = 1/N needs no choice at all. With three or more photos of every class, cross-validation on the support can tell
whether a few times more or less would do better; λ leaves 1/N only where that is clearly so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the name the whole field uses

from prolip_core import classify, objective, solvers, splits
from prolip_core.errors import Cancelled, DatasetError
from prolip_core.types import Note, Projector

GRID = (10.0, 3.0, 1.0, 0.3, 0.1)
"""Tried values of λ, in units of 1/N, from the strongest pull to the weakest (every solution is a near start for the next)."""

FOLDS = 4
TOLERANCE = 1e-6
"""Relative decrease of the loss at which a fold counts as solved. At 1e-4 the solver ends early for a small λ; that early end
acts like a stronger λ, and the choice came out wrong."""

OnFold = Callable[[int, int], bool | None]
"""Called with (solved, at most to solve) before every training on a fold; returning True stops the choice (Cancelled)."""


@dataclass(frozen=True)
class Choice:
    """The chosen λ, how it came about in words, and the held-out loss (class-balanced, nats) of every value that was tried."""

    lam: float
    note: Note
    tried: tuple[tuple[float, float], ...] = ()


def choose(
    support: objective.Support,
    initial: Projector,
    text_CD: torch.Tensor,
    logit_scale: float,
    *,
    seed: int,
    on_fold: OnFold | None = None,
) -> Choice:
    """λ by stratified cross-validation on the support photos; 1/N where a class has fewer than 3 different photos.

    The value with the lowest held-out cross-entropy sets the mark; among the values whose loss is within one standard error of
    it (paired over photos) the one nearest to 1/N is taken. Raises Cancelled if `on_fold` asks to stop.
    """
    default = 1.0 / support.mean_per_class
    try:
        pairs = splits.folds(support.labels_N.tolist(), support.groups_N, support.n_classes, n_folds=FOLDS, seed=seed)
    except DatasetError as impossible:
        reason = Note(impossible.message, impossible.values)
        return Choice(default, Note("1/N, since λ could not be chosen from the photos: {reason}", {"reason": reason}))
    weights_N = objective.class_balanced_weights(support.labels_N, support.n_classes).double().cpu().numpy()
    tried: list[np.ndarray] = []
    for losses_N in _held_out_losses(support, initial, text_CD, logit_scale, pairs, on_fold):
        tried.append(losses_N)
        excess, error = _difference(losses_N, _best(tried, weights_N), weights_N)
        if excess > 2 * error:
            # The held-out loss has turned upwards; weaker pulls, which cost most, can only be worse.
            break
    best_N = _best(tried, weights_N)
    near = []
    for g, losses_N in enumerate(tried):
        excess, error = _difference(losses_N, best_N, weights_N)
        if excess <= error:
            near.append(g)
    chosen = min(near, key=lambda g: abs(np.log(GRID[g])))
    return Choice(
        lam=GRID[chosen] * default,
        note=Note("{factor}/N, chosen by cross-validation on the training photos", {"factor": f"{GRID[chosen]:g}"}),
        tried=tuple((GRID[g] * default, float(losses_N @ weights_N)) for g, losses_N in enumerate(tried)),
    )


def _best(tried: list[np.ndarray], weights_N: np.ndarray) -> np.ndarray:
    return min(tried, key=lambda losses_N: float(losses_N @ weights_N))


def _difference(losses_N: np.ndarray, best_N: np.ndarray, weights_N: np.ndarray) -> tuple[float, float]:
    """Weighted mean of the paired differences, and its standard error."""
    gap_N = losses_N - best_N
    mean = float(gap_N @ weights_N)
    return mean, float(np.sqrt((gap_N - mean) ** 2 @ weights_N**2))


def _held_out_losses(
    support: objective.Support,
    initial: Projector,
    text_CD: torch.Tensor,
    logit_scale: float,
    pairs: list[tuple[np.ndarray, np.ndarray]],
    on_fold: OnFold | None,
) -> Iterator[np.ndarray]:
    """For every λ of the grid the cross-entropy (N,) of each photo by a model that has not seen it or a near-duplicate."""
    teaching = [support.subset(torch.from_numpy(fit)) for fit, _ in pairs]
    reduced = [solvers.reduce(fold, initial, text_CD) for fold in teaching]
    starts: list[torch.Tensor | None] = [None] * len(pairs)
    for tried, factor in enumerate(GRID):
        losses_N = np.zeros(support.labels_N.numel())
        for fold, (_, held) in enumerate(pairs):
            if on_fold is not None and on_fold(tried * len(pairs) + fold, len(GRID) * len(pairs)):
                raise Cancelled("Stopped while λ was being chosen; nothing was saved.")
            lam = factor / teaching[fold].mean_per_class
            starts[fold] = delta_RK = solvers.exact(
                reduced[fold], logit_scale, lam, start_RK=starts[fold], tolerance=TOLERANCE
            )
            trained = solvers.expand(reduced[fold], delta_RK, initial)
            # View 0: held-out photos are judged as they are, not augmented.
            logits_NC = classify.logits(support.pre_VNP[0, held], trained, text_CD, logit_scale)
            losses_N[held] = F.cross_entropy(logits_NC, support.labels_N[held], reduction="none").cpu().numpy()
        yield losses_N
