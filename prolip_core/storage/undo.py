"""Taking back the last changes of photos and classes: each step keeps the rows as they were before it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from prolip_core.storage.database import Database, now
from prolip_core.storage.projects import touch
from prolip_core.storage.schema import ClassTable, PhotoTable, UndoTable

KEPT_STEPS = 50
NEW = "new"
"""In place of the time of deletion, for a row that did not exist: taking the step back deletes it."""

_PHOTO_FIELDS = ("class_id", "role", "excluded")
_CLASS_FIELDS = ("position", "display_name", "prompt_names")


def remember(
    session: Session,
    project_id: str,
    kind: str,
    *,
    photos: Iterable[PhotoTable] = (),
    classes: Iterable[ClassTable] = (),
    new: Iterable[PhotoTable | ClassTable] = (),
    batch: str = "",
) -> None:
    """Call before rows change (`new`: after these have their ids). Steps of one `batch` that follow each other are one step."""
    before: dict[str, Any] = {
        "photos": [_state(row, _PHOTO_FIELDS) for row in photos],
        "classes": [_state(row, _CLASS_FIELDS) for row in classes],
    }
    for row in new:
        before["photos" if isinstance(row, PhotoTable) else "classes"].append({"id": row.id, "deleted_at": NEW})
    newest = select(UndoTable).where(UndoTable.project_id == project_id).order_by(UndoTable.id.desc()).limit(1)
    last = session.scalar(newest) if batch else None
    if last is not None and (last.kind, last.before.get("batch")) == (kind, batch):
        last.before = {
            **last.before,
            "photos": last.before["photos"] + before["photos"],
            "classes": last.before["classes"] + before["classes"],
        }
        return
    session.add(UndoTable(project_id=project_id, at=now(), kind=kind, before={**before, "batch": batch}))
    session.flush()
    ids = session.scalars(
        select(UndoTable.id).where(UndoTable.project_id == project_id).order_by(UndoTable.id.desc()).offset(KEPT_STEPS)
    ).all()
    session.execute(delete(UndoTable).where(UndoTable.id.in_(ids)))


def available(db: Database, project_id: str) -> str | None:
    """The kind of the last step that can be taken back, None if there is none."""
    with db.read() as session:
        return session.scalar(
            select(UndoTable.kind).where(UndoTable.project_id == project_id).order_by(UndoTable.id.desc()).limit(1)
        )


def take_back(db: Database, project_id: str) -> str | None:
    """Restores the rows of the last step and gives its kind; None if there was nothing to take back.

    Raises StorageError if the project is gone.
    """
    with db.write() as session:
        touch(session, project_id)
        steps = select(UndoTable).where(UndoTable.project_id == project_id).order_by(UndoTable.id.desc())
        for step in session.scalars(steps).all():
            restored = _restore(session, PhotoTable, step.before["photos"])
            restored += _restore(session, ClassTable, step.before["classes"])
            session.delete(step)
            if restored:
                return step.kind
            # All of its rows were removed for good since: the step before it is the one to take back.
    return None


def _state(row: PhotoTable | ClassTable, fields: tuple[str, ...]) -> dict[str, Any]:
    deleted_at = row.deleted_at.isoformat() if row.deleted_at else None
    return {"id": row.id, "deleted_at": deleted_at, **{field: getattr(row, field) for field in fields}}


def _restore(session: Session, table: type[PhotoTable] | type[ClassTable], states: list[dict[str, Any]]) -> int:
    restored = 0
    for state in states:
        row = session.get(table, state["id"])
        if row is None or ("class_id" in state and session.get(ClassTable, state["class_id"]) is None):
            continue  # removed for good since, or its class was
        restored += 1
        for field, value in state.items():
            if field == "deleted_at":
                value = now() if value == NEW else None if value is None else datetime.fromisoformat(value)
            if field != "id":
                setattr(row, field, value)
    return restored
