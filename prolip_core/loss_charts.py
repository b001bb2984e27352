"""The curve of a training as figures: while it grows (Altair, cheap to redraw), and finished (Plotly, to look at closely)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import pandas as pd
import plotly.graph_objects as go

from prolip_core import charts
from prolip_core.types import Step

MAX_POINTS = 400


@dataclass(frozen=True)
class LossTexts:
    """Words of a training curve."""

    step: str
    loss: str
    cross_entropy: str
    penalty: str
    support_accuracy: str


def live_loss(steps: Sequence[Step], texts: LossTexts, *, log: bool) -> charts.Chart:
    """The training curve while it grows: cross-entropy and penalty against the step."""
    parts = [texts.cross_entropy, texts.penalty]
    lines = (
        alt.Chart(loss_data(steps, texts, log=log))
        .mark_line(strokeWidth=2)
        .encode(
            x=_step_axis(texts),
            y=alt.Y(
                "value:Q",
                title=texts.loss,
                axis=alt.Axis(**charts.LEVEL_TITLE),
                scale=alt.Scale(type="log") if log else alt.Scale(zero=True),
            ),
            color=alt.Color(
                "part:N",
                scale=alt.Scale(domain=parts, range=[charts.AFTER, charts.BEFORE]),
                legend=alt.Legend(title=None, orient="top", labelLimit=500, symbolType="stroke", columns=1),
            ),
            strokeDash=alt.StrokeDash("part:N", scale=alt.Scale(domain=parts, range=[[1, 0], [6, 4]]), legend=None),
        )
    )
    return charts.plain(alt.layer(lines).properties(width="container", height=260))


def live_accuracy(steps: Sequence[Step], texts: LossTexts) -> charts.Chart:
    """The share of training photos that are right, against the step."""
    share = alt.Y(
        "value:Q",
        title=texts.support_accuracy,
        axis=alt.Axis(format="%", tickCount=3, **charts.LEVEL_TITLE),
        scale=alt.Scale(domain=[0, 1]),
    )
    line = (
        alt.Chart(accuracy_data(steps))
        .mark_line(strokeWidth=2, color=charts.RIGHT)
        .encode(x=_step_axis(texts), y=share)
    )
    return charts.plain(alt.layer(line).properties(width="container", height=130))


def loss_data(steps: Sequence[Step], texts: LossTexts, *, log: bool) -> pd.DataFrame:
    """What `live_loss` draws."""
    shown = _thinned(steps)
    rows = [(s.step, s.cross_entropy, texts.cross_entropy) for s in shown]
    # A logarithm of 0 has no place on the chart.
    rows += [(s.step, s.penalty, texts.penalty) for s in shown if not log or s.penalty > 0]
    return pd.DataFrame(rows, columns=["step", "value", "part"])


def accuracy_data(steps: Sequence[Step]) -> pd.DataFrame:
    """What `live_accuracy` draws."""
    return pd.DataFrame([(s.step, s.support_accuracy) for s in _thinned(steps)], columns=["step", "value"])


def without_data(chart: charts.Chart) -> dict[str, Any]:
    """The chart as a Vega-Lite specification, for data that is handed over apart from it."""
    specification: dict[str, Any] = chart.to_dict()
    specification.pop("datasets", None)
    specification.pop("data", None)
    for layer in specification["layer"]:
        layer.pop("data", None)
    return specification


def loss(steps: Sequence[Step], texts: LossTexts) -> go.Figure:
    """The curve of a finished training, to be looked at closely."""
    figure = go.Figure()
    numbers = [step.step for step in steps]
    for name, values, colour, dash in (
        (texts.cross_entropy, [step.cross_entropy for step in steps], charts.AFTER, "solid"),
        (texts.penalty, [step.penalty for step in steps], charts.BEFORE, "dash"),
    ):
        figure.add_scatter(
            x=numbers, y=values, name=name, mode="lines", line={"color": colour, "dash": dash, "width": 2}
        )
    figure.add_scatter(
        x=numbers,
        y=[step.support_accuracy for step in steps],
        name=texts.support_accuracy,
        mode="lines",
        yaxis="y2",
        line={"color": charts.RIGHT, "dash": "dot", "width": 2},
    )
    figure.update_layout(
        template="plotly_white",
        font={"family": charts.FONT, "color": charts.INK},
        height=380,
        margin={"l": 50, "r": 60, "t": 40, "b": 110},
        legend={"orientation": "h", "y": -0.22, "yanchor": "top"},
        xaxis={"title": {"text": texts.step}},
        yaxis={"rangemode": "tozero"},
        yaxis2={
            "overlaying": "y",
            "side": "right",
            "range": [0, 1.02],
            "tickformat": ".0%",
            "tickmode": "linear",
            "dtick": 0.2,
            "showgrid": False,
        },
        hovermode="x unified",
    )
    where = {"x": 0, "y": 1.02, "xref": "paper", "yref": "paper", "xanchor": "left", "yanchor": "bottom"}
    figure.add_annotation(text=texts.loss, showarrow=False, **where)
    return figure


def _step_axis(texts: LossTexts) -> alt.X:
    return alt.X("step:Q", title=texts.step, axis=alt.Axis(tickMinStep=1, format="d"))


def _thinned(steps: Sequence[Step]) -> Sequence[Step]:
    """Every so-manieth step and the last one: more than a few hundred points cannot be seen."""
    stride = -(-len(steps) // MAX_POINTS) if steps else 1
    return steps if stride == 1 else [*steps[:-1:stride], steps[-1]]
