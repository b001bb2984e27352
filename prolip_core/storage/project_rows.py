"""The rows of one project, out of this database and into another one: what a project file holds besides photos and runs' files.

A further table of the schema is a line in `TABLES`, or in `STAYS` with the reason why it does not travel; a test names a table
that is in neither. What a row may hold is told by its columns; what it means is checked by `project_files`.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Boolean, Column, ColumnElement, Float, Integer, String, select
from sqlalchemy.orm import Session

from prolip_core.storage import photo_columns
from prolip_core.storage.names import clean
from prolip_core.storage.schema import (
    Base,
    ClassTable,
    JobTable,
    PhotoTable,
    PhotoTagTable,
    ProjectTable,
    ReportChoiceTable,
    RunTable,
    StepTable,
    StudyTable,
    TriedAnswerTable,
    TriedDropTable,
    TriedPhotoTable,
    UndoTable,
    UtcTime,
    WorkerTable,
)
from prolip_core.types import CheckedPhoto

Row = Mapping[str, Any]
"""Column → value, as JSON takes it; ids are those of the database that the row is from."""

MAX_TEXT_CHARACTERS = 65_536
_MAX_INTEGER = 2**63 - 1
_BATCH = 500
_OWNER = "project_id"
_HIDDEN = "deleted_at"

MEASURED = ("format", "width_px", "height_px", "size_bytes", "phash", "sharpness", "brightness", "contrast")
"""Columns of a table with an `image_id` that are told by the photo itself: measured anew where it arrives, never believed."""


@dataclass(frozen=True)
class Travelling:
    """A table whose rows go with their project, hidden ones left out.

    refers: column → name of the table whose row it names; rows that name a row which stays behind stay behind too.
    forgets: columns that mean nothing elsewhere, and become null.
    """

    table: type[Base]
    refers: Mapping[str, str] = field(default_factory=dict)
    forgets: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return str(self.table.__tablename__)

    @property
    def columns(self) -> dict[str, Column[Any]]:
        """Those that are written into a file."""
        left_out = {_OWNER, _HIDDEN, *self.forgets, *(MEASURED if "image_id" in self.all_columns else ())}
        return {name: column for name, column in self.all_columns.items() if name not in left_out}

    @property
    def all_columns(self) -> dict[str, Column[Any]]:
        return {column.name: column for column in self.table.__table__.columns if isinstance(column, Column)}

    @property
    def key(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.table.__table__.primary_key)


TABLES: tuple[Travelling, ...] = (
    Travelling(ProjectTable),
    Travelling(ClassTable),
    Travelling(PhotoTable, {"class_id": "class"}),
    Travelling(PhotoTagTable, {"photo_id": "photo"}),
    Travelling(RunTable, forgets=("job_id",)),
    Travelling(StudyTable, {"run_id": "run"}, forgets=("job_id",)),
    Travelling(ReportChoiceTable),
)
"""In an order in which every row comes after those that it names."""

BY_NAME: Mapping[str, Travelling] = {one.name: one for one in TABLES}

STAYS: Mapping[type[Base], str] = {
    UndoTable: "what can be taken back is a matter of the minutes after it was done, where it was done",
    JobTable: "work that is done has left its run or study, and work under way is that of this computer's processes",
    TriedDropTable: "photos that were tried are no part of the project; what taught is among its photos",
    TriedPhotoTable: "see above",
    TriedAnswerTable: "see above",
    StepTable: "the curve of a job; the run has its own",
    WorkerTable: "the processes of this computer",
}


class BadRowError(ValueError):
    """A row that cannot be one of its table. `column`: what is wrong about it; "" where it is the row as a whole."""

    def __init__(self, column: str) -> None:
        super().__init__(column)
        self.column = column


def read(session: Session, project_id: str) -> Iterator[tuple[str, Iterator[Row]]]:
    """Table by table, the rows of a project in the order of their keys. Take all rows of a table before the next one."""
    kept: dict[str, set[Any]] = {}
    for one in TABLES:
        yield one.name, _read_table(session, project_id, one, kept)


def _read_table(session: Session, project_id: str, one: Travelling, kept: dict[str, set[Any]]) -> Iterator[Row]:
    ids = kept[one.name] = set()
    columns = one.all_columns
    query = select(*one.columns.values()).where(_owned(one, project_id)).order_by(*(columns[name] for name in one.key))
    if _HIDDEN in columns:
        query = query.where(columns[_HIDDEN].is_(None))
    for found in session.execute(query.execution_options(yield_per=_BATCH)):
        row = dict(found._mapping)
        if any(row[name] is not None and row[name] not in kept[other] for name, other in one.refers.items()):
            continue
        ids.add(row.get("id"))
        yield {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}


def _owned(one: Travelling, project_id: str) -> ColumnElement[bool]:
    """Rows of the project, by themselves or through what they name."""
    columns = one.all_columns
    if one.table is ProjectTable:
        return columns["id"] == project_id
    if _OWNER in columns:
        return columns[_OWNER] == project_id
    name, other = next(iter(one.refers.items()))
    parent = BY_NAME[other]
    return columns[name].in_(select(parent.all_columns["id"]).where(_owned(parent, project_id)))


class Checker:
    """Reads rows as they come from a file: types, lengths, and that every row named has been there before."""

    def __init__(self) -> None:
        self._keys: dict[str, set[Any]] = {one.name: set() for one in TABLES}

    def check(self, table: str, row: object) -> dict[str, Any]:
        """The row with its moments as such. Raises BadRowError."""
        one = BY_NAME[table]
        columns = one.columns
        if not isinstance(row, dict) or row.keys() - columns.keys():
            raise BadRowError("")
        checked = {name: _value(column, row.get(name)) for name, column in columns.items()}
        for name, other in one.refers.items():
            if checked[name] is not None and checked[name] not in self._keys[other]:
                raise BadRowError(name)
        key = tuple(checked[name] for name in one.key if name in columns)  # a file has one project alone
        if (own := key[0] if one.key == ("id",) else key) in self._keys[table]:
            raise BadRowError(one.key[0])
        self._keys[table].add(own)
        return checked


def _value(column: Column[Any], value: object) -> Any:
    """The value as the database takes it. Raises BadRowError."""
    kind, fits = column.type, False
    if value is None:
        fits = bool(column.nullable)
    elif isinstance(kind, UtcTime):
        value = _moment(value)
        fits = value is not None
    elif isinstance(kind, String):  # Text is one too
        fits = isinstance(value, str) and len(value) <= (kind.length or MAX_TEXT_CHARACTERS) and value == clean(value)
    elif isinstance(kind, Boolean):
        fits = isinstance(value, bool)
    elif isinstance(kind, Integer):
        fits = type(value) is int and -_MAX_INTEGER <= value <= _MAX_INTEGER
    elif isinstance(kind, Float):
        fits = type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type]
    elif isinstance(kind, JSON):
        fits = isinstance(value, dict | list)
    if not fits:
        raise BadRowError(column.name)
    return value


def _moment(value: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return moment if moment is not None and moment.tzinfo is not None else None


def insert(
    session: Session,
    tables: Iterable[tuple[str, Iterable[Row]]],
    photos: Mapping[str, CheckedPhoto],
    run_ids: Mapping[str, str],
) -> str:
    """Adds a project with all that belongs to it, under new ids; gives the project's.

    tables: in the order of `TABLES`, rows as `Checker.check` gives them. photos: by their ids, all that the rows name.
    run_ids: old → new.
    """
    ids: dict[str, dict[Any, Any]] = {"run": dict(run_ids)}
    project_id = ""
    for name, rows in tables:
        one = BY_NAME[name]
        new = ids.setdefault(name, {})
        waiting: list[tuple[Any, Base]] = []
        for row in rows:
            values = {**row, **{key: ids[other].get(row[key]) for key, other in one.refers.items()}}
            if one.key == ("id",):
                old = values.pop("id")
                if isinstance(one.all_columns["id"].type, String):
                    values["id"] = new.setdefault(old, uuid.uuid4().hex)
            else:
                old = None
            if _OWNER in one.all_columns:
                values[_OWNER] = project_id
            if "image_id" in one.all_columns:
                values.update(photo_columns.values(photos[row["image_id"]]))
            waiting.append((old, one.table(**values, **_nothing(one, values))))
            if len(waiting) >= _BATCH:
                _add(session, waiting, new)
        _add(session, waiting, new)
        if one.table is ProjectTable:
            (project_id,) = new.values()
    return project_id


def _add(session: Session, waiting: list[tuple[Any, Base]], new: dict[Any, Any]) -> None:
    """Only now do rows that the database counts itself get their numbers; in the order in which they were given."""
    session.add_all([row for _, row in waiting])
    session.flush()
    for old, row in waiting:
        if old is not None:
            new[old] = row.id  # type: ignore[attr-defined]
    for _, row in waiting:
        session.expunge(row)  # thousands of results need not stay in memory
    waiting.clear()


def _nothing(one: Travelling, values: Row) -> dict[str, None]:
    """The columns that did not travel."""
    return {name: None for name in one.all_columns if name not in values and name != "id"}
