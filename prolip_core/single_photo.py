"""Test-time ProLIP: one step of the projector on the augmented views of a single photo, without labels.

The paper's test-time objective (Fahes et al., arXiv 2410.05270) is that of TPT (Shu et al. 2022, arXiv 2209.07511) on the
projector instead of the prompt:

    minimise over W:   H( mean over confident views v of softmax(s · cos(x_v @ W + b, t)) ) + λ · Σ (W − W_start)²

H is the entropy; confident are the SHARE of the views with the lowest entropy of their own. Then the photo itself (view 0) is
answered, and W goes back to W_start before the next photo: no photo learns from another one. As in the released code there is
one step of AdamW; W_start is the projector that is to be helped, CLIP's own or a trained one. The penalty is part of the
objective but not of this file: its gradient is zero at W_start, so it cannot change a first step (a test holds this).

Tensors in, tensors out: no photo, no model, no disk.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from prolip_core import classify
from prolip_core.types import Projector

VIEWS = 64
"""The photo and 63 augmented views, as in TPT."""

SHARE = 0.1


@dataclass(frozen=True)
class StepConfig:
    """learning_rate: the paper's; share: of the views, at least one is taken; the rest is AdamW's default."""

    learning_rate: float = 1e-4
    share: float = SHARE
    weight_decay: float = 1e-2
    epsilon: float = 1e-8


def answer(
    pre_VNP: torch.Tensor, start: Projector, text_CD: torch.Tensor, logit_scale: float, config: StepConfig
) -> torch.Tensor:
    """Logits (N, C) of view 0 of every photo, each under a projector of its own; `start` is not changed."""
    rows = [
        classify.logits(pre_VP[:1], step(pre_VP, start, text_CD, logit_scale, config), text_CD, logit_scale)
        for pre_VP in pre_VNP.unbind(dim=1)
    ]
    return torch.cat(rows) if rows else pre_VNP.new_zeros(0, len(text_CD))


def step(
    pre_VP: torch.Tensor, start: Projector, text_CD: torch.Tensor, logit_scale: float, config: StepConfig
) -> Projector:
    """The projector after one step on the views of one photo.

    AdamW's first step from zero moments is W·(1 − rate·decay) − rate·g/(|g| + ε) (Loshchilov and Hutter 2019, algorithm 2).
    """
    gradient_PD = entropy_gradient(
        confident(pre_VP, start, text_CD, logit_scale, config.share), start, text_CD, logit_scale
    )
    rate = config.learning_rate
    moved_PD = start.weight_PD * (1 - rate * config.weight_decay)
    moved_PD = moved_PD - rate * gradient_PD / (gradient_PD.abs() + config.epsilon)
    return Projector(moved_PD, start.bias_D)


def confident(
    pre_VP: torch.Tensor, projector: Projector, text_CD: torch.Tensor, logit_scale: float, share: float
) -> torch.Tensor:
    """The views (K, P) whose answers have the lowest entropy, K = ⌊share · V⌋ but at least 1."""
    log_probs_VC = classify.logits(pre_VP, projector, text_CD, logit_scale).log_softmax(dim=-1)
    entropy_V = -(log_probs_VC.exp() * log_probs_VC).sum(dim=-1)
    return pre_VP[entropy_V.argsort(stable=True)[: max(1, int(share * len(pre_VP)))]]


def entropy_gradient(
    pre_KP: torch.Tensor, projector: Projector, text_CD: torch.Tensor, logit_scale: float
) -> torch.Tensor:
    """Gradient (P, D) of the entropy of the mean answer with respect to W, written out.

    With p_k the answers, p their mean and g = −log p: ∂H/∂logits_k = p_k · (g − Σ p_k g) / K; from there as in
    `solvers.loss_and_gradient`. By hand because it takes half the time of automatic differentiation.
    """
    raw_KD = pre_KP @ projector.weight_PD
    if projector.bias_D is not None:
        raw_KD = raw_KD + projector.bias_D
    norm_K1 = raw_KD.norm(dim=-1, keepdim=True)
    unit_KD = raw_KD / norm_K1
    log_probs_KC = (logit_scale * unit_KD @ text_CD.T).log_softmax(dim=-1)
    probs_KC = log_probs_KC.exp()
    # The mean in logarithms: a class that every view rules out must not become log 0.
    surprise_C = -(log_probs_KC.logsumexp(dim=0) - torch.tensor(float(len(pre_KP))).log())
    slope_KC = probs_KC * (surprise_C - (probs_KC * surprise_C).sum(dim=-1, keepdim=True)) / len(pre_KP)
    pull_KD = logit_scale * slope_KC @ text_CD
    along_K1 = (pull_KD * unit_KD).sum(dim=-1, keepdim=True)
    gradient_PD: torch.Tensor = pre_KP.T @ ((pull_KD - along_K1 * unit_KD) / norm_K1)
    return gradient_PD
