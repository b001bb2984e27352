"""Is one step per photo worth it? Test-time ProLIP (`single_photo`) against the projector that it starts from, gain and cost.

Started from CLIP's own projector it is set against zero-shot, started from the trained one against ProLIP; no label is used. What
costs time are the views: every photo is read as many times as it has views, which is measured on a few photos without the cache.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import torch

from prolip_core import differences, features, single_photo
from prolip_core.backbones import Backbone
from prolip_core.differences import Paired
from prolip_core.errors import Cancelled, ConfigError
from prolip_core.single_photo import StepConfig
from prolip_core.studies import measuring
from prolip_core.studies.condition_words import NAMES, PROLIP, ZERO_SHOT
from prolip_core.studies.material import Material, OnProgress, Report, one_thread
from prolip_core.studies.measuring import PHOTOS, check_photos, choose_rows
from prolip_core.types import ImageSource, Note, Projector

MIN_VIEWS = 2
TIMED_PHOTOS = 3


@dataclass(frozen=True)
class Viewed:
    """Views of the chosen test photos, (V, M, P), and the milliseconds that it takes to read a photo once, and with all its
    views: means over a few photos."""

    rows: tuple[int, ...]
    pre_VMP: torch.Tensor
    plain_ms: float
    views_ms: float


@dataclass(frozen=True)
class Gain:
    """`paired`: the projector itself first, one step from it second. step_ms: the step and the answer, per photo."""

    method: str
    paired: Paired
    step_ms: float


@dataclass(frozen=True)
class TestTimeStudy:
    """One gain from each start."""

    material: Material
    viewed: Viewed
    gains: tuple[Gain, ...]
    seconds: float


def check_views(views: int) -> None:
    """Raises ConfigError unless MIN_VIEWS ≤ views ≤ features.MAX_VIEWS."""
    if not MIN_VIEWS <= views <= features.MAX_VIEWS:
        raise ConfigError(
            "The number of views per test photo is {value}; it must be between {low} and {high}.",
            remedy="64 is what the method was published with.",
            value=views,
            low=MIN_VIEWS,
            high=features.MAX_VIEWS,
        )


def read(
    material: Material,
    backbone: Backbone,
    source: ImageSource,
    *,
    photos: int = PHOTOS,
    views: int = single_photo.VIEWS,
    cache_folder: Path | None = None,
    on_progress: OnProgress | None = None,
) -> Viewed:
    """At most `photos` test photos with all their views. Raises ConfigError, Cancelled; what was computed stays in the cache."""
    check_photos(photos)
    check_views(views)
    rows = choose_rows(material, photos)
    ids = [material.split.query[row].image_id for row in rows]
    seed = material.spec.seed
    batch = features.extract(
        backbone, source, ids, n_views=views, seed=seed, cache_folder=cache_folder, on_progress=on_progress
    )

    def milliseconds(n_views: int) -> float:
        start = time.perf_counter()
        features.extract(backbone, source, ids[:TIMED_PHOTOS], n_views=n_views, seed=seed)
        return 1000 * (time.perf_counter() - start) / min(TIMED_PHOTOS, len(ids))

    # The many first: what the first reading of all costs besides is little there.
    slow_ms = milliseconds(views)
    return Viewed(rows, batch.pre_VNP, milliseconds(1), slow_ms)


def run(material: Material, viewed: Viewed, *, on_progress: OnProgress | None = None) -> TestTimeStudy:
    """The study. Raises Cancelled when stopped."""
    start = time.perf_counter()
    total = 1 + 2 * len(viewed.rows)
    trained = measuring.fit(material, material.support, Report(on_progress, 0, total, start))
    gains = [
        _gain(material, viewed, key, projector, on_progress, (1 + number * len(viewed.rows), total, start))
        for number, (key, projector) in enumerate(((ZERO_SHOT, material.projector), (PROLIP, trained)))
    ]
    Report(on_progress, total, total, start).tell()
    return TestTimeStudy(material, viewed, tuple(gains), time.perf_counter() - start)


def notes(study: TestTimeStudy) -> tuple[Note, ...]:
    """Gain and cost, in sentences that a screen can translate."""
    viewed = study.viewed
    cost = Note(
        "With {views} views a photo takes {slow} ms to read and {step} ms to adapt to, instead of {fast} ms.",
        {
            "views": viewed.pre_VMP.shape[0],
            "slow": f"{viewed.views_ms:.0f}",
            "step": f"{max(gain.step_ms for gain in study.gains):.0f}",
            "fast": f"{viewed.plain_ms:.0f}",
        },
    )
    return (*(_gain_note(gain) for gain in study.gains), cost)


def _gain_note(gain: Gain) -> Note:
    low, high = gain.paired.interval
    values = {"method": NAMES[gain.method], "low": f"{100 * low:+.1f}", "high": f"{100 * high:+.1f}"}
    if low > 0:
        return Note("One step per photo helps {method}: {low} to {high} points.", values)
    if high < 0:
        return Note("One step per photo harms {method}: {low} to {high} points.", values)
    return Note("Whether one step per photo helps {method} cannot be told: {low} to {high} points.", values)


def _gain(
    material: Material,
    viewed: Viewed,
    key: str,
    projector: Projector,
    on_progress: OnProgress | None,
    place: tuple[int, int, float],
) -> Gain:
    """Photo by photo, so that a stop is obeyed between two of them."""
    done, total, start = place
    labels_M = material.query_labels_M[list(viewed.rows)]
    rows = []
    spent_s = 0.0
    text_CD = material.class_vectors.text_CD
    with one_thread():
        for number in range(len(viewed.rows)):
            if Report(on_progress, done + number, total, start).tell():
                raise Cancelled("Stopped; nothing was saved.")
            begun = time.perf_counter()
            one_VNP = viewed.pre_VMP[:, number : number + 1]
            rows.append(single_photo.answer(one_VNP, projector, text_CD, material.logit_scale, StepConfig()))
            spent_s += time.perf_counter() - begun
    before = measuring.right(material, viewed.pre_VMP[0], projector, labels_M)
    after = measuring.is_right(torch.cat(rows), labels_M)
    return Gain(key, differences.paired(before, after), 1000 * spent_s / len(rows))
