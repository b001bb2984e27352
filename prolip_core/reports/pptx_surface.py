"""The report as slides: text boxes, tables and charts that PowerPoint can edit. Nothing on them is a picture but the photos."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import xlsxwriter
from pptx import Presentation
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE, XL_LEGEND_POSITION, XL_TICK_LABEL_POSITION, XL_TICK_MARK
from pptx.enum.shapes import MSO_SHAPE
from pptx.enum.text import MSO_ANCHOR
from pptx.oxml.ns import qn
from pptx.util import Pt

from prolip_core.reports import blocks, layout, pptx_parts, typeset
from prolip_core.reports.content import Bars, Matrix, Ranges, Report, Table
from prolip_core.reports.pptx_parts import colour
from prolip_core.reports.sizes import CELL_PAD
from prolip_core.reports.style import AFTER, BEFORE, GRID, INK, LETTERS, MUTED, PAPER, SLIDE, TONES, Sheet, heat
from prolip_core.reports.surface import Box, MatrixGrid, Style

BLANK = 6
"""The layout of python-pptx's own template without any placeholder."""


def pptx(report: Report) -> bytes:
    """The report as a PowerPoint file."""
    surface = PptxSurface(report)
    layout.draw(report, surface)
    buffer = io.BytesIO()
    surface.save(buffer)
    return buffer.getvalue()


class PptxSurface:
    """Draws on the newest slide."""

    sheet: Sheet = SLIDE

    def __init__(self, report: Report) -> None:
        self._deck: Any = Presentation()
        self._deck.slide_width, self._deck.slide_height = Pt(SLIDE.width), Pt(SLIDE.height)
        properties = self._deck.core_properties
        properties.title, properties.author = report.cover.title, report.cover.by or "ProLIP Studio"
        properties.language, properties.subject = report.language, report.cover.subtitle
        self._shapes: Any = None

    def save(self, buffer: io.BytesIO) -> None:
        self._deck.save(buffer)

    def new_page(self) -> None:
        self._shapes = self._deck.slides.add_slide(self._deck.slide_layouts[BLANK]).shapes

    def rect(self, box: Box, fill: str | None, line: str | None = None) -> None:
        shape = self._shapes.add_shape(MSO_SHAPE.RECTANGLE, *_place(box))
        shape._element.remove(shape._element.find(qn("p:style")))  # the template's: it throws a shadow
        if fill is None:
            shape.fill.background()
        else:
            shape.fill.solid()
            shape.fill.fore_color.rgb = colour(fill)
        if line is None:
            shape.line.fill.background()
        else:
            shape.line.color.rgb = colour(line)

    def text(self, box: Box, text: str, style: Style) -> None:
        frame = self._shapes.add_textbox(*_place(box)).text_frame
        pptx_parts.write(frame, text, style)

    def picture(self, box: Box, jpeg: bytes) -> None:
        picture = self._shapes.add_picture(io.BytesIO(jpeg), 0, 0)
        factor = min(Pt(box.width) / picture.width, Pt(box.height) / picture.height)
        picture.width, picture.height = int(picture.width * factor), int(picture.height * factor)
        picture.left = Pt(box.x) + (Pt(box.width) - picture.width) // 2
        picture.top = Pt(box.y) + (Pt(box.height) - picture.height) // 2

    def ranges(self, box: Box, block: Ranges) -> None:
        """A bar chart with whiskers; the words stand above each bar."""
        data = CategoryChartData()
        data.categories = [row.label for row in block.rows]
        data.add_series(block.title, [row.value for row in block.rows])
        chart = self._chart(box, XL_CHART_TYPE.BAR_CLUSTERED, data, block.ticks)
        row = self.sheet.range_row
        pptx_parts.plot_area(chart, 0.0, 0.0, 1.0, row * len(block.rows) / box.height)
        chart.has_legend = False
        plot = chart.plots[0]
        plot.gap_width = 260
        plot.vary_by_categories = False
        chart.category_axis.tick_label_position = XL_TICK_LABEL_POSITION.NONE
        series = plot.series[0]
        series.invert_if_negative = False
        pptx_parts.whiskers(
            series, [one.value - one.low for one in block.rows], [one.high - one.value for one in block.rows], INK
        )
        for place, one in enumerate(block.rows):
            fill = series.points[place].format.fill
            fill.solid()
            fill.fore_color.rgb = colour(TONES[one.tone])
            size, both = self.sheet.body, f"{one.figure}   {one.detail}".strip()
            top = box.y + place * row
            blocks.on_paper(
                self, Box(box.x + 8, top + 2, 0.4 * box.width, size * 1.5), one.label, Style(size, bold=True)
            )
            words = Box(box.x + 0.4 * box.width, top + 2, 0.6 * box.width, size * 1.5)
            blocks.on_paper(self, words, both, Style(size, colour=LETTERS[one.tone], align="right"))

    def bars(self, box: Box, block: Bars) -> None:
        data = CategoryChartData()
        data.categories = [bar.name for bar in block.bars]
        data.add_series(block.before, [bar.before for bar in block.bars])
        data.add_series(block.after, [bar.after for bar in block.bars])
        chart = self._chart(box, XL_CHART_TYPE.BAR_CLUSTERED, data, block.ticks)
        chart.has_legend = True
        chart.legend.position, chart.legend.include_in_layout = XL_LEGEND_POSITION.TOP, False
        size = max(7.0, min(self.sheet.small, self.sheet.bar_row * 0.62))
        pptx_parts.font(chart.legend.font, Style(self.sheet.small))
        pptx_parts.font(chart.category_axis.tick_labels.font, Style(size))
        plot = chart.plots[0]
        plot.gap_width, plot.overlap = 60, 0
        for series, tone in zip(plot.series, (BEFORE, AFTER), strict=True):
            series.format.fill.solid()
            series.format.fill.fore_color.rgb = colour(tone)
        names = 0.33
        pptx_parts.plot_area(
            chart, names, self.sheet.small * 2 / box.height, 0.97 - names, 1 - self.sheet.small * 4.4 / box.height
        )

    def table(self, box: Box, block: Table, heights: Sequence[float]) -> None:
        rows = (block.head, *block.rows)
        table = self._table(box, len(rows), [share * box.width for share in block.widths], heights)
        size = self.sheet.table
        for place, cells in enumerate(rows):
            for column, text in enumerate(cells):
                cell = table.cell(place, column)
                is_head = place == 0
                style = Style(
                    size,
                    bold=is_head,
                    colour=MUTED if is_head else INK,
                    align="right" if block.right[column] else "left",
                )
                _cell(cell, text, style)
                cell.margin_left = cell.margin_right = Pt(CELL_PAD)
                pptx_parts.border(cell, "B", INK if is_head else GRID, 1.0 if is_head else 0.75)

    def matrix(self, box: Box, block: Matrix, grid: MatrixGrid) -> None:
        count = len(block.names)
        heights = [grid.head, *[grid.row] * count]
        table = self._table(box, count + 1, [grid.names, *[grid.cell] * count], heights)
        heads = block.names if grid.with_names else block.numbers
        for place, text in enumerate(("", *heads)):
            _cell(table.cell(0, place), text, Style(0.9 * grid.size, colour=MUTED, align="center"))
        for i, row in enumerate(block.counts):
            label = block.names[i] if grid.with_names else f"{block.numbers[i]} {block.names[i]}"
            _cell(table.cell(i + 1, 0), label, Style(typeset.fitted(label, grid.size, grid.names - 10, least=0.6)))
            for j, value in enumerate(row):
                fill, is_dark = heat(value / max(1, sum(row)))
                cell = table.cell(i + 1, j + 1)
                style = Style(grid.size, True, PAPER if is_dark else INK, "center")
                _cell(cell, block.cells[i][j], style)
                cell.fill.solid()
                cell.fill.fore_color.rgb = colour(fill)
                # Two cells share each line: those around the diagonal are dark on both sides.
                framed = {"L": (i, i + 1), "R": (i, i - 1), "T": (i, i - 1), "B": (i, i + 1)}
                for side, places in framed.items():
                    dark = j in places
                    pptx_parts.border(cell, side, INK if dark else PAPER, 1.25 if dark else 1.0)

    def _table(self, box: Box, n_rows: int, widths: Sequence[float], heights: Sequence[float]) -> Any:
        table = self._shapes.add_table(n_rows, len(widths), *_place(box)).table
        pptx_parts.bare_table(table)
        for column, width in zip(table.columns, widths, strict=True):
            column.width = Pt(width)
        for row, tall in zip(table.rows, heights, strict=True):
            row.height = Pt(tall)
        return table

    def _chart(self, box: Box, kind: Any, data: Any, ticks: Sequence[tuple[float, str]]) -> Any:
        """Categories from the top down; the axis of values below, with its own texts in place of Excel's numbers."""
        chart = self._shapes.add_chart(kind, *_place(box), data).chart
        chart.part.chart_workbook.update_from_xlsx_blob(_workbook(data))
        pptx_parts.font(chart.font, Style(self.sheet.small))
        chart.has_title = False
        values, categories = chart.value_axis, chart.category_axis
        categories.reverse_order = True
        categories.major_tick_mark = XL_TICK_MARK.NONE
        categories.format.line.color.rgb = colour(MUTED)
        values.minimum_scale, values.maximum_scale = ticks[0][0], ticks[-1][0]
        values.major_unit = ticks[1][0] - ticks[0][0]
        values.major_gridlines.format.line.color.rgb = colour(GRID)
        values.format.line.fill.background()
        values.major_tick_mark = XL_TICK_MARK.NONE
        values.tick_label_position = XL_TICK_LABEL_POSITION.HIGH  # the order is reversed: that is below
        pptx_parts.font(values.tick_labels.font, Style(self.sheet.small, colour=MUTED))
        values.tick_labels.number_format, values.tick_labels.number_format_is_linked = _format(ticks), False
        return chart


def _workbook(data: Any) -> bytes:
    """What opens under "Edit data", in python-pptx's own places; there a name of a class would become a formula or a link."""
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"in_memory": True}) as book:
        page = book.add_worksheet()
        for row, category in enumerate(data.categories, start=1):
            page.write_string(row, 0, category.label)
        for column, series in enumerate(data, start=1):
            page.write_string(0, column, series.name)
            for row, value in enumerate(series.values, start=1):
                if value is not None:
                    page.write_number(row, column, value)
    return buffer.getvalue()


def _format(ticks: Sequence[tuple[float, str]]) -> str:
    """A number format of Excel that writes the ticks as their texts are."""
    last = ticks[-1][1]
    if last.endswith("%"):
        return "0%"
    sign = "".join(one for one in last if not (one.isdigit() or one in '.,−"'))
    return f'"{sign}"#,##0' if sign else "#,##0"


def _place(box: Box) -> tuple[Any, Any, Any, Any]:
    return Pt(box.x), Pt(box.y), Pt(max(box.width, 0.5)), Pt(max(box.height, 0.5))


def _cell(cell: Any, text: str, style: Style) -> None:
    cell.margin_left = cell.margin_right = Pt(2)
    cell.margin_top = cell.margin_bottom = 0
    cell.vertical_anchor = MSO_ANCHOR.MIDDLE
    frame = cell.text_frame
    frame.word_wrap = True
    if text:
        pptx_parts.fill(frame.paragraphs[0], text, style)
    else:
        pptx_parts.leave_empty(frame.paragraphs[0], min(style.size, 6.0))
