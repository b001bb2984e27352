"""Studies on the tiny model: which photos are drawn, what is measured, what is kept when somebody stops them."""

from __future__ import annotations

import statistics
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from prolip_core import backbones, dataset, differences, metrics, prolip
from prolip_core.baselines import methods
from prolip_core.baselines.problem import Fitted, OnStep, Problem
from prolip_core.errors import Cancelled, ConfigError, DatasetError, FitError
from prolip_core.objective import Support
from prolip_core.spec import FitConfig
from prolip_core.studies import compare_methods, learning_rates, material
from prolip_core.studies.compare_methods import Measured
from prolip_core.studies.material import Material
from prolip_core.types import Progress, Projector
from tests import fakes

QUICK = ["zero_shot", "nearest_class_mean", "tip_adapter", "prolip_auto"]


@pytest.fixture
def prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Material:
    """Two classes with 5 and 4 photos to learn from; 3 and 2 to test on, besides a copy of a support photo."""
    monkeypatch.setattr(backbones, "load", fakes.load_tiny)
    fakes.write_photos(tmp_path / "train", {"bolt": range(5), "nut": range(4)})
    fakes.write_photos(tmp_path / "test", {"bolt": [0, 20, 21, 22], "nut": [20, 21]})
    photos = dataset.read_folders(tmp_path / "train", tmp_path / "test")
    return material.prepare(fakes.TINY_SPEC, photos)


def test_test_photos_that_are_in_the_support_are_left_out_for_every_draw(prepared: Material) -> None:
    assert [image.record.filename for image in prepared.split.dropped] == ["bolt/0.jpg"]
    assert prepared.query_labels_M.tolist() == [0, 0, 0, 1, 1]
    assert len(prepared.query_MP) == 5
    assert prepared.support.images_per_class == (5, 4)


def test_a_study_needs_test_photos(tmp_path: Path) -> None:
    fakes.write_photos(tmp_path, {"bolt": range(2), "nut": range(2)})
    with pytest.raises(DatasetError, match="needs test photos"):
        material.prepare(fakes.TINY_SPEC, dataset.read_folders(tmp_path))


@pytest.mark.parametrize("devices", [("cuda",), ("cpu",)])
def test_the_last_block_is_trained_where_there_is_a_device_for_it(
    tmp_path: Path, prepared: Material, monkeypatch: pytest.MonkeyPatch, devices: tuple[str, ...]
) -> None:
    """The tiny model is a vision transformer on the CPU."""
    monkeypatch.setattr(material, "TOKEN_DEVICES", devices)
    photos = dataset.read_folders(tmp_path / "train", tmp_path / "test")
    with_tokens = material.prepare(fakes.TINY_SPEC, photos, with_tokens=methods.need_tokens(["last_block"]))
    keys = ["zero_shot", "last_block"]
    study = compare_methods.run(with_tokens, shots=3, n_draws=2, keys=keys)
    if devices == ("cpu",):
        assert [score.method.key for score in study.scores] == keys and not study.not_run
        assert study.scores[1].trained_parameters > 1000 and study.scores[1].added_parameters == 0
    else:
        assert [one.method.key for one in study.not_run] == ["last_block"]
        assert "graphics card" in study.not_run[0].reason.text
    assert (prepared.tokens, prepared.query_tokens_MTW) == (None, None)
    assert not methods.need_tokens(["zero_shot"]) and methods.need_tokens(None)


def support_of(counts: tuple[int, ...], groups: tuple[int, ...] | None = None) -> Support:
    labels = [label for label, count in enumerate(counts) for _ in range(count)]
    return Support(
        torch.randn(1, len(labels), 2), torch.tensor(labels), groups or tuple(range(len(labels))), len(counts)
    )


def test_a_draw_has_so_many_photos_of_every_class() -> None:
    support = support_of((6, 9, 5))
    drawn = material.draws(support, 4, 30, seed=0)
    assert len(drawn) == 30
    for rows in drawn:
        assert rows.tolist() == sorted(set(rows.tolist()))
        assert Counter(support.labels_N[rows].tolist()) == {0: 4, 1: 4, 2: 4}
    assert len({tuple(rows.tolist()) for rows in drawn}) > 20
    taken = Counter(row for rows in drawn for row in rows.tolist())
    assert set(taken) == set(range(20))


def test_draws_follow_from_the_seed() -> None:
    support = support_of((8, 8))
    first, again, other = (material.draws(support, 3, 4, seed=seed) for seed in (0, 0, 1))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(first, other, strict=True))
    # The first draws stay when more are asked for.
    assert torch.equal(material.draws(support, 3, 9, seed=0)[3], first[3])


def test_near_duplicates_are_drawn_last() -> None:
    support = support_of((6, 3), (0, 0, 0, 0, 1, 2, 3, 4, 5))
    for rows in material.draws(support, 3, 10, seed=0):
        assert {support.groups_N[row] for row in rows.tolist() if support.labels_N[row] == 0} == {0, 1, 2}


def test_where_nothing_can_be_drawn_there_is_one_draw() -> None:
    (only,) = material.draws(support_of((3, 3)), 3, 5, seed=0)
    assert only.tolist() == list(range(6))
    assert len(material.draws(support_of((3, 4)), 3, 5, seed=0)) == 5


def test_the_number_of_photos_is_checked() -> None:
    assert material.choose_shots(support_of((20, 18)), None) == 16
    assert material.choose_shots(support_of((20, 7)), None) == 7
    assert material.choose_shots(support_of((20, 7)), 7) == 7
    with pytest.raises(DatasetError, match="8 photos per class are asked for, but the smallest class has 7"):
        material.choose_shots(support_of((20, 7)), 8)
    with pytest.raises(ConfigError, match="is 0"):
        material.choose_shots(support_of((20, 7)), 0)
    for wrong in (0, 101):
        with pytest.raises(ConfigError, match=f"is {wrong}"):
            material.check_draws(wrong)


def measured(*right: bool) -> Measured:
    return Measured(right, 0.0, Fitted(lambda pre_MP: pre_MP, 0, 0))


def test_scores_on_a_toy() -> None:
    """Two draws, two methods, photos of three classes of which the last has none."""
    zero, reference = methods.METHODS[0], methods.METHODS[-1]
    whole = [
        {zero.key: measured(True, True, False, True, False), reference.key: measured(True, True, True, True, True)},
        {zero.key: measured(True, True, False, True, False), reference.key: measured(False, True, True, True, True)},
    ]
    labels = [0, 0, 0, 0, 1]
    score, mine = compare_methods._scores([zero, reference], whole, labels, 0.5)
    assert (score.accuracy, score.balanced_accuracy) == pytest.approx((3 / 5, (3 / 4 + 0) / 2))
    assert mine.accuracies == (1.0, 0.8) and mine.balanced_accuracy == pytest.approx((7 / 8 + 1) / 2)
    assert score.draw_interval is None  # it does not learn: nothing to draw
    assert mine.draw_interval == metrics.redrawn_interval((1.0, 0.8), 0.5)
    assert score.difference == pytest.approx(-0.3)
    assert score.difference_interval == pytest.approx(metrics.redrawn_interval((-0.4, -0.2), 0.5))
    ends = [differences.paired(one[reference.key].right_M, one[zero.key].right_M).interval for one in whole]
    assert score.photo_difference_interval == pytest.approx(np.mean(ends, axis=0).tolist())
    assert score.p == differences.sign_flip_p([1, 0, -2, 0, -2])
    assert mine.p is None and mine.difference == 0


def test_p_values_are_corrected_for_the_number_of_methods() -> None:
    others, reference = methods.METHODS[:3], methods.METHODS[-1]
    good = measured(*[True] * 8)
    whole = [{**{one.key: measured(*[False] * 8) for one in others}, reference.key: good}]
    scores = compare_methods._scores([*others, reference], whole, [0] * 4 + [1] * 4, 1.0)
    assert [score.p for score in scores[:3]] == pytest.approx([3 * 2 / 256] * 3)


def test_the_share_that_a_draw_takes_counts_near_duplicates_once() -> None:
    support = support_of((6, 3), (0, 0, 0, 1, 2, 3, 4, 5, 6))
    assert compare_methods.overlap_of(support, 2) == pytest.approx((2 / 4 + 2 / 3) / 2)
    assert compare_methods.overlap_of(support, 5) == 1


def test_every_method_is_measured_on_every_draw(prepared: Material) -> None:
    study = compare_methods.run(prepared, shots=3, n_draws=3, keys=QUICK)
    assert [score.method.key for score in study.scores] == QUICK
    assert (study.shots, study.draws, study.planned_draws, study.not_run) == (3, 3, 3, ())
    planned = material.draws(prepared.support, 3, 3, prepared.spec.seed)
    labels_M = prepared.query_labels_M
    by_key = {score.method.key: score for score in study.scores}
    for method in methods.by_keys(QUICK):
        score = by_key[method.key]
        for number, rows in enumerate(planned):
            problem = Problem(
                prepared.support.subset(rows),
                prepared.class_vectors.text_CD,
                prepared.projector,
                prepared.logit_scale,
                prepared.spec.seed + number,
                prepared.text_side,
                prepared.context,
            )
            answers = method.fit(problem, None).logits(prepared.query_MP).argmax(dim=-1)
            assert score.accuracies[number] == pytest.approx(float((answers == labels_M).float().mean()))
        assert score.accuracy == pytest.approx(statistics.fmean(score.accuracies))
        widened = metrics.redrawn_interval(score.accuracies, (3 / 5 + 3 / 4) / 2)
        assert score.draw_interval == (None if method.key == "zero_shot" else pytest.approx(widened))
        assert score.photo_interval == metrics.wilson_interval(round(5 * score.accuracy), 5)
        gaps = np.subtract(score.accuracies, by_key["prolip_auto"].accuracies)
        assert score.difference == pytest.approx(gaps.mean())
        assert score.difference_interval == pytest.approx(metrics.redrawn_interval(gaps.tolist(), study.overlap))


def test_without_the_reference_there_is_no_difference(prepared: Material) -> None:
    (score,) = compare_methods.run(prepared, shots=3, n_draws=2, keys=["zero_shot"]).scores
    assert score.difference is None and score.difference_interval is None


def test_all_methods_run_on_real_features(prepared: Material) -> None:
    study = compare_methods.run(prepared, n_draws=1)
    assert [score.method.key for score in study.scores] == [one.key for one in methods.METHODS if one.needs != "tokens"]
    bare = compare_methods.run(replace(prepared, text_side=None, context=None), n_draws=1, keys=["coop", "prolip_text"])
    assert [one.method.key for one in bare.not_run] == ["coop", "prolip_text"]
    assert "text part" in bare.not_run[0].reason.text


def failing(problem: Problem, on_step: OnStep | None = None) -> Fitted:
    if problem.seed == 1:
        raise FitError("Not with {what}.", what="this draw")
    return methods.METHODS[0].fit(problem, on_step)


def test_a_method_that_fails_has_a_reason_and_no_score(prepared: Material, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = replace(methods.METHODS[0], key="broken", fit=failing)
    monkeypatch.setattr(compare_methods, "METHODS", (methods.METHODS[0], broken))
    study = compare_methods.run(prepared, shots=3, n_draws=3)
    assert [score.method.key for score in study.scores] == ["zero_shot"]
    assert [(one.method.key, one.reason.text) for one in study.not_run] == [("broken", "Not with this draw.")]


def test_stopping_keeps_the_draws_that_are_whole(prepared: Material) -> None:
    seen: list[Progress] = []

    def stop_at(done: int) -> material.OnProgress:
        def on_progress(progress: Progress) -> bool:
            seen.append(progress)
            return progress.done >= done

        return on_progress

    study = compare_methods.run(prepared, shots=3, n_draws=3, keys=QUICK, on_progress=stop_at(6))
    assert (study.draws, study.planned_draws) == (1, 3)
    assert all(len(score.accuracies) == 1 and score.draw_interval is None for score in study.scores)
    assert {progress.stage for progress in seen} == {"study"} and seen[0].total == 12
    for run in (compare_methods.run, learning_rates.run):
        with pytest.raises(Cancelled):
            run(prepared, shots=3, n_draws=3, on_progress=stop_at(2))


def test_learning_rates_are_adams_and_the_exact_solver_has_none(prepared: Material) -> None:
    study = learning_rates.run(prepared, shots=3, n_draws=2, learning_rates=(1e-4, 1e-2), lams=("0", "1/N"), epochs=5)
    assert [(cell.lam, cell.learning_rate) for cell in study.cells] == [
        ("0", 1e-4),
        ("0", 1e-2),
        ("1/N", 1e-4),
        ("1/N", 1e-2),
        ("1/N", None),
    ]
    assert [cell.lam_value for cell in study.cells] == pytest.approx([0, 0, 1 / 3, 1 / 3, 1 / 3])
    planned = material.draws(prepared.support, 3, 2, prepared.spec.seed)
    configs = {1e-2: FitConfig("adam", "1/N", 1e-2, 5), None: FitConfig("exact", "1/N")}
    for cell in study.cells[3:]:
        for number, rows in enumerate(planned):
            trained = prolip.fit(
                prepared.support.subset(rows),
                prepared.class_vectors.text_CD,
                prepared.projector,
                prepared.logit_scale,
                configs[cell.learning_rate],
            )
            assert cell.accuracies[number] == accuracy_of(prepared, trained.projector)
        assert cell.accuracy is not None
        assert cell.photo_interval == metrics.wilson_interval(round(5 * cell.accuracy), 5)
    assert study.zero_shot == accuracy_of(prepared, prepared.projector)


def accuracy_of(prepared: Material, projector: Projector) -> float:
    answers = (prepared.query_MP @ projector.weight_PD) @ prepared.class_vectors.text_CD.T
    return float((answers.argmax(dim=-1) == prepared.query_labels_M).double().mean())


def test_a_training_that_diverges_is_counted_and_not_averaged(prepared: Material) -> None:
    broken = replace(prepared, logit_scale=float("inf"))
    study = learning_rates.run(broken, shots=3, n_draws=2, learning_rates=(1e-2,), lams=("0",), epochs=5)
    (cell,) = study.cells
    assert (cell.accuracy, cell.accuracies, cell.diverged, cell.photo_interval) == (None, (), 2, None)
