"""Every vision tower that open_clip can build keeps its projector in a place that is known, and it comes out whole."""

from __future__ import annotations

import copy
from collections import Counter
from typing import Any

import open_clip
import pytest
import torch
from open_clip.model import _build_vision_tower
from torch import nn

from prolip_core import projectors
from prolip_core.errors import ProjectorNotFoundError
from tests.fakes import tiny_backbone

# Real architectures, shrunk where open_clip's config lets one; timm trunks come in one size.
ARCHITECTURES: dict[str, dict[str, Any]] = {
    "matrix": {"image_size": 32, "layers": 2, "width": 48, "head_width": 16, "patch_size": 8},
    "matrix of CoCa": {
        "image_size": 32,
        "layers": 2,
        "width": 48,
        "head_width": 16,
        "patch_size": 8,
        "attentional_pool": True,
        "attn_pooler_heads": 2,
        "attn_pooler_queries": 4,
        "output_tokens": True,
    },
    "attention_pool": {"image_size": 64, "layers": [1, 1, 1, 1], "width": 16, "patch_size": None},
    "linear": {"timm_model_name": "convnext_atto", "timm_pool": "", "timm_proj": "linear", "image_size": 64},
    "linear with bias": {
        "timm_model_name": "tf_efficientnet_lite0",
        "timm_pool": "avg",
        "timm_proj": "linear",
        "timm_proj_bias": True,
        "image_size": 64,
    },
    "mlp": {"timm_model_name": "convnext_atto", "timm_pool": "", "timm_proj": "mlp", "image_size": 64},
    "classifier": {"timm_model_name": "fastvit_t8", "timm_pool": "avg", "timm_proj": None, "image_size": 64},
    "classifier of EVA": {
        "timm_model_name": "eva02_tiny_patch14_224",
        "timm_pool": "token",
        "timm_proj": None,
        "image_size": 224,
    },
    "classifier of PE": {
        "timm_model_name": "vit_pe_core_tiny_patch16_384",
        "timm_pool": "map",
        "timm_proj": None,
        "image_size": 384,
    },
    "adapter": {
        "timm_model_name": "vit_base_patch32_siglip_256",
        "timm_pool": "map",
        "timm_proj": "none",
        "image_size": 256,
    },
}


def kind_by_config(vision: dict[str, Any]) -> str:
    """What a reader of the config expects, without building anything (open_clip's `timm_model.py` and `model.py`)."""
    if "timm_model_name" not in vision:
        return "attention_pool" if isinstance(vision["layers"], list) else "matrix"
    return {"linear": "linear", "mlp": "mlp", "none": "adapter"}.get(vision.get("timm_proj", "linear"), "classifier")


@pytest.mark.parametrize("name", open_clip.list_models())
def test_the_kind_of_every_config_of_open_clip(name: str) -> None:
    config = copy.deepcopy(open_clip.get_model_config(name))
    config["vision_cfg"]["timm_model_pretrained"] = False
    # The meta device builds the structure without memory for the weights: even the largest takes a second.
    with torch.device("meta"):
        visual = _build_vision_tower(config["embed_dim"], config["vision_cfg"], config.get("quick_gelu", False))
    assert projectors.kind_of(visual) == kind_by_config(config["vision_cfg"])


def test_every_kind_is_met_in_the_wild_and_checked_by_numbers() -> None:
    found = Counter(kind_by_config(open_clip.get_model_config(name)["vision_cfg"]) for name in open_clip.list_models())
    assert set(found) == set(projectors.KINDS)
    assert {name.split()[0] for name in ARCHITECTURES} == set(projectors.KINDS)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_pre_times_w_plus_b_is_the_model_s_own_output(name: str) -> None:
    """The check that every load makes, made here from outside on a real architecture of every kind."""
    vision = ARCHITECTURES[name]
    width = 768 if name == "adapter" else 16
    visual: Any = _build_vision_tower(width, vision, False).eval()
    # Random statistics and biases, so that nothing is right by being zero.
    torch.manual_seed(1)
    for module in visual.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean = 0.1 * torch.randn_like(module.running_mean)  # type: ignore[arg-type]
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.normal_(module.bias, std=0.1)
    pixels = torch.rand(2, 3, vision["image_size"], vision["image_size"])
    with torch.no_grad():
        output = visual(pixels)
        expected_BD = output[0] if isinstance(output, tuple) else output
        kind = projectors.kind_of(visual)
        projector = projectors.take_out(visual, expected_BD.shape[1])
        output = visual(pixels)
        pre_BP = output[0] if isinstance(output, tuple) else output
    assert kind == name.split()[0]
    got_BD = pre_BP @ projector.weight_PD
    if projector.bias_D is not None:
        got_BD = got_BD + projector.bias_D
    assert torch.allclose(got_BD, expected_BD, atol=1e-4 * float(expected_BD.abs().max()))
    assert (projector.bias_D is not None) == (kind in {"attention_pool", "classifier"} or name == "linear with bias")
    if kind == "adapter":
        assert torch.equal(projector.weight_PD, torch.eye(width))
    elif name != "matrix of CoCa":  # CoCa's pooling already ends in the joint width
        assert pre_BP.shape[1] != expected_BD.shape[1]


def test_the_projector_is_a_copy() -> None:
    backbone = tiny_backbone()
    first = backbone.projector
    first.weight_PD.zero_()
    assert backbone.projector.weight_PD.abs().sum() > 0


def test_a_tower_of_another_shape_is_refused() -> None:
    class Odd(nn.Module):
        pass

    with pytest.raises(ProjectorNotFoundError, match="Odd"):
        projectors.kind_of(Odd())
