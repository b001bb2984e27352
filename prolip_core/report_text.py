"""A run as plain text for a terminal. Every accuracy comes with its count and its likely range."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from prolip_core import metrics

if TYPE_CHECKING:
    from prolip_core.metrics import Evaluation
    from prolip_core.pilot import PilotRun

MOST_CONFUSED = 5
WIDTH = 110
STEERING = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, line and paragraph breaks, changes of direction, halves of characters: a terminal obeys them, or the
reader is misled. Any of them can stand in a file's name."""


def plain(text: str) -> str:
    """User text for a terminal: every character of STEERING becomes “�”."""
    return STEERING.sub("\ufffd", text)


def write(run: PilotRun, path: Path, stream: TextIO) -> None:
    """Prints the comparison. User text goes through `plain` and `Text`, never through rich's markup."""
    # Never narrower than the tables: a wrapped figure can be read, a figure cut to "50.…" cannot.
    terminal = Console(file=stream).width if stream.isatty() else 0
    console = Console(file=stream, highlight=False, width=max(WIDTH, terminal))
    names = run.class_vectors.class_names

    def say(*lines: str) -> None:
        for line in lines:
            # Not wrapped: a path that is broken in two cannot be copied.
            console.print(Text(plain(line)), soft_wrap=True)

    say(_photo_line(run), f"Backbone {run.spec.backbone.name} on {run.backbone.device.title}.")
    say(f"ProLIP with the {run.trained.solver} solver, λ = {run.trained.lam:.4g} ({run.trained.lam_note}).")
    say(*(f"Note: {warning}" for warning in run.warnings))
    console.print(_summary(run))
    say(verdict(run), measured_on(run))
    console.print(_per_class(run, names))
    say(*_confusions(run.prolip, names))
    if run.photos.rejected:
        say(f"Files that were not used (number: {len(run.photos.rejected)}):")
        say(*(f"  {file.reason} {file.remedy}" for file in run.photos.rejected))
    seconds = run.seconds
    say(
        f"Seconds: reading photos {seconds['features']:.1f}, fine-tuning {seconds['fit']:.2f}, "
        f"in all {seconds['total']:.1f}. Details in {path}"
    )


def verdict(run: PilotRun) -> str:
    """The difference in plain words, with the paired test behind it."""
    pairs = list(zip(run.answers.zero_shot, run.answers.prolip, strict=True))
    put_right = sum(a.predicted != a.label == b.predicted for a, b in pairs)
    put_wrong = sum(b.predicted != b.label == a.predicted for a, b in pairs)
    points = 100 * (run.prolip.accuracy - run.zero_shot.accuracy)
    found = metrics.luck(run.mcnemar_p, put_right + put_wrong)
    if found == "same":
        return "ProLIP against zero-shot: no difference, the same photos are right."
    luck = {
        "very unlikely": "very unlikely to be luck",
        "unlikely": "unlikely to be luck",
        "possible": "could well be luck",
    }
    return (
        f"ProLIP against zero-shot: {points:+.1f} points; {put_right} photos put right, {put_wrong} put wrong; "
        f"{luck[found]} (exact McNemar test, p = {run.mcnemar_p:.2g})."
    )


def measured_on(run: PilotRun) -> str:
    """On which photos the numbers were measured."""
    cross_validation = run.answers.cross_validation
    if cross_validation is None:
        return f"Measured on {run.prolip.count} test photos that nothing was learnt or chosen from."
    low, high = min(cross_validation.accuracies), max(cross_validation.accuracies)
    return (
        f"Measured by {cross_validation.folds}-fold cross-validation on the {run.prolip.count} training photos: each was "
        f"answered by a training that had not seen it. Over {len(cross_validation.accuracies)} repeats ProLIP was right on "
        f"{low:.1%} to {high:.1%}; the middle repeat is shown."
    )


def _photo_line(run: PilotRun) -> str:
    support = [sum(image.label == label for image in run.split.support) for label in range(len(run.photos.classes))]
    each = f"{support[0]} each" if len(set(support)) == 1 else f"{min(support)} to {max(support)} each"
    tested = f", {len(run.split.query)} photos to test on" if run.split.query else ""
    return f"{sum(support)} photos to learn from ({len(support)} classes, {each}){tested}."


def _summary(run: PilotRun) -> Table:
    table = Table("", "right", "accuracy", "likely range (95 %)", "balanced accuracy", "macro-F1", "calibration error")
    for title, evaluation in (("Zero-shot", run.zero_shot), ("ProLIP", run.prolip)):
        low, high = evaluation.accuracy_interval
        table.add_row(
            title,
            f"{evaluation.correct} of {evaluation.count}",
            f"{evaluation.accuracy:.1%}",
            f"{low:.1%} to {high:.1%}",
            f"{evaluation.balanced_accuracy:.1%}",
            f"{evaluation.macro_f1:.3f}",
            f"{evaluation.calibration_error:.3f}",
        )
    return table


def _per_class(run: PilotRun, names: tuple[str, ...]) -> Table:
    table = Table("class", "photos", "zero-shot found", "ProLIP found", "ProLIP right when it says so", "ProLIP F1")
    for label, name in enumerate(names):
        before, after = run.zero_shot.per_class[label], run.prolip.per_class[label]
        table.add_row(
            Text(plain(name)),
            str(after.count),
            _percent(before.recall),
            _percent(after.recall),
            _percent(after.precision),
            "–" if after.f1 is None else f"{after.f1:.3f}",
        )
    return table


def _confusions(evaluation: Evaluation, names: tuple[str, ...]) -> list[str]:
    counts = evaluation.confusion.counts_CC.tolist()
    pairs = [(n, i, j) for i, row in enumerate(counts) for j, n in enumerate(row) if i != j and n]
    worst = sorted(pairs, key=lambda pair: (-pair[0], pair[1], pair[2]))[:MOST_CONFUSED]
    if not worst:
        return []
    return ["Most often confused by ProLIP:", *(f"  {names[i]} taken for {names[j]}: {n}" for n, i, j in worst)]


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.0%}"
