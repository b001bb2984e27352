"""The classes of a project, in order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from prolip_core import prompts
from prolip_core.errors import PromptError
from prolip_core.storage import undo
from prolip_core.storage.database import Database, now
from prolip_core.storage.names import clean
from prolip_core.storage.projects import touch
from prolip_core.storage.records import ClassRow
from prolip_core.storage.schema import ClassTable, PhotoTable


def list_(db: Database, project_id: str) -> tuple[ClassRow, ...]:
    """All classes of the project in order; empty too if the project is gone."""
    with db.read() as session:
        return read(session, project_id)


def read(session: Session, project_id: str) -> tuple[ClassRow, ...]:
    """`list_` inside a session that is already open."""
    rows = session.scalars(
        select(ClassTable)
        .where(ClassTable.project_id == project_id, ClassTable.deleted_at.is_(None))
        .order_by(ClassTable.position, ClassTable.id)
    ).all()
    return tuple(_class(row) for row in rows)


def save(
    db: Database, project_id: str, rows: Sequence[ClassRow], *, seen: Sequence[ClassRow] | None = None
) -> tuple[ClassRow, ...]:
    """Makes these the classes of the project, in this order, as one step that can be taken back.

    Rows with an id are changed, rows without one are new, classes that are missing are deleted together with their photos.
    seen: the classes that `rows` were made from. What somebody else has changed since then stays (see `merged`). Without it,
    `rows` replace whatever there is.
    Raises PromptError for names that cannot be used, StorageError if the project is gone.
    """
    wanted = tuple(_checked(row) for row in rows)
    with db.write() as session:
        of_project = select(ClassTable).where(ClassTable.project_id == project_id, ClassTable.deleted_at.is_(None))
        existing = {row.id: row for row in session.scalars(of_project.order_by(ClassTable.position, ClassTable.id))}
        there = tuple(map(_class, existing.values()))
        after = wanted if seen is None else merged(there, seen, wanted)
        twice = [name for name, count in Counter(row.display_name for row in after).items() if count > 1]
        if twice:
            raise PromptError("The class name “{name}” is used twice.", remedy="Rename one of the two.", name=twice[0])
        if after == there:
            return there
        _write(session, project_id, existing, after)
    return list_(db, project_id)


def merged(there: Sequence[ClassRow], seen: Sequence[ClassRow], wanted: Sequence[ClassRow]) -> tuple[ClassRow, ...]:
    """The classes that come of `there` when `seen` was turned into `wanted`: both changes, this one first.

    What was added there stays, and a new class of the same name is that one; what was deleted there stays deleted; a row that
    is wanted as it was seen is as it is there; the order is that of `there` unless this change is one of the order.
    """
    was, now_ = {row.id: row for row in seen}, {row.id: row for row in there}
    added = [row for row in there if row.id not in was]
    names = {row.display_name for row in added}
    kept = [_one(now_[row.id], was.get(row.id), row) for row in wanted if row.id in now_]
    ids = {row.id for row in wanted}
    if [row.id for row in wanted if row.id in was] == [row.id for row in seen if row.id in ids]:
        places = list(now_)
        kept.sort(key=lambda row: places.index(row.id))
    new = [row for row in wanted if row.id is None and row.display_name not in names]
    return (*kept, *(row for row in added if row.id not in ids), *new)


def _one(there: ClassRow, seen: ClassRow | None, wanted: ClassRow) -> ClassRow:
    """One class, name by name: what was not changed from what was seen is as it is there."""
    if seen is None:
        return wanted
    return ClassRow(
        wanted.id,
        there.display_name if wanted.display_name == seen.display_name else wanted.display_name,
        there.prompt_names if wanted.prompt_names == seen.prompt_names else wanted.prompt_names,
    )


def _checked(row: ClassRow) -> ClassRow:
    spec = prompts.make_class(clean(row.display_name), tuple(map(clean, row.prompt_names)))
    return ClassRow(row.id, spec.display_name, spec.prompt_names)


def _write(session: Session, project_id: str, existing: Mapping[int, ClassTable], after: Sequence[ClassRow]) -> None:
    """Turns the rows of the table into `after`."""
    touch(session, project_id)
    kept = {row.id for row in after}
    lost = [row for id_, row in existing.items() if id_ not in kept]
    photos = session.scalars(
        select(PhotoTable).where(PhotoTable.class_id.in_([r.id for r in lost]), PhotoTable.deleted_at.is_(None))
    ).all()
    new = [
        ClassTable(
            project_id=project_id,
            position=position,
            display_name=row.display_name,
            prompt_names=list(row.prompt_names),
            deleted_at=None,
        )
        for position, row in enumerate(after)
        if row.id not in existing
    ]
    session.add_all(new)
    session.flush()
    undo.remember(session, project_id, "classes", classes=existing.values(), photos=photos, new=new)
    for position, row in enumerate(after):
        one = None if row.id is None else existing.get(row.id)
        if one is not None:
            one.position, one.display_name, one.prompt_names = position, row.display_name, list(row.prompt_names)
    moment = now()
    for gone_class in lost:
        gone_class.deleted_at = moment
    for gone_photo in photos:
        gone_photo.deleted_at = moment


def _class(row: ClassTable) -> ClassRow:
    return ClassRow(row.id, row.display_name, tuple(row.prompt_names))
