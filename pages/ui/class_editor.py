"""The table of classes: typed or pasted in, saved by itself whenever it is valid.

A table widget must be given the same content in every run, or it loses what is typed; so it keeps showing the classes as they
were when it was begun, together with the user's edits on top. It is begun anew (another key) when the saved classes were changed
by something else: undo, paste, another tab.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from pages.ui import cached, components, guards, session
from pages.ui.text import _, _n, note, safe, short
from prolip_core import class_table, prompts, storage
from prolip_core.class_table import COLUMNS, Draft, Problem
from prolip_core.storage.records import ClassRow, Project
from prolip_core.types import Note


@dataclass(frozen=True)
class _Table:
    """What a table was begun with, and the classes as it saved them last."""

    begun: tuple[ClassRow, ...]
    saved: tuple[ClassRow, ...]


def show(project: Project) -> bool:
    """Draws table, paste and order; gives whether something in it could not be saved."""
    st.subheader(_("Classes"), anchor=False)
    st.caption(
        _(
            "Write into the empty row at the end to add a class; tick rows on the left to delete them. Everything is saved as "
            "you type."
        )
    )
    rows = cached.classes(project)
    problems = _table(project, rows)
    _tell(problems)
    notice: Note | None = session.get(_notice_key(project.id))
    if notice is not None:
        st.warning(note(notice))
    with st.container(horizontal=True, vertical_alignment="center"):
        components.undo_button(project.id, key="undo_classes", of_classes=True)
        turn = f"paste_{project.id}"  # another key after each paste: it closes and empties
        with st.popover(_("Paste many"), key=f"{turn}_menu_{session.round_of(turn)}"):
            _paste(project, rows, turn)
        if len(rows) > 1:
            with st.popover(_("Change the order")):
                _order(project, rows)
    return bool(problems)


def _table(project: Project, rows: tuple[ClassRow, ...]) -> tuple[Problem, ...]:
    """The editable table; gives what is wrong in it. `rows`: the classes as they are saved."""
    name = f"classes_{project.id}_{session.language()}"
    key = f"{name}_{session.round_of(name)}"
    table: _Table | None = session.get(f"{key}_begun")
    if table is None or session.get(key) is None or rows != table.saved:
        if (
            table is not None and session.get(key) is not None
        ):  # changed by something else: another key drops the old edits
            session.next_round(name)
            key = f"{name}_{session.round_of(name)}"
            session.drop(_notice_key(project.id))
        table = _Table(rows, rows)
        session.put(f"{key}_begun", table)
    _draw(project.id, key, table.begun)
    return class_table.check(_drafts(key, table)).problems


def _drafts(key: str, table: _Table) -> tuple[Draft, ...]:
    """The rows as they stand in the browser, those that were added with the ids under which they were saved."""
    drafts = class_table.edited([class_table.draft(row) for row in table.begun], session.get(key) or {})
    return class_table.with_ids(drafts, table.saved, {row.id for row in table.begun if row.id is not None})


def _save(project_id: str, key: str) -> None:
    """Saves what is valid. A callback: it runs before the page, so all of the page is drawn from what is saved then, and a
    click that came together with the last edit is not lost."""
    table: _Table | None = session.get(f"{key}_begun")
    if table is None:
        return
    checked = class_table.check(_drafts(key, table))
    if checked.problems or checked.rows == table.saved:
        return
    with guards.told():
        loss = _loss(project_id, table.saved, checked.rows)
        saved = storage.classes.save(cached.database(), project_id, checked.rows, seen=table.saved)
        session.put(_notice_key(project_id), loss)
        if [row.spec for row in saved] == [row.spec for row in checked.rows]:
            session.put(f"{key}_begun", _Table(table.begun, saved))
        # else something was changed elsewhere at the same time, and the table is begun anew


def _draw(project_id: str, key: str, begun: Sequence[ClassRow]) -> None:
    """The table widget itself."""
    drafts = [class_table.draft(row) for row in begun]
    frame = pd.DataFrame({name: pd.array([getattr(one, name) for one in drafts], dtype="string") for name in COLUMNS})
    longest = prompts.MAX_NAME_CHARACTERS
    st.data_editor(
        frame,
        key=key,
        on_change=_save,
        args=(project_id, key),
        num_rows="dynamic",
        hide_index=True,
        width="stretch",
        column_order=COLUMNS,
        placeholder="",
        column_config={
            "name": st.column_config.TextColumn(
                _("Class name"),
                help=_("As people read it, in any language. Two classes must not have the same name."),
                default="",
                max_chars=longest,
                width="medium",
            ),
            "prompt": st.column_config.TextColumn(
                _("English name for the model"),
                help=_(
                    "A few words that say what can be seen, such as: red metal washer. Left empty, the class name is read."
                ),
                default="",
                max_chars=longest,
                width="medium",
            ),
            "synonyms": st.column_config.TextColumn(
                _("Other English names"),
                help=_("Separated by commas; may stay empty. The model reads all of them and takes the mean."),
                default="",
                width="medium",
            ),
        },
    )


def _tell(problems: Sequence[Problem]) -> None:
    if not problems:
        return
    lines = [
        _("Row {row}: {reason} {remedy}", row=one.row, reason=note(one.reason), remedy=note(one.remedy))
        for one in problems[:5]
    ]
    if len(problems) > len(lines):
        lines.append(_n("{count} more row", "{count} more rows", len(problems) - len(lines)))
    st.error(_("Not saved yet:") + "\n\n" + "\n".join(f"- {line}" for line in lines))


def _notice_key(project_id: str) -> str:
    return f"class_notice_{project_id}"


def _loss(project_id: str, before: Sequence[ClassRow], after: Sequence[ClassRow]) -> Note | None:
    """What to say if photos go with deleted classes."""
    kept = {row.id for row in after}
    lost = [row for row in before if row.id not in kept]
    count = sum(len(storage.photos.list_(cached.database(), project_id, row.id)) for row in lost)
    if not count:
        return None
    return Note(
        "Deleted with the class: {names}. Photos that went with it: {count}. “Undo” brings both back.",
        {"names": ", ".join(row.display_name for row in lost), "count": count},
    )


def _paste(project: Project, rows: Sequence[ClassRow], turn: str) -> None:
    """Many classes at once."""
    with st.form(turn, border=False):
        st.markdown(
            _(
                "One class a line. English name and other names may follow, separated by commas or as copied from a spreadsheet "
                "(columns: class, English name, other names)."
            )
        )
        text = st.text_area(
            _("Classes"),
            placeholder=_("Washer, metal washer, flat washer"),
            height=200,
            key=f"{turn}_{session.round_of(turn)}",
            label_visibility="collapsed",
        )
        if st.form_submit_button(_("Add these classes"), type="primary", key="add_pasted"):
            with guards.told():
                _add_pasted(project, rows, text, turn)


def _add_pasted(project: Project, rows: Sequence[ClassRow], text: str, turn: str) -> None:
    drafts, known = class_table.without_known(class_table.parse(text), rows)
    checked = class_table.check(drafts)
    room = class_table.MAX_CLASSES - len(rows)
    if checked.problems:
        _tell(checked.problems)
    elif len(checked.rows) > room:
        st.error(_("A project holds {limit} classes at most.", limit=class_table.MAX_CLASSES))
    elif not checked.rows:
        st.info(_("There is no new class in this text."))
    else:
        storage.classes.save(cached.database(), project.id, (*rows, *checked.rows), seen=rows)
        session.say_later(_n("{count} class was added.", "{count} classes were added.", len(checked.rows)))
        if known:
            session.say_later(
                _(
                    "Passed over, because the project has them already: {names}",
                    names=safe(", ".join(dict.fromkeys(known)), 200),
                )
            )
        session.next_round(turn)
        st.rerun()


def _order(project: Project, rows: Sequence[ClassRow]) -> None:
    """The order of the classes is that of every table and matrix."""
    names = {row.id: short(row.display_name) for row in rows if row.id is not None}
    chosen = components.box(st.container(), _("Class"), names, f"order_of_{project.id}")
    up, down = st.columns(2)
    first, last = chosen == rows[0].id, chosen == rows[-1].id
    for column, label, by, is_end in ((up, _("Up"), -1, first), (down, _("Down"), 1, last)):
        if column.button(label, disabled=is_end, width="stretch", key=f"move_{by}"):
            with guards.told():
                moved = class_table.moved(rows, chosen, by)
                storage.classes.save(cached.database(), project.id, moved, seen=rows)
                st.rerun()
    st.caption(_("The first one cannot go up and the last one cannot go down."))
