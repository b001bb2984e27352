"""Groups of photos → a figure. As in `charts`: numbers and words in, an Altair chart out; every word is an argument."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import pandas as pd

from prolip_core import charts

GROUP_PX = 44
LABEL_PX = 260
FAINT = 0.35


@dataclass(frozen=True)
class GroupRow:
    """One group: what stands beside it (cut already), and accuracy, low, high (fractions) before and after. `faint`: too small
    to tell."""

    label: str
    before: tuple[float, float, float]
    after: tuple[float, float, float]
    faint: bool


@dataclass(frozen=True)
class GroupTexts:
    """Words of the figure; `before` and `after` are what the two methods are called."""

    before: str
    after: str
    accuracy: str
    low: str
    high: str


def group_ranges(rows: Sequence[GroupRow], texts: GroupTexts) -> charts.Chart:
    """A dot with its likely range for both methods of every group, on one scale from 0 to 100 %."""
    data = pd.DataFrame(
        [
            {"row": i, "label": row.label, "method": method, "faint": row.faint}
            | dict(zip(("value", "low", "high"), figures, strict=True))
            for i, row in enumerate(rows)
            for method, figures in ((texts.before, row.before), (texts.after, row.after))
        ]
    )
    names = [texts.before, texts.after]
    labels = charts.label_expression([row.label for row in rows])
    scale = alt.Scale(domain=names, range=[charts.BEFORE, charts.AFTER])
    axis: dict[str, Any] = {"labelExpr": labels, "labelLimit": LABEL_PX, **charts.ROW_AXIS}
    base = alt.Chart(data).encode(
        y=alt.Y("row:O", title=None, axis=alt.Axis(**axis), scale=alt.Scale(paddingInner=0.3)),
        yOffset=alt.YOffset("method:N", sort=names),
        color=alt.Color(
            "method:N",
            scale=scale,
            legend=alt.Legend(title=None, orient="top", labelLimit=400, symbolType="circle", columns=1),
        ),
        tooltip=[
            alt.Tooltip("label:N", title=" "),
            alt.Tooltip("method:N", title="  "),
            alt.Tooltip("value:Q", title=texts.accuracy, format=".0%"),
            alt.Tooltip("low:Q", title=texts.low, format=".0%"),
            alt.Tooltip("high:Q", title=texts.high, format=".0%"),
        ],
    )
    x = alt.X("low:Q", title=texts.accuracy, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%", tickCount=6))
    bars = base.mark_rule(strokeWidth=6).encode(
        x=x, x2="high:Q", opacity=alt.when("datum.faint").then(alt.value(0.15)).otherwise(alt.value(0.4))
    )
    dots = base.mark_point(size=110, filled=True).encode(
        x="value:Q",
        shape=alt.Shape("method:N", scale=alt.Scale(domain=names, range=["circle", "diamond"]), legend=None),
        opacity=alt.when("datum.faint").then(alt.value(FAINT)).otherwise(alt.value(1)),
    )
    return charts.plain(alt.layer(bars, dots).properties(height=GROUP_PX * len(rows), **charts.AS_WIDE_AS_THE_PAGE))
