"""Compared with what? Every method of `baselines.methods` on the same draws of the support, measured on the same test photos."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from prolip_core import metrics
from prolip_core.baselines import methods
from prolip_core.baselines.methods import METHODS, Method
from prolip_core.baselines.problem import Fitted, Problem
from prolip_core.errors import Cancelled, FitError
from prolip_core.studies.material import Material, OnProgress, Report, check_draws, choose_shots, draws, one_thread
from prolip_core.types import Note

DRAWS = 5


@dataclass(frozen=True)
class Measured:
    """One method on one draw. Rates are fractions; `seconds` is the fit alone, choices inside the support included."""

    accuracy: float
    balanced_accuracy: float
    seconds: float
    fitted: Fitted


@dataclass(frozen=True)
class Score:
    """One method over all draws. Accuracies are means of fractions, in the order of the draws where there are several.

    draw_interval: Student's 95 % interval of the mean over draws: what other photos of the same kind to learn from would give;
    None with one draw. photo_interval: Wilson's 95 % interval at the mean accuracy: what as many other test photos would give.
    difference: accuracy minus that of the reference method on the same draws, with the same kind of interval over draws.
    """

    method: Method
    accuracies: tuple[float, ...]
    accuracy: float
    draw_interval: tuple[float, float] | None
    photo_interval: tuple[float, float]
    balanced_accuracy: float
    difference: float | None
    difference_interval: tuple[float, float] | None
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
    """`draws` counts those that are whole; fewer than `planned_draws` if a person stopped the study."""

    material: Material
    shots: int
    draws: int
    planned_draws: int
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
    not_run: dict[str, NotRun] = {}
    whole: list[dict[str, Measured]] = []
    try:
        for number, rows in enumerate(planned):
            problem = material.problem(rows, material.spec.seed + number)
            measured: dict[str, Measured] = {}
            for position, method in enumerate(chosen):
                report = Report(on_progress, number * len(chosen) + position, len(planned) * len(chosen), start)
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
    kept = tuple(method for method in chosen if method.key not in not_run)
    return MethodStudy(
        material=material,
        shots=shots,
        draws=len(whole),
        planned_draws=len(planned),
        scores=tuple(_score(method, whole, len(material.split.query)) for method in kept),
        not_run=tuple(not_run[method.key] for method in chosen if method.key in not_run),
        seconds=time.perf_counter() - start,
    )


def measure(method: Method, problem: Problem, material: Material, report: Report) -> Measured:
    """One fit, timed, and its answers about the test photos."""
    if report.tell():
        raise Cancelled("Stopped; nothing was saved.")
    start = time.perf_counter()
    with one_thread():
        fitted = method.fit(problem, report)
    seconds = time.perf_counter() - start
    accuracy, balanced = rates(fitted.logits(material.query_MP), material.query_labels_M)
    return Measured(accuracy, balanced, seconds, fitted)


def rates(logits_MC: torch.Tensor, labels_M: torch.Tensor) -> tuple[float, float]:
    """Accuracy, and the mean recall over the classes that have a photo; fractions."""
    right_M = logits_MC.argmax(dim=-1) == labels_M
    recalls = [right_M[labels_M == label].double().mean().item() for label in sorted(set(labels_M.tolist()))]
    return right_M.double().mean().item(), statistics.fmean(recalls)


def _score(method: Method, whole: Sequence[dict[str, Measured]], query_count: int) -> Score:
    mine = [measured[method.key] for measured in whole]
    accuracies = tuple(one.accuracy for one in mine)
    mean = statistics.fmean(accuracies)
    apart = [
        measured[method.key].accuracy - measured[methods.REFERENCE].accuracy
        for measured in whole
        if methods.REFERENCE in measured
    ]
    notes = dict.fromkeys(one.fitted.note.text for one in mine if one.fitted.note is not None)
    by_text = {one.fitted.note.text: one.fitted.note for one in mine if one.fitted.note is not None}
    return Score(
        method=method,
        accuracies=accuracies,
        accuracy=mean,
        draw_interval=metrics.mean_interval(accuracies),
        photo_interval=metrics.wilson_interval(round(mean * query_count), query_count),
        balanced_accuracy=statistics.fmean(one.balanced_accuracy for one in mine),
        difference=statistics.fmean(apart) if len(apart) == len(whole) else None,
        difference_interval=metrics.mean_interval(apart) if len(apart) == len(whole) else None,
        seconds=statistics.fmean(one.seconds for one in mine),
        added_parameters=mine[-1].fitted.added_parameters,
        trained_parameters=mine[-1].fitted.trained_parameters,
        notes=tuple(by_text[text] for text in notes),
    )
