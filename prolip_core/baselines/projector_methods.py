"""ProLIP itself and what is built on it: other λ, an adapter behind the output, additions of other methods, the text side.

Fahes et al., arXiv 2410.05270. The visual projector is trained by `prolip.fit`, which the app uses too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
import torch.nn.functional as F  # noqa: N812 - the name the whole field uses

from prolip_core import classify, objective, prolip
from prolip_core.baselines.closed_form import cache_logits
from prolip_core.baselines.problem import Fitted, OnStep, Problem, TextSide
from prolip_core.baselines.training import Recipe, balanced_cross_entropy, descend
from prolip_core.errors import Cancelled, FitError
from prolip_core.objective import Support
from prolip_core.spec import FitConfig
from prolip_core.types import Projector, Step, TrainedProjector

TASKRES_SHARE = 0.1
COMBINED_RECIPE = Recipe("adamw", 1e-4, 300, batch=None, eps=1e-4, weight_decay=0.0)
TEXT_RECIPE = Recipe("adam", 1e-3, 300, batch=None, eps=1e-4)


def prolip_one_over_n(problem: Problem, on_step: OnStep | None = None) -> Fitted:
    """ProLIP with λ = 1/N (arXiv 2410.05270, eq. 4 and 5), by the exact solver: no learning rate, nothing to tune."""
    return _prolip(problem, "1/N", on_step)


def prolip_one_over_n_squared(problem: Problem, on_step: OnStep | None = None) -> Fitted:
    """ProLIP with λ = 1/N² (arXiv 2410.05270, section 4.2), by the exact solver."""
    return _prolip(problem, "1/N2", on_step)


def prolip_auto(problem: Problem, on_step: OnStep | None = None) -> Fitted:
    """ProLIP as the app trains it by default: λ chosen on the support alone (`lam.choose`), exact solver."""
    return _prolip(problem, "auto", on_step)


def _prolip(problem: Problem, lam: str, on_step: OnStep | None) -> Fitted:
    trained = fit_projector(problem, FitConfig(lam=lam, seed=problem.seed), on_step)
    return Fitted(
        lambda pre_MP: classify.logits(pre_MP, trained.projector, problem.text_CD, problem.logit_scale),
        0,
        trained.projector.weight_PD.numel(),
        trained.lam_note,
    )


def fit_projector(problem: Problem, config: FitConfig, on_step: OnStep | None = None) -> TrainedProjector:
    """`prolip.fit` on a problem. Raises Cancelled when on_step asks to stop, NonFiniteLossError."""

    def watch(step: Step) -> bool:
        return bool(on_step is not None and on_step(step.step, step.total_steps))

    trained = prolip.fit(
        problem.support, problem.text_CD, problem.initial, problem.logit_scale, config, watch, on_fold=on_step
    )
    if trained.stopped:
        raise Cancelled("Stopped; nothing was saved.")
    return trained


def linear_adapter(problem: Problem, on_step: OnStep | None = None) -> Fitted:
    """The regularised linear adapter of the same paper: f' = A·z, z the frozen raw embedding, A from the identity, penalty
    λ · ‖A − I‖² with λ = 1/N, exact solver. It needs the model's output only: for models behind an interface."""
    raw_VND = problem.support.pre_VNP @ problem.initial.weight_PD
    if problem.initial.bias_D is not None:
        raw_VND = raw_VND + problem.initial.bias_D
    support = Support(raw_VND, problem.support.labels_N, problem.support.groups_N, problem.n_classes)
    identity = Projector(torch.eye(raw_VND.shape[-1]))
    trained = fit_projector(
        replace(problem, support=support, initial=identity), FitConfig(lam="1/N", seed=problem.seed), on_step
    )
    adapter_DD = trained.projector.weight_PD
    bias_D = problem.initial.bias_D
    both = Projector(problem.initial.weight_PD @ adapter_DD, None if bias_D is None else bias_D @ adapter_DD)
    return Fitted(
        lambda pre_MP: classify.logits(pre_MP, both, problem.text_CD, problem.logit_scale),
        adapter_DD.numel(),
        adapter_DD.numel(),
    )


def prolip_tip_adapter_f(problem: Problem, on_step: OnStep | None = None) -> Fitted:
    """ProLIP + Tip-Adapter-F (arXiv 2410.05270, their combination): s · cos(xW, t) + exp(−(1 − f₀·Fᵀ)) · L, f₀ under W₀.

    W and the keys F are trained together, penalty λ = 1/N on W alone; AdamW 1e-4, 300 full-batch steps. α = β = 1, not tuned.
    Without AdamW's weight decay, which would pull W to 0 instead of to W₀.
    """
    keys_ND = problem.image_ND.clone().requires_grad_()
    values_NC = problem.one_hot_NC
    weight_PD = problem.initial.weight_PD.clone().requires_grad_()

    def logits(pre_MP: torch.Tensor, image_MD: torch.Tensor) -> torch.Tensor:
        cache_MC = cache_logits(image_MD, keys_ND, values_NC)
        return _moved_logits(problem, weight_PD, pre_MP) + cache_MC

    return _combined(problem, weight_PD, keys_ND, logits, keys_ND.numel() + len(keys_ND), on_step)


def prolip_task_res(problem: Problem, on_step: OnStep | None = None) -> Fitted:
    """ProLIP + TaskRes (arXiv 2410.05270, their combination): s · cos(xW, t) + 0.1 · s · f₀·R, f₀ under W₀, R from 0.

    Penalty λ = 1/N on W alone; AdamW 1e-4, 300 full-batch steps, without weight decay (see `prolip_tip_adapter_f`).
    """
    residual_CD = torch.zeros_like(problem.text_CD).requires_grad_()
    weight_PD = problem.initial.weight_PD.clone().requires_grad_()

    def logits(pre_MP: torch.Tensor, image_MD: torch.Tensor) -> torch.Tensor:
        residual_MC = TASKRES_SHARE * problem.logit_scale * image_MD @ residual_CD.T
        return _moved_logits(problem, weight_PD, pre_MP) + residual_MC

    return _combined(problem, weight_PD, residual_CD, logits, residual_CD.numel(), on_step)


def _moved_logits(problem: Problem, weight_PD: torch.Tensor, pre_MP: torch.Tensor) -> torch.Tensor:
    projector = Projector(weight_PD, problem.initial.bias_D)
    return classify.logits(pre_MP, projector, problem.text_CD, problem.logit_scale)


def _combined(
    problem: Problem,
    weight_PD: torch.Tensor,
    extra: torch.Tensor,
    logits: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    added: int,
    on_step: OnStep | None,
) -> Fitted:
    """Trains W and the addition together, on the cross-entropy of `logits` (of raw features, embeddings) and the penalty on W."""
    lam = 1.0 / problem.support.mean_per_class

    def loss(
        pre_BP: torch.Tensor, image_BD: torch.Tensor, labels_B: torch.Tensor, weights_B: torch.Tensor
    ) -> torch.Tensor:
        pull = objective.penalty(weight_PD, problem.initial.weight_PD, lam)
        return balanced_cross_entropy(logits(pre_BP, image_BD), labels_B, weights_B) + pull

    descend([weight_PD, extra], loss, COMBINED_RECIPE, problem, on_step)
    for trained in (weight_PD, extra):
        trained.requires_grad_(False)
    return Fitted(lambda pre_MP: logits(pre_MP, problem.embed(pre_MP)), added, weight_PD.numel() + extra.numel())


def prolip_text(problem: Problem, on_step: OnStep | None = None) -> Fitted:
    """ProLIP's objective on the text projector in place of the visual one: the class vectors move, the photos' embeddings stay.

    minimise over W_t: mean cross-entropy + λ · ‖W_t − W_t0‖², λ = 1/N, t_k = unit mean of its sentences' unit vectors. Adam 1e-3
    (eps 1e-4, cosine, 300 full-batch steps), the app's defaults for the paper's solver. Raises FitError without `text_side`.
    """
    side = problem.text_side
    if side is None:
        raise FitError("This method needs the sentences before the text projector, and they were not handed in.")
    initial = side.projector
    weight_QD = initial.weight_PD.clone().requires_grad_()
    lam = 1.0 / problem.support.mean_per_class

    def loss(_: torch.Tensor, image_BD: torch.Tensor, labels_B: torch.Tensor, weights_B: torch.Tensor) -> torch.Tensor:
        text_CD = class_vectors(side, weight_QD, problem.n_classes)
        logits_BC = problem.logit_scale * image_BD @ text_CD.T
        pull = objective.penalty(weight_QD, initial.weight_PD, lam)
        return balanced_cross_entropy(logits_BC, labels_B, weights_B) + pull

    descend([weight_QD], loss, TEXT_RECIPE, problem, on_step)
    text_CD = class_vectors(side, weight_QD.detach(), problem.n_classes)
    return Fitted(
        lambda pre_MP: classify.logits(pre_MP, problem.initial, text_CD, problem.logit_scale), 0, weight_QD.numel()
    )


def class_vectors(side: TextSide, weight_QD: torch.Tensor, n_classes: int) -> torch.Tensor:
    """Class vectors (C, D) under a text projector: the unit mean of each class's unit sentence vectors."""
    unit_SD = classify.image_embeddings(side.pre_SQ, Projector(weight_QD, side.projector.bias_D))
    one_hot_SC = F.one_hot(side.classes_S, n_classes).to(torch.float32)
    return F.normalize(one_hot_SC.T @ unit_SD / one_hot_SC.sum(dim=0)[:, None], dim=-1)
