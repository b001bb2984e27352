"""A CLIP's text tower, opened at both ends: features before the text projector, and context vectors in place of words.

Nothing of the model is changed: its parts are exchanged for the length of one call (`torch.func.functional_call`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the name the whole field uses
from torch import nn
from torch.func import functional_call

from prolip_core.types import Projector

PLACEHOLDER = "X"
POOLINGS = ("argmax", "first", "last")
"""Ways of pooling that go by a token's place or by the largest token number, which renumbering in order leaves alone."""


class _Encode(nn.Module):
    """The text side as a module of its own, so that its parts have names."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, tokens: torch.Tensor) -> Any:
        return self.model.encode_text(tokens)  # type: ignore[operator]


def before_projector(model: nn.Module, tokens_SL: torch.Tensor) -> tuple[torch.Tensor, Projector] | None:
    """Features (S, Q) before the text projector and the projector (Q, D), float32 copies on the CPU, so that
    pre @ W + b = encode_text. None for a tower without such a projector in the usual place."""
    prefix, tower = _tower(model)
    projection = getattr(tower, "text_projection", None)
    weight_QD: torch.Tensor
    bias_D: torch.Tensor | None = None
    if isinstance(projection, nn.Parameter):
        weight_QD = projection
        identity = {f"{prefix}text_projection": torch.eye(len(weight_QD)).to(weight_QD)}
    elif isinstance(projection, nn.Linear):
        weight_QD, bias_D = projection.weight.T, projection.bias
        identity = {f"{prefix}text_projection.weight": torch.eye(len(weight_QD)).to(weight_QD)}
        if bias_D is not None:
            identity[f"{prefix}text_projection.bias"] = bias_D.new_zeros(len(weight_QD))
    else:
        return None
    with torch.no_grad():
        pre_SQ: torch.Tensor = functional_call(_Encode(model), identity, (tokens_SL,))
    return pre_SQ.float().cpu(), Projector(_copy(weight_QD), None if bias_D is None else _copy(bias_D))


def context_encoder(
    model: nn.Module, tokenize: Callable[[list[str]], torch.Tensor], names: Sequence[str], context_length: int
) -> tuple[int, Callable[[torch.Tensor], torch.Tensor]] | None:
    """Width of a word vector, and the function from context vectors (L, width) to unit class vectors (C, D), differentiable.

    The sentences are "[V]₁ … [V]_L name." as in CoOp (Zhou et al. 2022, arXiv 2109.01134, eq. 2). None for a tower that does not
    hold its words in the usual place.
    """
    prefix, tower = _tower(model)
    embedding = getattr(tower, "token_embedding", None)
    pooling = getattr(tower, "pool_type", None) or getattr(model, "text_pool_type", None)
    if not isinstance(embedding, nn.Embedding) or pooling not in POOLINGS:
        return None
    device = embedding.weight.device
    lead = " ".join([PLACEHOLDER] * context_length)
    tokens_CL = tokenize([f"{lead} {name}." for name in names]).to(device)
    used = set(tokens_CL.flatten().tolist())
    # Numbers of words that no sentence holds stand for the context. All numbers are made small, in their order, so that a step
    # handles some dozens of words instead of the whole vocabulary, and the end mark stays the largest.
    spare = [number for number in range(1, embedding.num_embeddings) if number not in used][:context_length]
    numbers = sorted(used | set(spare))
    place = {number: position for position, number in enumerate(numbers)}
    tokens_CL[:, 1 : 1 + context_length] = torch.tensor(spare, device=device)
    small_CL = torch.tensor([[place[number] for number in row] for row in tokens_CL.tolist()], device=device)
    words = embedding.weight.detach()[numbers]
    slots = torch.tensor([place[number] for number in spare], device=device)
    encode_small = _Encode(model)

    def encode(context_LE: torch.Tensor) -> torch.Tensor:
        changed = words.index_copy(0, slots, context_LE.to(words))
        raw_CD = functional_call(encode_small, {f"{prefix}token_embedding.weight": changed}, (small_CL,))
        return F.normalize(raw_CD.float(), dim=-1).cpu()

    return embedding.embedding_dim, encode


def _tower(model: nn.Module) -> tuple[str, Any]:
    """Where the words and the projector are: in `text`, or in the model itself; with the beginning of their names."""
    text = getattr(model, "text", None)
    return ("model.text.", text) if isinstance(text, nn.Module) else ("model.", model)


def _copy(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.detach().float().cpu().clone().contiguous()
