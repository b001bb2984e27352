"""Temperature, calibration, thresholds and risk against coverage, each beside a slow twin."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prolip_core import certainty, metrics
from prolip_core.certainty import Share
from prolip_core.types import Prediction

FEW = settings(deadline=None, max_examples=60)

# Few different confidences, so that ties are common.
judged = st.lists(st.tuples(st.integers(1, 8).map(lambda k: k / 8), st.booleans()), min_size=1, max_size=24)
limits = st.sampled_from((0.01, 0.05, 0.1, 0.2, 0.5, 0.9))


def arrays(pairs: list[tuple[float, bool]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([c for c, _ in pairs]), np.array([ok for _, ok in pairs])


def made_up(seed: int, count: int = 60, classes: int = 4, scale: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    """Logits, and labels drawn from the softmax of the logits / scale: the right temperature is near the scale."""
    random = np.random.default_rng(seed)
    logits = random.normal(size=(count, classes)) * 3 * scale
    p = np.exp(logits / scale)
    p /= p.sum(axis=1, keepdims=True)
    return logits, np.array([random.choice(classes, p=row) for row in p])


def slow_loss(logits: np.ndarray, labels: np.ndarray, temperature: float) -> float:
    total = 0.0
    for row, label in zip(logits.tolist(), labels.tolist(), strict=True):
        top = max(row)
        total += math.log(sum(math.exp((x - top) / temperature) for x in row)) - (row[label] - top) / temperature
    return total / len(labels)


# Temperature.


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("scale", [0.5, 1.0, 2.5])
def test_the_temperature_is_the_best_of_a_fine_grid(seed: int, scale: float) -> None:
    logits, labels = made_up(seed, scale=scale)
    found = certainty.temperature(logits, labels)
    grid = np.geomspace(0.1, 10, 2001)
    losses = [slow_loss(logits, labels, float(one)) for one in grid]
    assert found == pytest.approx(grid[int(np.argmin(losses))], rel=0.003)
    assert certainty.mean_loss(logits, labels, found) <= min(losses) + 1e-12
    assert certainty.mean_loss(logits, labels, 1.7) == pytest.approx(slow_loss(logits, labels, 1.7))


def test_the_temperature_undoes_a_wrong_scale() -> None:
    logits, labels = made_up(0, count=4000, scale=1.0)
    assert certainty.temperature(logits, labels) == pytest.approx(1.0, abs=0.1)
    assert certainty.temperature(3 * logits, labels) == pytest.approx(
        3 * certainty.temperature(logits, labels), rel=1e-3
    )


def test_the_temperature_ends_at_its_limits_and_stays_at_one_where_it_changes_nothing() -> None:
    sure = np.eye(3)[[0, 1, 2, 0]] * 2.0
    assert certainty.temperature(sure, np.array([0, 1, 2, 0])) == 0.1
    assert certainty.temperature(sure, np.array([1, 2, 0, 2])) == 10.0
    assert certainty.temperature(np.zeros((4, 3)), np.array([0, 1, 2, 0])) == 1.0


def test_the_temperature_changes_no_answer() -> None:
    logits, labels = made_up(1)
    for one in (0.1, 0.5, 3.0, 10.0):
        assert (certainty.probabilities(logits, one).argmax(axis=1) == logits.argmax(axis=1)).all()
    huge = certainty.log_probabilities(np.array([[1000.0, 0.0]]), 0.1)
    assert np.isfinite(huge).all()
    assert len(labels) == 60


# Calibration.


@FEW
@given(pairs=judged)
def test_the_reliability_diagram_against_a_slow_loop(pairs: list[tuple[float, bool]]) -> None:
    bins = certainty.reliability(*arrays(pairs))
    assert len(bins) == metrics.CALIBRATION_BINS
    for number, one in enumerate(bins):
        inside = [(c, ok) for c, ok in pairs if number < 10 * c <= number + 1]
        assert (one.right.count, one.right.total) == (sum(ok for _, ok in inside), len(inside))
        assert one.confidence == (pytest.approx(sum(c for c, _ in inside) / len(inside)) if inside else None)
    made = [Prediction("x", 0 if ok else 1, 0, (c, 1 - c)) for c, ok in pairs]
    assert certainty.calibration_error(bins) == pytest.approx(metrics.expected_calibration_error(made))


# Thresholds.


@FEW
@given(pairs=judged, threshold=st.integers(0, 9).map(lambda k: k / 8))
def test_an_outcome_against_a_slow_loop(pairs: list[tuple[float, bool]], threshold: float) -> None:
    found = certainty.outcome(*arrays(pairs), threshold)
    answered = [ok for c, ok in pairs if c >= threshold]
    assert found.answered == Share(len(answered), len(pairs))
    assert found.wrong == Share(answered.count(False), len(pairs))
    assert found.to_person == Share(len(pairs) - len(answered), len(pairs))
    assert found.error == Share(answered.count(False), len(answered))
    for share in (found.answered, found.wrong, found.to_person):
        assert share.interval == metrics.wilson_interval(share.count, share.total)


@FEW
@given(pairs=judged)
def test_a_higher_threshold_answers_less_and_errs_less(pairs: list[tuple[float, bool]]) -> None:
    found = [certainty.outcome(*arrays(pairs), k / 8) for k in range(10)]
    for lower, higher in itertools.pairwise(found):
        assert higher.answered.count <= lower.answered.count
        assert higher.wrong.count <= lower.wrong.count
        assert higher.to_person.count >= lower.to_person.count


def tail(wrong: int, count: int, share: float) -> float:
    """P(at most `wrong` of `count`) where each is wrong with this probability."""
    return sum(math.comb(count, k) * share**k * (1 - share) ** (count - k) for k in range(wrong + 1))


@pytest.mark.parametrize(("wrong", "count"), [(0, 1), (0, 59), (1, 93), (4, 89), (7, 10), (9, 10)])
def test_the_upper_bound_is_where_so_few_mistakes_become_unlikely(wrong: int, count: int) -> None:
    bound = float(certainty.upper_bound(wrong, count))
    assert tail(wrong, count, bound) == pytest.approx(0.05)
    assert bound > wrong / count


def test_the_upper_bound_of_all_wrong_is_one() -> None:
    assert float(certainty.upper_bound(3, 3)) == 1.0
    assert certainty.upper_bound(np.array([0, 2]), np.array([59, 2])).tolist() == pytest.approx(
        [0.04951, 1.0], abs=1e-5
    )


@pytest.mark.parametrize("limit", [0.01, 0.05, 0.1, 0.5])
def test_so_many_answers_without_a_mistake_are_needed(limit: float) -> None:
    count = certainty.least_answers(limit)
    assert float(certainty.upper_bound(0, count)) <= limit + 1e-12
    assert float(certainty.upper_bound(0, count - 1)) > limit
    assert certainty.least_answers(0.05) == 59


@FEW
@given(pairs=judged, limit=limits)
def test_the_suggestion_is_the_lowest_threshold_that_holds(pairs: list[tuple[float, bool]], limit: float) -> None:
    found = certainty.suggest(*arrays(pairs), limit)
    fitting: dict[bool, list[float]] = {True: [], False: []}
    for threshold in {c for c, _ in pairs}:
        answered = [ok for c, ok in pairs if c >= threshold]
        wrong = answered.count(False)
        if wrong < len(answered) and tail(wrong, len(answered), limit) <= 0.05:
            fitting[True].append(threshold)
        if wrong <= limit * len(answered):
            fitting[False].append(threshold)
    assert found.assured == bool(fitting[True])
    assert found.threshold == min(fitting[found.assured], default=None)
    if found.threshold is not None:
        assert found.error == certainty.outcome(*arrays(pairs), found.threshold).error


@FEW
@given(
    photos=st.lists(st.tuples(st.integers(1, 8).map(lambda k: k / 8), st.booleans(), st.integers(0, 5)), min_size=1),
    limit=limits,
)
def test_near_duplicates_count_as_one_photo_and_as_wrong_if_one_of_them_is(
    photos: list[tuple[float, bool, int]], limit: float
) -> None:
    confidence, right = arrays([(c, ok) for c, ok, _ in photos])
    found = certainty.suggest(confidence, right, limit, [group for _, _, group in photos])
    fitting: dict[bool, list[tuple[float, Share]]] = {True: [], False: []}
    for threshold in {c for c, _, _ in photos}:
        answered = {group for c, _, group in photos if c >= threshold}
        wrong = {group for c, ok, group in photos if c >= threshold and not ok}
        error = Share(len(wrong), len(answered))
        if wrong < answered and tail(error.count, error.total, limit) <= 0.05:
            fitting[True].append((threshold, error))
        if error.count <= limit * error.total:
            fitting[False].append((threshold, error))
    assert found.assured == bool(fitting[True])
    chosen = min(fitting[found.assured], default=(None, Share(0, 0)), key=lambda one: one[0])
    assert (found.threshold, found.error) == chosen


def test_copies_of_one_photo_assure_nothing() -> None:
    confidence, right = np.full(100, 0.9), np.ones(100, dtype=bool)
    assert certainty.suggest(confidence, right, 0.05).assured
    copies = certainty.suggest(confidence, right, 0.05, [0] * 50 + [1] * 50)
    assert (copies.assured, copies.error) == (False, Share(0, 2))


@FEW
@given(pairs=judged)
def test_a_higher_limit_never_asks_for_more_confidence(pairs: list[tuple[float, bool]]) -> None:
    found = [certainty.suggest(*arrays(pairs), limit) for limit in (0.05, 0.1, 0.3, 0.6, 0.9)]
    for strict, mild in itertools.pairwise(found):
        if strict.assured == mild.assured and strict.threshold is not None:
            assert mild.threshold is not None and mild.threshold <= strict.threshold


def test_all_right_and_all_wrong() -> None:
    confidence = np.linspace(0.5, 1, 100)
    sure = certainty.suggest(confidence, np.ones(100, dtype=bool), 0.05)
    assert (sure.threshold, sure.assured, sure.error) == (0.5, True, Share(0, 100))
    few = certainty.suggest(confidence[:20], np.ones(20, dtype=bool), 0.05)
    assert (few.threshold, few.assured) == (0.5, False)
    never = certainty.suggest(confidence, np.zeros(100, dtype=bool), 0.05)
    assert (never.threshold, never.upper_bound, never.assured) == (None, None, False)


def test_the_share_of_nothing_is_not_known() -> None:
    assert (Share(0, 0).rate, Share(0, 0).interval) == (None, (0.0, 1.0))


# Risk against coverage.


@settings(deadline=None, max_examples=40)
@given(pairs=st.lists(st.tuples(st.sampled_from((0.25, 0.5, 1.0)), st.booleans()), min_size=1, max_size=6))
def test_the_area_is_the_mean_over_all_orders_of_ties(pairs: list[tuple[float, bool]]) -> None:
    areas = []
    for order in itertools.permutations(pairs):
        if all(a[0] >= b[0] for a, b in itertools.pairwise(order)):
            risks = [Fraction(sum(not ok for _, ok in order[:k]), k) for k in range(1, len(order) + 1)]
            areas.append(sum(risks, Fraction()) / len(order))
    found = certainty.risk_coverage(*arrays(pairs))
    assert found.area == pytest.approx(float(sum(areas, Fraction()) / len(areas)))


@FEW
@given(pairs=judged)
def test_the_curve_has_a_point_for_every_confidence(pairs: list[tuple[float, bool]]) -> None:
    found = certainty.risk_coverage(*arrays(pairs))
    expected = []
    for threshold in sorted({c for c, _ in pairs}, reverse=True):
        answered = [ok for c, ok in pairs if c >= threshold]
        expected.append((len(answered) / len(pairs), answered.count(False) / len(answered)))
    assert found.coverage == pytest.approx([coverage for coverage, _ in expected])
    assert found.risk == pytest.approx([risk for _, risk in expected])
    assert found.best - 1e-12 <= found.area
    assert found.chance == pytest.approx(found.risk[-1])


@FEW
@given(right=st.lists(st.booleans(), min_size=1, max_size=30))
def test_best_and_chance_are_what_they_say(right: list[bool]) -> None:
    right_N = np.array(right)
    ideal = certainty.risk_coverage(np.where(right_N, 1.0, 0.5), right_N)
    worst_tied = certainty.risk_coverage(np.full(len(right), 0.5), right_N)
    ordered = sorted(right, reverse=True)
    by_hand = sum(ordered[:k].count(False) / k for k in range(1, len(right) + 1)) / len(right)
    assert ideal.best == pytest.approx(by_hand)
    assert worst_tied.area == pytest.approx(worst_tied.chance)


# Photos of something else.


@FEW
@given(
    inside=st.lists(st.integers(0, 5), min_size=1, max_size=12),
    outside=st.lists(st.integers(0, 5), min_size=1, max_size=12),
)
def test_auroc_counts_pairs(inside: list[int], outside: list[int]) -> None:
    won = sum(1.0 if a > b else 0.5 if a == b else 0.0 for a in inside for b in outside)
    found = certainty.auroc(np.array(inside, dtype=float), np.array(outside, dtype=float))
    assert found == pytest.approx(won / len(inside) / len(outside))


def test_energy_by_its_formula() -> None:
    assert certainty.energy(np.array([[1.0, 2.0, 0.5]])).tolist() == pytest.approx(
        [math.log(math.exp(1.0) + math.exp(2.0) + math.exp(0.5))]
    )
