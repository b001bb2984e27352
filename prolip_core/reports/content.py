"""What a report says, once for all of its forms: every text is finished here, and a writer adds none of its own.

A page has one message, its title, and blocks below it. Raw numbers stand beside their texts where a chart is drawn from them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

Tone = Literal["plain", "before", "after", "good", "bad"]
Size = Literal["lead", "body", "small"]


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str
    size: Size = "body"


@dataclass(frozen=True)
class Bullets:
    """Sentences of their own, in an order. `tone` colours their marks."""

    items: tuple[str, ...]
    tone: Tone = "after"
    title: str = ""


@dataclass(frozen=True)
class Card:
    """One large figure with what it is and what belongs to it."""

    label: str
    figure: str
    detail: str
    tone: Tone = "plain"


@dataclass(frozen=True)
class Cards:
    cards: tuple[Card, ...]


@dataclass(frozen=True)
class RangeRow:
    """A value with its likely range, in the unit of the axis; `figure` is the value as text, `detail` what belongs to it."""

    label: str
    figure: str
    detail: str
    value: float
    low: float
    high: float
    tone: Tone


@dataclass(frozen=True)
class Ranges:
    """Bars with ranges on one axis from the first to the last of `ticks` (value, text)."""

    title: str
    rows: tuple[RangeRow, ...]
    ticks: tuple[tuple[float, str], ...]


@dataclass(frozen=True)
class Bar:
    """One class: the shares by both methods, None without a photo."""

    name: str
    before: float | None
    after: float | None


@dataclass(frozen=True)
class Bars:
    """Two bars per class on an axis from the first to the last of `ticks`."""

    title: str
    before: str
    after: str
    bars: tuple[Bar, ...]
    ticks: tuple[tuple[float, str], ...]


@dataclass(frozen=True)
class Table:
    """`widths`: shares of the whole, sum 1; `right`: which columns hold figures."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    widths: tuple[float, ...]
    right: tuple[bool, ...]
    title: str = ""


@dataclass(frozen=True)
class Matrix:
    """Photos by true class (rows) and answer (columns). `numbers` stand for the names where these are too long for a column.
    `lumped`: the last row and column gather several classes, so that a cell on the diagonal there is not all right."""

    title: str
    true: str
    answer: str
    names: tuple[str, ...]
    numbers: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    cells: tuple[tuple[str, ...], ...]
    lumped: bool = False


@dataclass(frozen=True)
class Photo:
    """An example. `jpeg`: the picture, None where it is not there any more; `missing` is written in its place then."""

    jpeg: bytes | None = field(repr=False)
    lines: tuple[str, ...]
    is_right: bool
    missing: str


@dataclass(frozen=True)
class Photos:
    title: str
    photos: tuple[Photo, ...]
    columns: int = 4


@dataclass(frozen=True)
class Split:
    """Two blocks side by side where there is room, else one below the other. `share`: of the width, for the left one."""

    left: Block
    right: Block
    share: float = 0.5


Block = Text | Bullets | Cards | Ranges | Bars | Table | Matrix | Photos | Split


@dataclass(frozen=True)
class Page:
    """`kicker`: which part of the report this is; `title`: its message."""

    key: str
    kicker: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Cover:
    """`facts`: label and value of what the report is about."""

    title: str
    subtitle: str
    answer: str
    by: str
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Report:
    """`continued`: added to a title whose page did not suffice; `unreadable`: what a form says that lacks letters of some script,
    with `{characters}` for them."""

    language: str
    footer: str
    continued: str
    unreadable: str
    cover: Cover
    pages: tuple[Page, ...]

    def texts(self) -> Iterator[str]:
        """Every text of the report but the empty ones, in reading order."""
        cover = self.cover
        everything = [
            cover.title,
            cover.subtitle,
            cover.answer,
            cover.by,
            *(one for fact in cover.facts for one in fact),
        ]
        everything.append(self.footer)
        for page in self.pages:
            everything += [page.kicker, page.title]
            for block in page.blocks:
                everything += texts_of(block)
        return (text for text in everything if text)


def texts_of(block: Block) -> list[str]:
    """Every text of a block, in reading order."""
    match block:
        case Text(text):
            return [text]
        case Bullets(items, _, title):
            return [title, *items]
        case Cards(cards):
            return [text for card in cards for text in (card.label, card.figure, card.detail)]
        case Ranges(title, rows, ticks):
            shown = [text for row in rows for text in (row.label, row.figure, row.detail)]
            return [title, *shown, *(text for _, text in ticks)]
        case Bars(title, before, after, bars, ticks):
            return [title, before, after, *(bar.name for bar in bars), *(text for _, text in ticks)]
        case Table(head, rows, _, _, title):
            return [title, *head, *(cell for row in rows for cell in row)]
        case Matrix():
            cells = [cell for row in block.cells for cell in row]
            return [block.title, block.true, block.answer, *block.names, *cells]
        case Photos(title, photos, _):
            return [title, *(text for one in photos for text in (*one.lines, "" if one.jpeg else one.missing))]
        case Split(left, right, _):
            return [*texts_of(left), *texts_of(right)]
