"""What a worker does for the studies of other conditions: photos of the project, and what was asked for beside them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from prolip_core import config, storage
from prolip_core.content_store import ContentStore
from prolip_core.dataset import PhotoSet
from prolip_core.errors import DatasetError
from prolip_core.studies import second_test, stress, study_files, test_time, transfer
from prolip_core.types import ImageRecord, LabelledImage

if TYPE_CHECKING:
    from prolip_core.study_work import Work


def distorted(work: Work) -> Mapping[str, Any]:
    """No settings."""
    of_photos = work.material()
    read = stress.read(
        of_photos,
        work.backbone,
        work.photos.source,
        cache_folder=config.cache_folder(),
        on_progress=work.control.progress,
    )
    return study_files.as_dict(stress.run(of_photos, read, on_progress=work.control.progress))


def second_set(work: Work) -> Mapping[str, Any]:
    """settings: {"photos": of the second set, as `asdict` of their records, each with the name of its "class"}, and
    `studies.KEEPS`."""
    of_photos = work.material()
    second = second_test.read(
        of_photos,
        _second_photos(work),
        work.backbone,
        cache_folder=config.cache_folder(),
        on_progress=work.control.progress,
    )
    return study_files.as_dict(second_test.run(of_photos, second, on_progress=work.control.progress))


def carried_over(work: Work) -> Mapping[str, Any]:
    """settings: {"run": the id of the run whose projector is tried}; more is for the page. Raises RunError if it is gone."""
    of_photos = work.material()
    run = storage.runs.load(work.db, str(work.settings["run"]))
    ids = {str(photo["id"]) for photo in run.result["photos"]["support"]}
    records = [photo.record for photo in storage.photos.list_(work.db, run.summary.project_id) if photo.image_id in ids]
    foreign = transfer.read(config.run_folder() / run.summary.id, work.backbone, taught=records)
    return study_files.as_dict(transfer.run(of_photos, foreign, on_progress=work.control.progress))


def photo_by_photo(work: Work) -> Mapping[str, Any]:
    """No settings."""
    of_photos = work.material()
    viewed = test_time.read(
        of_photos,
        work.backbone,
        work.photos.source,
        cache_folder=config.cache_folder(),
        on_progress=work.control.progress,
    )
    return study_files.as_dict(test_time.run(of_photos, viewed, on_progress=work.control.progress))


def _second_photos(work: Work) -> PhotoSet:
    """Those whose class the project still has. Raises DatasetError where there is none."""
    classes = work.photos.classes
    label_of = {one.display_name: label for label, one in enumerate(classes)}
    given = [dict(photo) for photo in work.settings["photos"]]
    images = tuple(
        LabelledImage(ImageRecord(**photo), label_of[name])
        for photo in given
        if (name := photo.pop("class")) in label_of
    )
    if not images:
        raise DatasetError(
            "No photo of the second test set shows a class of this project.",
            remedy="Add the photos again, and choose their classes.",
        )
    return PhotoSet(classes, (), images, ContentStore(config.photo_folder()))
