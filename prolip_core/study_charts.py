"""Studies → figures. As in `charts`: numbers and words in, an Altair chart out; every word is an argument."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import pandas as pd

from prolip_core import charts

LEGEND: dict[str, Any] = {
    "title": None,
    "orient": "bottom",
    "columns": 1,
    "labelLimit": 500,
    "symbolType": "stroke",
    "symbolSize": 400,
    "symbolStrokeWidth": 3,
    "symbolOpacity": 1,
}
"""Below the chart: above it stands the level title of the axis."""

DASHED, WHOLE = [6, 4], [1, 0]
OTHERS = "#8a96a6"
LINES = ["#D55E00", "#CC79A7", "#56B4E9", "#009E73", "#0072B2"]
DASHES = [[2, 3], [8, 3, 2, 3], [4, 2], [10, 3], [1, 0]]
"""Of λ from none to the paper's; Okabe and Ito's colours again, and told apart by their dashes too."""


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
        legend=alt.Legend(**LEGEND),
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
        ).properties(height=320, **charts.AS_WIDE_AS_THE_PAGE)
    )


def _room(data: pd.DataFrame, columns: Sequence[str]) -> list[float]:
    """The part of 0 … 1 that holds all values, in steps of ten points and with a little room."""
    values = data[list(columns)].astype(float)
    low, high = float(values.min().min()), float(values.max().max())
    return [max(0.0, math.floor(10 * (low - 0.02)) / 10), min(1.0, math.ceil(10 * (high + 0.02)) / 10)]


@dataclass(frozen=True)
class Ranked:
    """One method: its accuracy with its range (fractions); `is_ours` picks it out."""

    name: str
    accuracy: float
    low: float
    high: float
    is_ours: bool


def ranking(rows: Sequence[Ranked], title: str) -> charts.Chart:
    """Methods below each other in the order given: a dot with its likely range. Ours are blue diamonds, the others grey."""
    data = pd.DataFrame(
        [
            {
                "row": place,
                "name": one.name,
                "value": one.accuracy,
                "low": one.low,
                "high": one.high,
                "ours": one.is_ours,
            }
            for place, one in enumerate(rows)
        ]
    )
    percent = alt.Axis(format="%", grid=True, tickCount=6)
    base = alt.Chart(data).encode(
        y=alt.Y(
            "row:O",
            title=None,
            axis=alt.Axis(
                labelExpr=charts.label_expression([one.name for one in rows]), labelLimit=300, **charts.ROW_AXIS
            ),
        ),
        color=alt.Color("ours:N", scale=alt.Scale(domain=[False, True], range=[OTHERS, charts.AFTER]), legend=None),
    )
    bars = base.mark_rule(strokeWidth=7, opacity=0.35).encode(
        x=alt.X("low:Q", scale=alt.Scale(domain=_room(data, ("low", "high"))), axis=percent, title=title), x2="high:Q"
    )
    shape = alt.Shape("ours:N", scale=alt.Scale(domain=[False, True], range=["circle", "diamond"]), legend=None)
    dots = base.mark_point(size=110, filled=True, opacity=1).encode(
        x="value:Q",
        shape=shape,
        tooltip=[
            alt.Tooltip("name:N", title=" "),
            alt.Tooltip("value:Q", title=title, format=".1%"),
            alt.Tooltip("low:Q", title="↓", format=".1%"),
            alt.Tooltip("high:Q", title="↑", format=".1%"),
        ],
    )
    return charts.plain(alt.layer(bars, dots).properties(height=22 * len(rows), **charts.AS_WIDE_AS_THE_PAGE))


def learning_rates(
    lines: Sequence[tuple[str, Sequence[tuple[float, float | None]]]],
    zero_shot: tuple[str, float],
    texts: tuple[str, str],
) -> charts.Chart:
    """The paper's figure: accuracy over learning rate, a line per λ, the model as it is as a level one.

    lines: name, and (learning rate, accuracy) from small to large; an accuracy is None where the loss left the numbers.
    texts: titles of the axes.
    """
    rates = [rate for rate, _ in lines[0][1]]
    rows = [(name, rate, value) for name, points in lines for rate, value in points]
    rows += [(zero_shot[0], rate, zero_shot[1]) for rate in (rates[0], rates[-1])]
    data = pd.DataFrame(rows, columns=["series", "rate", "accuracy"])
    names = [zero_shot[0], *(name for name, _ in lines)]
    colours = [charts.BEFORE, *LINES[-len(lines) :]]
    dashes = [DASHED, *DASHES[-len(lines) :]]
    base = alt.Chart(data).encode(
        x=alt.X(
            "rate:Q",
            title=texts[0],
            scale=alt.Scale(type="log", domain=[rates[0], rates[-1]]),
            axis=alt.Axis(values=rates, format="~e"),
        ),
        y=alt.Y(
            "accuracy:Q",
            title=texts[1],
            axis=alt.Axis(format="%", **charts.LEVEL_TITLE),
            scale=alt.Scale(domain=_room(data, ("accuracy",))),
        ),
        color=alt.Color("series:N", scale=alt.Scale(domain=names, range=colours), legend=alt.Legend(**LEGEND)),
    )
    drawn = base.mark_line(strokeWidth=2).encode(
        strokeDash=alt.StrokeDash("series:N", scale=alt.Scale(domain=names, range=dashes), legend=None)
    )
    dots = (
        base.transform_filter("datum.rate > 0")
        .mark_point(filled=True, size=60, opacity=1)
        .encode(
            tooltip=[
                alt.Tooltip("series:N", title=" "),
                alt.Tooltip("rate:Q", title=texts[0], format="~e"),
                alt.Tooltip("accuracy:Q", title=texts[1], format=".1%"),
            ]
        )
    )
    return charts.plain(alt.layer(drawn, dots).properties(height=300, **charts.AS_WIDE_AS_THE_PAGE))


@dataclass(frozen=True)
class Bin:
    """Answers of about the same confidence: its mean, the share that is right with its range, how many."""

    confidence: float
    right: float
    low: float
    high: float
    count: int


@dataclass(frozen=True)
class ReliabilityTexts:
    """Words of a reliability diagram."""

    confidence: str
    right: str
    count: str
    perfect: str


def reliability(bins: Sequence[Bin], texts: ReliabilityTexts) -> charts.Chart:
    """How sure it says it is against how often it is right; on the slanted line both are the same."""
    rows: list[dict[str, Any]] = [
        {"x": one.confidence, "y": one.right, "low": one.low, "high": one.high, "count": one.count} for one in bins
    ]
    data = pd.DataFrame([*rows, {"x": 0.0, "y": 0.0}, {"x": 1.0, "y": 1.0}], columns=["x", "y", "low", "high", "count"])
    whole = alt.Scale(domain=[0, 1])
    base = alt.Chart(data).encode(
        x=alt.X("x:Q", title=texts.confidence, scale=whole, axis=alt.Axis(format="%", tickCount=6)),
        y=alt.Y("y:Q", title=texts.right, scale=whole, axis=alt.Axis(format="%", tickCount=6, **charts.LEVEL_TITLE)),
    )
    line = base.transform_filter("!isValid(datum.count)").mark_line(
        strokeDash=DASHED, color=OTHERS, tooltip=texts.perfect
    )
    found = base.transform_filter("isValid(datum.count)")
    bars = found.mark_rule(strokeWidth=6, opacity=0.35, color=charts.AFTER).encode(y="low:Q", y2="high:Q")
    dots = found.mark_point(filled=True, opacity=1, color=charts.AFTER).encode(
        size=alt.Size("count:Q", scale=alt.Scale(range=[40, 400]), legend=None),
        tooltip=[
            alt.Tooltip("x:Q", title=texts.confidence, format=".0%"),
            alt.Tooltip("y:Q", title=texts.right, format=".0%"),
            alt.Tooltip("count:Q", title=texts.count),
        ],
    )
    return charts.plain(alt.layer(line, bars, dots).properties(height=300, **charts.AS_WIDE_AS_THE_PAGE))


def risk_coverage(
    coverage: Sequence[float], risk: Sequence[float], chosen: tuple[float, float] | None, texts: tuple[str, str]
) -> charts.Chart:
    """Share of wrong answers among those given alone, against how many are; `chosen` is marked. texts: titles of the axes."""
    rows = [(x, y, False) for x, y in zip(coverage, risk, strict=True)]
    if chosen is not None:
        rows.append((*chosen, True))
    data = pd.DataFrame(rows, columns=["coverage", "risk", "chosen"])
    top = max(0.1, min(1.0, 1.1 * float(data["risk"].max())))
    base = alt.Chart(data).encode(
        x=alt.X("coverage:Q", title=texts[0], scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%", tickCount=6)),
        y=alt.Y(
            "risk:Q",
            title=texts[1],
            scale=alt.Scale(domain=[0, top]),
            axis=alt.Axis(format="%", tickCount=6, **charts.LEVEL_TITLE),
        ),
    )
    line = base.transform_filter("!datum.chosen").mark_line(strokeWidth=2, color=charts.AFTER, interpolate="step-after")
    dot = base.transform_filter("datum.chosen").mark_point(
        filled=True, size=180, opacity=1, shape="diamond", color="#D55E00"
    )
    told = [
        alt.Tooltip("coverage:Q", title=texts[0], format=".0%"),
        alt.Tooltip("risk:Q", title=texts[1], format=".1%"),
    ]
    return charts.plain(alt.layer(line, dot.encode(tooltip=told)).properties(height=300, **charts.AS_WIDE_AS_THE_PAGE))
