"""Will more photos help? ProLIP with 1, 2, 4, 8 … photos per class, drawn again and again from the photos that there are.

Measured on the test photos, or, without any, on photos held out of the support: no photo and no near-duplicate of one is ever on
both sides. Within a draw every smaller set lies in the larger ones.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from prolip_core import classify, differences, metrics, splits
from prolip_core.errors import Cancelled
from prolip_core.objective import Support
from prolip_core.spec import FitConfig
from prolip_core.studies import measuring, power_law
from prolip_core.studies.material import Material, OnProgress, Report, check_draws
from prolip_core.studies.power_law import Forecast
from prolip_core.types import Projector

Interval = tuple[float, float]

DRAWS = 12
HELD_OUT_DRAWS = 4
"""Without test photos every draw is FOLDS trainings per size."""

FOLDS = 4
LAM = "1/N"
"""Fixed, so that a study takes seconds; λ = auto chooses it in most draws, see docs/method.md."""

MORE_AT_LEAST = 4
"""A forecast reaches half as many photos again, this many at least, and never more than twice the photos there are."""

WORST = 3
"""So many of the weakest classes are named."""


@dataclass(frozen=True)
class Size:
    """A point of the curve. `photos`: different photos per class (near-duplicates come along with theirs and are not counted),
    the mean over classes; `per_class` in class order; `everything`: all photos that may teach."""

    photos: float
    per_class: tuple[float, ...]
    everything: bool


@dataclass(frozen=True)
class Part:
    """One training: these positions of the support teach; those of `held` are measured, None stands for the test photos."""

    size: int
    teach: torch.Tensor
    held: torch.Tensor | None

    @property
    def key(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        return tuple(self.teach.tolist()), () if self.held is None else tuple(self.held.tolist())


@dataclass(frozen=True)
class Plan:
    """Every training of every draw, smallest size first."""

    sizes: tuple[Size, ...]
    draws: tuple[tuple[Part, ...], ...]


@dataclass(frozen=True)
class Curve:
    """Accuracy against photos per class, fractions, size by size: mean over draws.

    draw_intervals: 95 % for other photos to learn from (`metrics.redrawn_interval`); None where there is one draw, or where a
    draw takes all photos. photo_intervals: 95 % for as many other photos to measure on (Wilson's, of several classes with the
    same weight put together by `differences.mean_of`). `zero_shot` is CLIP as it is on the same photos, with the latter kind of
    interval; `count` photos were measured.
    """

    count: int
    accuracies: tuple[float, ...]
    draw_intervals: tuple[Interval | None, ...]
    photo_intervals: tuple[Interval, ...]
    zero_shot: float
    zero_shot_interval: Interval
    forecast: Forecast | None


@dataclass(frozen=True)
class CurveStudy:
    """`overall` counts every measured photo once; `per_class` in class order, None where no photo of a class was measured.

    worst: positions of the weakest classes at the largest size, `worst_curve` the mean of their curves.
    """

    material: Material
    held_out: bool
    sizes: tuple[Size, ...]
    now: float
    overall: Curve
    accuracies: tuple[tuple[float, ...], ...]
    per_class: tuple[Curve | None, ...]
    worst: tuple[int, ...]
    worst_curve: Curve | None
    draws: int
    planned_draws: int
    seconds: float

    @property
    def shots(self) -> int:
        """Photos per class of the largest size, for the head of the result."""
        return int(self.sizes[-1].photos)


def run(material: Material, *, n_draws: int | None = None, on_progress: OnProgress | None = None) -> CurveStudy:
    """The study; without test photos the support is held out in folds. Draws follow from spec.seed.

    n_draws: DRAWS, or HELD_OUT_DRAWS without test photos. Raises Cancelled when stopped before the first draw is whole,
    ConfigError, DatasetError where a class has too few photos to hold one out.
    """
    start = time.perf_counter()
    held_out = not material.split.query
    n_draws = n_draws if n_draws is not None else HELD_OUT_DRAWS if held_out else DRAWS
    check_draws(n_draws)
    planned = plan(material.support, n_draws, material.spec.seed, hold_out=held_out)
    right_DSM = _measure(material, planned, on_progress, start)
    labels_M = (material.support.labels_N if held_out else material.query_labels_M).numpy()
    zero_M = _right(material, material.projector, None, held_out)
    study = _Curves(material, planned, right_DSM, zero_M, labels_M)
    per_class = tuple(study.of_classes((label,)) for label in range(material.support.n_classes))
    worst = _worst(per_class, planned)
    return CurveStudy(
        material=material,
        held_out=held_out,
        sizes=planned.sizes,
        now=study.now(range(material.support.n_classes)),
        overall=study.overall(),
        accuracies=tuple(tuple(draw_S.tolist()) for draw_S in right_DSM.mean(axis=2)),
        per_class=per_class,
        worst=worst,
        worst_curve=study.of_classes(worst),
        draws=len(right_DSM),
        planned_draws=n_draws,
        seconds=time.perf_counter() - start,
    )


def plan(support: Support, n_draws: int, seed: int, *, hold_out: bool) -> Plan:
    """Powers of two up to what every class has, and everything. Raises DatasetError where nothing can be held out."""
    rows = np.arange(support.labels_N.numel())
    sides: list[list[tuple[np.ndarray, np.ndarray | None]]] = [
        [(rows, None)] if not hold_out else list(_folds(support, seed + number)) for number in range(n_draws)
    ]
    counts = np.array([[_groups_per_class(support, teach) for teach, _ in side] for side in sides], dtype=float)
    smallest = int(counts.min())
    shots = [2**step for step in range(smallest.bit_length()) if 2**step <= smallest]
    sizes = [Size(float(one), (float(one),) * support.n_classes, False) for one in shots]
    mean_C = counts.mean(axis=(0, 1))
    everything = Size(float(mean_C.mean()), tuple(mean_C.tolist()), True)
    if counts.max() > shots[-1]:
        sizes.append(everything)
    else:
        sizes[-1] = everything
    wanted = [None if size.everything else int(size.photos) for size in sizes]
    draws = []
    for number, side in enumerate(sides):
        random = np.random.default_rng((seed, number))
        parts = []
        for teach, held in side:
            held_rows = None if held is None else torch.from_numpy(held)
            chain = nested(support, teach, wanted, random)
            parts += [Part(size, taught, held_rows) for size, taught in enumerate(chain)]
        draws.append(tuple(sorted(parts, key=lambda part: part.size)))
    return Plan(tuple(sizes), tuple(draws))


def nested(
    support: Support, rows: np.ndarray, shots: Sequence[int | None], random: np.random.Generator
) -> list[torch.Tensor]:
    """For every number of photos per class the positions that teach, taken from `rows`; each lies in the next. None: all.

    Near-duplicates stay together and count as one photo.
    """
    order: list[list[list[int]]] = []
    for label in range(support.n_classes):
        members: dict[int, list[int]] = {}
        for row in rows.tolist():
            if int(support.labels_N[row]) == label:
                members.setdefault(support.groups_N[row], []).append(row)
        groups = list(members.values())
        order.append([groups[place] for place in random.permutation(len(groups))])
    return [
        torch.tensor(sorted(row for groups in order for group in groups[:count] for row in group)) for count in shots
    ]


def _folds(support: Support, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    return splits.folds(support.labels_N.tolist(), support.groups_N, support.n_classes, n_folds=FOLDS, seed=seed)


def _groups_per_class(support: Support, rows: np.ndarray) -> list[int]:
    labels = support.labels_N.tolist()
    pairs = {(labels[row], support.groups_N[row]) for row in rows.tolist()}
    return [sum(label == one for one, _ in pairs) for label in range(support.n_classes)]


def _measure(material: Material, planned: Plan, on_progress: OnProgress | None, start: float) -> np.ndarray:
    """Whether each photo was answered rightly (D, S, M), of the draws that are whole. The same training is made once."""
    keys = {part.key for draw in planned.draws for part in draw}
    known: dict[object, np.ndarray] = {}
    held_out = planned.draws[0][0].held is not None
    count = material.support.labels_N.numel() if held_out else len(material.split.query)
    whole = []
    try:
        for draw in planned.draws:
            right_SM = np.zeros((len(planned.sizes), count), dtype=bool)
            for part in draw:
                if part.key not in known:
                    known[part.key] = _train(material, part, Report(on_progress, len(known), len(keys), start))
                place = slice(None) if part.held is None else part.held.numpy()
                right_SM[part.size, place] = known[part.key]
            whole.append(right_SM)
    except Cancelled:
        if not whole:
            raise
    Report(on_progress, len(keys), len(keys), start).tell()
    return np.stack(whole)


def _train(material: Material, part: Part, report: Report) -> np.ndarray:
    config = FitConfig(lam=LAM, seed=material.spec.seed)
    trained = measuring.train(material, material.support.subset(part.teach), report, config=config)
    return _right(material, trained.projector, part.held, part.held is not None)


def _right(material: Material, projector: Projector, held: torch.Tensor | None, held_out: bool) -> np.ndarray:
    """Whether each test photo, or each held-out photo of the support (None: every one), is answered rightly."""
    rows = slice(None) if held is None else held
    pre_MP = material.support.pre_VNP[0, rows] if held_out else material.query_MP
    labels_M = material.support.labels_N[rows] if held_out else material.query_labels_M
    logits_MC = classify.logits(pre_MP, projector, material.class_vectors.text_CD, material.logit_scale)
    found: np.ndarray = (logits_MC.argmax(dim=-1) == labels_M).numpy()
    return found


@dataclass(frozen=True)
class _Curves:
    material: Material
    planned: Plan
    right_DSM: np.ndarray
    zero_M: np.ndarray
    labels_M: np.ndarray

    def overall(self) -> Curve:
        """Every measured photo counts the same."""
        everything_M = np.ones(len(self.labels_M), dtype=bool)
        return self._curve([everything_M], range(self.material.support.n_classes))

    def of_classes(self, labels: Sequence[int]) -> Curve | None:
        """The mean over these classes; None without a class, or where one of them has no measured photo."""
        strata = [self.labels_M == label for label in labels]
        return self._curve(strata, labels) if strata and all(members_M.any() for members_M in strata) else None

    def now(self, labels: Sequence[int]) -> float:
        """Different photos per class that there are today, held-out ones included."""
        counts = _groups_per_class(self.material.support, np.arange(self.material.support.labels_N.numel()))
        return statistics.fmean(counts[label] for label in labels)

    def _curve(self, strata: Sequence[np.ndarray], labels: Sequence[int]) -> Curve:
        """Every one of the strata, which are masks of measured photos, counts the same."""
        weights_M = sum(members_M / (members_M.sum() * len(strata)) for members_M in strata)
        rates_DS = self.right_DSM @ weights_M
        mean_SM = self.right_DSM.mean(axis=0)
        now = self.now(labels)
        return Curve(
            count=int((weights_M > 0).sum()),
            accuracies=tuple(rates_DS.mean(axis=0).tolist()),
            draw_intervals=tuple(
                metrics.redrawn_interval(rates_DS[:, size].tolist(), self._overlap(size))
                for size in range(len(self.planned.sizes))
            ),
            photo_intervals=tuple(_photo_interval(mean_M, strata) for mean_M in mean_SM),
            zero_shot=float(self.zero_M @ weights_M),
            zero_shot_interval=_photo_interval(self.zero_M, strata),
            forecast=power_law.forecast(
                self.right_DSM,
                self.labels_M,
                weights_M,
                [statistics.fmean(size.per_class[label] for label in labels) for size in self.planned.sizes],
                now=now,
                more=photos_more(self.now(range(self.material.support.n_classes))),
                seed=self.material.spec.seed,
            ),
        )

    def _overlap(self, size: int) -> float:
        """How far the draws of this size are the same, 0 … 1, the mean over classes: for `metrics.redrawn_interval`."""
        if self.planned.sizes[size].everything:
            return 1.0
        parts = sum(part.size == size for part in self.planned.draws[0])
        pool = _groups_per_class(self.material.support, np.arange(self.material.support.labels_N.numel()))
        photos = self.planned.sizes[size].per_class
        return statistics.fmean(overlap(n, of_class, parts) for n, of_class in zip(photos, pool, strict=True))


def overlap(photos: float, pool: int, parts: int) -> float:
    """Correlation between draws of `photos` from a pool of so many. With one part it is the share that is drawn.

    With K parts a draw is K trainings, each on photos of the other K − 1 parts of the pool, K ≥ 2. For a mean over what teaches
    the correlation is 1 / (pool / (K·photos) + (K − 2) / (K − 1)); at photos = pool·(K − 1)/K all draws are one, and it is 1.
    """
    if parts == 1:
        return min(1.0, photos / pool)
    return min(1.0, 1 / (pool / (parts * photos) + (parts - 2) / (parts - 1)))


def _photo_interval(right_M: np.ndarray, strata: Sequence[np.ndarray]) -> Interval:
    """For other photos to measure on; right_M: how often each was answered rightly, 0 … 1."""
    shares = [(float(right_M[members_M].sum()), int(members_M.sum())) for members_M in strata]
    return differences.mean_of(shares)[1]


def photos_more(now: float) -> int:
    """How many more photos per class a forecast speaks of."""
    return max(1, min(int(now), max(MORE_AT_LEAST, int(now) // 2)))


def _worst(per_class: Sequence[Curve | None], planned: Plan) -> tuple[int, ...]:
    """Up to WORST classes with the lowest accuracy at the largest size, the lowest first: those below the mean over classes."""
    last = len(planned.sizes) - 1
    ends = {label: curve.accuracies[last] for label, curve in enumerate(per_class) if curve is not None}
    below = [label for label in ends if ends[label] < statistics.fmean(ends.values())]
    return tuple(sorted(below, key=lambda label: ends[label])[:WORST])
