"""The saved projector: what goes in comes out, and only beside what it was trained with."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from prolip_core import projector_file, prompts
from prolip_core.backbones import Backbone
from prolip_core.errors import ProjectorMismatchError, RunError
from prolip_core.types import Projector, PromptSet
from tests import fakes

CLASSES = ("良品", "傷あり")


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return fakes.tiny_backbone()


def _prompts(names: tuple[str, ...] = CLASSES, template: str = "a photo of a {}.") -> PromptSet:
    return prompts.build([prompts.make_class(name) for name in names], [template])


def _trained(backbone: Backbone) -> Projector:
    return Projector(backbone.projector.weight_PD + 0.5)


@pytest.fixture
def saved(backbone: Backbone, tmp_path: Path) -> Path:
    path = tmp_path / "projector.safetensors"
    projector_file.save(path, _trained(backbone), backbone, _prompts())
    return path


@pytest.mark.parametrize("bias", [False, True])
def test_what_goes_in_comes_out(backbone: Backbone, tmp_path: Path, bias: bool) -> None:
    before = replace(_trained(backbone), bias_D=torch.arange(16.0) if bias else None)
    # A transposed matrix does not lie in one piece in memory, as the file wants it.
    before = replace(before, weight_PD=before.weight_PD.T.contiguous().T)
    path = tmp_path / "p.safetensors"
    projector_file.save(path, before, backbone, _prompts())
    after = projector_file.load(path, backbone, _prompts())
    assert torch.equal(after.weight_PD, before.weight_PD)
    if before.bias_D is None:
        assert after.bias_D is None
    else:
        assert after.bias_D is not None
        assert torch.equal(after.bias_D, before.bias_D)


def test_any_program_can_read_it_and_what_it_belongs_to(saved: Path, backbone: Backbone) -> None:
    with safe_open(saved, framework="pt") as file:
        assert set(file.keys()) == {"weight_PD"}
        metadata = file.metadata()
    assert metadata["backbone_sha256"] == backbone.fingerprint
    assert metadata["class_names"] == '["良品", "傷あり"]'
    assert metadata["backbone"] == "tiny"


def test_the_order_of_its_templates_and_names_is_part_of_the_identity() -> None:
    def fingerprint(*sentences: tuple[str, ...]) -> str:
        return projector_file.prompt_fingerprint(PromptSet(CLASSES, sentences))

    assert fingerprint(("a", "b"), ("c",)) == fingerprint(("a", "b"), ("c",))
    assert len({fingerprint(*s) for s in ((("a", "b"), ("c",)), (("a",), ("b", "c")), (("c",), ("a", "b")))}) == 3


def test_another_backbone_is_refused(saved: Path) -> None:
    with pytest.raises(ProjectorMismatchError, match="trained with another backbone") as caught:
        projector_file.load(saved, fakes.tiny_backbone(seed=1), _prompts())
    assert "tiny" in caught.value.reason_text
    assert "良品" in caught.value.reason_text


@pytest.mark.parametrize("names", [("傷あり", "良品"), ("良品", "汚れ"), (*CLASSES, "汚れ")])
def test_another_class_list_is_refused(saved: Path, backbone: Backbone, names: tuple[str, ...]) -> None:
    with pytest.raises(ProjectorMismatchError, match="trained with another class list"):
        projector_file.load(saved, backbone, _prompts(names))


def test_other_sentences_are_refused(saved: Path, backbone: Backbone) -> None:
    with pytest.raises(ProjectorMismatchError, match="trained with another set of sentences"):
        projector_file.load(saved, backbone, _prompts(template="a scan of a {}."))


@pytest.mark.parametrize("part", [0, 7, 0.5, 0.99])
def test_a_file_that_is_cut_short_is_damaged(saved: Path, backbone: Backbone, part: float) -> None:
    data = saved.read_bytes()
    saved.write_bytes(data[: int(part if part > 1 else part * len(data))])
    with pytest.raises(RunError, match="missing or damaged"):
        projector_file.load(saved, backbone, _prompts())


def test_a_missing_file_and_a_folder_are_told(backbone: Backbone, tmp_path: Path) -> None:
    for path in (tmp_path / "none.safetensors", tmp_path):
        with pytest.raises(RunError, match="missing or damaged"):
            projector_file.load(path, backbone, _prompts())


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}, {"format": projector_file.FORMAT}])
def test_a_file_of_another_program_is_refused(
    backbone: Backbone, tmp_path: Path, metadata: dict[str, str] | None
) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"weight_PD": torch.zeros(48, 16)}, path, metadata=metadata)
    with pytest.raises(RunError, match="is not a projector of this program"):
        projector_file.load(path, backbone, _prompts())


@pytest.mark.parametrize(
    "projector",
    [
        Projector(torch.zeros(16, 48)),
        Projector(torch.full((48, 16), float("nan"))),
        Projector(torch.zeros(48, 16), torch.full((16,), float("inf"))),
    ],
)
def test_numbers_that_cannot_be_right_are_refused(backbone: Backbone, tmp_path: Path, projector: Projector) -> None:
    path = tmp_path / "p.safetensors"
    projector_file.save(path, projector, backbone, _prompts())
    with pytest.raises(RunError, match="is damaged"):
        projector_file.load(path, backbone, _prompts())


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    saved: Path, backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = saved.read_bytes()

    def full_disk(self: Path, data: bytes) -> int:
        with self.open("wb") as file:
            file.write(data[: len(data) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full_disk)
    with pytest.raises(OSError, match="No space left"):
        projector_file.save(saved, Projector(backbone.projector.weight_PD + 9), backbone, _prompts())
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]
    assert saved.read_bytes() == before


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such rights")
def test_colleagues_may_read_it_like_any_other_file(saved: Path) -> None:
    other = saved.with_name("ordinary")
    other.write_bytes(b"")
    assert saved.stat().st_mode == other.stat().st_mode


def test_one_changed_byte_of_the_numbers_is_noticed(saved: Path, backbone: Backbone) -> None:
    """Finite, of the right shape, and wrong: without a check sum it would answer."""
    data = bytearray(saved.read_bytes())
    data[-30] ^= 0x01
    saved.write_bytes(data)
    with pytest.raises(RunError, match="damaged"):
        projector_file.load(saved, backbone, _prompts())
