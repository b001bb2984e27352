"""What happens when the photos get worse? The project's test photos under every distortion, answered by zero-shot and ProLIP.

ProLIP is trained once, on the clean photos to learn from. Every distorted photo is compared with itself undistorted, so a curve
breaks where the paired loss is likely more than a stated amount (`Curve.breaks_at`), not where it looks low.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from prolip_core import differences, features
from prolip_core.backbones import Backbone
from prolip_core.certainty import Share
from prolip_core.differences import Paired
from prolip_core.distortions import AMOUNTS, KINDS, SEVERITIES, Distortion
from prolip_core.errors import Cancelled, ConfigError
from prolip_core.studies import measuring
from prolip_core.studies.condition_words import NAMES, PROLIP, TITLES, ZERO_SHOT, amount_text
from prolip_core.studies.material import Material, OnProgress, Report
from prolip_core.studies.measuring import PHOTOS, check_photos, choose_rows
from prolip_core.types import ImageSource, Note, Progress, Projector

LIMIT = 0.05


@dataclass(frozen=True)
class Stressed:
    """Features of the chosen test photos, M positions in the query: clean_MP, and per kind those of severity 1 … 5 (S, M, P)."""

    rows: tuple[int, ...]
    clean_MP: torch.Tensor
    distorted: Mapping[str, torch.Tensor]


@dataclass(frozen=True)
class Point:
    """One severity. `paired`: the clean photos first, the same photos distorted second."""

    severity: int
    amount: float
    accuracy: Share
    paired: Paired


@dataclass(frozen=True)
class Curve:
    """One method under one kind of distortion, severity 1 first."""

    kind: str
    method: str
    points: tuple[Point, ...]
    limit: float

    @property
    def breaks_at(self) -> Point | None:
        """The first severity at which the whole 95 % interval of the paired difference is below −limit; None: at none."""
        return next((point for point in self.points if point.paired.interval[1] < -self.limit), None)


@dataclass(frozen=True)
class StressStudy:
    """`limit`: the loss, a fraction, that counts as broken. Curves in the order of KINDS, zero-shot before ProLIP; fewer kinds
    than KINDS if a person stopped the reading."""

    material: Material
    rows: tuple[int, ...]
    limit: float
    clean: Mapping[str, Share]
    curves: tuple[Curve, ...]
    seconds: float

    @property
    def kinds(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(curve.kind for curve in self.curves))


def check(photos: int, limit: float) -> None:
    """Raises ConfigError unless photos ≥ 1 and 0 ≤ limit < 1."""
    check_photos(photos)
    if not 0 <= limit < 1:
        raise ConfigError(
            "The loss that counts as broken is {value}; it must be between 0 and 1.",
            remedy="0.05 means 5 points.",
            value=f"{limit:g}",
        )


def read(
    material: Material,
    backbone: Backbone,
    source: ImageSource,
    *,
    photos: int = PHOTOS,
    cache_folder: Path | None = None,
    on_progress: OnProgress | None = None,
) -> Stressed:
    """The distorted photos through the model, kind by kind; from the cache where they are in it.

    A kind counts when all its severities are through: a stop keeps the whole ones. Raises Cancelled when stopped before the first
    of them, ConfigError.
    """
    check_photos(photos)
    rows = choose_rows(material, photos)
    ids = [material.split.query[row].image_id for row in rows]
    total = len(KINDS) * SEVERITIES * len(ids)
    distorted: dict[str, torch.Tensor] = {}
    try:
        for kind in KINDS:
            severities: list[torch.Tensor] = []
            for severity in range(1, SEVERITIES + 1):
                before = (len(distorted) * SEVERITIES + len(severities)) * len(ids)
                batch = features.extract(
                    backbone,
                    source,
                    ids,
                    seed=material.spec.seed,
                    cache_folder=cache_folder,
                    on_progress=_shifted(on_progress, before, total),
                    distortion=Distortion(kind, severity),
                )
                severities.append(batch.pre_VNP[0])
            distorted[kind] = torch.stack(severities)
    except Cancelled:
        if not distorted:
            raise
    return Stressed(rows, material.query_MP[list(rows)], distorted)


def run(
    material: Material, stressed: Stressed, *, limit: float = LIMIT, on_progress: OnProgress | None = None
) -> StressStudy:
    """The study. Raises Cancelled when stopped, ConfigError."""
    start = time.perf_counter()
    check(len(stressed.rows), limit)
    projector = measuring.fit(material, material.support, Report(on_progress, 0, 1, start))
    Report(on_progress, 1, 1, start).tell()
    labels_M = material.query_labels_M[list(stressed.rows)]
    methods = {ZERO_SHOT: material.projector, PROLIP: projector}
    clean = {key: measuring.right(material, stressed.clean_MP, one, labels_M) for key, one in methods.items()}
    curves = [
        Curve(kind, key, _points(material, kind, of_kind_SMP, one, labels_M, clean[key]), limit)
        for kind, of_kind_SMP in stressed.distorted.items()
        for key, one in methods.items()
    ]
    return StressStudy(
        material=material,
        rows=stressed.rows,
        limit=limit,
        clean={key: Share(sum(right), len(right)) for key, right in clean.items()},
        curves=tuple(curves),
        seconds=time.perf_counter() - start,
    )


def notes(study: StressStudy) -> tuple[Note, ...]:
    """Where each curve breaks, in sentences that a screen can translate."""
    return tuple(_note(curve, study.clean[curve.method]) for curve in study.curves)


def _note(curve: Curve, clean: Share) -> Note:
    point = curve.breaks_at or curve.points[-1]
    values = {
        "what": TITLES[curve.kind],
        "method": NAMES[curve.method],
        "severity": point.severity,
        "amount": amount_text(curve.kind, point.amount),
        "limit": f"{100 * curve.limit:g}",
        "right": point.accuracy.count,
        "clean": clean.count,
        "count": point.accuracy.total,
    }
    if curve.breaks_at is None:
        return Note(
            "{what}: {method} holds as far as can be told; no loss that is likely over {limit} points up to severity {severity} "
            "({amount}), where {right} of {count} are right instead of {clean}.",
            values,
        )
    return Note(
        "{what}: {method} breaks at severity {severity} ({amount}), a loss of likely more than {limit} points: {right} of "
        "{count} are right instead of {clean}.",
        values,
    )


def _points(
    material: Material,
    kind: str,
    of_kind_SMP: torch.Tensor,
    projector: Projector,
    labels_M: torch.Tensor,
    clean: Sequence[bool],
) -> tuple[Point, ...]:
    points = []
    for severity, (amount, pre_MP) in enumerate(zip(AMOUNTS[kind], of_kind_SMP, strict=True), start=1):
        right = measuring.right(material, pre_MP, projector, labels_M)
        points.append(Point(severity, amount, Share(sum(right), len(right)), differences.paired(clean, right)))
    return tuple(points)


def _shifted(on_progress: OnProgress | None, before: int, total: int) -> OnProgress | None:
    """Photos of one severity as a part of all."""
    if on_progress is None:
        return None

    def report(progress: Progress) -> bool | None:
        done = before + progress.done
        left_s = (total - done) / progress.per_second if progress.per_second else None
        return on_progress(replace(progress, done=done, total=total, left_s=left_s))

    return report
