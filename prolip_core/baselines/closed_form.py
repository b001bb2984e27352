"""Methods that are a line of algebra: nothing is trained by gradient descent.

Formulas with a factor 100 in their papers have the backbone's own logit scale here: 100 is that of OpenAI's CLIP.
"""

from __future__ import annotations

import itertools

import torch
import torch.nn.functional as F  # noqa: N812 - the name the whole field uses

from prolip_core import classify
from prolip_core.baselines import selection
from prolip_core.baselines.problem import Fitted, OnStep, Problem

TIP_ALPHA = 1.0
TIP_BETA = 1.0
GDA_ALPHAS = (1.0, 0.0001, 0.001, 0.01, 0.1, 10.0, 100.0)
"""Tried weights of the Gaussian classifier, those of the paper; the first is taken where nothing can be tried."""

PROKER_DEFAULT = (1.0, 1.0)
PROKER_GRID = (PROKER_DEFAULT, *itertools.product((0.1, 0.3, 1.0, 3.0, 10.0), (0.003, 0.03, 0.1, 0.3, 1.0, 3.0)))
"""(β, λ), inside the ranges that the paper searches: β 0.01 to 10, λ 0.001 to 10."""


def zero_shot(problem: Problem, on_step: OnStep | None = None) -> Fitted:
    """CLIP as it is: logits = s · cos(image, text) (Radford et al. 2021, arXiv 2103.00020, section 3.1)."""
    del on_step
    return Fitted(lambda pre_MP: classify.logits(pre_MP, problem.initial, problem.text_CD, problem.logit_scale), 0, 0)


def nearest_class_mean(problem: Problem, on_step: OnStep | None = None) -> Fitted:
    """The class whose mean embedding is nearest by cosine (prototypes as in Snell et al. 2017, arXiv 1703.05175, eq. 1, with
    the cosine in place of their distance); class names are not used."""
    del on_step
    prototype_CD = F.normalize(class_means(problem), dim=-1)
    return Fitted(
        lambda pre_MP: classify.logits(pre_MP, problem.initial, prototype_CD, problem.logit_scale),
        prototype_CD.numel(),
        0,
    )


def class_means(problem: Problem) -> torch.Tensor:
    """Mean unit-norm embedding of every class over photos and views, (C, D)."""
    one_hot_MC = F.one_hot(problem.labels_M, problem.n_classes).to(torch.float32)
    return one_hot_MC.T @ problem.image_MD / one_hot_MC.sum(dim=0)[:, None]


def tip_adapter(problem: Problem, on_step: OnStep | None = None) -> Fitted:
    """Tip-Adapter (Zhang et al. 2022, arXiv 2207.09519), not tuned: logits = s · f·t + α · exp(−β (1 − f·Fᵀ)) · L.

    F: one embedding per support photo, the unit-norm mean over its views; L: their labels, one-hot. The paper searches α and β on
    a validation set; here α = β = 1, the values its authors start from.
    """
    del on_step
    keys_ND, values_NC = problem.image_ND, problem.one_hot_NC

    def logits(pre_MP: torch.Tensor) -> torch.Tensor:
        image_MD = problem.embed(pre_MP)
        return problem.logit_scale * image_MD @ problem.text_CD.T + cache_logits(image_MD, keys_ND, values_NC)

    return Fitted(logits, keys_ND.numel() + len(keys_ND), 0)


def cache_logits(image_MD: torch.Tensor, keys_ND: torch.Tensor, values_NC: torch.Tensor) -> torch.Tensor:
    """What the cache says: α · exp(−β (1 − f·Fᵀ)) · L, (M, C)."""
    said_MC: torch.Tensor = TIP_ALPHA * torch.exp(-TIP_BETA * (1 - image_MD @ keys_ND.T)) @ values_NC
    return said_MC


def gda(problem: Problem, on_step: OnStep | None = None) -> Fitted:
    """GDA-CLIP (Wang et al. 2024, arXiv 2402.04087): a Gaussian per class with one covariance Σ for all, beside the text.

        logits = s · f·t + a · (f·W + b),   W_k = P·μ_k,   b_k = log(1/C) − ½ μ_kᵀ·P·μ_k,   P = D · ((n−1)·Σ + tr(Σ)·I)⁻¹

    with μ_k the class means and n rows (photos × views). The paper chooses a on a validation set; here cross-validation on the
    support does, or a = 1 where a class has too few photos. With one row per class Σ is 0 and so is P: zero-shot remains.
    """
    alpha, chosen = selection.choose(problem, _gda, GDA_ALPHAS, GDA_ALPHAS[0], on_step)
    fitted = _gda(problem, alpha)
    return Fitted(fitted.logits, fitted.added_parameters, 0, selection.note(f"a = {alpha:g}", chosen))


def _gda(problem: Problem, alpha: float) -> Fitted:
    weight_CD, bias_C = gaussian_classifier(problem.image_MD, class_means(problem), problem.labels_M)

    def logits(pre_MP: torch.Tensor) -> torch.Tensor:
        image_MD = problem.embed(pre_MP)
        return problem.logit_scale * image_MD @ problem.text_CD.T + alpha * (image_MD @ weight_CD.T + bias_C)

    return Fitted(logits, weight_CD.numel() + bias_C.numel(), 0)


def gaussian_classifier(
    image_MD: torch.Tensor, mean_CD: torch.Tensor, labels_M: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """W (C, D) and b (C,) of `gda`, computed in double precision."""
    count, width = image_MD.shape
    mean = mean_CD.double()
    centred_MD = image_MD.double() - mean[labels_M]
    scatter_DD = centred_MD.T @ centred_MD
    weight_CD = torch.zeros_like(mean)
    if scatter_DD.trace() > 0:
        ridge_DD = scatter_DD.trace() / (count - 1) * torch.eye(width, dtype=torch.float64)
        weight_CD = width * torch.linalg.solve(scatter_DD + ridge_DD, mean.T).T
    bias_C = -torch.log(torch.tensor(float(len(mean)))) - 0.5 * (weight_CD * mean).sum(dim=-1)
    return weight_CD.float(), bias_C.float()


def ss_text(problem: Problem, on_step: OnStep | None = None) -> Fitted:
    """SS-Text+ (Silva-Rodríguez et al. 2025, arXiv 2506.17500): text prototypes pulled to the photos, in one step.

        w_k = t_k + s/(n·λ_k) · Σ_{i of k} f_i,  λ_k = 1/n_k;   then  w_k ← w_k − (2·w_k − w̄)/‖2·w_k − w̄‖,  w̄ = mean of all w

    with n photos, n_k of class k, s the logit scale (their 1/τ). Answers go by the cosine with w. Nothing is tuned.
    """
    del on_step
    counts_C1 = problem.one_hot_NC.sum(dim=0)[:, None]
    photos_CD = problem.one_hot_NC.T @ problem.image_ND
    weight_CD = problem.text_CD + problem.logit_scale * counts_C1 / counts_C1.sum() * photos_CD
    weight_CD = weight_CD - F.normalize(2 * weight_CD - weight_CD.mean(dim=0), dim=-1)
    unit_CD = F.normalize(weight_CD, dim=-1)
    return Fitted(
        lambda pre_MP: classify.logits(pre_MP, problem.initial, unit_CD, problem.logit_scale), unit_CD.numel(), 0
    )


def proker(problem: Problem, on_step: OnStep | None = None) -> Fitted:
    """ProKeR (Bendou et al. 2025, arXiv 2501.11175), without training: kernel ridge regression on what zero-shot leaves over.

        k(f, f') = exp(−β (1 − f·f')),   (K/λ + I)·A = L − F·Tᵀ,   scores = f·Tᵀ + k(f, F)·A

    as in the authors' released code. Scores are given times the logit scale. The paper searches β and λ on a validation set; here
    cross-validation on the support does, or β = λ = 1 where a class has too few photos.
    """
    pair, chosen = selection.choose(problem, _proker, PROKER_GRID, PROKER_DEFAULT, on_step)
    fitted = _proker(problem, pair)
    return Fitted(
        fitted.logits,
        fitted.added_parameters,
        0,
        selection.note(f"β = {pair[0]:g}, λ = {pair[1]:g}", chosen),
    )


def _proker(problem: Problem, pair: tuple[float, float]) -> Fitted:
    beta, lam = pair
    keys_MD = problem.image_MD
    target_MC = F.one_hot(problem.labels_M, problem.n_classes).double()
    kernel_MM = torch.exp(-beta * (1 - keys_MD @ keys_MD.T)).double()
    system_MM = kernel_MM / lam + torch.eye(len(kernel_MM), dtype=torch.float64)
    answer_MC = torch.linalg.solve(system_MM, target_MC - (keys_MD @ problem.text_CD.T).double()).float()

    def logits(pre_MP: torch.Tensor) -> torch.Tensor:
        image_MD = problem.embed(pre_MP)
        kernel = torch.exp(-beta * (1 - image_MD @ keys_MD.T))
        scores_MC: torch.Tensor = image_MD @ problem.text_CD.T + kernel @ answer_MC
        return problem.logit_scale * scores_MC

    return Fitted(logits, keys_MD.numel() + answer_MC.numel(), 0)
