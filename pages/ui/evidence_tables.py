"""Rows and sentences that several studies share on the page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.ui import components
from pages.ui.text import _, note, number, percent, right_of, safe
from prolip_core import i18n

Shown = Mapping[str, Any]


def advice(result: Shown) -> None:
    """What a study means, in sentences."""
    components.bullet_list(note(i18n.note_of(parts)) for parts in result["advice_parts"])


def right(one: Shown) -> str:
    """An accuracy with count and range; not Markdown."""
    return right_of(one["right"], one["count"], *one["accuracy_interval"]) if one["count"] else _("no photo")


def points(one: Shown) -> str:
    """A difference in points with its range; not Markdown."""
    low, high = one["difference_interval"]
    return _(
        "{points} (likely {low} to {high})",
        points=f"{100 * one['difference']:+.1f}",
        low=f"{100 * low:+.1f}",
        high=f"{100 * high:+.1f}",
    )


def difference(one: Shown) -> str:
    """The same as short as a cell of a table wants it; without a range where there is none."""
    plain = f"{100 * one['difference']:+.1f}"
    if one["difference_interval"] is None:
        return plain
    low, high = one["difference_interval"]
    return f"{plain} ({100 * low:+.1f} … {100 * high:+.1f})"


def share(fraction: float, interval: Sequence[float] | None) -> str:
    """A share with its range, cut to what a share can be; as short as a cell of a table wants it."""
    if interval is None:
        return percent(fraction)
    low, high = (min(1.0, max(0.0, end)) for end in interval)
    return f"{percent(fraction)} ({percent(low)}–{percent(high)})"


def spread(interval: Sequence[float] | None) -> str:
    """A range alone, of shares, for a cell."""
    if interval is None:
        return "–"
    low, high = (min(1.0, max(0.0, end)) for end in interval)
    return f"{percent(low)}–{percent(high)}"


def is_whole(one: Shown, key: str) -> bool:
    """Whether what is kept has the key; what an earlier version computed may lack it. Says so where it does."""
    if key not in one:
        st.warning(
            _("An earlier version computed this, with ranges that were too narrow. They are left out: compute again.")
        )
    return key in one


def card(column: DeltaGenerator, title: str, lines: Iterable[str]) -> None:
    """A box with a title and plain lines; none of it is Markdown yet."""
    text = "\n".join(f"- {safe(line, 200)}" for line in lines)
    column.container(border=True).markdown(f"**{safe(title)}**\n\n{text}")


def flips(one: Shown) -> str:
    return _("{good} put right, {bad} put wrong", good=number(one["put_right"]), bad=number(one["put_wrong"]))
