"""Will more photos help? What is drawn, what is measured, what is foretold, and what is said about it."""

from __future__ import annotations

import statistics
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.optimize import least_squares

from prolip_core import backbones, dataset, metrics, prolip
from prolip_core.errors import Cancelled, ConfigError, DatasetError
from prolip_core.objective import Support
from prolip_core.spec import FitConfig
from prolip_core.studies import curve_advice, learning_curve, material, power_law
from prolip_core.studies.learning_curve import Curve, CurveStudy, Size
from prolip_core.studies.material import Material
from prolip_core.studies.power_law import Forecast, PowerLaw
from prolip_core.types import Progress, Split
from tests import fakes


def support_of(counts: tuple[int, ...], groups: tuple[int, ...] | None = None) -> Support:
    labels = [label for label, count in enumerate(counts) for _ in range(count)]
    return Support(
        torch.randn(1, len(labels), 2), torch.tensor(labels), groups or tuple(range(len(labels))), len(counts)
    )


@pytest.fixture
def prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Material:
    monkeypatch.setattr(backbones, "load", fakes.load_tiny)
    fakes.write_photos(tmp_path / "train", {"bolt": range(6), "nut": range(5)})
    fakes.write_photos(tmp_path / "test", {"bolt": [0, 20, 21, 22], "nut": [20, 21]})
    return material.prepare(fakes.TINY_SPEC, dataset.read_folders(tmp_path / "train", tmp_path / "test"))


@pytest.fixture
def untested(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Material:
    monkeypatch.setattr(backbones, "load", fakes.load_tiny)
    fakes.write_photos(tmp_path / "train", {"bolt": range(6), "nut": range(5)})
    return material.prepare(fakes.TINY_SPEC, dataset.read_folders(tmp_path / "train"), needs_test=False)


# Draws.


def test_the_sizes_are_powers_of_two_up_to_the_smallest_class_and_all() -> None:
    def photos(counts: tuple[int, ...]) -> list[float]:
        return [size.photos for size in learning_curve.plan(support_of(counts), 1, 0, hold_out=False).sizes]

    assert photos((8, 8)) == [1, 2, 4, 8]
    assert photos((7, 9)) == [1, 2, 4, 8]  # the last is all, the mean of 7 and 9
    assert photos((6, 6)) == [1, 2, 4, 6]
    assert photos((1, 1)) == [1]
    sizes = learning_curve.plan(support_of((7, 9)), 1, 0, hold_out=False).sizes
    assert [size.everything for size in sizes] == [False, False, False, True]
    assert sizes[-1].per_class == (7, 9)


def test_smaller_sets_lie_in_larger_ones_and_have_so_many_photos_of_every_class() -> None:
    support = support_of((9, 6, 7))
    planned = learning_curve.plan(support, 20, 3, hold_out=False)
    for draw in planned.draws:
        assert [part.size for part in draw] == [0, 1, 2, 3]
        for part, shots in zip(draw, (1, 2, 4), strict=False):
            assert Counter(support.labels_N[part.teach].tolist()) == {0: shots, 1: shots, 2: shots}
        for small, large in pairwise(draw):
            assert set(small.teach.tolist()) < set(large.teach.tolist())
        assert draw[-1].teach.tolist() == list(range(22))
    assert len({part.key for draw in planned.draws for part in draw if part.size == 1}) > 15
    again = learning_curve.plan(support, 20, 3, hold_out=False)
    assert [part.key for draw in again.draws for part in draw] == [part.key for draw in planned.draws for part in draw]


def test_near_duplicates_stay_together_and_count_as_one_photo() -> None:
    groups = (0, 0, 0, 1, 2, 3, 4, 5, 5)
    support = support_of((5, 4), groups)
    planned = learning_curve.plan(support, 10, 0, hold_out=False)
    assert [size.photos for size in planned.sizes] == [1, 2, 3]
    for draw in planned.draws:
        for part in draw:
            taught = {groups[row] for row in part.teach.tolist()}
            assert set(part.teach.tolist()) == {row for row in range(9) if groups[row] in taught}


def test_held_out_photos_and_their_near_duplicates_never_teach() -> None:
    # Group 2 lies in both classes.
    groups = (0, 0, 1, 2, 3, 4, 5, 6, 2, 7, 8, 9, 10, 10)
    support = support_of((7, 7), groups)
    planned = learning_curve.plan(support, 5, 0, hold_out=True)
    for draw in planned.draws:
        for size in range(len(planned.sizes)):
            parts = [part for part in draw if part.size == size]
            held = [row for part in parts if part.held is not None for row in part.held.tolist()]
            assert sorted(held) == list(range(14))  # every photo is measured once
            for part in parts:
                assert part.held is not None
                taught = {groups[row] for row in part.teach.tolist()}
                assert not taught & {groups[row] for row in part.held.tolist()}
    with pytest.raises(DatasetError, match="at least 3 different photos"):
        learning_curve.plan(support_of((2, 4)), 1, 0, hold_out=True)


# Measuring.


def test_every_training_is_measured_on_the_test_photos(prepared: Material) -> None:
    study = learning_curve.run(prepared, n_draws=3)
    assert [image.record.filename for image in prepared.split.dropped] == ["bolt/0.jpg"]
    planned = learning_curve.plan(prepared.support, 3, prepared.spec.seed, hold_out=False)
    labels_M = prepared.query_labels_M
    for number, draw in enumerate(planned.draws):
        for part in draw:
            trained = prolip.fit(
                prepared.support.subset(part.teach),
                prepared.class_vectors.text_CD,
                prepared.projector,
                prepared.logit_scale,
                FitConfig(lam="1/N"),
            )
            logits = (prepared.query_MP @ trained.projector.weight_PD) @ prepared.class_vectors.text_CD.T
            expected = float((logits.argmax(dim=-1) == labels_M).double().mean())
            assert study.accuracies[number][part.size] == pytest.approx(expected)
    overall = study.overall
    assert overall.accuracies == pytest.approx(np.mean(study.accuracies, axis=0).tolist())
    shares = (1 / 6 + 1 / 5) / 2  # of a class's photos, one teaches
    assert overall.draw_intervals[0] == pytest.approx(
        metrics.redrawn_interval([row[0] for row in study.accuracies], shares)
    )
    assert overall.draw_intervals[-1] is None  # all photos teach in every draw
    for accuracy, interval in zip(overall.accuracies, overall.photo_intervals, strict=True):
        if (5 * accuracy) % 1 == pytest.approx(0):
            assert interval == pytest.approx(metrics.wilson_interval(round(5 * accuracy), 5))
        assert interval[0] <= accuracy <= interval[1]
    assert overall.zero_shot_interval == metrics.wilson_interval(round(5 * overall.zero_shot), 5)
    bolts = study.per_class[0]
    assert bolts is not None and bolts.count == 3
    nuts = study.per_class[1]
    assert nuts is not None
    mixed = [(3 * a + 2 * b) / 5 for a, b in zip(bolts.accuracies, nuts.accuracies, strict=True)]
    assert mixed == pytest.approx(overall.accuracies)
    assert (study.now, study.draws, study.held_out) == (5.5, 3, False)


def test_test_photos_neither_teach_nor_choose(prepared: Material) -> None:
    """Other test photos change what is measured and nothing that is drawn or trained."""
    seen: list[torch.Tensor] = []
    fit = prolip.fit

    def spy(support: Support, *arguments: object, **options: object) -> object:
        seen.append(support.pre_VNP)
        return fit(support, *arguments, **options)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prolip, "fit", spy)
        learning_curve.run(prepared, n_draws=2)
        first, seen = seen, []
        learning_curve.run(replace(prepared, query_MP=torch.randn_like(prepared.query_MP)), n_draws=2)
    assert len(first) == len(seen) == 7  # two draws of 1, 2 and 4 photos, and all photos once
    assert all(torch.equal(a, b) for a, b in zip(first, seen, strict=True))


def test_without_test_photos_the_support_is_held_out(untested: Material) -> None:
    study = learning_curve.run(untested, n_draws=2)
    assert study.held_out and study.overall.count == 11
    assert study.sizes[-1].photos == pytest.approx(5.5 * 3 / 4, abs=0.2)
    assert "held out" in curve_advice.of(study).notes[-1].text
    logits = (untested.support.pre_VNP[0] @ untested.projector.weight_PD) @ untested.class_vectors.text_CD.T
    right = (logits.argmax(dim=-1) == untested.support.labels_N).double().mean()
    assert study.overall.zero_shot == pytest.approx(float(right))
    assert study.overall.draw_intervals[-1] is None  # only the folds differ, and every photo teaches


@pytest.mark.parametrize("photos", [1, 4, 8])
def test_the_range_over_rounds_of_folds_is_as_sure_as_it_says(photos: int) -> None:
    """Rounds of four folds over one pool of 16 photos a class, each of another worth: plain Student held the truth 53 to 88
    times of 100."""
    random = np.random.default_rng(0)
    held = []
    share = learning_curve.overlap(photos, 16, 4)
    for _ in range(250):
        worth = random.normal(size=(4, 16))
        rounds = []
        for _ in range(4):
            found = []
            for of_class in worth:
                for fold in random.permutation(16).reshape(4, 4):
                    teach = random.choice(np.setdiff1d(np.arange(16), fold), photos, replace=False)
                    found.append(of_class[teach].mean())
            rounds.append(float(np.mean(found)))
        interval = metrics.redrawn_interval(rounds, share)
        assert interval is not None
        held.append(interval[0] <= 0 <= interval[1])
    assert 0.91 <= np.mean(held) <= 0.985


def test_draws_of_all_photos_are_the_same() -> None:
    assert learning_curve.overlap(12, 16, 4) == pytest.approx(1)
    assert learning_curve.overlap(8, 16, 2) == pytest.approx(1)
    assert [learning_curve.overlap(n, 16, 1) for n in (4, 16, 20)] == [0.25, 1, 1]


def test_stopping_keeps_the_draws_that_are_whole(prepared: Material) -> None:
    def stop_at(done: int) -> material.OnProgress:
        return lambda progress: progress.done >= done

    seen: list[Progress] = []
    learning_curve.run(prepared, n_draws=2, on_progress=lambda progress: seen.append(progress))
    assert (seen[0].total, seen[-1].done, {one.stage for one in seen}) == (7, 7, {"study"})
    study = learning_curve.run(prepared, n_draws=5, on_progress=stop_at(5))
    assert (study.draws, study.planned_draws) == (1, 5)
    with pytest.raises(Cancelled):
        learning_curve.run(prepared, n_draws=5, on_progress=stop_at(2))
    with pytest.raises(ConfigError, match="is 0"):
        learning_curve.run(prepared, n_draws=0)


# The fit and the forecast.


@pytest.mark.parametrize("seed", range(12))
def test_the_fit_is_that_of_a_slow_twin(seed: int) -> None:
    """scipy's bounded least squares from many starts; never better than ours beyond the grid of exponents."""
    random = np.random.default_rng(seed)
    sizes = np.array([1, 2, 4, 8, 16, 24][: 4 + seed % 3], dtype=float)
    law = PowerLaw(random.uniform(0, 0.3), random.uniform(-0.1, 0.6), random.uniform(0.1, 1.5))
    errors = np.clip([law.error(size) for size in sizes] + random.normal(0, 0.02, len(sizes)), 0, 1)
    weight = np.arange(1, len(sizes) + 1)

    def residuals(x: np.ndarray) -> np.ndarray:
        return np.asarray(np.sqrt(weight) * (x[0] + x[1] * sizes ** -x[2] - errors))

    found = power_law.fit(sizes.tolist(), errors.tolist())
    ours = float((residuals(np.array([found.floor, found.scale, found.exponent])) ** 2).sum())
    twins = [
        least_squares(residuals, (0.1, 0.2, start), bounds=([0, 0, 0.02], [1, 2, 2])).cost * 2
        for start in (0.06, 0.3, 0.8, 1.5)
    ]
    assert found.floor >= 0 and found.scale >= 0
    assert ours <= min(twins) * 1.02 + 2e-5
    assert ours >= min(twins) - 1e-7


def test_an_exact_power_law_is_found_again() -> None:
    law = PowerLaw(0.1, 0.5, 0.5)
    found = power_law.fit([1, 2, 4, 8, 16], [law.error(size) for size in (1, 2, 4, 8, 16)])
    assert (found.floor, found.scale, found.exponent) == pytest.approx((0.1, 0.5, 0.5))
    assert found.error(64) == pytest.approx(0.1 + 0.5 / 8)


def made_up(law: PowerLaw, sizes: list[int], draws: int, photos: int, seed: int) -> np.ndarray:
    """Answers (D, S, M) whose error rates follow the law."""
    random = np.random.default_rng(seed)
    hardness_M = (np.arange(photos) + 0.5) / photos
    noise_DSM = random.normal(0, 0.05, (draws, len(sizes), photos))
    return np.asarray(hardness_M + noise_DSM >= np.array([law.error(size) for size in sizes])[None, :, None])


@pytest.mark.parametrize("law", [PowerLaw(0.05, 0.5, 0.5), PowerLaw(0.0, 0.6, 0.25), PowerLaw(0.3, 0.0, 1.0)])
def test_a_known_curve_is_foretold(law: PowerLaw) -> None:
    """The true gain lies in the range, up to the tenth of a point that counting 500 photos rounds away."""
    sizes = [1, 2, 4, 8, 16]
    right_DSM = made_up(law, sizes, 12, 500, seed=1)
    labels_M = np.arange(500) % 5
    found = power_law.forecast(right_DSM, labels_M, np.full(500, 1 / 500), sizes, now=16, more=8, seed=0)
    assert found is not None
    true = law.error(16) - law.error(24)
    low, high = found.gain_interval
    assert low - 0.003 <= true <= high + 0.003
    assert low <= found.gain <= high
    assert found.gain == pytest.approx(true, abs=0.01)
    same = power_law.forecast(right_DSM, labels_M, np.full(500, 1 / 500), sizes, now=16, more=8, seed=0)
    assert same == found


def test_too_few_sizes_or_draws_give_no_forecast() -> None:
    right_DSM = np.ones((3, 4, 6), dtype=bool)
    for there in (right_DSM[:, :3], right_DSM[:2]):
        sizes = [1, 2, 4, 8][: there.shape[1]]
        options = {"now": 8.0, "more": 4, "seed": 0}
        found = power_law.forecast(there, np.zeros(6), np.full(6, 1 / 6), sizes, **options)  # type: ignore[arg-type]
        assert found is None


def test_a_forecast_reaches_half_as_far_again() -> None:
    assert [learning_curve.photos_more(now) for now in (1, 2, 4, 5, 8, 16, 24, 23.5)] == [1, 2, 4, 4, 4, 8, 12, 11]


# The recommendation.


def curve(
    end: float,
    gain: float | None,
    interval: tuple[float, float] = (0.0, 0.0),
    count: int = 50,
    low: float | None = None,
) -> Curve:
    told = None if gain is None else Forecast(PowerLaw(0.1, 0.3, 0.5), 8, 4, gain, interval)
    photos = (end - 0.1 if low is None else low, min(1.0, end + 0.1))
    return Curve(count, (0.3, 0.5, 0.6, end), (None,) * 4, (photos,) * 4, 0.3, (0.2, 0.4), told)


def study_with(prepared: Material, overall: Curve, worst: Curve | None, *, held_out: bool = False) -> CurveStudy:
    sizes = tuple(Size(float(n), (float(n),) * 2, n == 8) for n in (1, 2, 4, 8))
    return CurveStudy(
        prepared, held_out, sizes, 8.0, overall, (), (worst, worst), (1, 0) if worst else (), worst, 12, 12, 1.0
    )


@pytest.mark.parametrize(
    ("overall", "worst", "kind", "said"),
    [
        (
            curve(0.7, 0.04, (0.031, 0.058)),
            curve(0.5, 0.06, (0.03, 0.08)),
            "rising",
            [
                "4 more photos of every class are likely to bring +3 to +6 points; the best estimate is +4.",
                "Lowest this time: nut, bolt (50.0% of 50 photos right, likely 40%–60%; that they",
                "these are likely to gain +3 to +8 points; the best estimate is +6.",
            ],
        ),
        (
            curve(0.7, 0.004, (0.0, 0.02)),
            curve(0.4, 0.0, (0.0, 0.01)),
            "flat",
            ["hardly help: 4 more of every class are likely to bring +0 to +2", "Lowest", "hardly help these classes"],
        ),
        (curve(0.995, 0.0, low=0.975), curve(0.99, 0.0), "done", ["99.5% of 50 measured photos are right already"]),
        # Twelve of twelve photos: hardly a proof.
        (
            curve(1.0, 0.0, count=12, low=0.76),
            None,
            "unknown",
            ["100.0% of 12 measured photos are right already, but so"],
        ),
        (
            curve(0.7, None),
            curve(0.5, None),
            "unknown",
            ["cannot be told yet", "Lowest", "these classes cannot be told"],
        ),
        (curve(0.7, 0.1, (0.0, 0.2)), None, "unknown", ["may bring +0 to +20 points"]),
        # A fit that rises, and a range that does not say so.
        (curve(0.7, 0.02, (-0.07, 0.07)), None, "unknown", ["may bring -7 to +7 points"]),
        # A fit that is flat, and a range that does not say so.
        (curve(0.7, 0.004, (-0.05, 0.1)), None, "unknown", ["may bring -5 to +10 points"]),
        (curve(0.7, 0.1, (0.01, 0.25)), None, "rising", ["+1 to +25 points; the best estimate is +10."]),
    ],
)
def test_what_is_recommended(
    prepared: Material, overall: Curve, worst: Curve | None, kind: str, said: list[str]
) -> None:
    advice = curve_advice.of(study_with(prepared, overall, worst))
    assert advice.kind == kind
    assert len(advice.notes) == len(said)
    for note, text in zip(advice.notes, said, strict=True):
        assert text in note.text
    held = curve_advice.of(study_with(prepared, overall, worst, held_out=True))
    assert len(held.notes) == len(said) + 1


def test_few_photos_are_told_to_be_too_few(untested: Material) -> None:
    few = replace(untested, support=untested.support.subset(torch.tensor([0, 1, 2, 6, 7, 8])))
    few = replace(few, split=Split(few.split.support[:6], (), ()))
    advice = curve_advice.of(learning_curve.run(few))
    assert advice.kind in {"unknown", "done"}


def test_the_weakest_classes_are_named_from_the_lowest_on() -> None:
    planned = learning_curve.plan(support_of((8, 8, 8, 8, 8)), 1, 0, hold_out=False)
    curves = [curve(end, None) for end in (0.9, 0.2, 0.5, 0.4, 0.3)]
    assert learning_curve._worst(curves, planned) == (1, 4, 3)
    assert learning_curve._worst([curve(0.5, None), None, curve(0.5, None)], planned) == ()


def test_ranges_are_rounded_outwards() -> None:
    assert power_law.points((0.016, 0.024)) == ("+1", "+3")
    assert power_law.points((0.03, 0.06)) == ("+3", "+6")
    assert power_law.points((0.0, 0.0)) == ("+0", "+0")
    assert power_law.points((-0.012, -0.001)) == ("-2", "+0")


def test_a_gain_varies_as_the_last_long_step_of_the_curve() -> None:
    rates_DS = np.array([[0.1, 0.5, 0.6, 0.61], [0.2, 0.5, 0.7, 0.62], [0.1, 0.3, 0.6, 0.66]])
    gaps = [0.61 - 0.5, 0.62 - 0.5, 0.66 - 0.3]  # 16 → 18 is no step of half as many again, 8 → 18 is
    sizes = np.array([4.0, 8.0, 16.0, 18.0])
    assert power_law._spread(rates_DS, sizes) == pytest.approx(statistics.stdev(gaps))
    # An exact curve with exact draws has no spread but that of the step.
    still = np.ones((3, 4, 10), dtype=bool)
    still[:, 0, :5] = still[:, 1, :3] = still[:, 2, :2] = still[:, 3, :1] = False
    labels = np.arange(10)  # one photo a class: resampling photos changes nothing
    told = power_law.forecast(still, labels, np.full(10, 0.1), [1, 2, 4, 8], now=8, more=4, seed=0)
    assert told is not None and told.gain_interval == pytest.approx((told.gain, told.gain))
