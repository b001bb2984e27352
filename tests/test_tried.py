"""Photos that were tried: kept, answered, deleted for good, and taught from, never from a test photo."""

from __future__ import annotations

import dataclasses
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from prolip_core import config, spec, storage
from prolip_core.content_store import ContentStore, ThumbnailStore
from prolip_core.errors import DatasetError, RunError, StorageError
from prolip_core.spec import PilotSpec
from prolip_core.storage import Database
from prolip_core.storage.records import ClassRow, Project, RefusedFile, RunSummary, Similar, TriedAnswer, TriedPhoto
from prolip_core.types import CheckedPhoto
from tests.pages.conftest import checked_photo
from tests.test_storage import ANSWERS, RESULT

LATER = timedelta(seconds=config.UNDO_PERIOD_S + 1)


@pytest.fixture
def project(db: Database) -> Project:
    made = storage.projects.create(db, "Parts", spec.as_dict(PilotSpec()))
    storage.classes.save(db, made.id, [ClassRow(None, name, (name,)) for name in ("Nut", "Bolt")])
    return made


def class_id(db: Database, project: Project, name: str) -> int:
    found = next(row.id for row in storage.classes.list_(db, project.id) if row.display_name == name)
    assert found is not None
    return found


def tried(db: Database, project: Project, *photos: CheckedPhoto) -> tuple[TriedPhoto, ...]:
    return storage.tried.add(db, storage.tried.begin(db, project.id, is_many=len(photos) > 1), photos)


def run_of(db: Database, project: Project) -> RunSummary:
    return storage.runs.add(db, uuid.uuid4().hex, project.id, None, "f", RESULT, ANSWERS)


def answer(photo: TriedPhoto, turn: int | None = None) -> TriedAnswer:
    similar = (Similar("a" * 64, "x.jpg", "Nut", 0.5),)
    return TriedAnswer(photo.id, (0.4, 0.6), (0.9, 0.1), similar, turn)


def files_of(image_id: str) -> list[bool]:
    return [
        image_id in ContentStore(config.photo_folder()),
        ThumbnailStore(config.thumbnail_folder()).path(image_id).is_file(),
    ]


# -- what is kept ----------------------------------------------------------------------------------------------------


def test_a_drop_keeps_its_photos_in_order_its_refused_files_and_what_came_twice(db: Database, project: Project) -> None:
    one, two = checked_photo("one.jpg"), checked_photo("two.jpg")
    drop_id = storage.tried.begin(db, project.id, is_many=True)
    refused = RefusedFile("bad\x00.jpg", "{filename} is broken after {count}.", "Send it again.", {"count": 3})
    first = storage.tried.add(db, drop_id, [one, two], [refused])
    again = dataclasses.replace(one, record=dataclasses.replace(one.record, filename="copy.jpg"))
    assert storage.tried.add(db, drop_id, [again]) == ()
    (drop,) = storage.tried.drops(db, project.id)
    assert (drop.id, drop.is_many, drop.count, drop.received, drop.total) == (drop_id, True, 2, 4, 4)
    assert drop.refused == (dataclasses.replace(refused, filename="bad.jpg"),)
    assert [(twice.filename, twice.first_filename) for twice in drop.twice] == [("copy.jpg", "one.jpg")]
    assert storage.tried.photos(db, drop_id) == first
    assert [photo.photo for photo in first] == [one, two]
    assert storage.tried.any_of(db, project.id)


def test_a_drop_whose_receiving_was_cut_short_says_so(db: Database, project: Project) -> None:
    drop_id = storage.tried.begin(db, project.id, is_many=True)
    storage.tried.add(db, drop_id, [checked_photo("one.jpg")], total=3)
    (drop,) = storage.tried.drops(db, project.id)
    assert (drop.received, drop.total) == (1, 3)
    storage.tried.add(db, drop_id, [checked_photo("two.jpg")])
    (drop,) = storage.tried.drops(db, project.id)
    assert (drop.received, drop.total) == (2, 2)


def test_the_same_bytes_in_two_drops_are_one_photo_of_the_project_the_newer(db: Database, project: Project) -> None:
    one, two = checked_photo("one.jpg"), checked_photo("two.jpg")
    tried(db, project, one, two)
    (newer,) = tried(db, project, one)
    found = storage.tried.of_project(db, project.id)
    assert [photo.image_id for photo in found] == [newer.image_id, two.record.image_id]
    assert found[0] == newer


def test_answers_are_kept_per_run_and_say_what_is_still_to_be_asked(db: Database, project: Project) -> None:
    photos = tried(db, project, checked_photo("one.jpg"), checked_photo("two.jpg"))
    first, second = run_of(db, project), run_of(db, project)
    drop_id = photos[0].drop_id
    problem = TriedAnswer(photos[1].id, (), (), problem=RefusedFile("two.jpg", "gone", "again", {}))
    storage.tried.keep(db, first.id, [answer(photos[0]), problem])
    assert storage.tried.answers(db, first.id) == {photos[0].id: answer(photos[0]), photos[1].id: problem}
    assert storage.tried.answers(db, second.id) == {}
    assert storage.tried.unanswered(db, drop_id, first.id) == ()
    assert storage.tried.unanswered(db, drop_id, second.id, 1) == photos[:1]
    assert storage.tried.count_unanswered(db, drop_id, second.id) == 2
    storage.tried.keep(db, first.id, [answer(photos[1], 3)])  # once more: the newer one counts
    assert storage.tried.answers(db, first.id, drop_id)[photos[1].id].turn == 3
    storage.tried.set_turns(db, first.id, {photos[0].id: 0})
    assert [one.turn for one in storage.tried.answers(db, first.id).values()] == [0, None]


def test_no_answer_of_a_deleted_run_and_none_about_a_photo_that_is_gone(db: Database, project: Project) -> None:
    (photo,) = tried(db, project, checked_photo("one.jpg"))
    run = run_of(db, project)
    storage.tried.keep(db, run.id, [dataclasses.replace(answer(photo), photo_id=photo.id + 1)])
    assert storage.tried.answers(db, run.id) == {}
    storage.runs.delete(db, run.id)
    with pytest.raises(RunError):
        storage.tried.keep(db, run.id, [answer(photo)])


def test_deleting_hides_at_once_and_removes_the_files_after_the_time_to_undo(db: Database, project: Project) -> None:
    gone, kept = checked_photo("gone.jpg"), checked_photo("kept.jpg")
    (photo,) = tried(db, project, gone)
    tried(db, project, kept)
    run = run_of(db, project)
    storage.tried.keep(db, run.id, [answer(photo)])
    storage.tried.delete_drop(db, photo.drop_id)
    assert [one.image_id for one in storage.tried.of_project(db, project.id)] == [kept.record.image_id]
    assert storage.tried.photos(db, photo.drop_id) == ()
    assert [drop.id for drop in storage.tried.deleted(db, project.id)] == [photo.drop_id]
    with pytest.raises(StorageError):
        storage.tried.add(db, photo.drop_id, [kept])
    storage.purge(db)
    assert files_of(photo.image_id) == [True, True]
    storage.tried.restore_drop(db, photo.drop_id)
    assert storage.tried.photos(db, photo.drop_id) == (photo,)
    storage.tried.delete_drop(db, photo.drop_id)
    assert storage.purge(db, datetime.now(UTC) + LATER).photos == 1
    assert files_of(photo.image_id) == [False, False]
    assert files_of(kept.record.image_id) == [True, True]
    assert storage.tried.answers(db, run.id) == {}
    with pytest.raises(StorageError):
        storage.tried.restore_drop(db, photo.drop_id)


def test_the_sweep_of_files_without_an_owner_leaves_tried_photos_alone(db: Database, project: Project) -> None:
    (photo,) = tried(db, project, checked_photo("one.jpg"))
    storage.purge(db, datetime.now(UTC) + timedelta(days=2))
    assert files_of(photo.image_id) == [True, True]


def test_a_tried_photo_that_taught_stays_when_its_drop_goes_and_the_other_way_round(
    db: Database, project: Project
) -> None:
    (photo,) = tried(db, project, checked_photo("one.jpg"))
    taught = storage.teaching.teach(db, project.id, photo.id, class_id(db, project, "Nut"))
    storage.tried.delete_drop(db, photo.drop_id)
    storage.purge(db, datetime.now(UTC) + LATER)
    assert files_of(photo.image_id) == [True, True]
    storage.photos.delete(db, [taught.id])
    storage.purge(db, datetime.now(UTC) + LATER)
    assert files_of(photo.image_id) == [False, False]


def test_they_go_with_their_project(db: Database, project: Project) -> None:
    (photo,) = tried(db, project, checked_photo("one.jpg"))
    storage.projects.delete(db, project.id)
    with pytest.raises(StorageError):
        storage.tried.begin(db, project.id, is_many=False)
    storage.purge(db, datetime.now(UTC) + LATER)
    assert files_of(photo.image_id) == [False, False]


# -- the queue -------------------------------------------------------------------------------------------------------


def test_a_photo_that_is_tried_comes_before_work_that_waits_longer(db: Database, project: Project) -> None:
    training = storage.jobs.enqueue(db, project.id, "train", {})
    study = storage.jobs.enqueue(db, project.id, "study", {}, key="k")
    first = storage.jobs.enqueue(db, project.id, "try", {}, key="a")
    second = storage.jobs.enqueue(db, project.id, "try", {}, key="b")
    assert [storage.jobs.ahead(db, one.id) for one in (training, study, first, second)] == [2, 3, 0, 1]
    claimed = [storage.jobs.claim(db, "auto", ("auto",)) for _ in range(4)]
    assert [one and one.id for one in claimed] == [first.id, second.id, training.id, study.id]


def test_few_finished_tries_are_kept(db: Database, project: Project) -> None:
    for number in range(2 * storage.jobs.KEPT["try"]):
        job = storage.jobs.enqueue(db, project.id, "try", {}, key=str(number))
        storage.jobs.finish(db, job.id, "done")
    kept = [storage.jobs.latest_of(db, project.id, "try", str(number)) for number in range(40)]
    assert [number for number, job in enumerate(kept) if job is not None] == list(range(20, 40))


# -- teaching --------------------------------------------------------------------------------------------------------


def test_a_tried_photo_teaches_once_and_that_can_be_undone(db: Database, project: Project) -> None:
    (photo,) = tried(db, project, checked_photo("one.jpg"))
    nut = class_id(db, project, "Nut")
    taught = storage.teaching.teach(db, project.id, photo.id, nut)
    assert (taught.image_id, taught.class_id, taught.role, taught.excluded) == (photo.image_id, nut, "train", False)
    for name in ("Nut", "Bolt"):
        with pytest.raises(DatasetError, match="already, in the class Nut"):
            storage.teaching.teach(db, project.id, photo.id, class_id(db, project, name))
    assert storage.undo.available(db, project.id) == storage.teaching.UNDO_KIND
    assert storage.undo.take_back(db, project.id) == storage.teaching.UNDO_KIND
    assert storage.photos.list_(db, project.id) == ()
    storage.teaching.teach(db, project.id, photo.id, class_id(db, project, "Bolt"))


def near(photo: CheckedPhoto, name: str, bits: int) -> CheckedPhoto:
    """Another file whose picture differs in so many bits of its hash."""
    other = checked_photo(name)
    mask = (1 << bits) - 1
    return dataclasses.replace(other, record=dataclasses.replace(other.record, phash=photo.record.phash ^ mask))


@pytest.mark.parametrize(("bits", "may_teach"), [(0, False), (20, False), (120, True)])
def test_a_near_copy_of_a_test_photo_never_teaches(db: Database, project: Project, bits: int, may_teach: bool) -> None:
    testing = checked_photo("test photo.jpg")
    bolt = class_id(db, project, "Bolt")
    storage.photos.add(db, project.id, bolt, "test", [testing])
    (photo,) = tried(db, project, near(testing, "mine.jpg", bits))
    photos = storage.photos.list_(db, project.id)
    assert (photo.image_id in storage.teaching.like_test([photo], photos)) is not may_teach
    if may_teach:
        storage.teaching.teach(db, project.id, photo.id, bolt)
        return
    with pytest.raises(DatasetError) as told:
        storage.teaching.teach(db, project.id, photo.id, bolt)
    assert told.value.values == {"filename": "mine.jpg", "test": "test photo.jpg", "name": "Bolt"}
    assert [one.image_id for one in storage.photos.list_(db, project.id)] == [testing.record.image_id]
    assert storage.undo.available(db, project.id) == "add"


def test_a_test_photo_itself_never_teaches_even_an_excluded_one(db: Database, project: Project) -> None:
    testing = checked_photo("test photo.jpg")
    (added,) = storage.photos.add(db, project.id, class_id(db, project, "Bolt"), "test", [testing]).added
    storage.photos.exclude(db, [added.id])
    (photo,) = tried(db, project, testing)
    with pytest.raises(DatasetError, match="test photo"):
        storage.teaching.teach(db, project.id, photo.id, class_id(db, project, "Nut"))


def test_a_photo_between_a_training_and_a_test_photo_never_teaches(db: Database, project: Project) -> None:
    """A training would drop the test photo for it, although the two are not near each other."""
    testing = checked_photo("test.jpg")
    between = near(testing, "between.jpg", 40)
    taught = near(between, "taught.jpg", 40)
    taught = dataclasses.replace(
        taught, record=dataclasses.replace(taught.record, phash=between.record.phash ^ (((1 << 40) - 1) << 100))
    )
    storage.photos.add(db, project.id, class_id(db, project, "Bolt"), "test", [testing])
    storage.photos.add(db, project.id, class_id(db, project, "Bolt"), "train", [taught])
    (photo,) = tried(db, project, between)
    with pytest.raises(DatasetError, match="cannot teach"):
        storage.teaching.teach(db, project.id, photo.id, class_id(db, project, "Bolt"))


def test_what_is_gone_is_told(db: Database, project: Project) -> None:
    (photo,) = tried(db, project, checked_photo("one.jpg"))
    with pytest.raises(StorageError, match="class"):
        storage.teaching.teach(db, project.id, photo.id, 999)
    storage.tried.delete_drop(db, photo.drop_id)
    with pytest.raises(StorageError, match="photo"):
        storage.teaching.teach(db, project.id, photo.id, class_id(db, project, "Nut"))
