"""The study of where the model looks: a model whose evidence is known, what is chosen, what is written, drawn and said."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats
import torch
import torch.nn.functional as F  # noqa: N812 - the name the whole field uses

from prolip_core import backbones, classify, cli, dataset, heat, images, occlusion, prolip
from prolip_core.certainty import Share
from prolip_core.errors import Cancelled, ConfigError
from prolip_core.studies import kinds, look_files, look_study, look_text, material, names, study_files
from prolip_core.studies.look_rim import ClassEvidence
from prolip_core.studies.look_study import Curve, LookStudy, Reader
from prolip_core.studies.material import Material
from prolip_core.types import Progress, Projector
from tests import fakes
from tests.looks import Looker
from tests.test_docs import document, flat, has_type, section, table


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(backbones, "load", fakes.load_tiny)
    fakes.write_photos(tmp_path / "train", {"bolt": range(4), "nut": range(3)})
    fakes.write_photos(tmp_path / "test", {"bolt": range(20, 24), "nut": range(20, 23)})
    return tmp_path


@pytest.fixture
def photos(folders: Path) -> dataset.PhotoSet:
    return dataset.read_folders(folders / "train", folders / "test")


@pytest.fixture
def prepared(photos: dataset.PhotoSet) -> Material:
    return material.prepare(fakes.TINY_SPEC, photos)


@pytest.fixture
def reader(photos: dataset.PhotoSet) -> Reader:
    return Reader(fakes.tiny_backbone(), photos.source)


@pytest.fixture
def study(prepared: Material, reader: Reader) -> LookStudy:
    return look_study.run(prepared, reader)


@pytest.fixture
def noise(tmp_path: Path) -> dataset.PhotoSet:
    """Photos that are textured everywhere alike."""
    for part, numbers in (("train", range(3)), ("test", range(10, 14))):
        for offset, name in enumerate(("bolt", "nut")):
            folder = tmp_path / "noise" / part / name
            folder.mkdir(parents=True)
            for number in numbers:
                random = np.random.default_rng((offset, number))
                pixels = random.integers(0, 256, (32, 32, 3), dtype=np.uint8).repeat(2, axis=0).repeat(2, axis=1)
                (folder / f"{number}.png").write_bytes(images.png(pixels))
    return dataset.read_folders(tmp_path / "noise" / "train", tmp_path / "noise" / "test")


def known(photos: dataset.PhotoSet, corner: tuple[int, int] | None) -> tuple[Material, Reader, dict[str, Projector]]:
    """Photos of noise, read by a model that sees the texture of one area only; class 0 means "textured"."""
    looker = Looker(corner)
    prepared = material.prepare(fakes.TINY_SPEC, photos, backbone=looker)
    weight_PD = torch.zeros(48, 16)
    weight_PD[0, 0], weight_PD[1, 1] = 2.0, 1.0
    text_CD = F.normalize(torch.eye(2, 16), dim=-1)
    vectors = replace(prepared.class_vectors, text_CD=text_CD)
    prepared = replace(prepared, projector=Projector(weight_PD), class_vectors=vectors)
    return prepared, Reader(looker, photos.source), {"zero_shot": prepared.projector, "prolip": prepared.projector}


@pytest.mark.parametrize("corner", [(0, 0), (4, 4), (2, 2)])
def test_the_deletion_test_passes_for_a_map_of_true_evidence(noise: dataset.PhotoSet, corner: tuple[int, int]) -> None:
    prepared, reader, projectors = known(noise, corner)
    looks = [look_study.look_at(prepared, reader, projectors, row) for row in range(len(prepared.split.query))]
    row, column = corner
    true_GG = np.zeros((8, 8), dtype=bool)
    true_GG[row : row + 4, column : column + 4] = True
    for look in looks:
        assert (look.prolip.marked_GG & ~true_GG).sum() == 0 and look.prolip.marked_GG.sum() == 13
        assert look.prolip.curve.gain > 0
    found = look_study.deletion([look.prolip.curve for look in looks])
    assert found.gain_interval is not None and found.gain_interval[0] > 0
    place = {(0, 0): "upper left", (4, 4): "lower right", (2, 2): "the middle"}[corner]
    assert all(place in look.prolip.caption.text for look in looks)


def test_the_deletion_test_fails_for_a_map_that_is_wrong(
    noise: dataset.PhotoSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same model; its map is turned upside down on the way."""
    prepared, reader, projectors = known(noise, (0, 0))
    real = occlusion.heat
    monkeypatch.setattr(occlusion, "heat", lambda *given: -real(*given))
    looks = [look_study.look_at(prepared, reader, projectors, row) for row in range(len(prepared.split.query))]
    found = look_study.deletion([look.prolip.curve for look in looks])
    assert found.gain_interval is not None and found.gain_interval[1] < 0
    assert "not shown" in look_text.trust_note(found).text


def test_the_map_is_faithful_to_the_projector_in_use(noise: dataset.PhotoSet) -> None:
    """One projector uses the only feature that a place decides, another does not: one map has heat, the other has none."""
    prepared, reader, projectors = known(noise, (0, 0))
    blind = torch.zeros(48, 16)
    blind[1, 1] = 1.0
    look = look_study.look_at(prepared, reader, {**projectors, "prolip": Projector(blind)}, 0)
    assert look.zero_shot.heat_GG.max() > heat.LEAST_NATS > 1e-4 > np.abs(look.prolip.heat_GG).max()
    assert (look.zero_shot.answer, look.prolip.answer) == (0, 1)
    assert "No single area" in look.prolip.caption.text


def test_both_maps_come_from_one_pass(prepared: Material, reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    passes: list[int] = []
    real = occlusion.encode

    def encode(*given: Any) -> torch.Tensor:
        passes.append(len(given[-1]))
        return real(*given)

    monkeypatch.setattr(occlusion, "encode", encode)
    look_study.look_at(prepared, reader, {"zero_shot": prepared.projector, "prolip": prepared.projector}, 0)
    assert passes == [36, 4 * (2 + look_study.RANDOM_ORDERS) + 1]


def test_a_curve_is_that_of_a_slow_loop(prepared: Material, reader: Reader, study: LookStudy) -> None:
    """Photo 2 once more, cover by cover."""
    look = study.looks[2]
    row = look_study.rows_of(prepared, [look.image.image_id])[0]
    pixels_3HW, _ = occlusion.read(reader.backbone, reader.source, look.image.image_id)
    fill = pixels_3HW.mean(dim=(1, 2))
    trained = prolip.fit(
        prepared.support, prepared.class_vectors.text_CD, prepared.projector, prepared.logit_scale, prepared.spec.fit
    ).projector

    def asked(cover: np.ndarray, projector: Projector) -> torch.Tensor:
        one_3HW = pixels_3HW.clone()
        for y in range(32):
            for x in range(32):
                if cover[y // 4, x // 4]:
                    one_3HW[:, y, x] = fill
        pre = reader.backbone.encode_pre(one_3HW[None])
        return classify.logits(pre, projector, prepared.class_vectors.text_CD, prepared.logit_scale).softmax(dim=1)[0]

    random = np.random.default_rng((prepared.spec.seed, row))
    orders = [random.permutation(64) for _ in range(look_study.RANDOM_ORDERS)]
    for view, projector in ((look.zero_shot, prepared.projector), (look.prolip, trained)):
        whole = asked(np.zeros((8, 8), dtype=bool), projector)
        assert view.answer == int(whole.argmax())
        assert view.confidence == pytest.approx(float(whole.max()), rel=1e-3)
        cells = sorted(range(64), key=lambda cell: -view.heat_GG.ravel()[cell])
        changed_by_chance, by_chance = 0, []
        for share in look_study.STEPS:
            count = round(64 * share)
            cover = np.isin(np.arange(64), cells[:count]).reshape(8, 8)
            by_map = asked(cover, projector)
            place = look_study.STEPS.index(share)
            assert view.curve.by_map[place] == pytest.approx(float(by_map[view.answer]), abs=1e-4)
            others = [asked(np.isin(np.arange(64), one[:count]).reshape(8, 8), projector) for one in orders]
            by_chance.append(float(np.mean([one[view.answer] for one in others])))
            if share == heat.MARKED:
                assert (cover == view.marked_GG).all()
                assert view.curve.changed == (int(by_map.argmax()) != view.answer)
                changed_by_chance = sum(int(one.argmax()) != view.answer for one in others)
        assert view.curve.by_chance == pytest.approx(by_chance, abs=1e-4)
        assert view.curve.changed_by_chance == changed_by_chance


def test_deletion_sums_up() -> None:
    steep, flat_ = (1.0, 0.1, 0.0, 0.0, 0.0, 0.0), (1.0, 0.9, 0.8, 0.6, 0.4, 0.0)
    curves = [Curve(steep, flat_, True, 1), Curve(steep, flat_, False, 2), Curve(flat_, flat_, True, 0)]
    gain = 0.2 * (0.8 + 0.8 + 0.6 + 0.4)
    assert curves[0].gain == pytest.approx(gain) and curves[2].gain == pytest.approx(0)
    found = look_study.deletion(curves)
    assert found.gain == pytest.approx(2 * gain / 3)
    assert (found.changed, found.changed_by_chance) == (Share(2, 3), 3)
    # Tries on one photo are alike, so photos are what is counted: 1/3, 2/3 and 0 of the tries.
    low, high = scipy.stats.t.interval(0.95, 2, loc=1 / 3, scale=(1 / 3) / math.sqrt(3))
    assert low < 0 and found.chance_interval == pytest.approx((0, min(1, high)))
    one = look_study.deletion(curves[:1])
    assert (one.gain_interval, one.chance_interval) == (None, None)


def test_of_every_class_right_and_wrong_photos_are_chosen(prepared: Material) -> None:
    """Rows 0 to 3 are bolts, 4 to 6 nuts."""
    answers = [0, 0, 1, 1, 0, 0, 0]
    labels = prepared.query_labels_M.tolist()
    assert labels == [0, 0, 0, 0, 1, 1, 1]
    two = look_study.choose(prepared, answers, 2)
    assert [labels[row] for row in two] == [0, 1]
    assert [answers[row] == labels[row] for row in two] == [True, False]
    four = look_study.choose(prepared, answers, 4)
    assert [labels[row] for row in four] == [0, 0, 1, 1]
    assert sorted(answers[row] == labels[row] for row in four[:2]) == [False, True]
    assert look_study.choose(prepared, answers, 100) == list(range(7))


def test_the_rim_is_told_from_the_middle(noise: dataset.PhotoSet) -> None:
    """A model that sees the texture of the rim only: with the rim covered "textured" is gone, otherwise it stays."""
    prepared, reader, projectors = known(noise, None)
    for row in range(len(prepared.split.query)):
        assert look_study._sides(prepared, reader, projectors["prolip"], row) == (0, 1)
    prepared, reader, projectors = known(noise, (2, 2))
    for row in range(len(prepared.split.query)):
        assert look_study._sides(prepared, reader, projectors["prolip"], row) == (1, 0)


def test_single_photos_can_be_asked_for(prepared: Material, reader: Reader) -> None:
    image = prepared.split.query[5]
    study = look_study.run(prepared, reader, image_ids=[image.image_id])
    assert [look.image for look in study.looks] == [image] and study.classes == () and study.measured == 1
    assert "more than one photo" in look_text.trust_note(study.prolip).text
    taught = prepared.split.support[0].image_id
    for wrong in ([taught], []):
        with pytest.raises(ConfigError, match="not among the test photos"):
            look_study.run(prepared, reader, image_ids=wrong)


@pytest.mark.parametrize("count", [0, 201])
def test_the_number_of_photos_is_checked(prepared: Material, reader: Reader, count: int) -> None:
    with pytest.raises(ConfigError, match="between 1 and 200"):
        look_study.run(prepared, reader, photos=count)


@pytest.mark.parametrize("stop_at", [0, 3, 9])
def test_a_stopped_study_leaves_nothing(prepared: Material, reader: Reader, stop_at: int) -> None:
    seen: list[Progress] = []

    def on_progress(progress: Progress) -> bool:
        seen.append(progress)
        return progress.done >= stop_at

    with pytest.raises(Cancelled):
        look_study.run(prepared, reader, on_progress=on_progress)
    assert seen[-1].done == stop_at


def test_the_same_seed_gives_the_same_study(prepared: Material, reader: Reader, study: LookStudy) -> None:
    again = look_files.own_keys(look_study.run(prepared, reader))
    assert json.dumps(again) == json.dumps(look_files.own_keys(study))
    assert [one.whole.total for one in study.classes] == [4, 3]


def test_covers_are_read_once_and_kept(
    prepared: Material, reader: Reader, study: LookStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second study reads what depends on its maps alone; the first one's numbers are those without a cache."""
    read: list[int] = []
    real = occlusion.encode

    def encode(*given: Any) -> torch.Tensor:
        read.append(len(given[-1]))
        return real(*given)

    monkeypatch.setattr(occlusion, "encode", encode)
    kept = replace(reader, cache_folder=tmp_path / "cache")
    first = look_files.own_keys(look_study.run(prepared, kept))
    deleted = 4 * (2 + look_study.RANDOM_ORDERS) + 1
    assert sorted(read) == [2] * 7 + [deleted] * 7 + [36] * 7
    read.clear()
    second = look_files.own_keys(look_study.run(prepared, kept))
    assert read == [deleted] * 7
    assert json.dumps(first) == json.dumps(second) == json.dumps(look_files.own_keys(study))


def test_what_was_kept_of_other_covers_is_not_taken(
    prepared: Material, reader: Reader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = torch.ones(36, reader.backbone.pre_width)

    def ask(covers: occlusion.Covers, value: float) -> torch.Tensor:
        count = 36 if covers == "windows" else 2
        return occlusion.remembered(reader.backbone, tmp_path, "0" * 64, covers, lambda: value * one[:count])

    assert ask("windows", 1.0).equal(one) and ask("windows", 2.0).equal(one)
    assert ask("middle_and_rim", 3.0).equal(3 * one[:2])
    for name in ("VERSION", "BLUR"):
        monkeypatch.setattr(occlusion, name, 9)
        assert ask("windows", 4.0).equal(4 * one)
        monkeypatch.undo()


def test_the_kind_needs_a_reader(prepared: Material) -> None:
    with pytest.raises(ValueError, match="reader"):
        kinds.run(names.LOOK, prepared, kinds.Request())


# On disk and as text.


def test_results_have_the_documented_keys_and_types(
    study: LookStudy, prepared: Material, reader: Reader, tmp_path: Path
) -> None:
    common = {row[0].strip("`") for row in table(section(document("result-format.md"), "result.json of a study"))}
    rows = table(section(document("result-format.md"), "result.json of study look"))
    own = {row[0].strip("`"): row[1] for row in rows}
    written = []
    single = look_study.run(prepared, reader, image_ids=[prepared.split.query[0].image_id])
    for number, one in enumerate((study, single)):
        path = study_files.save(one, tmp_path / str(number))
        written += flat(dict(study_files.load(path)))
    # The keys of both methods are the same and documented once, as <method>.
    written = [(key.replace("zero_shot", "<method>").replace("prolip", "<method>"), value) for key, value in written]
    written = [
        (key, value)
        for key, value in written
        if key not in common and not key.startswith(("test_images_per_class", "versions."))
    ]
    assert sorted({key for key, _ in written} ^ set(own)) == []
    wrong = sorted({f"{key}: {value!r}" for key, value in written if not has_type(value, own[key])})
    assert not wrong, "\n".join(wrong)


def test_the_verdict_on_a_class_is_said() -> None:
    rim = ClassEvidence(0, Share(12, 12), Share(2, 12), Share(11, 12), 0, 9, Share(0, 20), 0.01, 0.001, "rim")
    said = look_text.class_note(rim, "nut").text
    assert (
        "“nut” is recognised by the rim" in said
        and "of 12 photos 11 were right with the middle covered, 2 with" in said
    )
    middle = look_text.class_note(
        replace(rim, by_middle=Share(11, 12), by_rim=Share(2, 12), verdict="middle"), "nut"
    ).text
    assert "by the middle" in middle and "11 were right with the rim covered, 2 with the middle covered" in middle
    assert "cannot be told" in look_text.class_note(replace(rim, verdict="open"), "nut").text


def test_the_text_names_warnings_and_wrong_answers(study: LookStudy) -> None:
    content = study_files.as_dict(study)
    lines = look_text.blocks(content)
    assert "No class is shown to be recognised by the rim of its photos rather than by their middle." in lines
    content["classes"][0] |= {"verdict": "rim", "verdict_text": "SAID"}
    content["looks"][0]["prolip"] |= {"right": False, "answer": "n\x1but"}
    lines = look_text.blocks(content)
    assert "WARNING: SAID" in lines
    rows = [row for block in lines if not isinstance(block, str) for row in block[1]]
    assert any("n\ufffdut (wrong)" in row for row in rows)


def test_the_command_writes_pictures_and_prints(
    folders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    fixed = ["study", "look", str(folders / "train"), "--test", str(folders / "test"), "--out", str(out)]
    assert cli.main([*fixed, "--device", "cpu", "--precision", "float32", "--photos", "3"]) == 0
    content = json.loads((out / "result.json").read_text(encoding="utf-8"))
    assert (content["study"], len(content["looks"])) == ("look", 3)
    pictures = sorted(path.name for path in (out / "maps").iterdir())
    assert pictures == [f"{number:03}-{method}.png" for number in (1, 2, 3) for method in ("prolip", "zero_shot")]
    look = content["looks"][1]
    pixels = images.small((out / "maps" / "002-prolip.png").read_bytes(), "a.png", 4000)
    assert max(pixels.shape) <= look_files.SIDE_PX
    printed = capsys.readouterr().out
    for expected in (
        "WHERE DID IT LOOK?",
        "MIDDLE OR RIM?",
        "7 of 7 test photos were looked at, 3 of them for maps",
        look["filename"],
    ):
        assert expected in printed
    # Fewer photos the second time, over a study that was interrupted: no picture of the first is left, what is not ours stays.
    (out / "maps" / "mine.png").write_bytes(b"")
    (out / "result.json").unlink()
    assert cli.main([*fixed, "--device", "cpu", "--precision", "float32", "--photos", "1"]) == 0
    assert sorted(path.name for path in (out / "maps").iterdir()) == ["001-prolip.png", "001-zero_shot.png", "mine.png"]


def test_a_wrong_number_of_photos_ends_with_one_line(
    folders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fixed = [
        folders / "train",
        "--test",
        folders / "test",
        "--device",
        "cpu",
        "--out",
        tmp_path / "out",
        "--photos",
        "0",
    ]
    assert cli.main(["study", "look", *map(str, fixed)]) == cli.EXIT_WRONG_INPUT
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and "photos to look at is 0" in lines[0]


def test_the_default_of_the_command_is_that_of_the_study() -> None:
    parsed = cli.build_parser().parse_args(["study", "look", "TRAIN", "--test", "TEST", "--out", "R"])
    assert parsed.photos == look_study.PHOTOS
