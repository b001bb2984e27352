"""Made-up features that behave like those of a CLIP: a strong common direction, a falling spectrum, classes that overlap, and
class vectors in a narrow cone of their own."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - the name the whole field uses

from prolip_core.objective import Support
from prolip_core.types import Projector

LOGIT_SCALE = 100.0
N_CLASSES = 10


def clip_like(width: int, joint: int, photos: int, seed: int = 0) -> tuple[Support, torch.Tensor, Projector]:
    """Support of `photos` photos in 10 classes, class vectors, W₀.

    Raw features about 15 and embeddings about 10 long, cosines to the class vectors about 0.2 with a spread of some hundredths,
    the order of size that OpenAI's ViTs have.
    """
    random = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=random)

    labels_N = torch.arange(photos) % N_CLASSES
    spectrum_P = torch.arange(1, width + 1) ** -0.5
    spectrum_P *= width**0.5 / spectrum_P.norm()
    centres_CP = normal(N_CLASSES, width) * spectrum_P
    pre_NP = normal(width) + 0.35 * centres_CP[labels_N] + normal(photos, width) * spectrum_P
    pre_NP *= 15 / pre_NP.norm(dim=-1).mean()
    weight_PD = normal(width, joint) * (10 / (pre_NP.norm(dim=-1).mean() * joint**0.5))
    signal_CD = F.normalize((centres_CP - centres_CP.mean(0)) @ weight_PD, dim=-1)
    image_D = F.normalize((pre_NP @ weight_PD).mean(0), dim=-1)
    cone_D = F.normalize(normal(joint), dim=-1)
    text_CD = F.normalize(
        cone_D + 0.2 * image_D + 0.15 * signal_CD + 0.3 * F.normalize(normal(N_CLASSES, joint), dim=-1), dim=-1
    )
    support = Support(pre_NP[None], labels_N, tuple(range(photos)), N_CLASSES)
    return support, text_CD, Projector(weight_PD)
