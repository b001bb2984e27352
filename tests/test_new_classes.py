"""Classes known by name alone: the study, and one class more in a finished run."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from prolip_core import backbones, cli, dataset, image_files, metrics, prolip, prompts, runs
from prolip_core.errors import Cancelled, DatasetError, PromptError
from prolip_core.spec import FitConfig
from prolip_core.studies import material, new_classes
from prolip_core.studies.material import Material
from prolip_core.studies.new_classes import Half, NewClassesStudy, Rates, Summary
from tests import fakes

NAMES = ("bolt", "gear", "nut", "pin", "spring")


@pytest.fixture
def prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Material:
    monkeypatch.setattr(backbones, "load", fakes.load_tiny)
    fakes.write_photos(tmp_path / "train", {name: range(3) for name in NAMES})
    fakes.write_photos(tmp_path / "test", {name: [20, 21] for name in NAMES})
    return material.prepare(fakes.TINY_SPEC, dataset.read_folders(tmp_path / "train", tmp_path / "test"))


def test_halves_are_different_and_the_larger_half_teaches() -> None:
    halves = new_classes.random_halves(5, 6, seed=0)
    assert len(set(halves)) == 6 and {len(base) for base in halves} == {3}
    assert len(new_classes.random_halves(4, 50, seed=0)) == 6
    assert new_classes.random_halves(5, 6, seed=0) == halves


@pytest.mark.parametrize(("base", "new"), [(0.8, 0.4), (1.0, 1.0), (0.0, 0.5), (0.0, 0.0), (0.3, 0.9)])
def test_the_harmonic_mean_is_that_of_the_library(base: float, new: float) -> None:
    assert new_classes.harmonic_mean(base, new) == pytest.approx(statistics.harmonic_mean([base, new]))


def test_a_half_is_trained_on_its_own_photos_and_measured_among_its_own_names(prepared: Material) -> None:
    study = new_classes.run(prepared, n_draws=2)
    labels_M = prepared.query_labels_M.tolist()
    text_CD = prepared.class_vectors.text_CD
    for half in study.halves:
        assert sorted((*half.base, *half.new)) == [0, 1, 2, 3, 4]
        rows = [i for i, label in enumerate(prepared.support.labels_N.tolist()) if label in half.base]
        support = new_classes.only(prepared.support, half.base)
        assert torch.equal(support.pre_VNP, prepared.support.pre_VNP[:, rows])
        assert [half.base[label] for label in support.labels_N.tolist()] == prepared.support.labels_N[rows].tolist()
        trained = prolip.fit(support, text_CD[list(half.base)], prepared.projector, prepared.logit_scale, FitConfig())
        assert half.lam == trained.lam
        for projector, rates in ((trained.projector, half.prolip), (prepared.projector, half.zero_shot)):
            scores_MC = (prepared.query_MP @ projector.weight_PD) @ text_CD.T
            found = []
            for classes in (half.base, half.new, range(5)):
                right = {
                    m: max(classes, key=lambda label: float(scores_MC[m, label])) == labels_M[m]
                    for m in range(len(labels_M))
                    if labels_M[m] in classes
                }
                found.append(sum(right.values()) / len(right))
                for label in classes:
                    recall = statistics.fmean(one for m, one in right.items() if labels_M[m] == label)
                    told = rates.together_C if len(classes) == 5 else rates.own_C
                    assert told[label] == pytest.approx(recall)
            assert (rates.base, rates.new, rates.together) == pytest.approx(tuple(found))
            assert rates.harmonic == pytest.approx(statistics.harmonic_mean(found[:2]))
    assert study.summary == new_classes.summarise(study.halves)


def made_up(halves: Sequence[tuple[int, ...]], before_HC: np.ndarray, after_HC: np.ndarray) -> list[Half]:
    """Halves with these rates of every class."""
    found = []
    for base, before_C, after_C in zip(halves, before_HC, after_HC, strict=True):
        rest = tuple(label for label in range(len(before_C)) if label not in base)
        rates = [Rates(0.0, 0.0, 0.0, 0.0, tuple(one.tolist()), tuple(one.tolist())) for one in (before_C, after_C)]
        found.append(Half(base, rest, 1.0, rates[0], rates[1]))
    return found


def test_the_summary_goes_over_classes_and_not_over_halves() -> None:
    halves = [(0, 1), (0, 2), (1, 3)]
    random = np.random.default_rng(1)
    before_HC, after_HC = random.uniform(size=(2, 3, 4))
    summary = {one.rate: one for one in new_classes.summarise(made_up(halves, before_HC, after_HC))}
    for rate, side in (("base", True), ("new", False)):
        means = []
        for label in range(4):
            there = [place for place, base in enumerate(halves) if (label in base) == side]
            means.append((before_HC[there, label].mean(), after_HC[there, label].mean()))
        before, after = np.array(means).T
        one = summary[rate]
        assert (one.classes, one.zero_shot, one.prolip) == pytest.approx((4, before.mean(), after.mean()))
        for interval, values in (
            (one.difference_interval, after - before),
            (one.zero_shot_interval, before),
            (one.prolip_interval, after),
        ):
            assert interval == pytest.approx(metrics.mean_interval(values.tolist()))
    both = summary["harmonic"]
    assert both.prolip == pytest.approx(statistics.harmonic_mean([summary["base"].prolip, summary["new"].prolip]))
    assert both.difference_interval is not None
    low, high = both.difference_interval
    assert (low + high) / 2 == pytest.approx(both.difference) and low < high


def test_the_range_of_a_harmonic_mean_of_equal_rates_is_that_of_the_rate() -> None:
    """Where base and new are the same for every class, their harmonic mean is that number, and so is its range."""
    halves = [(0, 1, 2), (3, 4, 5)]
    rates_C = np.array([0.4, 0.5, 0.6, 0.45, 0.55, 0.5])
    summary = {
        one.rate: one
        for one in new_classes.summarise(made_up(halves, np.tile(rates_C, (2, 1)), np.tile(rates_C, (2, 1))))
    }
    assert summary["harmonic"].prolip_interval == pytest.approx(summary["base"].prolip_interval)


def test_a_class_that_was_never_new_is_left_out_and_one_half_of_two_classes_has_no_range() -> None:
    before_HC, after_HC = np.zeros((1, 3)), np.array([[0.9, 0.8, 0.3]])
    summary = {one.rate: one for one in new_classes.summarise(made_up([(0, 1)], before_HC, after_HC))}
    assert summary["new"].classes == 1 and summary["new"].difference == pytest.approx(0.3)
    assert summary["new"].difference_interval is None and summary["harmonic"].difference_interval is None
    assert summary["base"].difference_interval is not None


@pytest.mark.parametrize("classes", [4, 10])
def test_without_an_effect_a_verdict_is_as_rare_as_it_promises(classes: int) -> None:
    """Classes that gain and lose by chance, 10 photos each: about one verdict in twenty. Student over the halves gave one in
    three, as they share classes and photos."""
    random = np.random.default_rng(0)
    told = []
    halves = list(new_classes.random_halves(classes, 6, seed=0))
    for _ in range(300):
        level_C, effect_C = random.uniform(0.3, 0.9, classes), random.normal(0, 0.1, classes)
        of_half_HC = random.normal(0, 0.03, (len(halves), classes))
        before_C = random.binomial(10, level_C) / 10
        flips_C = random.normal(0, 0.1, classes)  # of the test photos, which are the same in every half
        after_HC = before_C + effect_C + flips_C + of_half_HC
        new = new_classes.summarise(made_up(halves, np.tile(before_C, (len(halves), 1)), after_HC))[1]
        assert new.difference_interval is not None
        told.append(not new.difference_interval[0] <= 0 <= new.difference_interval[1])
    assert np.mean(told) <= 0.08


def test_too_few_classes_or_no_test_photo_of_one_is_refused(prepared: Material) -> None:
    support = new_classes.only(prepared.support, (0, 1, 2))
    with pytest.raises(DatasetError, match="There are 3 classes"):
        new_classes.run(replace(prepared, support=support))
    without = replace(prepared.split, query=tuple(one for one in prepared.split.query if one.label != 2))
    with pytest.raises(DatasetError, match="there is none of: nut"):
        new_classes.run(replace(prepared, split=without))


def test_stopping_keeps_the_halves_that_are_whole(prepared: Material) -> None:
    study = new_classes.run(prepared, n_draws=3, on_progress=lambda progress: progress.done >= 1)
    assert (study.draws, study.planned_draws) == (1, 3)
    with pytest.raises(Cancelled):
        new_classes.run(prepared, n_draws=3, on_progress=lambda _: True)


@pytest.mark.parametrize(
    ("difference", "interval", "said"),
    [
        (-0.1, (-0.2, -0.05), "less well after fine-tuning on others: -10.0 points"),
        (0.1, (0.05, 0.2), "better after fine-tuning on others, too: +10.0 points"),
        (0.1, (-0.05, 0.2), "cannot be told"),
        (0.1, None, "cannot be told"),
    ],
)
def test_what_is_recommended(
    prepared: Material, difference: float, interval: tuple[float, float] | None, said: str
) -> None:
    one = Summary("new", 4, 0.5, None, 0.5 + difference, None, difference, interval)
    assert said in new_classes.advice(NewClassesStudy(prepared, (), (one, one, one, one), 1, 0.0)).text


# One class more in a finished run.


@pytest.fixture
def finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    monkeypatch.setattr(backbones, "load", fakes.load_tiny)
    fakes.write_photos(tmp_path / "train", {"bolt": range(3), "nut": range(3), "pin": range(3)})
    fakes.write_photos(tmp_path / "test", {"bolt": [20, 21], "nut": [20], "pin": [20]})
    run = fakes.tiny_run(dataset.read_folders(tmp_path / "train", tmp_path / "test"))
    runs.save(run, tmp_path / "run")
    return tmp_path / "run", tmp_path / "test"


def test_an_added_class_changes_nothing_among_the_others(finished: tuple[Path, Path]) -> None:
    saved = runs.load(finished[0], device="cpu")
    grown = saved.with_class(prompts.make_class("M8 washer", ["washer", "metal ring"]))
    assert grown.class_vectors.class_names == ("bolt", "nut", "pin", "M8 washer")
    assert torch.equal(grown.class_vectors.text_CD[:3], saved.class_vectors.text_CD)
    assert grown.projector is saved.projector and saved.class_vectors.class_names == ("bolt", "nut", "pin")
    assert len(grown.class_vectors.prompts.sentences[3]) == 2 * len(saved.templates)
    accepted, paths = image_files.import_files(image_files.photos_at(finished[1]), display_root=finished[1])
    ids = [record.image_id for record in accepted.accepted]
    source = image_files.FolderSource(paths)
    for before, after in zip(saved.predict(source, ids, None), grown.predict(source, ids, None), strict=True):
        old, rest = after.probabilities[:3], 1 - after.probabilities[3]
        assert 0 < after.probabilities[3] < 1 and sum(after.probabilities) == pytest.approx(1)
        assert [p / rest for p in old] == pytest.approx(before.probabilities, rel=1e-4)
        ranked = sorted(range(3), key=lambda label: -before.probabilities[label])
        assert all(old[a] >= old[b] for a, b in pairwise(ranked))


def test_the_added_vector_is_that_of_a_run_with_the_class(finished: tuple[Path, Path]) -> None:
    saved = runs.load(finished[0], device="cpu")
    washer = prompts.make_class("washer")
    classes = [prompts.make_class(name) for name in ("bolt", "nut", "pin")]
    whole = saved.backbone.encode_prompts(prompts.build([*classes, washer], saved.templates))
    torch.testing.assert_close(saved.with_class(washer).class_vectors.text_CD, whole.text_CD)
    assert saved.with_class(washer).class_vectors.prompts == whole.prompts


def test_a_name_that_is_taken_is_refused(finished: tuple[Path, Path]) -> None:
    saved = runs.load(finished[0], device="cpu")
    with pytest.raises(PromptError, match="“nut” is used twice"):
        saved.with_class(prompts.make_class("nut", ["hexagonal nut"]))
    with pytest.raises(PromptError, match="“nut” and “mother” have the same sentences"):
        saved.with_class(prompts.make_class("mother", ["nut"]))


def test_a_class_on_the_command_line() -> None:
    assert prompts.parse_class("washer") == prompts.make_class("washer")
    assert prompts.parse_class("座金=washer| metal ring") == prompts.make_class("座金", ["washer", "metal ring"])
    with pytest.raises(PromptError, match="no name"):
        prompts.parse_class("=washer")


def test_predict_answers_with_an_added_class(finished: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    run, photos = map(str, finished)
    options = ["--device", "cpu", "--json", "--add-class", "washer=metal ring", "--add-class", "gear"]
    assert cli.main(["predict", run, photos, *options]) == 0
    for answer in json.loads(capsys.readouterr().out)["predictions"]:
        assert list(answer["probabilities"]) == ["bolt", "nut", "pin", "washer", "gear"]
        assert sum(answer["probabilities"].values()) == pytest.approx(1)
    assert cli.main(["predict", run, photos, "--add-class", "nut"]) == cli.EXIT_WRONG_INPUT
    assert "used twice" in capsys.readouterr().err
