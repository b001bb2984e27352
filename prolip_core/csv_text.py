"""Tables as CSV that spreadsheets of any country open rightly, and that run nothing."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\0", "\r", "\n", "＝", "＋", "－", "＠")
"""What makes a spreadsheet run a cell (OWASP ASVS 5, requirement 1.2.10); line breaks and wide forms to be on the safe side."""


def cell(text: str) -> str:
    """User text as data: a spreadsheet would run a cell that begins like a formula."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """UTF-8 with the mark that Excel needs to see it."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow([cell(name) for name in header])
    writer.writerows([cell(value) if isinstance(value, str) else value for value in row] for row in rows)
    return buffer.getvalue().encode("utf-8-sig")


def decode(data: bytes) -> str:
    """What spreadsheets save as text: UTF-8 with or without its mark, UTF-16 with its mark ("Unicode text"), or the Japanese
    Windows code page. Raises ValueError for anything else."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16")
    if b"\0" in data:  # as in a workbook; the Japanese code page would take most of it
        raise ValueError("not a text file")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp932")


def delimiter(first_line: str) -> str:
    """Comma, semicolon or tab, as the spreadsheets of different countries write tables; whichever the first line has most of."""
    return max(",;\t", key=first_line.count)


def uncell(text: str) -> str:
    """What `cell` was given."""
    return text[1:] if text.startswith("'") and text[1:].startswith(FORMULA_STARTS) else text
