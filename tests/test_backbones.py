"""Loading, splitting, encoding: with random weights of real architectures and with the built-in starter."""

from __future__ import annotations

import copy
import json
import pickle
import socket
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the name the whole field uses
from huggingface_hub import constants
from PIL import Image
from safetensors.torch import save_file

from prolip_core import backbones, catalogue, devices, weights
from prolip_core.catalogue import BackboneSpec
from prolip_core.errors import (
    BackboneError,
    CheckpointError,
    ConfigError,
    DeviceError,
    UnknownBackboneError,
    WeightsNotFoundError,
)
from prolip_core.types import PromptSet
from tests.fakes import CPU, TINY_CONFIG, tiny_backbone

PROMPTS = PromptSet(("a", "b"), (("a photo of a bolt.", "a bolt"), ("a nut",)))
TINY_ARCHITECTURE = "tiny-test-clip"


@pytest.fixture
def tiny_architecture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The tiny CLIP as a model that open_clip knows by name, with one published tag that cannot be reached."""
    from open_clip import factory, pretrained

    monkeypatch.setattr(factory, "_MODEL_CONFIG_PATHS", list(factory._MODEL_CONFIG_PATHS))
    monkeypatch.setattr(factory, "_MODEL_CONFIGS", dict(factory._MODEL_CONFIGS))
    add_architecture(tmp_path, TINY_ARCHITECTURE, TINY_CONFIG)
    tag = {"hf_hub": "nobody/tiny-test/", "mean": (0.1, 0.2, 0.3), "std": (0.5, 0.6, 0.7), "quick_gelu": True}
    tag |= {"interpolation": "bilinear", "resize_mode": "squash"}
    monkeypatch.setitem(pretrained._PRETRAINED, TINY_ARCHITECTURE, {"published": tag})
    return TINY_ARCHITECTURE


def add_architecture(folder: Path, name: str, config: dict[str, Any]) -> None:
    (folder / f"{name}.json").write_text(json.dumps(config))
    open_clip.add_model_config(folder / f"{name}.json")


def random_state(seed: int = 0) -> dict[str, torch.Tensor]:
    torch.manual_seed(seed)
    return backbones.build_model(TINY_CONFIG).state_dict()


def spec_for(path: Path, architecture: str = TINY_ARCHITECTURE) -> BackboneSpec:
    return catalogue.parse(f"{architecture}:{path}")


@pytest.mark.parametrize("suffix", [".safetensors", ".pt", ".pth", ".bin"])
def test_a_local_checkpoint_is_loaded(suffix: str, tiny_architecture: str, tmp_path: Path) -> None:
    path, state = tmp_path / f"weights{suffix}", random_state(3)
    if suffix == ".safetensors":
        save_file(state, path)
    else:
        torch.save({"state_dict": {f"module.{key}": value for key, value in state.items()}}, path)
    backbone = backbones.load(spec_for(path), CPU)
    torch.manual_seed(3)
    assert backbone.fingerprint == backbones.fingerprint(backbones.build_model(TINY_CONFIG))
    # A local file is preprocessed like the published weights of its architecture.
    assert backbone.preprocessing["mean"] == (0.1, 0.2, 0.3)
    assert backbone.preprocessing["resize_mode"] == "squash"


def test_a_multilingual_text_tower_reads_japanese(tiny_architecture: str, tmp_path: Path) -> None:
    """A text tower of the transformers library with its own tokenizer, as the XLM-R and SigLIP models have: all of it local."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast, XLMRobertaConfig

    vocabulary = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3, "ボルト": 4, "ナット": 5, "写真": 6}
    words = Tokenizer(models.WordLevel(vocabulary, "<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    special = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    tokenizer: Any = PreTrainedTokenizerFast(tokenizer_object=words, **special)  # type: ignore[no-untyped-call]
    tower = str(tmp_path / "tower")
    tokenizer.save_pretrained(tower)
    XLMRobertaConfig(
        vocab_size=7,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=80,
    ).save_pretrained(tower)
    text = {"hf_model_name": tower, "hf_tokenizer_name": tower, "hf_pooler_type": "mean_pooler", "context_length": 16}
    config = {**TINY_CONFIG, "text_cfg": text}
    add_architecture(tmp_path, "tiny-multilingual", config)
    path = tmp_path / "weights.safetensors"
    save_file({key: value.contiguous() for key, value in backbones.build_model(config).state_dict().items()}, path)
    backbone = backbones.load(spec_for(path, "tiny-multilingual"), CPU)
    prompts = PromptSet(("ボルト", "ナット"), (("ボルト 写真",), ("ナット 写真",)))
    text_CD = backbone.encode_prompts(prompts).text_CD
    assert text_CD.shape == (2, 16)
    assert not torch.allclose(text_CD[0], text_CD[1], atol=1e-3)


class Malicious:
    """A pickle that would run a command when it is opened."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.target,))


def test_a_checkpoint_with_code_in_it_is_never_opened(tiny_architecture: str, tmp_path: Path) -> None:
    trap = tmp_path / "the-code-ran"
    path = tmp_path / "evil.pt"
    torch.save({"state_dict": Malicious(trap)}, path)
    with pytest.raises(CheckpointError, match="holds program code"):
        backbones.load(spec_for(path), CPU)
    plain = tmp_path / "evil.bin"
    plain.write_bytes(pickle.dumps(Malicious(trap)))
    with pytest.raises(CheckpointError):
        backbones.load(spec_for(plain), CPU)
    assert not trap.exists()


def write_bad_checkpoint(kind: str, folder: Path) -> Path:
    path = folder / "bad.safetensors"
    state = random_state()
    if kind == "empty":
        path.write_bytes(b"")
    elif kind == "text":
        path.write_text("<html>not found</html>")
    elif kind == "cut":
        save_file(state, path)
        path.write_bytes(path.read_bytes()[:-100])
    elif kind == "another model":
        save_file({key: value[:1].clone() for key, value in state.items() if value.ndim}, path)
    elif kind == "tensors missing":
        save_file({key: value for key, value in state.items() if "visual" in key}, path)
    elif kind == "no tensors":
        path = folder / "bad.pt"
        torch.save({"epoch": 3}, path)
    elif kind == "cut .pt":
        path = folder / "bad.pt"
        torch.save(state, path)
        path.write_bytes(path.read_bytes()[:1000])
    elif kind == "TorchScript":
        path = folder / "bad.pt"
        torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "not a number":
        state["visual.proj"] = torch.full_like(state["visual.proj"], float("nan"))
        save_file(state, path)
    return path


@pytest.mark.parametrize(
    ("kind", "error", "words"),
    [
        ("empty", CheckpointError, "damaged or incomplete"),
        ("text", CheckpointError, "damaged or incomplete"),
        ("cut", CheckpointError, "damaged or incomplete"),
        ("another model", CheckpointError, "does not belong to the model"),
        ("tensors missing", CheckpointError, "does not belong to the model"),
        ("no tensors", CheckpointError, "does not belong to the model"),
        ("cut .pt", CheckpointError, "damaged or incomplete"),
        ("TorchScript", CheckpointError, "holds program code"),
        ("folder", WeightsNotFoundError, "There is no weights file"),
        ("absent", WeightsNotFoundError, "There is no weights file"),
        ("not a number", BackboneError, "could not be split off"),
    ],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_bad_checkpoint_is_named(
    kind: str, error: type[Exception], words: str, tiny_architecture: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=words) as caught:
        backbones.load(spec_for(write_bad_checkpoint(kind, tmp_path)), CPU)
    if kind != "not a number":
        assert "bad." in str(caught.value)


def test_no_weights_in_reach_says_which_file_to_put_where(tiny_architecture: str, own_data_folder: Path) -> None:
    spec = catalogue.parse(f"{tiny_architecture}:published")
    with pytest.raises(WeightsNotFoundError) as caught:
        backbones.load(spec, CPU)
    target = own_data_folder / "checkpoints" / f"{tiny_architecture}--published.safetensors"
    assert str(target) in str(caught.value)
    assert "https://huggingface.co/nobody/tiny-test" in str(caught.value)
    assert "starter" in str(caught.value)
    assert weights.reach(spec) == "download"

    target.parent.mkdir(parents=True)
    # quick_gelu of the tag changes no tensor, only the activation.
    save_file(random_state(5), target)
    assert weights.reach(spec) == "on this computer"
    backbone = backbones.load(spec, CPU)
    activations = {type(module).__name__ for module in backbone._model.modules()}
    assert "QuickGELU" in activations
    assert "GELU" not in activations


def test_an_unreachable_hub_is_asked_once_and_quietly(
    tiny_architecture: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The hub client alone would try for a minute and fill the screen."""
    tried: list[object] = []

    def refuse(address: object, timeout: float) -> None:
        tried.append((address, timeout))
        raise OSError("no route")

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(weights, "getproxies", dict)
    monkeypatch.setattr(socket, "create_connection", refuse)
    with pytest.raises(WeightsNotFoundError, match=r"no connection to huggingface\.co"):
        backbones.load(catalogue.parse(f"{tiny_architecture}:published"), CPU)
    assert tried == [(("huggingface.co", 443), weights.CONNECT_TIMEOUT_S)]
    assert not constants.HF_HUB_OFFLINE
    assert not caplog.records


def test_openai_weights_always_come_with_quick_gelu() -> None:
    """Under the plain name as well, where open_clip itself would only warn."""
    for architecture in ("ViT-B-32", "ViT-B-32-quickgelu", "RN50", "ViT-L-14"):
        assert backbones.architecture_config(BackboneSpec("x", architecture, "openai"))["quick_gelu"] is True
    assert not backbones.architecture_config(BackboneSpec("x", "ViT-B-32", "laion2b_s34b_b79k"))["quick_gelu"]


def test_every_entry_of_the_catalogue_exists_in_open_clip() -> None:
    assert len({spec.name for spec in catalogue.CATALOGUE}) == len(catalogue.CATALOGUE)
    for spec in catalogue.CATALOGUE:
        assert spec.title and spec.description and spec.licence and spec.language
        assert spec.speed in {"fast", "medium", "slow"}
        assert ("MobileCLIP" in spec.architecture) == (not spec.commercial_use)
        if spec.name != catalogue.STARTER:
            config = backbones.architecture_config(spec)
            assert config["preprocess_cfg"]["mean"]
            assert spec.download_mb > 100
            assert weights.reach(spec) == "download"
    assert weights.reach(catalogue.parse("starter")) == "built in"


def test_names_are_understood() -> None:
    assert catalogue.parse("starter").name == "starter"
    assert catalogue.parse("ViT-B-32:laion2b_s34b_b79k").name == "laion-vit-b-32"
    custom = catalogue.parse("convnext_base_w:laion2b_s13b_b82k")
    assert (custom.architecture, custom.tag) == ("convnext_base_w", "laion2b_s13b_b82k")
    windows = catalogue.parse(r"ViT-B-32:C:\weights\mine.safetensors")
    assert (windows.architecture, str(windows.checkpoint)) == ("ViT-B-32", r"C:\weights\mine.safetensors")


@pytest.mark.parametrize("text", ["", "nonsense", ":", "ViT-B-32:", ":openai"])
def test_a_name_that_is_none_lists_what_there_is(text: str) -> None:
    with pytest.raises(UnknownBackboneError, match="starter, openai-vit-b-32"):
        catalogue.parse(text)


def test_an_unknown_model_or_tag_is_named() -> None:
    with pytest.raises(UnknownBackboneError, match="no model “ViT-Q-99”"):
        backbones.architecture_config(BackboneSpec("x", "ViT-Q-99", "openai"))
    with pytest.raises(UnknownBackboneError, match=r"no weights “nope”.*openai"):
        backbones.architecture_config(BackboneSpec("x", "ViT-B-32", "nope"))


def test_a_sentence_vector_is_the_normalised_mean_of_unit_vectors() -> None:
    backbone = tiny_backbone()
    vectors = backbone.encode_prompts(PROMPTS)
    model, tokenizer = backbone._model, backbone._tokenizer
    for row, sentences in zip(vectors.text_CD, PROMPTS.sentences, strict=True):
        units = []
        for sentence in sentences:
            encoded = model.encode_text(tokenizer([sentence]))[0]  # type: ignore[operator]
            units.append(encoded / encoded.norm())
        mean = torch.stack(units).sum(0) / len(units)
        assert torch.allclose(row, mean / mean.norm(), atol=1e-5)
    assert vectors.class_names == ("a", "b")


def test_the_logit_scale_is_the_model_s_own() -> None:
    torch.manual_seed(0)
    model = backbones.build_model(TINY_CONFIG).eval().requires_grad_(False)
    model.logit_scale.fill_(2.0)  # type: ignore[operator]
    with torch.no_grad():
        backbone = backbones.Backbone(BackboneSpec("tiny", "tiny"), model, backbones.build_tokenizer(TINY_CONFIG), CPU)
    assert backbone.logit_scale == pytest.approx(7.389056)


def test_nothing_of_a_backbone_asks_for_gradients() -> None:
    backbone = tiny_backbone()
    assert not any(parameter.requires_grad for parameter in backbone._model.parameters())
    pre_BP = backbone.encode_pre(torch.rand(2, 3, 32, 32))
    assert pre_BP.shape == (2, backbone.pre_width)
    assert pre_BP.dtype == torch.float32
    # What comes out may be trained on.
    (pre_BP @ torch.ones(backbone.pre_width, 1, requires_grad=True)).sum().backward()  # type: ignore[no-untyped-call]


def test_the_fingerprint_changes_with_any_weight() -> None:
    torch.manual_seed(0)
    model = backbones.build_model(TINY_CONFIG)
    before = backbones.fingerprint(model)
    changed = copy.deepcopy(model)
    with torch.no_grad():
        changed.state_dict()["visual.conv1.weight"].view(-1)[0] += 1e-3
    assert backbones.fingerprint(model) == before
    assert backbones.fingerprint(changed) != before


def test_a_long_photo_is_seen_whole_and_an_ordinary_one_as_the_model_wants_it() -> None:
    backbone = tiny_backbone()
    ordinary = Image.effect_noise((160, 90), 60).convert("RGB")
    assert backbone.framed(ordinary) is ordinary
    for size in ((300, 100), (100, 300)):
        long = Image.new("RGB", size, "white")
        framed = backbone.framed(long)
        assert framed.size == (300, 300)
        assert (np.asarray(framed) == 255).all(axis=-1).mean() == pytest.approx(1 / 3)
        grey = [round(255 * channel) for channel in backbone.preprocessing["mean"]]
        assert framed.getpixel((0, 0)) == tuple(grey)


def test_a_crop_over_everything_is_the_plain_resize() -> None:
    backbone = tiny_backbone()
    image = Image.effect_noise((64, 64), 60).convert("RGB")
    plain, whole = backbone.pixels(image), backbone.pixels_of_crop(image, (0, 0, 64, 64), flip=False)
    assert torch.allclose(plain, whole, atol=1e-4)
    flipped = backbone.pixels_of_crop(image, (0, 0, 64, 64), flip=True)
    assert torch.allclose(flipped, whole.flip(-1), atol=0.05)
    assert not torch.allclose(flipped, whole, atol=0.05)


def test_bfloat16_stays_close_to_full_precision() -> None:
    half = devices.choose("cpu", "bfloat16")
    pixels_B3HW = torch.rand(4, 3, 32, 32)
    exact, rounded = tiny_backbone().encode_pre(pixels_B3HW), tiny_backbone(device=half).encode_pre(pixels_B3HW)
    assert rounded.dtype == torch.float32
    assert F.cosine_similarity(exact, rounded).min() > 0.999
    assert not torch.equal(exact, rounded)


def test_devices() -> None:
    assert devices.choose("cpu", "float32").dtype == torch.float32
    assert "CPU" in devices.choose("cpu").title
    assert devices.choose().torch_device.type in {"cuda", "mps", "cpu"}
    assert devices.choose("cpu").fit_device.type == "cpu"
    with pytest.raises(ConfigError, match="no device “tpu”"):
        devices.choose("tpu")
    with pytest.raises(ConfigError, match="no precision “int4”"):
        devices.choose("cpu", "int4")
    for wrong in ("cpu:0", "cuda:x", "cuda:-1", ""):
        with pytest.raises((ConfigError, DeviceError)):
            devices.choose(wrong)
    if not torch.cuda.is_available():
        with pytest.raises(DeviceError, match=r"“cuda” is not there.*cpu"):
            devices.choose("cuda")


def test_bfloat16_only_where_the_processor_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for capabilities, expected in (
        ({"amx_bf16": True}, torch.bfloat16),
        ({"avx512_bf16": True}, torch.bfloat16),
        ({"avx2": True}, torch.float32),
    ):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda found=capabilities: found, raising=False)
        assert devices.choose("cpu").dtype == expected


def test_the_starter_loads_like_every_other_backbone() -> None:
    backbone = backbones.load(catalogue.parse("starter"), CPU)
    assert backbone.projector_kind == "linear"
    assert backbone.pre_width == 1280
    assert backbone.projector.bias_D is not None
    vectors = backbone.encode_prompts(PROMPTS)
    assert torch.allclose(vectors.text_CD.norm(dim=-1), torch.ones(2), atol=1e-5)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU on this machine")
def test_on_a_gpu_the_answers_are_those_of_the_cpu() -> None:
    gpu = devices.choose("cuda")
    assert gpu.dtype == torch.float16
    on_cpu = backbones.load(catalogue.parse("starter"), CPU)
    on_gpu = backbones.load(catalogue.parse("starter"), gpu)
    pixels_B3HW = torch.rand(4, 3, 224, 224)
    assert F.cosine_similarity(on_cpu.encode_pre(pixels_B3HW), on_gpu.encode_pre(pixels_B3HW)).min() > 0.999
    assert torch.allclose(on_cpu.encode_prompts(PROMPTS).text_CD, on_gpu.encode_prompts(PROMPTS).text_CD, atol=1e-2)
