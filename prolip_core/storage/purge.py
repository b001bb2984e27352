"""Real deletion: rows and files of what was deleted longer than `config.UNDO_PERIOD_S` ago, and files that belong to nobody."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from prolip_core import config, content_store
from prolip_core.storage import undo
from prolip_core.storage.database import Database
from prolip_core.storage.database import now as current_time
from prolip_core.storage.projects import LONG_AGO
from prolip_core.storage.records import LIVE_STATES, Purged
from prolip_core.storage.schema import (
    ClassTable,
    JobTable,
    PhotoTable,
    ProjectTable,
    RunTable,
    StudyTable,
    TriedDropTable,
    TriedPhotoTable,
)
from prolip_core.storage.studies import KEEPS, NEEDS

ORPHAN_AGE_S = 3600
"""A file without an owner is removed at this age; a younger one may belong to an upload or a training that is under way."""

FRESH_S = 600
"""A photo that was stored once more so shortly ago, after its last row was made, is left to the sweep: another row may be on the
way, which comes when the photos that were sent with it are checked."""


def purge(db: Database, now: datetime | None = None) -> Purged:
    """Removes for good what can no longer be taken back. Safe to call at any time, from any process. Projects whose work has
    not stopped yet are left for the next time."""
    moment = now or current_time()
    limit = moment - timedelta(seconds=config.UNDO_PERIOD_S)
    with db.write() as session:
        at_work = select(JobTable.project_id).where(JobTable.state == "running")
        projects = session.scalars(
            select(ProjectTable.id).where(ProjectTable.deleted_at < limit, ProjectTable.id.not_in(at_work))
        ).all()
        runs = session.scalars(
            select(RunTable.id).where((RunTable.deleted_at < limit) | RunTable.project_id.in_(projects))
        ).all()
        classes = session.scalars(select(ClassTable.id).where(ClassTable.deleted_at < limit)).all()
        is_lost = (
            (PhotoTable.deleted_at < limit) | PhotoTable.project_id.in_(projects) | PhotoTable.class_id.in_(classes)
        )
        lost = session.execute(select(PhotoTable.image_id, PhotoTable.added_at).where(is_lost).order_by("added_at"))
        last_row_at = {image_id: added_at for image_id, added_at in lost}  # noqa: C416 - rows are no pairs to dict()
        drops = session.scalars(
            select(TriedDropTable.id).where(
                (TriedDropTable.deleted_at < limit) | TriedDropTable.project_id.in_(projects)
            )
        ).all()
        is_tried = TriedPhotoTable.drop_id.in_(drops)
        for image_id, added_at in session.execute(
            select(TriedPhotoTable.image_id, TriedPhotoTable.added_at).where(is_tried)
        ):
            last_row_at[image_id] = max(added_at, last_row_at.get(image_id, added_at))
        poorer = set(session.scalars(select(PhotoTable.project_id).where(is_lost).distinct()))
        poorer.update(session.scalars(select(ClassTable.project_id).where(ClassTable.id.in_(classes))))
        session.execute(delete(PhotoTable).where(is_lost))
        session.execute(delete(ClassTable).where(ClassTable.id.in_(classes)))
        undo.forget(session, poorer)
        session.execute(delete(TriedPhotoTable).where(is_tried))
        session.execute(delete(TriedDropTable).where(TriedDropTable.id.in_(drops)))
        session.execute(delete(RunTable).where(RunTable.id.in_(runs)))
        session.execute(delete(ProjectTable).where(ProjectTable.id.in_(projects)))
    # Files after rows: a crash in between leaves orphans, which the sweep below finds, and never a row without its file.
    removed = _remove_photos(db, last_row_at, moment)
    for run_id in runs:
        for parent in (config.run_folder(), config.hand_over_folder()):
            shutil.rmtree(parent / run_id, ignore_errors=True)
    for project_id in projects:
        shutil.rmtree(config.export_folder() / project_id, ignore_errors=True)
    _sweep(db, moment)
    _sweep_project_files(moment)
    db.empty_journal()
    return Purged(len(projects), removed, len(runs))


def _remove_photos(db: Database, added_at: Mapping[str, datetime], moment: datetime) -> int:
    """Deletes what was kept of these photos unless a row still needs it; how many photos. `added_at`: by the photo's id, when
    its last row was made; a file that was written again after that and a short while ago may get another row."""
    removed = 0
    for image_id, last_row_at in added_at.items():
        # One by one in a writing transaction: nobody can add the photo again between the question and the deletion.
        with db.write() as session:
            photo = config.photo_folder() / image_id[:2] / image_id[2:4] / image_id
            age_s = _age_s(photo, moment)
            is_wanted_again = age_s < FRESH_S and age_s < (moment - last_row_at).total_seconds()
            if not is_wanted_again and not _is_needed(session, image_id):
                removed += _remove_files(image_id, photo)
    return removed


def _remove_files(image_id: str, photo: Path) -> bool:
    """The photo itself goes last: as long as it is there, the sweep comes again for what could not be removed."""
    in_a_file = [*config.hand_over_folder().glob(f"*/{image_id}")]
    made_from_it = (
        *(file for marker in in_a_file for file in marker.parent.glob("*.zip")),
        *in_a_file,
        *(config.thumbnail_folder() / image_id[:2] / image_id[2:4]).glob(f"{image_id}*"),
        *(config.cache_folder() / "features").glob(f"*/{image_id[:2]}/{image_id}-*"),
    )
    try:
        for file in (*made_from_it, photo):
            file.unlink(missing_ok=True)
    except OSError:  # held open by another program
        return False
    return True


def _is_needed(session: Session, image_id: str) -> bool:
    """By a project, as one of its photos or as one that was tried, or by a study that was given photos of its own to keep."""
    for table in (PhotoTable, TriedPhotoTable):
        if session.scalar(select(table.id).where(table.image_id == image_id).limit(1)) is not None:
            return True
    return image_id in _kept_by_studies(session)


def _kept_by_studies(session: Session) -> set[str]:
    """Photos that a study, finished or asked for, keeps (`studies.KEEPS`); those that one under way needs (`studies.NEEDS`)."""
    payloads = session.scalars(
        select(JobTable.payload).where(JobTable.kind == "study", JobTable.state.in_(LIVE_STATES))
    )
    live = [payload.get("settings", {}) for payload in payloads]
    kept = [settings.get(KEEPS, ()) for settings in (*session.scalars(select(StudyTable.settings)), *live)]
    kept += [settings.get(NEEDS, ()) for settings in live]
    return {str(image_id) for photos in kept for image_id in photos}


def _sweep(db: Database, moment: datetime) -> None:
    """Photos, thumbnails and run folders without an owner, left by a process that died in between."""
    with db.read() as session:
        known = set(session.scalars(select(PhotoTable.image_id).distinct())) | _kept_by_studies(session)
        known.update(session.scalars(select(TriedPhotoTable.image_id).distinct()))
        runs = set(session.scalars(select(RunTable.id)))
        is_busy = session.scalar(select(JobTable.id).where(JobTable.state == "running").limit(1)) is not None
    orphans = [
        file
        for folder in (config.photo_folder(), config.thumbnail_folder())
        for file in folder.glob("??/??/*")
        if file.name[:64] not in known and _age_s(file, moment) > ORPHAN_AGE_S
    ]
    for file in orphans:
        if file.name.startswith(content_store.UNFINISHED):
            with contextlib.suppress(OSError):  # held open by another program: the sweep comes again
                file.unlink(missing_ok=True)
    _remove_photos(db, {name: LONG_AGO for file in orphans if len(name := file.name[:64]) == 64}, moment)
    if not is_busy:
        for folder in (*_folders(config.run_folder()), *_folders(config.hand_over_folder())):
            if folder.name not in runs and _age_s(folder, moment) > ORPHAN_AGE_S:
                shutil.rmtree(folder, ignore_errors=True)


def _sweep_project_files(moment: datetime) -> None:
    """Project files that nobody has fetched for a while, and what a process that died left of some."""
    for folder in _folders(config.export_folder()):
        _remove_old(folder, config.EXPORT_KEPT_S, moment)
        if _age_s(folder, moment) > config.EXPORT_KEPT_S:
            with contextlib.suppress(OSError):  # not empty
                folder.rmdir()
    _remove_old(config.import_folder(), ORPHAN_AGE_S, moment)


def _remove_old(folder: Path, age_s: float, moment: datetime) -> None:
    for file in folder.glob("*") if folder.is_dir() else ():
        if _age_s(file, moment) > age_s:
            with contextlib.suppress(OSError):  # held open by another program: the sweep comes again
                file.unlink()


def _folders(parent: Path) -> Iterator[Path]:
    if parent.is_dir():
        yield from (entry for entry in parent.iterdir() if entry.is_dir())


def _age_s(file: Path, moment: datetime) -> float:
    """Seconds since the file was written; very old if it is not there."""
    try:
        return moment.timestamp() - file.stat().st_mtime
    except OSError:
        return float("inf")
