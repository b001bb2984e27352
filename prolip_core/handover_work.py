"""A run of a project → its hand-over file in the data folder, made by a worker and kept like a study of that run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from prolip_core import config, devices, storage
from prolip_core.content_store import ContentStore
from prolip_core.handover import bundle
from prolip_core.handover.files import export_path
from prolip_core.studies.names import HAND_OVER

if TYPE_CHECKING:
    from prolip_core.study_work import Work


def hand_over(work: Work) -> Mapping[str, Any]:
    """The file, made of the run's photos that are still in the store. Raises the errors of `bundle.make`."""
    run_id = str(work.run_id)
    record = storage.runs.load(work.db, run_id)
    work.control.enter("load", used_device=devices.choose("cpu", "float32").title)
    wanted = {photo["id"] for role in ("support", "query") for photo in record.result["photos"][role]}
    # What a person has deleted may lie in the store for a while; it must not go into a file.
    there = {photo.image_id for photo in storage.photos.list_(work.db, work.job.project_id)}
    store = ContentStore(config.photo_folder())
    made = bundle.make(
        config.run_folder() / run_id,
        export_path(run_id),
        bundle.Photos(store, {image_id for image_id in wanted & there if image_id in store}),
        threshold=record.summary.threshold,
        on_progress=work.control.progress,
        before_write=lambda image_id: _mark(run_id, image_id),
    )
    _unmark_others(run_id, made.test_photo)
    return {
        "study": HAND_OVER,
        "class_names": list(record.class_names),
        "backbone": record.summary.backbone,
        # What is measured is told beside each figure.
        "query_count": 0,
        "threshold": record.summary.threshold,
        **asdict(made),
    }


def _mark(run_id: str, image_id: str | None) -> None:
    """Beside the file, the id of the photo in it: where the photo is deleted for good, `storage.purge` takes the file too. Before
    the file, so that a killed process leaves none without its mark."""
    folder = export_path(run_id).parent
    folder.mkdir(parents=True, exist_ok=True)
    if image_id is not None:
        (folder / image_id).touch()


def _unmark_others(run_id: str, image_id: str | None) -> None:
    """Photos of the file that was there before."""
    for old in export_path(run_id).parent.glob("[0-9a-f]" * 64):
        if old.name != image_id:
            old.unlink(missing_ok=True)
