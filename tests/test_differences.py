"""Ranges of differences, against published examples, a plain twin and what they promise."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from scipy.stats import norm

from prolip_core import differences, metrics
from prolip_core.differences import Paired
from tests import fakes

Z = float(norm.ppf(0.975))


def test_paired_intervals_of_the_literature() -> None:
    """Fagerland, Lydersen and Laake: airway hyper-responsiveness (Bentur et al. 2009) and complete response (Cavo et al. 2012),
    given there as first minus second."""
    for table, low, high in (((1, 1, 7, 12), -0.507, -0.026), ((59, 6, 16, 80), -0.1186, -0.0046)):
        found = Paired(*table).interval
        assert (-found[1], -found[0]) == pytest.approx((low, high), abs=6e-4)


def test_unpaired_interval_of_the_literature() -> None:
    """Newcombe 1998, table II (a): 56 of 70 against 48 of 80."""
    assert differences.mean_difference([(48, 80)], [(56, 70)])[1] == pytest.approx((0.0524, 0.3339), abs=5e-5)


def wilson(right: int, count: int) -> tuple[float, float]:
    """The roots of (p̂ − p)² = z² p(1 − p)/n."""
    rate = right / count
    middle = rate + Z**2 / (2 * count)
    half = Z * math.sqrt(rate * (1 - rate) / count + Z**2 / (4 * count**2))
    return (middle - half) / (1 + Z**2 / count), (middle + half) / (1 + Z**2 / count)


def twin(both: int, first: int, second: int, neither: int) -> tuple[float, float]:
    """Newcombe's method 10 as his paper writes it: e, f, g, h."""
    e, f, g, h = both, first, second, neither
    n = e + f + g + h
    (l1, u1), (l2, u2) = wilson(e + g, n), wilson(e + f, n)
    p1, p2 = (e + g) / n, (e + f) / n
    product = (e + f) * (g + h) * (e + g) * (f + h)
    top = e * h - f * g
    phi = 0.0 if product == 0 else (max(top - n / 2, 0) if top > 0 else top) / math.sqrt(product)
    down = (p1 - l1) ** 2 - 2 * phi * (p1 - l1) * (u2 - p2) + (u2 - p2) ** 2
    up = (u1 - p1) ** 2 - 2 * phi * (u1 - p1) * (p2 - l2) + (p2 - l2) ** 2
    return p1 - p2 - math.sqrt(down), p1 - p2 + math.sqrt(up)


@pytest.mark.parametrize(
    "table", [(3, 2, 5, 4), (0, 0, 0, 7), (9, 0, 0, 0), (40, 1, 9, 50), (0, 6, 1, 0), (5, 3, 0, 0)]
)
def test_paired_intervals_equal_the_plain_twin(table: tuple[int, int, int, int]) -> None:
    found = Paired(*table).interval
    assert found == pytest.approx(twin(*table), abs=1e-9)
    assert -1 <= found[0] <= Paired(*table).difference <= found[1] <= 1


def test_swapping_the_methods_mirrors_the_interval() -> None:
    there, back = Paired(10, 7, 2, 5), Paired(10, 2, 7, 5)
    assert there.interval == pytest.approx((-back.interval[1], -back.interval[0]))
    low, high = differences.mean_difference([(3, 10)], [(9, 12)])[1]
    assert differences.mean_difference([(9, 12)], [(3, 10)])[1] == pytest.approx((-high, -low))


def test_intervals_hold_the_truth_as_often_as_they_promise() -> None:
    """Answers of two methods on 80 photos that share much; and of one method on 50 and 70 photos."""
    random = np.random.default_rng(0)
    tables = random.multinomial(80, [0.6, 0.05, 0.2, 0.15], size=300)
    held = [low <= 0.15 <= high for low, high in (Paired(*row).interval for row in tables.tolist())]
    assert 0.93 <= np.mean(held) <= 0.98
    first, second = random.binomial(50, 0.8, 300), random.binomial(70, 0.7, 300)
    pairs = zip(first.tolist(), second.tolist(), strict=True)
    ranges = [differences.mean_difference([(a, 50)], [(b, 70)])[1] for a, b in pairs]
    assert 0.93 <= np.mean([low <= -0.1 <= high for low, high in ranges]) <= 0.98


def test_pairs_are_counted_photo_by_photo() -> None:
    first, second = [True, True, False, False, True], [True, False, True, False, True]
    found = differences.paired(first, second)
    assert found == Paired(both=2, first_only=1, second_only=1, neither=1)
    assert (found.first, found.second, found.difference, found.count) == (0.6, 0.6, 0.0, 5)
    for wrong in ([], [True]):
        with pytest.raises(ValueError):
            differences.paired(wrong, [] if not wrong else [True, False])


def test_the_paired_test_is_mcnemar_s() -> None:
    true = [0] * 9
    first = fakes.predictions(true, [0, 0, 1, 1, 1, 1, 1, 0, 0], 2)
    second = fakes.predictions(true, [0, 1, 0, 0, 0, 0, 0, 0, 0], 2)
    found = differences.paired([one.predicted == 0 for one in first], [one.predicted == 0 for one in second])
    assert found.p == pytest.approx(metrics.mcnemar_p(first, second))
    assert Paired(5, 0, 0, 1).p == 1.0


@pytest.mark.parametrize("apart", [[1] * 7 + [-1] * 2 + [0] * 5, [2, -1, 3, 1, 0, 0, -2, 1], [1, -1], [3, 3, 3]])
def test_the_test_of_several_draws_flips_every_sign(apart: list[int]) -> None:
    sizes = [abs(one) for one in apart if one]
    sums = [abs(sum(map(math.prod, zip(sizes, signs, strict=True)))) for signs in product((1, -1), repeat=len(sizes))]
    assert differences.sign_flip_p(apart) == pytest.approx(np.mean([one >= abs(sum(apart)) for one in sums]))


def test_of_one_draw_it_is_mcnemar_s() -> None:
    assert differences.sign_flip_p([1] * 9 + [-1] * 3 + [0] * 40) == pytest.approx(Paired(30, 3, 9, 10).p)
    assert differences.sign_flip_p([0, 0]) == 1.0


def test_holm_s_correction_equals_that_of_a_plain_twin() -> None:
    """The smallest p times m, the next times m − 1, and so on; never smaller than the one before, never over 1."""
    assert differences.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    assert differences.holm([0.7, 0.9]) == (1.0, 1.0)
    assert differences.holm([]) == ()


def test_means_of_shares_equal_the_plain_twin_and_hold_the_truth() -> None:
    shares = [(3, 4), (9, 10), (0, 5)]
    mean, (low, high) = differences.mean_of(shares)
    rates = [right / count for right, count in shares]
    ends = [wilson(*share) for share in shares]
    assert mean == pytest.approx(sum(rates) / 3)
    assert mean - low == pytest.approx(
        math.sqrt(sum(((rate - end[0]) / 3) ** 2 for rate, end in zip(rates, ends, strict=True)))
    )
    assert high - mean == pytest.approx(
        math.sqrt(sum(((end[1] - rate) / 3) ** 2 for rate, end in zip(rates, ends, strict=True)))
    )
    assert differences.mean_of([(7, 9)])[1] == pytest.approx(wilson(7, 9))
    random = np.random.default_rng(0)
    truth, counts = np.array([0.5, 0.7, 0.9, 0.95]), np.array([8, 12, 30, 60])
    held = []
    for _ in range(200):
        first, second = random.binomial(counts, truth), random.binomial(counts[::-1], truth - 0.1)
        pairs = [
            list(zip(right.tolist(), of.tolist(), strict=True))
            for right, of in ((first, counts), (second, counts[::-1]))
        ]
        below, above = differences.mean_difference(*pairs)[1]
        held.append(below <= -0.1 <= above)
    assert np.mean(held) >= 0.93
