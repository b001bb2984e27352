"""Tags of photos in the database: set, changed, taken away, undone, copied, and gone with their photo."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import create_engine, inspect, select

from prolip_core import config, storage, tags
from prolip_core.errors import DatasetError
from prolip_core.storage import Database
from prolip_core.storage.database import migration_config, now
from prolip_core.storage.schema import PhotoTagTable, UndoTable
from tests.test_storage import LATER_S, after, checked, id_of, ids, project_with


def tags_of(db: Database, project_id: str) -> list[dict[str, str]]:
    return [dict(photo.tags) for photo in storage.photos.list_(db, project_id)]


def rows(db: Database) -> list[tuple[int, str, str]]:
    with db.read() as session:
        found = session.scalars(select(PhotoTagTable)).all()
    return [(row.photo_id, row.name, row.value) for row in found]


def test_tags_are_set_changed_and_taken_away(db: Database) -> None:
    project, _ = project_with(db, "Nut", photos=3)
    photos = ids(storage.photos.list_(db, project.id))
    assert storage.photos.set_tag(db, photos[:2], " ｌｉｎｅ ", "Ａ") == 2
    assert storage.photos.set_tag(db, photos, "camera", "x") == 3
    assert storage.photos.set_tag(db, photos[1:], "line", "B") == 2
    assert tags_of(db, project.id) == [
        {"camera": "x", "line": "A"},
        {"camera": "x", "line": "B"},
        {"camera": "x", "line": "B"},
    ]
    assert storage.photos.list_(db, project.id)[0].tags == (("camera", "x"), ("line", "A"))
    assert storage.photos.remove_tag(db, photos[:1], "line") == 1
    assert tags_of(db, project.id)[0] == {"camera": "x"}


def test_many_photos_from_a_table_are_one_step_and_what_is_so_already_is_none(db: Database) -> None:
    project, _ = project_with(db, "Nut", photos=3)
    before = storage.projects.get(db, project.id)
    a, b, c = ids(storage.photos.list_(db, project.id))
    assert (
        storage.photos.change_tags(db, {a: {"line": "1", "shift": "day"}, b: {"line": "2"}, 10_000: {"line": "3"}}) == 2
    )
    changed = storage.projects.get(db, project.id)
    assert before is not None and changed is not None and changed.changed_at > before.changed_at
    assert storage.photos.change_tags(db, {a: {"line": "1"}, b: {"shift": None}, c: {}}) == 0
    assert storage.undo.take_back(db, project.id) == "tags"
    assert tags_of(db, project.id) == [{}, {}, {}]
    assert storage.undo.available(db, project.id) == "add"


def test_every_change_of_tags_is_taken_back_and_no_fingerprint_knows_of_it(db: Database) -> None:
    project, _ = project_with(db, "Nut", photos=2)
    photos = ids(storage.photos.list_(db, project.id))
    fingerprint = storage.photos.fingerprint(db, project.id)
    states = []
    steps: list[Callable[[], int]] = [
        lambda: storage.photos.set_tag(db, photos, "line", "A"),
        lambda: storage.photos.set_tag(db, photos[:1], "line", "B"),
        lambda: storage.photos.remove_tag(db, photos, "line"),
    ]
    for step in steps:
        states.append(tags_of(db, project.id))
        step()
        assert storage.photos.fingerprint(db, project.id) == fingerprint
        assert storage.undo.available(db, project.id) == "tags"
    for state in reversed(states):
        assert storage.undo.take_back(db, project.id) == "tags"
        assert tags_of(db, project.id) == state


def test_deleted_photos_are_passed_over_and_come_back_with_their_tags(db: Database) -> None:
    project, _ = project_with(db, "Nut", photos=2)
    photos = ids(storage.photos.list_(db, project.id))
    storage.photos.set_tag(db, photos, "line", "A")
    storage.photos.delete(db, photos[:1])
    assert storage.photos.set_tag(db, photos, "line", "B") == 1
    storage.undo.take_back(db, project.id)
    storage.undo.take_back(db, project.id)
    assert tags_of(db, project.id) == [{"line": "A"}, {"line": "A"}]


def test_photos_of_two_projects_are_a_step_in_each(db: Database) -> None:
    (one, _), (other, _) = project_with(db, "Nut", photos=1), project_with(db, "Nut", photos=1)
    both = [storage.photos.list_(db, project.id)[0].id for project in (one, other)]
    storage.photos.set_tag(db, both, "line", "A")
    storage.undo.take_back(db, one.id)
    assert (tags_of(db, one.id), tags_of(db, other.id)) == ([{}], [{"line": "A"}])


def test_a_copy_has_the_tags_and_leads_its_own_life(db: Database) -> None:
    project, _ = project_with(db, "Nut", "Bolt", photos=2)
    photos = ids(storage.photos.list_(db, project.id))
    storage.photos.set_tag(db, photos[:3], "line", "A")
    storage.photos.delete(db, photos[:1])
    copy = storage.projects.duplicate(db, project.id, "Copy")
    assert tags_of(db, copy.id) == tags_of(db, project.id) == [{"line": "A"}, {"line": "A"}, {}]
    storage.photos.remove_tag(db, ids(storage.photos.list_(db, copy.id)), "line")
    assert tags_of(db, project.id) == [{"line": "A"}, {"line": "A"}, {}]


def test_tags_leave_the_database_with_their_photo_and_so_do_the_steps_that_name_it(db: Database) -> None:
    project, _ = project_with(db, "Nut", photos=2)
    photos = ids(storage.photos.list_(db, project.id))
    storage.photos.set_tag(db, photos, "line", "Secret")
    storage.photos.set_tag(db, photos, "line", "Other")  # its step tells the value before
    storage.photos.delete(db, photos[:1])
    storage.purge(db, after(LATER_S))
    assert rows(db) == [(photos[1], "line", "Other")]
    assert storage.undo.available(db, project.id) is None
    storage.projects.delete(db, project.id)
    storage.purge(db, after(2 * LATER_S))
    assert rows(db) == []
    db.close()
    files = [file for file in config.data_folder().iterdir() if file.name.startswith("prolip.db")]
    assert files and not any(b"Secret" in file.read_bytes() for file in files)


def test_a_tag_that_cannot_be_one_changes_nothing(db: Database) -> None:
    project, _ = project_with(db, "Nut", photos=2)
    photos = ids(storage.photos.list_(db, project.id))
    full = {f"t{n}": "x" for n in range(tags.MAX_TAGS)}
    storage.photos.change_tags(db, {photos[1]: full})
    for name, value in (("", "A"), ("line", "\u3000"), ("x" * 41, "A"), ("line", "x" * 61), ("one too many", "A")):
        with pytest.raises(DatasetError) as told:
            storage.photos.set_tag(db, photos, name, value)
        assert told.value.remedy_text
        assert tags_of(db, project.id) == [{}, full]
    storage.photos.set_tag(db, photos, "t0", "changed")  # no tag more
    assert tags_of(db, project.id)[1]["t0"] == "changed"


def test_thousands_of_photos_in_one_step(db: Database) -> None:
    project, (nut,) = project_with(db, "Nut")
    storage.photos.add(db, project.id, id_of(nut), "train", [checked(f"{n}.jpg") for n in range(1200)])
    photos = ids(storage.photos.list_(db, project.id))
    assert storage.photos.set_tag(db, photos, "line", "A") == 1200
    storage.undo.take_back(db, project.id)
    assert rows(db) == []


def test_a_step_that_an_older_version_kept_is_taken_back(db: Database) -> None:
    project, _ = project_with(db, "Nut", photos=1)
    (photo,) = storage.photos.list_(db, project.id)
    state = {"id": photo.id, "deleted_at": None, "class_id": photo.class_id, "role": "test", "excluded": False}
    with db.write() as session:
        before = {"photos": [state], "classes": [], "batch": ""}
        session.add(UndoTable(project_id=project.id, at=now(), kind="role", before=before))
    storage.purge(db)
    assert storage.undo.take_back(db, project.id) == "role"
    assert storage.photos.list_(db, project.id)[0].role == "test"


def test_a_database_without_tags_gets_their_table(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'x.db'}"
    storage.open_database(url).close()
    with create_engine(url).begin() as connection:
        connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
        command.downgrade(migration_config(connection), "0003")
    with create_engine(url).connect() as connection:
        assert "photo_tag" not in inspect(connection).get_table_names()
    db = storage.open_database(url)
    project, _ = project_with(db, "Nut", photos=1)
    storage.photos.set_tag(db, ids(storage.photos.list_(db, project.id)), "line", "A")
    assert tags_of(db, project.id) == [{"line": "A"}]
    db.close()
