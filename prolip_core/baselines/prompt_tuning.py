"""CoOp: the words around the class name are trained, through the whole text tower."""

from __future__ import annotations

import torch

from prolip_core import classify
from prolip_core.baselines.problem import Fitted, OnStep, Problem
from prolip_core.baselines.training import Recipe, balanced_cross_entropy, descend
from prolip_core.errors import FitError

CONTEXT_LENGTH = 16
CONTEXT_SPREAD = 0.02


def coop(problem: Problem, on_step: OnStep | None = None) -> Fitted:
    """CoOp (Zhou et al. 2022, arXiv 2109.01134, section 3.2), one context for all classes: 16 vectors from N(0, 0.02²).

    Their recipe: SGD 0.002, momentum 0.9, weight decay 5e-4, batch 32, cosine with one epoch of warm-up; 50 epochs with 1
    photo per class, 100 with up to 4, 200 with more. Every step runs the text tower forwards and backwards, which the caller
    hands in as `Problem.context`. Raises FitError without it.
    """
    encoder = problem.context
    if encoder is None:
        raise FitError("Prompt tuning needs the text tower, and it was not handed in.")
    generator = torch.Generator().manual_seed(problem.seed)
    context_LE = (CONTEXT_SPREAD * torch.randn(CONTEXT_LENGTH, encoder.width, generator=generator)).requires_grad_()

    def loss(_: torch.Tensor, image_BD: torch.Tensor, labels_B: torch.Tensor, weights_B: torch.Tensor) -> torch.Tensor:
        logits_BC = problem.logit_scale * image_BD @ encoder.encode(context_LE).T
        return balanced_cross_entropy(logits_BC, labels_B, weights_B)

    descend([context_LE], loss, recipe(problem.support.mean_per_class), problem, on_step)
    text_CD = encoder.encode(context_LE.detach()).detach()
    return Fitted(
        lambda pre_MP: classify.logits(pre_MP, problem.initial, text_CD, problem.logit_scale),
        context_LE.numel(),
        context_LE.numel(),
    )


def recipe(photos_per_class: float) -> Recipe:
    """The paper's number of epochs for that many photos per class."""
    epochs = 50 if photos_per_class <= 1 else 100 if photos_per_class <= 4 else 200
    return Recipe("sgd", 2e-3, epochs, batch=32, warm_up_epochs=1, weight_decay=5e-4)
