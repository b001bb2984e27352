"""The report on paper: A4, drawn with reportlab, its fonts embedded as the letters that are used."""

from __future__ import annotations

import io
from collections.abc import Sequence

from reportlab.lib.colors import HexColor
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from prolip_core.reports import blocks, layout, typeset
from prolip_core.reports.content import Bars, Matrix, Ranges, Report, Table
from prolip_core.reports.sizes import CELL_PAD, room_of
from prolip_core.reports.style import A4, AFTER, BEFORE, GRID, INK, LETTERS, MUTED, PAPER, TONES, Sheet, heat
from prolip_core.reports.surface import Box, MatrixGrid, Style

NAMES_SHARE = 0.3
"""Of the width of a bar chart, for the names."""


def pdf(report: Report) -> bytes:
    """The report as a PDF file."""
    buffer = io.BytesIO()
    surface = PdfSurface(buffer, report)
    layout.draw(report, surface)
    surface.finish()
    return buffer.getvalue()


class PdfSurface:
    """Draws at once; a page is closed when the next one begins."""

    sheet: Sheet = A4

    def __init__(self, buffer: io.BytesIO, report: Report) -> None:
        typeset.ready()
        self._canvas = Canvas(buffer, pagesize=(A4.width, A4.height), lang=report.language, invariant=1)
        self._canvas.setTitle(typeset.printable(report.cover.title))
        self._canvas.setAuthor(typeset.printable(report.cover.by))
        self._canvas.setCreator("ProLIP Studio")
        self._pages = 0
        self._lacking = sorted({one for text in report.texts() for one in typeset.missing(text)})
        self._unreadable = report.unreadable

    def finish(self) -> None:
        """Says which characters could not be shown, on the last page."""
        if self._lacking:
            listed = " ".join(f"U+{ord(one):04X}" for one in self._lacking[:12])
            more = " …" if len(self._lacking) > 12 else ""
            text = self._unreadable.format(mark=typeset.MARK, characters=listed + more)
            room = Box(A4.margin, A4.height - A4.bottom + 2, A4.room, 20)
            self.text(room, text, Style(6.5, colour=MUTED))
        self._canvas.showPage()
        self._canvas.save()

    def new_page(self) -> None:
        if self._pages:
            self._canvas.showPage()
        self._pages += 1

    def rect(self, box: Box, fill: str | None, line: str | None = None) -> None:
        if fill is not None:
            self._canvas.setFillColor(HexColor(fill))
        if line is not None:
            self._canvas.setStrokeColor(HexColor(line))
            self._canvas.setLineWidth(0.6)
        y = self._up(box.y + box.height)
        self._canvas.rect(box.x, y, box.width, box.height, stroke=int(line is not None), fill=int(fill is not None))

    def text(self, box: Box, text: str, style: Style) -> None:
        self._canvas.setFillColor(HexColor(style.colour))
        self._canvas.setFont(typeset.BOLD if style.bold else typeset.REGULAR, style.size)
        step = style.size * typeset.LEADING
        y = box.y + 0.5 * step + 0.36 * style.size
        for line in typeset.lines(text, style.size, room_of(box.width), style.bold):
            shown = typeset.printable(line)
            if style.align == "right":
                self._canvas.drawRightString(box.x + box.width, self._up(y), shown)
            elif style.align == "center":
                self._canvas.drawCentredString(box.x + box.width / 2, self._up(y), shown)
            else:
                self._canvas.drawString(box.x, self._up(y), shown)
            y += step

    def picture(self, box: Box, jpeg: bytes) -> None:
        self._canvas.drawImage(
            ImageReader(io.BytesIO(jpeg)),
            box.x,
            self._up(box.y + box.height),
            box.width,
            box.height,
            preserveAspectRatio=True,
            anchor="c",
        )

    def ranges(self, box: Box, block: Ranges) -> None:
        row = self.sheet.range_row
        low, high = block.ticks[0][0], block.ticks[-1][0]

        def at(value: float) -> float:
            return box.x + box.width * (value - low) / (high - low)

        bottom = box.y + row * len(block.rows)
        self._ticks([(at(value), text) for value, text in block.ticks], box.y, bottom)
        for place, one in enumerate(block.rows):
            y = box.y + place * row
            size, both = self.sheet.body, f"{one.figure}   {one.detail}".strip()
            blocks.on_paper(self, Box(box.x + 6, y + 2, 0.4 * box.width, size * 1.5), one.label, Style(size, bold=True))
            words = Box(box.x + 0.34 * box.width, y + 2, 0.66 * box.width, size * 1.5)
            blocks.on_paper(self, words, both, Style(size, colour=LETTERS[one.tone], align="right"))
            bar = y + 0.5 * row
            thick = 0.28 * row
            start, end = sorted((at(max(low, min(0.0, high)) if low < 0 else low), at(one.value)))
            self.rect(Box(start, bar, max(end - start, 0.5), thick), TONES[one.tone])
            if one.low != one.high:
                middle = bar + thick / 2
                self._whisker(at(one.low), at(one.high), middle, 0.3 * thick)

    def bars(self, box: Box, block: Bars) -> None:
        small = self.sheet.small
        legend = box.at(height=small * 1.8)
        x = legend.x
        for text, colour in ((block.before, BEFORE), (block.after, AFTER)):
            self.rect(Box(x, legend.y + 0.45 * small, small, 0.7 * small), colour)
            self.text(Box(x + 1.5 * small, legend.y, 120, small * 1.6), text, Style(small))
            x += 3.5 * small + typeset.width(text, small)
        names = NAMES_SHARE * box.width
        left, top = box.x + names, box.y + small * 2.2
        room, row = box.width - names - 12, self.sheet.bar_row
        self._ticks([(left + room * value, text) for value, text in block.ticks], top, top + row * len(block.bars))
        for place, bar in enumerate(block.bars):
            y = top + place * row
            size = typeset.fitted(bar.name, small, names - 8)
            self.text(Box(box.x, y + 0.5 * row - 0.72 * size, names - 6, size * 1.5), bar.name, Style(size))
            for value, colour, part in ((bar.before, BEFORE, 0.16), (bar.after, AFTER, 0.52)):
                if value is not None:
                    self.rect(Box(left, y + part * row, max(room * value, 0.6), 0.32 * row), colour)

    def table(self, box: Box, block: Table, heights: Sequence[float]) -> None:
        size, y = self.sheet.table, box.y
        for place, (cells, tall) in enumerate(zip((block.head, *block.rows), heights, strict=True)):
            x = box.x
            for cell, share, right in zip(cells, block.widths, block.right, strict=True):
                inner = Box(x + CELL_PAD, y + 0.65 * CELL_PAD, share * box.width - 2 * CELL_PAD, tall)
                style = Style(
                    size, bold=place == 0, colour=MUTED if place == 0 else INK, align="right" if right else "left"
                )
                self.text(inner, cell, style)
                x += share * box.width
            y += tall
            self.rect(Box(box.x, y - 0.4, box.width, 0.9 if place == 0 else 0.5), INK if place == 0 else GRID)

    def matrix(self, box: Box, block: Matrix, grid: MatrixGrid) -> None:
        heads = block.names if grid.with_names else block.numbers
        for place, text in enumerate(heads):
            cell = Box(box.x + grid.names + place * grid.cell, box.y, grid.cell, grid.head)
            self.text(cell, text, Style(0.9 * grid.size, colour=MUTED, align="center"))
        for i, row in enumerate(block.counts):
            y = box.y + grid.head + i * grid.row
            label = block.names[i] if grid.with_names else f"{block.numbers[i]} {block.names[i]}"
            size = typeset.fitted(label, grid.size, grid.names - 8, least=0.6)
            self.text(Box(box.x, y + 0.5 * grid.row - 0.72 * size, grid.names, size * 1.5), label, Style(size))
            for j, count in enumerate(row):
                fill, is_dark = heat(count / max(1, sum(row)))
                cell = Box(box.x + grid.names + j * grid.cell, y, grid.cell, grid.row)
                self.rect(cell, fill, PAPER)
                if i == j:
                    self.rect(cell.inner(0.8), None, INK)
                if block.cells[i][j]:
                    place_ = cell.at(y=y + 0.5 * grid.row - 0.72 * grid.size, height=grid.size * 1.5)
                    self.text(place_, block.cells[i][j], Style(grid.size, True, PAPER if is_dark else INK, "center"))

    def _ticks(self, ticks: Sequence[tuple[float, str]], top: float, bottom: float) -> None:
        small = self.sheet.small
        for place, (x, text) in enumerate(ticks):
            self.rect(Box(x - 0.25, top, 0.5, bottom - top), GRID)
            width = 90.0
            align: tuple[float, str] = (x - width / 2, "center")
            if place == len(ticks) - 1:
                align = (x - width, "right")
            elif place == 0:
                align = (x, "left")
            style = Style(small, colour=MUTED, align=align[1])  # type: ignore[arg-type]
            self.text(Box(align[0], bottom + 2, width, small * 1.6), text, style)

    def _whisker(self, low: float, high: float, y: float, half: float) -> None:
        self.rect(Box(low, y - 0.7, max(high - low, 0.5), 1.4), INK)
        for x in (low, high):
            self.rect(Box(x - 0.7, y - half, 1.4, 2 * half), INK)

    def _up(self, y: float) -> float:
        """reportlab counts from below."""
        return A4.height - y
