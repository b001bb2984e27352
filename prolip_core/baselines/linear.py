"""Linear classifiers on embeddings: from nothing, from the class vectors, beside them."""

from __future__ import annotations

import importlib
from collections.abc import Callable

import torch
import torch.nn.functional as F  # noqa: N812 - the name the whole field uses

from prolip_core import classify
from prolip_core.baselines import selection
from prolip_core.baselines.closed_form import class_means
from prolip_core.baselines.problem import Fitted, OnStep, Problem
from prolip_core.baselines.training import Recipe, balanced_cross_entropy, descend
from prolip_core.errors import Cancelled

PROBE_STRENGTHS = (31.6, 0.1, 1.0, 10.0, 100.0, 1000.0, 10000.0)
"""Tried values of scikit-learn's C; the first is taken where nothing can be tried: the 0.316 of OpenAI's README, which is meant
for embeddings about 10 long, brought to unit length (C goes with the square)."""

PROTOTYPE_RECIPE = Recipe("sgd", 0.1, 300, warm_up_epochs=1)
TASKRES_ALPHA = 0.5
TASKRES_FEW = 4
LPPP_STEPS = 300
LPPP_ALPHA = 250.0
LPPP_ALPHA_EVERY = 10
LPPP_MOMENTUM = 0.9


def linear_probe(problem: Problem, on_step: OnStep | None = None) -> Fitted:
    """Multinomial logistic regression on the unit-norm embeddings (Radford et al. 2021, arXiv 2103.00020, section 3.2); class
    names are not used.

    L-BFGS, at most 1000 iterations, L2 of strength 1/C, class-balanced. The paper takes C from a validation set; here
    cross-validation on the support does, or C = 31.6 where a class has too few photos.
    """
    return _probe(problem, problem.embed, on_step)


def linear_probe_pre(problem: Problem, on_step: OnStep | None = None) -> Fitted:
    """The same as `linear_probe` on the features before the projector, brought to unit norm: what ProLIP itself starts from."""
    return _probe(problem, lambda pre_MP: F.normalize(pre_MP, dim=-1), on_step)


def warm_up() -> None:
    """Loads what the probes load where they are used, so that the first one that is timed is not charged with it."""
    importlib.import_module("sklearn.linear_model")


def _probe(problem: Problem, features: Callable[[torch.Tensor], torch.Tensor], on_step: OnStep | None) -> Fitted:
    def fit(part: Problem, strength: float) -> Fitted:
        return _logistic(part, features, strength)

    strength, chosen = selection.choose(problem, fit, PROBE_STRENGTHS, PROBE_STRENGTHS[0], on_step)
    fitted = fit(problem, strength)
    note = selection.note(f"C = {strength:g}", chosen)
    return Fitted(fitted.logits, fitted.added_parameters, fitted.trained_parameters, note)


def _logistic(problem: Problem, features: Callable[[torch.Tensor], torch.Tensor], strength: float) -> Fitted:
    # Imported where it is used: it takes a second, which the first screen should not wait for.
    from sklearn.linear_model import LogisticRegression

    n_views = problem.support.pre_VNP.shape[0]
    weights_M = (problem.weights_N * problem.support.labels_N.numel() / n_views).repeat(n_views)
    model = LogisticRegression(C=strength, max_iter=1000)
    model.fit(features(problem.pre_MP).double().numpy(), problem.labels_M.numpy(), weights_M.double().numpy())
    weight_CP = torch.from_numpy(model.coef_).float()
    bias_C = torch.from_numpy(model.intercept_).float()
    if problem.n_classes == 2:
        # scikit-learn keeps one row for two classes: the log-odds of the second.
        weight_CP, bias_C = torch.cat([-weight_CP, weight_CP]) / 2, torch.cat([-bias_C, bias_C]) / 2
    numbers = weight_CP.numel() + bias_C.numel()
    return Fitted(lambda pre_MP: features(pre_MP) @ weight_CP.T + bias_C, numbers, numbers)


def zs_lp(problem: Problem, on_step: OnStep | None = None) -> Fitted:
    """ZS-LP (Silva-Rodríguez et al. 2024, arXiv 2312.12730): logits = s · cos(f, w_k), w starting at the class vectors.

    Cross-entropy alone. Their recipe: SGD 0.1, momentum 0.9, cosine over 300 epochs with one of warm-up, last epoch taken. The
    class vectors are of unit norm here; their code averages sentences without bringing the mean to unit norm.
    """
    return _prototypes(problem, torch.zeros(problem.n_classes), on_step)


def clap(problem: Problem, on_step: OnStep | None = None) -> Fitted:
    """CLAP (Silva-Rodríguez et al. 2024, arXiv 2312.12730): ZS-LP + mean_k(λ_k · ‖w_k − t_k‖²).

    λ_k is the mean zero-shot probability of class k over its own support photos and views, so that a class that zero-shot knows
    is held tighter; it stays fixed, as in the authors' script. Same recipe as ZS-LP; nothing is tuned.
    """
    return _prototypes(problem, clap_multipliers(problem), on_step)


def clap_multipliers(problem: Problem) -> torch.Tensor:
    """λ (C,) of CLAP."""
    probs_MC = (problem.logit_scale * problem.image_MD @ problem.text_CD.T).softmax(dim=-1)
    one_hot_MC = F.one_hot(problem.labels_M, problem.n_classes).to(torch.float32)
    return (probs_MC * one_hot_MC).sum(dim=0) / one_hot_MC.sum(dim=0)


def _prototypes(problem: Problem, multipliers_C: torch.Tensor, on_step: OnStep | None) -> Fitted:
    weight_CD = problem.text_CD.clone().requires_grad_()

    def loss(_: torch.Tensor, image_BD: torch.Tensor, labels_B: torch.Tensor, weights_B: torch.Tensor) -> torch.Tensor:
        logits_BC = problem.logit_scale * image_BD @ F.normalize(weight_CD, dim=-1).T
        distance_C = (weight_CD - problem.text_CD).square().sum(dim=-1)
        return balanced_cross_entropy(logits_BC, labels_B, weights_B) + (multipliers_C * distance_C).mean()

    descend([weight_CD], loss, PROTOTYPE_RECIPE, problem, on_step)
    return _cosine(problem, weight_CD.detach())


def task_res(problem: Problem, on_step: OnStep | None = None) -> Fitted:
    """TaskRes (Yu et al. 2023, arXiv 2211.10277) on the plain class vectors: t'_k = t_k + α·x_k, α = 0.5, x from 0.

    Their recipe: Adam 2e-3, cosine, batch 256, 100 epochs for up to 4 photos per class, 200 for more. Nothing is tuned.
    """
    residual_CD = torch.zeros_like(problem.text_CD).requires_grad_()

    def loss(_: torch.Tensor, image_BD: torch.Tensor, labels_B: torch.Tensor, weights_B: torch.Tensor) -> torch.Tensor:
        unit_CD = F.normalize(problem.text_CD + TASKRES_ALPHA * residual_CD, dim=-1)
        return balanced_cross_entropy(problem.logit_scale * image_BD @ unit_CD.T, labels_B, weights_B)

    epochs = 100 if problem.support.mean_per_class <= TASKRES_FEW else 200
    descend([residual_CD], loss, Recipe("adam", 2e-3, epochs), problem, on_step)
    return _cosine(problem, problem.text_CD + TASKRES_ALPHA * residual_CD.detach())


def _cosine(problem: Problem, weight_CD: torch.Tensor) -> Fitted:
    """The cosine classifier on these rows."""
    unit_CD = F.normalize(weight_CD, dim=-1)
    return Fitted(
        lambda pre_MP: classify.logits(pre_MP, problem.initial, unit_CD, problem.logit_scale),
        unit_CD.numel(),
        unit_CD.numel(),
    )


def lp_plus_plus(problem: Problem, on_step: OnStep | None = None) -> Fitted:
    """LP++ (Huang et al. 2024, arXiv 2404.02285): logits_k = f·w_k + b_k + α_k · f·t_k, w, b and α trained by turns.

    Start: w_k = sum of the class's embeddings, every α = mean over classes of 250 · (class mean)·t_k. Step sizes come from the
    data, so there is no learning rate: η_w = 4 / λ_max(Σ v_i f_i f_iᵀ), η_α = 1 / (4 · max_k Σ v_i (f_i·t_k)²), with photo
    weights v of sum 1 (1/n in the paper). 300 full-batch steps with momentum 0.9; α moves at every tenth, by that step's own
    gradient. Their code reports the best epoch on validation photos; here the last step is taken.
    """
    image_MD, labels_M = problem.image_MD, problem.labels_M
    n_views = problem.support.pre_VNP.shape[0]
    weights_M = (problem.weights_N / n_views).repeat(n_views)
    text_MC = image_MD @ problem.text_CD.T
    means_CD = class_means(problem)
    counts_C1 = torch.bincount(labels_M)[:, None]
    weight_CD = (means_CD * counts_C1).requires_grad_()
    bias_C = torch.zeros(problem.n_classes, requires_grad=True)
    alpha_C = torch.full_like(bias_C, LPPP_ALPHA * float((means_CD * problem.text_CD).sum(dim=-1).mean()))
    alpha_C.requires_grad_()
    rate_w = 4.0 / float(torch.linalg.matrix_norm(image_MD * weights_M.sqrt()[:, None], ord=2)) ** 2
    rate_alpha = 0.25 / float((weights_M[:, None] * text_MC.square()).sum(dim=0).max())
    optimiser = torch.optim.SGD([weight_CD, bias_C], rate_w, momentum=LPPP_MOMENTUM)
    optimiser_alpha = torch.optim.SGD([alpha_C], rate_alpha)
    for step in range(LPPP_STEPS):
        if on_step is not None and on_step(step, LPPP_STEPS):
            raise Cancelled("Stopped; nothing was saved.")
        logits_MC = image_MD @ weight_CD.T + bias_C + alpha_C * text_MC
        optimiser.zero_grad(set_to_none=True)
        optimiser_alpha.zero_grad(set_to_none=True)
        balanced_cross_entropy(logits_MC, labels_M, weights_M * len(weights_M)).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        if (step + 1) % LPPP_ALPHA_EVERY == 0:
            optimiser_alpha.step()
    classifier_CD = (weight_CD + alpha_C[:, None] * problem.text_CD).detach()
    offset_C = bias_C.detach()
    numbers = weight_CD.numel() + bias_C.numel() + alpha_C.numel()
    return Fitted(lambda pre_MP: problem.embed(pre_MP) @ classifier_CD.T + offset_C, numbers, numbers)
