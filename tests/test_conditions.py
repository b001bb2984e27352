"""The studies of other conditions on the tiny model: who answers about what, what is left out, what is written and said."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from prolip_core import (
    backbones,
    classify,
    cli,
    dataset,
    differences,
    features,
    image_files,
    pilot,
    projector_file,
    prolip,
    prompts,
    runs,
    single_photo,
)
from prolip_core.certainty import Share
from prolip_core.differences import Paired
from prolip_core.distortions import AMOUNTS, KINDS, SEVERITIES, Distortion
from prolip_core.errors import Cancelled, ConfigError, DatasetError, ProjectorMismatchError, RunError
from prolip_core.single_photo import StepConfig
from prolip_core.studies import material, measuring, second_test, stress, study_files, study_text, test_time, transfer
from prolip_core.studies.conditions_files import ConditionStudy
from prolip_core.studies.material import Material
from prolip_core.studies.second_test import SecondTestStudy
from prolip_core.studies.stress import Curve, Point, StressStudy
from prolip_core.studies.transfer import TransferStudy
from prolip_core.types import Progress, Projector
from tests import fakes
from tests.test_docs import document, flat, has_type, section, table


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two classes; the second set has bolts only, of which one is a training photo, one a test photo, one damaged."""
    monkeypatch.setattr(backbones, "load", fakes.load_tiny)
    fakes.write_photos(tmp_path / "train", {"bolt": range(5), "nut": range(4)})
    fakes.write_photos(tmp_path / "test", {"bolt": [20, 21, 22, 23], "nut": [20, 21]})
    fakes.write_photos(tmp_path / "second", {"bolt": [0, 20, 40, 41, 42]})
    (tmp_path / "second" / "bolt" / "broken.jpg").write_bytes(b"")
    return tmp_path


@pytest.fixture
def photos(folders: Path) -> dataset.PhotoSet:
    return dataset.read_folders(folders / "train", folders / "test")


@pytest.fixture
def prepared(photos: dataset.PhotoSet) -> Material:
    return material.prepare(fakes.TINY_SPEC, photos)


@pytest.fixture
def more(folders: Path) -> dataset.PhotoSet:
    return dataset.read_more(folders / "second", folders / "train")


def trained(prepared: Material) -> Projector:
    return prolip.fit(
        prepared.support, prepared.class_vectors.text_CD, prepared.projector, prepared.logit_scale, prepared.spec.fit
    ).projector


def answers(prepared: Material, pre_NP: torch.Tensor, projector: Projector) -> list[int]:
    found: list[int] = (
        classify.logits(pre_NP, projector, prepared.class_vectors.text_CD, prepared.logit_scale).argmax(dim=-1).tolist()
    )
    return found


# The photos that are asked about.


def test_few_test_photos_are_drawn_evenly(prepared: Material) -> None:
    labels = [image.label for image in prepared.split.query]
    for count, expected in ((2, [0, 1]), (4, [0, 0, 1, 1]), (5, [0, 0, 0, 1, 1]), (99, [0, 0, 0, 0, 1, 1])):
        rows = measuring.choose_rows(prepared, count)
        assert sorted(labels[row] for row in rows) == expected
        assert list(rows) == sorted(set(rows)) and rows == measuring.choose_rows(prepared, count)
    drawn = {measuring.choose_rows(replace(prepared, spec=replace(prepared.spec, seed=seed)), 2) for seed in range(12)}
    assert len(drawn) > 3


# Stress.


def stressed(prepared: Material, of: dataset.PhotoSet, **options: Any) -> stress.Stressed:
    return stress.read(prepared, fakes.tiny_backbone(), of.source, **options)


def test_every_kind_and_severity_is_answered_by_both_methods(prepared: Material, photos: dataset.PhotoSet) -> None:
    study = stress.run(prepared, stressed(prepared, photos))
    assert [(one.kind, one.method) for one in study.curves] == [
        (kind, method) for kind in KINDS for method in ("zero_shot", "prolip")
    ]
    labels = [image.label for image in prepared.split.query]
    ids = [image.image_id for image in prepared.split.query]
    projectors = {"zero_shot": prepared.projector, "prolip": trained(prepared)}
    for curve in study.curves:
        clean = answers(prepared, prepared.query_MP, projectors[curve.method])
        was_right = [one == label for one, label in zip(clean, labels, strict=True)]
        assert study.clean[curve.method] == Share(sum(was_right), 6)
        assert [point.amount for point in curve.points] == list(AMOUNTS[curve.kind])
        severity = 1 + KINDS.index(curve.kind) % SEVERITIES
        pre_MP = features.extract(
            fakes.tiny_backbone(), photos.source, ids, distortion=Distortion(curve.kind, severity)
        ).pre_VNP[0]
        is_right = [a == b for a, b in zip(answers(prepared, pre_MP, projectors[curve.method]), labels, strict=True)]
        point = curve.points[severity - 1]
        assert point.accuracy == Share(sum(is_right), 6)
        assert point.paired == differences.paired(was_right, is_right)


def test_stress_trains_once_and_never_on_a_test_photo(
    prepared: Material, photos: dataset.PhotoSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    taught = fakes.spied(monkeypatch)
    stress.run(prepared, stressed(prepared, photos, photos=2))
    assert len(taught) == 1 and torch.equal(taught[0], prepared.support.pre_VNP[0])


def curve(rights: list[tuple[int, int]], limit: float, neither: int = 10) -> Curve:
    """A curve of (still right, lost) per severity."""
    points = [
        Point(number, 0.1, Share(both, both + lost + neither), Paired(both, lost, 0, neither))
        for number, (both, lost) in enumerate(rights, start=1)
    ]
    return Curve("blur", "prolip", tuple(points), limit)


def test_it_breaks_where_the_loss_is_sure() -> None:
    """90 photos were right. Newcombe's lower end of the loss: -0.7 points for 4 lost, 2.3 for 8, 8.7 for 16, 20.7 for 30."""
    lost = (4, 8, 16, 30, 60)
    series = [(90 - one, one) for one in lost]
    ends = [-point.paired.interval[1] for point in curve(series, 0.0).points]
    for limit, severity in ((0.0, 2), (0.02, 2), (0.05, 3), (0.15, 4), (0.4, 5)):
        found = curve(series, limit).breaks_at
        assert found is not None and found.severity == severity
        assert ends[severity - 1] > limit >= ends[severity - 2]
    assert curve(series, 0.7).breaks_at is None
    # It may come back above the limit later; the first severity counts.
    assert curve([(40, 50), (90, 0)], 0.05).breaks_at == curve([(40, 50), (90, 0)], 0.05).points[0]
    # Two photos of four lost: a lot, and no proof of anything.
    assert curve([(2, 2)], 0.05, neither=0).breaks_at is None


def test_the_sentences_say_where_it_breaks() -> None:
    clean = Share(90, 100)
    broken = stress._note(curve([(86, 4), (50, 40)], 0.05), clean).text
    assert broken == (
        "Blurred: ProLIP breaks at severity 2 (blur of 0.1 px), a loss of likely more than 5 points: 50 of 100 are right "
        "instead of 90."
    )
    held = stress._note(curve([(86, 4), (85, 5)], 0.05), clean).text
    assert "holds as far as can be told" in held and "up to severity 2" in held and "85 of 100" in held


@pytest.mark.parametrize(("whole", "kept"), [(0, None), (1, 1), (3, 3)])
def test_a_stop_keeps_the_kinds_that_are_whole(
    prepared: Material, photos: dataset.PhotoSet, whole: int, kept: int | None
) -> None:
    seen: list[Progress] = []

    def on_progress(progress: Progress) -> bool:
        seen.append(progress)
        return progress.stage == "features" and progress.done >= whole * SEVERITIES * 6 + 8

    if kept is None:
        with pytest.raises(Cancelled):
            stressed(prepared, photos, on_progress=on_progress)
        return
    found = stressed(prepared, photos, on_progress=on_progress)
    assert tuple(found.distorted) == KINDS[:kept]
    assert {one.total for one in seen} == {len(KINDS) * SEVERITIES * 6}
    done = [one.done for one in seen]
    assert done == sorted(done)
    content = study_files.as_dict(stress.run(prepared, found))
    assert content["planned_kinds"] == list(KINDS)
    assert {one["kind"] for one in content["stress_curves"]} == set(KINDS[:kept])


def test_the_second_time_distorted_photos_come_from_the_cache(
    prepared: Material, photos: dataset.PhotoSet, tmp_path: Path
) -> None:
    first = stressed(prepared, photos, photos=2, cache_folder=tmp_path / "cache")
    nothing = image_files.FolderSource({})
    again = stress.read(prepared, fakes.tiny_backbone(), nothing, photos=2, cache_folder=tmp_path / "cache")
    assert all(torch.equal(first.distorted[kind], again.distorted[kind]) for kind in KINDS)


# A second set.


def test_photos_that_the_project_has_are_left_out(prepared: Material, more: dataset.PhotoSet) -> None:
    second = second_test.read(prepared, more, fakes.tiny_backbone())
    assert [image.record.filename for image in second.images] == ["bolt/40.jpg", "bolt/41.jpg", "bolt/42.jpg"]
    assert (second.taught, second.measured) == (("bolt/0.jpg",), ("bolt/20.jpg",))
    assert [file.filename for file in second.rejected] == ["bolt/broken.jpg"]
    assert second.pre_SP.shape == (3, 48)


def test_near_duplicates_of_the_project_s_photos_are_left_out(prepared: Material, more: dataset.PhotoSet) -> None:
    hashes = {40: prepared.split.support[2].record.phash ^ 7, 41: prepared.split.query[1].record.phash ^ 1 << 200}
    changed = [
        replace(
            image,
            record=replace(image.record, phash=hashes.get(int(Path(image.record.filename).stem), image.record.phash)),
        )
        for image in more.query
    ]
    second = second_test.read(prepared, replace(more, query=tuple(changed)), fakes.tiny_backbone())
    assert second.taught == ("bolt/0.jpg", "bolt/40.jpg")
    assert second.measured == ("bolt/20.jpg", "bolt/41.jpg")


def test_both_sets_are_answered_alike_and_only_shared_classes_are_compared(
    prepared: Material, more: dataset.PhotoSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    taught = fakes.spied(monkeypatch)
    second = second_test.read(prepared, more, fakes.tiny_backbone())
    study = second_test.run(prepared, second)
    assert len(taught) == 1 and torch.equal(taught[0], prepared.support.pre_VNP[0])
    assert study.missing == ("nut",) and study.only_second == ()
    bolts = [row for row, image in enumerate(prepared.split.query) if image.label == 0]
    projectors = {"zero_shot": prepared.projector, "prolip": trained(prepared)}
    for one in study.methods:
        first_right = [a == 0 for a in answers(prepared, prepared.query_MP[bolts], projectors[one.method])]
        second_right = [a == 0 for a in answers(prepared, second.pre_SP, projectors[one.method])]
        assert (one.first, one.second) == (Share(sum(first_right), 4), Share(sum(second_right), 3))
        _, interval = differences.mean_difference([(sum(first_right), 4)], [(sum(second_right), 3)])
        assert one.interval == interval
        assert one.difference == pytest.approx(sum(second_right) / 3 - sum(first_right) / 4)
        assert (one.first_balanced, one.second_balanced) == pytest.approx((sum(first_right) / 4, sum(second_right) / 3))
        assert one.first_interval == pytest.approx(one.first.interval)  # of one class it is Wilson's
        assert one.second_interval == pytest.approx(one.second.interval)
    assert [gain.count for gain in study.gains] == [4, 3]
    assert study.gains[1].second == pytest.approx(study.methods[1].second.rate)
    assert study.gains[1].first == pytest.approx(study.methods[0].second.rate)
    nut = study.per_class[1]
    assert (nut.class_name, nut.first.total, nut.second) == ("nut", 2, Share(0, 0))


def test_sets_without_a_class_in_common_are_refused(prepared: Material, more: dataset.PhotoSet) -> None:
    second = second_test.read(prepared, more, fakes.tiny_backbone())
    only_nuts = replace(second, images=tuple(replace(image, label=1) for image in second.images))
    without = replace(
        prepared,
        split=replace(prepared.split, query=tuple(one for one in prepared.split.query if one.label == 0)),
    )
    with pytest.raises(DatasetError, match="no class in common"):
        second_test.run(without, only_nuts)
    with pytest.raises(DatasetError, match="All 1 photos of the second test set"):
        second_test.read(prepared, replace(more, query=more.query[:1]), fakes.tiny_backbone())


def test_the_mixture_of_classes_does_not_move_the_difference() -> None:
    """Recalls of 3/4 and 1/2 in both sets; the second has ten times as many photos of the better class."""
    first = [[True] * 3 + [False], [True] * 2 + [False] * 2]
    second = [[True] * 30 + [False] * 10, [True] * 2 + [False] * 2]
    found = second_test._both("prolip", first, second)
    assert (found.first_balanced, found.second_balanced, found.difference) == pytest.approx((0.625, 0.625, 0.0))
    assert (found.first, found.second) == (Share(5, 8), Share(32, 44))
    shares = [[(3, 4), (2, 4)], [(30, 40), (2, 4)]]
    assert found.interval == differences.mean_difference(*shares)[1]
    assert found.first_interval == differences.mean_of(shares[0])[1]
    assert found.second_interval == differences.mean_of(shares[1])[1]


def both(first: tuple[int, int], second: tuple[int, int]) -> str:
    series = [[[True] * right + [False] * (count - right)] for right, count in (first, second)]
    return second_test._sets_apart(second_test._both("prolip", *series)).text


def test_the_difference_of_the_sets_is_said_in_words() -> None:
    assert both((90, 100), (40, 100)).startswith("ProLIP is right less often on the second set: 40 % against 90 %")
    assert "-60 to -38 points" in both((90, 100), (40, 100))
    assert both((40, 100), (90, 100)).startswith("ProLIP is right more often")
    assert both((90, 100), (88, 100)).startswith("Whether ProLIP does better or worse on the second set cannot be told")
    for table_, said in (
        ((50, 2, 40, 8), "Fine-tuning helps on the second set"),
        ((50, 40, 2, 8), "harms"),
        ((50, 5, 5, 40), "cannot be told"),
    ):
        assert said in second_test._gain_note(Paired(*table_)).text


def test_more_photos_need_a_class_of_the_project(folders: Path) -> None:
    fakes.write_photos(folders / "odd", {"gear": [1]})
    with pytest.raises(DatasetError, match="has the class “gear”"):
        dataset.read_more(folders / "odd", folders / "train")
    fakes.write_photos(folders / "empty", {"nut": []})
    (folders / "empty" / "nut" / "x.jpg").write_bytes(b"")
    with pytest.raises(DatasetError, match="No photo of the folder"):
        dataset.read_more(folders / "empty", folders / "train")


def test_more_photos_take_the_class_list_s_order(folders: Path, tmp_path: Path) -> None:
    listed = tmp_path / "classes.csv"
    listed.write_text("class,display_name\nnut,Mutter\nbolt,Bolzen\n", encoding="utf-8")
    found = dataset.read_more(folders / "second", folders / "train", listed)
    assert [one.display_name for one in found.classes] == ["Mutter", "Bolzen"]
    assert {image.label for image in found.query} == {1} and found.support == ()


# A projector from elsewhere.


@pytest.fixture
def elsewhere(tmp_path: Path, folders: Path) -> Path:
    """A run on other classes that has learnt from one of this project's test photos."""
    fakes.write_photos(tmp_path / "other", {"bolt": [20, 60, 61], "gear": range(3)})
    fakes.write_photos(tmp_path / "other-test", {"gear": [50]})
    run = pilot.run(fakes.TINY_SPEC, dataset.read_folders(tmp_path / "other", tmp_path / "other-test"))
    runs.save(run, tmp_path / "run")
    return tmp_path / "run"


def test_the_projector_from_elsewhere_answers_about_these_classes(
    prepared: Material, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign = transfer.read(elsewhere, fakes.tiny_backbone())
    assert foreign.class_names == ("bolt", "gear")
    taught = fakes.spied(monkeypatch)
    study = transfer.run(prepared, foreign)
    assert len(taught) == 1 and torch.equal(taught[0], prepared.support.pre_VNP[0])
    assert study.dropped == ("bolt/20.jpg",)
    rows = [row for row, image in enumerate(prepared.split.query) if image.record.filename != "bolt/20.jpg"]
    labels = [prepared.split.query[row].label for row in rows]
    projectors = {"zero_shot": prepared.projector, "foreign": foreign.projector, "prolip": trained(prepared)}
    right = {
        key: [a == b for a, b in zip(answers(prepared, prepared.query_MP[rows], one), labels, strict=True)]
        for key, one in projectors.items()
    }
    assert study.accuracies == {key: Share(sum(one), 5) for key, one in right.items()}
    assert set(study.pairs) == {("zero_shot", "foreign"), ("zero_shot", "prolip"), ("foreign", "prolip")}
    for (first, second), pair in study.pairs.items():
        assert pair == differences.paired(right[first], right[second])
    assert not torch.equal(foreign.projector.weight_PD, prepared.projector.weight_PD)


def test_without_an_own_training_only_zero_shot_is_beside_it(
    prepared: Material, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taught = fakes.spied(monkeypatch)
    study = transfer.run(prepared, transfer.read(elsewhere, fakes.tiny_backbone()), own=False)
    assert taught == [] and set(study.accuracies) == {"zero_shot", "foreign"}
    assert set(study.pairs) == {("zero_shot", "foreign")}


def _said(study: TransferStudy) -> str:
    return " ".join(note.text for note in transfer.notes(study))


def test_near_duplicates_of_the_other_project_are_left_out_where_they_are_known(
    prepared: Material, elsewhere: Path
) -> None:
    records = [image.record for image in prepared.split.query]
    copies = [replace(records[1], image_id="0" * 64, filename="elsewhere.jpg")]
    foreign = transfer.read(elsewhere, fakes.tiny_backbone(), taught=copies)
    study = transfer.run(prepared, foreign)
    assert study.dropped == (records[0].filename, records[1].filename)
    assert f"{len(foreign.taught_ids)} of the {len(foreign.taught_ids)} photos" in _said(study)
    whole = replace(foreign, taught_ids=frozenset({copies[0].image_id}))
    assert "near-duplicates" not in _said(transfer.run(prepared, whole))
    some = replace(foreign, taught_ids=frozenset({copies[0].image_id, "1" * 64, "2" * 64}))
    assert "2 of the 3 photos that it was trained on are not at hand any more" in _said(transfer.run(prepared, some))
    with pytest.raises(DatasetError, match="All 6 test photos"):
        transfer.run(prepared, replace(foreign, taught=tuple(records)))


def test_a_projector_file_alone_will_do(prepared: Material, elsewhere: Path, tmp_path: Path) -> None:
    lone = tmp_path / "alone" / "projector.safetensors"
    lone.parent.mkdir()
    lone.write_bytes((elsewhere / "projector.safetensors").read_bytes())
    foreign = transfer.read(lone, fakes.tiny_backbone())
    assert foreign.taught_ids == frozenset()
    assert transfer.run(prepared, foreign).dropped == ()


def test_a_projector_of_another_backbone_is_refused(elsewhere: Path, tmp_path: Path) -> None:
    with pytest.raises(ProjectorMismatchError, match="does not fit this model"):
        transfer.read(elsewhere, fakes.tiny_backbone(seed=1))
    with pytest.raises(RunError, match="missing or damaged"):
        transfer.read(tmp_path / "nowhere", fakes.tiny_backbone())
    backbone = fakes.tiny_backbone()
    damaged = replace(backbone.projector, weight_PD=backbone.projector.weight_PD * float("nan"))
    classes = prompts.build([prompts.make_class("a"), prompts.make_class("b")], ["{}"])
    projector_file.save(tmp_path / "bad.safetensors", damaged, backbone, classes)
    with pytest.raises(RunError, match="is damaged"):
        projector_file.load_foreign(tmp_path / "bad.safetensors", backbone)


def test_what_came_of_it_is_said_in_words(prepared: Material, elsewhere: Path) -> None:
    study = transfer.run(prepared, transfer.read(elsewhere, fakes.tiny_backbone()))
    said = " ".join(note.text for note in transfer.notes(study))
    assert "classes of the same name: bolt." in said and "only identical copies" in said
    assert "at hand" not in said
    for table_, said in (((50, 2, 40, 8), "carries over"), ((50, 40, 2, 8), "harms here"), ((9, 1, 1, 9), "cannot")):
        assert said in transfer._against_zero_shot(Paired(*table_)).text
    for table_, said in (((50, 2, 40, 8), "is better:"), ((50, 40, 2, 8), "is worse:"), ((9, 1, 1, 9), "cannot")):
        assert said in transfer._against_own(Paired(*table_)).text
    strangers = replace(study, foreign=replace(study.foreign, class_names=("cat", "dog")))
    assert any("none of these classes" in note.text for note in transfer.notes(strangers))


# One step per photo.


def test_each_start_is_set_against_itself(prepared: Material, photos: dataset.PhotoSet) -> None:
    viewed = test_time.read(prepared, fakes.tiny_backbone(), photos.source, photos=5, views=12)
    assert viewed.pre_VMP.shape == (12, 5, 48) and viewed.plain_ms > 0 and viewed.views_ms > 0
    assert torch.allclose(viewed.pre_VMP[0], prepared.query_MP[list(viewed.rows)], atol=1e-5)
    study = test_time.run(prepared, viewed)
    labels = [prepared.split.query[row].label for row in viewed.rows]
    for gain, projector in zip(study.gains, (prepared.projector, trained(prepared)), strict=True):
        logits = single_photo.answer(
            viewed.pre_VMP, projector, prepared.class_vectors.text_CD, prepared.logit_scale, StepConfig()
        )
        before = answers(prepared, viewed.pre_VMP[0], projector)
        assert gain.paired == differences.paired(
            [a == b for a, b in zip(before, labels, strict=True)],
            [a == b for a, b in zip(logits.argmax(dim=-1).tolist(), labels, strict=True)],
        )
        assert gain.step_ms > 0
    assert [gain.method for gain in study.gains] == ["zero_shot", "prolip"]


def test_gain_and_cost_are_said(prepared: Material) -> None:
    viewed = test_time.Viewed((0, 1), torch.zeros(64, 2, 48), 11.4, 702.6)
    gains = (
        test_time.Gain("zero_shot", Paired(50, 2, 40, 8), 3.4),
        test_time.Gain("prolip", Paired(50, 40, 2, 8), 3.6),
    )
    said = [note.text for note in test_time.notes(test_time.TestTimeStudy(prepared, viewed, gains, 1.0))]
    assert said[0].startswith("One step per photo helps Zero-shot: +")
    assert said[1].startswith("One step per photo harms ProLIP: -")
    assert said[2] == "With 64 views a photo takes 703 ms to read and 4 ms to adapt to, instead of 11 ms."
    assert "cannot be told" in test_time._gain_note(test_time.Gain("prolip", Paired(9, 1, 1, 9), 1.0)).text


# Stopping, wrong wishes.


def run_of(
    name: str, prepared: Material, photos: dataset.PhotoSet, more: dataset.PhotoSet, run: Path
) -> Callable[..., Any]:
    """The study of that name, ready but for its progress."""
    backbone = fakes.tiny_backbone()
    if name == "stress":
        read = stress.read(prepared, backbone, photos.source, photos=2)
        return lambda **options: stress.run(prepared, read, **options)
    if name == "second_test":
        second = second_test.read(prepared, more, backbone)
        return lambda **options: second_test.run(prepared, second, **options)
    if name == "transfer":
        foreign = transfer.read(run, backbone)
        return lambda **options: transfer.run(prepared, foreign, **options)
    viewed = test_time.read(prepared, backbone, photos.source, photos=3, views=4)
    return lambda **options: test_time.run(prepared, viewed, **options)


NAMES = ("stress", "second_test", "transfer", "test_time")


@pytest.mark.parametrize("name", NAMES)
def test_a_stopped_study_leaves_nothing(
    name: str, prepared: Material, photos: dataset.PhotoSet, more: dataset.PhotoSet, elsewhere: Path
) -> None:
    study = run_of(name, prepared, photos, more, elsewhere)
    seen: list[Progress] = []
    study(on_progress=lambda progress: seen.append(progress))
    assert seen[-1].done == seen[-1].total and [one.done for one in seen] == sorted(one.done for one in seen)
    stops = (0,) if name != "test_time" else (0, 3, 6)
    for stop in stops:
        with pytest.raises(Cancelled):
            study(on_progress=lambda progress, stop=stop: progress.done >= stop)


def test_wrong_wishes_are_refused(prepared: Material, photos: dataset.PhotoSet) -> None:
    with pytest.raises(ConfigError, match="number of test photos is 0"):
        stressed(prepared, photos, photos=0)
    with pytest.raises(ConfigError, match="number of test photos is -1"):
        test_time.read(prepared, fakes.tiny_backbone(), photos.source, photos=-1)
    for views in (1, 301):
        with pytest.raises(ConfigError, match=f"views per test photo is {views}"):
            test_time.read(prepared, fakes.tiny_backbone(), photos.source, views=views)
    for limit in (-0.1, 1.0, float("nan")):
        with pytest.raises(ConfigError, match="counts as broken"):
            stress.check(1, limit)


# On disk and as text.


@pytest.mark.parametrize("name", NAMES)
def test_results_have_the_documented_keys_and_types(
    name: str, prepared: Material, photos: dataset.PhotoSet, more: dataset.PhotoSet, elsewhere: Path, tmp_path: Path
) -> None:
    common = {row[0].strip("`") for row in table(section(document("result-format.md"), "result.json of a study"))}
    title = f"result.json of study {name.replace('_', '-')}"
    own = {row[0].strip("`"): row[1] for row in table(section(document("result-format.md"), title))}
    study: ConditionStudy = run_of(name, prepared, photos, more, elsewhere)()
    written = flat(dict(study_files.load(study_files.save(study, tmp_path / "study"))))
    keys = {key for key, _ in written}
    assert {"class_names", "backbone", "seconds", "query_count", "versions.torch", "advice_parts[].message"} <= keys
    mine = [(key, value) for key, value in written if key not in common and not key.startswith("test_images_per_class")]
    assert sorted({key for key, _ in mine} ^ set(own)) == []
    wrong = sorted({f"{key}: {value!r}" for key, value in mine if not has_type(value, own[key])})
    assert not wrong, "\n".join(wrong)


def printed(study: ConditionStudy, **changes: Any) -> str:
    stream = io.StringIO()
    study_text.write({**study_files.as_dict(study), **changes}, Path("result.json"), stream)
    return re.sub(r"[ │┃]+", " ", stream.getvalue())


def test_the_text_has_curves_and_amounts(prepared: Material, photos: dataset.PhotoSet) -> None:
    study: StressStudy = stress.run(prepared, stressed(prepared, photos, photos=4))
    text = printed(study)
    assert "Measured on 4 test photos of 6" in text and "Stopped before" not in text
    assert "Compressed (JPEG) quality 25 quality 18" in text and "more than 5 points" in text
    broken = [{**one, "breaks_at": 2} for one in study_files.as_dict(study)["stress_curves"][:2]]
    part = printed(study, stress_curves=broken)
    assert "severity 2" in part and "Stopped before: Noisy, Darker" in part


def test_the_text_names_what_was_left_out(prepared: Material, more: dataset.PhotoSet) -> None:
    study: SecondTestStudy = second_test.run(prepared, second_test.read(prepared, more, fakes.tiny_backbone()))
    text = printed(study)
    for said in (
        "The second set has 3 test photos.",
        "Measured on 7 test photos of both sets",
        "(nearly) a photo to learn from: bolt/0.jpg",
        "(nearly) a photo of the first test set: bolt/20.jpg",
        "Not taken: bolt/broken.jpg.",
        "no photo of: nut.",
        "nut",
        "no photo",
    ):
        assert said in text


def test_a_class_name_cannot_steer_the_terminal(prepared: Material, more: dataset.PhotoSet) -> None:
    study = second_test.run(prepared, second_test.read(prepared, more, fakes.tiny_backbone()))
    classes = [{**one, "class_name": "a\x1b[31mEVIL"} for one in study_files.as_dict(study)["second_classes"]]
    text = printed(study, second_classes=classes)
    assert "EVIL" in text and "\x1b" not in text


def command(folders: Path, *arguments: object) -> int:
    name, *rest = arguments
    fixed = [folders / "train", "--test", folders / "test", "--device", "cpu", "--precision", "float32"]
    return cli.main(["study", str(name), *map(str, [*fixed, *rest])])


def test_the_commands_write_and_print(
    folders: Path, elsewhere: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, options, said in (
        ("stress", ["--photos", 2, "--limit", 0.1], "more than 10 points"),
        ("second-test", ["--second", folders / "second"], "The second set has 3 test photos."),
        ("transfer", ["--run", elsewhere], "was trained on: bolt, gear"),
        ("test-time", ["--photos", 2, "--views-per-photo", 3], "With 3 views a photo takes"),
    ):
        out = tmp_path / name
        assert command(folders, name, *options, "--out", out) == 0
        content = json.loads((out / "result.json").read_text(encoding="utf-8"))
        assert content["study"] == name.replace("-", "_")
        shown = capsys.readouterr().out
        assert said in shown and str(out / "result.json") in shown


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["stress", "--photos", "0"], "number of test photos is 0"),
        (["stress", "--limit", "5"], "counts as broken is 5"),
        (["second-test", "--second", "nowhere"], "nowhere"),
        (["transfer", "--run", "nowhere"], "missing or damaged"),
        (["test-time", "--views-per-photo", "1"], "views per test photo is 1"),
    ],
)
def test_wrong_options_end_with_one_line(
    options: list[str], said: str, folders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(folders, *options, "--out", tmp_path / "out") == cli.EXIT_WRONG_INPUT
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and said in lines[0]


def test_the_defaults_of_the_commands_are_those_of_the_studies() -> None:
    fixed = ["TRAIN", "--test", "TEST", "--out", "R"]
    stressing = cli.build_parser().parse_args(["study", "stress", *fixed])
    assert (stressing.photos, stressing.limit) == (measuring.PHOTOS, stress.LIMIT)
    stepping = cli.build_parser().parse_args(["study", "test-time", *fixed])
    assert (stepping.photos, stepping.views_per_photo) == (measuring.PHOTOS, single_photo.VIEWS)
