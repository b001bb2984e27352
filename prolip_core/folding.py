"""Batch normalisation folded into the convolution in front of it: the same numbers with a third less time.

At inference a batch normalisation is y = s·x + t for every channel, with s = γ/√(σ² + ε) and t = β − s·μ (Ioffe and Szegedy 2015,
section 3.1), so a convolution (K, b) before it becomes (s·K, s·b + t) and the pass over the pixels falls away.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn

VERSION = 1
"""Part of the feature cache's key: folded weights round differently in half precision."""

TOLERANCE = 1e-4


@torch.no_grad()
def fold_batch_norms(visual: Any, pixels_B3HW: torch.Tensor) -> Any:
    """A copy of the vision tower (in float32) with its batch normalisations folded.

    The tower itself where that does not give the same features, which is what the pixels are for: a convolution whose output
    is used a second time.
    """
    folded = copy.deepcopy(visual)
    for convolution, norm in _pairs(folded, pixels_B3HW):
        _fold(convolution, norm)
        _replace(folded, norm, getattr(norm, "act", nn.Identity()))
    expected, found = _tensor(visual(pixels_B3HW)), _tensor(folded(pixels_B3HW))
    return folded if float((found - expected).norm()) <= TOLERANCE * float(expected.norm()) else visual


def _pairs(visual: nn.Module, pixels_B3HW: torch.Tensor) -> list[tuple[nn.Conv2d, nn.BatchNorm2d]]:
    """Convolutions and the batch normalisations that read their output, found by watching one pass."""
    outputs: dict[int, tuple[nn.Conv2d, torch.Tensor]] = {}
    pairs: list[tuple[nn.Conv2d, nn.BatchNorm2d]] = []

    def after(module: nn.Conv2d, _inputs: Any, output: torch.Tensor) -> None:
        # The tensor is kept, so that no other one gets its id.
        outputs[id(output)] = module, output

    def before(module: nn.BatchNorm2d, inputs: tuple[torch.Tensor, ...]) -> None:
        if id(inputs[0]) in outputs:
            pairs.append((outputs[id(inputs[0])][0], module))

    handles = [m.register_forward_hook(after) for m in visual.modules() if isinstance(m, nn.Conv2d)]
    handles += [m.register_forward_pre_hook(before) for m in visual.modules() if isinstance(m, nn.BatchNorm2d)]
    visual(pixels_B3HW)
    for handle in handles:
        handle.remove()
    return pairs


def _fold(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
    mean_P, variance_P = norm.get_buffer("running_mean"), norm.get_buffer("running_var")
    scale_P = norm.weight * (variance_P + norm.eps).rsqrt()
    bias_P = norm.bias - mean_P * scale_P
    if convolution.bias is not None:
        bias_P = bias_P + convolution.bias * scale_P
    convolution.weight = nn.Parameter(convolution.weight * scale_P[:, None, None, None], requires_grad=False)
    convolution.bias = nn.Parameter(bias_P, requires_grad=False)


def _replace(root: nn.Module, layer: nn.Module, other: nn.Module) -> None:
    for parent in root.modules():
        for name, child in parent.named_children():
            if child is layer:
                setattr(parent, name, other)
                return


def _tensor(output: Any) -> torch.Tensor:
    tensor: torch.Tensor = output[0] if isinstance(output, tuple) else output
    return tensor
