"""Studies → figures. As in `charts`: numbers and words in, an Altair chart out; every word is an argument."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import pandas as pd

from prolip_core import charts

LEGEND: dict[str, Any] = {"title": None, "orient": "top", "labelLimit": 500, "symbolType": "stroke"}
DASHED, WHOLE = [6, 4], [1, 0]


@dataclass(frozen=True)
class CurvePoint:
    """Accuracy (fraction) with so many photos per class; low and high: its range, None where there is none."""

    photos: float
    accuracy: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class CurveTexts:
    """Words of a learning curve."""

    photos: str
    accuracy: str
    prolip: str
    zero_shot: str
    forecast: str
    likely: str


def learning_curve(
    points: Sequence[CurvePoint], zero_shot: float, forecast: CurvePoint | None, texts: CurveTexts
) -> charts.Chart:
    """Accuracy against photos per class with its band, zero-shot as a level line, and what more photos are likely to bring."""
    rows: list[dict[str, Any]] = [
        {"series": texts.prolip, "photos": p.photos, "accuracy": p.accuracy, "low": p.low, "high": p.high}
        for p in points
    ]
    end = rows[-1]
    ends = [points[0].photos, points[-1].photos if forecast is None else forecast.photos]
    rows += [{"series": texts.zero_shot, "photos": photos, "accuracy": zero_shot} for photos in ends]
    if forecast is not None:
        rows += [
            {"series": texts.forecast, "photos": end["photos"], "accuracy": end["accuracy"]},
            {
                "series": texts.forecast,
                "photos": forecast.photos,
                "accuracy": forecast.accuracy,
                "low": forecast.low,
                "high": forecast.high,
            },
        ]
    data = pd.DataFrame(rows, columns=["series", "photos", "accuracy", "low", "high"])
    names = [texts.prolip, texts.zero_shot, *([texts.forecast] if forecast is not None else [])]
    data["kind"] = data["series"].map(names.index)
    colour = alt.Color(
        "series:N",
        scale=alt.Scale(domain=names, range=[charts.AFTER, charts.BEFORE, charts.RIGHT][: len(names)]),
        legend=alt.Legend(**LEGEND, columns=1),
    )
    dash = alt.StrokeDash(
        "series:N", scale=alt.Scale(domain=names, range=[WHOLE, DASHED, [2, 3]][: len(names)]), legend=None
    )
    marks = sorted({p.photos for p in points} | set(ends))
    base = alt.Chart(data).encode(
        x=alt.X(
            "photos:Q",
            title=texts.photos,
            scale=alt.Scale(type="log", base=2, nice=False),
            axis=alt.Axis(values=marks, format=".3~g", labelOverlap="greedy"),
        ),
        color=colour,
    )
    y = alt.Y(
        "accuracy:Q",
        title=texts.accuracy,
        axis=alt.Axis(format="%", **charts.LEVEL_TITLE),
        scale=alt.Scale(domain=_room(data, ("accuracy", "low", "high"))),
    )
    band = (
        base.transform_filter("datum.kind == 0")
        .mark_area(opacity=0.2)
        .encode(y=alt.Y("low:Q", scale=alt.Scale(zero=False)), y2="high:Q")
    )
    bars = base.transform_filter("datum.kind == 2").mark_rule(strokeWidth=6, opacity=0.35)
    lines = base.mark_line(strokeWidth=2).encode(y=y, strokeDash=dash)
    dots = base.transform_filter("datum.kind != 1").mark_point(filled=True, size=70, opacity=1)
    told = [
        alt.Tooltip("series:N", title=" "),
        alt.Tooltip("photos:Q", title=texts.photos, format=".3~g"),
        alt.Tooltip("accuracy:Q", title=texts.accuracy, format=".0%"),
        alt.Tooltip("low:Q", title=f"{texts.likely} ↓", format=".0%"),
        alt.Tooltip("high:Q", title=f"{texts.likely} ↑", format=".0%"),
    ]
    return charts.plain(
        alt.layer(
            band,
            bars.encode(y=alt.Y("low:Q"), y2="high:Q"),
            lines,
            dots.encode(y=y, tooltip=told),
        ).properties(width="container", height=320)
    )


def _room(data: pd.DataFrame, columns: Sequence[str]) -> list[float]:
    """The part of 0 … 1 that holds all values, in steps of ten points and with a little room."""
    values = data[list(columns)].astype(float)
    low, high = float(values.min().min()), float(values.max().max())
    return [max(0.0, int(10 * (low - 0.02)) / 10), min(1.0, -int(-10 * (high + 0.02)) / 10 + 0.1 * (high < 0.9))]
