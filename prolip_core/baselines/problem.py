"""What every method to compare with is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F  # noqa: N812 - the name the whole field uses
from torch import nn

from prolip_core import classify, objective
from prolip_core.objective import Support
from prolip_core.types import Note, Projector

OnStep = Callable[[int, int], bool | None]
"""Called with (done, total) as a method works; returning True stops it (Cancelled): half a method is nothing to compare with."""


@dataclass(frozen=True)
class TextSide:
    """The sentences before the text projector: features (S, Q), the class of each in 0 … C-1, and the projector (Q, D)."""

    pre_SQ: torch.Tensor
    classes_S: torch.Tensor
    projector: Projector


@dataclass(frozen=True)
class ContextEncoder:
    """The text tower as prompt tuning sees it: context vectors (L, width) in, class vectors (C, D) of unit norm out.

    `encode` is differentiable in the context and frozen in everything else.
    """

    width: int
    encode: Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class TokenSide:
    """The support as it enters the last block of the vision tower: tokens (N, T, W), the frozen module from there to the raw
    features (B, P), of which `tail.block` is that block, and the device to train it on."""

    tokens_NTW: torch.Tensor
    tail: nn.Module
    device: torch.device


@dataclass(frozen=True)
class Problem:
    """A few-shot problem: support, class vectors (C, D) of unit norm, the backbone's projector W₀ and its own logit scale.

    seed: of mini-batches, folds and random starts. text_side, context, tokens: only where the backbone's towers were opened; the
    methods that need them say so in `methods.Method.needs`.
    """

    support: Support
    text_CD: torch.Tensor
    initial: Projector
    logit_scale: float
    seed: int = 0
    text_side: TextSide | None = None
    context: ContextEncoder | None = None
    tokens: TokenSide | None = None

    @property
    def n_classes(self) -> int:
        return self.support.n_classes

    @property
    def labels_M(self) -> torch.Tensor:  # noqa: N802 - the name is the shape
        """Labels of all views below each other, in the order of `pre_MP`."""
        return self.support.labels_N.repeat(self.support.pre_VNP.shape[0])

    @property
    def pre_MP(self) -> torch.Tensor:  # noqa: N802 - the name is the shape
        """Raw features of all views below each other."""
        return self.support.pre_VNP.flatten(0, 1)

    @property
    def weights_N(self) -> torch.Tensor:  # noqa: N802 - the name is the shape
        """Class-balanced weights, sum 1: the same for every method that is trained, so that none wins by them."""
        return objective.class_balanced_weights(self.support.labels_N, self.n_classes)

    def embed(self, pre_MP: torch.Tensor) -> torch.Tensor:
        """Unit-norm embeddings (M, D) under the backbone's own projector."""
        return classify.image_embeddings(pre_MP, self.initial)

    @property
    def image_MD(self) -> torch.Tensor:  # noqa: N802 - the name is the shape
        """Embeddings of all views below each other."""
        return self.embed(self.pre_MP)

    @property
    def image_ND(self) -> torch.Tensor:  # noqa: N802 - the name is the shape
        """One embedding per photo: the mean over its views, unit norm again."""
        views_VND = self.embed(self.pre_MP).view(*self.support.pre_VNP.shape[:2], -1)
        return F.normalize(views_VND.mean(dim=0), dim=-1)

    @property
    def one_hot_NC(self) -> torch.Tensor:  # noqa: N802 - the name is the shape
        return F.one_hot(self.support.labels_N, self.n_classes).to(torch.float32)

    def subset(self, indices: torch.Tensor) -> Problem:
        """The same problem with only the photos of these positions."""
        tokens = self.tokens
        if tokens is not None:
            tokens = replace(tokens, tokens_NTW=tokens.tokens_NTW[indices])
        return replace(self, support=self.support.subset(indices), tokens=tokens)


@dataclass(frozen=True)
class Fitted:
    """A method after training. `logits` takes raw features (M, P) of any photos, or tokens (M, T, W) where the method needs
    tokens, and gives (M, C), float32.

    added_parameters: numbers that its answers need and the backbone does not have (a changed matrix of the backbone counts as
    none, classifiers and caches count). trained_parameters: numbers that gradient descent moved; 0 for a closed form.
    note: what was chosen inside the support, in words.
    """

    logits: Callable[[torch.Tensor], torch.Tensor]
    added_parameters: int
    trained_parameters: int
    note: Note | None = None
