"""open_clip models, split at the visual projector. With `weights.py` the only file that imports open_clip.

A loaded `Backbone` is read-only: its weights are frozen, its projector is handed out as a copy. Loading ends with a self-check
on random pixels: pre @ W + b must equal the untouched model's `encode_image`.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import open_clip
import torch
import torch.nn.functional as F  # noqa: N812 - the name the whole field uses
from open_clip.transform import PreprocessCfg, image_transform_v2, merge_preprocess_dict
from torch import nn
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as transforms

from prolip_core import catalogue, folding, projectors, starter, text_tower, vision_tail, weights
from prolip_core.catalogue import BackboneSpec
from prolip_core.devices import Device
from prolip_core.errors import BackboneError, UnknownBackboneError
from prolip_core.types import Box, ClassVectors, Projector, PromptSet

if TYPE_CHECKING:
    from PIL import Image

TEXT_BATCH = 64
SELF_CHECK_TOLERANCE = 1e-3
"""Largest allowed relative error of the split; float32 rounding stays two orders of magnitude below it."""

LONG_FROM = 1.8
"""A photo whose sides differ by more than this (16:9 is 1.78) is seen whole: cropped, it would lose nearly half of itself."""


class Backbone:
    """A frozen CLIP whose image side stops just before the projector."""

    def __init__(self, spec: BackboneSpec, model: nn.Module, tokenizer: Any, device: Device) -> None:
        visual: Any = model.visual
        self.spec = spec
        self.device = device
        self.logit_scale = float(model.logit_scale.detach().exp())  # type: ignore[operator]
        self.fingerprint = fingerprint(model)
        self.projector_kind = projectors.kind_of(visual)
        self.preprocessing: dict[str, Any] = dict(visual.preprocess_cfg)
        size = self.preprocessing["size"]
        self.image_size_px: tuple[int, int] = (size, size) if isinstance(size, int) else tuple(size)
        self._transform = image_transform_v2(PreprocessCfg(**self.preprocessing), is_train=False)
        self._model = model
        self._tokenizer = tokenizer
        pixels_B3HW = torch.rand(2, 3, *self.image_size_px, generator=torch.Generator().manual_seed(0))
        pixels_B3HW = pixels_B3HW.to(device.torch_device)
        expected_BD = _first(visual(pixels_B3HW)).float()
        self._projector = projectors.take_out(visual, expected_BD.shape[1])
        self._check_split(_first(visual(pixels_B3HW)).float(), expected_BD)
        self._channels_last = any(isinstance(module, nn.BatchNorm2d) for module in visual.modules())
        if self._channels_last:
            self._model.visual = visual = folding.fold_batch_norms(visual, pixels_B3HW)
        visual.to(device.dtype, memory_format=torch.channels_last if self._channels_last else torch.preserve_format)

    @property
    def projector(self) -> Projector:
        """W₀ (P, D) and the frozen bias, float32, as fresh copies: a training can never write into the backbone."""
        bias_D = self._projector.bias_D
        return Projector(self._projector.weight_PD.clone(), None if bias_D is None else bias_D.clone())

    @property
    def pre_width(self) -> int:
        return self._projector.weight_PD.shape[0]

    @property
    def tower(self) -> nn.Module:
        """The vision tower without its projector: pixels (B, 3, H, W) → features (B, P), some with tokens beside. Read only."""
        tower: nn.Module = self._model.visual  # type: ignore[assignment]
        return tower

    @torch.no_grad()
    def encode_pre(self, pixels_B3HW: torch.Tensor) -> torch.Tensor:
        """Raw features before the projector, (B, P), float32 on the CPU."""
        visual: Any = self._model.visual
        return _first(visual(self._on_device(pixels_B3HW))).float().cpu()

    def _on_device(self, pixels_B3HW: torch.Tensor) -> torch.Tensor:
        return pixels_B3HW.to(
            self.device.torch_device,
            self.device.dtype,
            memory_format=torch.channels_last if self._channels_last else torch.preserve_format,
        )

    def tail(self) -> vision_tail.Tail | None:
        """A copy of the vision tower's last block and what follows it; None where the tower is no vision transformer."""
        return vision_tail.take(self._model.visual)

    @torch.no_grad()
    def encode_tokens(self, pixels_B3HW: torch.Tensor) -> torch.Tensor:
        """What enters the last block, (B, T, W), float32 on the CPU; only where there is a `tail`."""
        return vision_tail.tokens(self._model.visual, self._on_device(pixels_B3HW))

    @torch.no_grad()
    def encode_prompts(self, prompts: PromptSet) -> ClassVectors:
        """One unit vector per class, (C, D), float32 on the CPU: the mean of its sentences' unit vectors, unit norm again
        (the ensembling rule of CLIP, Radford et al. 2021, section 3.1.4)."""
        sentences = [sentence for of_class in prompts.sentences for sentence in of_class]
        chunks = []
        for start in range(0, len(sentences), TEXT_BATCH):
            tokens = self._tokenizer(sentences[start : start + TEXT_BATCH]).to(self.device.torch_device)
            encoded: torch.Tensor = self._model.encode_text(tokens, normalize=True)  # type: ignore[operator]
            chunks.append(encoded.float().cpu())
        per_class = torch.split(torch.cat(chunks), [len(of_class) for of_class in prompts.sentences])
        return ClassVectors(prompts, F.normalize(torch.stack([unit.mean(dim=0) for unit in per_class]), dim=-1))

    def sentences_before_projector(self, prompts: PromptSet) -> tuple[torch.Tensor, Projector] | None:
        """Features (S, Q) of all sentences, class by class, before the text projector, and a copy of that projector; None where
        the model keeps none in the usual place."""
        sentences = [sentence for of_class in prompts.sentences for sentence in of_class]
        return text_tower.before_projector(self._model, self._tokenizer(sentences).to(self.device.torch_device))

    def context_encoder(
        self, names: Sequence[str], context_length: int
    ) -> tuple[int, Callable[[torch.Tensor], torch.Tensor]] | None:
        """For prompt tuning: see `text_tower.context_encoder`."""
        return text_tower.context_encoder(self._model, self._tokenizer, names, context_length)

    def framed(self, image: Image.Image) -> Image.Image:
        """The photo itself, or a LONG one in the middle of a square of the model's mean colour, which no crop cuts."""
        width, height = image.size
        side = max(width, height)
        if self.preprocessing["resize_mode"] != "shortest" or side <= LONG_FROM * min(width, height):
            return image
        left, top = (side - width) // 2, (side - height) // 2
        colour = [round(255 * channel) for channel in self.preprocessing["mean"]]
        framed: Image.Image = transforms.pad(
            image, [left, top, side - width - left, side - height - top], fill=tuple(colour)
        )
        return framed

    def seen(self, width: int, height: int) -> Box:
        """Where view 0 of a photo of that size lies on it: a crop of its middle, or, framed, more than the photo."""
        mode = self.preprocessing["resize_mode"]
        if mode == "squash":
            return Box(0.0, 0.0, 1.0, 1.0)
        rows, columns = self.image_size_px
        across, down = width / columns, height / rows
        long = max(width, height) > LONG_FROM * min(width, height)
        scale = max(across, down) if mode == "longest" or long else min(across, down)
        if long and mode == "shortest":
            scale = max(width, height) / min(rows, columns)
        half_x, half_y = scale * columns / width / 2, scale * rows / height / 2
        return Box(0.5 - half_x, 0.5 - half_y, 0.5 + half_x, 0.5 + half_y)

    def pixels(self, image: Image.Image) -> torch.Tensor:
        """View 0: the model's own preprocessing, (3, H, W)."""
        tensor: torch.Tensor = self._transform(image)
        return tensor

    def pixels_of_crop(self, image: Image.Image, box: Sequence[int], *, flip: bool) -> torch.Tensor:
        """An augmented view: the box (top, left, height, width) resized to the input size, (3, H, W)."""
        crop = transforms.resized_crop(
            image, *box, size=list(self.image_size_px), interpolation=InterpolationMode.BICUBIC
        )
        tensor = transforms.to_tensor(transforms.hflip(crop) if flip else crop)
        normal: torch.Tensor = transforms.normalize(tensor, self.preprocessing["mean"], self.preprocessing["std"])
        return normal

    def _check_split(self, pre_BP: torch.Tensor, expected_BD: torch.Tensor) -> None:
        got_BD = pre_BP @ self._projector.weight_PD
        if self._projector.bias_D is not None:
            got_BD = got_BD + self._projector.bias_D
        error = float((got_BD - expected_BD).norm() / expected_BD.norm())
        if not error < SELF_CHECK_TOLERANCE:
            raise BackboneError(
                "The projector of “{name}” could not be split off: the result is off by {error:.2g} (limit {limit:g}).",
                remedy="Choose another model.",
                name=self.spec.name,
                error=error,
                limit=SELF_CHECK_TOLERANCE,
            )
        self._projector = Projector(
            self._projector.weight_PD.cpu(), None if self._projector.bias_D is None else self._projector.bias_D.cpu()
        )


def load(spec: BackboneSpec, device: Device) -> Backbone:
    """The backbone with real weights, on that device.

    Raises UnknownBackboneError, WeightsNotFoundError (with where to put which file), CheckpointError, BackboneError.
    """
    model, config = _whole(spec)
    if spec.name == catalogue.STARTER:
        tokenizer = build_tokenizer(config)
    else:
        tokenizer = weights.guard_hub(spec, lambda: open_clip.get_tokenizer(spec.architecture))
    model.eval().requires_grad_(False).to(device.torch_device)
    with torch.no_grad():
        return Backbone(spec, model, tokenizer, device)


def _whole(spec: BackboneSpec) -> tuple[nn.Module, dict[str, Any]]:
    """The model as open_clip has it, with real weights, and its config with `preprocess_cfg`."""
    if spec.name == catalogue.STARTER:
        config = starter.model_config()
        model = build_model(config)
        weights.load_into(model, starter.state_dict(), spec.name)
    else:
        config = architecture_config(spec)
        model = weights.guard_hub(spec, lambda: build_model(config))
        weights.load_checkpoint(model, weights.find(spec), spec)
    return model, config


@dataclass(frozen=True)
class MergedModel:
    """A whole open_clip model with another projector: its `model_cfg` and `preprocess_cfg` in open_clip's words, its weights."""

    model_config: dict[str, Any]
    preprocessing: dict[str, Any]
    state: dict[str, torch.Tensor]


def merged(spec: BackboneSpec, projector: Projector) -> MergedModel:
    """The model with this projector in place of its own, as an ordinary open_clip model, on the CPU in float32.

    A model without a projector (kind `adapter`) gets a linear head for it, which open_clip's config can say. Raises the errors of
    `load`, and ProjectorNotFoundError where no config of open_clip has a place for the projector.
    """
    model, config = _whole(spec)
    visual: Any = model.visual
    preprocessing = dict(visual.preprocess_cfg)
    if projectors.kind_of(visual) == "adapter":
        config["vision_cfg"] |= {"timm_proj": "linear", "timm_proj_bias": projector.bias_D is not None}
        trained = model.state_dict()
        model = weights.guard_hub(spec, lambda: build_model(config))
        visual = model.visual
        weights.load_into(model, {**model.state_dict(), **trained}, spec.name)
    projectors.put_back(visual, projector)
    config.pop("preprocess_cfg", None)
    state = {name: tensor.detach().contiguous() for name, tensor in model.state_dict().items()}
    return MergedModel(config, preprocessing, state)


def architecture_config(spec: BackboneSpec) -> dict[str, Any]:
    """open_clip's model config, with the quick-GELU and the preprocessing that the tag's weights were trained with.

    Raises UnknownBackboneError if open_clip knows no such model or tag.
    """
    known: dict[str, Any] | None = open_clip.get_model_config(spec.architecture)
    if known is None:
        raise UnknownBackboneError(
            "open_clip has no model “{name}”.",
            remedy="Check the spelling; examples are ViT-B-32, ViT-L-14, convnext_base_w.",
            name=spec.architecture,
        )
    config = copy.deepcopy(known)
    tags = open_clip.list_pretrained_tags_by_model(spec.architecture)
    if spec.tag and spec.tag not in tags:
        raise UnknownBackboneError(
            "open_clip's model “{name}” has no weights “{tag}”.",
            remedy="Choose one of: {known}.",
            name=spec.architecture,
            tag=spec.tag,
            known=", ".join(tags) or "(none)",
        )
    # A local checkpoint has no tag: it is preprocessed like the published weights of its architecture.
    tag_config = open_clip.get_pretrained_cfg(spec.architecture, spec.tag or tags[0]) if tags else {}
    if spec.tag:
        config["quick_gelu"] = bool(config.get("quick_gelu") or tag_config.get("quick_gelu"))
    config["preprocess_cfg"] = {
        key: tag_config[key] for key in ("mean", "std", "interpolation", "resize_mode") if key in tag_config
    }
    return config


def build_model(config: dict[str, Any]) -> nn.Module:
    """An open_clip model of that config with random weights; `preprocess_cfg` inside it is optional. Fetches nothing."""
    config = copy.deepcopy(config)
    preprocess = config.pop("preprocess_cfg", {})
    custom_text = config.pop("custom_text", False) or "hf_model_name" in config["text_cfg"]
    if "hf_model_name" in config["text_cfg"]:
        config["text_cfg"]["hf_model_pretrained"] = False
    if "timm_model_name" in config["vision_cfg"]:
        config["vision_cfg"]["timm_model_pretrained"] = False
    model_class = open_clip.CoCa if "multimodal_cfg" in config else open_clip.CLIP
    if custom_text and "multimodal_cfg" not in config:
        model_class = open_clip.CustomTextCLIP
    model: nn.Module = model_class(**config)
    visual: Any = model.visual
    visual.preprocess_cfg = merge_preprocess_dict(PreprocessCfg(size=visual.image_size), preprocess)
    return model


def build_tokenizer(config: dict[str, Any]) -> Any:
    """open_clip's BPE tokenizer with the context length of that config."""
    return open_clip.SimpleTokenizer(context_length=config["text_cfg"].get("context_length", 77))


def fingerprint(model: nn.Module) -> str:
    """SHA-256 over the names and values of all weights: the identity of a backbone, wherever its file came from."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


def _first(output: Any) -> torch.Tensor:
    """The pooled features; some towers (CoCa) give their tokens as well."""
    tensor: torch.Tensor = output[0] if isinstance(output, tuple) else output
    return tensor
