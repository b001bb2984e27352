"""Photos that were tried and the answers about them. They belong to no class: `teaching.teach` makes a training photo of one.

A drop, one photo or many that came together, is deleted as a whole: hidden at once, and removed from the disk by `purge`.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from prolip_core.errors import RunError, StorageError
from prolip_core.storage import photo_columns
from prolip_core.storage.database import Database, now
from prolip_core.storage.names import clean
from prolip_core.storage.projects import live_row
from prolip_core.storage.records import Drop, RefusedFile, Similar, TriedAnswer, TriedPhoto
from prolip_core.storage.schema import RunTable, TriedAnswerTable, TriedDropTable, TriedPhotoTable
from prolip_core.types import CheckedPhoto, DuplicateFile


def begin(db: Database, project_id: str, *, is_many: bool) -> str:
    """A new drop without photos; its id. Raises StorageError if the project is gone."""
    with db.write() as session:
        live_row(session, project_id)
        drop_id = uuid.uuid4().hex
        session.add(
            TriedDropTable(
                id=drop_id,
                project_id=project_id,
                created_at=now(),
                is_many=is_many,
                total=0,
                deleted_at=None,
                refused=[],
                twice=[],
            )
        )
    return drop_id


def add(
    db: Database,
    drop_id: str,
    items: Sequence[CheckedPhoto],
    refused: Sequence[RefusedFile] = (),
    *,
    total: int | None = None,
) -> tuple[TriedPhoto, ...]:
    """Adds photos to the drop, and files that are no photo of it; gives the photos that are new. The same bytes twice are one.
    total: how many files there are in all, where more are on the way.

    Raises StorageError if the drop is gone or was deleted.
    """
    with db.write() as session:
        row = session.get(TriedDropTable, drop_id)
        if row is None or row.deleted_at is not None:
            raise _gone()
        there = session.execute(
            select(TriedPhotoTable.image_id, TriedPhotoTable.filename).where(TriedPhotoTable.drop_id == drop_id)
        )
        names = {image_id: filename for image_id, filename in there}  # noqa: C416 - rows are no pairs to dict()
        new: list[TriedPhotoTable] = []
        twice: list[dict[str, Any]] = []
        for item in items:
            record = item.record
            filename = clean(record.filename)
            if record.image_id in names:
                twice.append(asdict(DuplicateFile(filename, names[record.image_id], record.image_id)))
                continue
            names[record.image_id] = filename
            new.append(_row(drop_id, item))
        session.add_all(new)
        row.refused = [*row.refused, *(_kept(one) for one in refused)]
        row.twice = [*row.twice, *twice]
        session.flush()
        row.total = max(len(names) + len(row.refused) + len(row.twice), total or 0)
        return tuple(_photo(one) for one in new)


def drops(db: Database, project_id: str, *, is_many: bool | None = None) -> tuple[Drop, ...]:
    """The project's drops that are not deleted, the newest first; of many photos or of one alone if asked so."""
    query = _drops(project_id).where(TriedDropTable.deleted_at.is_(None))
    if is_many is not None:
        query = query.where(TriedDropTable.is_many.is_(is_many))
    with db.read() as session:
        return _told(session, query)


def deleted(db: Database, project_id: str) -> tuple[Drop, ...]:
    """Drops whose deletion can still be taken back, the one deleted last first."""
    with db.read() as session:
        found = select(TriedDropTable).where(
            TriedDropTable.project_id == project_id, TriedDropTable.deleted_at.is_not(None)
        )
        return _told(session, found.order_by(TriedDropTable.deleted_at.desc()))


def any_of(db: Database, project_id: str) -> bool:
    """Whether a photo was tried in this project."""
    with db.read() as session:
        return session.scalar(_photos_of(project_id).with_only_columns(TriedPhotoTable.id).limit(1)) is not None


def photos(db: Database, drop_id: str) -> tuple[TriedPhoto, ...]:
    """The photos of a drop in the order in which they came; none of a deleted one."""
    with db.read() as session:
        rows = session.scalars(
            select(TriedPhotoTable)
            .join(TriedDropTable, TriedDropTable.id == TriedPhotoTable.drop_id)
            .where(TriedPhotoTable.drop_id == drop_id, TriedDropTable.deleted_at.is_(None))
            .order_by(TriedPhotoTable.id)
        )
        return tuple(map(_photo, rows))


def of_project(db: Database, project_id: str) -> tuple[TriedPhoto, ...]:
    """All tried photos of the project, the newest first; the same bytes in several drops once."""
    with db.read() as session:
        rows = session.scalars(_photos_of(project_id).order_by(TriedPhotoTable.id.desc()))
        newest: dict[str, TriedPhotoTable] = {}
        for row in rows:
            newest.setdefault(row.image_id, row)
        return tuple(map(_photo, newest.values()))


def unanswered(db: Database, drop_id: str, run_id: str, limit: int | None = None) -> tuple[TriedPhoto, ...]:
    """Photos of the drop that this run has not been asked about yet, in the order in which they came."""
    query = _unanswered(drop_id, run_id).order_by(TriedPhotoTable.id)
    with db.read() as session:
        return tuple(map(_photo, session.scalars(query if limit is None else query.limit(limit))))


def count_unanswered(db: Database, drop_id: str, run_id: str) -> int:
    """How many photos of the drop this run has not been asked about yet."""
    with db.read() as session:
        counted = select(func.count()).select_from(_unanswered(drop_id, run_id).subquery())
        return session.scalar(counted) or 0


def keep(db: Database, run_id: str, answers: Sequence[TriedAnswer]) -> None:
    """Keeps what the run says; about photos that were removed meanwhile nothing is kept. Raises RunError if the run is gone."""
    with db.write() as session:
        run = session.get(RunTable, run_id)
        if run is None or run.deleted_at is not None:
            raise RunError("This result is not there any more.", remedy="Choose another result, or train again.")
        ids = [one.photo_id for one in answers]
        there = set(session.scalars(select(TriedPhotoTable.id).where(TriedPhotoTable.id.in_(ids))))
        moment = now()
        for one in answers:
            if one.photo_id in there:
                session.merge(
                    TriedAnswerTable(
                        photo_id=one.photo_id,
                        run_id=run_id,
                        at=moment,
                        zero_shot=list(one.zero_shot),
                        prolip=list(one.prolip),
                        similar=[asdict(similar) for similar in one.similar],
                        turn=one.turn,
                        problem=None if one.problem is None else _kept(one.problem),
                    )
                )


def answers(db: Database, run_id: str, drop_id: str | None = None) -> Mapping[int, TriedAnswer]:
    """What the run says, by the id of the photo; about one drop, or about all."""
    query = select(TriedAnswerTable).where(TriedAnswerTable.run_id == run_id)
    if drop_id is not None:
        of_drop = select(TriedPhotoTable.id).where(TriedPhotoTable.drop_id == drop_id)
        query = query.where(TriedAnswerTable.photo_id.in_(of_drop))
    with db.read() as session:
        return {row.photo_id: _answer(row) for row in session.scalars(query)}


def set_turns(db: Database, run_id: str, turns: Mapping[int, int]) -> None:
    """Photo id → place among the photos whose class would teach most; every other photo that the run answered loses its own."""
    with db.write() as session:
        for row in session.scalars(select(TriedAnswerTable).where(TriedAnswerTable.run_id == run_id)):
            row.turn = turns.get(row.photo_id)


def delete_drop(db: Database, drop_id: str) -> None:
    """Hides the drop; `restore_drop` brings it back until `purge` removes it."""
    with db.write() as session:
        row = session.get(TriedDropTable, drop_id)
        if row is not None:
            row.deleted_at = now()


def restore_drop(db: Database, drop_id: str) -> None:
    """Takes the deletion of a drop back. Raises StorageError if it was removed for good."""
    with db.write() as session:
        row = session.get(TriedDropTable, drop_id)
        if row is None:
            raise _gone()
        row.deleted_at = None


def live_photo(session: Session, photo_id: int) -> TriedPhoto:
    """The photo, inside a session that is already open. Raises StorageError if the photo is gone."""
    row = session.scalar(_live_photo(photo_id))
    if row is None:
        raise _gone()
    return _photo(row)


def _live_photo(photo_id: int) -> Select[TriedPhotoTable]:
    return (
        select(TriedPhotoTable)
        .join(TriedDropTable, TriedDropTable.id == TriedPhotoTable.drop_id)
        .where(TriedPhotoTable.id == photo_id, TriedDropTable.deleted_at.is_(None))
    )


def _unanswered(drop_id: str, run_id: str) -> Select[TriedPhotoTable]:
    answered = select(TriedAnswerTable.photo_id).where(TriedAnswerTable.run_id == run_id)
    return (
        select(TriedPhotoTable)
        .join(TriedDropTable, TriedDropTable.id == TriedPhotoTable.drop_id)
        .where(
            TriedPhotoTable.drop_id == drop_id,
            TriedDropTable.deleted_at.is_(None),
            TriedPhotoTable.id.not_in(answered),
        )
    )


def _photos_of(project_id: str) -> Select[TriedPhotoTable]:
    return (
        select(TriedPhotoTable)
        .join(TriedDropTable, TriedDropTable.id == TriedPhotoTable.drop_id)
        .where(TriedDropTable.project_id == project_id, TriedDropTable.deleted_at.is_(None))
    )


def _drops(project_id: str) -> Select[TriedDropTable]:
    newest_first = (TriedDropTable.created_at.desc(), TriedDropTable.id)
    return select(TriedDropTable).where(TriedDropTable.project_id == project_id).order_by(*newest_first)


def _told(session: Session, query: Select[TriedDropTable]) -> tuple[Drop, ...]:
    rows = session.scalars(query).all()
    counted = session.execute(
        select(TriedPhotoTable.drop_id, func.count())
        .where(TriedPhotoTable.drop_id.in_([row.id for row in rows]))
        .group_by(TriedPhotoTable.drop_id)
    )
    counts = {row[0]: row[1] for row in counted}
    return tuple(
        Drop(
            row.id,
            row.project_id,
            row.created_at,
            row.is_many,
            counts.get(row.id, 0),
            row.total,
            tuple(RefusedFile(**one) for one in row.refused),
            tuple(DuplicateFile(**one) for one in row.twice),
        )
        for row in rows
    )


def _gone() -> StorageError:
    return StorageError("This photo is not there any more.", remedy="Try it once more.")


def _kept(one: RefusedFile) -> dict[str, Any]:
    return {**asdict(one), "filename": clean(one.filename), "values": _clean_values(one.values)}


def _clean_values(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: clean(value) if isinstance(value, str) else value for name, value in values.items()}


def _row(drop_id: str, item: CheckedPhoto) -> TriedPhotoTable:
    return TriedPhotoTable(
        drop_id=drop_id,
        image_id=item.record.image_id,
        filename=clean(item.record.filename),
        added_at=now(),
        **photo_columns.values(item),
    )


def _photo(row: TriedPhotoTable) -> TriedPhoto:
    return TriedPhoto(row.id, row.drop_id, photo_columns.checked(row), row.added_at)


def _answer(row: TriedAnswerTable) -> TriedAnswer:
    return TriedAnswer(
        photo_id=row.photo_id,
        zero_shot=tuple(row.zero_shot),
        prolip=tuple(row.prolip),
        similar=tuple(Similar(**one) for one in row.similar),
        turn=row.turn,
        problem=None if row.problem is None else RefusedFile(**row.problem),
    )
