"""A model whose true evidence is known: it sees nothing but the texture of one area of the photo."""

from __future__ import annotations

from typing import Any

import torch

from prolip_core.backbones import Backbone
from tests import fakes


class Looker(Backbone):
    """Feature 0 is the texture inside one quarter of the picture (or, corner None, of its rim); feature 1 is always 1.

    Texture is the mean difference between neighbouring pixels, which neither a blur nor a plain colour has.
    """

    def __init__(self, corner: tuple[int, int] | None) -> None:
        made: Any = fakes.tiny_backbone()
        self.__dict__.update(made.__dict__)
        self._area = torch.zeros(8, 8, dtype=torch.bool)
        if corner is None:
            self._area[:] = True
            self._area[1:7, 1:7] = False
        else:
            row, column = corner
            self._area[row : row + 4, column : column + 4] = True

    def encode_pre(self, pixels_B3HW: torch.Tensor) -> torch.Tensor:
        """(B, P) of the tiny model's width."""
        steps_BHW = (pixels_B3HW[..., 1:] - pixels_B3HW[..., :-1]).abs().mean(dim=1)
        area_HW = self._area.repeat_interleave(4, 0).repeat_interleave(4, 1)
        area_HW = area_HW[:, 1:] & area_HW[:, :-1]
        pre_BP = torch.zeros(len(pixels_B3HW), self.pre_width)
        pre_BP[:, 0] = steps_BHW[:, area_HW].mean(dim=1)
        pre_BP[:, 1] = 1.0
        return pre_BP

    @staticmethod
    def texture(seed: int) -> torch.Tensor:
        """Pixels (3, 32, 32) that are textured everywhere alike."""
        return torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(seed)) * 2 - 1
