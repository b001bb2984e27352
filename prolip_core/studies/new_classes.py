"""Does a class that was never trained still work? ProLIP trained on half of the classes, asked about the others by name alone.

The protocol is base-to-new of CoCoOp (Zhou et al., CVPR 2022, arXiv 2203.05557): each half is answered among its own names, and
the harmonic mean of both accuracies sums up. Here many random halves are taken, for no half is special to a user.

The halves share classes and photos, so they are no sample of anything: what differs from one to the next says little about other
classes. The classes themselves are the sample. Each class is summed up over the halves first, and the intervals go over classes.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import comb
from typing import Literal

import numpy as np
import torch

from prolip_core import classify, metrics
from prolip_core.errors import Cancelled, DatasetError
from prolip_core.objective import Support
from prolip_core.studies import measuring
from prolip_core.studies.material import Material, OnProgress, Report, check_draws
from prolip_core.types import Note, Projector

Interval = tuple[float, float]

DRAWS = 6
MIN_CLASSES = 4
"""Two to train on and two to tell apart."""


@dataclass(frozen=True)
class Rates:
    """Accuracies, fractions. base: test photos of the trained classes among their names; new: of the others among theirs;
    harmonic: of these two; together: all test photos among all names. own_C: of every class among the names of its half, in
    class order; together_C: among all names."""

    base: float
    new: float
    harmonic: float
    together: float
    own_C: tuple[float, ...]
    together_C: tuple[float, ...]


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
    """One rate: of every class the mean over the halves, then the mean over classes, every class counted the same; harmonic: of
    the means of base and new. Intervals are Student's at 95 % over the `classes` that have the rate, None where that says
    nothing; they may leave 0 to 1."""

    rate: str
    classes: int
    zero_shot: float
    zero_shot_interval: Interval | None
    prolip: float
    prolip_interval: Interval | None
    difference: float
    difference_interval: Interval | None


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
        summary=summarise(found),
        planned_draws=len(planned),
        seconds=time.perf_counter() - start,
    )


def advice(study: NewClassesStudy) -> Note:
    """What the study means for somebody who wants to add a class by its name, in a sentence that a screen can translate."""
    new = study.summary[1]
    interval = new.difference_interval
    values = {"points": f"{100 * new.difference:+.1f}", "halves": study.draws, "classes": new.classes}
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
    labels_M = material.query_labels_M
    counts_C = torch.bincount(labels_M, minlength=material.support.n_classes).double()
    own_C, all_C = torch.zeros_like(counts_C), torch.zeros_like(counts_C)
    for right_C, among in ((own_C, base), (own_C, new), (all_C, range(len(counts_C)))):
        right_C += _right_of(material, projector, among)
    on_base, on_new = (float(own_C[list(one)].sum() / counts_C[list(one)].sum()) for one in (base, new))
    return Rates(
        base=on_base,
        new=on_new,
        harmonic=harmonic_mean(on_base, on_new),
        together=float(all_C.sum() / counts_C.sum()),
        own_C=tuple((own_C / counts_C).tolist()),
        together_C=tuple((all_C / counts_C).tolist()),
    )


def summarise(halves: Sequence[Half]) -> tuple[Summary, ...]:
    """The four rates; a class that was never in the half of a rate is left out of it."""
    base, new = (_by_class(halves, side) for side in ("base", "new"))
    together = _by_class(halves, "together")
    tables = {"base": (base,), "new": (new,), "harmonic": (base, new), "together": (together,)}
    return tuple(_summary(rate, of_rate) for rate, of_rate in tables.items())


ByClass = Mapping[int, tuple[float, float]]
"""Class → its rate by zero-shot and by ProLIP, means over halves."""


def _by_class(halves: Sequence[Half], side: Literal["base", "new", "together"]) -> ByClass:
    found: dict[int, list[tuple[float, float]]] = {}
    for half in halves:
        before, after = half.zero_shot, half.prolip
        if side == "together":
            pairs = list(zip(before.together_C, after.together_C, strict=True))
        else:
            pairs = list(zip(before.own_C, after.own_C, strict=True))
        for label in {"base": half.base, "new": half.new, "together": range(len(pairs))}[side]:
            found.setdefault(label, []).append(pairs[label])
    return {
        label: (statistics.fmean(one for one, _ in pairs), statistics.fmean(one for _, one in pairs))
        for label, pairs in found.items()
    }


def _summary(rate: str, tables: Sequence[ByClass]) -> Summary:
    """Intervals by the jackknife over classes (Tukey 1958, Annals of Mathematical Statistics 29, 614): Student's over the
    pseudo-values, which for a mean are the values of the classes themselves."""
    classes = sorted(set().union(*tables))
    whole = _means(tables, None)
    intervals: tuple[Interval | None, ...] = (None,) * 3
    if min(map(len, tables)) >= 2:
        left_out = [_means(tables, label) for label in classes]
        intervals = tuple(
            _jackknife(one, list(others)) for one, others in zip(whole, zip(*left_out, strict=True), strict=True)
        )
    return Summary(rate, len(classes), whole[0], intervals[0], whole[1], intervals[1], whole[2], intervals[2])


def _means(tables: Sequence[ByClass], without: int | None) -> tuple[float, float, float]:
    """Zero-shot, ProLIP and their difference, one class left out; of two tables the harmonic mean."""
    before, after = (
        [statistics.fmean(pair[which] for label, pair in table.items() if label != without) for table in tables]
        for which in (0, 1)
    )
    if len(tables) == 1:
        return before[0], after[0], after[0] - before[0]
    one, other = harmonic_mean(*before), harmonic_mean(*after)
    return one, other, other - one


def _jackknife(whole: float, left_out: Sequence[float]) -> Interval | None:
    count = len(left_out)
    interval = metrics.mean_interval([count * whole - (count - 1) * one for one in left_out])
    if interval is None:
        return None
    half = (interval[1] - interval[0]) / 2
    return whole - half, whole + half


def _half(material: Material, base: tuple[int, ...], report: Report) -> Half:
    new = tuple(label for label in range(material.support.n_classes) if label not in base)
    support = only(material.support, base)
    trained = measuring.train(material, support, report, text_CD=material.class_vectors.text_CD[list(base)])
    before, after = (measure(material, one, base, new) for one in (material.projector, trained.projector))
    return Half(base, new, trained.lam, before, after)


def _right_of(material: Material, projector: Projector, classes: Sequence[int]) -> torch.Tensor:
    """How many test photos of each of these classes are answered rightly among their names alone, (C,); 0 for the others."""
    chosen = torch.tensor(list(classes))
    rows = torch.isin(material.query_labels_M, chosen)
    labels = material.query_labels_M[rows]
    text_CD = material.class_vectors.text_CD[chosen]
    logits_MC = classify.logits(material.query_MP[rows], projector, text_CD, material.logit_scale)
    right = labels[chosen[logits_MC.argmax(dim=-1)] == labels]
    return torch.bincount(right, minlength=material.support.n_classes).double()


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
