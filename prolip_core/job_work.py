"""What a worker does for each kind of job. Everything a run needs comes from the database and the photo store."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from prolip_core import (
    backbones,
    classify,
    config,
    devices,
    pilot,
    prompts,
    runs,
    sample,
    sample_photos,
    spec,
    storage,
    uploads,
)
from prolip_core.backbones import Backbone
from prolip_core.content_store import ContentStore, ThumbnailStore
from prolip_core.dataset import PhotoSet
from prolip_core.errors import DatasetError
from prolip_core.job_control import JobControl
from prolip_core.spec import PilotSpec
from prolip_core.storage import Database
from prolip_core.storage.records import ClassRow, Job, Role
from prolip_core.types import ClassSpec, LabelledImage, Progress
from prolip_core.uploads import UploadFile


class WarmBackbone:
    """The last backbone stays in memory, so that the next training starts at once."""

    def __init__(self) -> None:
        self._key: tuple[object, ...] | None = None
        self._backbone: Backbone | None = None

    def get(self, choices: PilotSpec) -> Backbone:
        """The backbone of these choices on their device. Raises the errors of loading one."""
        checkpoint = choices.backbone.checkpoint
        stamp = checkpoint.stat().st_mtime_ns if checkpoint is not None and checkpoint.is_file() else None
        key = (choices.backbone, choices.device, choices.precision, stamp)
        if self._backbone is None or key != self._key:
            self._key, self._backbone = None, None  # two large models need not fit into memory at once
            self._backbone = backbones.load(choices.backbone, devices.choose(choices.device, choices.precision))
            self._key = key
        return self._backbone

    def has(self, backbone: Backbone) -> bool:
        """Whether this very model is the one that is kept."""
        return self._backbone is backbone


def warm_up(warm: WarmBackbone, device: str) -> None:
    """Loads the model that most trainings use, so that the first one does not wait for it."""
    warm.get(PilotSpec(device=device))


def train(db: Database, job: Job, control: JobControl, warm: WarmBackbone) -> None:
    """The whole pilot on the project's photos; the run is kept and the job marked as done in one step.

    Raises the errors of the engine (ProLIPError); then nothing of the run is left.
    """
    choices = spec.from_dict(job.payload["spec"])
    photos, fingerprint = photo_set(db, job.project_id, job.payload["spec"])
    pilot.check(choices)
    control.enter("load")
    backbone = warm.get(choices)
    control.obey()
    control.enter("features", used_device=backbone.device.title)
    run = pilot.run(
        choices,
        photos,
        cache_folder=config.cache_folder(),
        on_progress=control.progress,
        on_step=control.step,
        backbone=backbone,
    )
    control.end_if_discarded()
    control.enter("save")
    run_id = uuid.uuid4().hex
    # Files first: a process that dies in between leaves a folder that nobody points to, and `purge` removes that.
    runs.save(run, config.run_folder() / run_id)
    control.close()
    storage.runs.add(db, run_id, job.project_id, job.id, fingerprint, runs.as_dict(run), runs.answers_as_dict(run))
    storage.jobs.thin(db, job.id)


def make_sample(db: Database, job: Job, control: JobControl, warm: WarmBackbone) -> None:
    """Fills an empty project with the sample's photos, then trains on them."""
    control.enter("sample")
    language = str(job.payload.get("language", "en"))
    if not storage.classes.list_(db, job.project_id):
        rows = [ClassRow(None, one.display_name, one.prompt_names) for one in sample.class_specs(language)]

        def report(done: int, total: int) -> None:
            control.progress_or_end(Progress("sample", done, 2 * total, 0.0, None))

        folder = sample_photos.ready(report)
        classes = storage.classes.save(db, job.project_id, rows)
        _import_sample(db, job.project_id, folder, classes, control)
    train(db, job, control, warm)


def similarity(job: Job, control: JobControl, warm: WarmBackbone) -> Mapping[str, Any]:
    """How alike the class sentences are to the model: {"names", "matrix" (cosines), "logit_scale"}."""
    choices = spec.from_dict(job.payload["spec"])
    control.enter("load")
    backbone = warm.get(choices)
    classes = [ClassSpec(name, tuple(prompt_names)) for name, prompt_names in job.payload["classes"]]
    vectors = backbone.encode_prompts(prompts.build(classes, choices.templates))
    return {
        "names": list(vectors.class_names),
        "matrix": classify.text_likeness(vectors.text_CD, backbone.projector).tolist(),
        "logit_scale": float(backbone.logit_scale),
    }


def photo_set(db: Database, project_id: str, choices: Mapping[str, Any] | None = None) -> tuple[PhotoSet, str]:
    """The project's photos as the engine takes them, and the fingerprint of that very state. Raises DatasetError.

    choices: those of the training, which the project may have changed since; None for those it has now.
    """
    with db.read() as session:
        fingerprint = storage.photos.read_fingerprint(session, project_id, choices)
        photos = storage.photos.read(session, project_id, include_excluded=False)
        classes = storage.classes.read(session, project_id)
    label_of = {row.id: label for label, row in enumerate(classes)}
    images = {
        role: tuple(LabelledImage(p.record, label_of[p.class_id]) for p in photos if p.role == role)
        for role in ("train", "test")
    }
    _refuse_contradictions((*images["train"], *images["test"]), [row.display_name for row in classes])
    return (
        PhotoSet(
            tuple(row.spec for row in classes), images["train"], images["test"], ContentStore(config.photo_folder())
        ),
        fingerprint,
    )


def _refuse_contradictions(images: Sequence[LabelledImage], names: Sequence[str]) -> None:
    """Raises DatasetError if the very same photo lies in two classes: it would teach, or measure, a contradiction."""
    first: dict[str, LabelledImage] = {}
    for image in images:
        other = first.setdefault(image.image_id, image)
        if other.label != image.label:
            raise DatasetError(
                "The photo “{filename}” lies in two classes: {names}.",
                remedy="Keep it in the right one and exclude it from the other.",
                filename=image.record.filename,
                names=f"{names[other.label]}, {names[image.label]}",
            )


def _import_sample(
    db: Database, project_id: str, folder: Path, classes: tuple[ClassRow, ...], control: JobControl
) -> None:
    paths = sorted(folder.glob("*/*/*.jpg"))
    files = [UploadFile(path.relative_to(folder).as_posix(), path.read_bytes()) for path in paths]
    stores = ContentStore(config.photo_folder()), ThumbnailStore(config.thumbnail_folder())
    placed = []
    for one in uploads.check(files, *stores):
        if one.photo is not None:
            placed.append(one.photo)
        control.progress_or_end(Progress("sample", len(files) + one.done, 2 * len(files), 0.0, None))
    for label, name in enumerate(sample.CLASS_NAMES):
        roles: tuple[Role, ...] = ("train", "test")
        for role in roles:
            chosen = [one.photo for one in placed if (one.folder, one.role) == (name, role)]
            class_id = classes[label].id
            if class_id is not None:
                storage.photos.add(db, project_id, class_id, role, chosen)
