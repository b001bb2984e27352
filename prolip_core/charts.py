"""Results → figures. Pure functions: numbers and words in, an Altair chart out; every word is an argument.

Classes are told apart by their position, never by their name: names may be long, equal-looking, or hold anything. The colours are
ColorBrewer's "Blues" and two of Okabe and Ito's set, which colour-blind people can tell apart.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

Chart = alt.LayerChart
"""What the functions here give; Altair's own functions promise less."""

Parts = tuple[dict[str, Any], pd.DataFrame]
"""A chart as it is drawn: its specification, and its data."""

FONT = "'Source Sans', 'Hiragino Sans', 'Yu Gothic UI', Meiryo, 'Noto Sans CJK JP', 'Noto Sans JP', sans-serif"
BEFORE, AFTER, RIGHT, INK, GRID = "#E69F00", "#0072B2", "#009E73", "#1a2230", "#d7dde5"
BLUES = ["#f5f9fd", "#c6dbef", "#6baed6", "#2171b5", "#08306b"]
ORANGES = ["#fff7ee", "#fdd0a2", "#fd8d3c", "#d94801", "#7f2704"]
"""Both begin almost white, so that empty cells are calm."""

LEVEL_TITLE: dict[str, Any] = {
    "titleAngle": 0,
    "titleAlign": "left",
    "titleAnchor": "start",
    "titleX": -40,
    "titleY": -16,
}
"""The title of an upright axis, written level above it: turned by 90 degrees, Japanese cannot be read."""

ROW_PX = 30
AS_WIDE_AS_THE_PAGE: dict[str, Any] = {
    "width": "container",
    "autosize": alt.AutoSizeParams(type="fit-x", contains="padding"),
}
"""The height is that of the rows; axes and legend come on top of it, or they would squeeze the rows."""

ROW_AXIS: dict[str, Any] = {"domain": False, "ticks": False, "labelPadding": 12}
"""A marker at 0 % reaches over the edge, towards the names."""

LABEL_CHARACTERS = 16
LABEL_PX, LABEL_FONT_PX = 160, 13
CELL = "cell"
"""Name of the selection of a confusion matrix; its event holds `true` and `answer`, positions of classes."""


@dataclass(frozen=True)
class MatrixTexts:
    """Words of a confusion matrix. `share`: of the photos of the true class."""

    title: str
    true: str
    answer: str
    photos: str
    share: str


def confusion(
    counts_CC: np.ndarray,
    class_names: Sequence[str],
    texts: MatrixTexts,
    *,
    percent: bool,
    scale_max: float,
    cell_px: int | None = None,
) -> Chart:
    """A confusion matrix: rows are true classes, columns answers. Two matrices are comparable if `scale_max` (photos, or 1 for
    shares) is the same. The diagonal is framed, so that it does not take colour to find it. `cell_px`: side of a cell, whatever
    room the names take beside it."""
    n_classes = len(class_names)
    side = cell_px or _cell_side(n_classes)
    data = _matrix_data(counts_CC, class_names, percent=percent, scale_max=scale_max)
    labels = label_expression([_cut(name, LABEL_CHARACTERS) for name in class_names])
    axis: dict[str, Any] = {
        "labelExpr": labels,
        "labelLimit": LABEL_PX,
        "labelFontSize": min(LABEL_FONT_PX, side - 1),
        "labelOverlap": False,
        "domain": False,
        "ticks": False,
        "labelColor": INK,
        "titleColor": INK,
    }
    x = alt.X("answer:O", title=texts.answer, axis=alt.Axis(orient="top", labelAngle=-45, **axis))
    y = alt.Y("true:O", title=texts.true, axis=alt.Axis(**axis, **{**LEVEL_TITLE, "titleAlign": "right", "titleX": -8}))
    picked = alt.selection_point(name=CELL, fields=["true", "answer"], on="click", toggle=False)
    base = alt.Chart(data).encode(x=x, y=y)
    cells = (
        base.mark_rect(cursor="pointer")
        .encode(
            color=alt.Color(
                "value:Q", scale=alt.Scale(range=BLUES, domain=[0, max(scale_max, 1e-9)], clamp=True), legend=None
            ),
            stroke=alt.when(picked, empty=False).then(alt.value("#D55E00")).otherwise(alt.value("white")),
            strokeWidth=alt.when(picked, empty=False).then(alt.value(4)).otherwise(alt.value(1)),
            description="spoken:N",  # for those who hear the page
            tooltip=[
                alt.Tooltip("true_name:N", title=texts.true),
                alt.Tooltip("answer_name:N", title=texts.answer),
                alt.Tooltip("photos:Q", title=texts.photos),
                alt.Tooltip("share:Q", title=texts.share, format=".0%"),
            ],
        )
        .add_params(picked)
    )
    frame = base.transform_filter("datum.diagonal").mark_rect(
        fill=None, stroke=INK, strokeWidth=1.5, strokeDash=[3, 2], tooltip=None
    )
    layers: list[alt.Chart] = [cells, frame]
    if side >= 18:
        layers.append(
            base.transform_filter("datum.photos > 0")
            .mark_text(fontSize=min(14, side // 3 + 3), fontWeight=600, tooltip=None)
            .encode(text="label:N", color=alt.when("datum.dark").then(alt.value("white")).otherwise(alt.value(INK)))
        )
    # The size is that of the cells, the names come on top: fitted into it, two classes with long names would leave no cell.
    size = {"width": side * n_classes, "height": side * n_classes, "autosize": alt.AutoSizeParams(type="pad")}
    return plain(alt.layer(*layers).properties(**size, title=texts.title))


def _matrix_data(counts_CC: np.ndarray, class_names: Sequence[str], *, percent: bool, scale_max: float) -> pd.DataFrame:
    """A row per cell."""
    shares_CC = counts_CC / np.maximum(1, counts_CC.sum(axis=1, keepdims=True))
    values_CC = shares_CC if percent else counts_CC
    names = [_cut(name, 200) for name in class_names]
    return pd.DataFrame(
        [
            {
                "true": i,
                "answer": j,
                "true_name": names[i],
                "answer_name": names[j],
                "value": float(values_CC[i, j]),
                "photos": int(counts_CC[i, j]),
                "share": float(shares_CC[i, j]),
                "label": _cell_label(float(values_CC[i, j]), percent),
                "dark": bool(values_CC[i, j] > 0.55 * scale_max),
                "diagonal": i == j,
                "spoken": f"{names[i]} → {names[j]}: {int(counts_CC[i, j])}",
            }
            for i in range(len(names))
            for j in range(len(names))
        ]
    )


def matrix_cell_px(class_names: Sequence[str], rows_title: str, room_px: int) -> int:
    """The side of a cell with which a confusion matrix with these names is about `room_px` wide."""
    widths = [min(LABEL_PX, _text_px(_cut(name, LABEL_CHARACTERS))) for name in class_names]
    # Beside the rows stand their names and the title; the slanted name of the last column reaches over the right edge.
    taken_px = max(*widths, _text_px(rows_title) + 8) + 0.7 * widths[-1] + 10
    return max(9, min(64, int((room_px - taken_px) / len(class_names))))


def _text_px(text: str) -> int:
    """About how wide a label is; wide characters are as wide as the letters are high."""
    return sum(LABEL_FONT_PX if unicodedata.east_asian_width(one) in "WF" else 7 for one in text)


def similarity(matrix_CC: Sequence[Sequence[float]], class_names: Sequence[str], title: str, value: str) -> Chart:
    """How alike the sentences of the classes are to the model, per pair: 0 … 1."""
    n_classes, side = len(class_names), _cell_side(len(class_names))
    data = pd.DataFrame(
        [
            {
                "a": i,
                "b": j,
                "first": _cut(class_names[i], 200),
                "second": _cut(class_names[j], 200),
                "value": float(matrix_CC[i][j]),
                "label": f"{100 * float(matrix_CC[i][j]):.0f}",
            }
            for i in range(n_classes)
            for j in range(n_classes)
            if i != j
        ]
    )
    labels = label_expression([_cut(name, LABEL_CHARACTERS) for name in class_names])
    axis: dict[str, Any] = {
        "labelExpr": labels,
        "labelLimit": 160,
        "domain": False,
        "ticks": False,
        "title": None,
        "labelColor": INK,
    }
    base = alt.Chart(data).encode(
        x=alt.X("b:O", axis=alt.Axis(orient="top", labelAngle=-45, **axis)), y=alt.Y("a:O", axis=alt.Axis(**axis))
    )
    cells = base.mark_rect(stroke="white").encode(
        color=alt.Color("value:Q", scale=alt.Scale(range=ORANGES, domain=[0, 0.5], clamp=True), legend=None),
        tooltip=[
            alt.Tooltip("first:N", title=" "),
            alt.Tooltip("second:N", title="  "),
            alt.Tooltip("value:Q", title=value, format=".0%"),
        ],
    )
    layers: list[alt.Chart] = [cells]
    if side >= 18:
        numbers = alt.when("datum.value > 0.3").then(alt.value("white")).otherwise(alt.value(INK))
        layers.append(
            base.mark_text(fontSize=min(13, side // 3 + 3), tooltip=None).encode(text="label:N", color=numbers)
        )
    # As in `confusion`: the size is that of the cells.
    size = {"width": side * n_classes, "height": side * n_classes, "autosize": alt.AutoSizeParams(type="pad")}
    return plain(alt.layer(*layers).properties(**size, title=title))


def accuracy_ranges(rows: Sequence[tuple[str, float, float, float]], title: str) -> Chart:
    """Name, accuracy, low, high (fractions) per method: a dot with its likely range, on one scale from 0 to 100 %."""
    data = pd.DataFrame(
        [
            {"row": i, "name": _cut(name, 60), "value": value, "low": low, "high": high}
            for i, (name, value, low, high) in enumerate(rows)
        ]
    )
    labels = label_expression([_cut(name, 30) for name, *_ in rows])
    base = alt.Chart(data).encode(
        y=alt.Y("row:O", title=None, axis=alt.Axis(labelExpr=labels, labelLimit=260, **ROW_AXIS)),
        color=alt.Color("row:O", scale=alt.Scale(domain=[0, 1], range=[BEFORE, AFTER]), legend=None),
    )
    percent = alt.Axis(format="%", grid=True, tickCount=6)
    bars = base.mark_rule(strokeWidth=8, opacity=0.35).encode(
        x=alt.X("low:Q", scale=alt.Scale(domain=[0, 1]), axis=percent, title=title), x2="high:Q"
    )
    dots = base.mark_point(size=160, filled=True, opacity=1).encode(
        x="value:Q", shape=alt.Shape("row:O", scale=alt.Scale(range=["circle", "diamond"]), legend=None)
    )
    return plain(alt.layer(bars, dots).properties(height=ROW_PX * len(rows), **AS_WIDE_AS_THE_PAGE))


def per_class(
    class_names: Sequence[str],
    before: Sequence[float | None],
    after: Sequence[float | None],
    names: tuple[str, str],
    title: str,
) -> Chart:
    """Share of right photos of every class by two methods, joined by a line; None where there was no photo."""
    data = pd.DataFrame(
        [
            {"row": i, "class_name": _cut(class_names[i], 200), "method": method, "value": value}
            for method, values in zip(names, (before, after), strict=True)
            for i, value in enumerate(values)
            if value is not None
        ]
    )
    labels = label_expression([_cut(name, 24) for name in class_names])
    base = alt.Chart(data).encode(
        y=alt.Y("row:O", title=None, axis=alt.Axis(labelExpr=labels, labelLimit=240, **ROW_AXIS)),
        x=alt.X("value:Q", title=title, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%")),
    )
    lines = base.mark_line(color="#8a96a6", strokeWidth=2).encode(detail="row:O")
    scale = alt.Scale(domain=list(names), range=[BEFORE, AFTER])
    dots = base.mark_point(size=110, filled=True, opacity=1).encode(
        color=alt.Color("method:N", scale=scale, legend=alt.Legend(title=None, orient="top", labelLimit=400)),
        shape=alt.Shape("method:N", scale=alt.Scale(domain=list(names), range=["circle", "diamond"]), legend=None),
        tooltip=[
            alt.Tooltip("class_name:N", title=" "),
            alt.Tooltip("method:N", title="  "),
            alt.Tooltip("value:Q", title=title, format=".0%"),
        ],
    )
    return plain(alt.layer(lines, dots).properties(height=ROW_PX * len(class_names), **AS_WIDE_AS_THE_PAGE))


def apart(chart: Chart) -> Parts:
    """The chart as a Vega-Lite specification without its data, and the data, which all of its layers share. These can be kept:
    building a chart takes a hundred times as long as drawing it. What Altair could check each time, the tests check once."""
    bare = chart.copy(deep=False)
    bare.data = alt.NamedData("data")
    specification: dict[str, Any] = bare.to_dict(validate=False)
    del specification["data"]
    for size in ("continuousWidth", "continuousHeight"):  # of Altair's own theme
        specification["config"]["view"].pop(size, None)
    data: Any = chart.data
    return specification, data


def plain(chart: Any) -> Chart:
    """The chart in the product's fonts and colours."""
    styled: Chart = (
        chart.configure_view(stroke=None)
        .configure_axis(labelFont=FONT, titleFont=FONT, labelFontSize=13, titleFontSize=13, gridColor=GRID)
        .configure_legend(labelFont=FONT, labelFontSize=13)
        .configure_title(font=FONT, fontSize=15, color=INK)
        .configure_text(font=FONT)
    )
    return styled


def _cell_side(n_classes: int) -> int:
    return max(9, min(64, 480 // max(1, n_classes)))


def _cell_label(value: float, percent: bool) -> str:
    return f"{100 * value:.0f}" if percent else f"{value:.0f}"


def _cut(name: str, limit: int) -> str:
    return name if len(name) <= limit else f"{name[: limit - 1]}…"


def label_expression(labels: Sequence[str]) -> str:
    """A Vega expression that gives the label of a position. The labels go in as JSON-like string literals with every character
    that could end one written as an escape, so that no name is ever read as an expression."""
    literals = ",".join('"' + "".join(_escaped(character) for character in label) + '"' for label in labels)
    return f"[{literals}][datum.value]"


def _escaped(character: str) -> str:
    if character.isalnum() or character in " -_.…":
        return character
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))
