"""ProLIP's objective (Fahes et al., arXiv 2410.05270), its settings, and the record of a training.

    minimise over W:   CE(W) + λ · Σ (W − W₀)²          (their eq. 4, with λ = 1/N: eq. 5 and section 4.2)

CE is the cross-entropy of softmax(logit_scale · cos(pre @ W + b, text)); text, b and everything before the projector stay
frozen. This file holds what is minimised and what goes in; `solvers.py` has the two ways to minimise it, `lam.py` the choice of
λ, `prolip.py` puts them together. All four are tensors in, tensors out: no photo, no model, no disk, never a query photo.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 - the name the whole field uses

from prolip_core import classify
from prolip_core.errors import FitError, NonFiniteLossError
from prolip_core.types import Projector, Step

OnStep = Callable[[Step], bool | None]
"""Called after every step of a training; returning True stops it and keeps the best weights so far."""


@dataclass(frozen=True)
class Support:
    """The photos that teach: features (V, N, P), labels (N,) in 0 … C-1, near-duplicate groups (N,).

    Raises FitError if shapes disagree, a class has no photo, or a feature is not finite.
    """

    pre_VNP: torch.Tensor
    labels_N: torch.Tensor
    groups_N: tuple[int, ...]
    n_classes: int

    def __post_init__(self) -> None:
        count = self.pre_VNP.shape[1]
        if self.labels_N.shape != (count,) or len(self.groups_N) != count:
            raise FitError("There are {count} photos but another number of labels.", count=count)
        per_class = self.images_per_class
        if len(per_class) != self.n_classes or min(per_class) == 0:
            raise FitError("Every class needs at least one photo to learn from.", remedy="Add photos, or remove it.")
        if not torch.isfinite(self.pre_VNP).all():
            raise NonFiniteLossError(
                "The features of the photos hold values that are not numbers.",
                remedy="Choose full precision (float32) or another backbone.",
            )

    @property
    def images_per_class(self) -> tuple[int, ...]:
        return tuple(torch.bincount(self.labels_N, minlength=self.n_classes).tolist())

    @property
    def mean_per_class(self) -> float:
        """N of λ = 1/N: the mean over classes where their numbers differ."""
        return self.labels_N.numel() / self.n_classes

    def to(self, device: torch.device | None) -> Support:
        """The same support on another device; None leaves it where it is."""
        return Support(self.pre_VNP.to(device), self.labels_N.to(device), self.groups_N, self.n_classes)

    def subset(self, indices: torch.Tensor) -> Support:
        """Only the photos of these positions."""
        return Support(
            self.pre_VNP[:, indices],
            self.labels_N[indices],
            tuple(self.groups_N[i] for i in indices.tolist()),
            self.n_classes,
        )


def class_balanced_weights(labels_N: torch.Tensor, n_classes: int) -> torch.Tensor:
    """Weights (N,) that add up to 1 and give every class that is present the same share.

    With equal numbers per class this is the paper's plain mean; with unequal ones frequent classes do not rule.
    """
    counts_C = torch.bincount(labels_N, minlength=n_classes).clamp(min=1)
    weights_N = 1.0 / counts_C[labels_N].to(torch.float32)
    return weights_N / weights_N.sum()


def cross_entropy(logits_NC: torch.Tensor, labels_N: torch.Tensor, weights_N: torch.Tensor) -> torch.Tensor:
    """Weighted mean of −log softmax(logits)[label]; a scalar in nats."""
    return (weights_N * F.cross_entropy(logits_NC, labels_N, reduction="none")).sum()


def penalty(weight_PD: torch.Tensor, initial_PD: torch.Tensor, lam: float) -> torch.Tensor:
    """λ · Σ (W − W₀)², the second term of eq. 4; a scalar."""
    # One pass over the matrix, and one back: written as a difference, a square and a sum, it takes three times as long.
    return lam * F.mse_loss(weight_PD, initial_PD, reduction="sum")


def objective(
    weight_PD: torch.Tensor,
    pre_NP: torch.Tensor,
    labels_N: torch.Tensor,
    initial: Projector,
    text_CD: torch.Tensor,
    logit_scale: float,
    lam: float,
) -> torch.Tensor:
    """Eq. 4 of the paper for one view of the support; a differentiable scalar."""
    projector = Projector(weight_PD, initial.bias_D)
    logits_NC = classify.logits(pre_NP, projector, text_CD, logit_scale)
    weights_N = class_balanced_weights(labels_N, text_CD.shape[0])
    return cross_entropy(logits_NC, labels_N, weights_N) + penalty(weight_PD, initial.weight_PD, lam)


class Recorder:
    """Collects the training curve, refuses a loss that is not finite, and passes each step on.

    Not a record but a tool of one training; `stopped` tells whether the callback asked to stop.
    """

    def __init__(self, total_steps: int, on_step: OnStep | None) -> None:
        self.total_steps = total_steps
        self.history: list[Step] = []
        self.stopped = False
        self._on_step = on_step
        self._start = time.perf_counter()

    def add(self, cross_entropy: float, penalty: float, support_accuracy: float) -> bool:
        """Records one step; True means: stop. Raises NonFiniteLossError."""
        loss = cross_entropy + penalty
        number = len(self.history) + 1
        if not math.isfinite(loss):
            raise NonFiniteLossError(
                "The loss became {loss} at step {step}; nothing was saved.",
                remedy="Choose the exact solver, a smaller learning rate, or a larger λ.",
                loss=loss,
                step=number,
            )
        elapsed_s = time.perf_counter() - self._start
        step = Step(number, self.total_steps, loss, cross_entropy, penalty, support_accuracy, elapsed_s)
        self.history.append(step)
        if self._on_step is not None and self._on_step(step):
            self.stopped = True
        return self.stopped
