"""One photo as large as the window allows, with what is known of it; the others of its grid are a click away."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from pages.ui import cached, guards, photo_tags, session
from pages.ui.text import _, number, safe
from prolip_core import images, storage
from prolip_core.storage.records import Photo, Project, TriedPhoto
from prolip_core.types import ImageRecord

LARGE_SIDE_PX = 1600
"""The longer side of the picture: fine enough to see a scratch, small enough to be there at once."""

_JPEG_QUALITY = 90
_AT = "large_photo"

Place = tuple[int, str]
"""The id of a photo, and of its bytes: a grid of answers knows the latter alone."""


def show(project_id: str | None, asked: object) -> None:
    """Opens the photo that a grid asks for. `asked` comes from the browser and may be anything."""
    project = storage.projects.get(cached.database(), project_id) if project_id else None
    places, at = _read(asked)
    if project is None or not places:
        return
    session.put(_AT, at)

    @st.dialog(_("Photo"), width="large")
    def dialog() -> None:
        with guards.told():
            _draw(project, places)

    dialog()


def _read(asked: object) -> tuple[list[Place], int]:
    """The photos of the grid, and which of them is asked for."""
    given: Mapping[str, Any] = asked if isinstance(asked, dict) else {}
    pairs = given.get("photos")
    places = [
        (pair[0], pair[1])
        for pair in (pairs if isinstance(pairs, list) else [])
        if isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], int) and isinstance(pair[1], str)
    ]
    at = given.get("at")
    return places, at if isinstance(at, int) and 0 <= at < len(places) else 0


def _draw(project: Project, places: Sequence[Place]) -> None:
    at = _turn_pages(len(places))
    photo = _find(cached.photos(project), places[at])
    found = photo or _tried(project, places[at])
    if found is None:
        st.info(_("This photo is not there any more."))
        return
    facts = _facts(project, photo) if photo is not None else [_size(found.record)]
    st.markdown(" · ".join([f"**{safe(found.record.filename, 200)}**", *facts]))
    with st.container(key="large_photo_itself"):
        # By "stretch" Streamlit would compute it anew, smaller; the page keeps it as wide as there is room.
        st.image(large_copy(found.record), width=LARGE_SIDE_PX)


def _turn_pages(count: int) -> int:
    """The buttons to the neighbours; gives which photo is to be seen."""
    at = min(int(session.get(_AT, 0)), count - 1)
    if count == 1:
        return at
    back, place, on = st.columns([2, 1, 2], vertical_alignment="center")
    back.button(
        _("Previous photo"),
        key="large_back",
        disabled=at == 0,
        width="stretch",
        shortcut="Left",
        on_click=session.put,
        args=(_AT, at - 1),
    )
    place.markdown(_("{number} of {count}", number=number(at + 1), count=number(count)), text_alignment="center")
    on.button(
        _("Next photo"),
        key="large_on",
        disabled=at == count - 1,
        width="stretch",
        shortcut="Right",
        on_click=session.put,
        args=(_AT, at + 1),
    )
    return at


def _find(photos: Sequence[Photo], place: Place) -> Photo | None:
    """Among the photos of the open project alone. The same bytes may lie in two classes: the very photo comes first."""
    id_, image_id = place
    same = [photo for photo in photos if photo.image_id == image_id]
    return next((photo for photo in same if photo.id == id_), same[0] if same else None)


def _tried(project: Project, place: Place) -> TriedPhoto | None:
    """A photo that was tried in the open project."""
    tried = storage.tried.of_project(cached.database(), project.id)
    return next((photo for photo in tried if photo.image_id == place[1]), None)


def large_copy(record: ImageRecord) -> bytes:
    """The photo upright as a JPEG that every browser shows, at most LARGE_SIDE_PX long.

    Raises StorageError or ImageError if its bytes are gone or damaged.
    """
    longer, shorter = max(record.width_px, record.height_px), min(record.width_px, record.height_px)
    data = cached.photo_store().read(record.image_id)
    image = images.decode(data, record.filename, min_side_px=max(1, -(-shorter * LARGE_SIDE_PX // longer)))
    image.thumbnail((LARGE_SIDE_PX, LARGE_SIDE_PX))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=_JPEG_QUALITY)
    return buffer.getvalue()


def _facts(project: Project, photo: Photo) -> list[str]:
    names = {row.id: row.display_name for row in cached.classes(project)}
    facts = [
        _("Class: {name}", name=safe(names.get(photo.class_id, ""))),
        _size(photo.record),
    ]
    if photo.excluded:
        facts.append(_("excluded"))
    elif photo.role == "test":
        facts.append(_("test"))
    return [*facts, *photo_tags.facts(photo)]


def _size(record: ImageRecord) -> str:
    return _("{width} × {height} pixels", width=number(record.width_px), height=number(record.height_px))
