"""Groups of photos: every figure against a slow loop or a published number, and how often the test raises a false alarm."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterable, Sequence

import pytest

from prolip_core import groups, metrics
from prolip_core.groups import Gap, TagReport
from prolip_core.types import Note, Prediction

Photo = tuple[str | None, int, bool]
"""Group, class, whether it was right."""


def answers(photos: Sequence[Photo], n_classes: int = 9) -> tuple[list[Prediction], dict[str, str]]:
    even = (1 / n_classes,) * n_classes
    predictions = [
        Prediction(f"photo-{i}", label, label if is_right else (label + 1) % n_classes, even)
        for i, (_, label, is_right) in enumerate(photos)
    ]
    return predictions, {f"photo-{i}": name for i, (name, _, _) in enumerate(photos) if name is not None}


def report(
    photos: Sequence[Photo], *, before: Sequence[Photo] = (), permutations: int = 1999, seed: int = 0
) -> TagReport:
    predictions, values = answers(photos)
    return groups.of_tag(
        "line", values, answers(before or photos)[0], predictions, permutations=permutations, seed=seed
    )


def several(group: str | None, label: int, right: int, count: int) -> list[Photo]:
    return [(group, label, i < right) for i in range(count)]


def gap_of(photos: Sequence[Photo], *, permutations: int = 1999, seed: int = 0) -> Gap:
    found = report(photos, permutations=permutations, seed=seed).prolip
    assert found is not None
    return found


def slow_distance(photos: Sequence[Photo], first: str, second: str) -> tuple[float, float, float]:
    """Weighted sum of differences, its standard error, sum of weights: class by class from the definition, as in the test of
    Cochran, Mantel and Haenszel for two groups among several."""
    total = error = weights = 0.0
    for label in {label for _, label, _ in photos}:
        here = [(name, is_right) for name, other, is_right in photos if other == label]
        mine = [is_right for name, is_right in here if name == first]
        others = [is_right for name, is_right in here if name == second]
        if not mine or not others:
            continue
        weight = 1 / (1 / len(mine) + 1 / len(others))
        mean = sum(is_right for _, is_right in here) / len(here)
        variance = sum((is_right - mean) ** 2 for _, is_right in here) / (len(here) - 1)
        total += weight * (sum(mine) / len(mine) - sum(others) / len(others))
        error += weight * variance
        weights += weight
    return total, math.sqrt(error), weights


def slow_p(photos: Sequence[Photo], names: Sequence[str]) -> float:
    """Every way to deal the answers of each class out to its photos, one by one."""

    def furthest(dealt: Sequence[Photo]) -> float:
        found = [slow_distance(dealt, a, b) for a, b in itertools.combinations(names, 2)]
        return max(abs(total) / error if error else 0.0 for total, error, _ in found)

    of_class = [[p for p in photos if p[1] == label] for label in sorted({label for _, label, _ in photos})]
    deals = [
        [
            [(name, label, i in chosen) for i, (name, label, _) in enumerate(here)]
            for chosen in itertools.combinations(range(len(here)), sum(is_right for _, _, is_right in here))
        ]
        for here in of_class
    ]
    observed = furthest(photos)
    reached = [furthest([p for here in deal for p in here]) >= observed - 1e-9 for deal in itertools.product(*deals)]
    return sum(reached) / len(reached)


SMALL: list[Photo] = [
    *several("A", 0, 4, 4),
    *several("B", 0, 1, 3),
    *several("C", 0, 1, 2),
    *several("A", 1, 2, 2),
    *several("B", 1, 1, 3),
]


def test_the_gap_is_that_of_slow_loops_and_of_every_possible_deal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups, "MIN_PHOTOS", 1)
    found = gap_of(SMALL, permutations=19_999)
    distances = {pair: slow_distance(SMALL, *pair) for pair in itertools.combinations("ABC", 2)}
    furthest = max(distances, key=lambda pair: abs(distances[pair][0]) / distances[pair][1])
    assert {found.better, found.worse} == set(furthest) == {"A", "B"}
    total, _, weights = distances[furthest]
    assert found.better == "A" and found.difference == pytest.approx(total / weights)
    assert found.plain == pytest.approx(6 / 6 - 2 / 6)
    assert found.p == pytest.approx(slow_p(SMALL, "ABC"), abs=0.008)


def test_answers_are_dealt_in_many_portions_as_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups, "MIN_PHOTOS", 1)
    monkeypatch.setattr(groups, "_DRAWN_AT_A_TIME", 300)
    assert gap_of(SMALL, permutations=9_999).p == pytest.approx(slow_p(SMALL, "ABC"), abs=0.012)


@pytest.mark.parametrize(
    ("first", "second", "low", "high"),
    [((56, 70), (48, 80), 0.0524, 0.3339), ((9, 10), (3, 10), 0.1705, 0.8090), ((10, 10), (0, 20), 0.6791, 1.0)],
)
def test_the_interval_of_two_groups_is_newcombes_published_one(
    first: tuple[int, int], second: tuple[int, int], low: float, high: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Newcombe 1998, Statistics in Medicine 17, 873-890, table II, method 10."""
    monkeypatch.setattr(groups, "MIN_PHOTOS", 1)
    found = gap_of([*several("A", 0, *first), *several("B", 0, *second)], permutations=9)
    assert found.interval == pytest.approx((low, high), abs=6e-5)


def test_the_interval_is_wider_where_the_pair_was_chosen_among_several() -> None:
    two = [*several("A", 0, 28, 30), *several("B", 0, 20, 30)]
    more = [*two, *several("C", 0, 24, 30), *several("D", 0, 24, 30)]
    alone, chosen = gap_of(two, permutations=9), gap_of(more, permutations=9)
    assert (alone.better, alone.worse) == (chosen.better, chosen.worse) == ("A", "B")
    assert chosen.interval[0] < alone.interval[0] and alone.interval[1] < chosen.interval[1]
    low, high = groups.score_interval(28 / 30, 30, 2.638257)  # six pairs: 1 - 0.05 / 6
    low_b, high_b = groups.score_interval(20 / 30, 30, 2.638257)
    expected = (8 / 30 - math.hypot(28 / 30 - low, high_b - 2 / 3), 8 / 30 + math.hypot(high - 28 / 30, 2 / 3 - low_b))
    assert chosen.interval == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(("correct", "count"), [(0, 1), (3, 12), (12, 12), (97, 100)])
def test_the_score_interval_is_the_one_of_the_house(correct: int, count: int) -> None:
    found = groups.score_interval(correct / count, count, 1.959963984540054)
    assert found == pytest.approx(metrics.wilson_interval(correct, count))


def test_the_limit_is_where_the_range_cannot_be_wider_than_half() -> None:
    def widest(count: int) -> float:
        return max(high - low for low, high in (metrics.wilson_interval(k, count) for k in range(count + 1)))

    assert widest(groups.MIN_PHOTOS) < 0.5 < widest(groups.MIN_PHOTOS - 1)


def test_every_group_has_its_counts_and_what_its_classes_let_expect() -> None:
    photos = [
        *several("B", 0, 9, 10),
        *several("B", 1, 1, 5),
        *several("A", 1, 10, 20),
        *several(None, 0, 3, 3),
    ]
    before = [(name, label, label == 1) for name, label, _ in photos]
    found = report(photos, before=before)
    assert [(one.value, one.count, one.is_small) for one in found.groups] == [
        ("A", 20, False),
        ("B", 15, False),
        (None, 3, True),
    ]
    a, b, without = (one.prolip for one in found.groups)
    assert (a.correct, a.accuracy, a.interval) == (10, 0.5, metrics.wilson_interval(10, 20))
    assert b.expected == pytest.approx((10 * 12 / 13 + 5 * 11 / 25) / 15)
    assert without.correct == 3 and without.expected == pytest.approx(12 / 13)
    assert [one.zero_shot.correct for one in found.groups] == [20, 5, 0]
    assert found.zero_shot is not None and found.zero_shot.difference == 0.0


def test_a_group_that_merely_has_the_harder_class_is_not_called_worse() -> None:
    photos = [
        *several("easy", 0, 57, 60),
        *several("easy", 1, 6, 15),
        *several("hard", 0, 14, 15),
        *several("hard", 1, 24, 60),
    ]
    found = report(photos)
    assert found.prolip is not None
    assert found.prolip.plain > 0.3 and not found.prolip.is_told and found.prolip.difference < 0.02
    first, second = groups.notes(found, found.prolip)
    assert first.text.startswith("No gap can be told from these photos.")
    assert "+33 points, because the groups do not show the same classes" in second.text


def test_groups_without_a_class_in_common_are_not_compared() -> None:
    photos = [*several("A", 0, 20, 20), *several("B", 1, 0, 20)]
    found = report(photos)
    assert (found.prolip, found.no_shared_class) == (None, 1)
    (told,) = groups.notes(found, found.prolip)
    assert "no two groups have a class in common" in told.text
    found = report([*photos, *several("C", 0, 2, 20)])
    assert found.prolip is not None and (found.prolip.better, found.prolip.worse) == ("A", "C")
    assert found.no_shared_class == 2
    assert any("no class in common" in note.text and "(2)" in note.text for note in groups.notes(found, found.prolip))


def test_small_groups_are_shown_but_neither_compared_nor_counted_in() -> None:
    large = [*several("A", 0, 25, 30), *several("B", 0, 20, 30)]
    found = report([*large, *several("C", 0, 0, groups.MIN_PHOTOS - 1)])
    assert found.prolip == gap_of(large)
    assert [one.is_small for one in found.groups] == [False, False, True]
    assert any("fewer than 12 photos (1)" in note.text for note in groups.notes(found, found.prolip))
    alone = report([*several("A", 0, 25, 30), *several("C", 0, 0, 5)])
    assert alone.prolip is None
    assert "fewer than two groups have the 12 photos" in groups.notes(alone, None)[0].text


def test_photos_without_the_tag_are_a_group_of_their_own() -> None:
    found = report([*several("A", 0, 30, 30), *several(None, 0, 10, 30)])
    assert [one.value for one in found.groups] == ["A", None]
    assert found.prolip is not None and (found.prolip.better, found.prolip.worse) == ("A", None)
    told = groups.notes(found, found.prolip)[0]
    assert told.text.startswith("There is a gap: “A” was right more often than “photos without this tag”, by 67 points")
    assert told.text.endswith("This is very unlikely to be luck.")
    assert isinstance(told.values["worse"], Note)  # to be translated


def test_where_nothing_was_wrong_no_gap_is_told_and_the_range_is_no_point() -> None:
    found = gap_of([*several("A", 0, 30, 30), *several("B", 0, 40, 40), *several("C", 0, 50, 50)])
    assert (found.difference, found.p) == (0.0, 1.0)
    assert {found.better, found.worse} == {"B", "C"}  # which say most
    assert found.interval[0] < -0.1 and found.interval[1] > 0.1


def test_the_same_photos_give_the_same_p_and_other_draws_nearly_the_same() -> None:
    photos = [*several("A", 0, 20, 30), *several("B", 0, 26, 30)]
    assert report(photos) == report(photos)
    assert gap_of(photos).p == pytest.approx(gap_of(photos, seed=1).p, abs=0.02)


def test_it_needs_the_same_photos_by_both_methods() -> None:
    predictions, values = answers(several("A", 0, 1, 2))
    with pytest.raises(ValueError, match="same measured photos"):
        groups.of_tag("line", values, predictions[:1], predictions)
    with pytest.raises(ValueError, match="same measured photos"):
        groups.of_tag("line", values, [], [])


def simulated(chance: random.Random, accuracy: dict[tuple[str, int], float], counts: Iterable[int]) -> list[Photo]:
    return [
        (name, label, chance.random() < share)
        for ((name, label), share), count in zip(accuracy.items(), counts, strict=True)
        for _ in range(count)
    ]


def test_equal_groups_raise_a_false_alarm_about_as_often_as_the_level_says() -> None:
    """Five groups with very different mixtures of an easy and a hard class. Without classes it would be an alarm nearly always,
    and the largest of ten untouched tests one in more than a fifth of all cases."""
    chance = random.Random(3)
    accuracy = {(name, label): (0.95, 0.5)[label] for name in "ABCDE" for label in (0, 1)}
    counts = (40, 6, 6, 40, 30, 10, 15, 15, 20, 12)
    found = [gap_of(simulated(chance, accuracy, counts), permutations=199) for _ in range(400)]
    alarms = sum(one.is_told for one in found)
    assert 8 <= alarms <= 34  # of 400; 20 are expected, ±3 standard errors
    covered = sum(one.interval[0] <= 0 <= one.interval[1] for one in found)
    assert covered >= 380 - 13


def test_a_real_gap_is_found_and_its_range_holds_it() -> None:
    chance = random.Random(5)
    accuracy = {("A", 0): 0.95, ("B", 0): 0.6, ("C", 0): 0.95, ("A", 1): 0.85, ("B", 1): 0.5, ("C", 1): 0.85}
    found = [gap_of(simulated(chance, accuracy, (30, 15, 25, 15, 30, 25)), permutations=199) for _ in range(100)]
    assert sum(one.is_told and one.worse == "B" for one in found) > 85
    assert sum(one.interval[0] <= 0.35 <= one.interval[1] for one in found) >= 88
