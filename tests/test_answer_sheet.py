"""Answers as files: what Excel and a CSV reader find in them."""

from __future__ import annotations

import csv
import io

import openpyxl
import pytest
from PIL import Image

from prolip_core import answer_sheet
from prolip_core.answer_sheet import Row, Sheet

HEADER = ("Photo", "File", "Answer", "How sure")
HOSTILE = ("=1+1", "+A1", "@x", "-2", "http://example.com", "<b>x</b>", "ナット.jpg", "1234", "x" * 300)


def webp(colour: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (160, 120), colour).save(buffer, "WEBP")
    return buffer.getvalue()


def sheet_of(*names: str, thumbnail: bytes | None = None) -> Sheet:
    return Sheet("Answers", HEADER, tuple(Row(name, (name, 0.125), thumbnail) for name in names))


def test_excel_has_the_words_as_text_the_shares_as_numbers_and_the_pictures() -> None:
    sheet = sheet_of(*HOSTILE, thumbnail=webp("red"))
    page = openpyxl.load_workbook(io.BytesIO(answer_sheet.as_excel(sheet))).active
    assert page is not None and page.title == "Answers"
    assert [cell.value for cell in page[1]] == list(HEADER)
    for number, name in enumerate(HOSTILE, start=2):
        for cell in page[number][1:3]:
            assert (cell.value, cell.data_type, cell.hyperlink) == (name, "s", None)
        assert page.cell(number, 4).value == 0.125
        assert page.cell(number, 4).number_format == "0.0%"
    assert len(page._images) == len(HOSTILE)
    assert page._images[0].anchor._from.row == 1


def test_csv_is_safe_and_says_the_same() -> None:
    data = answer_sheet.as_csv(sheet_of(*HOSTILE))
    assert data.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"))))
    assert rows[0] == list(HEADER[1:])
    assert [row[2] for row in rows[1:]] == ["0.1250"] * len(HOSTILE)
    assert rows[1][0] == "'=1+1"
    assert all(not row[0].startswith(("=", "+", "@", "-")) for row in rows[1:])


@pytest.mark.parametrize("count", [0, 1])
def test_without_rows_or_pictures_it_is_still_a_workbook(count: int) -> None:
    book = openpyxl.load_workbook(io.BytesIO(answer_sheet.as_excel(sheet_of(*["a.jpg"] * count))))
    assert book.active is not None
    assert book.active.max_row == 1 + count
