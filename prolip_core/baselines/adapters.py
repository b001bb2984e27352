"""Methods that add a part behind the frozen embeddings: a trained cache, a small network, a matrix."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F  # noqa: N812 - the name the whole field uses

from prolip_core.baselines.closed_form import cache_logits
from prolip_core.baselines.problem import Fitted, OnStep, Problem
from prolip_core.baselines.training import Recipe, balanced_cross_entropy, descend

TIP_F_RECIPE = Recipe("adamw", 1e-3, 20, eps=1e-4, weight_decay=0.01)
ADAPTER_RATIO = 0.2
ADAPTER_BOTTLENECK = 4
ADAPTER_RECIPE = Recipe("sgd", 2e-3, 200, batch=32, warm_up_epochs=1, weight_decay=5e-4)


def tip_adapter_f(problem: Problem, on_step: OnStep | None = None) -> Fitted:
    """Tip-Adapter-F (Zhang et al. 2022, arXiv 2207.09519): Tip-Adapter whose keys F are trained from the support's embeddings.

    Their recipe: AdamW 1e-3 with eps 1e-4 (and its default weight decay 0.01), batch 256, cosine, 20 epochs. α = β = 1, not
    tuned.
    """
    keys_ND = problem.image_ND.clone().requires_grad_()
    values_NC = problem.one_hot_NC

    def logits(image_MD: torch.Tensor) -> torch.Tensor:
        return problem.logit_scale * image_MD @ problem.text_CD.T + cache_logits(image_MD, keys_ND, values_NC)

    def loss(_: torch.Tensor, image_BD: torch.Tensor, labels_B: torch.Tensor, weights_B: torch.Tensor) -> torch.Tensor:
        return balanced_cross_entropy(logits(image_BD), labels_B, weights_B)

    descend([keys_ND], loss, TIP_F_RECIPE, problem, on_step)
    keys_ND.requires_grad_(False)
    return Fitted(lambda pre_MP: logits(problem.embed(pre_MP)), keys_ND.numel() + len(keys_ND), keys_ND.numel())


def clip_adapter(problem: Problem, on_step: OnStep | None = None) -> Fitted:
    """CLIP-Adapter (Gao et al. 2021, arXiv 2110.04544), visual side: f' = r · MLP(f) + (1 − r) · f, unit norm, then cosine.

    MLP: D → D/4 → D, ReLU after both layers, no biases, PyTorch's usual random start from the problem's seed. r = 0.2, the
    released default; the paper searches it per data set. Trained as in the trainer that their code runs in (CoOp's): SGD 0.002,
    momentum 0.9, weight decay 5e-4, batch 32, cosine over 200 epochs with one of warm-up.
    """
    width = problem.text_CD.shape[1]
    inner = max(1, width // ADAPTER_BOTTLENECK)
    generator = torch.Generator().manual_seed(problem.seed)
    down_DE = _uniform(width, inner, generator)
    up_ED = _uniform(inner, width, generator)

    def logits(image_MD: torch.Tensor) -> torch.Tensor:
        changed_MD = ((image_MD @ down_DE).relu() @ up_ED).relu()
        blended_MD = F.normalize(ADAPTER_RATIO * changed_MD + (1 - ADAPTER_RATIO) * image_MD, dim=-1)
        return problem.logit_scale * blended_MD @ problem.text_CD.T

    def loss(_: torch.Tensor, image_BD: torch.Tensor, labels_B: torch.Tensor, weights_B: torch.Tensor) -> torch.Tensor:
        return balanced_cross_entropy(logits(image_BD), labels_B, weights_B)

    descend([down_DE, up_ED], loss, ADAPTER_RECIPE, problem, on_step)
    for matrix in (down_DE, up_ED):
        matrix.requires_grad_(False)
    numbers = down_DE.numel() + up_ED.numel()
    return Fitted(lambda pre_MP: logits(problem.embed(pre_MP)), numbers, numbers)


def _uniform(rows: int, columns: int, generator: torch.Generator) -> torch.Tensor:
    """A layer's start: uniform within ±1/√(inputs)."""
    bound = 1 / math.sqrt(rows)
    return ((2 * torch.rand(rows, columns, generator=generator) - 1) * bound).requires_grad_()
