"""Counts, rates, ranges and paired tests over predictions. Accuracies are fractions between 0 and 1.

SciPy's and scikit-learn's parts are imported where they are used: they take a second, which neither the first screen nor the
first training should wait for.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from prolip_core.types import ConfusionMatrix, Prediction

CONFIDENCE_LEVEL = 0.95
CALIBRATION_BINS = 10

Luck = Literal["same", "very unlikely", "unlikely", "possible"]
"""Whether a difference between two methods may be luck; "same": they do not differ on any photo."""


@dataclass(frozen=True)
class ClassMetrics:
    """One class: `count` photos of it were measured; a rate is None where it would divide by zero photos."""

    class_name: str
    count: int
    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True)
class Evaluation:
    """How one method did on one set of photos.

    `balanced_accuracy` and `macro_f1` are means over the classes that have at least one measured photo; a class without one
    says nothing about the method. `accuracy_interval` is Wilson's 95 % interval for correct out of count.
    """

    count: int
    correct: int
    accuracy: float
    accuracy_interval: tuple[float, float]
    balanced_accuracy: float
    macro_f1: float
    calibration_error: float
    per_class: tuple[ClassMetrics, ...]
    confusion: ConfusionMatrix


def wilson_interval(correct: int, count: int) -> tuple[float, float]:
    """Wilson's score interval at 95 % (Wilson 1927) for `correct` of `count`, 0 ≤ correct ≤ count, count ≥ 1."""
    from scipy.stats import binomtest

    interval = binomtest(correct, count).proportion_ci(CONFIDENCE_LEVEL, method="wilson")
    return float(interval.low), float(interval.high)


def mean_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """Student's 95 % interval of the mean of independent values (Student 1908); None for fewer than two.

    It may reach beyond what the values themselves can be, such as an accuracy over 1.
    """
    from scipy.stats import t

    if len(values) < 2:
        return None
    half = float(t.ppf(0.5 + CONFIDENCE_LEVEL / 2, len(values) - 1)) * statistics.stdev(values) / math.sqrt(len(values))
    mean = statistics.fmean(values)
    return mean - half, mean + half


def redrawn_interval(values: Sequence[float], overlap: float) -> tuple[float, float] | None:
    """95 % interval of the mean over draws from one and the same pool, for other photos of the kind of the pool.

    Draws that share photos vary less than fresh ones would. With a correlation ρ between them, here the share of the pool that a
    draw takes (`overlap`, 0 … 1), the variance of their mean is s²·(1/n + ρ/(1 − ρ)): the corrected resampled t-test of Nadeau
    and Bengio 2003 (Inference for the generalization error, Machine Learning 52, 239-281). At overlap 0 it is `mean_interval`.
    None for fewer than two values, and where a draw takes the whole pool: then the draws are the same.
    """
    from scipy.stats import t

    if len(values) < 2 or overlap >= 1:
        return None
    widened = math.sqrt(1 / len(values) + overlap / (1 - overlap))
    half = float(t.ppf(0.5 + CONFIDENCE_LEVEL / 2, len(values) - 1)) * statistics.stdev(values) * widened
    mean = statistics.fmean(values)
    return mean - half, mean + half


def mcnemar_p(first: Sequence[Prediction], second: Sequence[Prediction]) -> float:
    """Exact McNemar test (McNemar 1947, two-sided binomial) of two methods on the same photos in the same order.

    The p-value, 0 … 1: how likely a difference at least this large would be if both were equally good; 1 if they never differ
    in being right. Raises ValueError if the photos differ.
    """
    from scipy.stats import binomtest

    if [p.image_id for p in first] != [p.image_id for p in second]:
        raise ValueError("a paired test needs the same photos in the same order")
    only_first = sum(a.predicted == a.label != b.predicted for a, b in zip(first, second, strict=True))
    only_second = sum(b.predicted == b.label != a.predicted for a, b in zip(first, second, strict=True))
    if only_first + only_second == 0:
        return 1.0
    return float(binomtest(only_first, only_first + only_second, 0.5).pvalue)


def luck(p: float, flips: int) -> Luck:
    """What the paired test says, in a word; `flips`: photos that only one of the two got right."""
    if flips == 0:
        return "same"
    if p < 0.001:
        return "very unlikely"
    return "unlikely" if p < 0.05 else "possible"


def confusion(predictions: Sequence[Prediction], n_classes: int) -> ConfusionMatrix:
    """Rows are true classes, columns are answers, (C, C); the photos of each cell in the order given."""
    from sklearn.metrics import confusion_matrix

    cells: list[list[list[str]]] = [[[] for _ in range(n_classes)] for _ in range(n_classes)]
    for prediction in predictions:
        cells[prediction.label][prediction.predicted].append(prediction.image_id)
    counts_CC = confusion_matrix(
        [p.label for p in predictions], [p.predicted for p in predictions], labels=list(range(n_classes))
    )
    return ConfusionMatrix(counts_CC, tuple(tuple(tuple(cell) for cell in row) for row in cells))


def expected_calibration_error(predictions: Sequence[Prediction], *, bins: int = CALIBRATION_BINS) -> float:
    """Mean gap between confidence and accuracy over equal-width bins of the confidence, weighted by photos (Naeini et al.
    2015, Guo et al. 2017 eq. 3), 0 … 1."""
    confidence = np.array([p.confidence for p in predictions])
    right = np.array([p.predicted == p.label for p in predictions], dtype=float)
    # Bins are open on the left, (k/bins, (k+1)/bins], as in Guo et al.
    bin_N = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    gap = np.bincount(bin_N, weights=confidence - right, minlength=bins)
    return float(np.abs(gap).sum() / len(predictions))


def evaluate(predictions: Sequence[Prediction], class_names: Sequence[str]) -> Evaluation:
    """All measures of one method. Raises ValueError without a prediction."""
    if not predictions:
        raise ValueError("nothing was predicted")
    n_classes = len(class_names)
    true_N = [p.label for p in predictions]
    predicted_N = [p.predicted for p in predictions]
    from sklearn.metrics import precision_recall_fscore_support

    # NaN instead of a made-up 0 where a rate has no photo to divide by.
    precision, recall, f1, count = precision_recall_fscore_support(
        true_N, predicted_N, labels=list(range(n_classes)), zero_division=np.nan
    )
    present = count > 0
    correct = sum(t == p for t, p in zip(true_N, predicted_N, strict=True))
    return Evaluation(
        count=len(predictions),
        correct=correct,
        accuracy=correct / len(predictions),
        accuracy_interval=wilson_interval(correct, len(predictions)),
        balanced_accuracy=float(np.mean(recall[present])),
        macro_f1=float(np.mean(np.nan_to_num(f1[present]))),
        calibration_error=expected_calibration_error(predictions),
        per_class=tuple(
            ClassMetrics(name, int(count[k]), _rate(precision[k]), _rate(recall[k]), _rate(f1[k]) if count[k] else None)
            for k, name in enumerate(class_names)
        ),
        confusion=confusion(predictions, n_classes),
    )


def _rate(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
