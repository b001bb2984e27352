"""Right or wrong, with one click or one key: Enter says that the answer is right, a number names the class."""

from __future__ import annotations

import streamlit as st

from pages.ui import cached, components, guards, session
from pages.ui.text import _, safe, short
from prolip_core import storage
from prolip_core.answered import Answered
from prolip_core.errors import ProLIPError
from prolip_core.storage.records import ClassRow, Photo, Project, TriedPhoto

KEYS = 9
"""So many classes have a key of their own."""

COLUMNS = 3
_PROBLEM = "teach_problem"


def show(project: Project, one: Answered) -> None:
    """The question and its answers; or, for a photo that cannot teach, why. A button is that of its photo: pressed in a tab that
    has not heard that another photo has come, it does nothing."""
    there = own(project, one.photo.image_id)
    tell_problem(one.photo)
    if there is not None:
        _is_there(project, there)
        return
    if cached.like_test(project, (one.photo,)):
        st.info(_("This is a near-copy of a test photo. It is answered, but it cannot teach."))
        return
    classes = cached.classes(project)
    st.markdown(f"#### {_('Is this right?')}")
    right = next((row for row in classes if row.display_name == one.after.name), None)
    if st.button(
        _("Right: {name}", name=safe(one.after.name, 40)),
        key=f"right_{one.photo.id}",
        type="primary",
        shortcut="Enter",
        width="stretch",
        disabled=right is None,
        help=None if right is not None else _("The project has no class of this name any more."),
    ):
        _teach(project, one.photo, right)
    st.caption(_("Wrong? Then this is:"))
    # The number of a class is the same for every photo: fingers learn it.
    others = [(place, row) for place, row in enumerate(classes, start=1) if row.display_name != one.after.name]
    with_key = [(place, row) for place, row in others if place <= KEYS]
    for start in range(0, len(with_key), COLUMNS):
        for column, (place, row) in zip(st.columns(COLUMNS), with_key[start : start + COLUMNS], strict=False):
            name = safe(row.display_name, 24)
            if column.button(name, key=f"wrong_{one.photo.id}_{row.id}", shortcut=str(place), width="stretch"):
                _teach(project, one.photo, row)
    if len(with_key) < len(others):
        _more(project, one.photo, [row for place, row in others if place > KEYS])
    st.caption(
        _("The photo then joins the training photos of its class. It changes the answers with the next training.")
    )


def own(project: Project, image_id: str) -> Photo | None:
    """The photo of the project with these bytes, a test photo before others; None if there is none."""
    same = [photo for photo in cached.photos(project) if photo.image_id == image_id]
    return next((photo for photo in same if photo.role == "test"), same[0] if same else None)


def tell_problem(photo: TriedPhoto) -> None:
    """Why a photo could not teach, until another one is looked at."""
    told: tuple[int, ProLIPError] | None = session.get(_PROBLEM)
    if told is None:
        return
    if told[0] == photo.id:
        with guards.told():
            raise told[1]
    session.drop(_PROBLEM)


def last_problem() -> ProLIPError | None:
    """Why the photo before this one could not teach; told once."""
    told: tuple[int, ProLIPError] | None = session.get(_PROBLEM)
    session.drop(_PROBLEM)
    return None if told is None else told[1]


def _is_there(project: Project, there: Photo) -> None:
    names = {row.id: row.display_name for row in cached.classes(project)}
    name = safe(names.get(there.class_id, ""))
    filename = safe(there.record.filename)
    if there.role == "test":
        st.info(
            _(
                "This is the test photo {filename} of the class {name}. It is answered, but it cannot teach.",
                filename=filename,
                name=name,
            )
        )
        return
    st.info(_("This photo is among the training photos of the class {name}.", name=name))
    if storage.undo.available(cached.database(), project.id) == storage.teaching.UNDO_KIND:
        components.undo_button(project.id, "undo_teach")


def _more(project: Project, photo: TriedPhoto, rows: list[ClassRow]) -> None:
    names = {row.id or 0: short(row.display_name, 40) for row in rows}
    left, right = st.columns([2, 1], vertical_alignment="bottom")
    chosen = components.box(left, _("Another class"), names, f"wrong_more_{photo.id}")
    if right.button(_("This one"), key=f"wrong_{photo.id}_more", width="stretch"):
        _teach(project, photo, next(row for row in rows if row.id == chosen))


def _teach(project: Project, photo: TriedPhoto, row: ClassRow | None) -> None:
    if row is None or row.id is None:
        return
    try:
        storage.teaching.teach(cached.database(), project.id, photo.id, row.id)
    except ProLIPError as problem:
        session.put(_PROBLEM, (photo.id, problem.without_history()))
    else:
        session.drop(_PROBLEM)
        session.say_later(_("Added to the training photos of {name}.", name=safe(row.display_name)))
    st.rerun()
