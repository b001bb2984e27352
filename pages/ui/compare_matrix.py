"""Two confusion matrices on one colour scale; a click on a cell, or the boxes below, shows its photos."""

from __future__ import annotations

from typing import Any

import streamlit as st

from pages.ui import cached, components, guards, session
from pages.ui.run_choice import Chosen
from pages.ui.text import _, _n, percent, safe, short
from prolip_core import charts, storage
from prolip_core.charts import MatrixTexts
from prolip_core.metrics import Evaluation
from prolip_core.storage.records import Photo
from prolip_core.types import Prediction

_SIDE, _TRUE, _ANSWER = "cell_side", "cell_true", "cell_answer"
COLUMNS = 6


@guards.fragment()
def show(project_id: str, chosen: Chosen) -> None:
    """The matrices and the photos of the chosen cell; a click draws only this part anew."""
    st.markdown(
        _("Rows: what the photo shows. Columns: what the model answered. The framed cells are the right answers.")
    )
    unit = st.segmented_control(
        _("Unit"),
        ["count", "percent"],
        default="count",
        format_func=lambda key: _("Number of photos") if key == "count" else _("Share of the class"),
        key="matrix_unit",
        label_visibility="collapsed",
    )
    first, second = st.columns(2)
    for side, column in (("first", first), ("second", second)):
        key = f"matrix_{side}_{unit}_{chosen.run.summary.id}_{chosen.is_two_runs}"
        with column:
            st.altair_chart(
                matrix(chosen, side, percent=unit == "percent"),
                key=key,
                on_select=lambda side=side, key=key: _picked(side, key),
                selection_mode=charts.CELL,
                width="content",
                theme=None,
            )
    _cell(project_id, chosen)


def matrix(chosen: Chosen, side: str, *, percent: bool) -> charts.Chart:
    """One of the two matrices; both have the same scale."""
    evaluations = {"first": chosen.compared.first, "second": chosen.compared.second}
    names = {"first": chosen.first_name, "second": chosen.second_name}
    most = max(int(found.confusion.counts_CC.max()) for found in evaluations.values())
    texts = MatrixTexts(
        title=short(names[side], 50),
        true=_("What it shows"),
        answer=_("What the model answered"),
        photos=_("Photos"),
        share=_("Share of the class"),
    )
    return charts.confusion(
        evaluations[side].confusion.counts_CC,
        chosen.compared.class_names,
        texts,
        percent=percent,
        scale_max=1.0 if percent else most,
    )


def _picked(side: str, key: str) -> None:
    """A cell was clicked: the boxes below follow."""
    event: Any = session.get(key)
    points = (event or {}).get("selection", {}).get(charts.CELL) or []
    if points:
        session.put(_SIDE, side)
        session.put(_TRUE, int(points[0]["true"]))
        session.put(_ANSWER, int(points[0]["answer"]))


def _cell(project_id: str, chosen: Chosen) -> None:
    """The photos of one cell."""
    compared = chosen.compared
    names = compared.class_names
    for key in (_TRUE, _ANSWER):
        if session.get(key, 0) >= len(names):
            session.drop(key)
    st.markdown(f"#### {_('Photos of a cell')}")
    side_column, true_column, answer_column = st.columns(3)
    side = side_column.selectbox(
        _("Whose answers"),
        ["second", "first"],
        format_func=lambda key: short(chosen.second_name if key == "second" else chosen.first_name, 50),
        key=_SIDE,
    )
    positions = list(range(len(names)))
    true = true_column.selectbox(_("What it shows"), positions, format_func=lambda i: short(names[i]), key=_TRUE)
    answer = answer_column.selectbox(
        _("What the model answered"), positions, format_func=lambda i: short(names[i]), key=_ANSWER
    )
    evaluation = compared.first if side == "first" else compared.second
    predictions = compared.first_predictions if side == "first" else compared.second_predictions
    _photos(project_id, chosen, evaluation, {one.image_id: one for one in predictions}, true, answer)


def _photos(
    project_id: str,
    chosen: Chosen,
    evaluation: Evaluation,
    answers: dict[str, Prediction],
    true: int,
    answer: int,
) -> None:
    names = chosen.compared.class_names
    ids = evaluation.confusion.image_ids(true, answer)
    st.markdown(
        _n(
            "**{count}** photo of **{true}** was answered as **{answer}**.",
            "**{count}** photos of **{true}** were answered as **{answer}**.",
            len(ids),
            true=safe(names[true]),
            answer=safe(names[answer]),
        )
    )
    if not ids:
        return
    rows = storage.classes.list_(cached.database(), project_id)
    class_names = {row.id: row.display_name for row in rows}
    here: dict[str, Photo] = {}
    for photo in storage.photos.list_(cached.database(), project_id):
        # The same bytes may lie in two classes: the photo in the class that was measured comes first.
        if photo.image_id not in here or class_names.get(photo.class_id) == names[true]:
            here[photo.image_id] = photo
    part = components.page_of([here[id_] for id_ in ids if id_ in here], key=f"cell_page_{true}_{answer}")
    lost = sum(id_ not in here for id_ in ids)
    if lost:
        st.caption(_n("{count} photo was deleted since.", "{count} photos were deleted since.", lost))

    def caption(photo: Photo) -> str:
        return "  \n".join(
            [
                safe(photo.record.filename, 30),
                _("Truth: {name}", name=safe(names[true], 30)),
                _(
                    "Answer: {name} ({share} sure)",
                    name=safe(names[answer], 30),
                    share=percent(answers[photo.image_id].confidence),
                ),
                *([f":orange-badge[{_('excluded')}]"] if photo.excluded else []),
            ]
        )

    with st.form(f"cell_{true}_{answer}", border=False):
        ticked = components.photo_grid(part, key="cell", caption=caption, columns=COLUMNS)
        target_column, move_column, exclude_column = st.columns([3, 2, 2], vertical_alignment="bottom")
        target = target_column.selectbox(
            _("Move the ticked photos to"),
            [row.id for row in rows if row.id is not None],
            format_func=lambda id_: short(class_names[id_]),
            key="cell_move_target",
        )
        moved = move_column.form_submit_button(_("Move"), width="stretch")
        excluded = exclude_column.form_submit_button(_("Exclude"), width="stretch")
    if moved or excluded:
        if not ticked:
            st.warning(_("Tick the photos first."))
            return
        with guards.told():
            if moved and target:
                storage.photos.move(cached.database(), ticked, target)
            elif excluded:
                storage.photos.exclude(cached.database(), ticked)
            session.say_later(_n("Done: {count} photo.", "Done: {count} photos.", len(ticked)))
            st.rerun()
    components.undo_button(project_id, "undo_cell")
