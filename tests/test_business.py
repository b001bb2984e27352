"""Cost and benefit, against slow and obvious twins: a year part by part, a check by every outcome."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from scipy.stats import binomtest

from prolip_core import business
from prolip_core.business import Inputs, Span, Tally
from prolip_core.types import Prediction

PLAIN = Inputs("¥", 100, 10, 6, 60, 0.1, 50, photos_to_take=60, seconds_per_photo=30, setup_hours=1)
SORTED = replace(PLAIN, bad_classes=("bad",), bad_share=0.2, miss_cost=500, alarm_cost=20)


def counts(**changes: object) -> Tally:
    base = {"with_rule": False, "count": 100, "answered": 100, "wrong": 4, "bad": 40, "bad_answered": 40, "missed": 3}
    return Tally(**{**base, "good": 60, "good_answered": 60, "false_alarms": 1, **changes})  # type: ignore[arg-type]


def wilson(part: int, whole: int) -> tuple[float, float]:
    interval = binomtest(part, whole).proportion_ci(0.95, method="wilson")
    return float(interval.low), float(interval.high)


def year(inputs: Inputs, alone: float, wrong: float) -> float:
    """The cost of a year, part by part, where every mistake costs the same."""
    total = 0.0
    for _day in range(int(inputs.days_per_year)):
        for _part in range(int(inputs.parts_per_day)):
            by_person = inputs.check_seconds / 60 * inputs.minute_cost + inputs.person_wrong * inputs.wrong_cost
            total += (1 - alone) * by_person + wrong * inputs.wrong_cost
    return total


def test_a_year_where_every_mistake_costs_the_same() -> None:
    found = business.yearly(PLAIN, counts())
    today = year(PLAIN, 0.0, 0.0)
    low, high = wilson(4, 100)
    assert found.today == pytest.approx(today) == pytest.approx(1000 * (6 + 5))
    assert found.after.likely == pytest.approx(year(PLAIN, 1.0, 0.04)) == pytest.approx(2000)
    assert found.effect.low == pytest.approx(today - year(PLAIN, 1.0, high))
    assert found.effect.high == pytest.approx(today - year(PLAIN, 1.0, low))
    assert found.alone == Span(1000, 1000, 1000)
    assert found.wrong.likely == pytest.approx(40)


def test_with_a_rule_the_range_is_the_worst_and_the_best_of_all_corners() -> None:
    measured = counts(with_rule=True, answered=80, wrong=2)
    found = business.yearly(PLAIN, measured)
    outcomes = [year(PLAIN, a, w) for a in wilson(80, 100) for w in wilson(2, 100)]
    assert found.after.low == pytest.approx(min(outcomes))
    assert found.after.high == pytest.approx(max(outcomes))
    assert found.after.likely == pytest.approx(year(PLAIN, 0.8, 0.02))
    assert found.effect.low < found.effect.likely < found.effect.high


def test_misses_and_false_alarms_cost_what_they_cost_and_come_as_often_as_their_parts() -> None:
    found = business.yearly(SORTED, counts())
    expected = 0.0
    for is_bad, share in ((True, 0.2), (False, 0.8)):
        rate, cost = (3 / 40, 500) if is_bad else (1 / 60, 20)
        expected += 1000 * share * rate * cost
    assert found.after.likely == pytest.approx(expected)
    assert found.wrong.likely == pytest.approx(1000 * (0.2 * 3 / 40 + 0.8 / 60))
    low = 1000 * (0.2 * wilson(3, 40)[0] * 500 + 0.8 * wilson(1, 60)[0] * 20)
    assert found.after.low == pytest.approx(low)
    assert found.today == pytest.approx(1000 * (6 + 0.1 * (0.2 * 500 + 0.8 * 20)))


def test_without_a_photo_of_either_side_every_mistake_costs_the_same() -> None:
    assert not business.tells_bad_from_good(SORTED, counts(bad=0))
    assert not business.tells_bad_from_good(SORTED, counts(good=0))
    assert business.yearly(SORTED, counts(bad=0)).after.likely == pytest.approx(1000 * 0.04 * 50)


@pytest.mark.parametrize("inputs", [PLAIN, SORTED])
def test_where_the_rule_sends_everything_to_a_person_nothing_is_estimated(inputs: Inputs) -> None:
    found = business.yearly(inputs, counts(with_rule=True, answered=0, wrong=0, missed=0, all_to_a_person=True))
    assert found.alone == found.wrong == found.effect == Span(0, 0, 0)
    assert found.after == Span(found.today, found.today, found.today)
    assert found.break_even_accuracy is None and found.break_even_days is None


def test_break_even() -> None:
    found = business.yearly(PLAIN, counts())
    once = 60 * 30 / 60 * 60 + 60 * 60
    assert found.once == pytest.approx(once)
    days = found.break_even_days
    assert days is not None
    for likely, effect in (
        (days.likely, found.effect.likely),
        (days.low, found.effect.high),
        (days.high, found.effect.low),
    ):
        assert likely * effect / PLAIN.days_per_year == pytest.approx(once)
    accuracy = found.break_even_accuracy
    assert accuracy is not None
    assert year(PLAIN, 1.0, 1 - accuracy) == pytest.approx(found.today)  # so often right, a year costs the same


def test_what_never_pays_says_so() -> None:
    dear = replace(PLAIN, wrong_cost=100_000, person_wrong=0)
    found = business.yearly(dear, counts())
    assert found.effect.high < 0 and found.break_even_days is None
    unsure = business.yearly(replace(PLAIN, wrong_cost=150, person_wrong=0), counts(wrong=3))
    assert unsure.effect.low < 0 < unsure.effect.likely
    assert unsure.break_even_days is not None and math.isinf(unsure.break_even_days.high)
    free = business.yearly(replace(PLAIN, wrong_cost=0), counts())
    assert free.break_even_accuracy is None
    assert business.yearly(replace(PLAIN, photos_to_take=0, setup_hours=0), counts()).break_even_days == Span(0, 0, 0)


def answer(label: int, predicted: int) -> Prediction:
    return Prediction("x", label, predicted, (0.5, 0.3, 0.2))


def test_photos_are_counted_by_what_would_have_happened() -> None:
    answers = [answer(0, 0), answer(0, 1), answer(1, 1), answer(1, 2), answer(1, 0), answer(2, 0), answer(2, 2)]
    found = business.tally(answers, {1, 2}, None)
    assert found == Tally(False, 7, 7, 4, 5, 5, 2, 2, 2, 1)  # 1 → 2 is wrong, but no miss
    some = business.tally(answers, {1, 2}, [True, False, True, False, True, False, True])
    assert some == Tally(True, 7, 4, 1, 5, 3, 1, 2, 1, 0)
    assert business.tally(answers, {1, 2}, [False] * 7, all_to_a_person=True).all_to_a_person
    with pytest.raises(ValueError):
        business.tally(answers, set(), [True])


@pytest.mark.parametrize(("accuracy", "drop"), [(0.95, 0.1), (0.9, 0.2), (0.7, 0.1)])
def test_a_drift_check_is_the_smallest_that_keeps_its_promises(accuracy: float, drop: float) -> None:
    found = business.drift_check(accuracy, drop)
    assert found is not None

    def at_most(right: int, photos: int, share: float) -> float:
        return sum(math.comb(photos, k) * share**k * (1 - share) ** (photos - k) for k in range(right + 1))

    assert at_most(found.least_right - 1, found.photos, accuracy) <= 0.05
    assert at_most(found.least_right - 1, found.photos, accuracy - drop) >= 0.8
    for photos in range(5, found.photos):  # none smaller does, wherever its alarm stands
        best = max((k for k in range(-1, photos + 1) if at_most(k, photos, accuracy) < 0.05), default=-1)
        assert at_most(best, photos, accuracy - drop) < 0.8 + 1e-9


def test_a_drift_check_that_cannot_be_is_none() -> None:
    assert business.drift_check(0.1, 0.2) is None
    assert business.drift_check(1.0, 0.1) is None
    assert business.drift_check(0.5, 0.001) is None  # more photos than anybody would look at


def test_photos_for_is_the_first_count_whose_range_lies_above() -> None:
    found = business.photos_for(0.95, 0.9)
    assert found is not None
    assert wilson(int(0.95 * found), found)[0] >= 0.9
    assert all(wilson(int(0.95 * count), count)[0] < 0.9 for count in range(5, found))
    assert business.photos_for(0.9, 0.9) is None
    for correct, count in ((0, 5), (3, 7), (50, 50)):
        assert business.lower_end(correct, count) == pytest.approx(wilson(correct, count)[0], abs=1e-9)


def test_what_was_typed_comes_back_and_nonsense_does_not() -> None:
    assert business.from_dict(business.as_dict(SORTED)) == SORTED
    assert business.from_dict({}) == Inputs()
    odd = {"parts_per_day": "x", "bad_share": 7, "currency": "$" * 99, "bad_classes": "bad", "wrong_cost": -1, "new": 1}
    assert business.from_dict(odd) == Inputs(currency="$" * 8, bad_share=1.0)
    assert business.from_dict({"parts_per_day": float("nan"), "minute_cost": True}) == Inputs()
