"""Will more photos help? The recommendation, the curve behind it, and the classes that need photos most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from pages.ui import cached, components, evidence_study, evidence_tables, session
from pages.ui.evidence_study import Ask
from pages.ui.text import _, note, number, short
from prolip_core import i18n, metrics, study_charts
from prolip_core.charts import Chart
from prolip_core.storage.records import Project, StudyRecord
from prolip_core.studies import power_law
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
    # An earlier version gave its advice without looking at the range.
    is_whole = evidence_tables.is_whole(result["curves"][0], "zero_shot_interval")
    for parts in result["advice_parts"] if is_whole else ():
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
    st.caption(
        _(
            "{count} photos were measured. Each point is the mean of {draws} rounds, each with other photos of yours drawn at "
            "random; the band is the likely range (95%) for as many other photos to measure on.",
            count=number(curve["count"]),
            draws=number(record.result["draws"]),
        ),
        help=_(
            "Wilson's interval. All points were measured on the same photos, so it rises or falls more surely than the band is "
            "wide. What other photos to learn from would change stands in the table of points."
        ),
    )
    with st.expander(_("Point by point")):
        st.dataframe(
            [_zero_row(curve), *(_point_row(one, curve) for one in curve["points"])],
            hide_index=True,
            width="stretch",
            height="content",
            key="curve_points",
        )
        st.caption(
            _(
                "Other photos to learn from: where the mean over rounds is likely to lie (95%) with other photos of this kind. "
                "With all photos there is nothing to draw, and no such range."
            ),
            help=_("Student's interval over the rounds, widened because they share photos (Nadeau and Bengio 2003)."),
        )


def _zero_row(curve: Mapping[str, Any]) -> dict[str, str]:
    return {
        _("Photos per class to learn from"): _("none (zero-shot)"),
        _("How often it was right"): _before(curve),
        _("Other photos to learn from"): "–",
    }


def _point_row(one: Mapping[str, Any], curve: Mapping[str, Any]) -> dict[str, str]:
    # An earlier version kept a range over rounds that was too narrow, and none for other test photos.
    over_rounds = one["draw_interval"] if "photo_interval" in one else None
    return {
        _("Photos per class to learn from"): number(round(one["photos"], 1)),
        _("How often it was right"): evidence_tables.share(one["accuracy"], _range(one["accuracy"], one, curve)),
        _("Other photos to learn from"): evidence_tables.spread(over_rounds),
    }


def _range(accuracy: float, kept: Mapping[str, Any], curve: Mapping[str, Any]) -> Sequence[float]:
    """For as many other photos to measure on; computed where an earlier version kept none."""
    found: Sequence[float] = kept.get("photo_interval") or metrics.wilson_interval(
        round(accuracy * curve["count"]), curve["count"]
    )
    return found


def _before(curve: Mapping[str, Any]) -> str:
    rate = curve["zero_shot_accuracy"]
    return evidence_tables.share(rate, curve.get("zero_shot_interval") or _range(rate, {}, curve))


def _chart(curve: Mapping[str, Any]) -> Chart:
    points = [
        CurvePoint(one["photos"], one["accuracy"], *_range(one["accuracy"], one, curve)) for one in curve["points"]
    ]
    return study_charts.learning_curve(
        points,
        curve["zero_shot_accuracy"],
        _forecast(curve["forecast"]),
        study_charts.CurveTexts(
            photos=_("Photos per class to learn from"),
            accuracy=_("How often it was right"),
            prolip=_("After fine-tuning (ProLIP)"),
            zero_shot=_("Before, without photos (zero-shot)"),
            forecast=_("Forecast (bar: 4 times out of 5)"),
            likely=_("likely"),
        ),
    )


def _forecast(forecast: Mapping[str, Any] | None) -> CurvePoint | None:
    """Where the fitted curve is with so many more photos; without test photos the measured one ends before all photos."""
    if forecast is None:
        return None
    law, photos = forecast["law"], forecast["now"] + forecast["more"]
    then = 1 - law["floor"] - law["scale"] * photos ** -law["exponent"]
    values = [then, *(then + gain - forecast["gain"] for gain in forecast["gain_interval"])]
    return CurvePoint(photos, *(min(1.0, max(0.0, one)) for one in values))


def _table(curves: Sequence[Mapping[str, Any]], titles: Mapping[int, str]) -> None:
    """Every class at a glance."""
    rows = [
        {
            _("Class"): titles[place],
            _("Measured photos"): curve["count"],
            _("Before"): _before(curve),
            _("With 1 photo"): _cell(curve, 0),
            _("With all photos"): _cell(curve, -1),
            _("Likely gain"): _gain(curve["forecast"]),
        }
        for place, curve in enumerate(curves)
    ]
    with st.expander(_("Class by class")):
        st.dataframe(rows, hide_index=True, width="stretch", height="content", key="curve_table")
        st.caption(
            _(
                "In brackets the likely range (95%) for as many other photos to measure on; of the gain the range that holds "
                "four times out of five."
            )
        )


def _cell(curve: Mapping[str, Any], place: int) -> str:
    one = curve["points"][place]
    return evidence_tables.share(one["accuracy"], _range(one["accuracy"], one, curve))


def _gain(forecast: Mapping[str, Any] | None) -> str:
    if forecast is None:
        return "–"
    low, high = power_law.points(forecast["gain_interval"])
    return _("{low} to {high} points with {more} more", low=low, high=high, more=number(forecast["more"]))
