"""Many photos at once: how far it is, and their answers as a table to filter, sort, and take away."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from pages.ui import cached, compare_details, components, photo_grid, session, try_answer, try_drop, try_rule
from pages.ui.text import _, _n, date, number, percent, refused, share_of, short
from prolip_core import answer_sheet, answered, metrics, storage
from prolip_core.answer_sheet import Row, Sheet
from prolip_core.answered import Answered, Failed, Said
from prolip_core.storage.records import Drop, Project, RefusedFile, RunSummary

ALL = ""
PAGE_SIZE = 50
ROW_PX = 64


def show(project: Project, run: RunSummary) -> None:
    """The photos that came together last, or earlier ones."""
    drops = storage.tried.drops(cached.database(), project.id, is_many=True)
    if not drops:
        try_answer.deleted(project)
        return
    titles = {one.id: _title(one) for one in drops}
    slot = try_drop.chosen_key(project.id, is_many=True)
    left, right = st.columns([5, 2], vertical_alignment="bottom")
    chosen = components.box(left, _("Photos that were tried together"), titles, slot)
    drop = next(one for one in drops if one.id == chosen)
    with right:
        try_answer.delete_button(drop)
    try_answer.deleted(project)
    job = try_drop.ask(project, drop, run)
    if job is not None:
        try_answer.waiting(project, run, drop, job)
    photos = storage.tried.photos(cached.database(), drop.id)
    answers = storage.tried.answers(cached.database(), run.id, drop.id)
    names = cached.run_record(run.id).class_names
    found, failed = answered.of(photos, answers, names, try_rule.of(run))
    if found:
        _summary(found)
        _table(project, run, drop, found)
    _not_answered(drop, failed)


def _title(drop: Drop) -> str:
    count = _n("{count} photo", "{count} photos", drop.count)
    return f"{date(drop.created_at)} · {count}"


def _summary(found: Sequence[Answered]) -> None:
    """How many stand alone."""
    sure = sum(one.is_sure for one in found)
    st.markdown(
        _("Answered alone: **{share}**", share=share_of(sure, len(found), *metrics.wilson_interval(sure, len(found))))
        + " · "
        + _("to a person: **{count}**", count=number(len(found) - sure))
    )


def _table(project: Project, run: RunSummary, drop: Drop, found: Sequence[Answered]) -> None:
    """Filter and order above, the table, and the files with the rows that are shown."""
    view = f"{drop.id}_{run.id}"
    left, middle, right = st.columns([5, 3, 3], vertical_alignment="bottom")
    which = left.segmented_control(
        _("Which"),
        ["all", "ask", "sure"],
        default="all",
        required=True,
        format_func={"all": _("All"), "ask": "? " + _("Not sure"), "sure": "✓ " + _("Sure enough")}.__getitem__,
        key=f"many_which_{session.language()}",
        label_visibility="collapsed",
    )
    classes = dict.fromkeys(sorted({one.after.name for one in found}))
    titles = {ALL: _("All answers"), **{name: short(name, 40) for name in classes}}
    of_class = components.box(middle, _("Answer"), titles, f"many_class_{project.id}")
    orders = {"ask": _("Least sure first"), "sure": _("Most sure first"), "came": _("As they came")}
    order = components.box(right, _("Order"), orders, "many_order")
    shown = [
        one for one in found if which in ("all", "sure" if one.is_sure else "ask") and of_class in (ALL, one.after.name)
    ]
    if order != "came":
        shown.sort(key=lambda one: one.after.confidence, reverse=order == "sure")
    st.caption(_n("{count} photo", "{count} photos", len(shown)))
    if not shown:
        return
    part = components.page_of(shown, key=f"many_page_{view}_{which}_{hash(of_class)}", size=PAGE_SIZE)
    st.dataframe(
        pd.DataFrame([_on_screen(one) for one in part]),
        column_config={_("Photo"): st.column_config.ImageColumn(width="small")},
        row_height=ROW_PX,
        hide_index=True,
        width="stretch",
        height="content",
        key=f"many_table_{view}",
    )
    _downloads(drop, shown)


def _header() -> tuple[str, ...]:
    return (
        _("Photo"),
        _("File"),
        _("Answer"),
        _("How sure"),
        _("May it stand alone?"),
        _("Next likely"),
        _("How sure (next)"),
        _("Before (zero-shot)"),
        _("How sure (before)"),
    )


def _cells(one: Answered) -> tuple[str | float, ...]:
    """As the sheet has them."""
    verdict = "✓ " + _("Sure enough") if one.is_sure else "? " + _("Not sure: ask a person")
    return (
        one.after.name,
        one.after.confidence,
        verdict,
        one.next.name,
        one.next.confidence,
        one.before.name,
        one.before.confidence,
    )


def _on_screen(one: Answered) -> dict[str, str]:
    """A row of the table: what the files have in two columns stands in one here."""
    names = _header()
    answer, confidence, verdict, next_, _next_sure, before, _before_sure = names[2:]
    return {
        names[0]: photo_grid.picture(one.photo.image_id),
        names[1]: short(one.photo.record.filename, 200),
        answer: short(one.after.name),
        confidence: percent(one.after.confidence, 1),
        verdict: str(_cells(one)[2]),
        next_: _said(one.next),
        before: _said(one.before),
    }


def _said(one: Said) -> str:
    return _("{name} ({share} sure)", name=short(one.name), share=percent(one.confidence, 1))


def _downloads(drop: Drop, shown: Sequence[Answered]) -> None:
    rows = [
        Row(one.photo.record.filename, _cells(one), photo_grid.thumbnail_bytes(one.photo.image_id)) for one in shown
    ]
    sheet = Sheet(_("Answers"), _header(), tuple(rows))
    stem = f"answers_{drop.created_at:%Y-%m-%d_%H%M}"
    excel, csv, told = st.columns([2, 2, 4], vertical_alignment="center")
    excel.download_button(
        "Excel",
        compare_details.in_this_language(lambda: answer_sheet.as_excel(sheet)),
        f"{stem}.xlsx",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        key="many_excel",
        on_click="ignore",
        width="stretch",
    )
    csv.download_button(
        "CSV",
        compare_details.in_this_language(lambda: answer_sheet.as_csv(sheet)),
        f"{stem}.csv",
        "text/csv",
        key="many_csv",
        on_click="ignore",
        width="stretch",
    )
    told.caption(_("The files hold the photos that are shown, in this order, on all pages."))


def _not_answered(drop: Drop, failed: Sequence[Failed]) -> None:
    """Every file that is not in the table, with the reason."""
    if drop.received < drop.total:
        st.warning(
            _(
                "{done} of {total} files have come in. If the page was left or loaded again meanwhile, drop the rest once more.",
                done=number(drop.received),
                total=number(drop.total),
            )
        )
    rows = [_told(one) for one in (*drop.refused, *(one.problem for one in failed))]
    if rows:
        st.warning(_n("**{count}** file was not taken:", "**{count}** files were not taken:", len(rows)))
        components.refused_files(rows, f"many_refused_{drop.id}")
    if drop.twice:
        st.caption(
            _n(
                "{count} file has the very same content as another one and is answered once.",
                "{count} files have the very same content as another one and are answered once.",
                len(drop.twice),
            )
        )


def _told(one: RefusedFile) -> tuple[str, str, str]:
    reason, remedy = refused(one, is_markdown=False)
    return short(one.filename, 200), reason, remedy
