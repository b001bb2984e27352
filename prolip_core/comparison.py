"""Two methods, or two runs, on the very same photos: everything that the comparison says is computed here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from prolip_core import metrics
from prolip_core.errors import RunError
from prolip_core.metrics import Evaluation, Luck
from prolip_core.storage.records import RunRecord
from prolip_core.types import Prediction


@dataclass(frozen=True)
class Flip:
    """A photo that only one of the two answered rightly."""

    first: Prediction
    second: Prediction

    @property
    def image_id(self) -> str:
        return self.first.image_id


@dataclass(frozen=True)
class Confused:
    """`count` photos of class `true` were answered as class `answer` (positions in class_names)."""

    true: int
    answer: int
    count: int


@dataclass(frozen=True)
class Comparison:
    """`first` and `second` on the same photos in the same order. `left_out`: photos that only one of two runs has measured, or
    whose true class is another one now. `p` is that of the exact McNemar test."""

    class_names: tuple[str, ...]
    first: Evaluation
    second: Evaluation
    first_predictions: tuple[Prediction, ...]
    second_predictions: tuple[Prediction, ...]
    put_right: tuple[Flip, ...]
    put_wrong: tuple[Flip, ...]
    p: float
    luck: Luck
    left_out: int = 0

    @property
    def points(self) -> float:
        """By how many percentage points the second is right more often."""
        return 100 * (self.second.accuracy - self.first.accuracy)


def of_run(run: RunRecord) -> Comparison:
    """Zero-shot against ProLIP of one run."""
    return _compare(run.class_names, run.zero_shot, run.prolip)


def of_runs(first: RunRecord, second: RunRecord) -> Comparison:
    """ProLIP of two runs on the photos that both measured with the same true class; classes are matched by name.

    Raises RunError if there is no such photo.
    """
    names = tuple(dict.fromkeys((*second.class_names, *first.class_names)))
    of_first = {p.image_id: p for p in _relabelled(first, names)}
    of_second = {p.image_id: p for p in _relabelled(second, names)}
    shared = [id_ for id_ in of_second if id_ in of_first and of_first[id_].label == of_second[id_].label]
    if not shared:
        raise RunError(
            "The two results have no measured photo in common, so they cannot be compared.",
            remedy="Choose two results that were measured on the same photos.",
        )
    compared = _compare(names, [of_first[id_] for id_ in shared], [of_second[id_] for id_ in shared])
    return replace(compared, left_out=len(of_first.keys() | of_second.keys()) - len(shared))


def most_confused(evaluation: Evaluation, limit: int = 10) -> tuple[Confused, ...]:
    """The wrong cells of the confusion matrix with the most photos."""
    counts_CC = evaluation.confusion.counts_CC
    wrong = [
        Confused(i, j, int(counts_CC[i, j]))
        for i in range(len(counts_CC))
        for j in range(len(counts_CC))
        if i != j and counts_CC[i, j]
    ]
    return tuple(sorted(wrong, key=lambda one: -one.count)[:limit])


def _compare(names: tuple[str, ...], first: Sequence[Prediction], second: Sequence[Prediction]) -> Comparison:
    flips = [Flip(a, b) for a, b in zip(first, second, strict=True) if _is_right(a) != _is_right(b)]
    p = metrics.mcnemar_p(first, second)
    return Comparison(
        class_names=names,
        first=metrics.evaluate(first, names),
        second=metrics.evaluate(second, names),
        first_predictions=tuple(first),
        second_predictions=tuple(second),
        put_right=tuple(flip for flip in flips if _is_right(flip.second)),
        put_wrong=tuple(flip for flip in flips if _is_right(flip.first)),
        p=p,
        luck=metrics.luck(p, len(flips)),
    )


def _is_right(prediction: Prediction) -> bool:
    return prediction.predicted == prediction.label


def _relabelled(run: RunRecord, names: tuple[str, ...]) -> list[Prediction]:
    """ProLIP's predictions of the run with the positions of another list of classes; classes it does not know get 0."""
    position = [names.index(name) for name in run.class_names]
    found = []
    for one in run.prolip:
        probabilities = [0.0] * len(names)
        for old, new in enumerate(position):
            probabilities[new] = one.probabilities[old]
        found.append(Prediction(one.image_id, position[one.label], position[one.predicted], tuple(probabilities)))
    return found
