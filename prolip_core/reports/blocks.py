"""Each kind of block drawn into its place on a sheet."""

from __future__ import annotations

from dataclasses import replace

from prolip_core.reports import sizes, typeset
from prolip_core.reports.content import (
    Bars,
    Block,
    Bullets,
    Card,
    Cards,
    Matrix,
    Photo,
    Photos,
    Ranges,
    Split,
    Table,
    Text,
)
from prolip_core.reports.style import INK, LETTERS, MUTED, PANEL, PAPER, RIGHT, TONES, WRONG
from prolip_core.reports.surface import Box, Style, Surface


def draw(block: Block, box: Box, surface: Surface) -> None:
    """The block in its box, whose height is `sizes.height`."""
    sheet = surface.sheet
    match block:
        case Text(text, size):
            colour = MUTED if size == "small" else INK
            surface.text(box, text, Style(sheet.size(size), colour=colour))
        case Bullets():
            _bullets(block, _titled(block.title, box, surface), surface)
        case Cards(cards):
            width = (box.width - (len(cards) - 1) * sheet.gap) / len(cards)
            for place, card in enumerate(cards):
                _card(card, Box(box.x + place * (width + sheet.gap), box.y, width, box.height), surface)
        case Ranges():
            surface.ranges(_titled(block.title, box, surface), block)
        case Bars():
            surface.bars(_titled(block.title, box, surface), block)
        case Table():
            inner = _titled(block.title, box, surface)
            surface.table(inner, block, sizes.row_heights(block, box.width, sheet))
        case Matrix():
            _matrix(block, _titled(block.title, box, surface), surface)
        case Photos():
            _photos(block, _titled(block.title, box, surface), surface)
        case Split():
            _split(block, box, surface)


def _titled(title: str, box: Box, surface: Surface) -> Box:
    """The words above a block; gives what is left below them."""
    sheet = surface.sheet
    tall = sizes.title_height(title, box.width, sheet)
    if title:
        surface.text(box.at(height=tall), title, Style(sheet.small * 1.08, bold=True, colour=MUTED))
    return Box(box.x, box.y + tall, box.width, box.height - tall)


def _bullets(block: Bullets, box: Box, surface: Surface) -> None:
    sheet = surface.sheet
    size = sheet.body
    y = box.y
    for item in block.items:
        tall = sizes.bullet_height(item, box.width, sheet)
        mark = 0.42 * size
        surface.rect(Box(box.x, y + 0.5 * size * typeset.LEADING - mark / 2, mark, mark), TONES[block.tone])
        surface.text(Box(box.x + 1.2 * size, y, box.width - 1.2 * size, tall - 0.5 * size), item, Style(size))
        y += tall


def _card(card: Card, box: Box, surface: Surface) -> None:
    """A large figure on a calm ground, with a stripe in its colour."""
    sheet = surface.sheet
    surface.rect(box, PANEL)
    surface.rect(box.at(width=4), TONES[card.tone])
    pad = 0.9 * sheet.gap
    inner = Box(box.x + pad + 4, box.y + 0.75 * pad, box.width - 2 * pad - 4, box.height - 1.5 * pad)
    room = sizes.room_of(inner.width)
    surface.text(inner.at(height=sheet.small * 1.6), card.label, Style(sheet.small * 1.08, bold=True, colour=MUTED))
    y = inner.y + sheet.small * 1.9
    size = typeset.fitted(card.figure, sheet.figure, room, bold=True)
    surface.text(
        Box(inner.x, y, inner.width, sheet.figure * 1.25),
        card.figure,
        Style(size, bold=True, colour=LETTERS[card.tone]),
    )
    y += sheet.figure * 1.32
    surface.text(Box(inner.x, y, inner.width, box.y + box.height - y), card.detail, Style(sheet.small, colour=MUTED))


def _matrix(block: Matrix, box: Box, surface: Surface) -> None:
    """The words of the two sides, then the cells."""
    sheet = surface.sheet
    grid = sizes.matrix_grid(block, box.width, sheet)
    words = Style(sheet.small, colour=MUTED)
    surface.text(box.at(width=grid.names, height=sheet.small * 1.6), f"{block.true} ↓", words)
    surface.text(Box(box.x + grid.names, box.y, box.width - grid.names, sheet.small * 1.6), f"{block.answer} →", words)
    top = sheet.small * 1.6
    surface.matrix(Box(box.x, box.y + top, box.width, box.height - top), block, grid)


def _photos(block: Photos, box: Box, surface: Surface) -> None:
    sheet = surface.sheet
    width, tall = box.width / block.columns, sizes.photo_height(block, box.width, sheet)
    for place, one in enumerate(block.photos):
        row, column = divmod(place, block.columns)
        _photo(one, Box(box.x + column * width, box.y + row * tall, width - sheet.gap, tall), surface)


def _photo(one: Photo, box: Box, surface: Surface) -> None:
    """The picture, a line in the colour of right or wrong, and what was answered."""
    sheet = surface.sheet
    frame = box.at(height=sheet.photo)
    surface.rect(frame, PANEL)
    if one.jpeg is None:
        surface.text(frame.inner(8), one.missing, Style(sheet.small, colour=MUTED))
    else:
        surface.picture(frame, one.jpeg)
    surface.rect(Box(box.x, box.y + sheet.photo, box.width, 3), RIGHT if one.is_right else WRONG)
    y = box.y + sheet.photo + 6
    for place, line in enumerate(one.lines):
        tall = typeset.height(line, sheet.small, sizes.room_of(box.width))
        surface.text(
            Box(box.x, y, box.width, tall),
            line,
            Style(sheet.small, bold=place == 0, colour=INK if place == 0 else MUTED),
        )
        y += tall


def _split(block: Split, box: Box, surface: Surface) -> None:
    sheet = surface.sheet
    if sheet.side_by_side:
        left, right = sizes.split_widths(box.width, block.share, sheet)
        places = (box.at(width=left), Box(box.x + box.width - right, box.y, right, box.height))
    else:
        tall = sizes.height(block.left, box.width, sheet)
        below = Box(box.x, box.y + tall + sheet.gap, box.width, box.height - tall - sheet.gap)
        places = (box.at(height=tall), below)
    for one, place in zip((block.left, block.right), places, strict=True):
        tall = sizes.height(one, place.width, sheet)
        if isinstance(one, Bars) and sheet.side_by_side:
            tall = max(tall, box.height)  # as high as the table beside it
        draw(one, place.at(height=tall), surface)


def on_paper(surface: Surface, box: Box, text: str, style: Style) -> None:
    """A line of text that hides the lines of the grid behind it."""
    size = typeset.fitted(text, style.size, sizes.room_of(box.width), bold=style.bold)
    own = min(box.width, typeset.width(text, size, bold=style.bold) / sizes.SLACK + 8)
    x = box.x + box.width - own if style.align == "right" else box.x
    surface.rect(Box(x, box.y, own, box.height), PAPER)
    surface.text(Box(x, box.y, own, box.height), text, replace(style, size=size))
