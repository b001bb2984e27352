"""Project, normalise, compare, soften: the only place that turns features into answers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812 - the name the whole field uses

from prolip_core.types import Prediction, Projector


def image_embeddings(pre_NP: torch.Tensor, projector: Projector) -> torch.Tensor:
    """Unit-norm image embeddings (N, D) of raw features (N, P)."""
    raw_ND = pre_NP @ projector.weight_PD
    if projector.bias_D is not None:
        raw_ND = raw_ND + projector.bias_D
    return F.normalize(raw_ND, dim=-1)


def logits(pre_NP: torch.Tensor, projector: Projector, text_CD: torch.Tensor, logit_scale: float) -> torch.Tensor:
    """Cosine of image and class vectors times the model's own logit scale, (N, C)."""
    return logit_scale * image_embeddings(pre_NP, projector) @ text_CD.T


def log_odds(logits_NC: torch.Tensor, answer: int) -> torch.Tensor:
    """log p / (1 − p) of one class, (N,): its logit against all others together. Unlike p it does not flatten out near 1."""
    others_NC = torch.cat([logits_NC[:, :answer], logits_NC[:, answer + 1 :]], dim=1)
    return logits_NC[:, answer] - others_NC.logsumexp(dim=1)


def text_likeness(text_CD: torch.Tensor, projector: Projector) -> torch.Tensor:
    """How alike class vectors are for photos, (C, C): cosines in those dimensions that the projector reaches.

    A projector may leave dimensions empty (the starter's does: texts have a part of their own there). Photos meet only the
    rest, of length v, so that 1 − likeness, which the logit scale multiplies, is v·(1 − cosine of the rests). Without empty
    dimensions v = 1, and it is the plain cosine.
    """
    reached_D = (projector.weight_PD != 0).any(dim=0)
    seen_CD = text_CD[:, reached_D]
    length_C = seen_CD.norm(dim=-1)
    seen_CD = F.normalize(seen_CD, dim=-1)
    shared_CC = (length_C[:, None] + length_C[None, :]) / 2
    likeness_CC: torch.Tensor = 1 - shared_CC * (1 - seen_CD @ seen_CD.T)
    return likeness_CC


def predict(
    image_ids: Sequence[str],
    pre_NP: torch.Tensor,
    labels_N: Sequence[int],
    projector: Projector,
    text_CD: torch.Tensor,
    logit_scale: float,
) -> tuple[Prediction, ...]:
    """One answer per photo, in the order given; label -1 stands for "true class not known"."""
    # Double precision: probabilities that are written down add up to 1 for everybody who checks.
    probs_NC = logits(pre_NP, projector, text_CD, logit_scale).double().softmax(dim=-1)
    best_N = probs_NC.argmax(dim=-1).tolist()
    return tuple(
        Prediction(image_id, int(label), int(best), tuple(row))
        for image_id, label, best, row in zip(image_ids, labels_N, best_N, probs_NC.tolist(), strict=True)
    )


def most_alike(image_ND: torch.Tensor, known_MD: torch.Tensor, count: int) -> tuple[list[list[int]], list[list[float]]]:
    """Of each of N embeddings the `count` of M known ones that are most like it, the most alike first: places and cosines."""
    if not len(known_MD):
        return [[] for _ in image_ND], [[] for _ in image_ND]
    cosine_NK, place_NK = (image_ND @ known_MD.T).topk(min(count, len(known_MD)), dim=1)
    return place_NK.tolist(), cosine_NK.clamp(-1, 1).tolist()
