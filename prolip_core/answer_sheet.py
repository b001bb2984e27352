"""Answers about tried photos as a table for a spreadsheet: CSV, and Excel with small pictures."""

from __future__ import annotations

import io
from dataclasses import dataclass

import xlsxwriter

from prolip_core import csv_text, images

PICTURE_PX = 72
"""The longer side of a picture in the sheet."""

_ROW_PX = PICTURE_PX + 4
_WIDTHS = (12, 34, 22, 12, 26, 22, 12, 22, 12)
"""Of the columns, in characters; the first one holds the pictures."""


@dataclass(frozen=True)
class Row:
    """One photo: the name of its file, and what the other columns hold, words or fractions; `thumbnail`: WebP, or nothing."""

    filename: str
    cells: tuple[str | float, ...]
    thumbnail: bytes | None = None


@dataclass(frozen=True)
class Sheet:
    """header: of the picture, of the file's name, and of every cell of a row, in that order."""

    title: str
    header: tuple[str, ...]
    rows: tuple[Row, ...]


def as_csv(sheet: Sheet) -> bytes:
    """Without pictures; fractions with four digits."""
    return csv_text.table(
        sheet.header[1:],
        [[row.filename, *(f"{one:.4f}" if isinstance(one, float) else one for one in row.cells)] for row in sheet.rows],
    )


def as_excel(sheet: Sheet) -> bytes:
    """A workbook with one sheet. What a person has written (names of files and classes) is text, never a formula or a link;
    shares are numbers shown as per cent."""
    buffer = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(buffer, options) as book:
        page = book.add_worksheet(sheet.title[:31])
        bold = book.add_format({"bold": True, "text_wrap": True, "valign": "vcenter", "bottom": 1})
        words = book.add_format({"text_wrap": True, "valign": "vcenter"})
        share = book.add_format({"num_format": "0.0%", "valign": "vcenter"})
        for column, name in enumerate(sheet.header):
            page.write_string(0, column, name, bold)
            page.set_column(column, column, _WIDTHS[min(column, len(_WIDTHS) - 1)])
        for number, row in enumerate(sheet.rows, start=1):
            page.set_row_pixels(number, _ROW_PX)
            _picture(page, number, row)
            for column, value in enumerate((row.filename, *row.cells), start=1):
                if isinstance(value, float):
                    page.write_number(number, column, value, share)
                else:
                    page.write_string(number, column, value, words)
        page.freeze_panes(1, 0)
        page.autofilter(0, 1, max(1, len(sheet.rows)), len(sheet.header) - 1)
    return buffer.getvalue()


def _picture(page: xlsxwriter.worksheet.Worksheet, number: int, row: Row) -> None:
    """A spreadsheet takes no WebP."""
    if row.thumbnail is None:
        return
    image = images.decode(row.thumbnail, row.filename)
    image.thumbnail((PICTURE_PX, PICTURE_PX))
    png = io.BytesIO()
    image.save(png, "PNG")
    png.seek(0)
    page.insert_image(
        number, 0, f"{number}.png", {"image_data": png, "x_offset": 2, "y_offset": 2, "object_position": 1}
    )
