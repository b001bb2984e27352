"""Bringing a version back: classes, photos and choices become what a training was made from, as one step that can be undone.

Photos that the version did not have are excluded, not deleted; a class that it did not have is deleted, as on the page of the
classes. Only what was removed for good cannot come back, and `Plan.gone` names it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from prolip_core.storage import undo
from prolip_core.storage.database import Database, now
from prolip_core.storage.projects import live_row, touch
from prolip_core.storage.records import Role
from prolip_core.storage.schema import ClassTable, PhotoTable
from prolip_core.types import ClassSpec

UNDO_KIND = "rollback"


@dataclass(frozen=True)
class VersionPhoto:
    """A photo of a version: what it was called, its class (by name), what it was used for."""

    image_id: str
    filename: str
    class_name: str
    role: Role


@dataclass(frozen=True)
class Version:
    """All that a training is made from. `choices`: the part of `spec.as_dict` that belongs to it (not device and precision)."""

    classes: tuple[ClassSpec, ...]
    photos: tuple[VersionPhoto, ...] = field(repr=False)
    choices: Mapping[str, Any]


@dataclass(frozen=True)
class Plan:
    """What bringing a version back changes. back: photos that are deleted or excluded now and are used again; moved: photos with
    another class or use; aside: photos that are excluded then; new_classes: made or brought back; lost_classes: deleted, with
    `lost_photos` photos; gone: photos that were removed for good."""

    back: int
    moved: int
    aside: int
    new_classes: tuple[str, ...]
    lost_classes: tuple[str, ...]
    lost_photos: int
    gone: tuple[VersionPhoto, ...]
    other_choices: bool
    other_names: bool

    @property
    def is_nothing(self) -> bool:
        return not (
            self.back
            or self.moved
            or self.aside
            or self.new_classes
            or self.lost_classes
            or self.other_choices
            or self.other_names
        )


@dataclass(frozen=True)
class _Rows:
    """The rows behind a plan. homes: one per class of the version, None where it has to be made; placed: photo, place of its
    class, use; aside: photos to exclude; lost: classes to delete, with `lost_photos`."""

    homes: Sequence[ClassTable | None]
    placed: Sequence[tuple[PhotoTable, int, Role]]
    aside: Sequence[PhotoTable]
    lost: Sequence[ClassTable]
    lost_photos: Sequence[PhotoTable]
    gone: Sequence[VersionPhoto]
    choices: Mapping[str, Any]
    old_choices: Mapping[str, Any]


def plan(db: Database, project_id: str, version: Version) -> Plan:
    """What `roll_back` would change. Raises StorageError if the project is gone."""
    with db.read() as session:
        return _plan(_rows(session, project_id, version), version)


def roll_back(db: Database, project_id: str, version: Version) -> Plan:
    """Brings the version back and gives what that changed. Raises StorageError if the project is gone."""
    with db.write() as session:
        rows = _rows(session, project_id, version)
        found = _plan(rows, version)
        if not found.is_nothing:
            _apply(session, project_id, rows, version)
        return found


def _rows(session: Session, project_id: str, version: Version) -> _Rows:
    project = live_row(session, project_id)
    classes = session.scalars(
        select(ClassTable).where(ClassTable.project_id == project_id).order_by(ClassTable.id)
    ).all()
    photos = session.scalars(
        select(PhotoTable).where(PhotoTable.project_id == project_id).order_by(PhotoTable.id)
    ).all()
    homes = _homes(classes, photos, version)
    kept = {row.id for row in homes if row is not None}
    lost = [row for row in classes if row.deleted_at is None and row.id not in kept]
    placed, gone = _placed(photos, homes, version)
    taken = {row.id for row, _, _ in placed}
    others = [row for row in photos if row.deleted_at is None and row.id not in taken]
    return _Rows(
        homes=homes,
        placed=placed,
        aside=[row for row in others if row.class_id in kept and not row.excluded],
        lost=lost,
        lost_photos=[row for row in others if row.class_id in {one.id for one in lost}],
        gone=gone,
        choices={**project.spec, **version.choices},
        old_choices=project.spec,
    )


def _homes(classes: Sequence[ClassTable], photos: Sequence[PhotoTable], version: Version) -> list[ClassTable | None]:
    """Of each class of the version its row: by its name, of two rows the one that is not deleted, then the newer; else, where it
    was renamed since, the row that most of its photos lie in."""
    by_name: dict[str, ClassTable] = {}
    for row in sorted(classes, key=lambda one: (one.deleted_at is None, one.id)):
        by_name[row.display_name] = row
    homes = [by_name.get(one.display_name) for one in version.classes]
    used = {row.id for row in homes if row is not None}
    class_of = {photo.image_id: photo.class_name for photo in version.photos}
    lies_in: dict[str, Counter[int]] = defaultdict(Counter)
    for photo in photos:
        if photo.image_id in class_of and photo.class_id not in used:
            lies_in[class_of[photo.image_id]][photo.class_id] += 1
    by_id = {row.id: row for row in classes}
    for place, one in enumerate(version.classes):
        likely = [id_ for id_, _ in lies_in[one.display_name].most_common() if id_ in by_id and id_ not in used]
        if homes[place] is None and likely:
            homes[place] = by_id[likely[0]]
            used.add(likely[0])
    return homes


def _placed(
    photos: Sequence[PhotoTable], homes: Sequence[ClassTable | None], version: Version
) -> tuple[list[tuple[PhotoTable, int, Role]], list[VersionPhoto]]:
    """Each photo of the version with its row, and those that have none any more."""
    place_of = {one.display_name: place for place, one in enumerate(version.classes)}
    rows_of: dict[str, list[PhotoTable]] = defaultdict(list)
    for row in photos:
        rows_of[row.image_id].append(row)
    placed: list[tuple[PhotoTable, int, Role]] = []
    gone: list[VersionPhoto] = []
    for photo in version.photos:
        place = place_of[photo.class_name]
        home = homes[place]

        def fits(row: PhotoTable, home: ClassTable | None = home, role: Role = photo.role) -> tuple[bool, ...]:
            is_home = home is not None and row.class_id == home.id
            return row.deleted_at is None, is_home, row.role == role, not row.excluded

        rows = rows_of[photo.image_id]
        if rows:
            placed.append((max(rows, key=fits), place, photo.role))
        else:
            gone.append(photo)
    return placed, gone


def _plan(rows: _Rows, version: Version) -> Plan:
    back = [row for row, _, _ in rows.placed if row.deleted_at is not None or row.excluded]
    moved = [
        row
        for row, place, role in rows.placed
        if row not in back and (row.role != role or rows.homes[place] is None or row.class_id != _id(rows.homes[place]))
    ]
    there = [row for row in rows.homes if row is not None and row.deleted_at is None]
    return Plan(
        back=len(back),
        moved=len(moved),
        aside=len(rows.aside),
        new_classes=tuple(
            one.display_name
            for one, row in zip(version.classes, rows.homes, strict=True)
            if row is None or row.deleted_at is not None
        ),
        lost_classes=tuple(row.display_name for row in rows.lost),
        lost_photos=len(rows.lost_photos),
        gone=tuple(rows.gone),
        other_choices=rows.choices != rows.old_choices,
        other_names=[row.id for row in sorted(there, key=lambda row: row.position)] != [row.id for row in there]
        or any(
            row is not None and (row.display_name, tuple(row.prompt_names)) != (one.display_name, one.prompt_names)
            for one, row in zip(version.classes, rows.homes, strict=True)
        ),
    )


def _id(row: ClassTable | None) -> int | None:
    return None if row is None else row.id


def _apply(session: Session, project_id: str, rows: _Rows, version: Version) -> None:
    touch(session, project_id)
    new: dict[int, ClassTable] = {
        place: ClassTable(
            project_id=project_id,
            position=place,
            display_name=version.classes[place].display_name,
            prompt_names=list(version.classes[place].prompt_names),
            deleted_at=None,
        )
        for place, row in enumerate(rows.homes)
        if row is None
    }
    session.add_all(new.values())
    session.flush()
    homes = [new[place] if row is None else row for place, row in enumerate(rows.homes)]
    changed = [
        row
        for row, place, role in rows.placed
        if (row.deleted_at, row.excluded, row.role, row.class_id) != (None, False, role, homes[place].id)
    ]
    undo.remember(
        session,
        project_id,
        UNDO_KIND,
        photos=[*changed, *rows.aside, *rows.lost_photos],
        classes=[*(row for row in rows.homes if row is not None), *rows.lost],
        new=new.values(),
        choices=rows.old_choices,
    )
    for place, (one, home) in enumerate(zip(version.classes, homes, strict=True)):
        home.position, home.deleted_at = place, None
        home.display_name, home.prompt_names = one.display_name, list(one.prompt_names)
    for row, place, role in rows.placed:
        row.class_id, row.role, row.excluded, row.deleted_at = homes[place].id, role, False, None
    for row in rows.aside:
        row.excluded = True
    moment = now()
    for lost_class in rows.lost:
        lost_class.deleted_at = moment
    for lost_photo in rows.lost_photos:
        lost_photo.deleted_at = moment
    live_row(session, project_id).spec = dict(rows.choices)
