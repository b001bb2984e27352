"""The end of a CLIP's vision transformer, from the tokens that enter its last block to the features before the projector.

For methods that train the last block: everything in front of it stays frozen, so a photo's tokens are computed only once.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn


class Tail(nn.Module):
    """Tokens (B, T, W) → features before the projector (B, P): last block, norm and pooling of a tower of open_clip."""

    def __init__(self, visual: Any) -> None:
        """A copy of that end of the tower, in float32; the tower is left as it is."""
        super().__init__()
        blocks = visual.transformer.resblocks
        try:
            visual.transformer.resblocks = nn.ModuleList([blocks[-1]])
            self.visual = copy.deepcopy(visual).float().eval()
        finally:
            visual.transformer.resblocks = blocks
        # What lies in front of the block is not part of the tail.
        self.visual.conv1 = nn.Identity()

    @property
    def block(self) -> nn.Module:
        """The last block, what such methods train."""
        block: nn.Module = self.visual.transformer.resblocks[0]
        return block

    def forward(self, tokens_BTW: torch.Tensor) -> torch.Tensor:
        pooled: torch.Tensor = self.visual._pool(self.visual.transformer(tokens_BTW))[0]
        return pooled


def take(visual: Any) -> Tail | None:
    """The tail of this tower; None for one that is no vision transformer of open_clip's own."""
    blocks = getattr(getattr(visual, "transformer", None), "resblocks", None)
    return Tail(visual) if blocks and hasattr(visual, "_pool") else None


@torch.no_grad()
def tokens(visual: Any, pixels_B3HW: torch.Tensor) -> torch.Tensor:
    """What enters the last block, (B, T, W), float32 on the CPU."""
    found: list[torch.Tensor] = []
    handle = visual.transformer.resblocks[-1].register_forward_pre_hook(lambda _block, given: found.append(given[0]))
    try:
        visual(pixels_B3HW)
    finally:
        handle.remove()
    entering = found[0]
    return (entering if visual.transformer.batch_first else entering.transpose(0, 1)).float().cpu()
