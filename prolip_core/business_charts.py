"""Cost and benefit → figure."""

from __future__ import annotations

import altair as alt
import pandas as pd

from prolip_core.charts import AS_WIDE_AS_THE_PAGE, INK, ROW_AXIS, Chart, label_expression, plain
from prolip_core.reports.content import Ranges
from prolip_core.reports.style import TONES

ROW_PX = 46


def money_ranges(block: Ranges) -> Chart:
    """A bar per row with its range, on the axis of the block, with the block's own texts."""
    data = pd.DataFrame(
        [
            {
                "row": place,
                "label": one.label,
                "value": one.value,
                "low": one.low,
                "high": one.high,
                "text": f"{one.figure}  {one.detail}".strip(),
                "colour": TONES[one.tone],
            }
            for place, one in enumerate(block.rows)
        ]
    )
    values = [value for value, _ in block.ticks]
    places = label_expression([text for _, text in block.ticks]).replace(
        "datum.value", f"round(datum.index * {len(values) - 1})"
    )
    labels = label_expression([one.label for one in block.rows])
    axis = alt.Axis(values=values, labelExpr=places, title=block.title, grid=True)
    scale = alt.Scale(domain=[values[0], values[-1]], nice=False)
    base = alt.Chart(data).encode(
        y=alt.Y("row:O", title=None, axis=alt.Axis(labelExpr=labels, labelLimit=240, **ROW_AXIS))
    )
    told = alt.Tooltip("text:N", title=" ")
    bars = base.mark_bar(height=18).encode(
        x=alt.X("value:Q", scale=scale, axis=axis), color=alt.Color("colour:N", scale=None), tooltip=[told]
    )
    ranged = base.transform_filter("datum.low < datum.high")
    ranges = ranged.mark_rule(strokeWidth=2, color=INK).encode(x="low:Q", x2="high:Q", tooltip=[told])
    ends = [ranged.mark_tick(thickness=2, size=14, color=INK).encode(x=f"{end}:Q") for end in ("low", "high")]
    return plain(alt.layer(bars, ranges, *ends).properties(height=ROW_PX * len(block.rows), **AS_WIDE_AS_THE_PAGE))
