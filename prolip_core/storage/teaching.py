"""A tried photo becomes a training photo of the class that a person says it shows. Test photos stay test photos: neither they
nor their near-duplicates teach, by the same groups that keep the two apart in a training (`duplicates.groups`)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from prolip_core import duplicates
from prolip_core.errors import DatasetError
from prolip_core.storage import classes, tried
from prolip_core.storage import photos as photo_rows
from prolip_core.storage.database import Database
from prolip_core.storage.records import Photo, TriedPhoto

if TYPE_CHECKING:
    from prolip_core.types import ImageRecord

UNDO_KIND = "teach"


def teach(db: Database, project_id: str, photo_id: int, class_id: int) -> Photo:
    """The tried photo joins the training photos of this class, as one undo step.

    Raises DatasetError, and changes nothing, where it may not teach: it is a test photo or a near-duplicate of one (which is
    named), or it is among the project's photos already. Raises StorageError if photo, class or project are gone.
    """
    with db.write() as session:
        photo = tried.live_photo(session, photo_id)
        there = photo_rows.read(session, project_id)
        names = {row.id: row.display_name for row in classes.read(session, project_id) if row.id is not None}
        _refuse(photo, there, names)
        (added,) = photo_rows.add_in(session, project_id, class_id, "train", [photo.photo], UNDO_KIND).added
        return added


def like_test(tried_photos: Iterable[TriedPhoto], photos: Sequence[Photo]) -> frozenset[str]:
    """The ids of the bytes of those that are a test photo or a near-duplicate of one, looked at all at once."""
    records = [photo.record for photo in photos]
    asked = [photo.record for photo in tried_photos]
    group_of = duplicates.groups([*records, *asked])
    testing = {group for photo, group in zip(photos, group_of, strict=False) if photo.role == "test"}
    of_asked = group_of[len(records) :]
    return frozenset(record.image_id for record, group in zip(asked, of_asked, strict=True) if group in testing)


def _refuse(photo: TriedPhoto, there: Sequence[Photo], names: dict[int, str]) -> None:
    same = [one for one in there if one.image_id == photo.image_id]
    twin = next((one for one in same if one.role == "test"), None) or _near_test(photo.record, there)
    if twin is not None:
        raise DatasetError(
            "“{filename}” is the test photo “{test}” of the class {name}, or a near-copy of it, so it cannot teach.",
            remedy="Test photos only measure. Teach with another photo.",
            filename=photo.record.filename,
            test=twin.record.filename,
            name=names.get(twin.class_id, ""),
        )
    if same:
        raise DatasetError(
            "“{filename}” is among the photos of this project already, in the class {name}.",
            remedy="Change its class on the page “Photos” if it is the wrong one.",
            filename=photo.record.filename,
            name=names.get(same[0].class_id, ""),
        )


def _near_test(record: ImageRecord, there: Sequence[Photo]) -> Photo | None:
    """The test photo that a training would drop because of this one."""
    group_of = duplicates.groups([*(one.record for one in there), record])
    return next(
        (one for one, group in zip(there, group_of, strict=False) if one.role == "test" and group == group_of[-1]),
        None,
    )
