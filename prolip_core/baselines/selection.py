"""The choice of a method's own number from the support alone, where its paper takes a validation set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
import torch.nn.functional as F  # noqa: N812 - the name the whole field uses

from prolip_core import splits
from prolip_core.baselines.problem import Fitted, OnStep, Problem
from prolip_core.errors import Cancelled, DatasetError
from prolip_core.types import Note

FOLDS = 4

Candidate = TypeVar("Candidate")


def choose(
    problem: Problem,
    fit: Callable[[Problem, Candidate], Fitted],
    candidates: Sequence[Candidate],
    default: Candidate,
    on_step: OnStep | None = None,
) -> tuple[Candidate, bool]:
    """The candidate with the best held-out balanced accuracy, and whether it was chosen at all.

    Stratified folds of the support, near-duplicates together (`splits.folds`); held-out photos are judged on view 0. Ties go to
    the lower class-balanced cross-entropy. Where a class has too few different photos for folds: the default, and False. Raises
    Cancelled when on_step asks to stop.
    """
    support = problem.support
    try:
        pairs = splits.folds(
            support.labels_N.tolist(), support.groups_N, support.n_classes, n_folds=FOLDS, seed=problem.seed
        )
    except DatasetError:
        return default, False
    weights_N = problem.weights_N
    scores: list[tuple[float, float]] = []
    for number, candidate in enumerate(candidates):
        right_N, loss_N = torch.zeros(len(weights_N)), torch.zeros(len(weights_N))
        for fold, (fit_rows, held_rows) in enumerate(pairs):
            if on_step is not None and on_step(number * len(pairs) + fold, len(candidates) * len(pairs)):
                raise Cancelled("Stopped; nothing was saved.")
            held = torch.from_numpy(held_rows)
            fitted = fit(problem.subset(torch.from_numpy(fit_rows)), candidate)
            logits_NC = fitted.logits(support.pre_VNP[0, held])
            right_N[held] = (logits_NC.argmax(dim=-1) == support.labels_N[held]).float()
            loss_N[held] = F.cross_entropy(logits_NC, support.labels_N[held], reduction="none")
        # Rounded, so that the same photos right in another order of summation is the same accuracy.
        scores.append((-round(float(right_N @ weights_N), 6), float(loss_N @ weights_N)))
    return candidates[scores.index(min(scores))], True


def note(setting: str, chosen: bool) -> Note:
    """A setting such as "a = 1", and whether cross-validation chose it."""
    if chosen:
        return Note("{setting}, chosen by cross-validation on the training photos", {"setting": setting})
    return Note("{setting}, fixed: too few photos to choose it from", {"setting": setting})
