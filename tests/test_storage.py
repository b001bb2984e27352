"""What is kept: projects, classes, photos, undo, runs, jobs; and that deleting really deletes."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, select, text, update

from prolip_core import config, spec, storage
from prolip_core.content_store import ContentStore
from prolip_core.errors import ConfigError, ProLIPError, PromptError, RunError, StorageError
from prolip_core.spec import PilotSpec
from prolip_core.storage import Database
from prolip_core.storage.database import migration_config
from prolip_core.storage.records import ClassRow, JobKind, Photo, Project, Role
from prolip_core.storage.schema import Base, PhotoTable, ProjectTable, UndoTable
from prolip_core.types import CheckedPhoto, ImageRecord, Quality, Step
from tests.conftest import REPOSITORY

SPEC = spec.as_dict(PilotSpec())
LATER_S = config.UNDO_PERIOD_S + 1
HOSTILE = (
    "<b>x</b>",
    "![](http://example.com/a.png)",
    "../..",
    "🦊",
    "\u202eevil",
    "a\x00b",
    "a\udcffb",
    "x'; DROP TABLE project;--",
)


def checked(name: str, content: str | None = None) -> CheckedPhoto:
    image_id = hashlib.sha256((content or name).encode("utf-8", "replace")).hexdigest()
    record = ImageRecord(image_id, name, "JPEG", 640, 480, 1000, int(image_id, 16))
    return CheckedPhoto(record, Quality(100.0, 0.5, 0.2))


def project_with(db: Database, *class_names: str, photos: int = 0) -> tuple[Project, tuple[ClassRow, ...]]:
    """A project with so many training photos in each class."""
    project = storage.projects.create(db, "Parts", SPEC)
    rows = storage.classes.save(db, project.id, [ClassRow(None, name, ()) for name in class_names])
    for row in rows:
        assert row.id is not None
        storage.photos.add(
            db, project.id, row.id, "train", [checked(f"{row.display_name} {n}.jpg") for n in range(photos)]
        )
    return project, rows


def id_of(row: ClassRow) -> int:
    assert row.id is not None
    return row.id


def ids(photos: Sequence[Photo]) -> list[int]:
    return [photo.id for photo in photos]


def after(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


def state_of(db: Database, project_id: str) -> object:
    return storage.classes.list_(db, project_id), storage.photos.list_(db, project_id)


# -- opening ---------------------------------------------------------------------------------------------------------


def test_the_migrations_make_exactly_the_tables_that_the_code_describes(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'x.db'}"
    storage.open_database(url).close()
    with create_engine(url).connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_a_database_of_the_first_version_keeps_its_rows_and_gives_no_number_twice_any_more(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'x.db'}"
    storage.open_database(url).close()
    with create_engine(url).begin() as connection:
        connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
        command.downgrade(migration_config(connection), "0001")
    with create_engine(url).connect() as connection:
        made = connection.exec_driver_sql("SELECT sql FROM sqlite_master WHERE name = 'photo'").scalar_one()
    assert "AUTOINCREMENT" not in made
    old = Database(create_engine(url))
    project, (nut,) = project_with(old, "Nut", photos=3)
    old.close()
    before = raw_rows(url)

    db = storage.open_database(url)
    assert raw_rows(url) == before
    assert [photo.record.filename for photo in storage.photos.list_(db, project.id)] == [
        f"Nut {n}.jpg" for n in range(3)
    ]
    last = storage.photos.list_(db, project.id)[-1]
    storage.photos.delete(db, [last.id])
    storage.purge(db, after(LATER_S))
    added = storage.photos.add(db, project.id, id_of(nut), "train", [checked("new.jpg")]).added
    assert added[0].id > last.id
    storage.projects.delete(db, project.id)
    storage.purge(db, after(2 * LATER_S))  # foreign keys are watched again: the rows go with their project
    with db.read() as session:
        assert session.scalars(select(PhotoTable)).all() == []
    db.close()


def raw_rows(url: str) -> list[list[tuple[object, ...]]]:
    """Classes and photos as they lie in the file: today's code asks for tables that an old database does not have."""
    with create_engine(url).connect() as connection:
        return [
            [tuple(row) for row in connection.exec_driver_sql(f"SELECT * FROM {name} ORDER BY id")]  # noqa: S608
            for name in ("class", "photo")
        ]


def test_the_address_of_the_environment_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROLIP_DATABASE_URL", f"sqlite:///{tmp_path / 'elsewhere.db'}")
    db = storage.open_database()
    storage.projects.create(db, "Parts", SPEC)
    db.close()
    assert (tmp_path / "elsewhere.db").is_file()
    assert not (config.data_folder() / "prolip.db").exists()


@pytest.mark.parametrize(
    "url", ["nonsense", "nosuchthing://x", "sqlite:////nowhere/at/all/x.db", "postgresql+nodriver://u:secret@h/d"]
)
def test_an_address_that_cannot_be_used_is_told(url: str) -> None:
    with pytest.raises(StorageError) as told:
        storage.open_database(url)
    assert told.value.remedy_text
    assert "secret" not in str(told.value)


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"this is no database at all" * 100)
    with pytest.raises(StorageError):
        storage.open_database(f"sqlite:///{tmp_path / 'x.db'}")


def test_a_database_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'x.db'}"
    storage.open_database(url).close()
    with create_engine(url).begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StorageError, match="newer"):
        storage.open_database(url)


def test_two_processes_may_open_and_write_at_once() -> None:
    code = (
        "from prolip_core import storage\n"
        "db = storage.open_database()\n"
        "for n in range(20): storage.projects.create(db, f'p{n}', {})\n"
    )
    processes = [subprocess.Popen([sys.executable, "-c", code], cwd=REPOSITORY, env=os.environ) for _ in range(2)]
    assert [process.wait(timeout=60) for process in processes] == [0, 0]
    db = storage.open_database()
    assert len(storage.projects.cards(db)) == 40
    db.close()


def test_a_reader_sees_one_state_and_does_not_hold_up_a_writer(db: Database) -> None:
    project, _ = project_with(db)
    with db.read() as session:
        before = storage.classes.read(session, project.id)
        storage.classes.save(db, project.id, [ClassRow(None, "Nut", ())])
        assert storage.classes.read(session, project.id) == before == ()
    assert len(storage.classes.list_(db, project.id)) == 1


# -- projects --------------------------------------------------------------------------------------------------------


def test_a_project_keeps_name_choices_and_times(db: Database) -> None:
    project = storage.projects.create(db, "  Small \n parts ", SPEC)
    assert project.name == "Small parts"
    assert storage.projects.get(db, project.id) == project
    assert spec.from_dict(project.spec) == PilotSpec()
    assert project.created_at.tzinfo is not None
    storage.projects.rename(db, project.id, "Parts")
    renamed = storage.projects.get(db, project.id)
    assert renamed is not None
    assert renamed.name == "Parts"
    assert renamed.changed_at > project.changed_at


@pytest.mark.parametrize("name", ["", "  \n", "x" * (config.MAX_NAME_CHARACTERS + 1), "x" * 10_000])
def test_a_name_that_is_empty_or_too_long_is_refused(db: Database, name: str) -> None:
    with pytest.raises(StorageError):
        storage.projects.create(db, name, SPEC)
    project = storage.projects.create(db, "x" * config.MAX_NAME_CHARACTERS, SPEC)
    with pytest.raises(StorageError):
        storage.projects.rename(db, project.id, name)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_data(db: Database, name: str) -> None:
    project = storage.projects.create(db, name, SPEC)
    (row,) = storage.classes.save(db, project.id, [ClassRow(None, name, (name,))])
    storage.photos.add(db, project.id, id_of(row), "train", [checked(name)])
    assert len(storage.projects.cards(db)) == 1
    (photo,) = storage.photos.list_(db, project.id)
    assert photo.record.filename
    assert storage.photos.fingerprint(db, project.id)
    storage.projects.rename(db, project.id, name)
    assert "\ud83e" not in storage.projects.cards(db)[0].project.name


def test_cards_count_what_is_used_and_come_with_the_last_change_first(db: Database) -> None:
    old, _ = project_with(db, "Nut")
    project, (nut, bolt) = project_with(db, "Nut", "Bolt", photos=3)
    photos = storage.photos.list_(db, project.id)
    storage.photos.set_role(db, ids(photos[:1]), "test")
    storage.photos.exclude(db, ids(photos[1:2]))
    storage.photos.delete(db, ids(photos[5:]))
    for kind in ("similarity", "study", "try"):  # nobody waits for their end on the page of the projects
        storage.jobs.enqueue(db, project.id, kind, {}, key="k")
    card, other = storage.projects.cards(db)
    assert (card.project.id, other.project.id) == (project.id, old.id)
    assert (card.n_classes, card.n_train, card.n_test, card.is_busy) == (2, 3, 1, False)
    assert set(card.cover) == {photos[0].image_id, photos[3].image_id}
    storage.jobs.enqueue(db, project.id, "train", {})
    assert storage.projects.cards(db)[0].is_busy
    assert (nut.id, bolt.id) != (None, None)


def test_a_copy_has_everything_but_the_results_and_leads_its_own_life(db: Database) -> None:
    project, rows = project_with(db, "Nut", "Bolt", photos=2)
    storage.runs.add(db, "r1", project.id, None, "f", RESULT, ANSWERS)
    storage.photos.exclude(db, ids(storage.photos.list_(db, project.id))[:1])
    copy = storage.projects.duplicate(db, project.id, "Copy")
    assert storage.runs.list_(db, copy.id) == ()
    assert storage.photos.fingerprint(db, copy.id) == storage.photos.fingerprint(db, project.id)
    storage.classes.save(db, copy.id, [])
    assert storage.classes.list_(db, project.id) == rows
    assert len(storage.photos.list_(db, project.id)) == 4


def test_a_deleted_project_is_hidden_its_work_stopped_and_it_comes_back(db: Database) -> None:
    project, _ = project_with(db, "Nut", photos=1)
    waiting = storage.jobs.enqueue(db, project.id, "train", {})
    storage.projects.delete(db, project.id)
    assert storage.projects.get(db, project.id) is None
    assert [one.id for one in storage.projects.deleted(db)] == [project.id]
    job = storage.jobs.get(db, waiting.id)
    assert job is not None
    assert job.state == "stopped"
    for change in (
        lambda: storage.projects.rename(db, project.id, "x"),
        lambda: storage.projects.set_spec(db, project.id, {}),
        lambda: storage.projects.duplicate(db, project.id, "x"),
        lambda: storage.projects.delete(db, project.id),
        lambda: storage.classes.save(db, project.id, [ClassRow(None, "x", ())]),
        lambda: storage.jobs.enqueue(db, project.id, "train", {}),
        lambda: storage.photos.fingerprint(db, project.id),
    ):
        with pytest.raises(StorageError, match="not there any more"):
            change()
    storage.projects.restore(db, project.id)
    assert len(storage.photos.list_(db, project.id)) == 1


# -- classes ---------------------------------------------------------------------------------------------------------


def test_classes_keep_order_names_and_ids(db: Database) -> None:
    project, (nut, bolt) = project_with(db, "Nut", "Bolt")
    assert nut.prompt_names == ("Nut",)
    changed = storage.classes.save(
        db,
        project.id,
        [ClassRow(None, "Gear", ("metal gear", "cog")), bolt, dataclasses.replace(nut, display_name="ナット")],
    )
    assert [(row.display_name, row.prompt_names) for row in changed] == [
        ("Gear", ("metal gear", "cog")),
        ("Bolt", ("Bolt",)),
        ("ナット", ("Nut",)),
    ]
    assert [row.id for row in changed[1:]] == [bolt.id, nut.id]


def test_bad_names_change_nothing(db: Database) -> None:
    project, rows = project_with(db, "Nut", "Bolt")
    for bad in ("", "Nut", "x" * 10_000):
        with pytest.raises(PromptError):
            storage.classes.save(db, project.id, [*rows, ClassRow(None, bad, ())])
    assert storage.classes.list_(db, project.id) == rows


def test_saving_the_same_is_no_step(db: Database) -> None:
    project, rows = project_with(db, "Nut", "Bolt")
    storage.undo.take_back(db, project.id)
    storage.classes.save(db, project.id, [])
    assert storage.undo.available(db, project.id) is None
    assert rows


def test_the_id_of_another_projects_class_touches_nothing_there(db: Database) -> None:
    project, rows = project_with(db, "Nut")
    other, _ = project_with(db)
    (new,) = storage.classes.save(db, other.id, [dataclasses.replace(rows[0], display_name="Stolen")])
    assert new.id != rows[0].id
    assert storage.classes.list_(db, project.id) == rows


# -- photos ----------------------------------------------------------------------------------------------------------


def test_photos_come_in_class_order_and_natural_order_of_their_names(db: Database) -> None:
    project, (nut, bolt) = project_with(db, "Nut", "Bolt")
    storage.photos.add(db, project.id, id_of(bolt), "train", [checked("b.jpg")])
    storage.photos.add(db, project.id, id_of(nut), "train", [checked("n10.jpg"), checked("n9.jpg")])
    assert [p.record.filename for p in storage.photos.list_(db, project.id)] == ["n9.jpg", "n10.jpg", "b.jpg"]


def test_a_photo_comes_back_as_it_was_given(db: Database) -> None:
    project, (nut,) = project_with(db, "Nut")
    given = checked("a.jpg")
    given = dataclasses.replace(given, record=dataclasses.replace(given.record, phash=2**256 - 1))
    (photo,) = storage.photos.add(db, project.id, id_of(nut), "test", [given]).added
    assert (photo.record, photo.quality) == (given.record, given.quality)
    assert storage.photos.list_(db, project.id, id_of(nut), "test") == (photo,)
    assert storage.photos.list_(db, project.id, role="train") == ()


def test_the_same_bytes_are_taken_once_in_a_class_and_again_in_another(db: Database) -> None:
    project, (nut, bolt) = project_with(db, "Nut", "Bolt")
    first = storage.photos.add(
        db, project.id, id_of(nut), "train", [checked("a.jpg", "same"), checked("b.jpg", "same"), checked("c.jpg")]
    )
    assert [p.record.filename for p in first.added] == ["a.jpg", "c.jpg"]
    assert [(d.filename, d.first_filename) for d in first.duplicates] == [("b.jpg", "a.jpg")]
    again = storage.photos.add(db, project.id, id_of(nut), "train", [checked("c.jpg")])
    assert (again.added, len(again.duplicates)) == ((), 1)
    assert len(storage.photos.add(db, project.id, id_of(bolt), "train", [checked("c.jpg")]).added) == 1


def test_photos_cannot_go_to_a_class_of_another_project(db: Database) -> None:
    project, (nut,) = project_with(db, "Nut", photos=1)
    _, (foreign,) = project_with(db, "Nut")
    photos = storage.photos.list_(db, project.id)
    with pytest.raises(StorageError):
        storage.photos.move(db, ids(photos), id_of(foreign))
    with pytest.raises(StorageError):
        storage.photos.add(db, project.id, id_of(foreign), "train", [checked("x.jpg")])
    assert storage.photos.list_(db, project.id) == photos
    assert nut.id == photos[0].class_id


def test_moving_to_a_class_that_has_the_photo_leaves_one(db: Database) -> None:
    project, (nut, bolt) = project_with(db, "Nut", "Bolt")
    (a,) = storage.photos.add(db, project.id, id_of(nut), "train", [checked("a.jpg", "same")]).added
    storage.photos.add(db, project.id, id_of(bolt), "train", [checked("b.jpg", "same")])
    storage.photos.move(db, [a.id], id_of(bolt))
    assert [p.record.filename for p in storage.photos.list_(db, project.id)] == ["b.jpg"]
    storage.undo.take_back(db, project.id)
    assert [p.record.filename for p in storage.photos.list_(db, project.id)] == ["a.jpg", "b.jpg"]


def test_thousands_of_photos_in_one_step(db: Database) -> None:
    project, (_nut, bolt) = project_with(db, "Nut", "Bolt", photos=1200)
    photos = storage.photos.list_(db, project.id)
    storage.photos.move(db, ids(photos), id_of(bolt))
    assert {p.class_id for p in storage.photos.list_(db, project.id)} == {bolt.id}
    assert storage.undo.take_back(db, project.id) == "move"
    assert storage.photos.list_(db, project.id) == photos


# -- undo ------------------------------------------------------------------------------------------------------------

Change = Callable[[Database, str, tuple[ClassRow, ...], tuple[Photo, ...]], object]
CHANGES: dict[str, Change] = {
    "add": lambda db, p, rows, _: storage.photos.add(db, p, id_of(rows[0]), "test", [checked("new.jpg")]),
    "move": lambda db, _, rows, photos: storage.photos.move(db, ids(photos[:2]), id_of(rows[1])),
    "role": lambda db, _, _r, photos: storage.photos.set_role(db, ids(photos[1:]), "test"),
    "exclude": lambda db, _, _r, photos: storage.photos.exclude(db, ids(photos[:2])),
    "delete": lambda db, _, _r, photos: storage.photos.delete(db, ids(photos)),
    "classes": lambda db, p, rows, _: storage.classes.save(
        db, p, [ClassRow(None, "New", ()), dataclasses.replace(rows[1], display_name="Other")]
    ),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_every_change_can_be_taken_back_exactly(db: Database, kind: str) -> None:
    project, rows = project_with(db, "Nut", "Bolt", photos=3)
    photos = storage.photos.list_(db, project.id)
    before, fingerprint = state_of(db, project.id), storage.photos.fingerprint(db, project.id)
    CHANGES[kind](db, project.id, rows, photos)
    assert state_of(db, project.id) != before
    assert storage.photos.fingerprint(db, project.id) != fingerprint
    assert storage.undo.available(db, project.id) == kind
    assert storage.undo.take_back(db, project.id) == kind
    assert state_of(db, project.id) == before
    assert storage.photos.fingerprint(db, project.id) == fingerprint


def tag_one(db: Database, _: str, _rows: object, photos: tuple[Photo, ...]) -> None:
    """Of the photos that there are, the first gets a value that it has not had."""
    storage.photos.set_tag(db, ids(photos[:1]), "line", f"{photos[0].tags}"[:60] if photos else "x")


CHANGES_OF_ALL_KINDS: dict[str, Change] = {**CHANGES, "tags": tag_one}


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kinds=st.lists(st.sampled_from(sorted(CHANGES_OF_ALL_KINDS)), max_size=6))
def test_any_row_of_changes_is_taken_back_step_by_step(db: Database, kinds: list[str]) -> None:
    project, _ = project_with(db, "Nut", "Bolt", photos=2)
    states = []
    for kind in kinds:
        rows = storage.classes.list_(db, project.id)
        before = state_of(db, project.id)
        CHANGES_OF_ALL_KINDS[kind](db, project.id, rows, storage.photos.list_(db, project.id))
        if state_of(db, project.id) != before:
            states.append((kind, before))
        # else it changed nothing (all is excluded already, say), and that is no step
    for kind, before in reversed(states):
        assert storage.undo.take_back(db, project.id) == kind
        assert state_of(db, project.id) == before
    assert len(storage.photos.list_(db, project.id)) == 4


def test_undo_stays_within_its_project_and_ends(db: Database) -> None:
    project, _ = project_with(db, "Nut", photos=1)
    other, _ = project_with(db, "Nut", photos=1)
    assert [storage.undo.take_back(db, project.id) for _ in range(3)] == ["add", "classes", None]
    assert len(storage.photos.list_(db, other.id)) == 1


@pytest.mark.parametrize("kind", ["move", "exclude"])
def test_undo_never_touches_another_projects_rows_even_under_the_same_number(db: Database, kind: str) -> None:
    """As after a restored backup, say: the step names numbers that by now belong to somebody else."""
    project, rows = project_with(db, "Nut", "Bolt", photos=2)
    other, _ = project_with(db, "Gear", photos=2)
    photos = storage.photos.list_(db, project.id)
    CHANGES[kind](db, project.id, rows, photos)
    with db.write() as session:
        session.execute(update(PhotoTable).values(project_id=other.id))

    def rows_of_other() -> list[tuple[object, ...]]:
        with db.read() as session:
            columns = (PhotoTable.id, PhotoTable.class_id, PhotoTable.excluded, PhotoTable.deleted_at)
            return [tuple(row) for row in session.execute(select(*columns).order_by(PhotoTable.id))]

    before = rows_of_other()
    storage.undo.take_back(db, project.id)
    assert rows_of_other() == before


def test_undo_goes_on_after_the_undo_period_for_what_is_still_there(db: Database) -> None:
    project, (nut,) = project_with(db, "Nut", photos=2)
    storage.purge(db, after(LATER_S))
    storage.classes.save(db, project.id, [dataclasses.replace(nut, display_name="Mutter")])
    storage.purge(db, after(LATER_S))
    assert [storage.undo.take_back(db, project.id) for _ in range(3)] == ["classes", "add", "classes"]


def test_a_step_that_names_what_left_the_disk_goes_with_it_and_with_all_before_it(db: Database) -> None:
    project, (_, bolt) = project_with(db, "Nut", "Bolt", photos=1)
    storage.classes.save(db, project.id, [bolt])  # deletes Nut and its photo
    storage.photos.exclude(db, ids(storage.photos.list_(db, project.id, id_of(bolt))))
    storage.purge(db, after(LATER_S))
    with db.read() as session:
        (left,) = session.scalars(select(UndoTable)).all()
    assert left.kind == "exclude"
    assert storage.undo.take_back(db, project.id) == "exclude"
    assert storage.undo.available(db, project.id) is None


def test_a_photo_is_not_put_back_into_a_class_that_is_gone_for_good(db: Database) -> None:
    project, (nut, bolt) = project_with(db, "Nut", "Bolt", photos=1)
    storage.photos.move(db, ids(storage.photos.list_(db, project.id, id_of(nut))), id_of(bolt))
    storage.classes.save(db, project.id, [bolt])
    storage.purge(db, after(LATER_S))
    assert storage.undo.take_back(db, project.id) is None
    assert {p.class_id for p in storage.photos.list_(db, project.id)} == {bolt.id}


# -- fingerprint -----------------------------------------------------------------------------------------------------


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    places=st.lists(
        st.tuples(st.integers(0, 9), st.integers(0, 1), st.sampled_from(["train", "test"])),
        unique_by=lambda place: (place[0], place[1]),
        min_size=1,
        max_size=8,
    ),
    random=st.randoms(use_true_random=False),
)
def test_the_fingerprint_is_that_of_the_content_in_whatever_order_and_project(
    db: Database, places: list[tuple[int, int, Role]], random: Any
) -> None:
    def build(order: Sequence[tuple[int, int, Role]], suffix: str) -> str:
        project, rows = project_with(db, "Nut", "Bolt")
        for number, label, role in order:
            photo = checked(f"{number}{suffix}.jpg", content=str(number))
            storage.photos.add(db, project.id, id_of(rows[label]), role, [photo])
        return project.id

    shuffled = list(places)
    random.shuffle(shuffled)
    first, second = build(places, ""), build(shuffled, " renamed")
    fingerprint = storage.photos.fingerprint(db, first)
    assert storage.photos.fingerprint(db, second) == fingerprint
    victim = random.choice(storage.photos.list_(db, second))
    storage.photos.exclude(db, [victim.id])
    assert storage.photos.fingerprint(db, second) != fingerprint
    storage.photos.restore(db, [victim.id])
    assert storage.photos.fingerprint(db, second) == fingerprint


def test_the_fingerprint_changes_with_all_that_a_training_learns_from_and_with_nothing_else(db: Database) -> None:
    project, (nut, bolt) = project_with(db, "Nut", "Bolt", photos=2)
    seen = {storage.photos.fingerprint(db, project.id)}
    storage.projects.rename(db, project.id, "Other")
    storage.projects.set_spec(db, project.id, {**SPEC, "seed": 5})
    assert storage.photos.fingerprint(db, project.id) in seen
    steps: list[Callable[[], object]] = [
        lambda: storage.projects.set_spec(db, project.id, {**SPEC, "templates": ["a tray of {}."]}),
        lambda: storage.classes.save(db, project.id, [bolt, nut]),
        lambda: storage.classes.save(db, project.id, [dataclasses.replace(bolt, prompt_names=("screw",)), nut]),
        lambda: storage.photos.set_role(db, ids(storage.photos.list_(db, project.id))[:1], "test"),
        lambda: storage.photos.delete(db, ids(storage.photos.list_(db, project.id))[:1]),
    ]
    for step in steps:
        step()
        seen.add(storage.photos.fingerprint(db, project.id))
    assert len(seen) == len(steps) + 1


# -- runs ------------------------------------------------------------------------------------------------------------

RESULT = {
    "evaluation": "test",
    "prolip": {"count": 2, "correct": 2},
    "zero_shot": {"correct": 1},
    "backbone": "starter",
    "settings": {"stopped_early": False},
    "class_names": ["Nut", "Bolt"],
    "photos": {"support": [{"id": "s", "filename": "s.jpg"}], "query": [{"id": "q", "filename": "q.jpg"}]},
}
ANSWERS = {"image_ids": ["q"], "labels": [1], "zero_shot": [[0.6, 0.4]], "prolip": [[0.1, 0.9]]}


def test_a_run_is_kept_whole_and_ends_its_job_in_the_same_step(db: Database) -> None:
    project, _ = project_with(db, "Nut", "Bolt")
    job = storage.jobs.enqueue(db, project.id, "train", {})
    summary = storage.runs.add(db, "r1", project.id, job.id, "f", RESULT, ANSWERS)
    record = storage.runs.load(db, "r1")
    assert record.summary == summary == storage.runs.list_(db, project.id)[0]
    assert record.result == RESULT
    assert (record.zero_shot[0].predicted, record.prolip[0].predicted, record.prolip[0].label) == (0, 1, 1)
    assert record.filenames == {"s": "s.jpg", "q": "q.jpg"}
    assert record.class_names == ("Nut", "Bolt")
    done = storage.jobs.get(db, job.id)
    assert done is not None
    assert (done.state, done.run_id) == ("done", "r1")


def test_numbers_of_runs_are_never_given_twice(db: Database) -> None:
    project, _ = project_with(db)
    for number in (1, 2):
        assert storage.runs.add(db, f"r{number}", project.id, None, "f", RESULT, ANSWERS).number == number
    storage.runs.delete(db, "r2")
    assert [run.id for run in storage.runs.list_(db, project.id)] == ["r1"]
    assert [run.id for run in storage.runs.deleted(db, project.id)] == ["r2"]
    assert storage.projects.cards(db)[0].last_run is not None
    assert storage.runs.add(db, "r3", project.id, None, "f", RESULT, ANSWERS).number == 3
    storage.runs.restore(db, "r2")
    assert [run.number for run in storage.runs.list_(db, project.id)] == [3, 2, 1]


def test_a_run_can_be_named_and_a_deleted_one_not_loaded(db: Database) -> None:
    project, _ = project_with(db)
    storage.runs.add(db, "r1", project.id, None, "f", RESULT, ANSWERS)
    storage.runs.rename(db, "r1", " With   lamp ")
    assert storage.runs.load(db, "r1").summary.name == "With lamp"
    storage.runs.rename(db, "r1", " ")
    assert storage.runs.load(db, "r1").summary.name == ""
    storage.runs.delete(db, "r1")
    for change in (lambda: storage.runs.load(db, "r1"), lambda: storage.runs.rename(db, "r1", "x")):
        with pytest.raises(RunError):
            change()


def test_how_sure_a_run_must_be_can_be_set_and_taken_back(db: Database) -> None:
    project, _ = project_with(db)
    assert storage.runs.add(db, "r1", project.id, None, "f", RESULT, ANSWERS).threshold is None
    for threshold in (0.0, 0.85, 1.0, None):
        storage.runs.set_threshold(db, "r1", threshold)
        assert storage.runs.load(db, "r1").summary.threshold == threshold
    for wrong in (-0.01, 1.01, float("nan")):
        with pytest.raises(ConfigError, match="between 0 and 1"):
            storage.runs.set_threshold(db, "r1", wrong)
    storage.runs.delete(db, "r1")
    with pytest.raises(RunError):
        storage.runs.set_threshold(db, "r1", 0.5)


def test_a_run_of_a_project_that_was_deleted_meanwhile_is_not_kept(db: Database) -> None:
    project, _ = project_with(db)
    storage.projects.delete(db, project.id)
    with pytest.raises(ProLIPError):
        storage.runs.add(db, "r1", project.id, None, "f", RESULT, ANSWERS)


# -- studies ---------------------------------------------------------------------------------------------------------


def add_study(db: Database, project_id: str, kind: str = "curve", run_id: str | None = None, **result: object) -> str:
    return storage.studies.add(db, project_id, None, kind, {"draws": 2}, "f", result, run_id=run_id).id


def test_a_study_is_kept_whole_and_ends_its_job_in_the_same_step(db: Database) -> None:
    project, _ = project_with(db, "Nut", "Bolt")
    job = storage.jobs.enqueue(db, project.id, "study", {}, key="curve")
    summary = storage.studies.add(db, project.id, job.id, "curve", {"draws": 2}, "f", {"study": "curve"})
    assert storage.studies.load(db, summary.id).summary == summary == storage.studies.latest(db, project.id, "curve")
    assert storage.studies.load(db, summary.id).result == {"study": "curve"}
    assert (summary.settings, summary.fingerprint, summary.job_id) == ({"draws": 2}, "f", job.id)
    done = storage.jobs.get(db, job.id)
    assert done is not None
    assert done.state == "done"
    assert done.finished_at == summary.created_at


def test_the_newest_study_of_a_kind_and_a_run_is_given_and_few_older_ones_are_kept(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage.studies, "KEPT", 2)
    project, _ = project_with(db, "Nut", "Bolt")
    other, _ = project_with(db, "Nut")
    storage.runs.add(db, "r1", project.id, None, "f", RESULT, ANSWERS)
    first, *rest = (add_study(db, project.id, number=n) for n in range(4))
    of_run = add_study(db, project.id, run_id="r1")
    methods = add_study(db, project.id, "methods")
    add_study(db, other.id)
    for kind, run_id, expected in (("curve", None, rest[-1]), ("curve", "r1", of_run), ("methods", None, methods)):
        found = storage.studies.latest(db, project.id, kind, run_id)
        assert found is not None
        assert (found.id, found.run_id) == (expected, run_id)
    assert storage.studies.latest(db, project.id, "methods", "r1") is None
    assert [one.id for one in storage.studies.list_(db, project.id)] == [methods, of_run, rest[2], rest[1]]
    with pytest.raises(RunError, match="not there any more"):
        storage.studies.load(db, first)
    storage.studies.delete(db, methods)
    assert storage.studies.latest(db, project.id, "methods") is None


def test_studies_go_with_their_run_and_their_project_and_are_not_copied(db: Database) -> None:
    project, _ = project_with(db, "Nut", "Bolt")
    storage.runs.add(db, "r1", project.id, None, "f", RESULT, ANSWERS)
    of_photos, of_run = add_study(db, project.id), add_study(db, project.id, run_id="r1")
    copy = storage.projects.duplicate(db, project.id, "Copy")
    assert storage.studies.list_(db, copy.id) == ()
    storage.runs.delete(db, "r1")
    assert [one.id for one in storage.studies.list_(db, project.id)] == [of_photos]
    with pytest.raises(RunError):
        add_study(db, project.id, run_id="r1")
    storage.runs.restore(db, "r1")
    assert storage.studies.latest(db, project.id, "curve", "r1") is not None
    storage.runs.delete(db, "r1")
    storage.purge(db, after(LATER_S))
    with pytest.raises(RunError):
        storage.studies.load(db, of_run)
    assert storage.studies.load(db, of_photos).result == {}
    storage.projects.delete(db, project.id)
    with pytest.raises(StorageError):
        add_study(db, project.id)
    storage.purge(db, after(2 * LATER_S))
    with pytest.raises(RunError):
        storage.studies.load(db, of_photos)


def test_studies_under_way_and_the_last_of_each_are_found(db: Database) -> None:
    project, _ = project_with(db, "Nut", "Bolt")
    curve = storage.jobs.enqueue(db, project.id, "study", {}, key="curve")
    assert storage.jobs.enqueue(db, project.id, "study", {}, key="curve").id == curve.id
    of_run = storage.jobs.enqueue(db, project.id, "study", {}, key=storage.studies.key_of("curve", "r1"))
    assert [job.id for job in storage.jobs.live_studies(db, project.id)] == [curve.id, of_run.id]
    assert storage.jobs.live(db, project.id) is None  # the page of the training is free
    training = storage.jobs.enqueue(db, project.id, "train", {})
    assert [storage.jobs.ahead(db, job.id) for job in (training, curve, of_run)] == [0, 1, 2]
    storage.jobs.request_stop(db, curve.id)
    assert [job.id for job in storage.jobs.live_studies(db, project.id)] == [of_run.id]
    last = storage.jobs.latest_study(db, project.id, "curve")
    assert last is not None
    assert (last.id, last.state) == (curve.id, "stopped")
    assert storage.jobs.latest_study(db, project.id, "methods") is None


# -- jobs ------------------------------------------------------------------------------------------------------------


def test_the_same_work_is_not_queued_twice_but_again_once_it_is_over(db: Database) -> None:
    project, _ = project_with(db)
    first = storage.jobs.enqueue(db, project.id, "train", {"n": 1})
    assert storage.jobs.enqueue(db, project.id, "train", {"n": 2}).id == first.id
    assert storage.jobs.enqueue(db, project.id, "similarity", {}, key="a").id != first.id
    storage.jobs.finish(db, first.id, "done")
    assert storage.jobs.enqueue(db, project.id, "train", {}).id != first.id


def test_a_job_goes_to_one_worker_only(db: Database) -> None:
    project, _ = project_with(db)
    for number in range(10):
        storage.jobs.enqueue(db, project.id, "similarity", {}, key=str(number))
    claimed: list[str] = []

    def work(name: str) -> None:
        while (job := storage.jobs.claim(db, name, ("auto",))) is not None:
            claimed.append(job.id)

    threads = [threading.Thread(target=work, args=(f"w{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(claimed) == len(set(claimed)) == 10


def test_the_queue_is_first_come_first_served_for_each_device(db: Database) -> None:
    projects = [project_with(db)[0] for _ in range(3)]
    jobs = [storage.jobs.enqueue(db, project.id, "train", {}) for project in projects]
    other = storage.jobs.enqueue(db, projects[0].id, "similarity", {}, key="o", device="cuda")
    assert [storage.jobs.ahead(db, job.id) for job in (*jobs, other)] == [0, 1, 2, 0]
    assert set(storage.jobs.waiting_devices(db)) == {"auto", "cuda"}
    storage.jobs.enqueue(db, projects[0].id, "similarity", {}, key="k")
    taken = storage.jobs.claim(db, "w", ("auto",))
    assert taken is not None
    assert taken.id == jobs[0].id
    assert storage.jobs.ahead(db, jobs[2].id) == 2
    storage.jobs.finish(db, taken.id, "done")
    assert storage.jobs.ahead(db, jobs[2].id) == 1


def test_who_waits_for_seconds_does_not_wait_for_studies(db: Database) -> None:
    """A photo that is tried comes first, then trainings, then studies; what runs is not interrupted."""
    project, _ = project_with(db)
    kinds: tuple[tuple[JobKind, str], ...] = (
        ("study", "a"),
        ("study", "b"),
        ("train", ""),
        ("similarity", "s"),
        ("try", "t"),
    )
    made = {key: storage.jobs.enqueue(db, project.id, kind, {}, key=key) for kind, key in kinds}
    taken: list[str] = []
    running = storage.jobs.claim(db, "w", ("auto",))
    assert running is not None and running.id == made["t"].id
    assert [storage.jobs.ahead(db, made[key].id) for key in ("", "a", "b")] == [1, 2, 3]
    while running is not None:
        taken += [key for key, job in made.items() if job.id == running.id]
        storage.jobs.finish(db, running.id, "done")
        running = storage.jobs.claim(db, "w", ("auto",))
    assert taken == ["t", "", "s", "a", "b"]


def test_the_queue_is_that_of_the_worker_and_names_alone_are_no_training(db: Database) -> None:
    projects = [project_with(db)[0] for _ in range(4)]
    first = storage.jobs.enqueue(db, projects[0].id, "train", {})
    assert storage.jobs.claim(db, "auto", ("auto", "cpu")) is not None
    storage.jobs.enqueue(db, projects[0].id, "similarity", {}, key="k")
    on_cpu = storage.jobs.enqueue(db, projects[1].id, "sample", {}, device="cpu")
    on_gpu = storage.jobs.enqueue(db, projects[2].id, "train", {}, device="cuda")
    last = storage.jobs.enqueue(db, projects[3].id, "train", {})

    def places() -> list[int]:
        return [storage.jobs.ahead(db, job.id) for job in (first, on_cpu, on_gpu, last)]

    storage.jobs.worker_beat(db, "auto", "cpu", ("cpu",))
    assert places() == [0, 1, 0, 2]
    storage.jobs.worker_beat(db, "auto", "cuda", ("cuda", "cpu"))
    assert places() == [0, 0, 1, 2]


def test_a_stop_ends_waiting_work_at_once_and_asks_running_work(db: Database) -> None:
    project, _ = project_with(db)
    job = storage.jobs.enqueue(db, project.id, "train", {})
    running = storage.jobs.claim(db, "w", ("auto",))
    assert running is not None
    storage.jobs.request_stop(db, job.id)
    storage.jobs.request_stop(db, job.id)
    assert storage.jobs.stop_requests(db, job.id) == 2
    now = storage.jobs.get(db, job.id)
    assert now is not None
    assert now.state == "running"
    assert now.version > running.version
    waiting = storage.jobs.enqueue(db, project.id, "similarity", {}, key="k")
    storage.jobs.request_stop(db, waiting.id)
    stopped = storage.jobs.get(db, waiting.id)
    assert stopped is not None
    assert stopped.state == "stopped"


def test_jobs_of_a_dead_worker_fail_and_those_that_ended_stay(db: Database) -> None:
    project, _ = project_with(db)
    done = storage.jobs.enqueue(db, project.id, "similarity", {}, key="k")
    storage.jobs.finish(db, done.id, "done", result={"x": 1})
    lost = storage.jobs.enqueue(db, project.id, "train", {})
    storage.jobs.claim(db, "auto", ("auto",))
    error = {"message": "gone", "remedy": "", "values": {}}
    assert storage.jobs.fail_orphans(db, "other", error) == 0
    assert storage.jobs.fail_orphans(db, "auto", error) == 1
    failed = storage.jobs.get(db, lost.id)
    assert failed is not None
    assert (failed.state, failed.error) == ("failed", error)
    storage.jobs.finish(db, done.id, "failed", error=error)
    kept = storage.jobs.find_done(db, "similarity", "k")
    assert kept is not None
    assert kept.result == {"x": 1}


def test_a_long_curve_is_thinned_with_its_end_kept(db: Database) -> None:
    project, _ = project_with(db)
    job = storage.jobs.enqueue(db, project.id, "train", {})
    storage.jobs.add_steps(db, job.id, [Step(n, 1000, 1 / n, 1 / n, 0.0, 0.5, n / 10) for n in range(1, 1001)])
    assert len(storage.jobs.steps(db, job.id)) == 1000
    thin = storage.jobs.steps(db, job.id, at_most=100)
    assert 40 <= len(thin) <= 100
    assert (thin[0].step, thin[-1].step) == (1, 1000)
    assert [step.step for step in storage.jobs.steps(db, job.id, after=998)] == [999, 1000]


@pytest.mark.parametrize("end", ["finish", "run", "death"])
def test_of_a_finished_training_a_bounded_curve_is_kept(db: Database, end: str) -> None:
    project, _ = project_with(db)
    count = 3 * storage.jobs.MAX_STEPS + 7
    storage.jobs.enqueue(db, project.id, "train", {})
    job = storage.jobs.claim(db, "auto", ("auto",))
    assert job is not None
    storage.jobs.add_steps(db, job.id, [Step(n, count, 1 / n, 1 / n, 0.0, 0.5, n / 10) for n in range(1, count + 1)])
    storage.jobs.thin(db, job.id)
    assert len(storage.jobs.steps(db, job.id)) == count  # it still runs
    if end == "finish":
        storage.jobs.finish(db, job.id, "stopped")
    elif end == "death":
        storage.jobs.fail_orphans(db, "auto", {})
    else:
        storage.runs.add(db, "r1", project.id, job.id, "f", RESULT, ANSWERS)
        storage.jobs.thin(db, job.id)
    kept = [step.step for step in storage.jobs.steps(db, job.id)]
    assert storage.jobs.MAX_STEPS / 3 < len(kept) <= storage.jobs.MAX_STEPS
    assert (kept[0], kept[-1]) == (1, count)
    gaps = [second - first for first, second in itertools.pairwise(kept)]
    assert max(gaps) == statistics.median(gaps)
    shown = [step.step for step in storage.jobs.steps(db, job.id, at_most=400)]
    assert 150 < len(shown) <= 400 and (shown[0], shown[-1]) == (1, count)
    finished = storage.jobs.get(db, job.id)
    assert finished is not None and finished.n_steps == count


def test_of_the_comparisons_of_names_only_the_newest_are_kept(db: Database) -> None:
    projects = [project_with(db)[0] for _ in range(2)]
    training = storage.jobs.enqueue(db, projects[0].id, "train", {})
    storage.jobs.finish(db, training.id, "failed")
    count = 2 * storage.jobs.KEPT["similarity"]
    for number in range(count):
        for project in projects:
            job = storage.jobs.enqueue(db, project.id, "similarity", {}, key=f"{project.id[:4]}{number}")
            storage.jobs.finish(db, job.id, "done", result={"matrix": [[1.0]]})
    waiting = storage.jobs.enqueue(db, projects[0].id, "similarity", {}, key="waiting")
    for project in projects:
        found = [storage.jobs.find_done(db, "similarity", f"{project.id[:4]}{number}") for number in range(count)]
        assert [one is not None for one in found] == [number >= count / 2 for number in range(count)]
    assert storage.jobs.get(db, waiting.id) is not None
    assert storage.jobs.get(db, training.id) is not None


# -- deleting for good -----------------------------------------------------------------------------------------------


def files_of(image_id: str) -> list[Path]:
    """Everything on disk that belongs to a photo; made here, older than a minute."""
    part = Path(image_id[:2]) / image_id[2:4]
    files = [
        config.photo_folder() / part / image_id,
        config.thumbnail_folder() / part / f"{image_id}.webp",
        config.cache_folder() / "features" / "key" / image_id[:2] / f"{image_id}-0.npy",
    ]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x")
        os.utime(file, (time.time() - 120, time.time() - 120))
    return files


def test_deleted_photos_leave_the_disk_after_the_undo_period_and_not_before(db: Database) -> None:
    project, _ = project_with(db, "Nut", photos=2)
    gone, kept = storage.photos.list_(db, project.id)
    files, other_files = files_of(gone.image_id), files_of(kept.image_id)
    storage.photos.delete(db, [gone.id])
    assert storage.purge(db, after(config.UNDO_PERIOD_S - 5)).photos == 0
    assert all(file.exists() for file in files)
    assert storage.purge(db, after(LATER_S)).photos == 1
    assert not any(file.exists() for file in files)
    assert all(file.exists() for file in other_files)
    assert storage.undo.available(db, project.id) is None


def test_a_photo_that_another_project_uses_stays(db: Database) -> None:
    project, _ = project_with(db, "Nut", photos=1)
    storage.projects.duplicate(db, project.id, "Copy")
    files = files_of(storage.photos.list_(db, project.id)[0].image_id)
    storage.projects.delete(db, project.id)
    assert storage.purge(db, after(LATER_S)).projects == 1
    assert all(file.exists() for file in files)


def test_a_deleted_class_takes_its_photos_with_it(db: Database) -> None:
    project, (nut, bolt) = project_with(db, "Nut", "Bolt", photos=1)
    files = files_of(storage.photos.list_(db, project.id, id_of(nut))[0].image_id)
    storage.classes.save(db, project.id, [bolt])
    storage.purge(db, after(LATER_S))
    assert not any(file.exists() for file in files)
    assert len(storage.photos.list_(db, project.id)) == 1


def test_the_folders_of_deleted_runs_and_projects_go(db: Database) -> None:
    project, _ = project_with(db)
    other, _ = project_with(db)
    for run, owner in (("kept", project), ("gone", project), ("other", other)):
        storage.runs.add(db, run, owner.id, None, "f", RESULT, ANSWERS)
        (config.run_folder() / run).mkdir(parents=True)
        (config.run_folder() / run / "result.json").write_text("{}")
        (config.hand_over_folder() / run).mkdir(parents=True)
        (config.hand_over_folder() / run / "hand-over.zip").write_text("zip")
    storage.runs.delete(db, "gone")
    storage.projects.delete(db, other.id)
    assert storage.purge(db, after(LATER_S)).runs == 2
    assert [folder.name for folder in config.run_folder().iterdir()] == ["kept"]
    assert [folder.name for folder in config.hand_over_folder().iterdir()] == ["kept"]
    with pytest.raises(StorageError):
        storage.projects.restore(db, other.id)


def test_an_expired_project_goes_with_the_next_purge(db: Database) -> None:
    project, _ = project_with(db, "Nut", photos=1)
    storage.projects.expire(db, project.id)  # not deleted: nothing happens
    assert storage.projects.get(db, project.id) is not None
    files = files_of(storage.photos.list_(db, project.id)[0].image_id)
    storage.projects.delete(db, project.id)
    with db.write() as session:  # a day that not every year has
        session.execute(update(ProjectTable).values(deleted_at=datetime(2028, 2, 29, tzinfo=UTC)))
    storage.projects.expire(db, project.id)
    assert storage.purge(db).projects == 1
    assert not any(file.exists() for file in files)


def test_a_project_is_not_purged_under_its_running_work(db: Database) -> None:
    project, _ = project_with(db, "Nut", photos=1)
    job = storage.jobs.enqueue(db, project.id, "train", {})
    storage.jobs.claim(db, "auto", ["auto"])
    files = files_of(storage.photos.list_(db, project.id)[0].image_id)
    storage.projects.delete(db, project.id)
    storage.projects.expire(db, project.id)
    assert storage.purge(db).projects == 0
    storage.jobs.finish(db, job.id, "stopped")
    assert storage.purge(db).projects == 1
    assert not any(file.exists() for file in files)


def test_a_photo_that_is_being_added_to_another_project_stays(db: Database) -> None:
    project, _ = project_with(db, "Nut", photos=1)
    (photo,) = storage.photos.list_(db, project.id)
    files = files_of(photo.image_id)
    storage.projects.delete(db, project.id)
    storage.projects.expire(db, project.id)
    assert ContentStore(config.photo_folder()).hold(photo.image_id)  # another tab has stored it again; no row yet
    storage.purge(db)
    assert all(file.exists() for file in files)
    storage.purge(db, after(2 * 3600))
    assert not any(file.exists() for file in files)


def test_photos_of_a_study_of_its_own_stay_as_long_as_it_keeps_or_needs_them(db: Database) -> None:
    project, _ = project_with(db, "Nut")
    store = ContentStore(config.photo_folder())
    kept, needed, lost = (store.put(name) for name in (b"kept", b"needed", b"lost"))
    settings = {storage.studies.KEEPS: [kept], storage.studies.NEEDS: [needed]}
    job = storage.jobs.enqueue(db, project.id, "study", {"kind": "certainty", "settings": settings}, key="certainty")
    storage.purge(db, after(2 * 3600))
    assert [one in store for one in (kept, needed, lost)] == [True, True, False]
    done = storage.studies.add(db, project.id, job.id, "certainty", settings, "", {})
    storage.purge(db, after(2 * 3600))
    assert [one in store for one in (kept, needed)] == [True, False]
    storage.studies.delete(db, done.id)
    storage.purge(db, after(2 * 3600))
    assert kept not in store


def test_what_a_killed_process_left_half_written_goes_in_the_end(db: Database) -> None:
    folder = config.photo_folder() / "ab" / "cd"
    folder.mkdir(parents=True)
    (folder / ".new-x1").write_bytes(b"half a photo")
    storage.purge(db)
    assert (folder / ".new-x1").exists()
    storage.purge(db, after(2 * 3600))
    assert not (folder / ".new-x1").exists()


def test_a_photo_that_cannot_be_removed_whole_is_tried_again(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    project, _ = project_with(db, "Nut", photos=1)
    (photo,) = storage.photos.list_(db, project.id)
    files = files_of(photo.image_id)
    storage.photos.delete(db, [photo.id])
    remove = Path.unlink

    def held(self: Path, missing_ok: bool = False) -> None:
        if self == files[2]:
            raise PermissionError("held open by another program")
        remove(self, missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", held)
        assert storage.purge(db, after(LATER_S)).photos == 0
    assert files[0].exists() and files[2].exists()
    storage.purge(db, after(2 * 3600))
    assert not any(file.exists() for file in files)


def test_an_upload_under_way_is_left_alone_and_what_belongs_to_nobody_goes_in_the_end(db: Database) -> None:
    stray = files_of(hashlib.sha256(b"stray").hexdigest())[:2]
    folder = config.run_folder() / "half"
    folder.mkdir(parents=True)
    storage.purge(db)
    assert all(file.exists() for file in stray)
    assert folder.is_dir()
    storage.purge(db, after(2 * 3600))
    assert not any(file.exists() for file in stray)
    assert not folder.exists()


def test_a_photo_added_again_meanwhile_is_kept(db: Database) -> None:
    project, (nut,) = project_with(db, "Nut", photos=1)
    (photo,) = storage.photos.list_(db, project.id)
    files = files_of(photo.image_id)
    storage.photos.delete(db, [photo.id])
    again = CheckedPhoto(photo.record, photo.quality)
    storage.photos.add(db, project.id, id_of(nut), "train", [again])
    storage.purge(db, after(LATER_S))
    assert all(file.exists() for file in files)


def test_no_word_of_a_purged_project_is_left_in_the_database_files(db: Database) -> None:
    secret = "Geheimteil" * 5
    project = storage.projects.create(db, secret, SPEC)
    (row,) = storage.classes.save(db, project.id, [ClassRow(None, secret, ())])
    storage.photos.add(db, project.id, id_of(row), "train", [checked(f"{secret}.jpg")])
    storage.jobs.enqueue(db, project.id, "similarity", {"classes": [secret]})
    storage.runs.add(db, "r1", project.id, None, "f", {**RESULT, "class_names": [secret]}, ANSWERS)

    def found() -> list[str]:
        files = config.data_folder().glob("prolip.db*")
        return [file.name for file in files if secret.encode() in file.read_bytes()]

    assert found()
    storage.projects.delete(db, project.id)
    storage.purge(db, after(LATER_S))
    assert found() == []
