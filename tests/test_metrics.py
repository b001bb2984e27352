"""Every measure against a slow loop or a textbook number."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prolip_core import metrics
from prolip_core.types import Prediction
from tests.fakes import predictions

NAMES = ("a", "b", "c")
answers = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=40)


@settings(deadline=None, max_examples=50)
@given(pairs=answers)
def test_rates_equal_slow_counts(pairs: list[tuple[int, int]]) -> None:
    true, answered = [t for t, _ in pairs], [a for _, a in pairs]
    result = metrics.evaluate(predictions(true, answered, 3), NAMES)
    assert result.correct == sum(t == a for t, a in pairs)
    assert result.accuracy == result.correct / len(pairs)
    recalls, f1s = [], []
    for k in range(3):
        hits = sum(t == a == k for t, a in pairs)
        actual, claimed = true.count(k), answered.count(k)
        of_class = result.per_class[k]
        assert of_class.count == actual
        assert of_class.recall == (pytest.approx(hits / actual) if actual else None)
        assert of_class.precision == (pytest.approx(hits / claimed) if claimed else None)
        if actual:
            recalls.append(hits / actual)
            f1s.append(2 * hits / (actual + claimed))
            assert of_class.f1 == pytest.approx(f1s[-1])
        else:
            assert of_class.f1 is None
        assert result.confusion.counts_CC[k].tolist() == [sum(p == (k, j) for p in pairs) for j in range(3)]
    assert result.balanced_accuracy == pytest.approx(sum(recalls) / len(recalls))
    assert result.macro_f1 == pytest.approx(sum(f1s) / len(f1s))


def test_an_absent_class_keeps_its_row() -> None:
    matrix = metrics.confusion(predictions([0, 2, 2], [0, 0, 2], 3), 3)
    assert matrix.counts_CC.tolist() == [[1, 0, 0], [0, 0, 0], [1, 0, 1]]


@settings(deadline=None, max_examples=30)
@given(pairs=answers)
def test_cells_name_their_photos_and_add_up(pairs: list[tuple[int, int]]) -> None:
    made = predictions([t for t, _ in pairs], [a for _, a in pairs], 3)
    matrix = metrics.confusion(made, 3)
    assert int(matrix.counts_CC.sum()) == len(made)
    for i in range(3):
        for j in range(3):
            assert len(matrix.image_ids(i, j)) == matrix.counts_CC[i, j]
            assert set(matrix.image_ids(i, j)) == {p.image_id for p in made if (p.label, p.predicted) == (i, j)}


def test_wilson_interval_by_its_formula() -> None:
    """Wilson 1927: centre and half-width written out, z = 1.959964."""
    for correct, count in ((41, 100), (87, 100), (0, 5), (5, 5), (1, 3)):
        z, p = 1.959963984540054, correct / count
        centre = (p + z * z / (2 * count)) / (1 + z * z / count)
        half = z * math.sqrt(p * (1 - p) / count + z * z / (4 * count * count)) / (1 + z * z / count)
        low, high = metrics.wilson_interval(correct, count)
        assert low == pytest.approx(max(0.0, centre - half), abs=1e-9)
        assert high == pytest.approx(min(1.0, centre + half), abs=1e-9)


def binomial_two_sided(first: int, second: int) -> float:
    """Exact: twice the smaller tail of a fair coin, with whole numbers, at most 1."""
    n = first + second
    tail = sum(Fraction(math.comb(n, k), 2**n) for k in range(min(first, second) + 1))
    return float(min(Fraction(1), 2 * tail))


@pytest.mark.parametrize(("first", "second", "both"), [(0, 8, 3), (2, 9, 0), (5, 5, 1), (1, 0, 4), (12, 40, 7)])
def test_mcnemar_against_whole_numbers(first: int, second: int, both: int) -> None:
    """`first` photos that only the first method gets right, `second` only the other, `both` both."""
    true = [0] * (first + second + both)
    one = predictions(true, [0] * first + [1] * second + [0] * both, 2)
    two = predictions(true, [1] * first + [0] * second + [0] * both, 2)
    assert metrics.mcnemar_p(one, two) == pytest.approx(binomial_two_sided(first, second))
    assert metrics.mcnemar_p(two, one) == pytest.approx(binomial_two_sided(first, second))


def test_mcnemar_counts_being_right_not_being_equal() -> None:
    one, two = predictions([0, 0], [1, 1], 3), predictions([0, 0], [2, 2], 3)
    assert metrics.mcnemar_p(one, two) == 1.0


def test_mcnemar_refuses_other_photos() -> None:
    with pytest.raises(ValueError, match="same photos"):
        metrics.mcnemar_p(predictions([0], [0], 2), predictions([0, 1], [0, 1], 2))


def test_calibration_error_against_a_slow_loop() -> None:
    confidences = [0.5, 0.55, 0.6, 0.95, 0.99, 1.0, 0.91, 0.35]
    right = [True, False, True, True, True, False, True, False]
    made = [
        Prediction(str(i), 0 if ok else 1, 0, (c, (1 - c) / 2, (1 - c) / 2))
        for i, (c, ok) in enumerate(zip(confidences, right, strict=True))
    ]
    expected = 0.0
    for b in range(10):
        inside = [(c, ok) for c, ok in zip(confidences, right, strict=True) if b / 10 < c <= (b + 1) / 10]
        if inside:
            gap = sum(ok for _, ok in inside) / len(inside) - sum(c for c, _ in inside) / len(inside)
            expected += len(inside) / len(confidences) * abs(gap)
    assert metrics.expected_calibration_error(made) == pytest.approx(expected)
    assert expected > 0.1


def test_nothing_measured_is_an_error() -> None:
    with pytest.raises(ValueError, match="nothing was predicted"):
        metrics.evaluate((), NAMES)


def test_the_interval_of_a_mean_is_students() -> None:
    """t(0.975; 2) = 4.302653 and t(0.975; 1) = 12.706205, from a table."""
    found = metrics.mean_interval([0.6, 0.7, 0.8])
    half = 4.302653 * 0.1 / math.sqrt(3)
    assert found == pytest.approx((0.7 - half, 0.7 + half), abs=1e-6)
    assert metrics.mean_interval([0.5, 0.7]) == pytest.approx((0.6 - 12.706205 * 0.1, 0.6 + 12.706205 * 0.1), abs=1e-6)
    assert metrics.mean_interval([0.5]) is None


@pytest.mark.parametrize(("drawn", "pool", "draws"), [(16, 24, 3), (16, 20, 5), (8, 16, 5), (4, 16, 12)])
def test_the_mean_over_draws_of_one_pool_is_as_sure_as_it_says(drawn: int, pool: int, draws: int) -> None:
    """Pools of photos of another worth each, draws that share them: plain Student held the truth 42 to 76 times of 100."""
    random = np.random.default_rng(0)
    held: list[bool] = []
    plain: list[bool] = []
    for _ in range(400):
        worth_CP = random.normal(size=(6, pool))
        values = [
            float(np.mean([random.choice(of, drawn, replace=False).mean() for of in worth_CP])) for _ in range(draws)
        ]
        for interval, found in (
            (metrics.redrawn_interval(values, drawn / pool), held),
            (metrics.mean_interval(values), plain),
        ):
            assert interval is not None
            found.append(interval[0] <= 0 <= interval[1])
    assert 0.92 <= np.mean(held) <= 0.98
    assert np.mean(plain) < 0.82


def test_without_overlap_the_interval_is_student_s_and_with_all_photos_there_is_none() -> None:
    values = [0.2, 0.5, 0.6]
    assert metrics.redrawn_interval(values, 0.0) == pytest.approx(metrics.mean_interval(values))
    found = metrics.redrawn_interval(values, 0.5)
    assert found is not None
    # By hand: t(2) = 4.3027, s = 0.20817, √(1/3 + 1).
    assert found[1] - found[0] == pytest.approx(2 * 4.302653 * 0.2081666 * (4 / 3) ** 0.5)
    assert metrics.redrawn_interval(values, 1.0) is None and metrics.redrawn_interval([0.5], 0.2) is None
