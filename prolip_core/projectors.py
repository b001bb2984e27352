"""Where a CLIP model keeps its visual projector, and how to take it out.

| kind | where | found in |
|---|---|---|
| `matrix` | `visual.proj` (P, D), no bias | native ViT of open_clip, CoCa |
| `attention_pool` | `visual.attnpool.c_proj`, applied to all tokens of which token 0 is used | CLIP's own ResNets |
| `linear` | `visual.head.proj` on a timm trunk | ConvNeXt, ViTamin, the starter |
| `mlp` | last linear layer of `visual.head.mlp` on a timm trunk | ConvNeXt large_d |
| `classifier` | the timm trunk's own classifier head | MobileCLIP, EVA, Perception Encoder |
| `adapter` | nowhere: a (D, D) matrix after the output that starts as the identity | SigLIP |

The last is the regularised linear adapter of the same paper (arXiv 2410.05270): the objective is the same with W₀ = identity.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from prolip_core.errors import ProjectorNotFoundError
from prolip_core.types import Projector

KINDS = ("matrix", "attention_pool", "linear", "mlp", "classifier", "adapter")


def kind_of(visual: Any) -> str:
    """One of KINDS for an open_clip vision tower. Raises ProjectorNotFoundError for a tower of a shape not known."""
    if isinstance(getattr(visual, "proj", None), nn.Parameter):
        return "matrix"
    if isinstance(getattr(getattr(visual, "attnpool", None), "c_proj", None), nn.Linear):
        return "attention_pool"
    head = getattr(visual, "head", None)
    if isinstance(getattr(head, "proj", None), nn.Linear):
        return "linear"
    if isinstance(getattr(getattr(head, "mlp", None), "fc2", None), nn.Linear):
        return "mlp"
    trunk: Any = getattr(visual, "trunk", None)
    if trunk is not None and len(list(visual.head.children())) == 0:
        classifier = trunk.get_classifier()
        if isinstance(classifier, nn.Linear):
            return "classifier"
        if isinstance(classifier, nn.Identity):
            return "adapter"
    raise ProjectorNotFoundError(
        "The vision tower {name} has no projector in a place that is known.",
        remedy="Choose another model.",
        name=type(visual).__name__,
    )


@torch.no_grad()
def take_out(visual: Any, joint_width: int) -> Projector:
    """Removes the projector from the tower (in place) and hands out a copy: afterwards `visual(x)` gives `pre`.

    joint_width: D, the width of the text vectors. Raises ProjectorNotFoundError.
    """
    kind = kind_of(visual)
    if kind == "matrix":
        weight_PD = visual.proj.detach().clone()
        visual.proj = None
        return Projector(weight_PD.float())
    if kind == "attention_pool":
        pool = visual.attnpool
        projector = _of_linear(pool.c_proj)
        # The pooling hands this layer's weight to a fused function, so the layer stays, as the identity.
        width = projector.weight_PD.shape[0]
        identity = nn.Linear(width, width)
        identity.weight.copy_(torch.eye(width))
        identity.bias.zero_()
        pool.c_proj = identity.to(projector.weight_PD.device)
        return projector
    if kind == "linear":
        return _replace(visual.head, visual.head.proj)
    if kind == "mlp":
        return _replace(visual.head, visual.head.mlp.fc2)
    if kind == "classifier":
        return _replace(visual.trunk, visual.trunk.get_classifier())
    device = next(visual.parameters()).device
    return Projector(torch.eye(joint_width, device=device))


@torch.no_grad()
def put_back(visual: Any, projector: Projector) -> None:
    """Writes a projector into a whole tower (in place), where `take_out` would find it. Raises ProjectorNotFoundError for a tower
    that has no place for one."""
    kind = kind_of(visual)
    if kind == "matrix":
        visual.proj.copy_(projector.weight_PD)
        return
    layer = {
        "attention_pool": lambda: visual.attnpool.c_proj,
        "linear": lambda: visual.head.proj,
        "mlp": lambda: visual.head.mlp.fc2,
        "classifier": lambda: visual.trunk.get_classifier(),
    }.get(kind)
    if layer is None:
        raise ProjectorNotFoundError(
            "The vision tower {name} has no projector in a place that is known.",
            remedy="Choose another model.",
            name=type(visual).__name__,
        )
    layer().weight.copy_(projector.weight_PD.T)
    if projector.bias_D is not None:
        layer().bias.copy_(projector.bias_D)


def _replace(root: nn.Module, layer: nn.Linear) -> Projector:
    """Puts an identity in the layer's place somewhere below `root`."""
    for parent in root.modules():
        for name, child in parent.named_children():
            if child is layer:
                setattr(parent, name, nn.Identity())
                return _of_linear(layer)
    raise ProjectorNotFoundError("The projector was found and then lost; this is a fault of the program.")


def _of_linear(layer: nn.Linear) -> Projector:
    bias_D = None if layer.bias is None else layer.bias.detach().clone().float()
    return Projector(layer.weight.detach().T.clone().float().contiguous(), bias_D)
