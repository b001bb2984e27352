"""The one training loop of all methods that descend: mini-batches, cosine schedule, warm-up, progress, stop."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from prolip_core import objective
from prolip_core.baselines.problem import OnStep, Problem
from prolip_core.errors import Cancelled, NonFiniteLossError

WARM_UP_RATE = 1e-5
"""Learning rate of a warm-up epoch (the constant warm-up of CoOp's trainer, which CLAP's shares)."""

Loss = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
"""(pre_BP, image_BD, labels_B, weights_B) → scalar. image_BD: the embeddings under W₀, which never change and are computed once;
the weights of all photos have mean 1."""


@dataclass(frozen=True)
class Recipe:
    """How a method is trained: one of three optimisers, learning rate falling to 0 by cosine, batches of photos (None: all)."""

    optimiser: Literal["sgd", "adam", "adamw"]
    learning_rate: float
    epochs: int
    batch: int | None = 256
    warm_up_epochs: int = 0
    momentum: float = 0.9
    weight_decay: float = 0.0
    eps: float = 1e-8


def descend(
    parameters: Sequence[torch.Tensor], loss: Loss, recipe: Recipe, problem: Problem, on_step: OnStep | None = None
) -> None:
    """Moves the parameters (leaves that require a gradient) in place; epoch e looks at view e mod V, as ProLIP's recipe does.

    Raises Cancelled when on_step asks to stop, NonFiniteLossError when the loss leaves the numbers.
    """
    support = problem.support
    n_views, count = support.pre_VNP.shape[:2]
    weights_N = problem.weights_N * count
    batch = count if recipe.batch is None else recipe.batch
    image_VND = problem.image_MD.view(n_views, count, -1)
    generator = torch.Generator().manual_seed(problem.seed)
    optimiser = _optimiser(parameters, recipe)
    for epoch in range(recipe.epochs):
        if on_step is not None and on_step(epoch, recipe.epochs):
            raise Cancelled("Stopped; nothing was saved.")
        optimiser.param_groups[0]["lr"] = rate(recipe, epoch)
        # One batch of all photos needs no order; the sum would only round differently.
        order = torch.arange(count) if count <= batch else torch.randperm(count, generator=generator)
        view = epoch % n_views
        for rows_B in torch.split(order, batch):
            pre_BP, image_BD = support.pre_VNP[view, rows_B], image_VND[view, rows_B]
            value = loss(pre_BP, image_BD, support.labels_N[rows_B], weights_N[rows_B])
            if not math.isfinite(value.item()):
                raise NonFiniteLossError(
                    "The loss became {loss} at step {step}; nothing was saved.",
                    remedy="Choose the exact solver, a smaller learning rate, or a larger λ.",
                    loss=value.item(),
                    step=epoch + 1,
                )
            optimiser.zero_grad(set_to_none=True)
            value.backward()  # type: ignore[no-untyped-call]
            optimiser.step()


def rate(recipe: Recipe, epoch: int) -> float:
    """Learning rate of an epoch: WARM_UP_RATE at first, then η/2 · (1 + cos(π · e/E)) as of the very first epoch."""
    if epoch < recipe.warm_up_epochs:
        return WARM_UP_RATE
    return recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * epoch / recipe.epochs))


def _optimiser(parameters: Sequence[torch.Tensor], recipe: Recipe) -> torch.optim.Optimizer:
    if recipe.optimiser == "sgd":
        return torch.optim.SGD(
            list(parameters), recipe.learning_rate, momentum=recipe.momentum, weight_decay=recipe.weight_decay
        )
    kind = torch.optim.Adam if recipe.optimiser == "adam" else torch.optim.AdamW
    return kind(list(parameters), recipe.learning_rate, eps=recipe.eps, weight_decay=recipe.weight_decay, fused=True)


def balanced_cross_entropy(logits_BC: torch.Tensor, labels_B: torch.Tensor, weights_B: torch.Tensor) -> torch.Tensor:
    """Mean over a batch of weight · (−log softmax(logits)[label]); the weights have mean 1 over the support."""
    return objective.cross_entropy(logits_BC, labels_B, weights_B / len(weights_B))
