"""Batch normalisation folded into convolutions: the same features, fewer layers, and hands off where it would not be the same."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from prolip_core import backbones, folding, starter

PIXELS = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def shaken(module: nn.Module) -> nn.Module:
    """With statistics and weights that are not 0 and 1."""
    generator = torch.Generator().manual_seed(1)
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm2d):
            for tensor in (norm.weight.data, norm.get_buffer("running_var")):
                tensor.copy_(0.5 + torch.rand(tensor.shape, generator=generator))
            for tensor in (norm.bias.data, norm.get_buffer("running_mean")):
                tensor.copy_(torch.randn(tensor.shape, generator=generator) / 4)
    return module.eval().requires_grad_(False)


class Twice(nn.Module):
    """A convolution whose output is read once by the normalisation and once past it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv(x)
        z: torch.Tensor = self.norm(y) + y
        return z


@pytest.mark.parametrize("bias", [False, True])
def test_one_pair_by_hand(bias: bool) -> None:
    tower = shaken(nn.Sequential(nn.Conv2d(3, 4, 3, bias=bias), nn.BatchNorm2d(4), nn.ReLU()))
    before = {key: value.clone() for key, value in tower.state_dict().items()}
    folded = folding.fold_batch_norms(tower, PIXELS)
    assert torch.allclose(folded(PIXELS), tower(PIXELS), atol=1e-5)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    # The tower that was handed in is as it was.
    assert all(torch.equal(before[key], value) for key, value in tower.state_dict().items())


def test_an_output_that_is_used_twice_is_left_alone() -> None:
    tower = shaken(Twice())
    assert folding.fold_batch_norms(tower, PIXELS) is tower


def test_the_starter_s_whole_trunk_is_folded() -> None:
    model: Any = backbones.build_model(starter.model_config())
    model.load_state_dict(starter.state_dict(), strict=True)
    tower = model.eval().requires_grad_(False).visual
    folded = folding.fold_batch_norms(tower, PIXELS)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    expected = tower(PIXELS)
    assert (folded(PIXELS) - expected).norm() < 1e-4 * expected.norm()
