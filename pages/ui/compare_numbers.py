"""The headline: two numbers on the same photos, their difference in plain words, and the photos that changed."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from pages.ui import cached, components, photo_grid, session
from pages.ui.photo_grid import Tile
from pages.ui.run_choice import Chosen
from pages.ui.text import _, _n, note, number, percent, safe, short, translator
from prolip_core import charts, i18n, storage, wording
from prolip_core.comparison import Flip
from prolip_core.metrics import Evaluation
from prolip_core.types import Prediction

COLUMNS = 4


def show(chosen: Chosen) -> None:
    """On which photos, the two numbers, the difference."""
    _measured_on(chosen)
    first, second = st.columns(2)
    with first.container(border=True):
        _number(chosen.first_name, chosen.compared.first)
    with second.container(border=True):
        _number(chosen.second_name, chosen.compared.second)
    st.markdown(
        _difference(chosen),
        help=_("By the exact McNemar test on the photos that changed: p = {p}.", p=f"{chosen.compared.p:.2g}"),
    )
    for parts in chosen.run.result["notes"]:
        st.warning(note(i18n.note_of(parts)))
    drawn, data = cached.chart(("ranges", *chosen.key, session.language()), lambda: ranges(chosen))
    st.vega_lite_chart(data, drawn, width="stretch", key="ranges", theme=None)


def ranges(chosen: Chosen) -> charts.Chart:
    """The two numbers with their likely ranges as a picture."""
    names = (chosen.first_name, chosen.second_name)
    if chosen.is_two_runs:
        names = (chosen.first_short, chosen.second_short)
    rows = [
        (name, found.accuracy, *found.accuracy_interval)
        for name, found in zip(names, (chosen.compared.first, chosen.compared.second), strict=True)
    ]
    return charts.accuracy_ranges(rows, _("How often it was right (bar: likely range, 95 %)"))


def _measured_on(chosen: Chosen) -> None:
    count = chosen.compared.second.count
    if chosen.is_two_runs:
        text = _n(
            "Measured on the **{count}** photo that both results have measured.",
            "Measured on the **{count}** photos that both results have measured.",
            count,
        )
        if chosen.compared.left_out:
            text += " " + _n(
                "{count} photo is left out, because only one of them has it, or in another class.",
                "{count} photos are left out, because only one of them has them, or in another class.",
                chosen.compared.left_out,
            )
    else:
        text = wording.measured_on(translator(), chosen.run.summary.evaluation, count)
    st.info(text)


def _number(name: str, found: Evaluation) -> None:
    low, high = found.accuracy_interval
    st.markdown(f"**{safe(name, 100)}**")
    st.markdown(f"## {_('{correct} of {count} right', correct=number(found.correct), count=number(found.count))}")
    st.markdown(
        _("{share} · likely {low}–{high}", share=percent(found.accuracy), low=percent(low), high=percent(high)),
        help=_(
            "With a confidence of 95%, the true share of right answers lies in this range (Wilson's interval). More test "
            "photos make it narrower."
        ),
    )


def _difference(chosen: Chosen) -> str:
    compared, say = chosen.compared, translator()
    if compared.luck == "same":
        return wording.luck(say, compared)
    changed = _("**{points} percentage points**", points=wording.points(compared))
    counts = wording.flips(say, compared)
    return _("{points}: {counts} {luck}", points=changed, counts=counts, luck=wording.luck(say, compared))


def flips(project_id: str, chosen: Chosen) -> None:
    """The photos that only one of the two answered rightly."""
    for title, found, key in (
        (_("Put right"), chosen.compared.put_right, "right"),
        (_("Put wrong"), chosen.compared.put_wrong, "wrong"),
    ):
        st.subheader(f"{title} ({number(len(found))})", anchor=False)
        if not found:
            st.caption(_("No photo."))
            continue
        _grid(chosen, components.page_of(found, key=f"flips_{key}"), project_id, f"flips_of_{key}")


def _grid(chosen: Chosen, found: Sequence[Flip], project_id: str, key: str) -> None:
    names = chosen.compared.class_names
    there = {photo.image_id for photo in storage.photos.list_(cached.database(), project_id)}
    photo_grid.look(
        [
            Tile(
                number_,
                flip.image_id if flip.image_id in there else None,
                chosen.run.filenames.get(flip.image_id, ""),
                [
                    (_("Truth: {name}", name=names[flip.first.label]), ""),
                    (_answer(chosen.first_short, names, flip.first), ""),
                    (_answer(chosen.second_short, names, flip.second), ""),
                ],
            )
            for number_, flip in enumerate(found)
        ],
        key=key,
        columns=COLUMNS,
    )


def _answer(who: str, names: Sequence[str], one: Prediction) -> str:
    return _(
        "{who}: {name} ({share} sure)", who=who, name=short(names[one.predicted], 30), share=percent(one.confidence)
    )
