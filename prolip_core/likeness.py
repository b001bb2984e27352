"""How alike class names look to a model before any training, as a rule that means the same for every model.

Cosines between sentences cannot be compared across models: two quite different things have 0.2 with the starter and about 0.9
with a CLIP whose logits are scaled by 100. What can be compared is what a cosine leads to. A photo x of class i has a share a of
its own sentence in it, x = a·t_i + what tells nothing about i or j, so that between the two classes alone

    P(j | photo of i) = softmax(s·x·t)_j = 1 / (1 + exp(s·a·(1 − t_i·t_j))),   s: the model's logit scale.

a is the cosine between a photo and its own sentence. It is much alike from model to model: a mean of 0.36 with the starter on 372
photos of clothing in ten classes; between 0 and 0.4 with CLIP, mostly about 0.3 (Hessel et al., CLIPScore, arXiv 2104.08718,
section 3, for which they stretch the scores). With a = 1 it would be asked whether the model can tell the sentences apart, which
it nearly always can; the photos are what it has to tell apart.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from prolip_core import prompts
from prolip_core.types import ClassSpec

PHOTO_SHARE = 0.3
"""a above: how much of its own sentence a photo typically has in it."""

WARN_FROM = 0.25
"""Names are called alike if one in four photos would be taken for the other; one in two is a toss of a coin."""

ENGLISH_ONLY = "English"
"""What `BackboneSpec.language` says of a model that reads nothing else."""


@dataclass(frozen=True)
class AlikePair:
    """Two classes, by their index, and the share of photos (up to 0.5) that would be taken for the other one."""

    first: int
    second: int
    mistaken: float


def mistaken_share(cosine: float, logit_scale: float) -> float:
    """P(other class | photo of this class), between 0 and 0.5, from the cosine of the two class vectors."""
    return 1.0 / (1.0 + math.exp(min(700.0, max(0.0, logit_scale * PHOTO_SHARE * (1.0 - cosine)))))


def mistaken_matrix(matrix_CC: Sequence[Sequence[float]], logit_scale: float) -> tuple[tuple[float, ...], ...]:
    """`mistaken_share` of every pair. matrix_CC: cosines of the class vectors."""
    return tuple(tuple(mistaken_share(cosine, logit_scale) for cosine in row) for row in matrix_CC)


def alike_pairs(matrix_CC: Sequence[Sequence[float]], logit_scale: float) -> tuple[AlikePair, ...]:
    """The pairs that the model can hardly tell apart by their names, the worst first. matrix_CC: cosines of the class vectors."""
    pairs = (
        AlikePair(i, j, mistaken_share(matrix_CC[i][j], logit_scale))
        for i in range(len(matrix_CC))
        for j in range(i + 1, len(matrix_CC))
    )
    return tuple(sorted((pair for pair in pairs if pair.mistaken >= WARN_FROM), key=lambda pair: -pair.mistaken))


def unreadable_names(classes: Sequence[ClassSpec], language: str) -> tuple[tuple[int, str], ...]:
    """(class index, prompt name) of every name that a model of this language (`BackboneSpec.language`) cannot read."""
    if language != ENGLISH_ONLY:
        return ()
    return tuple(
        (index, name)
        for index, spec in enumerate(classes)
        for name in spec.prompt_names
        if not prompts.is_english(name)
    )


def same_names(classes: Sequence[ClassSpec]) -> tuple[tuple[int, int], ...]:
    """Pairs of classes with the very same prompt names: no model can tell those apart, and no training starts with them."""
    first_with: dict[frozenset[str], int] = {}
    pairs = []
    for index, spec in enumerate(classes):
        twin = first_with.setdefault(frozenset(spec.prompt_names), index)
        if twin != index:
            pairs.append((twin, index))
    return tuple(pairs)
