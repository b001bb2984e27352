"""Projects: make, find, rename, duplicate, delete and take back."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from prolip_core.errors import StorageError
from prolip_core.storage import photo_tags
from prolip_core.storage.database import Database, now
from prolip_core.storage.names import check_name
from prolip_core.storage.records import LIVE_STATES, TRAININGS, Project, ProjectCard, RunSummary
from prolip_core.storage.runs import summary_of
from prolip_core.storage.schema import ClassTable, JobTable, PhotoTable, ProjectTable, RunTable

COVER_PHOTOS = 4
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
Row = TypeVar("Row", ClassTable, PhotoTable)


def create(db: Database, name: str, spec: Mapping[str, Any]) -> Project:
    """A new, empty project. Raises StorageError for a name that is empty or too long."""
    moment = now()
    row = ProjectTable(
        id=uuid.uuid4().hex,
        name=check_name(name),
        created_at=moment,
        changed_at=moment,
        deleted_at=None,
        spec=dict(spec),
    )
    with db.write() as session:
        session.add(row)
    return _project(row)


def get(db: Database, project_id: str) -> Project | None:
    """None if there is no such project, or it was deleted."""
    with db.read() as session:
        row = session.get(ProjectTable, project_id)
    return None if row is None or row.deleted_at is not None else _project(row)


def cards(db: Database) -> tuple[ProjectCard, ...]:
    """All projects at a glance, the one changed last first."""
    with db.read() as session:
        rows = session.scalars(
            select(ProjectTable).where(ProjectTable.deleted_at.is_(None)).order_by(ProjectTable.changed_at.desc())
        ).all()
        ids = [row.id for row in rows]
        n_classes = _count_classes(session, ids)
        n_photos = _count_photos(session, ids)
        covers = _covers(session, ids)
        runs = _last_runs(session, ids)
        busy = set(
            session.scalars(
                select(JobTable.project_id).where(
                    JobTable.project_id.in_(ids),
                    JobTable.state.in_(LIVE_STATES),
                    JobTable.kind.in_(TRAININGS),
                )
            )
        )
    return tuple(
        ProjectCard(
            project=_project(row),
            n_classes=n_classes.get(row.id, 0),
            n_train=n_photos.get((row.id, "train"), 0),
            n_test=n_photos.get((row.id, "test"), 0),
            last_run=runs.get(row.id),
            cover=tuple(covers.get(row.id, ())),
            is_busy=row.id in busy,
        )
        for row in rows
    )


def deleted(db: Database) -> tuple[Project, ...]:
    """Projects whose deletion can still be taken back, the one deleted last first."""
    with db.read() as session:
        rows = session.scalars(
            select(ProjectTable).where(ProjectTable.deleted_at.is_not(None)).order_by(ProjectTable.deleted_at.desc())
        ).all()
    return tuple(_project(row) for row in rows)


def rename(db: Database, project_id: str, name: str) -> None:
    """Raises StorageError for a name that is empty or too long, or if the project is gone."""
    checked = check_name(name)
    with db.write() as session:
        row = live_row(session, project_id)
        row.name, row.changed_at = checked, now()


def set_spec(db: Database, project_id: str, spec: Mapping[str, Any]) -> None:
    """Keeps the user's choices. Raises StorageError if the project is gone."""
    with db.write() as session:
        row = live_row(session, project_id)
        if row.spec != dict(spec):
            row.spec, row.changed_at = dict(spec), now()


def duplicate(db: Database, project_id: str, name: str) -> Project:
    """A copy with classes, photos, their tags and choices, without runs. Photos on disk are shared, not copied."""
    checked, moment = check_name(name), now()
    with db.write() as session:
        original = live_row(session, project_id)
        copy = ProjectTable(
            id=uuid.uuid4().hex, name=checked, created_at=moment, changed_at=moment, deleted_at=None, spec=original.spec
        )
        session.add(copy)
        session.flush()
        classes = session.scalars(
            select(ClassTable).where(ClassTable.project_id == project_id, ClassTable.deleted_at.is_(None))
        ).all()
        new_class = {row.id: _copy_row(row, project_id=copy.id) for row in classes}
        session.add_all(new_class.values())
        session.flush()
        photos = session.scalars(
            select(PhotoTable).where(PhotoTable.project_id == project_id, PhotoTable.deleted_at.is_(None))
        )
        new_photo = {
            row.id: _copy_row(row, project_id=copy.id, class_id=new_class[row.class_id].id)
            for row in photos
            if row.class_id in new_class
        }
        session.add_all(new_photo.values())
        session.flush()
        tags = photo_tags.read(session, new_photo)
        photo_tags.write(session, {new_photo[id_].id: dict(of_photo) for id_, of_photo in tags.items()})
    return _project(copy)


def delete(db: Database, project_id: str) -> None:
    """Hides the project; `restore` brings it back until `purge` removes it for good. Its waiting and running work is stopped."""
    with db.write() as session:
        row = live_row(session, project_id)
        row.deleted_at = now()
        live = select(JobTable).where(JobTable.project_id == project_id, JobTable.state.in_(LIVE_STATES))
        for job in session.scalars(live):
            job.stop_requests += 1
            job.version += 1
            if job.state == "queued":
                job.state, job.finished_at = "stopped", row.deleted_at


def restore(db: Database, project_id: str) -> None:
    """Takes a deletion back. Raises StorageError if the project was removed for good."""
    with db.write() as session:
        row = session.get(ProjectTable, project_id)
        if row is None:
            raise gone()
        row.deleted_at = None


def expire(db: Database, project_id: str) -> None:
    """Ends the time in which a deletion can be taken back: the next `purge` removes the project."""
    with db.write() as session:
        row = session.get(ProjectTable, project_id)
        if row is not None and row.deleted_at is not None:
            row.deleted_at = LONG_AGO


def names_taken(session: Session) -> set[str]:
    """The names of all projects that are not deleted."""
    return set(session.scalars(select(ProjectTable.name).where(ProjectTable.deleted_at.is_(None))))


def live_row(session: Session, project_id: str) -> ProjectTable:
    """Raises StorageError if the project is gone or deleted."""
    row = session.get(ProjectTable, project_id)
    if row is None or row.deleted_at is not None:
        raise gone()
    return row


def gone() -> StorageError:
    return StorageError("This project is not there any more.", remedy="Go to the projects and open another one.")


def touch(session: Session, project_id: str) -> None:
    """Notes that the project was changed just now. Raises StorageError if it is gone or deleted."""
    live_row(session, project_id).changed_at = now()


def _project(row: ProjectTable) -> Project:
    return Project(row.id, row.name, row.created_at, row.changed_at, row.deleted_at, row.spec)


def _copy_row(row: Row, **changes: Any) -> Row:
    values = {column.key: getattr(row, column.key) for column in row.__mapper__.column_attrs if column.key != "id"}
    return type(row)(**{**values, **changes})


def _count_classes(session: Session, ids: list[str]) -> dict[str, int]:
    found = session.execute(
        select(ClassTable.project_id, func.count())
        .where(ClassTable.project_id.in_(ids), ClassTable.deleted_at.is_(None))
        .group_by(ClassTable.project_id)
    )
    return {row[0]: row[1] for row in found}


def _count_photos(session: Session, ids: list[str]) -> dict[tuple[str, str], int]:
    found = session.execute(
        select(PhotoTable.project_id, PhotoTable.role, func.count())
        .where(PhotoTable.project_id.in_(ids), PhotoTable.deleted_at.is_(None), PhotoTable.excluded.is_(False))
        .group_by(PhotoTable.project_id, PhotoTable.role)
    )
    return {(project_id, role): count for project_id, role, count in found}


def _covers(session: Session, ids: Iterable[str]) -> dict[str, list[str]]:
    """The first photo of each of the first classes."""
    covers: dict[str, list[str]] = {}
    firsts = (
        select(func.min(PhotoTable.id))
        .where(PhotoTable.project_id.in_(list(ids)), PhotoTable.deleted_at.is_(None), PhotoTable.excluded.is_(False))
        .group_by(PhotoTable.class_id)
    )
    rows = session.execute(
        select(PhotoTable.project_id, PhotoTable.image_id)
        .join(ClassTable, ClassTable.id == PhotoTable.class_id)
        .where(PhotoTable.id.in_(firsts))
        .order_by(ClassTable.position)
    )
    for project_id, image_id in rows:
        if len(of_project := covers.setdefault(project_id, [])) < COVER_PHOTOS:
            of_project.append(image_id)
    return covers


def _last_runs(session: Session, ids: list[str]) -> dict[str, RunSummary]:
    latest = (
        select(RunTable.project_id, func.max(RunTable.number).label("number"))
        .where(RunTable.project_id.in_(ids), RunTable.deleted_at.is_(None))
        .group_by(RunTable.project_id)
        .subquery()
    )
    rows = session.scalars(
        select(RunTable).join(
            latest, (RunTable.project_id == latest.c.project_id) & (RunTable.number == latest.c.number)
        )
    )
    return {row.project_id: summary_of(row) for row in rows}
