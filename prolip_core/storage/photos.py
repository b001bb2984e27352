"""The photos of a project: where each belongs, what it is used for, and the fingerprint of them all.

Only records are kept here; the bytes lie in the content store under `Photo.image_id`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from prolip_core import tags
from prolip_core.errors import StorageError
from prolip_core.image_files import natural_key
from prolip_core.storage import photo_columns, photo_tags, undo
from prolip_core.storage.database import Database, now
from prolip_core.storage.names import clean
from prolip_core.storage.projects import live_row, touch
from prolip_core.storage.records import AddResult, Photo, Role, Tags
from prolip_core.storage.schema import ClassTable, PhotoTable
from prolip_core.types import CheckedPhoto, DuplicateFile

_BATCH = 500  # SQLite takes a limited number of values in one statement


def list_(
    db: Database,
    project_id: str,
    class_id: int | None = None,
    role: Role | None = None,
    *,
    include_excluded: bool = True,
) -> tuple[Photo, ...]:
    """The photos in class order; within a class those to learn from first, each in natural order of their names."""
    with db.read() as session:
        return read(session, project_id, class_id, role, include_excluded=include_excluded)


def read(
    session: Session,
    project_id: str,
    class_id: int | None = None,
    role: Role | None = None,
    *,
    include_excluded: bool = True,
) -> tuple[Photo, ...]:
    """`list_` inside a session that is already open."""
    query = (
        select(PhotoTable, ClassTable.position)
        .join(ClassTable, ClassTable.id == PhotoTable.class_id)
        .where(PhotoTable.project_id == project_id, PhotoTable.deleted_at.is_(None), ClassTable.deleted_at.is_(None))
    )
    if class_id is not None:
        query = query.where(PhotoTable.class_id == class_id)
    if role is not None:
        query = query.where(PhotoTable.role == role)
    if not include_excluded:
        query = query.where(PhotoTable.excluded.is_(False))
    found = session.execute(query).all()
    ordered = sorted(
        found, key=lambda pair: (pair[1], pair[0].role != "train", natural_key(pair[0].filename), pair[0].id)
    )
    tags_of = photo_tags.read(session, [row.id for row, _ in ordered])
    return tuple(_photo(row, tags_of.get(row.id, ())) for row, _ in ordered)


def add(
    db: Database, project_id: str, class_id: int, role: Role, items: Sequence[CheckedPhoto], *, batch: str = ""
) -> AddResult:
    """Adds photos to a class as one undo step, or one together with the calls before it that had the same `batch`. Photos whose
    very bytes the class has already are told as duplicates.

    Raises StorageError if the project or the class is gone.
    """
    with db.write() as session:
        return add_in(session, project_id, class_id, role, items, "add", batch=batch)


def add_in(
    session: Session,
    project_id: str,
    class_id: int,
    role: Role,
    items: Sequence[CheckedPhoto],
    kind: str,
    *,
    batch: str = "",
) -> AddResult:
    """`add` inside a session that is already open, as an undo step of this kind."""
    owner = session.get(ClassTable, class_id)
    if owner is None or owner.deleted_at is not None or owner.project_id != project_id:
        raise StorageError("This class is not there any more.", remedy="Choose another class and add the photos again.")
    touch(session, project_id)
    duplicates: list[DuplicateFile] = []
    new: list[PhotoTable] = []
    in_class = session.execute(
        select(PhotoTable.image_id, PhotoTable.filename).where(
            PhotoTable.class_id == class_id, PhotoTable.deleted_at.is_(None)
        )
    )
    names = {row[0]: row[1] for row in in_class}
    for item in items:
        record = item.record
        if record.image_id in names:
            duplicates.append(DuplicateFile(record.filename, names[record.image_id], record.image_id))
            continue
        names[record.image_id] = record.filename
        new.append(_row(project_id, class_id, role, item))
    if new:
        session.add_all(new)
        session.flush()
        undo.remember(session, project_id, kind, new=new, batch=batch)
    return AddResult(tuple(_photo(row) for row in new), tuple(duplicates))


def move(db: Database, photo_ids: Sequence[int], class_id: int) -> None:
    """To another class of the same project; a photo that the class has already is deleted instead of doubled.

    Raises StorageError if the class is gone or belongs to another project.
    """

    def change(session: Session, rows: Sequence[PhotoTable]) -> None:
        owner = session.get(ClassTable, class_id)
        if owner is None or owner.deleted_at is not None or any(row.project_id != owner.project_id for row in rows):
            raise StorageError("This class is not there any more.", remedy="Choose another class.")
        moving = {row.id for row in rows}
        in_class = session.execute(
            select(PhotoTable.id, PhotoTable.image_id).where(
                PhotoTable.class_id == class_id, PhotoTable.deleted_at.is_(None)
            )
        )
        there = {image_id for id_, image_id in in_class if id_ not in moving}
        for row in rows:
            row.class_id = class_id
            if row.image_id in there:
                row.deleted_at = now()
            there.add(row.image_id)

    _change(db, photo_ids, "move", change, lambda row: row.class_id != class_id)


def set_role(db: Database, photo_ids: Sequence[int], role: Role) -> None:
    """Training photos teach, test photos only measure."""

    def change(_session: Session, rows: Sequence[PhotoTable]) -> None:
        for row in rows:
            row.role = role

    _change(db, photo_ids, "role", change, lambda row: row.role != role)


def set_tag(db: Database, photo_ids: Sequence[int], name: str, value: str) -> int:
    """Gives the photos this tag, in place of another value of the same name; how many photos changed.

    Raises DatasetError for a name or a value that is empty or too long, or where a photo would have too many tags.
    """
    checked, checked_value = tags.check_name(name), tags.check_value(value)
    return change_tags(db, {id_: {checked: checked_value} for id_ in photo_ids})


def remove_tag(db: Database, photo_ids: Sequence[int], name: str) -> int:
    """Takes this tag away from the photos; how many photos changed. Raises DatasetError for a name that can be none."""
    checked = tags.check_name(name)
    return change_tags(db, {id_: {checked: None} for id_ in photo_ids})


def change_tags(db: Database, wanted: Mapping[int, Mapping[str, str | None]]) -> int:
    """Photo id → name → value (None: away with it) for many photos as one undo step; how many photos changed. Names and values
    are clean already. No fingerprint changes with tags: a training learns nothing from them.

    Raises DatasetError, and changes nothing, where a photo would have more than `tags.MAX_TAGS`.
    """
    with db.write() as session:
        rows = _live(session, list(wanted))
        found = photo_tags.read(session, [row.id for row in rows])
        before = {row.id: dict(found.get(row.id, ())) for row in rows}
        after = {id_: photo_tags.merged(own, wanted[id_]) for id_, own in before.items()}
        changed = {row.id: row.project_id for row in rows if after[row.id] != before[row.id]}
        for project_id in set(changed.values()):
            ids = [id_ for id_, owner in changed.items() if owner == project_id]
            touch(session, project_id)
            undo.remember(session, project_id, "tags", tags={id_: before[id_] for id_ in ids})
            photo_tags.write(session, {id_: after[id_] for id_ in ids})
    return len(changed)


def exclude(db: Database, photo_ids: Sequence[int]) -> None:
    """The photos stay, but neither teach nor measure."""
    _set_excluded(db, photo_ids, True, "exclude")


def restore(db: Database, photo_ids: Sequence[int]) -> None:
    """Takes excluded photos in again."""
    _set_excluded(db, photo_ids, False, "restore")


def delete(db: Database, photo_ids: Sequence[int]) -> None:
    """Hides the photos; `purge` removes them from the disk once the deletion cannot be taken back any more."""

    def change(_session: Session, rows: Sequence[PhotoTable]) -> None:
        for row in rows:
            row.deleted_at = now()

    _change(db, photo_ids, "delete", change, lambda _row: True)


def fingerprint(db: Database, project_id: str) -> str:
    """SHA-256 over all that a training learns from: classes, prompt names, templates, and each photo with class and role.

    Raises StorageError if the project is gone.
    """
    with db.read() as session:
        return read_fingerprint(session, project_id)


def read_fingerprint(session: Session, project_id: str, spec: Mapping[str, Any] | None = None) -> str:
    """`fingerprint` inside a session that is already open. spec: choices to take instead of those that the project has now."""
    project = live_row(session, project_id)
    classes = session.scalars(
        select(ClassTable)
        .where(ClassTable.project_id == project_id, ClassTable.deleted_at.is_(None))
        .order_by(ClassTable.position, ClassTable.id)
    ).all()
    position = {row.id: index for index, row in enumerate(classes)}
    photos = session.execute(
        select(PhotoTable.image_id, PhotoTable.class_id, PhotoTable.role).where(
            PhotoTable.project_id == project_id, PhotoTable.deleted_at.is_(None), PhotoTable.excluded.is_(False)
        )
    )
    content = {
        "classes": [[row.display_name, row.prompt_names] for row in classes],
        "templates": (project.spec if spec is None else spec).get("templates"),
        "photos": sorted(
            [image_id, position[class_id], role] for image_id, class_id, role in photos if class_id in position
        ),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _set_excluded(db: Database, photo_ids: Sequence[int], excluded: bool, kind: str) -> None:
    def change(_session: Session, rows: Sequence[PhotoTable]) -> None:
        for row in rows:
            row.excluded = excluded

    _change(db, photo_ids, kind, change, lambda row: row.excluded != excluded)


def _change(
    db: Database,
    photo_ids: Sequence[int],
    kind: str,
    change: Callable[[Session, Sequence[PhotoTable]], None],
    concerns: Callable[[PhotoTable], bool],
) -> None:
    """One undo step on the photos of these ids; those that are gone, or are as wanted already, are passed over."""
    with db.write() as session:
        rows = [row for row in _live(session, photo_ids) if concerns(row)]
        for project_id in {row.project_id for row in rows}:
            of_project = [row for row in rows if row.project_id == project_id]
            touch(session, project_id)
            undo.remember(session, project_id, kind, photos=of_project)
            change(session, of_project)


def _live(session: Session, photo_ids: Sequence[int]) -> list[PhotoTable]:
    """Those of the photos that are not deleted."""
    rows: list[PhotoTable] = []
    for start in range(0, len(photo_ids), _BATCH):
        ids = photo_ids[start : start + _BATCH]
        rows += session.scalars(select(PhotoTable).where(PhotoTable.id.in_(ids), PhotoTable.deleted_at.is_(None)))
    return rows


def _row(project_id: str, class_id: int, role: Role, item: CheckedPhoto) -> PhotoTable:
    return PhotoTable(
        project_id=project_id,
        class_id=class_id,
        role=role,
        excluded=False,
        image_id=item.record.image_id,
        filename=clean(item.record.filename),
        added_at=now(),
        deleted_at=None,
        **photo_columns.values(item),
    )


def _photo(row: PhotoTable, own_tags: Tags = ()) -> Photo:
    item = photo_columns.checked(row)
    role: Role = "test" if row.role == "test" else "train"
    return Photo(row.id, row.class_id, role, row.excluded, item.record, item.quality, row.added_at, own_tags)
