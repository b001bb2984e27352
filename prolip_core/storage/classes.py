"""The classes of a project, in order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

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


def save(db: Database, project_id: str, rows: Sequence[ClassRow]) -> tuple[ClassRow, ...]:
    """Makes these the classes of the project, in this order, as one step that can be taken back.

    Rows with an id are changed, rows without one are new, classes that are missing are deleted together with their photos.
    Raises PromptError for names that cannot be used, StorageError if the project is gone.
    """
    checked = [
        (row.id, prompts.make_class(clean(row.display_name), tuple(map(clean, row.prompt_names)))) for row in rows
    ]
    twice = [name for name, count in Counter(spec.display_name for _, spec in checked).items() if count > 1]
    if twice:
        raise PromptError("The class name “{name}” is used twice.", remedy="Rename one of the two.", name=twice[0])
    with db.write() as session:
        of_project = select(ClassTable).where(ClassTable.project_id == project_id, ClassTable.deleted_at.is_(None))
        existing = {row.id: row for row in session.scalars(of_project)}
        kept = {id_ for id_, _ in checked if id_ in existing}
        lost = [row for row in existing.values() if row.id not in kept]
        photos = session.scalars(
            select(PhotoTable).where(PhotoTable.class_id.in_([r.id for r in lost]), PhotoTable.deleted_at.is_(None))
        ).all()
        after = [
            (position, id_, spec.display_name, list(spec.prompt_names)) for position, (id_, spec) in enumerate(checked)
        ]
        if [(p, i, n, m) for p, i, n, m in after if i in existing] == [
            (row.position, row.id, row.display_name, row.prompt_names)
            for row in sorted(existing.values(), key=lambda row: row.position)
        ] and len(after) == len(existing):
            return tuple(_class(row) for row in sorted(existing.values(), key=lambda row: row.position))
        touch(session, project_id)
        new = [
            ClassTable(project_id=project_id, position=position, display_name=name, prompt_names=names, deleted_at=None)
            for position, id_, name, names in after
            if id_ not in existing
        ]
        session.add_all(new)
        session.flush()
        undo.remember(session, project_id, "classes", classes=existing.values(), photos=photos, new=new)
        for position, id_, name, names in after:
            if id_ in existing:
                row = existing[id_]
                row.position, row.display_name, row.prompt_names = position, name, names
        moment = now()
        for gone_class in lost:
            gone_class.deleted_at = moment
        for gone_photo in photos:
            gone_photo.deleted_at = moment
    return list_(db, project_id)


def _class(row: ClassTable) -> ClassRow:
    return ClassRow(row.id, row.display_name, tuple(row.prompt_names))
