"""The studies of other conditions → figures. As in `charts`: numbers and words in, an Altair chart out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import pandas as pd

from prolip_core import charts


@dataclass(frozen=True)
class StressPoint:
    """One method at one severity (0: the clean photos): accuracy with its range (fractions), how much that is in words, and
    whether it is where the curve breaks."""

    method: str
    severity: int
    accuracy: float
    low: float
    high: float
    amount: str
    breaks: bool


@dataclass(frozen=True)
class StressTexts:
    """Words of a stress curve. `methods`: before the training first."""

    severity: str
    accuracy: str
    methods: tuple[str, str]
    breaks: str
    amount: str


def stress(points: Sequence[StressPoint], texts: StressTexts) -> charts.Chart:
    """Accuracy over severity, a line with its band per method; a ring where it likely loses more than is allowed.

    A small figure among others: what the upright axis shows is to be said once, beside them.
    """
    data = pd.DataFrame(
        [
            {
                "method": one.method,
                "severity": one.severity,
                "accuracy": one.accuracy,
                "low": one.low,
                "high": one.high,
                "amount": one.amount,
                "breaks": one.breaks,
                "said": texts.breaks if one.breaks else "",
            }
            for one in points
        ]
    )
    names = list(texts.methods)
    legend = alt.Legend(title=None, orient="top", labelLimit=400, symbolType="circle", symbolOpacity=1, columns=1)
    base = alt.Chart(data).encode(
        x=alt.X(
            "severity:Q",
            title=texts.severity,
            scale=alt.Scale(domain=[0, max(one.severity for one in points)]),
            axis=alt.Axis(values=sorted({one.severity for one in points}), format="d", grid=False),
        ),
        color=alt.Color("method:N", scale=alt.Scale(domain=names, range=[charts.BEFORE, charts.AFTER]), legend=legend),
    )
    y: dict[str, Any] = {
        "scale": alt.Scale(domain=[0, 1]),
        "axis": alt.Axis(format="%", values=[0, 0.25, 0.5, 0.75, 1], title=None),
    }
    band = base.mark_area(opacity=0.15).encode(y=alt.Y("low:Q", **y), y2="high:Q")
    dash = alt.StrokeDash("method:N", scale=alt.Scale(domain=names, range=[[6, 4], [1, 0]]), legend=None)
    lines = base.mark_line(strokeWidth=2).encode(y=alt.Y("accuracy:Q", **y), strokeDash=dash)
    told = [
        alt.Tooltip("method:N", title=" "),
        alt.Tooltip("severity:Q", title=texts.severity, format="d"),
        alt.Tooltip("amount:N", title=texts.amount),
        alt.Tooltip("accuracy:Q", title=texts.accuracy, format=".0%"),
        alt.Tooltip("low:Q", title="↓", format=".0%"),
        alt.Tooltip("high:Q", title="↑", format=".0%"),
        alt.Tooltip("said:N", title="  "),
    ]
    dots = base.mark_point(filled=True, size=45, opacity=1).encode(y=alt.Y("accuracy:Q", **y), tooltip=told)
    rings = (
        base.transform_filter("datum.breaks")
        .mark_point(filled=False, size=260, strokeWidth=3, opacity=1, color="#D55E00")
        .encode(y=alt.Y("accuracy:Q", **y), color=alt.value("#D55E00"), tooltip=told)
    )
    return charts.plain(alt.layer(band, lines, dots, rings).properties(height=150, **charts.AS_WIDE_AS_THE_PAGE))
