"""Two ways to the minimum of ProLIP's objective: `exact` (L-BFGS in the span of the features) and `adam` (the paper's).

Why `exact` may look at so few numbers: the gradient of the cross-entropy with respect to W is pre_NPᵀ @ (something), and the
penalty pulls straight back to W₀, so at the minimum W − W₀ lies in the span of the training features. On the other side the
"something" is made of class vectors and of the embeddings themselves, so no step that starts from W₀ leaves the span of the
class vectors and the embeddings under W₀ (docs/method.md has what was checked outside of it). With orthonormal bases Q (P, R)
and U (D, K) of the two spans

    W* = W₀ + Q·B·Uᵀ,   ‖W* − W₀‖ = ‖B‖,   pre @ W* = pre @ W₀ + (pre @ Q)·B·Uᵀ,   R ≤ min(M, P), K ≤ min(C + M, D)

so a (768, 512) matrix shrinks to (160, 170) numbers for 160 photos of 10 classes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the name the whole field uses
from scipy.optimize import minimize
from threadpoolctl import threadpool_limits

from prolip_core import objective
from prolip_core.types import Projector

RANK_TOLERANCE = 1e-7
"""Directions of the features weaker than this, against the strongest, are rounding noise of float32."""

NARROW_WIDTH = 32
"""Main directions of the embeddings that the narrow problem keeps beside the class vectors."""

LARGE = 100_000_000
"""M · R · K from which a step is worth several threads, and the last thousandth of the loss is not worth its time any more."""


@dataclass(frozen=True)
class Reduced:
    """A support in the coordinates of its own span, M = V·N rows (all views below each other).

    base_MK = (pre @ W₀ + b) @ U; coordinates_MR = pre @ Q; text_CK = text @ U; basis_PR = Q; rotation_DK = U, or None where U is
    the identity.
    """

    base_MK: torch.Tensor
    coordinates_MR: torch.Tensor
    text_CK: torch.Tensor
    basis_PR: torch.Tensor
    rotation_DK: torch.Tensor | None
    labels_M: torch.Tensor


def reduce(support: objective.Support, initial: Projector, text_CD: torch.Tensor) -> Reduced:
    """Both spans, by the eigenvectors of the smaller Gram matrix of the features and a QR of the embeddings."""
    pre_MP = support.pre_VNP.flatten(0, 1)
    base_MD = pre_MP @ initial.weight_PD
    if initial.bias_D is not None:
        base_MD = base_MD + initial.bias_D
    labels_M = support.labels_N.repeat(support.pre_VNP.shape[0])
    if pre_MP.shape[0] < pre_MP.shape[1]:
        # In double precision, because a Gram matrix squares the range of the singular values, and these divide here.
        wide = pre_MP.double()
        squares_R, left_MR = torch.linalg.eigh(wide @ wide.T)
        keep = squares_R > squares_R[-1] * RANK_TOLERANCE**2
        basis_PR = (wide.T @ (left_MR[:, keep] / squares_R[keep].sqrt())).float()
    else:
        _, basis_PR = torch.linalg.eigh(pre_MP.T @ pre_MP)
    rotation_DK: torch.Tensor | None = None
    text_CK, base_MK = text_CD, base_MD
    if len(text_CD) + len(base_MD) < text_CD.shape[1]:
        rotation_DK, _ = torch.linalg.qr(torch.cat([text_CD, base_MD]).T)
        text_CK, base_MK = text_CD @ rotation_DK, base_MD @ rotation_DK
    return Reduced(
        base_MK=base_MK,
        coordinates_MR=pre_MP @ basis_PR,
        text_CK=text_CK,
        basis_PR=basis_PR,
        rotation_DK=rotation_DK,
        labels_M=labels_M,
    )


def expand(reduced: Reduced, delta_RK: torch.Tensor, initial: Projector) -> Projector:
    """W₀ + Q·B·Uᵀ, a new tensor; the bias is a copy of the frozen one."""
    delta_RD = delta_RK if reduced.rotation_DK is None else delta_RK @ reduced.rotation_DK.T
    return Projector(
        initial.weight_PD + reduced.basis_PR @ delta_RD, None if initial.bias_D is None else initial.bias_D.clone()
    )


def loss_and_gradient(
    reduced: Reduced, delta_RK: torch.Tensor, weights_M: torch.Tensor, scale: float, lam: float
) -> tuple[float, float, torch.Tensor, torch.Tensor]:
    """Cross-entropy, penalty, logits (M, C), and the gradient of their sum with respect to B, written out.

    With z = base + coordinates·B, u = z/‖z‖ and r = weight · scale · (softmax − one-hot) @ text, the chain through the
    normalisation is ∂/∂z = (r − (r·u) u)/‖z‖. By hand because it halves the time of a step against automatic differentiation.
    """
    raw_MK = torch.addmm(reduced.base_MK, reduced.coordinates_MR, delta_RK)
    norm_M1 = raw_MK.norm(dim=-1, keepdim=True)
    unit_MK = raw_MK / norm_M1
    logits_MC = scale * unit_MK @ reduced.text_CK.T
    log_probs_MC = logits_MC.log_softmax(dim=-1)
    rows = torch.arange(len(logits_MC), device=logits_MC.device)
    cross_entropy = -(weights_M * log_probs_MC[rows, reduced.labels_M]).sum()
    error_MC = log_probs_MC.exp()
    error_MC[rows, reduced.labels_M] -= 1
    pull_MK = (error_MC * (scale * weights_M)[:, None]) @ reduced.text_CK
    along_M1 = (pull_MK * unit_MK).sum(dim=-1, keepdim=True)
    gradient_RK = reduced.coordinates_MR.T @ ((pull_MK - along_M1 * unit_MK) / norm_M1)
    gradient_RK += 2 * lam * delta_RK
    return cross_entropy.item(), lam * delta_RK.square().sum().item(), logits_MC, gradient_RK


def step_sizes(reduced: Reduced, scale: float, lam: float) -> torch.Tensor:
    """A length (R, 1) for every direction of B that makes the objective about equally curved in all of them.

    Curvature along direction r ≈ κ·σ_r²/M + 2λ, with σ_r the strength of the features in that direction and κ the mean
    curvature of the cross-entropy at W₀, scale²·Var(text)/‖z‖² over C − 1 directions. L-BFGS on B divided by these lengths needs
    two to four times fewer steps; the minimum is the same.
    """
    norm_M = reduced.base_MK.norm(dim=-1)
    probs_MC = (scale * F.normalize(reduced.base_MK, dim=-1) @ reduced.text_CK.T).softmax(dim=-1)
    mean_MK = probs_MC @ reduced.text_CK
    variance_M = probs_MC @ reduced.text_CK.square().sum(dim=-1) - mean_MK.square().sum(dim=-1)
    kappa = (scale**2 * variance_M / norm_M.square()).mean() / max(1, len(reduced.text_CK) - 1)
    strength_R = reduced.coordinates_MR.square().mean(dim=0)
    curvature_R = kappa * strength_R + 2 * lam
    # λ = 0 and a direction that is absent from this subset: any finite length will do.
    length_R: torch.Tensor = curvature_R.clamp(min=1e-12).rsqrt()
    return length_R[:, None]


def narrow(reduced: Reduced) -> tuple[Reduced, torch.Tensor]:
    """The same problem with W − W₀ confined to a few directions J of the joint space, and these directions (K, J).

    They are the class vectors and the main directions of the embeddings under W₀ (one round of subspace iteration, Halko et
    al. 2011, algorithm 4.3). What an embedding has outside of them stays as it is and matters by its length alone, so it is
    kept as one more column, which the last entry of a step must never move.
    """
    base_MK = reduced.base_MK
    random = torch.Generator().manual_seed(0)
    probe_MJ = torch.randn(len(base_MK), NARROW_WIDTH, generator=random).to(base_MK.device)
    main_KJ = base_MK.T @ (base_MK @ torch.linalg.qr(base_MK.T @ probe_MJ)[0])
    basis_KJ, _ = torch.linalg.qr(torch.cat([reduced.text_CK.T, main_KJ], dim=1))
    inside_MJ = base_MK @ basis_KJ
    outside_M1 = (base_MK - inside_MJ @ basis_KJ.T).norm(dim=-1, keepdim=True)
    text_CJ = reduced.text_CK @ basis_KJ
    small = replace(
        reduced,
        base_MK=torch.cat([inside_MJ, outside_M1], dim=1),
        text_CK=torch.cat([text_CJ, torch.zeros_like(text_CJ[:, :1])], dim=1),
    )
    return small, basis_KJ


def exact(
    reduced: Reduced,
    logit_scale: float,
    lam: float,
    *,
    start_RK: torch.Tensor | None = None,
    max_iterations: int = 200,
    tolerance: float | None = None,
    recorder: objective.Recorder | None = None,
) -> torch.Tensor:
    """The minimiser B (R, K) by L-BFGS with a strong-Wolfe line search (scipy's L-BFGS-B, no bounds).

    Without a start it first solves the narrow problem, whose steps cost a tenth, and goes on from there in all directions.
    tolerance: relative decrease of the loss in one step below which it stops; by default 1e-6, or 1e-5 for a LARGE problem.
    Raises NonFiniteLossError through the recorder.
    """
    if tolerance is None:
        tolerance = 1e-5 if _is_large(reduced) else 1e-6
    length_R1 = step_sizes(reduced, logit_scale, lam)
    used = 0
    if start_RK is None and reduced.base_MK.shape[1] > 2 * (len(reduced.text_CK) + NARROW_WIDTH):
        small, basis_KJ = narrow(reduced)
        free_1J = torch.ones(1, small.base_MK.shape[1], device=length_R1.device)
        free_1J[:, -1] = 0
        delta_RJ, used = _descend(
            small, logit_scale, lam, length_R1 * free_1J, None, max_iterations, tolerance, recorder
        )
        start_RK = delta_RJ[:, :-1] @ basis_KJ.T
        if used >= max_iterations or (recorder is not None and recorder.stopped):
            return start_RK
    length_RK = length_R1.expand(-1, reduced.base_MK.shape[1])
    return _descend(reduced, logit_scale, lam, length_RK, start_RK, max_iterations - used, tolerance, recorder)[0]


def _descend(
    reduced: Reduced,
    scale: float,
    lam: float,
    length_RK: torch.Tensor,
    start_RK: torch.Tensor | None,
    max_iterations: int,
    tolerance: float,
    recorder: objective.Recorder | None,
) -> tuple[torch.Tensor, int]:
    """L-BFGS on B / length; gives B and the number of steps. An entry of length 0 stays where it is, at 0."""
    weights_M = objective.class_balanced_weights(reduced.labels_M, len(reduced.text_CK))
    device = reduced.base_MK.device
    last: tuple[float, float, torch.Tensor] | None = None

    def delta(flat: np.ndarray) -> torch.Tensor:
        return length_RK * torch.from_numpy(flat).float().to(device).view(length_RK.shape)

    def evaluate(flat: np.ndarray) -> tuple[float, np.ndarray]:
        nonlocal last
        data, penalty, logits_MC, gradient_RK = loss_and_gradient(reduced, delta(flat), weights_M, scale, lam)
        # scipy asks for the accepted point last, so what is kept here belongs to the step that is reported.
        last = data, penalty, logits_MC
        return data + penalty, (length_RK * gradient_RK).flatten().double().cpu().numpy()

    def record(_flat: np.ndarray) -> None:
        if recorder is not None and last is not None:
            data, penalty, logits_MC = last
            if recorder.add(data, penalty, _accuracy(logits_MC, reduced.labels_M)):
                raise StopIteration

    start = np.zeros(length_RK.numel())
    if start_RK is not None:
        start = (start_RK / length_RK).flatten().double().cpu().numpy()
    with _few_threads(reduced):
        result = minimize(
            evaluate,
            start,
            jac=True,
            method="L-BFGS-B",
            callback=record,
            options={"maxiter": max_iterations, "ftol": tolerance, "gtol": 1e-7, "maxcor": 6},
        )
    if recorder is not None and not recorder.history:
        record(result.x)
    return delta(result.x), int(result.nit)


def _is_large(reduced: Reduced) -> bool:
    return reduced.coordinates_MR.numel() * reduced.base_MK.shape[1] > LARGE


@contextmanager
def _few_threads(reduced: Reduced) -> Iterator[None]:
    """One thread for a small problem; torch's own ones, but none of scipy's BLAS, for a large one.

    Two pools of threads wait for each other by spinning, and so does one pool for a core that another program keeps busy: on two
    cores a small fit then took 10 to 30 times as long.
    """
    threads = torch.get_num_threads()
    with threadpool_limits(1, user_api="blas"):
        if not _is_large(reduced):
            torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)


def adam(
    support: objective.Support,
    initial: Projector,
    text_CD: torch.Tensor,
    logit_scale: float,
    lam: float,
    *,
    learning_rate: float,
    epochs: int,
    recorder: objective.Recorder,
) -> Projector:
    """The paper's recipe (section 4, "Implementation details"): full batch, Adam with eps 1e-4, cosine to 0, epoch e on view
    e mod V. After a stop: the weights with the lowest loss so far. Raises NonFiniteLossError through the recorder."""
    weight_PD = initial.weight_PD.clone().requires_grad_()
    bias_D = None if initial.bias_D is None else initial.bias_D.clone()
    weights_N = objective.class_balanced_weights(support.labels_N, support.n_classes)
    optimiser = torch.optim.Adam([weight_PD], lr=learning_rate, eps=1e-4, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=epochs)
    best_loss, best_PD = float("inf"), initial.weight_PD.clone()
    for epoch in range(epochs):
        pre_NP = support.pre_VNP[epoch % support.pre_VNP.shape[0]]
        image_ND = pre_NP @ weight_PD if bias_D is None else pre_NP @ weight_PD + bias_D
        logits_NC = logit_scale * F.normalize(image_ND, dim=-1) @ text_CD.T
        data = objective.cross_entropy(logits_NC, support.labels_N, weights_N)
        distance = objective.penalty(weight_PD, initial.weight_PD, lam)
        loss = data + distance
        if loss.item() < best_loss:
            best_loss, best_PD = loss.item(), weight_PD.detach().clone()
        if recorder.add(data.item(), distance.item(), _accuracy(logits_NC, support.labels_N)):
            return Projector(best_PD, bias_D)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    return Projector(weight_PD.detach(), bias_D)


def _accuracy(logits_NC: torch.Tensor, labels_N: torch.Tensor) -> float:
    return (logits_NC.argmax(-1) == labels_N).float().mean().item()
