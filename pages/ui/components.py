"""Pieces that several pages share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.ui import cached, registry, session
from pages.ui.text import _
from prolip_core import storage
from prolip_core.guide import Step

PAGE_SIZE = 24

T = TypeVar("T")
Option = TypeVar("Option", str, int)


def page_head(title: str, intro: str) -> None:
    """Title of a page, and in a sentence or two what is done here."""
    st.title(title, anchor=False)
    st.markdown(intro)


def next_step(step: Step, label: str, blocked: str | None = None) -> None:
    """The end of every page: a button to the next one, or why it has to wait. `blocked` is Markdown already."""
    st.divider()
    if st.button(label, type="primary", disabled=blocked is not None, key=f"next_{step}"):
        st.switch_page(registry.file_of(step), query_params=session.address())
    if blocked is not None:
        st.caption(_("The button is off because: {reason}", reason=blocked))


def thumbnail(image_id: str) -> str | None:
    """The file of a photo's small copy, None where it is missing."""
    path: Path = cached.thumbnail_store().path(image_id)
    return str(path) if path.is_file() else None


def page_of(items: Sequence[T], *, key: str, size: int = PAGE_SIZE) -> Sequence[T]:
    """The part of a long list that is shown, with the means to turn pages under it."""
    pages = -(-len(items) // size)
    if pages <= 1:
        return items
    number = st.pagination(pages, key=key)
    return items[(number - 1) * size : number * size]


def box(
    column: DeltaGenerator, label: str, titles: Mapping[Option, str], slot: str, help_: str | None = None
) -> Option:
    """A box to choose from `titles`; the first is chosen to begin with. A box goes on showing the words that it had when it was
    drawn first: with other words (a new name, another language) it is another box, and takes the choice over from `slot`."""
    options = list(titles)
    before = session.get(slot)
    chosen: Option = column.selectbox(
        label,
        options,
        index=options.index(before) if before in options else 0,
        format_func=titles.__getitem__,
        key=f"{slot}_{hash(tuple(titles.values()))}",
        help=help_,
    )
    session.put(slot, chosen)
    return chosen


def undo_button(project_id: str, key: str, *, of_classes: bool = False) -> None:
    """Takes the last change back and says which one that is; on a page about photos only one of photos, on the page of the
    classes only one of classes: nobody shall undo what is not in view."""
    kind = storage.undo.available(cached.database(), project_id)
    words = {
        "add": _("Photos were added"),
        "move": _("Photos were moved to another class"),
        "role": _("Photos were moved between training and test"),
        "exclude": _("Photos were excluded"),
        "restore": _("Photos were included again"),
        "delete": _("Photos were deleted"),
        "tags": _("Tags were changed"),
        "teach": _("A tried photo joined the training photos"),
        "rollback": _("A version was brought back"),
        "classes": _("Classes were changed"),
    }
    explanation = words.get(kind or "", _("There is nothing to undo."))
    is_elsewhere = kind is not None and (kind == "classes") != of_classes
    if is_elsewhere:
        where = registry.titles()["photos" if of_classes else "classes"]
        explanation = _(
            "The last change was another one: {what}. Undo it on the page “{page}”.", what=explanation, page=where
        )
    if st.button(_("Undo"), key=key, disabled=kind is None or is_elsewhere, help=explanation):
        storage.undo.take_back(cached.database(), project_id)
        session.say_later(_("Undone: {what}", what=explanation))
        st.rerun()


def bullet_list(lines: Iterable[str]) -> None:
    """Lines that are Markdown already, as a list."""
    st.markdown("\n".join(f"- {line}" for line in lines))
