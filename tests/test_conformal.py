"""Sets of classes: their coverage on simulated scores, and every count against a slow loop."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from prolip_core import conformal

REPEATS = 20_000
UNLIKELY = 1e-9


def hits(place: int, count: int) -> int:
    """In how many of REPEATS new scores lies the new one within the `place`-th smallest of `count` known ones?"""
    scores = np.random.default_rng(0).random((REPEATS, count + 1))
    limits = np.sort(scores[:, :-1], axis=1)[:, place - 1]
    return int((scores[:, -1] <= limits).sum())


@pytest.mark.parametrize(("count", "coverage"), [(30, 0.9), (19, 0.95), (12, 0.75)])
def test_the_quantile_covers_what_it_promises_and_no_other_rank_does(count: int, coverage: float) -> None:
    """The true coverage is rank / (n + 1): at least the promise, and at most 1 / (n + 1) more."""
    place = conformal.rank(count, coverage)
    scores = np.random.default_rng(0).random((REPEATS, count + 1))
    within = sum(row[-1] <= conformal.quantile(row[:-1], coverage) for row in scores)
    assert within == hits(place, count)
    at_least = binom.ppf(UNLIKELY, REPEATS, coverage)
    at_most = binom.ppf(1 - UNLIKELY, REPEATS, min(1.0, coverage + 1 / (count + 1)))
    assert at_least <= within <= at_most
    # The bounds are tight enough to tell: one rank less covers too little.
    assert hits(place - 1, count) < at_least


@given(count=st.integers(1, 400), percent=st.integers(1, 99))
def test_the_rank_is_exact(count: int, percent: int) -> None:
    assert conformal.rank(count, percent / 100) == math.ceil(Fraction(percent, 100) * (count + 1))


def test_too_few_photos_rule_nothing_out() -> None:
    assert conformal.quantile(np.full(18, 0.5), 0.95) == math.inf
    assert conformal.quantile(np.arange(19) / 19, 0.95) == pytest.approx(18 / 19)


def test_scores_are_what_the_probability_lacks() -> None:
    assert conformal.scores(np.array([[0.75, 0.25]])).tolist() == [[0.25, 0.75]]


grid = st.integers(0, 6).map(lambda k: k / 6)


@st.composite
def problems(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, list[np.ndarray], float]:
    """True scores, folds, scores of new photos by every fold, coverage; with many ties."""
    folds, classes, new = draw(st.integers(1, 4)), draw(st.integers(1, 3)), draw(st.integers(1, 4))
    fold_N = draw(st.lists(st.integers(0, folds - 1), min_size=1, max_size=20))
    true_N = [draw(grid) for _ in fold_N]
    scores = [np.array([[draw(grid) for _ in range(classes)] for _ in range(new)]) for _ in range(folds)]
    return np.array(true_N), np.array(fold_N), scores, draw(st.sampled_from((0.5, 0.8, 0.9)))


@settings(deadline=None, max_examples=60)
@given(problem=problems())
def test_cross_sets_against_a_slow_loop(problem: tuple[np.ndarray, np.ndarray, list[np.ndarray], float]) -> None:
    """Barber et al. 2021 / Romano et al. 2020: in, if Σ 1[sᵢ < s₋ₖ₍ᵢ₎(x, y)] < (1 − α)(n + 1)."""
    true_N, fold_N, scores, coverage = problem
    found = conformal.cross_sets(true_N, fold_N, scores, coverage)
    for m in range(len(scores[0])):
        for c in range(scores[0].shape[1]):
            lower = sum(true_N[i] < scores[fold_N[i]][m, c] for i in range(len(true_N)))
            assert found[m, c] == (lower < Fraction(str(coverage)) * (len(true_N) + 1))


@settings(deadline=None, max_examples=60)
@given(problem=problems())
def test_with_one_and_the_same_model_cross_sets_are_those_of_the_quantile(
    problem: tuple[np.ndarray, np.ndarray, list[np.ndarray], float],
) -> None:
    true_N, fold_N, scores, coverage = problem
    same = [scores[0]] * len(scores)
    limit = conformal.quantile(true_N, coverage)
    assert (conformal.cross_sets(true_N, fold_N, same, coverage) == (scores[0] <= limit)).all()


@settings(deadline=None, max_examples=40)
@given(problem=problems())
def test_more_coverage_never_takes_a_class_away(
    problem: tuple[np.ndarray, np.ndarray, list[np.ndarray], float],
) -> None:
    sets = [conformal.cross_sets(*problem[:3], coverage) for coverage in (0.3, 0.6, 0.9, 0.99)]
    for smaller, larger in itertools.pairwise(sets):
        assert not (smaller & ~larger).any()


def nearest_mean_scores(known: np.ndarray, labels: np.ndarray, new: np.ndarray) -> np.ndarray:
    """A small learner: distance to the mean of each of two classes."""
    found: np.ndarray = np.abs(new[:, None] - np.array([known[labels == c].mean() for c in (0, 1)]))
    return found


def test_cross_sets_cover_on_a_learner() -> None:
    """2,000 times: 20 photos of two classes in 5 folds, a learner, one new photo."""
    random, repeats, count, folds, coverage = np.random.default_rng(1), 2000, 20, 5, 0.9
    fold_N = np.arange(count) % folds
    covered = 0
    for _ in range(repeats):
        labels = random.integers(0, 2, count + 1)
        photos = labels + random.normal(size=count + 1)
        if any(len(set(labels[:-1][fold_N != k])) < 2 for k in range(folds)):
            covered += 1  # no learner without both classes: all classes are named
            continue
        true_N, by_fold = np.zeros(count), []
        for k in range(folds):
            taught = np.flatnonzero(fold_N != k)
            scores = nearest_mean_scores(photos[taught], labels[taught], photos)
            true_N[fold_N == k] = scores[np.flatnonzero(fold_N == k), labels[:-1][fold_N == k]]
            by_fold.append(scores[-1:])
        covered += int(conformal.cross_sets(true_N, fold_N, by_fold, coverage)[0, labels[-1]])
    assert covered >= binom.ppf(UNLIKELY, repeats, conformal.guarantee(count, folds, coverage))
    # Not promised but usual: about what was asked for.
    assert covered / repeats == pytest.approx(coverage, abs=0.04)


def test_the_guarantee_by_its_formula() -> None:
    assert conformal.guarantee(160, 5, 0.95) == pytest.approx(1 - 0.1 - 2 * 0.8 / 33)
    # One fold per photo: the jackknife+, 1 − 2α.
    assert conformal.guarantee(160, 160, 0.95) == pytest.approx(0.9)
    assert conformal.guarantee(6, 3, 0.5) == 0.0
