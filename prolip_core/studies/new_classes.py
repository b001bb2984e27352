"""Does a class that was never trained still work? ProLIP trained on half of the classes, asked about the others by name alone.

The protocol is base-to-new of CoCoOp (Zhou et al., CVPR 2022, arXiv 2203.05557): each half is answered among its own names, and
the harmonic mean of both accuracies sums up. Here many random halves are taken, for no half is special to a user.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

import numpy as np
import torch

from prolip_core import classify, metrics, prolip
from prolip_core.errors import Cancelled, DatasetError
from prolip_core.objective import Support
from prolip_core.spec import FitConfig
from prolip_core.studies.material import Material, OnProgress, Report, check_draws, one_thread
from prolip_core.types import Note, Projector, Step

DRAWS = 6
MIN_CLASSES = 4
"""Two to train on and two to tell apart."""


@dataclass(frozen=True)
class Rates:
    """Accuracies, fractions. base: test photos of the trained classes among their names; new: of the others among theirs;
    harmonic: of these two; together: all test photos among all names."""

    base: float
    new: float
    harmonic: float
    together: float


@dataclass(frozen=True)
class Half:
    """One random half: positions of the classes that were trained, and both methods on the same photos."""

    base: tuple[int, ...]
    new: tuple[int, ...]
    lam: float
    zero_shot: Rates
    prolip: Rates


@dataclass(frozen=True)
class Summary:
    """One rate over the halves: means, and ProLIP minus zero-shot with Student's 95 % interval over halves (None with one)."""

    rate: str
    zero_shot: float
    prolip: float
    difference: float
    difference_interval: tuple[float, float] | None


@dataclass(frozen=True)
class NewClassesStudy:
    """`draws` counts the halves that are whole."""

    material: Material
    halves: tuple[Half, ...]
    summary: tuple[Summary, ...]
    planned_draws: int
    seconds: float

    @property
    def draws(self) -> int:
        return len(self.halves)

    @property
    def shots(self) -> int:
        """Photos per class that teach, the mean over classes, for the head of the result."""
        return int(self.material.support.mean_per_class)


def run(material: Material, *, n_draws: int = DRAWS, on_progress: OnProgress | None = None) -> NewClassesStudy:
    """The study. Raises Cancelled when stopped before the first half is whole, ConfigError, DatasetError for too few classes
    or a class without a test photo."""
    start = time.perf_counter()
    check_draws(n_draws)
    _check(material)
    planned = random_halves(material.support.n_classes, n_draws, material.spec.seed)
    found: list[Half] = []
    try:
        for number, base in enumerate(planned):
            found.append(_half(material, base, Report(on_progress, number, len(planned), start)))
    except Cancelled:
        if not found:
            raise
    Report(on_progress, len(planned), len(planned), start).tell()
    return NewClassesStudy(
        material=material,
        halves=tuple(found),
        summary=tuple(_summary(rate, found) for rate in ("base", "new", "harmonic", "together")),
        planned_draws=len(planned),
        seconds=time.perf_counter() - start,
    )


def advice(study: NewClassesStudy) -> Note:
    """What the study means for somebody who wants to add a class by its name, in a sentence that a screen can translate."""
    new = study.summary[1]
    values = {"points": f"{100 * new.difference:+.1f}", "halves": study.draws}
    interval = new.difference_interval
    if interval is None or interval[0] <= 0 <= interval[1]:
        return Note(
            "Whether fine-tuning helps or harms classes that it has not seen cannot be told: {points} points on them against "
            "zero-shot.",
            values,
        )
    if new.difference < 0:
        return Note(
            "Classes known by name alone are recognised less well after fine-tuning on others: {points} points against "
            "zero-shot. Take a few photos of a new class and fine-tune again.",
            values,
        )
    return Note(
        "Classes known by name alone are recognised better after fine-tuning on others, too: {points} points against "
        "zero-shot. A class can be added by its name at once.",
        values,
    )


def random_halves(n_classes: int, count: int, seed: int) -> tuple[tuple[int, ...], ...]:
    """`count` different random choices of the classes to train on, the larger half of an odd number; fewer where there are no
    more."""
    size = (n_classes + 1) // 2
    random = np.random.default_rng(seed)
    found: dict[tuple[int, ...], None] = {}
    while len(found) < min(count, comb(n_classes, size)):
        found[tuple(sorted(random.permutation(n_classes)[:size].tolist()))] = None
    return tuple(found)


def harmonic_mean(base: float, new: float) -> float:
    """2·base·new / (base + new); 0 where both are 0."""
    return 2 * base * new / (base + new) if base + new else 0.0


def only(support: Support, classes: Sequence[int]) -> Support:
    """The photos of these classes alone, numbered anew in the order given."""
    rows = torch.isin(support.labels_N, torch.tensor(classes)).nonzero().flatten()
    labels = [list(classes).index(label) for label in support.labels_N[rows].tolist()]
    groups = tuple(support.groups_N[row] for row in rows.tolist())
    return Support(support.pre_VNP[:, rows], torch.tensor(labels), groups, len(classes))


def measure(material: Material, projector: Projector, base: Sequence[int], new: Sequence[int]) -> Rates:
    """A projector's rates; class vectors come from the names, trained or not."""
    on_base, on_new = (_accuracy(material, projector, classes) for classes in (base, new))
    together = _accuracy(material, projector, range(material.support.n_classes))
    return Rates(on_base, on_new, harmonic_mean(on_base, on_new), together)


def _half(material: Material, base: tuple[int, ...], report: Report) -> Half:
    def watch(_: Step) -> bool:
        return report.tell()

    new = tuple(label for label in range(material.support.n_classes) if label not in base)
    if report.tell():
        raise Cancelled("Stopped; nothing was saved.")
    with one_thread():
        trained = prolip.fit(
            only(material.support, base),
            material.class_vectors.text_CD[list(base)],
            material.projector,
            material.logit_scale,
            FitConfig(seed=material.spec.seed),
            watch,
            on_fold=report,
        )
    if trained.stopped:
        raise Cancelled("Stopped; nothing was saved.")
    before, after = (measure(material, one, base, new) for one in (material.projector, trained.projector))
    return Half(base, new, trained.lam, before, after)


def _accuracy(material: Material, projector: Projector, classes: Sequence[int]) -> float:
    """On the test photos of these classes, answered among their names only."""
    chosen = torch.tensor(list(classes))
    rows = torch.isin(material.query_labels_M, chosen)
    text_CD = material.class_vectors.text_CD[chosen]
    logits_MC = classify.logits(material.query_MP[rows], projector, text_CD, material.logit_scale)
    return float((chosen[logits_MC.argmax(dim=-1)] == material.query_labels_M[rows]).double().mean())


def _summary(rate: str, halves: Sequence[Half]) -> Summary:
    before = [getattr(half.zero_shot, rate) for half in halves]
    after = [getattr(half.prolip, rate) for half in halves]
    apart = [b - a for a, b in zip(before, after, strict=True)]
    return Summary(
        rate, statistics.fmean(before), statistics.fmean(after), statistics.fmean(apart), metrics.mean_interval(apart)
    )


def _check(material: Material) -> None:
    count = material.support.n_classes
    if count < MIN_CLASSES:
        raise DatasetError(
            "There are {count} classes; a study of new classes needs at least {limit}, half of them to train on.",
            remedy="Add classes.",
            count=count,
            limit=MIN_CLASSES,
        )
    measured = set(material.query_labels_M.tolist())
    absent = [name for label, name in enumerate(material.class_names) if label not in measured]
    if absent:
        raise DatasetError(
            "A study of new classes needs test photos of every class; there is none of: {names}.",
            remedy="Add test photos of them, or leave these classes out.",
            names=", ".join(absent),
        )
