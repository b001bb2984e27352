"""A whole pilot on a tiny CLIP: what is measured, on which photos, and that no test photo ever teaches."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from prolip_core import (
    backbones,
    classify,
    dataset,
    devices,
    duplicates,
    features,
    metrics,
    pilot,
    prolip,
    runs,
    splits,
    sure_rule,
)
from prolip_core.catalogue import BackboneSpec
from prolip_core.dataset import PhotoSet
from prolip_core.errors import (
    Cancelled,
    ConfigError,
    DatasetError,
    DeviceError,
    ProLIPError,
    PromptError,
    UnknownBackboneError,
    WeightsNotFoundError,
)
from prolip_core.objective import Support
from prolip_core.pilot import PilotRun
from prolip_core.spec import FitConfig, PilotSpec
from prolip_core.sure_rule import SureRule
from prolip_core.types import Prediction, Progress, Projector
from tests import fakes, image_factory

CLASSES = ("bolt", "nut", "washer")
PLAIN_LAM = FitConfig(lam="1/N")  # spares the choice of λ in each of the 15 trainings of a cross-validation
TEST_NUMBERS = {"bolt": range(20, 25), "nut": range(20, 23), "washer": range(20, 22)}


def _train_and_test(root: Path) -> tuple[Path, Path]:
    train = fakes.write_photos(root / "train", {name: range(6) for name in CLASSES})
    return train, fakes.write_photos(root / "test", TEST_NUMBERS)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return _train_and_test(tmp_path_factory.mktemp("photos"))


@pytest.fixture(scope="module")
def photos(folders: tuple[Path, Path]) -> PhotoSet:
    return dataset.read_folders(*folders)


@pytest.fixture(scope="module")
def tested(photos: PhotoSet) -> PilotRun:
    return fakes.tiny_run(photos)


@pytest.fixture(scope="module")
def crossed(photos: PhotoSet) -> PilotRun:
    return fakes.tiny_run(replace(photos, query=()), replace(fakes.TINY_SPEC, fit=PLAIN_LAM))


def _spec(**choices: Any) -> PilotSpec:
    return replace(fakes.TINY_SPEC, **choices)


def _weights(run: PilotRun) -> bytes:
    return run.trained.projector.weight_PD.numpy().tobytes()


def _without_times(run: PilotRun) -> dict[str, Any]:
    content = runs.as_dict(run)
    for key in ("created", "seconds"):
        content.pop(key)
    for step in content["history"]:
        step.pop("elapsed_s")
    return content


# What is measured


def test_the_cells_add_up_to_the_test_photos_and_name_them(tested: PilotRun, photos: PhotoSet) -> None:
    assert tested.evaluation == "test"
    wanted = {image.image_id: image.label for image in photos.query}
    for answers, evaluation in ((tested.answers.zero_shot, tested.zero_shot), (tested.answers.prolip, tested.prolip)):
        matrix = evaluation.confusion
        assert matrix.counts_CC.sum() == len(wanted) == evaluation.count == 10
        predicted = {prediction.image_id: prediction.predicted for prediction in answers}
        seen: list[str] = []
        for true in range(3):
            assert matrix.counts_CC[true].sum() == len(TEST_NUMBERS[CLASSES[true]])
            for answered in range(3):
                ids = matrix.image_ids(true, answered)
                assert len(ids) == matrix.counts_CC[true, answered]
                assert all(wanted[one] == true and predicted[one] == answered for one in ids)
                seen += ids
        assert sorted(seen) == sorted(wanted)


def _slow_answers(run: PilotRun, photos: PhotoSet, projector: Projector) -> list[list[float]]:
    """Every probability by loops over plain numbers, from photos encoded anew."""
    batch = features.extract(run.backbone, photos.source, [image.image_id for image in photos.query])
    answers = []
    for pre_P in batch.pre_VNP[0].double():
        raw = [float(sum(pre_P * column_P)) for column_P in projector.weight_PD.double().T]
        if projector.bias_D is not None:
            raw = [value + float(bias) for value, bias in zip(raw, projector.bias_D, strict=True)]
        length = math.sqrt(sum(value * value for value in raw))
        logits = [
            run.backbone.logit_scale * sum(a / length * float(b) for a, b in zip(raw, text_D, strict=True))
            for text_D in run.class_vectors.text_CD
        ]
        exponentials = [math.exp(value - max(logits)) for value in logits]
        answers.append([value / sum(exponentials) for value in exponentials])
    return answers


def test_zero_shot_is_the_untouched_projector_and_prolip_the_trained_one(tested: PilotRun, photos: PhotoSet) -> None:
    for predictions, projector in (
        (tested.answers.zero_shot, tested.backbone.projector),
        (tested.answers.prolip, tested.trained.projector),
    ):
        slow = _slow_answers(tested, photos, projector)
        assert [prediction.image_id for prediction in predictions] == [image.image_id for image in photos.query]
        np.testing.assert_allclose([p.probabilities for p in predictions], slow, atol=1e-5)
    assert tested.mcnemar_p == metrics.mcnemar_p(tested.answers.zero_shot, tested.answers.prolip)


def test_it_learns_from_the_photos_it_was_given(tested: PilotRun) -> None:
    assert not torch.equal(tested.trained.projector.weight_PD, tested.backbone.projector.weight_PD)
    assert tested.trained.history[-1].support_accuracy > tested.trained.history[0].support_accuracy
    assert tested.prolip.accuracy > tested.zero_shot.accuracy


@pytest.mark.parametrize("lam", ["1/N", "auto"])
def test_another_class_order_permutes_the_matrix_and_changes_nothing_else(
    folders: tuple[Path, Path], tmp_path: Path, lam: str
) -> None:
    order = [2, 0, 1]
    class_list = tmp_path / "classes.csv"
    class_list.write_text("class\n" + "\n".join(CLASSES[label] for label in order), encoding="utf-8")
    spec = _spec(fit=FitConfig(lam=lam))
    first = fakes.tiny_run(dataset.read_folders(*folders), spec)
    second = fakes.tiny_run(dataset.read_folders(*folders, class_list), spec)
    assert list(second.class_vectors.class_names) == [CLASSES[label] for label in order]
    assert second.trained.lam == pytest.approx(first.trained.lam)
    for before, after in ((first.zero_shot, second.zero_shot), (first.prolip, second.prolip)):
        np.testing.assert_array_equal(after.confusion.counts_CC, before.confusion.counts_CC[np.ix_(order, order)])
        for row, true in enumerate(order):
            assert after.per_class[row] == before.per_class[true]
            for column, answered in enumerate(order):
                assert set(after.confusion.image_ids(row, column)) == set(before.confusion.image_ids(true, answered))
        assert after.accuracy_interval == before.accuracy_interval
    by_id = {p.image_id: p.probabilities for p in first.answers.prolip}
    for prediction in second.answers.prolip:
        expected = [by_id[prediction.image_id][label] for label in order]
        # The solver stops close to the minimum, and rounding decides where; no photo is nearly tied (margins over 0.4).
        np.testing.assert_allclose(prediction.probabilities, expected, atol=0.02)


@pytest.mark.parametrize("test", [True, False])
def test_the_same_seed_gives_the_same_result(photos: PhotoSet, test: bool) -> None:
    spec = _spec(seed=5, n_views=2, fit=FitConfig() if test else PLAIN_LAM)
    used = photos if test else replace(photos, query=())
    first, second = fakes.tiny_run(used, spec), fakes.tiny_run(used, spec)
    assert _without_times(first) == _without_times(second)
    assert _weights(first) == _weights(second)


def test_another_seed_gives_other_views(photos: PhotoSet) -> None:
    one, two = (fakes.tiny_run(photos, _spec(seed=seed, n_views=2, fit=FitConfig(lam=1.0))) for seed in (1, 2))
    assert _weights(one) != _weights(two)


# Who teaches


@pytest.mark.parametrize("lam", ["1/N", "auto"])
@pytest.mark.parametrize("solver", ["exact", "adam"])
def test_the_test_photos_never_influence_the_training(
    folders: tuple[Path, Path], tested: PilotRun, photos: PhotoSet, tmp_path: Path, lam: str, solver: str
) -> None:
    spec = _spec(fit=FitConfig(solver=solver, lam=lam, epochs=20))
    others = fakes.write_photos(tmp_path / "others", {"nut": range(50, 57)})
    one = fakes.tiny_run(photos, spec)
    two = fakes.tiny_run(dataset.read_folders(folders[0], others), spec)
    assert _weights(one) == _weights(two)
    assert (one.trained.lam, one.trained.lam_note) == (two.trained.lam, two.trained.lam_note)
    if lam == "1/N":  # and without any test photo it is the same training again
        assert _weights(fakes.tiny_run(replace(photos, query=()), spec)) == _weights(one)


def test_a_test_photo_between_two_training_photos_does_not_join_them(
    photos: PhotoSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two photos 60 bits apart are different; a test photo 30 bits from both would make them one group."""
    supports = _spy_on_fits(monkeypatch)
    hashes = {0: 0, 1: (1 << 60) - 1}
    support = tuple(
        replace(image, record=replace(image.record, phash=hashes.get(position, image.record.phash)))
        for position, image in enumerate(photos.support)
    )
    bridge = replace(photos.query[0], record=replace(photos.query[0].record, phash=(1 << 30) - 1))
    groups = pilot.group_photos(replace(photos, support=support, query=(bridge, *photos.query[1:])))
    assert groups[support[0].image_id] == groups[support[1].image_id]  # the trap is set
    run = fakes.tiny_run(replace(photos, support=support, query=(bridge, *photos.query[1:])))
    assert run.split.dropped == (bridge,)
    assert supports[0].groups_N[0] != supports[0].groups_N[1]


def _spy_on_fits(monkeypatch: pytest.MonkeyPatch) -> list[Support]:
    supports: list[Support] = []
    fit: Callable[..., Any] = prolip.fit

    def spy(support: Support, *arguments: Any, **options: Any) -> Any:
        supports.append(support)
        return fit(support, *arguments, **options)

    monkeypatch.setattr(prolip, "fit", spy)
    return supports


def test_a_copy_of_a_training_photo_is_left_out_of_the_test(folders: tuple[Path, Path], tmp_path: Path) -> None:
    train, _ = folders
    test = fakes.write_photos(tmp_path / "test", {"bolt": [20], "nut": [20]})
    with Image.open(train / "bolt" / "0.jpg") as picture:
        picture.resize((72, 48)).save(test / "nut" / "smaller copy.png")
    (test / "nut" / "same bytes.jpg").write_bytes((train / "washer" / "1.jpg").read_bytes())
    run = fakes.tiny_run(dataset.read_folders(train, test))
    dropped = {"nut/smaller copy.png", "nut/same bytes.jpg"}
    assert {image.record.filename for image in run.split.dropped} == dropped
    assert set(runs.as_dict(run)["dropped_test_files"]) == dropped
    assert run.prolip.count == run.zero_shot.count == 2
    assert any("near-duplicates of, training photos (number: 2)" in str(note) for note in run.warnings)


def test_a_test_that_is_a_copy_of_the_training_proves_nothing(folders: tuple[Path, Path]) -> None:
    with pytest.raises(DatasetError, match="All 18 test photos are the same as"):
        fakes.tiny_run(dataset.read_folders(folders[0], folders[0]))


def test_a_training_never_writes_into_the_backbone(photos: PhotoSet, monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = fakes.load_tiny(fakes.TINY_SPEC.backbone, fakes.CPU)
    before = backbones.fingerprint(backbone._model), backbone.projector.weight_PD.clone()
    monkeypatch.setattr(pilot, "load_backbone", lambda spec: backbone)
    for solver in ("exact", "adam"):
        run = pilot.run(_spec(fit=FitConfig(solver=solver, epochs=5)), photos)
        assert not torch.equal(run.trained.projector.weight_PD, before[1])
    assert backbones.fingerprint(backbone._model) == before[0]
    assert torch.equal(backbone.projector.weight_PD, before[1])


# Without test photos


def test_cross_validation_asks_every_photo_once_and_says_so(crossed: PilotRun, photos: PhotoSet) -> None:
    assert crossed.evaluation == "cross_validation"
    support = [(image.image_id, image.label) for image in photos.support]
    for answers in (crossed.answers.zero_shot, crossed.answers.prolip):
        assert [(prediction.image_id, prediction.label) for prediction in answers] == support
    how = crossed.answers.cross_validation
    assert how is not None
    assert (how.folds, len(how.accuracies)) == (pilot.CROSS_VALIDATION_FOLDS, pilot.CROSS_VALIDATION_REPEATS)
    assert how.accuracies[how.reported_repeat] == sorted(how.accuracies)[1] == crossed.prolip.accuracy


def test_cross_validation_never_asks_a_training_that_saw_the_photo_or_a_copy(
    photos: PhotoSet, folders: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = fakes.write_photos(tmp_path / "train", {name: range(6) for name in CLASSES})
    for number in (0, 1):
        with Image.open(train / "bolt" / f"{number}.jpg") as picture:
            picture.resize((72, 48)).save(train / "bolt" / f"copy of {number}.png")
    supports = _spy_on_fits(monkeypatch)
    asked = _spy_on_predictions(monkeypatch)
    run = fakes.tiny_run(dataset.read_folders(train), _spec(fit=PLAIN_LAM))
    group_of = dict(zip([image.image_id for image in run.split.support], supports[0].groups_N, strict=True))
    assert len(set(group_of.values())) == 18 < len(group_of) == 20  # the copies were seen to be copies
    repeats, folds = pilot.CROSS_VALIDATION_REPEATS, pilot.CROSS_VALIDATION_FOLDS
    assert len(supports) == 1 + repeats * folds
    assert len(asked) == repeats * folds + 1  # the last are the zero-shot answers
    for teaching, predictions in zip(supports[1:], asked, strict=False):
        assert not {group_of[p.image_id] for p in predictions} & set(teaching.groups_N)
    for repeat in range(repeats):
        ids = [p.image_id for fold in asked[repeat * folds : (repeat + 1) * folds] for p in fold]
        assert sorted(ids) == sorted(group_of)


def _spy_on_predictions(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Prediction, ...]]:
    asked: list[tuple[Prediction, ...]] = []
    predict: Callable[..., tuple[Prediction, ...]] = classify.predict

    def spy(*arguments: Any) -> tuple[Prediction, ...]:
        asked.append(predict(*arguments))
        return asked[-1]

    monkeypatch.setattr(classify, "predict", spy)
    return asked


def test_the_middle_repeat_is_reported(photos: PhotoSet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Repeat 0 is never right, repeat 1 always, repeat 2 in its first fold only."""
    predict: Callable[..., tuple[Prediction, ...]] = classify.predict
    folds, calls = pilot.CROSS_VALIDATION_FOLDS, itertools.count()

    def answer(*arguments: Any) -> tuple[Prediction, ...]:
        call = next(calls)
        right = folds <= call <= 2 * folds
        return tuple(replace(p, predicted=p.label if right else (p.label + 1) % 3) for p in predict(*arguments))

    monkeypatch.setattr(classify, "predict", answer)
    run = fakes.tiny_run(replace(photos, query=()), _spec(fit=PLAIN_LAM))
    how = run.answers.cross_validation
    assert how is not None
    assert (how.accuracies[:2], how.reported_repeat) == ((0.0, 1.0), 2)
    assert 0 < how.accuracies[2] == run.prolip.accuracy < 0.5


def test_every_repeat_deals_the_photos_anew_and_the_seed_decides(photos: PhotoSet) -> None:
    def dealt(seed: int) -> list[frozenset[tuple[int, ...]]]:
        plans = pilot.plan_cross_validation(photos.support, range(18), 3, seed)
        return [frozenset(tuple(held.tolist()) for _, held in plan) for plan in plans]

    assert len(set(dealt(0))) == pilot.CROSS_VALIDATION_REPEATS
    assert dealt(0) == dealt(0) != dealt(7)


def test_the_seed_of_the_run_is_that_of_its_training(photos: PhotoSet, monkeypatch: pytest.MonkeyPatch) -> None:
    configs: list[FitConfig] = []
    fit: Callable[..., Any] = prolip.fit

    def spy(support: Any, text: Any, initial: Any, scale: float, config: FitConfig, *rest: Any, **options: Any) -> Any:
        configs.append(config)
        return fit(support, text, initial, scale, config, *rest, **options)

    monkeypatch.setattr(prolip, "fit", spy)
    fakes.tiny_run(photos, _spec(seed=9, fit=FitConfig(lam=0.5, seed=1)))
    assert set(configs) == {FitConfig(lam=0.5, seed=9)}


def test_too_few_photos_for_cross_validation_are_told_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = fakes.write_photos(tmp_path / "train", {"bolt": range(5), "nut": range(2)})
    monkeypatch.setattr(pilot, "load_backbone", lambda spec: pytest.fail("the backbone was loaded for nothing"))
    with pytest.raises(DatasetError, match="at least 3 different photos in every class; the smallest class has 2") as e:
        pilot.run(fakes.TINY_SPEC, dataset.read_folders(train))
    assert e.value.remedy_text == "Add different photos to it."


def test_one_photo_per_class_is_enough_with_test_photos(tmp_path: Path) -> None:
    train = fakes.write_photos(tmp_path / "train", {"bolt": [0], "nut": [0]})
    test = fakes.write_photos(tmp_path / "test", {"bolt": [1, 2], "nut": [1]})
    run = fakes.tiny_run(dataset.read_folders(train, test))
    assert (run.trained.lam, run.prolip.count) == (1.0, 3)


# What is told


def _with_backbone(**traits: Any) -> PilotSpec:
    return _spec(backbone=replace(fakes.TINY_SPEC.backbone, **traits), fit=FitConfig(lam=1.0))


def test_class_names_that_the_backbone_cannot_read_are_told(folders: tuple[Path, Path], tmp_path: Path) -> None:
    class_list = tmp_path / "classes.csv"
    class_list.write_text("class,display_name,prompt_names\nbolt,ボルト,bolt\nnut,ナット,\nwasher,座金,\n", "utf-8")
    named = dataset.read_folders(*folders, class_list)
    (warning,) = map(str, fakes.tiny_run(named, _with_backbone()).warnings)
    assert "reads English only" in warning
    assert "ナット, 座金" in warning
    assert "ボルト" not in warning
    assert fakes.tiny_run(named, _with_backbone(language="Many languages")).warnings == ()


def test_a_licence_against_commercial_use_is_told(photos: PhotoSet) -> None:
    spec = _with_backbone(commercial_use=False, licence="Research only.")
    (warning,) = map(str, fakes.tiny_run(photos, spec).warnings)
    assert "forbids commercial use: Research only." in warning


def test_a_class_without_a_test_photo_is_told_and_divides_nothing_by_zero(photos: PhotoSet) -> None:
    run = fakes.tiny_run(replace(photos, query=tuple(image for image in photos.query if image.label != 1)))
    (warning,) = map(str, run.warnings)
    assert warning.startswith("No test photo of: nut.")
    assert (run.prolip.per_class[1].count, run.prolip.per_class[1].recall) == (0, None)
    assert run.prolip.confusion.counts_CC.shape == (3, 3)


def test_an_ordinary_run_has_no_warning(tested: PilotRun, crossed: PilotRun) -> None:
    assert tested.warnings == crossed.warnings == ()


@pytest.mark.parametrize("test", [True, False])
def test_progress_runs_through_every_stage_up_to_its_total(photos: PhotoSet, test: bool) -> None:
    seen: list[Progress] = []
    steps: list[int] = []
    run = fakes.tiny_run(
        photos if test else replace(photos, query=()),
        _spec(fit=PLAIN_LAM),
        on_progress=seen.append,
        on_step=lambda step: steps.append(step.step),
    )
    folds, repeats = pilot.CROSS_VALIDATION_FOLDS, pilot.CROSS_VALIDATION_REPEATS
    expected = {"load": 1, "features": 28 if test else 18}
    expected |= {"sure": folds} if test else {"cross_validation": folds * repeats}
    assert {one.stage: one.total for one in seen} == expected
    for stage, total in expected.items():
        done = [one.done for one in seen if one.stage == stage]
        assert done == sorted(done)
        assert done[-1] == total
        assert all(one.total == total for one in seen if one.stage == stage)
    assert steps == [step.step for step in run.trained.history]  # the folds of cross-validation stay out of the curve


@pytest.mark.parametrize("stage", ["features", "cross_validation"])
def test_a_person_can_stop_it(photos: PhotoSet, stage: str) -> None:
    with pytest.raises(Cancelled):
        fakes.tiny_run(
            replace(photos, query=()), _spec(fit=PLAIN_LAM), on_progress=lambda progress: progress.stage == stage
        )


def test_stopping_the_training_keeps_what_was_reached(photos: PhotoSet) -> None:
    run = fakes.tiny_run(photos, on_step=lambda step: step.step == 2)
    assert run.trained.stopped
    assert len(run.trained.history) == 2
    assert runs.as_dict(run)["settings"]["stopped_early"] is True


# Choices


def test_views_are_for_the_photos_that_teach_only(photos: PhotoSet, monkeypatch: pytest.MonkeyPatch) -> None:
    supports = _spy_on_fits(monkeypatch)
    extracted: list[tuple[int, int]] = []
    extract: Callable[..., Any] = features.extract

    def spy(backbone: Any, source: Any, ids: Sequence[str], **options: Any) -> Any:
        extracted.append((len(ids), options.get("n_views", 1)))
        return extract(backbone, source, ids, **options)

    monkeypatch.setattr(features, "extract", spy)
    fakes.tiny_run(photos, _spec(n_views=2))
    assert extracted == [(18, 2), (10, 1)]
    assert supports[0].pre_VNP.shape[:2] == (2, 18)


def test_adam_takes_its_epochs_and_its_learning_rate(photos: PhotoSet) -> None:
    run = fakes.tiny_run(photos, _spec(n_views=2, fit=FitConfig("adam", "1/N", 1e-2, 7)))
    assert (run.trained.solver, len(run.trained.history)) == ("adam", 7)
    assert run.trained.lam == pytest.approx(1 / 6)
    slower = fakes.tiny_run(photos, _spec(n_views=2, fit=FitConfig("adam", "1/N", 1e-4, 7)))
    assert slower.trained.history[-1].penalty < run.trained.history[-1].penalty


def test_the_seconds_add_up(tested: PilotRun) -> None:
    seconds = tested.seconds
    assert set(seconds) == {"features", "fit", "total"}
    assert 0 < seconds["features"] + seconds["fit"] <= seconds["total"]


def test_features_come_from_the_cache_the_second_time(
    photos: PhotoSet, tested: PilotRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = fakes.tiny_run(photos, cache_folder=tmp_path)
    monkeypatch.setattr(backbones.Backbone, "encode_pre", lambda *_: pytest.fail("a photo was encoded again"))
    second = fakes.tiny_run(photos, cache_folder=tmp_path)
    assert _weights(first) == _weights(second) == _weights(tested)


@pytest.mark.parametrize(
    ("choices", "error"),
    [
        ({"templates": ("a photo",)}, PromptError),
        ({"n_views": 0}, ConfigError),
        ({"n_views": 301}, ConfigError),
        ({"seed": -1}, ConfigError),
        ({"seed": 2**31}, ConfigError),
        ({"device": "abacus"}, ConfigError),
        ({"device": "cuda:99"}, DeviceError),
        ({"precision": "float7"}, ConfigError),
        ({"backbone": BackboneSpec("x", "ViT-B-33")}, UnknownBackboneError),
        ({"backbone": BackboneSpec("x", "ViT-B-32", "no such tag")}, UnknownBackboneError),
        ({"backbone": BackboneSpec("x", "ViT-B-32", checkpoint=Path("none.pt"))}, WeightsNotFoundError),
    ],
)
def test_what_is_wrong_with_the_choices_is_found_before_any_photo_is_read(
    choices: dict[str, Any], error: type[ProLIPError]
) -> None:
    with pytest.raises(error):
        pilot.check(replace(PilotSpec(), **choices))


def test_the_largest_seed_works_in_every_part(tmp_path: Path) -> None:
    pilot.check(PilotSpec(seed=pilot.MAX_SEED))
    few = dataset.read_folders(fakes.write_photos(tmp_path, {"bolt": range(3), "nut": range(3)}))
    run = fakes.tiny_run(few, _spec(seed=pilot.MAX_SEED, n_views=2))
    assert (run.prolip.count, run.trained.lam_note.text.split(",")[-1]) == (
        6,
        " chosen by cross-validation on the training photos",
    )


def test_a_seed_out_of_range_does_not_reach_the_generators(photos: PhotoSet) -> None:
    with pytest.raises(ConfigError, match="The seed is -1; it must be between 0 and 2147483647"):
        fakes.tiny_run(photos, _spec(seed=-1))


def test_a_photo_that_changed_after_the_check_is_named(tmp_path: Path) -> None:
    train = fakes.write_photos(tmp_path / "train", {"bolt": [0], "nut": [0]})
    found = dataset.read_folders(train, fakes.write_photos(tmp_path / "test", {"bolt": [9]}))
    (train / "nut" / "0.jpg").write_bytes(image_factory.jpeg(7))
    with pytest.raises(ProLIPError, match=r"0\.jpg was changed while it was in use"):
        fakes.tiny_run(found)


def test_a_training_that_was_stopped_is_measured_as_it_was_kept(
    photos: PhotoSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cross-validation ends every fold at the step at which the training itself was ended."""
    lengths: list[int] = []
    fit = prolip.fit

    def spy(*arguments: Any, **options: Any) -> Any:
        trained = fit(*arguments, **options)
        lengths.append(len(trained.history))
        return trained

    monkeypatch.setattr(prolip, "fit", spy)
    config = FitConfig("adam", "1/N", 1e-3, 50)
    run = fakes.tiny_run(replace(photos, query=()), _spec(fit=config), on_step=lambda step: step.step == 4)
    assert run.trained.stopped
    assert set(lengths) == {4}
    assert len(lengths) == 1 + pilot.CROSS_VALIDATION_FOLDS * pilot.CROSS_VALIDATION_REPEATS


def test_a_stop_during_cross_validation_keeps_the_repeats_that_are_whole(photos: PhotoSet) -> None:
    whole = pilot.CROSS_VALIDATION_FOLDS

    def after_one_repeat(progress: Progress) -> bool:
        return progress.stage == "cross_validation" and progress.done > whole

    run = fakes.tiny_run(replace(photos, query=()), _spec(fit=PLAIN_LAM), on_progress=after_one_repeat)
    crossed = run.answers.cross_validation
    assert crossed is not None
    assert (len(crossed.accuracies), crossed.planned_repeats) == (1, pilot.CROSS_VALIDATION_REPEATS)
    assert run.prolip.count == len(run.split.support)
    assert "1 times instead of 3" in str(run.warnings[-1])


def test_lam_can_be_stopped_before_any_fold_is_solved(photos: PhotoSet) -> None:
    with pytest.raises(Cancelled, match="λ was being chosen"):
        fakes.tiny_run(photos, _spec(fit=FitConfig()), on_progress=lambda progress: progress.stage == "lambda")


def test_a_backbone_that_is_warm_is_used(photos: PhotoSet) -> None:
    warm = fakes.load_tiny(fakes.TINY_SPEC.backbone, devices.choose("cpu", "float32"))
    run = pilot.run(_spec(fit=PLAIN_LAM), photos, backbone=warm)
    assert run.backbone is warm


# When it answers alone


def test_the_rule_comes_from_training_photos_that_were_held_out(photos: PhotoSet, tested: PilotRun) -> None:
    """A slow twin: every fold trained by itself, its held-out photos answered, the rule chosen from these."""
    labels = [image.label for image in tested.split.support]
    probabilities: dict[int, tuple[float, ...]] = {}
    batch = features.extract(tested.backbone, photos.source, [image.image_id for image in tested.split.support])
    pre_NP, labels_N = batch.pre_VNP[0], torch.tensor(labels)
    groups = list(range(len(labels)))
    for fit, held in splits.folds(labels, groups, 3, n_folds=pilot.CROSS_VALIDATION_FOLDS, seed=0):
        trained = prolip.fit(
            Support(pre_NP[None, fit], labels_N[fit], fit.tolist(), 3),
            tested.class_vectors.text_CD,
            tested.backbone.projector,
            tested.backbone.logit_scale,
            FitConfig(lam=tested.trained.lam),
        )
        answers = classify.predict(
            [str(i) for i in held],
            pre_NP[held],
            labels_N[held].tolist(),
            trained.projector,
            tested.class_vectors.text_CD,
            tested.backbone.logit_scale,
        )
        probabilities |= zip(held.tolist(), (one.probabilities for one in answers), strict=True)
    expected = sure_rule.choose(np.array([probabilities[i] for i in range(len(labels))]), np.array(labels))
    assert tested.sure is not None
    assert tested.sure.temperature == pytest.approx(expected.temperature, rel=1e-3)
    assert tested.sure.threshold == pytest.approx(expected.threshold, rel=1e-3)
    counts = [(one.support_answered, one.support_wrong, one.assured) for one in (tested.sure, expected)]
    assert counts[0] == counts[1]


def test_near_duplicates_count_once_in_the_rule(monkeypatch: pytest.MonkeyPatch, photos: PhotoSet) -> None:
    given: list[object] = []
    real = sure_rule.choose

    def choose(probs_NC: np.ndarray, labels_N: np.ndarray, *, groups_N: Sequence[int]) -> SureRule:
        given.append(tuple(groups_N))
        return real(probs_NC, labels_N, groups_N=groups_N)

    monkeypatch.setattr(sure_rule, "choose", choose)
    run = fakes.tiny_run(photos)
    assert given == [tuple(duplicates.groups([image.record for image in run.split.support]))]


def test_the_rule_of_a_cross_validation_needs_no_training_more(crossed: PilotRun) -> None:
    labels = np.array([one.label for one in crossed.answers.prolip])
    assert crossed.sure == sure_rule.choose(np.array([one.probabilities for one in crossed.answers.prolip]), labels)


def test_the_rule_knows_nothing_of_the_test_photos(photos: PhotoSet, tested: PilotRun) -> None:
    other = tuple(replace(image, label=(image.label + 1) % 3) for image in photos.query[:4])
    assert fakes.tiny_run(replace(photos, query=other)).sure == tested.sure


def test_a_stop_while_the_rule_is_made_leaves_it_out_and_keeps_the_rest(photos: PhotoSet, tested: PilotRun) -> None:
    run = fakes.tiny_run(photos, on_progress=lambda progress: progress.stage == "sure")
    assert run.sure is None
    assert run.answers == tested.answers


def test_one_photo_per_class_gives_no_rule(tmp_path: Path) -> None:
    train = fakes.write_photos(tmp_path / "train", {name: range(1) for name in CLASSES})
    test = fakes.write_photos(tmp_path / "test", {name: range(20, 22) for name in CLASSES})
    assert fakes.tiny_run(dataset.read_folders(train, test)).sure is None
