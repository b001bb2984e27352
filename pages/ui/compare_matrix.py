"""Two confusion matrices on one colour scale; a click on a cell, or the boxes below, shows its photos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.ui import cached, components, guards, photo_grid, session
from pages.ui.photo_grid import Tile, Word
from pages.ui.run_choice import Chosen
from pages.ui.text import _, _n, percent, safe, short
from prolip_core import charts, comparison, storage
from prolip_core.charts import MatrixTexts
from prolip_core.storage.records import ClassRow, Photo

_ROUND, _TICKS = "matrix_", "cell_ticks"
BESIDE_PX, BELOW_PX = 395, 780
"""The room of a matrix beside the other one, and below it, in a window 1280 pixels wide."""

SMALL_CELL_PX = 24
"""Smaller cells than this are hard to hit: then the matrices stand below each other and are larger."""


@guards.fragment()
def show(project_id: str, chosen: Chosen) -> None:
    """The matrices and the photos of the chosen cell; a click draws only this part anew."""
    st.markdown(
        _("Rows: what the photo shows. Columns: what the model answered. The framed cells are the right answers.")
    )
    units = {"count": _("Number of photos"), "percent": _("Share of the class")}
    unit = st.segmented_control(
        _("Unit"),
        list(units),
        default="count",
        required=True,
        format_func=units.__getitem__,
        key="matrix_unit",
        persist_state="session",  # the downloads have the figures as they were looked at
        label_visibility="collapsed",
    )
    sides = ("first", "second")
    keys = {side: _key(chosen, side, str(unit)) for side in sides}
    # Beside each other where there is room for both, else one below the other.
    with st.container(horizontal=_is_beside(chosen), gap="medium"):
        for side in sides:
            drawn, data = _drawn(chosen, side, percent=unit == "percent")
            st.vega_lite_chart(
                data,
                drawn,
                key=keys[side],
                on_select=lambda side=side: _picked(side, keys, _boxes(chosen)),
                selection_mode=charts.CELL,
                width="content",
                theme=None,
            )
    _cell(project_id, chosen, keys)


def _drawn(chosen: Chosen, side: str, *, percent: bool) -> charts.Parts:
    key = ("matrix", *chosen.key, side, "percent" if percent else "count", session.language())
    return cached.chart(key, lambda: matrix(chosen, side, percent=percent))


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
        chosen.class_names,
        texts,
        percent=percent,
        scale_max=1.0 if percent else most,
        cell_px=_cell_px(chosen, BESIDE_PX if _is_beside(chosen) else BELOW_PX),
    )


def _cell_px(chosen: Chosen, room_px: int) -> int:
    return charts.matrix_cell_px(chosen.class_names, _("What it shows"), room_px)


def _is_beside(chosen: Chosen) -> bool:
    return _cell_px(chosen, BESIDE_PX) >= SMALL_CELL_PX


def _key(chosen: Chosen, side: str, unit: str) -> str:
    return f"matrix_{side}_{unit}_{_of(chosen)}_{session.round_of(_ROUND + side)}"


def _of(chosen: Chosen) -> str:
    """Part of the keys: a box goes on showing the words that it had when it was drawn first."""
    return f"{chosen.run.summary.id}_{chosen.other}_{hash((chosen.first_name, chosen.second_name))}"


def _boxes(chosen: Chosen) -> tuple[str, str, str]:
    """Keys of the boxes that say whose answers, what the photo shows, and what was answered."""
    of = _of(chosen)
    return f"cell_side_{of}", f"cell_true_{of}", f"cell_answer_{of}"


def _picked_in(key: str) -> list[dict[str, int]]:
    event: Any = session.get(key)
    return (event or {}).get("selection", {}).get(charts.CELL) or []


def _picked(side: str, keys: Mapping[str, str], boxes: Sequence[str]) -> None:
    """A cell was clicked: the boxes below follow, and the other matrix lets go of its cell."""
    points = _picked_in(keys[side])
    if points:
        for box, value in zip(boxes, (side, int(points[0]["true"]), int(points[0]["answer"])), strict=True):
            session.put(box, value)
        _let_go({other: key for other, key in keys.items() if other != side})


def _let_go(keys: Mapping[str, str]) -> None:
    """No cell of these matrices is picked any more. Only then does a click on the same cell arrive again."""
    for side, key in keys.items():
        if _picked_in(key):
            session.next_round(_ROUND + side)


def _cell(project_id: str, chosen: Chosen, keys: Mapping[str, str]) -> None:
    """The photos of one cell; `keys`: of the matrices."""
    compared = chosen.compared
    names = compared.class_names
    worst = comparison.most_confused(compared.second, 1)
    side_box, true_box, answer_box = _boxes(chosen)
    for key, value in ((true_box, worst[0].true), (answer_box, worst[0].answer)) if worst else ():
        if session.get(key) is None:
            session.put(key, value)  # to begin with, the cell that one would click first
    st.markdown(f"#### {_('Photos of a cell')}")
    side_column, true_column, answer_column = st.columns(3)
    side = side_column.selectbox(
        _("Whose answers"),
        ["second", "first"],
        format_func=lambda key: short(chosen.second_name if key == "second" else chosen.first_name, 50),
        key=side_box,
        on_change=_let_go,
        args=(keys,),
    )

    def class_box(column: DeltaGenerator, label: str, key: str) -> int:
        return column.selectbox(
            label,
            range(len(names)),
            format_func=lambda i: short(names[i]),
            key=key,
            on_change=_let_go,
            args=(keys,),
        )

    true = class_box(true_column, _("What it shows"), true_box)
    answer = class_box(answer_column, _("What the model answered"), answer_box)
    evaluation = compared.first if side == "first" else compared.second
    predictions = compared.first_predictions if side == "first" else compared.second_predictions
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
    if ids:
        sure = {one.image_id: one.confidence for one in predictions}
        _photos(project_id, {id_: sure[id_] for id_ in ids}, names[true], names[answer], f"{side}_{true}_{answer}")


def _photos(project_id: str, sure: Mapping[str, float], truth: str, answer: str, key: str) -> None:
    """The photos of one cell as they are in the project now. `sure`: the confidence of each, by the photo's id."""
    rows = storage.classes.list_(cached.database(), project_id)
    class_names = {row.id: row.display_name for row in rows}
    here = _in_project(project_id, class_names, truth)
    lost = sum(id_ not in here for id_ in sure)
    if lost:
        st.caption(_n("{count} photo was deleted since.", "{count} photos were deleted since.", lost))
    part = components.page_of([here[id_] for id_ in sure if id_ in here], key=f"cell_page_{key}")

    def tile(photo: Photo) -> Tile:
        now = class_names[photo.class_id]
        words: list[Word] = [
            (_("Truth: {name}", name=short(truth, 30)), ""),
            (_("Answer: {name} ({share} sure)", name=short(answer, 30), share=percent(sure[photo.image_id])), ""),
        ]
        if now != truth:
            words.append((_("Now in: {name}", name=short(now, 30)), ""))
        if photo.excluded:
            words.append((_("excluded"), "orange"))
        return Tile(photo.id, photo.image_id, photo.record.filename, words)

    if part:
        _form([tile(photo) for photo in part], rows)
    components.undo_button(project_id, "undo_cell")


def _in_project(project_id: str, class_names: Mapping[int | None, str], truth: str) -> dict[str, Photo]:
    """The photos of the project by their id."""
    found: dict[str, Photo] = {}
    for photo in storage.photos.list_(cached.database(), project_id):
        # The same bytes may lie in two classes: the photo in the class that was measured comes first.
        if photo.image_id not in found or class_names[photo.class_id] == truth:
            found[photo.image_id] = photo
    return found


def _form(tiles: Sequence[Tile], rows: Sequence[ClassRow]) -> None:
    """The photos with what can be done to them right here."""
    with st.form("cell", border=False):
        ticked = photo_grid.pick(tiles, key=f"cell_{session.round_of(_TICKS)}")
        target_column, move_column, exclude_column = st.columns([3, 2, 2], vertical_alignment="bottom")
        target = components.box(
            target_column,
            _("Move the ticked photos to"),
            {row.id: short(row.display_name) for row in rows if row.id is not None},
            "cell_move_target",
        )
        moved = move_column.form_submit_button(_("Move"), width="stretch")
        excluded = exclude_column.form_submit_button(_("Exclude"), width="stretch")
    if moved or excluded:
        if not ticked:
            st.warning(_("Tick the photos first."))
            return
        with guards.told():
            if excluded:
                storage.photos.exclude(cached.database(), ticked)
            elif target is not None:
                storage.photos.move(cached.database(), ticked, target)
            session.next_round(_TICKS)
            session.say_later(_n("Done: {count} photo.", "Done: {count} photos.", len(ticked)))
            st.rerun()
