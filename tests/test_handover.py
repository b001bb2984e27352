"""A finished run as a zip: what is in it, that it answers as the engine does, and what is told where it cannot."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from prolip_core import backbones, catalogue, classify, cli, runs, sure_rule
from prolip_core.errors import Cancelled, HandOverError, ProjectorNotFoundError
from prolip_core.handover import bundle, files, model_card, onnx_export, opened, predict, settings
from prolip_core.runs import SavedRun
from prolip_core.types import Projector, PromptSet
from tests import fakes, handover_run
from tests.handover_run import Made
from tests.test_projectors import ARCHITECTURES

PROMPTS = PromptSet(("a", "b", "c"), (("a bolt",), ("a nut",), ("a washer",)))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    found = Made(tmp_path_factory.mktemp("hand-over"))
    with handover_run.known(found.root, fakes.TINY_CONFIG) as backbone:
        handover_run.pilot(found, backbone)
        handover_run.hand_over(found, *handover_run.with_photos(found))
        yield found


@pytest.fixture(scope="module")
def unpacked(made: Made) -> Path:
    folder = made.root / "unpacked"
    with zipfile.ZipFile(made.zip) as archive:
        archive.extractall(folder)
    return folder


def settings_of(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / files.SETTINGS).read_text(encoding="utf-8"))
    return content


def test_every_file_is_there_with_its_check_sum(unpacked: Path) -> None:
    found = {path.relative_to(unpacked).as_posix() for path in unpacked.rglob("*") if path.is_file()}
    assert found == {*files.WHAT, "check/test_photo.jpg"} - {files.TEST_PHOTO}
    lines = [line.split("  ") for line in (unpacked / files.SUMS).read_text().splitlines()]
    assert {name for _, name in lines} == found - {files.SUMS}
    for digest, name in lines:
        assert hashlib.sha256((unpacked / name).read_bytes()).hexdigest() == digest


def test_predict_answers_as_the_engine_does(made: Made, unpacked: Path) -> None:
    """In a process of its own that finds nothing of ours, on every test photo."""
    line = [sys.executable, "-I", str(unpacked / files.PREDICT), str(made.photos / "test"), "--json"]
    found = json.loads(subprocess.run(line, check=True, capture_output=True, cwd=unpacked).stdout)["predictions"]
    saved = runs.load(made.run, device="cpu")
    rule = sure_rule.of_result(runs.read_result(made.run))
    names = saved.class_vectors.class_names
    assert len(found) == 12
    for one in found:
        data = (made.photos / "test" / one["photo"]).read_bytes()
        (expected,) = saved.predict(_Bytes(data), [hashlib.sha256(data).hexdigest()], None)
        assert one["class"] == names[expected.predicted]
        assert [one["probabilities"][name] for name in names] == pytest.approx(expected.probabilities, abs=1e-4)
        if rule is None:
            assert one["sure"] is None
        else:
            corrected = float(rule.corrected(np.array(expected.probabilities)).max())
            assert one["corrected_confidence"] == pytest.approx(corrected, abs=1e-4)
            assert one["sure"] == rule.is_sure(corrected)


class _Bytes:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self, image_id: str) -> bytes:
        return self._data


def test_the_self_check_passes_and_finds_another_model(unpacked: Path) -> None:
    classifier = predict.Classifier(lambda name: (unpacked / name).read_bytes())
    assert "2 of 2" in predict.self_check(unpacked, classifier)
    expected = json.loads((unpacked / files.CHECK).read_text(encoding="utf-8"))
    photo = next(one for one in expected["pictures"] if one["file"].startswith("test_photo"))
    assert photo["true_class"] in classifier.names
    classifier.settings["preprocessing"]["mean"] = [0.0, 0.9, 0.2]
    with pytest.raises(SystemExit, match="FAILED"):
        predict.self_check(unpacked, classifier)


def test_the_check_in_the_settings_is_what_was_measured(made: Made, unpacked: Path) -> None:
    content, result = settings_of(unpacked), runs.read_result(made.run)
    check = content["check"]
    assert (check["count"], check["on_test"], check["same"], check["same_as_run"]) == (12, True, 12, 12)
    assert check["difference"] <= 1e-4
    assert check["float32"]["right"] == result["prolip"]["correct"]
    assert check["float32"]["accuracy_interval"] == pytest.approx(result["prolip"]["accuracy_interval"])
    assert check["int8_way"] == "dynamic"  # a transformer
    assert 0 <= check["int8"]["right"] <= 12
    assert content["data_sha256"] == settings.data_fingerprint(result)
    other = json.loads(json.dumps(result))
    other["photos"]["query"][0]["class"] = "bolt" if other["photos"]["query"][0]["class"] != "bolt" else "=nut"
    assert settings.data_fingerprint(other) != content["data_sha256"]


def test_open_clip_alone_gives_the_answers(made: Made, unpacked: Path) -> None:
    model, _, _ = open_clip.create_model_and_transforms(f"local-dir:{unpacked / 'open_clip'}")
    names = json.loads((unpacked / files.CLASS_NAMES).read_text(encoding="utf-8"))
    text_CD = load_file(unpacked / files.CLASS_VECTORS)["text_CD"]
    saved = runs.load(made.run, device="cpu")
    pixels_B3HW = torch.rand(3, 3, 32, 32)
    with torch.no_grad():
        image_BD = model.eval().encode_image(pixels_B3HW, normalize=True)
        probs_BC = (model.logit_scale.exp() * image_BD @ text_CD.T).softmax(dim=-1)
        pre_BP = saved.backbone.encode_pre(pixels_B3HW)
        logits_BC = classify.logits(pre_BP, saved.projector, saved.class_vectors.text_CD, saved.backbone.logit_scale)
    assert tuple(names) == saved.class_vectors.class_names
    assert torch.allclose(probs_BC, logits_BC.softmax(dim=-1), atol=1e-5)


def test_the_card_says_the_figures_in_both_languages(made: Made, unpacked: Path) -> None:
    card = (unpacked / files.CARD).read_text(encoding="utf-8")
    correct = runs.read_result(made.run)["prolip"]["correct"]
    assert f"{correct} of 12" in card
    assert f"12 枚中 {correct} 枚" in card.partition("## 日本語")[2]
    assert "95 %" in card.partition("## 日本語")[2]
    assert r"\=nut" in card or "=nut" in card
    assert settings_of(unpacked)["data_sha256"] in card


def test_user_text_in_the_card_is_data() -> None:
    assert model_card.data("![x](http://e)\n|<b>") == r"\!\[x\]\(http://e\) \|\<b\>"


def test_without_photos_the_zip_says_so(made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "bare.zip"
    assert cli.main(["hand-over", str(made.run), "--out", str(out), "--without-checkpoint"]) == 0
    assert "made-up pictures only" in capsys.readouterr().out
    with zipfile.ZipFile(out) as archive:
        names = set(archive.namelist())
        card = archive.read(files.CARD).decode()
    assert not {files.INT8, files.CHECKPOINT, "check/test_photo.jpg"} & names
    assert files.PATTERN in names
    assert "checked on made-up pictures only" in card
    assert opened.open_(out).names == ["=nut", "bolt", "ワッシャー"]


def test_a_threshold_that_a_person_chose_goes_along(made: Made, tmp_path: Path) -> None:
    result = runs.read_result(made.run)
    if result["sure"] is None:
        result["sure"] = {
            **dict.fromkeys(("support_answered", "support_wrong", "least_answers"), 1),
            "temperature": 2.0,
            "threshold": None,
            "limit": 0.05,
            "assured": False,
            "upper_bound": None,
        }
    saved = runs.load(made.run, device="cpu")
    assert settings.content(saved, result, 0.75)["sure"]["threshold"] == 0.75
    assert settings.content(saved, {**result, "sure": None}, 0.75)["sure"] is None


def test_predict_takes_the_zip_and_its_folder(made: Made, unpacked: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answers = []
    for path in (made.run, made.zip, unpacked):
        capsys.readouterr()
        assert cli.main(["predict", str(path), str(made.photos / "test"), "--json"]) == 0
        answers.append(json.loads(capsys.readouterr().out)["predictions"])
    for one in answers[1:]:
        assert [(a["photo"], a["class"], a["sure"]) for a in one] == [
            (a["photo"], a["class"], a["sure"]) for a in answers[0]
        ]
    assert cli.main(["predict", str(made.zip), str(made.photos / "test"), "--add-class", "gear"]) == 2


@pytest.mark.parametrize("damage", ["no zip", "cut", "no model", "other format", "empty folder"])
def test_a_damaged_hand_over_file_is_named(made: Made, tmp_path: Path, damage: str) -> None:
    path = tmp_path / "damaged.zip"
    if damage == "no zip":
        path.write_text("nothing")
    elif damage == "cut":
        path.write_bytes(made.zip.read_bytes()[:-2000])
    elif damage == "empty folder":
        path.mkdir()
    else:
        with zipfile.ZipFile(made.zip) as archive, zipfile.ZipFile(path, "w") as other:
            facts = json.loads(archive.read(files.SETTINGS))
            facts["format"] = 99 if damage == "other format" else facts["format"]
            other.writestr(files.SETTINGS, json.dumps(facts))
            if damage == "other format":
                other.writestr(files.FLOAT, archive.read(files.FLOAT))
    with pytest.raises(HandOverError, match=r"damaged\.zip"):
        opened.open_(path)


def test_a_stop_leaves_no_file(made: Made, tmp_path: Path) -> None:
    out = tmp_path / "stopped.zip"
    with pytest.raises(Cancelled):
        bundle.make(made.run, out, on_progress=lambda progress: progress.done >= 8)
    assert list(tmp_path.iterdir()) == []


def test_photos_of_another_run_are_refused(made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fakes.write_photos(tmp_path / "other", {"gear": range(70, 72)})
    line = ["hand-over", str(made.run), "--out", str(tmp_path / "x.zip"), "--photos", str(tmp_path / "other")]
    assert cli.main(line) == 2
    assert "None of the photos of this run lie in" in capsys.readouterr().err
    assert not (tmp_path / "x.zip").exists()


def trained(vision: dict[str, Any], embed: int = 16) -> SavedRun:
    """A tiny model with a projector that is not its own."""
    backbone = fakes.tiny_backbone(config={"embed_dim": embed, "vision_cfg": dict(vision), "text_cfg": fakes.TEXT})
    own = backbone.projector
    random = torch.Generator().manual_seed(1)
    weight_PD = own.weight_PD + 0.3 * own.weight_PD.std() * torch.randn(own.weight_PD.shape, generator=random)
    return SavedRun(backbone, backbone.encode_prompts(PROMPTS), Projector(weight_PD, own.bias_D), ("{}",))


@pytest.mark.parametrize("name", ["matrix of CoCa", "attention_pool", "mlp"])
def test_a_projector_of_every_kind_becomes_one_file(name: str) -> None:
    saved = trained(ARCHITECTURES[name])
    exported = onnx_export.export(saved)
    assert exported.difference <= onnx_export.TOLERANCE
    pixels = [np.random.default_rng(i).random((3, *saved.backbone.image_size_px), dtype=np.float32) for i in range(3)]
    small = onnx_export.int8(exported.model, pixels, name)
    assert len(small.model) < len(exported.model)
    assert small.way == ("dynamic" if name == "matrix of CoCa" else "static")


KINDS_TO_MERGE = ["matrix", "attention_pool", "linear with bias", "mlp", "classifier", "adapter"]


@pytest.mark.parametrize("name", KINDS_TO_MERGE)
def test_a_merged_checkpoint_of_every_kind_answers_as_the_split_model(name: str, tmp_path: Path) -> None:
    embed = 768 if name == "adapter" else 16
    config: dict[str, Any] = {"embed_dim": embed, "vision_cfg": dict(ARCHITECTURES[name]), "text_cfg": fakes.TEXT}
    if "timm_model_name" in config["vision_cfg"]:
        config["custom_text"] = True
    with handover_run.known(tmp_path, config) as text:
        spec = catalogue.parse(text)
        backbone = backbones.load(spec, fakes.CPU)
        own = backbone.projector
        weight_PD = own.weight_PD + 0.1 * torch.randn(own.weight_PD.shape, generator=torch.Generator().manual_seed(2))
        merged = backbones.merged(spec, Projector(weight_PD, own.bias_D))
        model = backbones.build_model(merged.model_config).eval()
        model.load_state_dict(merged.state)
    pixels_B3HW = torch.rand(2, 3, *backbone.image_size_px)
    with torch.no_grad():
        found_BD = model.encode_image(pixels_B3HW, normalize=True)  # type: ignore[operator]
    expected_BD = classify.image_embeddings(backbone.encode_pre(pixels_B3HW), Projector(weight_PD, own.bias_D))
    assert torch.allclose(found_BD, expected_BD, atol=1e-4)


def test_a_model_that_cannot_be_exported_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: Any, **_options: Any) -> None:
        raise RuntimeError("no such operator\nand more")

    saved = trained(ARCHITECTURES["matrix"])
    monkeypatch.setattr(torch.onnx, "export", refuse)
    with pytest.raises(HandOverError, match=r"The model “tiny” cannot be written as an ONNX file \(no such operator\)"):
        onnx_export.export(saved)


def test_a_tower_without_a_place_is_refused() -> None:
    from prolip_core import projectors

    class Tower(nn.Module):
        pass

    with pytest.raises(ProjectorNotFoundError):
        projectors.put_back(Tower(), Projector(torch.eye(2)))
