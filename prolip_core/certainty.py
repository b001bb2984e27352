"""When is an answer sure enough? Temperature, calibration, thresholds, risk against coverage, and photos of something else.

Plain numbers in, plain numbers out: logits (N, C), labels (N,), confidences (N,), and whether each answer is right (N,). What is
chosen (`temperature`, `suggest`) and what is measured (everything else) are apart, so that the caller can hand the one the photos
to learn from and the other the test photos. `conformal.py` has the sets of classes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from prolip_core.metrics import CALIBRATION_BINS, CONFIDENCE_LEVEL, wilson_interval

TEMPERATURES = (0.1, 10.0)
"""Limits of the temperature. Where every answer is right, or none, the best one would be 0, or infinite."""


@dataclass(frozen=True)
class Share:
    """`count` of `total`, with Wilson's 95 % interval of the share; of nothing at all the share is not known (0 to 1)."""

    count: int
    total: int

    @property
    def rate(self) -> float | None:
        return self.count / self.total if self.total else None

    @property
    def interval(self) -> tuple[float, float]:
        return wilson_interval(self.count, self.total) if self.total else (0.0, 1.0)


@dataclass(frozen=True)
class Bin:
    """Answers with a confidence in (low, high]; `confidence` is their mean, None where there is none."""

    low: float
    high: float
    right: Share
    confidence: float | None


@dataclass(frozen=True)
class Outcome:
    """What a threshold does: answers with at least this confidence stand, all others go to a person."""

    threshold: float
    answered: Share
    wrong: Share
    to_person: Share

    @property
    def error(self) -> Share:
        """The wrong ones among the answered ones alone."""
        return Share(self.wrong.count, self.answered.count)


@dataclass(frozen=True)
class Suggestion:
    """A threshold for a limit on the wrong answers among those given.

    assured: `upper_bound`, the one-sided 95 % bound of Clopper and Pearson (1934), is within the limit. If not, only the observed
    share is. threshold None: not even that; every answer goes to a person. error: near-duplicates count as one photo, wrong if
    one of them is.
    """

    limit: float
    threshold: float | None
    error: Share
    upper_bound: float | None
    assured: bool


@dataclass(frozen=True)
class RiskCoverage:
    """risk[k]: share of wrong answers among the `coverage[k]` most confident; `area` is the mean risk over all coverages.

    best: the area if every right answer were more confident than every wrong one; chance: if the confidence said nothing.
    """

    coverage: tuple[float, ...]
    risk: tuple[float, ...]
    area: float
    best: float
    chance: float


def log_probabilities(logits_NC: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """log softmax(logits / temperature), in double precision."""
    from scipy.special import log_softmax

    found: np.ndarray = log_softmax(np.asarray(logits_NC, dtype=np.float64) / temperature, axis=-1)
    return found


def probabilities(logits_NC: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """softmax(logits / temperature), in double precision."""
    found: np.ndarray = np.exp(log_probabilities(logits_NC, temperature))
    return found


def mean_loss(logits_NC: np.ndarray, labels_N: np.ndarray, temperature: float = 1.0) -> float:
    """Mean of −log p(true class), in nats."""
    return float(-log_probabilities(logits_NC, temperature)[np.arange(len(labels_N)), labels_N].mean())


def temperature(logits_NC: np.ndarray, labels_N: np.ndarray) -> float:
    """The one number that the logits are divided by so that the loss on these photos is least (Guo et al. 2017, section 4.2).

    The loss is convex in 1/T, so it has one valley; 1 where no temperature does better. Which class is named never changes.
    """
    from scipy.optimize import minimize_scalar

    low, high = np.log(TEMPERATURES)
    found = minimize_scalar(
        lambda x: mean_loss(logits_NC, labels_N, math.exp(x)),
        bounds=(low, high),
        method="bounded",
        options={"xatol": 1e-7},
    )
    tried = (1.0, *TEMPERATURES, float(math.exp(found.x)))
    losses = [mean_loss(logits_NC, labels_N, one) for one in tried]
    return tried[int(np.argmin(np.round(losses, 12)))]


def answers(probs_NC: np.ndarray, labels_N: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Confidence of every answer (N,), and whether it is right (N,)."""
    return probs_NC.max(axis=1), probs_NC.argmax(axis=1) == labels_N


def reliability(confidence_N: np.ndarray, right_N: np.ndarray, bins: int = CALIBRATION_BINS) -> tuple[Bin, ...]:
    """The reliability diagram: bins of equal width, open on the left, as in `metrics.expected_calibration_error`."""
    bin_N = np.clip(np.ceil(confidence_N * bins).astype(int) - 1, 0, bins - 1)
    found = []
    for number in range(bins):
        inside_N = bin_N == number
        count = int(inside_N.sum())
        mean = float(confidence_N[inside_N].mean()) if count else None
        found.append(Bin(number / bins, (number + 1) / bins, Share(int(right_N[inside_N].sum()), count), mean))
    return tuple(found)


def calibration_error(bins: tuple[Bin, ...]) -> float:
    """Mean gap between confidence and share of right answers over the bins, weighted by photos (Guo et al. 2017, eq. 3)."""
    total = sum(one.right.total for one in bins)
    gaps = [abs(one.right.count - one.right.total * one.confidence) for one in bins if one.confidence is not None]
    return sum(gaps) / total


def outcome(confidence_N: np.ndarray, right_N: np.ndarray, threshold: float) -> Outcome:
    """What this threshold does to these answers."""
    stands_N = confidence_N >= threshold
    total, answered = len(confidence_N), int(stands_N.sum())
    return Outcome(
        threshold,
        Share(answered, total),
        Share(int((stands_N & ~right_N).sum()), total),
        Share(total - answered, total),
    )


def upper_bound(wrong: np.ndarray | int, count: np.ndarray | int) -> np.ndarray:
    """The one-sided 95 % upper bound of a share (Clopper and Pearson 1934) for `wrong` of `count`, count ≥ 1."""
    from scipy.stats import beta

    wrong_K, count_K = np.asarray(wrong), np.asarray(count)
    all_K = wrong_K == count_K
    bound_K: np.ndarray = beta.ppf(CONFIDENCE_LEVEL, wrong_K + 1, np.where(all_K, 1, count_K - wrong_K))
    return np.where(all_K, 1.0, bound_K)


def least_answers(limit: float) -> int:
    """So many answers without one mistake it takes before `upper_bound` is within the limit."""
    return math.ceil(math.log(1 - CONFIDENCE_LEVEL) / math.log(1 - limit) - 1e-9)


def suggest(
    confidence_N: np.ndarray, right_N: np.ndarray, limit: float, groups_N: Sequence[int] | None = None
) -> Suggestion:
    """The lowest threshold at which the upper bound of the wrong share among the answered ones is within the limit; where there
    is none, the lowest at which the share itself is. groups_N: the same number for near-duplicates, which are no answers of
    their own; by default all differ."""
    threshold_K, answered_K, wrong_K = _steps(confidence_N, right_N, groups_N)
    bound_K = upper_bound(wrong_K, answered_K)
    for assured, fits_K in ((True, bound_K <= limit), (False, wrong_K / answered_K <= limit)):
        if fits_K.any():
            k = int(np.flatnonzero(fits_K)[-1])
            error = Share(int(wrong_K[k]), int(answered_K[k]))
            return Suggestion(limit, float(threshold_K[k]), error, float(bound_K[k]), assured)
    return Suggestion(limit, None, Share(0, 0), None, assured=False)


def risk_coverage(confidence_N: np.ndarray, right_N: np.ndarray) -> RiskCoverage:
    """The curve and its area (Geifman and El-Yaniv 2017), from the most confident answer on.

    Answers of the same confidence come in no order: among them the mean over all orders is taken. The curve has a point where
    such a group ends, since a threshold cannot cut it.
    """
    _, answered_K, wrong_K = _steps(confidence_N, right_N)
    total = len(confidence_N)
    rank_N = np.arange(1, total + 1)
    # The expected number of wrong ones among the first k rises evenly within a group.
    expected_N = np.interp(rank_N, np.r_[0, answered_K], np.r_[0, wrong_K])
    right = int(right_N.sum())
    return RiskCoverage(
        coverage=tuple((answered_K / total).tolist()),
        risk=tuple((wrong_K / answered_K).tolist()),
        area=float((expected_N / rank_N).mean()),
        best=float((np.maximum(rank_N - right, 0) / rank_N).mean()),
        chance=(total - right) / total,
    )


def auroc(inside_N: np.ndarray, outside_M: np.ndarray) -> float:
    """How often a photo of the first kind has the higher score than one of the second; a tie counts half (Mann–Whitney)."""
    from scipy.stats import rankdata

    ranks = rankdata(np.concatenate([inside_N, outside_M]))
    n, m = len(inside_N), len(outside_M)
    return float((ranks[:n].sum() - n * (n + 1) / 2) / (n * m))


def energy(logits_NC: np.ndarray) -> np.ndarray:
    """log Σ exp(logits), the negative free energy at temperature 1 (Liu et al. 2020, arXiv 2010.03759): high for known things."""
    from scipy.special import logsumexp

    found: np.ndarray = logsumexp(np.asarray(logits_NC, dtype=np.float64), axis=-1)
    return found


def _steps(
    confidence_N: np.ndarray, right_N: np.ndarray, groups_N: Sequence[int] | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For every confidence that occurs, from the highest down: itself, answers with at least that much, wrong ones among them.

    groups_N: photos with the same number count once, and as wrong if one of the answered ones is.
    """
    order = np.argsort(-confidence_N, kind="stable")
    sorted_N = confidence_N[order]
    last_K = np.flatnonzero(np.r_[sorted_N[1:] != sorted_N[:-1], True])
    group_N = np.arange(len(order)) if groups_N is None else np.asarray(groups_N)[order]
    counted = [np.cumsum(_first_of_group(group_N, among_N)) for among_N in (np.ones_like(right_N), ~right_N[order])]
    return sorted_N[last_K], counted[0][last_K], counted[1][last_K]


def _first_of_group(group_N: np.ndarray, among_N: np.ndarray) -> np.ndarray:
    """Whether this is the first of its group among those (N,) of bool."""
    places = np.flatnonzero(among_N)
    first_N = np.zeros(len(group_N), dtype=bool)
    first_N[places[np.unique(group_N[places], return_index=True)[1]]] = True
    return first_N
