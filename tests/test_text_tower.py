"""The text tower, opened at both ends: joined up again it must be the tower that it was."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the name the whole field uses
from torch import nn

from prolip_core import backbones, prompts, text_tower
from prolip_core.types import PromptSet
from tests import fakes

CUSTOM = {**fakes.TINY_CONFIG, "custom_text": True}
WITH_BIAS = {**CUSTOM, "text_cfg": {**fakes.TEXT, "proj_bias": True}}
CONFIGS: dict[str, dict[str, Any]] = {"native": fakes.TINY_CONFIG, "custom": CUSTOM, "bias": WITH_BIAS}
PROMPTS = PromptSet(("bolt", "nut"), (("a photo of a bolt.", "a bolt."), ("a photo of a nut.",)))

each = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)


def model_of(config: dict[str, Any]) -> nn.Module:
    torch.manual_seed(0)
    model = backbones.build_model(config).eval().requires_grad_(False)
    for name, parameter in model.named_parameters():
        if name.endswith("text_projection.bias"):
            parameter.copy_(torch.randn(len(parameter)))
    return model


@each
def test_features_times_projector_are_the_text_vectors(config: dict[str, Any]) -> None:
    model, tokenizer = model_of(config), backbones.build_tokenizer(config)
    tokens = tokenizer([sentence for of_class in PROMPTS.sentences for sentence in of_class])
    before = copy.deepcopy(model.state_dict())
    opened = text_tower.before_projector(model, tokens)
    assert opened is not None
    pre_SQ, projector = opened
    assert pre_SQ.shape == (3, 32) and projector.weight_PD.shape == (32, 16)
    assert (projector.bias_D is not None) == (config is WITH_BIAS)
    raw_SD = pre_SQ @ projector.weight_PD + (0 if projector.bias_D is None else projector.bias_D)
    assert torch.allclose(raw_SD, model.encode_text(tokens), atol=1e-5)  # type: ignore[operator]
    projector.weight_PD.zero_()
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


@each
def test_the_words_themselves_as_context_give_the_plain_sentence(config: dict[str, Any]) -> None:
    model, tokenizer = model_of(config), backbones.build_tokenizer(config)
    names = ["bolt", "hex nut"]
    opened = text_tower.context_encoder(model, tokenizer, names, 3)
    assert opened is not None
    width, encode = opened
    assert width == 32
    tower: Any = model.text if "custom_text" in config else model
    words = ["big", "shiny", "photo"]
    context_LE = tower.token_embedding(tokenizer([" ".join(words)])[0, 1:4])
    sentences = tokenizer([f"big shiny photo {name}." for name in names])
    expected = F.normalize(model.encode_text(sentences), dim=-1)  # type: ignore[operator]
    assert torch.allclose(encode(context_LE), expected, atol=1e-5)


def test_the_context_has_a_gradient_and_the_model_none() -> None:
    model, tokenizer = model_of(CUSTOM), backbones.build_tokenizer(CUSTOM)
    before = copy.deepcopy(model.state_dict())
    opened = text_tower.context_encoder(model, tokenizer, ["bolt", "nut"], 2)
    assert opened is not None
    context_LE = torch.randn(2, 32, generator=torch.Generator().manual_seed(1)).requires_grad_()
    opened[1](context_LE)[0, 0].backward()  # type: ignore[no-untyped-call]
    assert context_LE.grad is not None and (context_LE.grad.abs().sum(dim=-1) > 0).all()
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_a_tower_of_another_shape_is_left_alone() -> None:
    bare = nn.Module()
    bare.text = nn.Linear(2, 2)
    assert text_tower.before_projector(bare, torch.zeros(1, 2).long()) is None
    assert text_tower.context_encoder(bare, lambda _: torch.zeros(1, 2).long(), ["a"], 1) is None


def test_a_backbone_opens_its_own_tower() -> None:
    backbone = fakes.tiny_backbone()
    prompt_set = prompts.build([prompts.make_class("bolt"), prompts.make_class("nut")], ("a {}.", "one {}."))
    opened = backbone.sentences_before_projector(prompt_set)
    assert opened is not None
    unit_SD = F.normalize(opened[0] @ opened[1].weight_PD, dim=-1)
    mean_CD = F.normalize(unit_SD.view(2, 2, -1).mean(dim=1), dim=-1)
    assert torch.allclose(mean_CD, backbone.encode_prompts(prompt_set).text_CD, atol=1e-5)
    encoder = backbone.context_encoder(["bolt", "nut"], 4)
    assert encoder is not None
    assert encoder[1](torch.zeros(4, encoder[0])).shape == (2, 16)
