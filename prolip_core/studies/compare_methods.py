"""Compared with what? Every method of `baselines.methods` on the same draws of the support, measured on the same test photos.

Two kinds of chance are kept apart: which photos taught (the draws), and which photos were measured.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from prolip_core import differences, metrics
from prolip_core.baselines import linear, methods
from prolip_core.baselines.methods import METHODS, Method
from prolip_core.baselines.problem import Fitted, Problem
from prolip_core.errors import Cancelled, FitError
from prolip_core.objective import Support
from prolip_core.studies.material import Material, OnProgress, Report, check_draws, choose_shots, draws, one_thread
from prolip_core.types import Note

DRAWS = 5


@dataclass(frozen=True)
class Measured:
    """One method on one draw: photo by photo whether its answer was right; `seconds` is the fit alone, choices inside the support
    included."""

    right_M: tuple[bool, ...]
    seconds: float
    fitted: Fitted


@dataclass(frozen=True)
class Score:
    """One method over all draws. Accuracies are means of fractions, in the order of the draws where there are several.

    draw_interval: 95 % interval of the mean over draws: what other photos of the same kind to learn from would give
    (`metrics.redrawn_interval`); None with one draw, where a draw takes every photo, or for a method that does not learn.
    photo_interval: Wilson's 95 % interval at the mean accuracy: what as many other test photos would give; balanced_interval: the
    same of the mean over classes (`differences.mean_of`).
    difference: accuracy minus that of the reference on the same draws and photos. difference_interval: over draws, as above;
    photo_difference_interval: over test photos, the ends of Newcombe's paired interval averaged over draws, which a single
    draw has as well and which is too wide rather than too narrow with several. p: how likely so large a difference would be on
    other test photos if there were none (`differences.sign_flip_p`), corrected for the number of methods (`differences.holm`).
    """

    method: Method
    accuracies: tuple[float, ...]
    accuracy: float
    draw_interval: tuple[float, float] | None
    photo_interval: tuple[float, float]
    balanced_accuracy: float
    balanced_interval: tuple[float, float]
    difference: float | None
    difference_interval: tuple[float, float] | None
    photo_difference_interval: tuple[float, float] | None
    p: float | None
    seconds: float
    added_parameters: int
    trained_parameters: int
    notes: tuple[Note, ...]


@dataclass(frozen=True)
class NotRun:
    """A method without a score, and why."""

    method: Method
    reason: Note


@dataclass(frozen=True)
class MethodStudy:
    """`draws` counts those that are whole; fewer than `planned_draws` if a person stopped the study. overlap: the share of the
    different photos that a draw takes."""

    material: Material
    shots: int
    draws: int
    planned_draws: int
    overlap: float
    scores: tuple[Score, ...]
    not_run: tuple[NotRun, ...]
    seconds: float


def run(
    material: Material,
    *,
    shots: int | None = None,
    n_draws: int = DRAWS,
    keys: Sequence[str] | None = None,
    on_progress: OnProgress | None = None,
) -> MethodStudy:
    """The study. keys: methods to run, by default all; shots: see `choose_shots`. Draws and seeds follow from spec.seed.

    A method whose training fails (FitError) in a draw has no score but a reason. Raises Cancelled when stopped before the first
    draw is whole, ConfigError, DatasetError.
    """
    start = time.perf_counter()
    check_draws(n_draws)
    shots = choose_shots(material.support, shots)
    chosen = METHODS if keys is None else methods.by_keys(keys)
    planned = draws(material.support, shots, n_draws, material.spec.seed)
    not_run = _cannot_run(chosen, material.problem(planned[0], material.spec.seed))
    linear.warm_up()
    whole: list[dict[str, Measured]] = []
    try:
        for number, rows in enumerate(planned):
            problem = material.problem(rows, material.spec.seed + number)
            measured: dict[str, Measured] = {}
            for position, method in enumerate(chosen):
                report = Report(on_progress, number * len(chosen) + position, len(planned) * len(chosen), start)
                if method.key in not_run:
                    continue
                try:
                    measured[method.key] = measure(method, problem, material, report)
                except Cancelled:
                    raise
                except FitError as error:
                    not_run[method.key] = NotRun(method, Note(error.message, error.values))
            whole.append(measured)
    except Cancelled:
        if not whole:
            raise
    Report(on_progress, len(planned) * len(chosen), len(planned) * len(chosen), start).tell()
    overlap = overlap_of(material.support, shots)
    kept = [method for method in chosen if method.key not in not_run]
    return MethodStudy(
        material=material,
        shots=shots,
        draws=len(whole),
        planned_draws=len(planned),
        overlap=overlap,
        scores=_scores(kept, whole, material.query_labels_M.tolist(), overlap),
        not_run=tuple(not_run[method.key] for method in chosen if method.key in not_run),
        seconds=time.perf_counter() - start,
    )


def overlap_of(support: Support, shots: int) -> float:
    """The share of the different photos of a class (near-duplicates count as one) that a draw takes, the mean over classes."""
    pairs = set(zip(support.labels_N.tolist(), support.groups_N, strict=True))
    counts = [sum(label == one for one, _ in pairs) for label in range(support.n_classes)]
    return statistics.fmean(min(1.0, shots / count) for count in counts)


def measure(method: Method, problem: Problem, material: Material, report: Report) -> Measured:
    """One fit, timed, and its answers about the test photos."""
    if report.tell():
        raise Cancelled("Stopped; nothing was saved.")
    start = time.perf_counter()
    with one_thread():
        fitted = method.fit(problem, report)
    seconds = time.perf_counter() - start
    tokens_MTW = material.query_tokens_MTW if method.needs == "tokens" else None
    answers_M = fitted.logits(material.query_MP if tokens_MTW is None else tokens_MTW).argmax(dim=-1)
    return Measured(tuple((answers_M == material.query_labels_M).tolist()), seconds, fitted)


def _cannot_run(chosen: Sequence[Method], problem: Problem) -> dict[str, NotRun]:
    reasons = {method.key: (method, method.why_not(problem)) for method in chosen}
    return {key: NotRun(method, reason) for key, (method, reason) in reasons.items() if reason is not None}


def _scores(
    kept: Sequence[Method], whole: Sequence[dict[str, Measured]], labels_M: Sequence[int], overlap: float
) -> tuple[Score, ...]:
    """Every method against the reference; the p-values are corrected over all of them."""
    if methods.REFERENCE not in {method.key for method in kept}:
        return tuple(_score(method, whole, labels_M, overlap, None) for method in kept)
    others = [method.key for method in kept if method.key != methods.REFERENCE]
    found = differences.holm([differences.sign_flip_p(_apart(whole, key)) for key in others])
    p_values = dict(zip(others, found, strict=True))
    return tuple(_score(method, whole, labels_M, overlap, p_values) for method in kept)


def _apart(whole: Sequence[dict[str, Measured]], key: str) -> list[int]:
    """Photo by photo how many more draws this method had right than the reference."""
    pairs = [(measured[key].right_M, measured[methods.REFERENCE].right_M) for measured in whole]
    return [sum(mine[place] - theirs[place] for mine, theirs in pairs) for place in range(len(pairs[0][0]))]


def _score(
    method: Method,
    whole: Sequence[dict[str, Measured]],
    labels_M: Sequence[int],
    overlap: float,
    p_values: Mapping[str, float] | None,
) -> Score:
    mine = [measured[method.key] for measured in whole]
    accuracies = tuple(statistics.fmean(one.right_M) for one in mine)
    mean = statistics.fmean(accuracies)
    balanced, balanced_interval = differences.mean_of(_shares(mine, labels_M))
    theirs = None if p_values is None else [measured[methods.REFERENCE] for measured in whole]
    apart = (
        None if theirs is None else [a - statistics.fmean(b.right_M) for a, b in zip(accuracies, theirs, strict=True)]
    )
    notes = dict.fromkeys(one.fitted.note.text for one in mine if one.fitted.note is not None)
    by_text = {one.fitted.note.text: one.fitted.note for one in mine if one.fitted.note is not None}
    return Score(
        method=method,
        accuracies=accuracies,
        accuracy=mean,
        draw_interval=metrics.redrawn_interval(accuracies, overlap) if method.learns else None,
        photo_interval=metrics.wilson_interval(round(mean * len(labels_M)), len(labels_M)),
        balanced_accuracy=balanced,
        balanced_interval=balanced_interval,
        difference=None if apart is None else statistics.fmean(apart),
        difference_interval=None if apart is None else metrics.redrawn_interval(apart, overlap),
        photo_difference_interval=None if theirs is None else _paired_interval(theirs, mine),
        p=None if p_values is None else p_values.get(method.key),
        seconds=statistics.fmean(one.seconds for one in mine),
        added_parameters=mine[-1].fitted.added_parameters,
        trained_parameters=mine[-1].fitted.trained_parameters,
        notes=tuple(by_text[text] for text in notes),
    )


def _paired_interval(theirs: Sequence[Measured], mine: Sequence[Measured]) -> tuple[float, float]:
    ends = [differences.paired(a.right_M, b.right_M).interval for a, b in zip(theirs, mine, strict=True)]
    return statistics.fmean(low for low, _ in ends), statistics.fmean(high for _, high in ends)


def _shares(mine: Sequence[Measured], labels_M: Sequence[int]) -> list[tuple[float, int]]:
    """(right, count) of every class with a test photo; right is the mean over draws."""
    return [
        (
            statistics.fmean(
                sum(right for right, one in zip(of_draw.right_M, labels_M, strict=True) if one == label)
                for of_draw in mine
            ),
            labels_M.count(label),
        )
        for label in sorted(set(labels_M))
    ]
