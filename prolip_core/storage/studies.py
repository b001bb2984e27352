"""Finished studies: what the page of the evidence shows. They go with their project, and with their run where they have one."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy import delete as delete_rows
from sqlalchemy.orm import Session, undefer

from prolip_core.errors import RunError
from prolip_core.storage.database import Database, now
from prolip_core.storage.projects import live_row
from prolip_core.storage.records import StudyRecord, StudySummary
from prolip_core.storage.schema import JobTable, RunTable, StudyTable

KEEPS = "keeps"
"""In the settings of a study: ids of photos of its own, which stay in the store as long as it is there or under way."""

NEEDS = "needs"
"""In the settings of a study: the same as long as it is under way, and no longer."""

KEPT = 5
"""So many finished studies of one kind (and one run) are kept; the oldest goes first."""


def key_of(kind: str, run_id: str | None = None) -> str:
    """For `jobs.enqueue`: of two studies with the same key only one is under way at a time."""
    return kind if run_id is None else f"{kind}:{run_id}"


def add(
    db: Database,
    project_id: str,
    job_id: str | None,
    kind: str,
    settings: Mapping[str, Any],
    fingerprint: str,
    result: Mapping[str, Any],
    *,
    run_id: str | None = None,
) -> StudySummary:
    """Keeps a study and, in the same transaction, marks the job that made it as done.

    Raises StorageError if the project is gone, RunError if the run is.
    """
    with db.write() as session:
        live_row(session, project_id)
        if run_id is not None:
            run = session.get(RunTable, run_id)
            if run is None or run.deleted_at is not None or run.project_id != project_id:
                raise RunError("This result is not there any more.", remedy="Choose another result, or train again.")
        row = StudyTable(
            id=uuid.uuid4().hex,
            project_id=project_id,
            run_id=run_id,
            job_id=job_id,
            kind=kind,
            settings=dict(settings),
            fingerprint=fingerprint,
            created_at=now(),
            result=dict(result),
        )
        session.add(row)
        session.flush()
        _forget(session, project_id, kind, run_id)
        job = session.get(JobTable, job_id) if job_id is not None else None
        if job is not None:
            job.state, job.finished_at = "done", row.created_at
            job.version += 1
        return _summary(row)


def latest(db: Database, project_id: str, kind: str, run_id: str | None = None) -> StudySummary | None:
    """The newest study of this kind, of this run or of none."""
    with db.read() as session:
        row = session.scalar(_newest_first(project_id).where(StudyTable.kind == kind, _is_of(run_id)).limit(1))
        return None if row is None else _summary(row)


def list_(db: Database, project_id: str) -> tuple[StudySummary, ...]:
    """All studies of the project, those of deleted runs left out, the newest first."""
    with db.read() as session:
        return tuple(_summary(row) for row in session.scalars(_newest_first(project_id)).all())


def load(db: Database, study_id: str) -> StudyRecord:
    """The whole study. Raises RunError if it is gone."""
    with db.read() as session:
        row = session.get(StudyTable, study_id, options=[undefer(StudyTable.result)])
        if row is None:
            raise RunError("This result is not there any more.", remedy="Compute it again.")
        return StudyRecord(_summary(row), row.result)


def delete(db: Database, study_id: str) -> None:
    """Removes the study for good: it can be computed again."""
    with db.write() as session:
        session.execute(delete_rows(StudyTable).where(StudyTable.id == study_id))


def _newest_first(project_id: str) -> Select[StudyTable]:
    hidden = select(RunTable.id).where(RunTable.project_id == project_id, RunTable.deleted_at.is_not(None))
    return (
        select(StudyTable)
        .where(StudyTable.project_id == project_id, StudyTable.run_id.is_(None) | StudyTable.run_id.not_in(hidden))
        .order_by(StudyTable.created_at.desc(), StudyTable.id)
    )


def _is_of(run_id: str | None) -> ColumnElement[bool]:
    return StudyTable.run_id.is_(None) if run_id is None else StudyTable.run_id == run_id


def _forget(session: Session, project_id: str, kind: str, run_id: str | None) -> None:
    over = (
        select(StudyTable.id)
        .where(StudyTable.project_id == project_id, StudyTable.kind == kind, _is_of(run_id))
        .order_by(StudyTable.created_at.desc(), StudyTable.id)
        .offset(KEPT)
    )
    session.execute(delete_rows(StudyTable).where(StudyTable.id.in_(session.scalars(over).all())))


def _summary(row: StudyTable) -> StudySummary:
    return StudySummary(
        row.id, row.project_id, row.run_id, row.job_id, row.kind, row.settings, row.fingerprint, row.created_at
    )
