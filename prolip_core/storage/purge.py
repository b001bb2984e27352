"""Real deletion: rows and files of what was deleted longer than `config.UNDO_PERIOD_S` ago, and files that belong to nobody."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from prolip_core import config
from prolip_core.storage.database import Database
from prolip_core.storage.database import now as current_time
from prolip_core.storage.records import Purged
from prolip_core.storage.schema import ClassTable, JobTable, PhotoTable, ProjectTable, RunTable, UndoTable

ORPHAN_AGE_S = 3600
"""A file without an owner is removed at this age; a younger one may belong to an upload or a training that is under way."""

FRESH_S = 60
"""A photo that was written, or added once more, so shortly ago is left for the next time: its row may be on the way."""


def purge(db: Database, now: datetime | None = None, *, fresh_s: float = FRESH_S) -> Purged:
    """Removes for good what can no longer be taken back. Safe to call at any time, from any process. Photos that were written
    less than `fresh_s` ago are left for a later time."""
    moment = now or current_time()
    limit = moment - timedelta(seconds=config.UNDO_PERIOD_S)
    with db.write() as session:
        projects = session.scalars(select(ProjectTable.id).where(ProjectTable.deleted_at < limit)).all()
        runs = session.scalars(
            select(RunTable.id).where((RunTable.deleted_at < limit) | RunTable.project_id.in_(projects))
        ).all()
        classes = session.scalars(select(ClassTable.id).where(ClassTable.deleted_at < limit)).all()
        is_lost = (
            (PhotoTable.deleted_at < limit) | PhotoTable.project_id.in_(projects) | PhotoTable.class_id.in_(classes)
        )
        image_ids = set(session.scalars(select(PhotoTable.image_id).where(is_lost)))
        session.execute(delete(PhotoTable).where(is_lost))
        # A deletion that is over cannot be taken back, so its undo step, which tells what there was, goes too.
        session.execute(delete(UndoTable).where(UndoTable.at < limit, UndoTable.kind.in_(("delete", "classes", "add"))))
        session.execute(delete(ClassTable).where(ClassTable.id.in_(classes)))
        session.execute(delete(RunTable).where(RunTable.id.in_(runs)))
        session.execute(delete(ProjectTable).where(ProjectTable.id.in_(projects)))
    # Files after rows: a crash in between leaves orphans, which the sweep below finds, and never a row without its file.
    removed = _remove_photos(db, image_ids, moment, fresh_s)
    for run_id in runs:
        shutil.rmtree(config.run_folder() / run_id, ignore_errors=True)
    _sweep(db, moment)
    db.empty_journal()
    return Purged(len(projects), removed, len(runs))


def _remove_photos(db: Database, image_ids: Iterable[str], moment: datetime, min_age_s: float) -> int:
    """Deletes what was kept of these photos unless a row still needs it; how many photos."""
    removed = 0
    for image_id in image_ids:
        # One by one in a writing transaction: nobody can add the photo again between the question and the deletion.
        with db.write() as session:
            if _is_needed(session, image_id):
                continue
            files = [
                config.photo_folder() / image_id[:2] / image_id[2:4] / image_id,
                *(config.thumbnail_folder() / image_id[:2] / image_id[2:4]).glob(f"{image_id}*"),
                *(config.cache_folder() / "features").glob(f"*/{image_id[:2]}/{image_id}-*"),
            ]
            if any(_age_s(file, moment) < min_age_s for file in files[:1]):
                continue
            for file in files:
                with contextlib.suppress(OSError):  # held open by another program: the sweep comes again
                    file.unlink(missing_ok=True)
            removed += 1
    return removed


def _is_needed(session: Session, image_id: str) -> bool:
    return session.scalar(select(PhotoTable.id).where(PhotoTable.image_id == image_id).limit(1)) is not None


def _sweep(db: Database, moment: datetime) -> None:
    """Photos, thumbnails and run folders without an owner, left by a process that died in between."""
    with db.read() as session:
        known = set(session.scalars(select(PhotoTable.image_id).distinct()))
        runs = set(session.scalars(select(RunTable.id)))
        is_busy = session.scalar(select(JobTable.id).where(JobTable.state == "running").limit(1)) is not None
    orphans = {
        file.name[:64]
        for folder in (config.photo_folder(), config.thumbnail_folder())
        for file in folder.glob("??/??/*")
        if file.name[:64] not in known and _age_s(file, moment) > ORPHAN_AGE_S
    }
    _remove_photos(db, {name for name in orphans if len(name) == 64}, moment, ORPHAN_AGE_S)
    if not is_busy:
        for folder in _folders(config.run_folder()):
            if folder.name not in runs and _age_s(folder, moment) > ORPHAN_AGE_S:
                shutil.rmtree(folder, ignore_errors=True)


def _folders(parent: Path) -> Iterator[Path]:
    if parent.is_dir():
        yield from (entry for entry in parent.iterdir() if entry.is_dir())


def _age_s(file: Path, moment: datetime) -> float:
    """Seconds since the file was written; very old if it is not there."""
    try:
        return moment.timestamp() - file.stat().st_mtime
    except OSError:
        return float("inf")
