"""The answers of a project's run by the tags that its photos carry now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from prolip_core import groups
from prolip_core.groups import TagReport
from prolip_core.storage.records import ClassRow, Photo, RunRecord


@dataclass(frozen=True)
class RunGroups:
    """gone: measured photos that are not in the project any more; they count as being without the tag."""

    report: TagReport
    gone: int


def of_run(run: RunRecord, classes: Sequence[ClassRow], photos: Sequence[Photo], tag: str) -> RunGroups:
    """Both methods on the groups of one tag. A photo of the run is one of the project by its bytes; where these lie in two
    classes, the one whose class was the right answer."""
    names = {row.id: row.display_name for row in classes}
    of_bytes: dict[str, Photo] = {photo.image_id: photo for photo in photos}
    of_place = {(photo.image_id, names.get(photo.class_id)): photo for photo in photos}
    values: dict[str, str] = {}
    gone = 0
    for one in run.prolip:
        photo = of_place.get((one.image_id, run.class_names[one.label])) or of_bytes.get(one.image_id)
        gone += photo is None
        own: Mapping[str, str] = {} if photo is None else dict(photo.tags)
        if tag in own:
            values[one.image_id] = own[tag]
    return RunGroups(groups.of_tag(tag, values, run.zero_shot, run.prolip), gone)
