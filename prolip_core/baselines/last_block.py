"""Last-block fine-tuning: the last transformer block of the vision tower learns, everything else stays as it is.

The class vectors are the classifier, as in the end-to-end fine-tuning that starts from a zero-shot model (Wortsman et al. 2022,
WiSE-FT, arXiv 2109.01903, section 3), whose optimiser, learning rate and weight decay it takes; of all layers only the last
block moves, so a photo's way up to it is computed once.
"""

from __future__ import annotations

import copy
import math
from typing import Any

import torch

from prolip_core import classify, objective
from prolip_core.baselines.problem import Fitted, OnStep, Problem
from prolip_core.baselines.training import Recipe, rate
from prolip_core.errors import Cancelled, FitError, NonFiniteLossError
from prolip_core.types import Projector

RECIPE = Recipe("adamw", 3e-5, 100, weight_decay=0.1)
"""Full batches: as many steps as epochs."""

CHUNK = 64
"""Photos that pass through the block at once; their gradients are added up."""


def last_block(problem: Problem, on_step: OnStep | None = None) -> Fitted:
    """Cross-entropy of s · cos(tail(tokens) W₀, t) over the last block's weights, without a penalty (see arXiv 2109.01903).

    `Fitted.logits` takes tokens (M, T, W) instead of features. Raises FitError without `tokens`, Cancelled, NonFiniteLossError.
    """
    side = problem.tokens
    if side is None:
        raise FitError("This method needs the tokens of a vision transformer, and they were not handed in.")
    device = side.device
    tail = copy.deepcopy(side.tail).to(device)
    block: Any = tail.requires_grad_(False).block
    parameters = list(block.requires_grad_(True).parameters())
    bias_D = problem.initial.bias_D
    initial = Projector(problem.initial.weight_PD.to(device), None if bias_D is None else bias_D.to(device))
    text_CD, labels_N, weights_N = (
        one.to(device) for one in (problem.text_CD, problem.support.labels_N, problem.weights_N)
    )
    optimiser = torch.optim.AdamW(parameters, RECIPE.learning_rate, weight_decay=RECIPE.weight_decay)

    def logits(tokens_BTW: torch.Tensor) -> torch.Tensor:
        return classify.logits(tail(tokens_BTW.to(device)), initial, text_CD, problem.logit_scale)

    for epoch in range(RECIPE.epochs):
        if on_step is not None and on_step(epoch, RECIPE.epochs):
            raise Cancelled("Stopped; nothing was saved.")
        optimiser.param_groups[0]["lr"] = rate(RECIPE, epoch)
        optimiser.zero_grad(set_to_none=True)
        total = 0.0
        for start in range(0, len(labels_N), CHUNK):
            rows = slice(start, start + CHUNK)
            loss = objective.cross_entropy(logits(side.tokens_NTW[rows]), labels_N[rows], weights_N[rows])
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.item()
        if not math.isfinite(total):
            raise NonFiniteLossError(
                "The loss became {loss} at step {step}; nothing was saved.", loss=total, step=epoch + 1
            )
        optimiser.step()
    tail.requires_grad_(False)

    @torch.no_grad()
    def answer(tokens_MTW: torch.Tensor) -> torch.Tensor:
        return torch.cat([logits(chunk).cpu() for chunk in torch.split(tokens_MTW, CHUNK)])

    return Fitted(answer, 0, sum(parameter.numel() for parameter in parameters))
