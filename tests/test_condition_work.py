"""What a worker does for the studies of other conditions, in this process and with the tiny CLIP; and what is kept."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from prolip_core import config, images, job_work, spec, storage
from prolip_core.content_store import ContentStore
from prolip_core.errors import DatasetError
from prolip_core.storage import Database, studies
from prolip_core.storage.database import now
from prolip_core.studies.condition_words import SECOND_TEST, STRESS, TEST_TIME, TRANSFER
from tests import fakes, image_factory
from tests.test_job_work import NAMES, SLOW, Control, Tiny, project_of
from tests.test_study_work import claimed, result_of, work


def second_photos(*numbers: int) -> list[dict[str, Any]]:
    """Photos of the first class, in the store but in no project."""
    found = []
    for number in numbers:
        data = image_factory.encode(fakes.tinted(NAMES[0], number), "JPEG")
        ContentStore(config.photo_folder()).put(data)
        found.append({**asdict(images.check(data, f"{number}.jpg")), "class": NAMES[0]})
    return found


@pytest.mark.parametrize("kind", [STRESS, TEST_TIME])
def test_what_needs_nothing_else_is_computed_and_kept(db: Database, tmp_path: Path, kind: str) -> None:
    project_id = project_of(db, tmp_path)
    work(db, claimed(db, project_id, kind))
    result = result_of(db, project_id, kind)
    assert (result["study"], result["measured_count"]) == (kind, 6)


def test_a_stopped_stress_test_keeps_the_kinds_that_are_whole(db: Database, tmp_path: Path) -> None:
    project_id = project_of(db, tmp_path)
    work(db, claimed(db, project_id, STRESS), lambda stage, done: int(stage == "features" and done > 5 * 6 + 20))
    assert {curve["kind"] for curve in result_of(db, project_id, STRESS)["stress_curves"]} == {"blur"}


def test_the_second_set_is_measured_and_never_joins_the_project(db: Database, tmp_path: Path) -> None:
    project_id = project_of(db, tmp_path)
    before = storage.photos.list_(db, project_id)
    photos = [*second_photos(900, 901), {**second_photos(902)[0], "class": "a class that is gone"}]
    work(db, claimed(db, project_id, SECOND_TEST, photos=photos))
    result = result_of(db, project_id, SECOND_TEST)
    assert result["second_count"] == 2 and result["missing_classes"] == list(NAMES[1:])
    assert storage.photos.list_(db, project_id) == before
    with pytest.raises(DatasetError, match="shows a class of this project"):
        work(db, claimed(db, project_id, SECOND_TEST, photos=photos[2:]))


def test_photos_of_a_study_stay_as_long_as_it_does(db: Database, tmp_path: Path) -> None:
    project_id = project_of(db, tmp_path)
    (photo,) = second_photos(900)
    job = claimed(db, project_id, SECOND_TEST, photos=[photo], keeps=[photo["image_id"]])
    store = ContentStore(config.photo_folder())
    later = now() + timedelta(days=2)
    storage.purge(db, later)
    assert photo["image_id"] in store  # the study is under way
    work(db, job)
    storage.purge(db, later)
    assert photo["image_id"] in store
    found = studies.latest(db, project_id, SECOND_TEST)
    assert found is not None
    studies.delete(db, found.id)
    storage.purge(db, later)
    assert photo["image_id"] not in store


def test_the_projector_of_another_project_is_tried(db: Database, tmp_path: Path) -> None:
    other = project_of(db, tmp_path / "other")
    storage.jobs.enqueue(db, other, "train", {"spec": spec.as_dict(SLOW)})
    job = storage.jobs.claim(db, "auto", ("auto",))
    assert job is not None
    job_work.train(db, job, Control(db, job, lambda _stage, _done: 0), Tiny())
    (run,) = storage.runs.list_(db, other)
    project_id = project_of(db, tmp_path / "mine")
    # All photos of the two projects are the same, so the other one's test photos alone have not taught it.
    work(db, claimed(db, project_id, TRANSFER, run=run.id))
    result = result_of(db, project_id, TRANSFER)
    assert result["foreign_classes"] == list(NAMES)
    assert [one["method"] for one in result["answers"]] == ["zero_shot", "foreign", "prolip"]
    assert not [note for note in result["advice_text"] if "near-duplicates" in note]
