"""The report laid out on slides or on paper: which block stands where, and what goes on on the next sheet. No text is made here
but the numbers of the sheets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from prolip_core.reports import blocks, sizes, typeset
from prolip_core.reports.content import Block, Cover, Page, Report, Split
from prolip_core.reports.style import AFTER, GRID, MUTED, PANEL, Sheet
from prolip_core.reports.surface import Box, Style, Surface

SCALES = (1.0, 0.94, 0.88, 0.82, 0.76, 0.7)
"""Letters are made so much smaller, step by step, before a slide goes on on the next one."""


def draw(report: Report, surface: Surface) -> None:
    """The whole report."""
    _Flow(report, surface).run()


@dataclass
class _Flow:
    """Where the next block goes: `y` on the sheet number `number`."""

    report: Report
    surface: Surface
    y: float = 0.0
    number: int = 0

    def __post_init__(self) -> None:
        self.whole = self.sheet = self.surface.sheet

    def run(self) -> None:
        self._new_sheet()
        cover(self.report.cover, self.surface)
        for place, page in enumerate(self.report.pages):
            self._begin(page, is_first=place == 0)
            for block in page.blocks:
                self._place(page, block)
                self.y += self.sheet.gap

    def _begin(self, page: Page, *, is_first: bool) -> None:
        """On a new sheet, or below the page before where all of it fits there."""
        self.surface.sheet = self.sheet = _scaled_for(page, self.whole)
        sheet = self.sheet
        if sheet.one_section or is_first or self.y + 2.0 * sheet.gap + needed(page, sheet) > sheet.floor:
            self._new_sheet()
            self._footer()
        else:
            self.y += 0.6 * sheet.gap
            self.surface.rect(Box(sheet.margin, self.y, sheet.room, 0.8), GRID)
            self.y += 1.3 * sheet.gap
        self.y += head(page.kicker, page.title, self.y, self.surface)

    def _place(self, page: Page, block: Block) -> None:
        """The block, or as much of it as fits and the rest on the next sheet."""
        sheet = self.sheet
        room = sheet.floor - self.y
        if sizes.height(block, sheet.room, sheet) <= room:
            self._draw(block)
            return
        if isinstance(block, Split) and not sheet.side_by_side:
            self._place(page, block.left)
            self.y += sheet.gap
            self._place(page, block.right)
            return
        halves = sizes.cut(block, sheet.room, room, sheet)
        if halves is not None:
            self._draw(halves[0])
            self._go_on(page)
            self._place(page, halves[1])
        elif self.y > sheet.top + head_height(page.title, sheet) + sheet.gap:
            self._go_on(page)
            self._place(page, block)
        else:  # alone on its sheet, and it may not be cut: drawn over the edge rather than lost
            self._draw(block)

    def _draw(self, block: Block) -> None:
        sheet = self.sheet
        tall = sizes.height(block, sheet.room, sheet)
        blocks.draw(block, Box(sheet.margin, self.y, sheet.room, tall), self.surface)
        self.y += tall

    def _go_on(self, page: Page) -> None:
        self._new_sheet()
        self._footer()
        self.y += head(page.kicker, f"{page.title} {self.report.continued}", self.y, self.surface)

    def _new_sheet(self) -> None:
        self.surface.new_page()
        self.number += 1
        self.y = self.sheet.top

    def _footer(self) -> None:
        sheet = self.whole
        box = Box(sheet.margin, sheet.height - 0.62 * sheet.bottom, sheet.room - 60, sheet.small * 1.6)
        self.surface.text(box, self.report.footer, Style(0.9 * sheet.small, colour=MUTED))
        number = Box(sheet.width - sheet.margin - 50, box.y, 50, box.height)
        self.surface.text(number, str(self.number), Style(0.9 * sheet.small, colour=MUTED, align="right"))


def needed(page: Page, sheet: Sheet) -> float:
    """The height of the page with its head."""
    between = sheet.gap * (len(page.blocks) - 1)
    return head_height(page.title, sheet) + between + sum(sizes.height(one, sheet.room, sheet) for one in page.blocks)


def _scaled_for(page: Page, sheet: Sheet) -> Sheet:
    """The sheet with the largest letters with which the page stays on one slide; on paper, and where none do, as it is."""
    if not sheet.one_section:
        return sheet
    fitting = (scaled for scale in SCALES if sheet.top + needed(page, scaled := sheet.scaled(scale)) <= sheet.floor)
    return next(fitting, sheet)


def head_height(title: str, sheet: Sheet) -> float:
    size = title_size(title, sheet)
    lines = len(typeset.lines(title, size, sizes.room_of(sheet.room), True))
    return sheet.kicker * 1.9 + lines * size * typeset.LEADING * 0.92 + 1.1 * sheet.gap


def title_size(title: str, sheet: Sheet) -> float:
    """Two lines at the most, with smaller letters where that takes it."""
    return typeset.fitted(title, sheet.title, sizes.room_of(sheet.room), bold=True, most=2, least=0.62)


def head(kicker: str, title: str, y: float, surface: Surface) -> float:
    """Which part this is, and its message; gives the height."""
    sheet = surface.sheet
    surface.text(
        Box(sheet.margin, y, sheet.room, sheet.kicker * 1.6), kicker, Style(sheet.kicker, bold=True, colour=AFTER)
    )
    tall = head_height(title, sheet)
    box = Box(sheet.margin, y + sheet.kicker * 1.7, sheet.room, tall - sheet.kicker * 1.7 - sheet.gap)
    surface.text(box, title, Style(title_size(title, sheet), bold=True))
    return tall


def cover(content: Cover, surface: Surface) -> None:
    """The first sheet: title, answer, and what it is about."""
    sheet = surface.sheet
    surface.rect(Box(0, 0, sheet.width, sheet.height), PANEL)
    surface.rect(Box(0, 0, 10 if sheet.side_by_side else sheet.width, sheet.height if sheet.side_by_side else 8), AFTER)
    y = 0.15 * sheet.height
    room = sizes.room_of(sheet.room)
    for text, size, bold, colour in (
        (content.subtitle, sheet.lead, False, MUTED),
        (content.title, 1.35 * sheet.title, True, None),
        (content.answer, 1.15 * sheet.lead, False, None),
    ):
        fitted = typeset.fitted(text, size, room, bold=bold, most=3)
        tall = typeset.height(text, fitted, room, bold=bold)
        style = Style(fitted, bold) if colour is None else Style(fitted, bold, colour)
        surface.text(Box(sheet.margin, y, sheet.room, tall), text, style)
        y += tall + sheet.gap
    if content.by:
        tall = typeset.height(content.by, sheet.body, room)
        surface.text(Box(sheet.margin, y, sheet.room, tall), content.by, Style(sheet.body, colour=MUTED))
    _facts(content.facts, surface)


def _facts(facts: Sequence[tuple[str, str]], surface: Surface) -> None:
    """Label above value, in columns, at the foot of the cover."""
    sheet = surface.sheet
    columns = len(facts) if sheet.side_by_side else 2
    width = sheet.room / columns
    each = sheet.small * 6.2
    rows = -(-len(facts) // columns)
    top = sheet.height - sheet.bottom - rows * each
    surface.rect(Box(sheet.margin, top - sheet.gap, sheet.room, 0.8), GRID)
    for place, (label, value) in enumerate(facts):
        x, y = sheet.margin + (place % columns) * width, top + (place // columns) * each
        own = width - 0.7 * sheet.gap
        surface.text(Box(x, y, own, sheet.small * 1.6), label, Style(sheet.small * 0.95, colour=MUTED))
        size = typeset.fitted(value, sheet.small * 1.12, sizes.room_of(own), bold=True, most=3, least=0.7)
        tall = typeset.height(value, size, sizes.room_of(own), bold=True)
        surface.text(Box(x, y + sheet.small * 1.7, own, tall), value, Style(size, bold=True))
