"""The rows of photos' tags, inside a session that is already open; `photos` has what a person does with them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from prolip_core import tags
from prolip_core.errors import DatasetError
from prolip_core.storage.records import Tags
from prolip_core.storage.schema import PhotoTagTable

_BATCH = 500  # SQLite takes a limited number of values in one statement


def read(session: Session, photo_ids: Iterable[int]) -> dict[int, Tags]:
    """The tags of those of the photos that have any, by name."""
    found: dict[int, list[tuple[str, str]]] = defaultdict(list)
    for ids in _batches(photo_ids):
        columns = select(PhotoTagTable.photo_id, PhotoTagTable.name, PhotoTagTable.value)
        for photo_id, name, value in session.execute(columns.where(PhotoTagTable.photo_id.in_(ids))):
            found[photo_id].append((name, value))
    return {id_: tuple(sorted(pairs)) for id_, pairs in found.items()}


def write(session: Session, wanted: Mapping[int, Mapping[str, str]]) -> None:
    """Photo id → the tags that it has from now on, and no others."""
    for ids in _batches(wanted):
        session.execute(delete(PhotoTagTable).where(PhotoTagTable.photo_id.in_(ids)))
    rows = [
        {"photo_id": id_, "name": name, "value": value}
        for id_, of_photo in wanted.items()
        for name, value in of_photo.items()
    ]
    if rows:
        session.execute(insert(PhotoTagTable), rows)


def merged(own: Mapping[str, str], wanted: Mapping[str, str | None]) -> dict[str, str]:
    """`own` with the changes of `wanted`; None takes a tag away. Raises DatasetError where it becomes too many."""
    after = {name: value for name, value in {**own, **wanted}.items() if value is not None}
    if len(after) > max(tags.MAX_TAGS, len(own)):
        raise DatasetError(
            "A photo would have {count} tags; the limit is {limit}.",
            remedy="Take away tags that you do not want to look at.",
            count=len(after),
            limit=tags.MAX_TAGS,
        )
    return after


def _batches(photo_ids: Iterable[int]) -> Iterator[Sequence[int]]:
    ids = list(photo_ids)
    for start in range(0, len(ids), _BATCH):
        yield ids[start : start + _BATCH]
