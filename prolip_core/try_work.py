"""What a worker does for photos that are tried: the answers of a finished run, kept a few photos at a time.

The last run that answered stays warm: its projector, its class vectors, and the embeddings of the photos that it learnt from. So
a single photo is answered in the time that it takes to read it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from prolip_core import classify, config, features, offering, runs, spec, storage
from prolip_core.backbones import Backbone
from prolip_core.catalogue import BackboneSpec
from prolip_core.content_store import ContentStore
from prolip_core.errors import ImageError, StorageError
from prolip_core.job_control import JobControl
from prolip_core.job_work import WarmBackbone
from prolip_core.runs import SavedRun
from prolip_core.spec import PilotSpec
from prolip_core.storage import Database
from prolip_core.storage.records import Job, RefusedFile, Similar, TriedAnswer, TriedPhoto
from prolip_core.types import ImageSource, Progress, Projector

CHUNKS = (2, 32)
"""So few and so many answers are kept at a time: whatever ends the worker costs no more, and a stop does not wait for more."""

CHUNK_S = 0.2
"""A chunk takes about so long, with a slow model as with a fast one."""

ALIKE = 5
"""So many training photos are shown beside a photo."""

MAX_ORDERED = 2000
"""So many tried photos at most are put in the order in which their class would teach most, the newest first."""


@dataclass(frozen=True)
class Ready:
    """A run that can answer at once. `learnt_MD`: embeddings of the photos that it learnt from, in the order of `learnt`, which
    holds image id, file name and class."""

    run_id: str
    saved: SavedRun
    learnt: tuple[tuple[str, str, str], ...]
    learnt_MD: torch.Tensor

    @property
    def initial(self) -> Projector:
        return self.saved.backbone.projector


class WarmRun:
    """Keeps the last run. It lives beside the warm backbone and never holds a second model."""

    def __init__(self, warm: WarmBackbone) -> None:
        self._warm = warm
        self._ready: Ready | None = None

    def get(self, run_id: str, choices: PilotSpec) -> Ready:
        """The run with its own model on the device of these choices. Raises RunError and the errors of loading a model."""
        folder = config.run_folder() / run_id

        def load_backbone(backbone: BackboneSpec, precision: str) -> Backbone:
            return self._warm.get(replace(choices, backbone=backbone, precision=precision))

        known = self._ready
        if known is not None and known.run_id == run_id and self._warm.has(known.saved.backbone):
            return known
        self._ready = None  # two models need not fit into memory at once
        saved = runs.load(folder, load_backbone=load_backbone)
        learnt = _learnt(folder)
        learnt_MD = _embeddings(saved, saved.projector, ContentStore(config.photo_folder()), [one[0] for one in learnt])
        self._ready = Ready(run_id, saved, learnt, learnt_MD)
        return self._ready

    def warm_up(self, db: Database, project_id: str | None, device: str) -> None:
        """Makes the newest run of the project ready (None: of the project that was changed last), if there is one. Raises
        RunError and the errors of loading a model."""
        if project_id is None:
            cards = storage.projects.cards(db)
            project_id = next((card.project.id for card in cards if card.last_run is not None), None)
        found = storage.runs.list_(db, project_id) if project_id is not None else ()
        if found:
            _first_answer(self.get(found[0].id, PilotSpec(device=device)))


def run(db: Database, job: Job, control: JobControl, warm: WarmRun) -> None:
    """Answers all photos of a drop that the run has not been asked about; each chunk is kept as it is done. The caller ends the
    job.

    payload: {"drop", "run", "spec"}. Raises RunError, the errors of loading a model, Cancelled.
    """
    drop_id, run_id = str(job.payload["drop"]), str(job.payload["run"])
    choices = spec.from_dict(job.payload["spec"])
    ready = warm.get(run_id, replace(choices, device=job.device))
    control.obey()
    source = ContentStore(config.photo_folder())
    start, done, size = time.monotonic(), 0, CHUNKS[0]
    while chunk := storage.tried.unanswered(db, drop_id, run_id, size):
        began = time.monotonic()
        storage.tried.keep(db, run_id, answers(ready, source, chunk))
        done += len(chunk)
        if len(chunk) == size:
            left = storage.tried.count_unanswered(db, drop_id, run_id)
            rate = done / (time.monotonic() - start)
            control.progress_or_end(Progress("try", done, done + left, rate, left / rate))
        size = _next_size(size, time.monotonic() - began)
    if done > 1:
        put_in_order(db, job.project_id, ready, source)


def answers(ready: Ready, source: ImageSource, photos: Sequence[TriedPhoto]) -> list[TriedAnswer]:
    """One answer per photo; a photo that cannot be read any more has a problem in place of probabilities."""
    try:
        return _answers(ready, source, photos)
    except (ImageError, StorageError) as error:
        if len(photos) > 1:  # one by one: the others have an answer
            return [one for photo in photos for one in answers(ready, source, [photo])]
        name = photos[0].record.filename
        problem = RefusedFile(name, error.message, error.remedy, _plain(error.values))
        return [TriedAnswer(photos[0].id, (), (), problem=problem)]


def _answers(ready: Ready, source: ImageSource, photos: Sequence[TriedPhoto]) -> list[TriedAnswer]:
    ids, saved = [photo.image_id for photo in photos], ready.saved
    batch = features.extract(saved.backbone, source, ids, cache_folder=config.cache_folder())
    text_CD, scale = saved.class_vectors.text_CD, saved.backbone.logit_scale
    labels = [-1] * len(ids)
    before, after = (
        classify.predict(ids, batch.pre_VNP[0], labels, projector, text_CD, scale)
        for projector in (ready.initial, saved.projector)
    )
    image_ND = classify.image_embeddings(batch.pre_VNP[0], saved.projector)
    places, cosines = classify.most_alike(image_ND, ready.learnt_MD, ALIKE)
    return [
        TriedAnswer(
            photo.id,
            zero.probabilities,
            tuned.probabilities,
            tuple(Similar(*ready.learnt[k], cosine) for k, cosine in zip(of_photo, likeness, strict=True)),
        )
        for photo, zero, tuned, of_photo, likeness in zip(photos, before, after, places, cosines, strict=True)
    ]


def put_in_order(db: Database, project_id: str, ready: Ready, source: ImageSource) -> None:
    """Which of the project's tried photos to ask a person about first (`offering.order`); photos of the project are known."""
    known = {photo.image_id for photo in storage.photos.list_(db, project_id)}
    told = storage.tried.answers(db, ready.run_id)
    waiting = [
        photo
        for photo in storage.tried.of_project(db, project_id)
        if photo.image_id not in known and photo.id in told and told[photo.id].problem is None
    ][:MAX_ORDERED]
    if not waiting:
        return
    image_ND = _embeddings(ready.saved, ready.saved.projector, source, [photo.image_id for photo in waiting])
    probs_NC = torch.tensor([told[photo.id].prolip for photo in waiting])
    order = offering.order(image_ND.numpy(), probs_NC.numpy(), ready.learnt_MD.numpy())
    storage.tried.set_turns(db, ready.run_id, {waiting[place].id: turn for turn, place in enumerate(order)})


def _next_size(size: int, seconds: float) -> int:
    return min(
        max(size * 2 if seconds < CHUNK_S / 2 else size // 2 if seconds > CHUNK_S else size, CHUNKS[0]), CHUNKS[1]
    )


def _learnt(folder: Path) -> tuple[tuple[str, str, str], ...]:
    """The photos that the run learnt from and whose bytes are still there."""
    result = json.loads((folder / runs.RESULT).read_text(encoding="utf-8"))
    store = ContentStore(config.photo_folder())
    return tuple(
        (photo["id"], photo["filename"], photo["class"])
        for photo in result["photos"]["support"]
        if photo["id"] in store
    )


def _embeddings(saved: SavedRun, projector: Projector, source: ImageSource, ids: list[str]) -> torch.Tensor:
    """Unit vectors (N, D) of photos, from cached features where there are some."""
    batch = features.extract(saved.backbone, source, ids, cache_folder=config.cache_folder())
    return classify.image_embeddings(batch.pre_VNP[0], projector)


def _first_answer(ready: Ready) -> None:
    """The first photo through a model takes longer than all others: that is not for a person to wait for."""
    height, width = ready.saved.backbone.image_size_px
    ready.saved.backbone.encode_pre(torch.zeros(1, 3, height, width))


def _plain(values: Mapping[str, object]) -> dict[str, Any]:
    """What JSON takes."""
    return {
        name: value if isinstance(value, str | int | float | bool) else str(value) for name, value in values.items()
    }
