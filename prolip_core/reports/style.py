"""Colours and sizes of the report: the colours are those of the app's charts, the sizes those of a slide or a sheet of paper."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from prolip_core.charts import AFTER, BEFORE, BLUES, GRID, INK, RIGHT
from prolip_core.reports.content import Size, Tone

__all__ = ["AFTER", "BEFORE", "BLUES", "GRID", "INK", "RIGHT"]

WRONG = "#D55E00"
"""Of Okabe and Ito's set, as the others."""

MUTED, PANEL, PAPER = "#5b6675", "#f4f7fb", "#ffffff"
TONES: Mapping[Tone, str] = {"plain": INK, "before": BEFORE, "after": AFTER, "good": RIGHT, "bad": WRONG}
LETTERS: Mapping[Tone, str] = {"plain": INK, "before": "#9a6500", "after": AFTER, "good": "#00714f", "bad": "#b04d00"}
"""The same for letters, darker where the colour itself is too light to be read on white."""


@dataclass(frozen=True)
class Sheet:
    """A slide or a page; lengths in points. side_by_side: whether a `Split` stands side by side; one_section: whether every page
    of the report begins a new sheet."""

    width: float
    height: float
    margin: float
    top: float
    bottom: float
    title: float
    kicker: float
    lead: float
    body: float
    small: float
    table: float
    figure: float
    gap: float
    card_height: float
    range_row: float
    bar_row: float
    matrix: float
    photo: float
    side_by_side: bool
    one_section: bool

    @property
    def room(self) -> float:
        return self.width - 2 * self.margin

    @property
    def floor(self) -> float:
        """The lowest line that content may reach."""
        return self.height - self.bottom

    def scaled(self, factor: float) -> Sheet:
        """Everything smaller but the sheet itself, its margins and its titles."""
        names = (
            "lead",
            "body",
            "small",
            "table",
            "figure",
            "gap",
            "card_height",
            "range_row",
            "bar_row",
            "matrix",
            "photo",
        )
        return replace(self, **{name: getattr(self, name) * factor for name in names})

    def size(self, size: Size) -> float:
        return {"lead": self.lead, "body": self.body, "small": self.small}[size]


SLIDE = Sheet(
    width=960, height=540, margin=52, top=40, bottom=44, title=27, kicker=12, lead=17, body=14.5, small=10.5, table=12,
    figure=44, gap=20, card_height=132, range_row=66, bar_row=26, matrix=330, photo=120, side_by_side=True,
    one_section=True,
)  # fmt: skip
A4 = Sheet(
    width=595.28, height=841.89, margin=54, top=52, bottom=56, title=17, kicker=8.5, lead=11.5, body=10, small=8, table=8.6,
    figure=27, gap=14, card_height=92, range_row=50, bar_row=19, matrix=230, photo=104, side_by_side=False,
    one_section=False,
)  # fmt: skip


def heat(share: float) -> tuple[str, bool]:
    """The colour of a cell of the matrix for 0 … 1, and whether letters on it have to be white."""
    place = max(0.0, min(1.0, share)) * (len(BLUES) - 1)
    first = min(int(place), len(BLUES) - 2)
    mixed = [
        round(a + (b - a) * (place - first)) for a, b in zip(rgb(BLUES[first]), rgb(BLUES[first + 1]), strict=True)
    ]
    return "#{:02x}{:02x}{:02x}".format(*mixed), share > 0.55


def rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
