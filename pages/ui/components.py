"""Pieces that several pages share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.ui import cached, registry, session
from pages.ui.text import _
from prolip_core import storage
from prolip_core.guide import Step

PAGE_SIZE = 24
REFUSAL_ROW_PX = 76
"""Room for reason and remedy in three lines."""

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


def part_of_page(
    label: str,
    titles: Mapping[str, str],
    asked: str | None,
    keep: Callable[[str], None],
    key: str,
    *,
    wrap: bool = False,
) -> str:
    """Which part of a page is looked at: what the address asks for, else the first; a choice goes into the address by `keep`."""
    chosen = str(
        st.segmented_control(
            label,
            list(titles),
            default=asked if asked in titles else next(iter(titles)),
            required=True,
            wrap=wrap,
            format_func=titles.__getitem__,
            key=key,
            label_visibility="collapsed",
        )
    )
    if chosen != asked:
        keep(chosen)
    return chosen


def refused_files(rows: Sequence[tuple[str, str, str]], key: str) -> None:
    """A table of files that were not taken: name, why, what to do; none of it Markdown."""
    names = (_("File"), _("Why"), _("What to do"))
    st.dataframe(
        [dict(zip(names, row, strict=True)) for row in rows],
        column_config={
            name: st.column_config.TextColumn(width=width) for name, width in zip(names, (170, 300, 330), strict=True)
        },
        row_height=REFUSAL_ROW_PX,
        hide_index=True,
        width="stretch",
        key=key,
    )


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
