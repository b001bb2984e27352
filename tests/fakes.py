"""Small real things: a CLIP of two layers, made-up features, made-up predictions."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the name the whole field uses

from prolip_core import backbones
from prolip_core.catalogue import BackboneSpec
from prolip_core.devices import Device
from prolip_core.objective import Support
from prolip_core.types import ImageRecord, LabelledImage, Prediction, Projector

TEXT = {"context_length": 24, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1}

TINY_CONFIG: dict[str, Any] = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 48, "head_width": 16, "patch_size": 8},
    "text_cfg": TEXT,
}

CPU = Device(torch.device("cpu"), torch.float32, "CPU (float32)")


def tiny_backbone(seed: int = 0, config: dict[str, Any] = TINY_CONFIG, device: Device = CPU) -> backbones.Backbone:
    """A native ViT CLIP with random weights: every part of the real thing, in milliseconds."""
    torch.manual_seed(seed)
    model = backbones.build_model(config).eval().requires_grad_(False)
    with torch.no_grad():
        return backbones.Backbone(BackboneSpec("tiny", "tiny"), model, backbones.build_tokenizer(config), device)


def record(name: str, phash: int = 0) -> ImageRecord:
    image_id = hashlib.sha256(name.encode()).hexdigest()
    return ImageRecord(image_id, name, "JPEG", 100, 100, 1000, phash)


def labelled(name: str, label: int) -> LabelledImage:
    return LabelledImage(record(name), label)


def predictions(true: Sequence[int], answered: Sequence[int], n_classes: int) -> tuple[Prediction, ...]:
    """Answers with confidence 0.7 and the rest spread evenly."""
    rest = 0.3 / (n_classes - 1)
    return tuple(
        Prediction(f"photo-{i}", t, a, tuple(0.7 if k == a else rest for k in range(n_classes)))
        for i, (t, a) in enumerate(zip(true, answered, strict=True))
    )


def few_shot_problem(
    counts: Sequence[int], *, width: int = 12, joint: int = 8, views: int = 1, seed: int = 0, bias: bool = False
) -> tuple[Support, torch.Tensor, Projector]:
    """Support, class vectors and W₀ of a problem that zero-shot solves only in part: class centres plus noise, class vectors
    that point roughly the right way."""
    random = torch.Generator().manual_seed(seed)
    n_classes = len(counts)
    labels_N = torch.arange(n_classes).repeat_interleave(torch.tensor(counts))
    centres_CP = torch.randn(n_classes, width, generator=random)
    common_P = torch.randn(width, generator=random)
    noise_VNP = torch.randn(views, len(labels_N), width, generator=random)
    pre_VNP = common_P + 0.8 * centres_CP[labels_N] + noise_VNP
    weight_PD = torch.randn(width, joint, generator=random) / width**0.5
    text_CD = F.normalize(
        F.normalize(centres_CP @ weight_PD, dim=-1) + torch.randn(n_classes, joint, generator=random), dim=-1
    )
    bias_D = 0.1 * torch.randn(joint, generator=random) if bias else None
    support = Support(pre_VNP, labels_N, tuple(range(len(labels_N))), n_classes)
    return support, text_CD, Projector(weight_PD, bias_D)
