"""Small real things: a CLIP of two layers, made-up features, made-up predictions."""

from __future__ import annotations

import functools
import hashlib
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the name the whole field uses
from PIL import Image

from prolip_core import backbones, dataset, pilot, prolip
from prolip_core.catalogue import BackboneSpec
from prolip_core.devices import Device
from prolip_core.objective import Support
from prolip_core.spec import PilotSpec
from prolip_core.types import ImageRecord, LabelledImage, Prediction, Projector
from tests import image_factory

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


@functools.cache
def _tokenizer() -> Any:
    return backbones.build_tokenizer(TINY_CONFIG)  # its vocabulary takes longer to read than the rest together


def load_tiny(spec: BackboneSpec, device: Device) -> backbones.Backbone:
    """In place of `backbones.load`: the tiny CLIP under the name, language and licence that were asked for."""
    torch.manual_seed(0)
    model = backbones.build_model(TINY_CONFIG).eval().requires_grad_(False)
    with torch.no_grad():
        return backbones.Backbone(spec, model, _tokenizer(), device)


def spied(monkeypatch: pytest.MonkeyPatch) -> list[torch.Tensor]:
    """The features of the photos that every training from now on is given."""
    taught: list[torch.Tensor] = []
    real = prolip.fit

    def fit(support: Any, *arguments: Any, **options: Any) -> Any:
        taught.append(support.pre_VNP[0])
        return real(support, *arguments, **options)

    monkeypatch.setattr(prolip, "fit", fit)
    return taught


def tinted(class_name: str, number: int) -> Image.Image:
    """A photo of its own, half mixed with the colour of its class."""
    code = zlib.crc32(class_name.encode())
    picture = image_factory.photo(zlib.crc32(f"{class_name}/{number}".encode()))
    return Image.blend(picture, Image.new("RGB", picture.size, (code & 255, code >> 8 & 255, code >> 16 & 255)), 0.5)


def write_photos(root: Path, numbers: Mapping[str, Iterable[int]]) -> Path:
    """`root/class/number.jpg` for every class; the same class and number give the same photo wherever it is written."""
    for class_name, wanted in numbers.items():
        folder = root / class_name
        folder.mkdir(parents=True, exist_ok=True)
        for number in wanted:
            (folder / f"{number}.jpg").write_bytes(image_factory.encode(tinted(class_name, number), "JPEG"))
    return root


TINY_SPEC = PilotSpec(backbone=BackboneSpec("tiny", "tiny"), device="cpu", precision="float32")


def tiny_run(photos: dataset.PhotoSet, spec: PilotSpec = TINY_SPEC, **options: Any) -> pilot.PilotRun:
    """A whole pilot on the tiny CLIP, in tenths of a second."""
    with mock.patch.object(backbones, "load", load_tiny):
        return pilot.run(spec, photos, **options)


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
