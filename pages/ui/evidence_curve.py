"""Will more photos help? The recommendation, the curve behind it, and the classes that need photos most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from pages.ui import cached, components, evidence_study, session
from pages.ui.evidence_study import Ask
from pages.ui.text import _, note, number, percent, short
from prolip_core import i18n, study_charts
from prolip_core.charts import Chart
from prolip_core.storage.records import Project, StudyRecord
from prolip_core.studies.names import CURVE
from prolip_core.study_charts import CurvePoint


def asks(_project: Project) -> tuple[Ask, ...]:
    """One study; without test photos it holds training photos out by itself."""
    return (Ask(CURVE, needs_test=False, keeps_whole=True),)


def show(project: Project) -> None:
    """The part below its title."""
    record = evidence_study.show(project, asks(project)[0])
    if record is None:
        return
    result = record.result
    for parts in result["advice_parts"]:
        st.markdown(f"- {note(i18n.note_of(parts))}")
    st.divider()
    curves = [curve for curve in result["curves"] if curve["of"] != "weakest"]
    titles = {
        place: _("All classes") if curve["of"] == "all" else short(curve["classes"][0])
        for place, curve in enumerate(curves)
    }
    left, _right = st.columns(2)
    chosen = components.box(left, _("Curve of"), titles, f"curve_of_{record.summary.id}")
    _curve(record, chosen, curves[chosen])
    _table(curves, titles)


def _curve(record: StudyRecord, place: int, curve: Mapping[str, Any]) -> None:
    drawn, data = cached.chart(("curve", record.summary.id, str(place), session.language()), lambda: _chart(curve))
    st.vega_lite_chart(data, drawn, width="stretch", key="learning_curve", theme=None)
    last = curve["points"][-1]
    st.caption(
        _(
            "{count} photos were measured. Each point is the mean of {draws} rounds, each with other photos of yours drawn at "
            "random; the band is where that mean is likely to lie (95%).",
            count=number(curve["count"]),
            draws=number(record.result["draws"]),
        ),
        help=_(
            "Student's interval of the mean over random draws of the photos to learn from. With all {photos} photos there is "
            "nothing to draw, so the last point may have no band.",
            photos=number(round(last["photos"], 1)),
        ),
    )


def _chart(curve: Mapping[str, Any]) -> Chart:
    points = [_point(one) for one in curve["points"]]
    return study_charts.learning_curve(
        points,
        curve["zero_shot_accuracy"],
        _forecast(curve["forecast"], points[-1].accuracy),
        study_charts.CurveTexts(
            photos=_("Photos per class to learn from"),
            accuracy=_("How often it was right"),
            prolip=_("After fine-tuning (ProLIP)"),
            zero_shot=_("Before, without photos (zero-shot)"),
            forecast=_("Forecast (bar: 4 times out of 5)"),
            likely=_("likely"),
        ),
    )


def _point(one: Mapping[str, Any]) -> CurvePoint:
    low, high = one["draw_interval"] or (None, None)
    bounds = [None if end is None else min(1.0, max(0.0, end)) for end in (low, high)]
    return CurvePoint(one["photos"], one["accuracy"], *bounds)


def _forecast(forecast: Mapping[str, Any] | None, today: float) -> CurvePoint | None:
    if forecast is None:
        return None
    values = [min(1.0, max(0.0, today + gain)) for gain in (forecast["gain"], *forecast["gain_interval"])]
    return CurvePoint(forecast["now"] + forecast["more"], *values)


def _table(curves: Sequence[Mapping[str, Any]], titles: Mapping[int, str]) -> None:
    """Every class at a glance."""
    rows = [
        {
            _("Class"): titles[place],
            _("Measured photos"): curve["count"],
            _("Before"): percent(curve["zero_shot_accuracy"]),
            _("With 1 photo"): percent(curve["points"][0]["accuracy"]),
            _("With all photos"): percent(curve["points"][-1]["accuracy"]),
            _("Likely gain"): _gain(curve["forecast"]),
        }
        for place, curve in enumerate(curves)
    ]
    with st.expander(_("Class by class")):
        st.dataframe(rows, hide_index=True, width="stretch", height="content", key="curve_table")


def _gain(forecast: Mapping[str, Any] | None) -> str:
    if forecast is None:
        return "–"
    low, high = forecast["gain_interval"]
    return _(
        "{low} to {high} points with {more} more",
        low=f"{100 * low:+.0f}",
        high=f"{100 * high:+.0f}",
        more=number(forecast["more"]),
    )
