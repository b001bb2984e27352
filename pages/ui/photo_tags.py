"""Tags of photos: set and taken away by hand for the ticked ones, or from a table; and which photos to see by them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from pages.ui import _compat, cached, components, session
from pages.ui.photo_grid import Word
from pages.ui.text import _, _n, error, number, safe, short, translator
from prolip_core import storage, tag_table, tags
from prolip_core.errors import ProLIPError
from prolip_core.storage.records import ClassRow, Photo
from prolip_core.tag_table import Known, TagTable
from prolip_core.types import Note

NEW = ""
"""In place of the name of a tag: the one that is typed."""

ALL, WITHOUT = "", "\n"
"""Which photos are seen by tag: all; what follows the name of a tag, for those without it."""

SHOWN_VALUES = 6
ROW_PX = 76
"""Room for reason and remedy in three lines."""


@dataclass(frozen=True)
class Asked:
    """What is to be done with the ticked photos."""

    action: Literal["set", "remove"]
    name: str
    value: str


@dataclass(frozen=True)
class Report:
    """What became of a table: what it said, and how many photos it changed."""

    table: TagTable[int]
    changed: int


def names_of(photos: Sequence[Photo]) -> list[str]:
    """The tags that any of the photos carries."""
    return sorted({name for photo in photos for name, _value in photo.tags})


def words(photo: Photo) -> list[Word]:
    """For the grid: a line per tag."""
    return [(f"{short(name, 20)}: {short(value, 30)}", "") for name, value in photo.tags]


def facts(photo: Photo) -> list[str]:
    """For the photo shown large; Markdown."""
    return [f"{safe(name)}: {safe(value)}" for name, value in photo.tags]


def chosen_by_tag(project_id: str, photos: Sequence[Photo]) -> tuple[str, list[Photo]]:
    """The box for it, where there are tags; gives what is chosen and the photos that it leaves."""
    counts = Counter(pair for photo in photos for pair in photo.tags)
    if not counts:
        return ALL, list(photos)
    titles = {ALL: _("Whatever their tags")}
    for name in names_of(photos):
        for value in sorted(value for tag, value in counts if tag == name):
            titles[f"{name}\n{value}"] = f"{short(name)}: {short(value)} ({number(counts[name, value])})"
        titles[f"{name}{WITHOUT}"] = _("without “{name}”", name=short(name))
    chosen = components.box(st.container(key="photos_tag"), _("Tag"), titles, f"tag_of_{project_id}")
    name, _separator, value = chosen.partition("\n")
    if chosen == ALL:
        return ALL, list(photos)
    return chosen, [photo for photo in photos if dict(photo.tags).get(name, "") == value]


def ask(project_id: str, photos: Sequence[Photo]) -> Asked | None:
    """Inside the form of the grid: a tag and its value, and a button each to set it and to take it away."""
    known = names_of(photos)
    name_column, new_column, value_column, set_column, remove_column = st.columns(
        [3, 3, 3, 2, 2], vertical_alignment="bottom"
    )
    titles = {**{name: short(name) for name in known}, NEW: _("a new one")}
    chosen = components.box(name_column, _("Tag"), titles, _slot(project_id))
    turn = f"{project_id}_{session.round_of('ticks')}"  # emptied once it is done, as the ticks are
    new = new_column.text_input(
        _("… or a new tag"),
        key=f"new_tag_{turn}",
        max_chars=tags.MAX_NAME_CHARACTERS,
        placeholder=_("line"),
        help=_("For example the line, the camera, the shift, the region or the supplier that a photo comes from."),
    )
    value = value_column.text_input(
        _("Its value"), key=f"tag_value_{turn}", max_chars=tags.MAX_VALUE_CHARACTERS, placeholder="A"
    )
    is_set = set_column.form_submit_button(_("Set the tag"), width="stretch")
    is_removed = remove_column.form_submit_button(_("Take it away"), width="stretch", disabled=not known)
    if known:
        st.caption(_("Values so far: {values}", values=" · ".join(_values(name, photos) for name in known)))
    if not (is_set or is_removed):
        return None
    return Asked("set" if is_set else "remove", new.strip() or chosen, value)


def _values(name: str, photos: Sequence[Photo]) -> str:
    found = sorted({value for photo in photos for tag, value in photo.tags if tag == name})
    more = ["…"] if len(found) > SHOWN_VALUES else []
    return f"{safe(name)}: {', '.join([*(safe(value, 30) for value in found[:SHOWN_VALUES]), *more])}"


def carry_out(project_id: str, asked: Asked, ticked: Sequence[int]) -> int:
    """How many photos changed. Raises DatasetError for a name or a value that can be none."""
    if asked.action == "set":
        changed = storage.photos.set_tag(cached.database(), ticked, asked.name, asked.value)
        session.put(_slot(project_id), tags.clean(asked.name))
        return changed
    return storage.photos.remove_tag(cached.database(), ticked, asked.name)


def from_table(project_id: str, classes: Sequence[ClassRow], photos: Sequence[Photo]) -> None:
    """The table to fill in, its way back, and what became of each of its rows."""
    report: Report | None = session.get(_report_key(project_id))
    problem: ProLIPError | None = session.get(_problem_key(project_id))
    is_told = report is not None or problem is not None
    with st.expander(_("Tags from a table (CSV)"), expanded=is_told, key="tags_from_table"):
        st.markdown(
            _(
                "A table says for many photos at once which line, camera, shift, region or supplier they come from: a line for "
                "each photo, a column for each tag. An empty cell changes nothing."
            )
        )
        known = _known(classes, photos)
        names = names_of(photos) or [_("line"), _("camera"), _("shift")]
        own = {photo.id: dict(photo.tags) for photo in photos}
        left, right = st.columns([1, 2], vertical_alignment="bottom")
        left.download_button(
            _("Table to fill in"),
            tag_table.template(known, names, own, _("File")),
            "tags.csv",
            "text/csv",
            key="tag_template",
            on_click="ignore",
            disabled=not photos,
            width="stretch",
        )
        key = f"tag_table_{project_id}_{session.round_of('tag_table')}"
        file = right.file_uploader(_("The table, filled in"), key=key)
        if file is not None:
            session.next_round("tag_table")  # whatever becomes of it, it shall not arrive again in the next run
            _take_in(project_id, file, known)
            st.rerun()
        if problem is not None:
            reason, remedy = error(problem)
            st.error(f"{reason}\n\n{remedy}")
        if report is not None:
            _show_report(project_id, report)


def _take_in(project_id: str, file: UploadedFile, known: Sequence[Known[int]]) -> None:
    """Saves what the table says, and keeps the report, or why it cannot be used, for the next run."""
    session.drop(_problem_key(project_id))
    session.drop(_report_key(project_id))
    try:
        table = tag_table.read(file.getvalue(), known)
        changed = storage.photos.change_tags(cached.database(), table.used)
        session.put(_report_key(project_id), Report(table, changed))
    except ProLIPError as problem:
        session.put(_problem_key(project_id), problem)
    finally:
        _compat.forget_uploads([file])


def _known(classes: Sequence[ClassRow], photos: Sequence[Photo]) -> list[Known[int]]:
    names = {row.id: row.display_name for row in classes}
    return [Known(photo.id, photo.record.filename, (names.get(photo.class_id, ""),), photo.role) for photo in photos]


def _show_report(project_id: str, report: Report) -> None:
    used, unused = len(report.table.used), len(report.table.not_used)
    lines = [
        _n("**{count}** line was used.", "**{count}** lines were used.", used),
        _n("**{count}** photo has other tags now.", "**{count}** photos have other tags now.", report.changed),
    ]
    if unused:
        lines.append(_n("**{count}** line was not used.", "**{count}** lines were not used.", unused))
    components.bullet_list(lines)
    st.dataframe(
        [
            {
                _("Line"): row.line,
                _("File"): short(row.file, 200),
                _("Tags"): short(", ".join(f"{name}: {value}" for name, value in row.tags.items()), 200),
                _("Used"): _("yes") if row.key is not None else _("no"),
                _("Why"): "" if row.reason is None else _plain(row.reason),
                _("What to do"): "" if row.remedy is None else _plain(row.remedy),
            }
            for row in sorted(report.table.rows, key=lambda row: row.key is not None)
        ],
        column_config={
            _("File"): st.column_config.TextColumn(width=150),
            _("Tags"): st.column_config.TextColumn(width=130),
            _("Why"): st.column_config.TextColumn(width=190),
            _("What to do"): st.column_config.TextColumn(width=250),
        },
        row_height=ROW_PX,
        hide_index=True,
        width="stretch",
        key="tag_rows",
    )
    if st.button(_("Close this report"), key="close_tag_report"):
        session.drop(_report_key(project_id))
        st.rerun()


def _plain(sentence: Note) -> str:
    """For a table, which does not read Markdown."""
    return short(translator().note(sentence), 1000)


def _slot(project_id: str) -> str:
    """Where the box of the tag to set keeps what is chosen."""
    return f"tag_to_set_{project_id}"


def _report_key(project_id: str) -> str:
    return f"tag_report_{project_id}"


def _problem_key(project_id: str) -> str:
    return f"tag_problem_{project_id}"
