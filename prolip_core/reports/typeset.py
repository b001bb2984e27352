"""How wide a text is and where its lines break, with the font that the PDF carries: Noto Sans JP (OFL, see fonts/OFL.txt)."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont

FONTS = Path(__file__).parent / "fonts"
REGULAR, BOLD = "NotoSansJP-Regular", "NotoSansJP-Bold"
MARK = "〓"
"""Stands for a character that the font lacks, as Japanese printers have it."""

LEADING = 1.45
"""Height of a line, in sizes of its letters."""

_NOT_FIRST = frozenset("、。，．,.:;：；!?！？)）]］}｝」』】〉》〕’”…‥ー々ぁぃぅぇぉっゃゅょァィゥェォッャュョ%％°・")
_NOT_LAST = frozenset("−(（[［{｛「『【〈《〔‘“¥$€")
_INVISIBLE = re.compile(r"[\u200b-\u200f\u2060\ufe00-\ufe0f\u061c\u00ad]")


@functools.cache
def ready() -> None:
    """Makes the two fonts known to reportlab, once."""
    for name in (REGULAR, BOLD):
        pdfmetrics.registerFont(TTFont(name, str(FONTS / f"{name}.ttf")))


@functools.cache
def _known() -> frozenset[int]:
    ready()
    return frozenset(pdfmetrics.getFont(REGULAR).face.charToGlyph)


def printable(text: str) -> str:
    """The text as the font can show it: what it lacks becomes MARK, at most three in a row; what is never seen goes."""
    ready()
    plain = _INVISIBLE.sub("", unicodedata.normalize("NFC", text))
    shown = "".join(one if ord(one) in _known() else "" if unicodedata.combining(one) else MARK for one in plain)
    return re.sub(f"{MARK}{{4,}}", MARK * 3, shown)


def missing(text: str) -> set[str]:
    """The characters of the text that the font lacks."""
    plain = _INVISIBLE.sub("", unicodedata.normalize("NFC", text))
    return {one for one in plain if ord(one) not in _known()}


def width(text: str, size: float, *, bold: bool = False) -> float:
    """In points; characters that the font lacks count as wide as a Japanese one."""
    ready()
    return float(pdfmetrics.stringWidth(printable(text), BOLD if bold else REGULAR, size))


@functools.lru_cache(maxsize=20_000)
def lines(text: str, size: float, room: float, bold: bool = False) -> tuple[str, ...]:
    """The text in lines of at most `room` points. Latin words stay whole while they fit, Japanese breaks between characters but
    not before 。 or after （."""
    found: list[str] = []
    for paragraph in text.split("\n"):
        current = ""
        for piece in _pieces(paragraph, size, room, bold):
            if current and width((current + piece).rstrip(), size, bold=bold) > room:
                found.append(current.rstrip())
                current = piece.lstrip()
            else:
                current += piece
        found.append(current.rstrip())
    return tuple(found)


def height(text: str, size: float, room: float, *, bold: bool = False) -> float:
    return len(lines(text, size, room, bold)) * size * LEADING


def fitted(text: str, size: float, room: float, *, bold: bool = False, most: int = 1, least: float = 0.5) -> float:
    """The largest size up to `size`, not under `least` of it, at which the text takes at most `most` lines."""
    wanted = size
    while wanted > size * least and len(lines(text, wanted, room, bold)) > most:
        wanted = round(wanted * 0.94, 2)
    return wanted


def _pieces(text: str, size: float, room: float, bold: bool) -> Iterator[str]:
    """What may not be broken, in order; a piece wider than the room is broken all the same."""
    for piece in _joined(text):
        if width(piece, size, bold=bold) <= room:
            yield piece
        else:
            yield from piece


def _joined(text: str) -> list[str]:
    joined: list[str] = []
    for piece in re.findall(r"\s+|[^\s\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef〓]+|.", text):
        sticks = joined and (
            piece[0] in _NOT_FIRST or joined[-1][-1] in _NOT_LAST or (piece.isspace() and not joined[-1].isspace())
        )
        if sticks:
            joined[-1] += piece
        else:
            joined.append(piece)
    return joined
