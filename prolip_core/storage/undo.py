"""Taking back the last changes of photos and classes: each step keeps the rows as they were before it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from prolip_core.storage import photo_tags
from prolip_core.storage.database import Database, now
from prolip_core.storage.projects import live_row, touch
from prolip_core.storage.schema import ClassTable, PhotoTable, UndoTable

KEPT_STEPS = 50
NEW = "new"
"""In place of the time of deletion, for a row that did not exist: taking the step back deletes it."""

Row = TypeVar("Row", PhotoTable, ClassTable)

_KEPT: Mapping[str, type[PhotoTable | ClassTable]] = {"photos": PhotoTable, "classes": ClassTable, "tags": PhotoTable}
"""What a step keeps, and the table whose rows each of its entries names."""

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
    tags: Mapping[int, Mapping[str, str]] | None = None,
    choices: Mapping[str, Any] | None = None,
    batch: str = "",
) -> None:
    """Call before rows change (`new`: after these have their ids). tags: photo id → the tags that it has; choices: the project's
    own, where they change too. Steps of one `batch` that follow each other are one step."""
    before: dict[str, Any] = {
        "tags": [{"id": id_, "tags": dict(of_photo)} for id_, of_photo in (tags or {}).items()],
        "photos": [_state(row, _PHOTO_FIELDS) for row in photos],
        "classes": [_state(row, _CLASS_FIELDS) for row in classes],
    }
    if choices is not None:
        before["choices"] = dict(choices)
    for row in new:
        before["photos" if isinstance(row, PhotoTable) else "classes"].append({"id": row.id, "deleted_at": NEW})
    newest = select(UndoTable).where(UndoTable.project_id == project_id).order_by(UndoTable.id.desc()).limit(1)
    last = session.scalar(newest) if batch else None
    if last is not None and (last.kind, last.before.get("batch")) == (kind, batch):
        last.before = {**last.before, **{kept: _states(last, kept) + before[kept] for kept in _KEPT}}
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
        step = session.scalar(steps.limit(1))
        if step is None:
            return None
        _restore(session, project_id, PhotoTable, step.before["photos"])
        _restore(session, project_id, ClassTable, step.before["classes"])
        _restore_tags(session, project_id, _states(step, "tags"))
        if "choices" in step.before:
            live_row(session, project_id).spec = step.before["choices"]
        session.delete(step)
        return step.kind


def forget(session: Session, project_ids: Iterable[str]) -> None:
    """Drops the steps that name rows which are there no more, and all before them: they still tell what there was, and going
    back further while leaving them out would mix two states."""
    for project_id in project_ids:
        there = {
            table: set(session.scalars(select(table.id).where(table.project_id == project_id)))
            for table in (PhotoTable, ClassTable)
        }
        of_project = select(UndoTable).where(UndoTable.project_id == project_id).order_by(UndoTable.id)
        steps = session.scalars(of_project).all()
        torn = [
            number
            for number, step in enumerate(steps)
            for kept, table in _KEPT.items()
            if any(state["id"] not in there[table] for state in _states(step, kept))
        ]
        for step in steps[: max(torn, default=-1) + 1]:
            session.delete(step)


def _state(row: PhotoTable | ClassTable, fields: tuple[str, ...]) -> dict[str, Any]:
    deleted_at = row.deleted_at.isoformat() if row.deleted_at else None
    return {"id": row.id, "deleted_at": deleted_at, **{field: getattr(row, field) for field in fields}}


def _states(step: UndoTable, kept: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = step.before.get(kept, [])  # a step of an older version kept no tags
    return found


def _restore_tags(session: Session, project_id: str, states: list[dict[str, Any]]) -> None:
    there = set(session.scalars(select(PhotoTable.id).where(PhotoTable.project_id == project_id)))
    photo_tags.write(session, {state["id"]: state["tags"] for state in states if state["id"] in there})


def _restore(session: Session, project_id: str, table: type[Row], states: list[dict[str, Any]]) -> None:
    for state in states:
        row = session.scalar(select(table).where(table.id == state["id"], table.project_id == project_id))
        if row is None:
            continue
        for field, value in state.items():
            if field == "deleted_at":
                value = now() if value == NEW else None if value is None else datetime.fromisoformat(value)
            if field != "id":
                setattr(row, field, value)
