"""The queue between the screens and the worker processes. Only the database is shared, so either side may die and come back."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, case, delete, func, select, update
from sqlalchemy.orm import Session

from prolip_core import wake
from prolip_core.storage import curve
from prolip_core.storage.database import Database, now
from prolip_core.storage.projects import live_row
from prolip_core.storage.records import LIVE_STATES, TRAININGS, Job, JobKind, JobState, WorkerRow
from prolip_core.storage.schema import JobTable, StepTable, WorkerTable
from prolip_core.types import Step

SERVER = "server"
STUDY: JobKind = "study"
MAX_STEPS = curve.MAX_STEPS
TRY: JobKind = "try"
RANKS: Mapping[str, int] = {TRY: 0, STUDY: 2}
"""Which waiting work comes first, the lowest number before all else (1 without an entry): somebody waits for the answer about a
photo; a training takes seconds, and studies, of which one click can ask for many, take minutes."""

KEPT: Mapping[str, int] = {"similarity": 3, TRY: 20}
"""So many finished jobs of these kinds are kept for each project: a comparison of class names can be 200 × 200 numbers, and every
photo that is tried alone is a job."""

ALIVE_S = 15.0
"""A worker that gave a sign of life so shortly ago is taken to live, where its lock cannot be asked."""


def enqueue(
    db: Database, project_id: str, kind: JobKind, payload: Mapping[str, Any], *, device: str = "auto", key: str = ""
) -> Job:
    """Puts work into the queue. Where the project has live work of the same kind and key already, that is given back: a second
    tab or a double click starts nothing twice. Raises StorageError if the project is gone."""
    with db.write() as session:
        live_row(session, project_id)
        twin = session.scalar(
            select(JobTable).where(
                JobTable.project_id == project_id,
                JobTable.kind == kind,
                JobTable.key == key,
                JobTable.state.in_(LIVE_STATES),
            )
        )
        if twin is not None:
            return _job(twin)
        row = JobTable(
            id=uuid.uuid4().hex,
            project_id=project_id,
            kind=kind,
            key=key,
            state="queued",
            payload=dict(payload),
            device=device,
            used_device="",
            worker="",
            created_at=now(),
            started_at=None,
            finished_at=None,
            stop_requests=0,
            stage="",
            done=0,
            total=0,
            per_second=0.0,
            left_s=None,
            n_steps=0,
            version=1,
            run_id=None,
            result=None,
            error=None,
        )
        session.add(row)
    wake.call()
    return _job(row)


def get(db: Database, job_id: str) -> Job | None:
    """None if there is no such job (any more)."""
    with db.read() as session:
        row = session.get(JobTable, job_id)
        return None if row is None else _job(row)


def live(db: Database, project_id: str) -> Job | None:
    """The project's waiting or running training (or sample), None if nothing is under way."""
    return _newest(db, project_id, live_only=True)


def latest(db: Database, project_id: str) -> Job | None:
    """The project's newest training (or sample), whatever became of it."""
    return _newest(db, project_id, live_only=False)


def live_studies(db: Database, project_id: str) -> tuple[Job, ...]:
    """The project's waiting and running studies, the oldest first."""
    with db.read() as session:
        rows = session.scalars(
            select(JobTable)
            .where(JobTable.project_id == project_id, JobTable.kind == STUDY, JobTable.state.in_(LIVE_STATES))
            .order_by(JobTable.created_at, JobTable.id)
        ).all()
        return tuple(_job(row) for row in rows)


def latest_study(db: Database, project_id: str, key: str) -> Job | None:
    """The newest study of this key (`studies.key_of`), whatever became of it."""
    return latest_of(db, project_id, STUDY, key)


def latest_of(db: Database, project_id: str, kind: JobKind, key: str) -> Job | None:
    """The newest job of this kind and key, whatever became of it."""
    with db.read() as session:
        row = session.scalar(
            select(JobTable)
            .where(JobTable.project_id == project_id, JobTable.kind == kind, JobTable.key == key)
            .order_by(JobTable.created_at.desc(), JobTable.id)
            .limit(1)
        )
        return None if row is None else _job(row)


def find_done(db: Database, kind: JobKind, key: str) -> Job | None:
    """The newest finished job of this kind and key, whose result can be used again."""
    with db.read() as session:
        row = session.scalar(
            select(JobTable)
            .where(JobTable.kind == kind, JobTable.key == key, JobTable.state == "done")
            .order_by(JobTable.finished_at.desc())
            .limit(1)
        )
        return None if row is None else _job(row)


def ahead(db: Database, job_id: str) -> int:
    """How many pieces of work, of all projects, come before this one at the same worker; 0 once it runs."""
    with db.read() as session:
        row = session.get(JobTable, job_id)
        if row is None or row.state != "queued":
            return 0
        is_older = (JobTable.created_at < row.created_at) | (
            (JobTable.created_at == row.created_at) & (JobTable.id < row.id)
        )
        rank = RANKS.get(row.kind, 1)
        comes_first = (JobTable.state == "running") | (_rank() < rank) | ((_rank() == rank) & is_older)
        return (
            session.scalar(
                select(func.count())
                .select_from(JobTable)
                .where(
                    JobTable.device.in_(_served_with(session, row.device)),
                    JobTable.kind.in_((*TRAININGS, STUDY, TRY)),
                    JobTable.state.in_(LIVE_STATES),
                    comes_first,
                )
            )
            or 0
        )


def _rank() -> ColumnElement[int]:
    return case(RANKS, value=JobTable.kind, else_=1)


def _served_with(session: Session, device: str) -> tuple[str, ...]:
    """The devices whose jobs wait for the same worker: that for "auto" serves the device that it turned out to use, too."""
    auto = session.get(WorkerTable, "auto")
    if auto is None or not auto.used_device or (now() - auto.beat_at).total_seconds() > ALIVE_S:
        return (device,)
    return ("auto", auto.used_device) if device in ("auto", auto.used_device) else (device,)


def waiting_devices(db: Database) -> tuple[str, ...]:
    """The devices that queued jobs ask for."""
    with db.read() as session:
        return tuple(session.scalars(select(JobTable.device).where(JobTable.state == "queued").distinct()))


def request_stop(db: Database, job_id: str) -> None:
    """Asks the worker to end the job; a job that still waits is stopped at once."""
    with db.write() as session:
        row = session.get(JobTable, job_id)
        if row is None or row.state not in LIVE_STATES:
            return
        row.stop_requests += 1
        row.version += 1
        if row.state == "queued":
            row.state, row.finished_at = "stopped", now()


def stop_requests(db: Database, job_id: str) -> int:
    """How often a stop was asked for."""
    with db.read() as session:
        return session.scalar(select(JobTable.stop_requests).where(JobTable.id == job_id)) or 0


def claim(db: Database, worker: str, devices: Sequence[str]) -> Job | None:
    """Takes the oldest of the waiting jobs of the first rank (`RANKS`) for one of these devices; no other worker can take the
    same. None if nothing waits."""
    with db.write() as session:
        job_id = session.scalar(
            select(JobTable.id)
            .where(JobTable.state == "queued", JobTable.device.in_(devices))
            .order_by(_rank(), JobTable.created_at, JobTable.id)
            .limit(1)
        )
        if job_id is None:
            return None
        # The state is asked again: on a database server, another worker may have been quicker.
        taken = session.execute(
            update(JobTable)
            .where(JobTable.id == job_id, JobTable.state == "queued")
            .values(state="running", worker=worker, started_at=now(), version=JobTable.version + 1)
        )
        row = session.get(JobTable, job_id, populate_existing=True)
        return _job(row) if row is not None and taken.rowcount == 1 else None  # type: ignore[attr-defined]


def set_progress(
    db: Database,
    job_id: str,
    stage: str,
    done: int,
    total: int,
    per_second: float = 0.0,
    left_s: float | None = None,
    *,
    used_device: str | None = None,
) -> None:
    """How far the job is."""
    with db.write() as session:
        row = session.get(JobTable, job_id)
        if row is None:
            return
        row.stage, row.done, row.total, row.per_second, row.left_s = stage, done, total, per_second, left_s
        if used_device is not None:
            row.used_device = used_device
        row.version += 1


def add_steps(db: Database, job_id: str, steps: Sequence[Step]) -> None:
    """Appends points to the job's training curve."""
    if not steps:
        return
    with db.write() as session:
        row = session.get(JobTable, job_id)
        if row is None:
            return
        session.add_all(
            StepTable(
                job_id=job_id,
                step=step.step,
                total_steps=step.total_steps,
                loss=step.loss,
                cross_entropy=step.cross_entropy,
                penalty=step.penalty,
                support_accuracy=step.support_accuracy,
                elapsed_s=step.elapsed_s,
            )
            for step in steps
        )
        row.n_steps += len(steps)
        row.version += 1


def steps(db: Database, job_id: str, after: int = 0, *, at_most: int | None = None) -> tuple[Step, ...]:
    """The points of the curve with a number above `after`, in order; with `at_most` evenly thinned out, first and last kept."""
    # Columns and not rows: a page asks for this every second.
    columns = [getattr(StepTable, one.name) for one in fields(Step)]
    with db.read() as session:
        query = select(*columns).where(StepTable.job_id == job_id, StepTable.step > after)
        if at_most is not None:
            last = session.scalar(select(func.max(StepTable.step)).where(StepTable.job_id == job_id)) or 0
            query = query.where(curve.is_kept(after + 1, last, at_most))
        return tuple(Step(*row) for row in session.execute(query.order_by(StepTable.step)))


def thin(db: Database, job_id: str) -> None:
    """Removes points of a finished training's curve so that at most MAX_STEPS are left, evenly, first and last kept; `n_steps`
    goes on telling how many steps there were. `finish` does it by itself."""
    with db.write() as session:
        row = session.get(JobTable, job_id)
        if row is not None and row.state not in LIVE_STATES:
            curve.thin(session, row)


def finish(
    db: Database,
    job_id: str,
    state: JobState,
    *,
    result: Mapping[str, Any] | None = None,
    error: Mapping[str, Any] | None = None,
) -> None:
    """Ends a live job; one that has ended already stays as it is. What went well of a training
    ends in `runs.add`, of a study in `studies.add`."""
    with db.write() as session:
        row = session.get(JobTable, job_id)
        if row is None or row.state not in LIVE_STATES:
            return
        row.state, row.finished_at = state, now()
        row.result = None if result is None else dict(result)
        row.error = None if error is None else dict(error)
        row.version += 1
        curve.thin(session, row)
        if row.kind in KEPT:
            session.flush()
            _forget(session, row.project_id, row.kind)


def _forget(session: Session, project_id: str, kind: str) -> None:
    """Keeps the newest finished ones of the project."""
    over = (
        select(JobTable.id)
        .where(JobTable.project_id == project_id, JobTable.kind == kind, JobTable.state.not_in(LIVE_STATES))
        .order_by(JobTable.finished_at.desc(), JobTable.id)
        .offset(KEPT[kind])
    )
    session.execute(delete(JobTable).where(JobTable.id.in_(session.scalars(over).all())))


def fail_orphans(db: Database, worker: str, error: Mapping[str, Any]) -> int:
    """Marks the running jobs of a worker that has died as failed, or as stopped where that had been asked for; how many."""
    with db.write() as session:
        rows = session.scalars(select(JobTable).where(JobTable.state == "running", JobTable.worker == worker)).all()
        for row in rows:
            row.state = "stopped" if row.stop_requests else "failed"
            row.error, row.finished_at = dict(error) if row.state == "failed" else None, now()
            row.version += 1
            curve.thin(session, row)
        return len(rows)


def fail_waiting(db: Database, device: str, error: Mapping[str, Any]) -> int:
    """Marks the waiting jobs of a device as failed, because no worker can be had for it; how many."""
    with db.write() as session:
        rows = session.scalars(select(JobTable).where(JobTable.state == "queued", JobTable.device == device)).all()
        for row in rows:
            row.state, row.error, row.finished_at = "failed", dict(error), now()
            row.version += 1
        return len(rows)


def worker_beat(db: Database, device: str, used_device: str, devices_present: Sequence[str]) -> None:
    """A sign of life of the calling process, which is the worker of this device."""
    with db.write() as session:
        session.merge(
            WorkerTable(
                device=device,
                used_device=used_device,
                pid=os.getpid(),
                beat_at=now(),
                devices_present=list(devices_present),
            )
        )


def workers(db: Database) -> tuple[WorkerRow, ...]:
    """The last signs of life of all workers there ever were; whether one lives is told by its lock."""
    with db.read() as session:
        rows = session.scalars(select(WorkerTable).where(WorkerTable.device != SERVER)).all()
    return tuple(
        WorkerRow(row.device, row.used_device, row.pid, row.beat_at, tuple(row.devices_present)) for row in rows
    )


def server_beat(db: Database) -> None:
    """A sign of life of the web server, which is the calling process."""
    worker_beat(db, SERVER, "", ())


def server_seen(db: Database) -> datetime | None:
    """When the web server was last alive; None if never."""
    with db.read() as session:
        return session.scalar(select(WorkerTable.beat_at).where(WorkerTable.device == SERVER))


def _newest(db: Database, project_id: str, *, live_only: bool) -> Job | None:
    with db.read() as session:
        query = select(JobTable).where(JobTable.project_id == project_id, JobTable.kind.in_(TRAININGS))
        if live_only:
            query = query.where(JobTable.state.in_(LIVE_STATES))
        row = session.scalar(query.order_by(JobTable.created_at.desc(), JobTable.id).limit(1))
        return None if row is None else _job(row)


def _job(row: JobTable) -> Job:
    values = {column.key: getattr(row, column.key) for column in row.__mapper__.column_attrs}
    return Job(**{name: value for name, value in values.items() if name not in ("key", "worker")})
