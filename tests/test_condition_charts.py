"""The figure of a stress test holds the numbers it was given."""

from __future__ import annotations

from typing import Any

import altair as alt

from prolip_core import charts, condition_charts
from prolip_core.condition_charts import StressPoint, StressTexts

TEXTS = StressTexts("severity", "right", ("before", "after"), "breaks here", "how much")
POINTS = [
    StressPoint(method, severity, 0.9 - 0.1 * severity, 0.7 - 0.1 * severity, 1.0, f"amount {severity}", severity == 2)
    for method in TEXTS.methods
    for severity in range(3)
]


def test_every_point_is_there_with_its_range_and_where_it_breaks() -> None:
    chart: Any = condition_charts.stress(POINTS, TEXTS)
    specification = chart.to_dict()  # checked by Altair
    (rows,) = specification["datasets"].values()
    assert [(row["method"], row["severity"], row["low"], row["said"]) for row in rows] == [
        (one.method, one.severity, one.low, "breaks here" if one.breaks else "") for one in POINTS
    ]
    rings = specification["layer"][-1]
    assert rings["transform"] == [{"filter": "datum.breaks"}]
    x = specification["layer"][1]["encoding"]["x"]
    assert x["scale"]["domain"] == [0, 2] and x["axis"]["values"] == [0, 1, 2]
    assert {layer["encoding"]["y"]["scale"]["domain"][1] for layer in specification["layer"]} == {1}


def test_apart_it_is_the_same_chart() -> None:
    chart: Any = condition_charts.stress(POINTS, TEXTS)
    specification, data = charts.apart(chart)
    whole = chart.to_dict()
    assert specification["layer"] == whole["layer"]
    with alt.data_transformers.disable_max_rows():
        assert data.to_dict("records") == next(iter(whole["datasets"].values()))
