"""How much room a block takes on a sheet, and where it may be cut."""

from __future__ import annotations

from dataclasses import replace

from prolip_core.reports import typeset
from prolip_core.reports.content import Bars, Block, Bullets, Cards, Matrix, Photos, Ranges, Split, Table, Text
from prolip_core.reports.style import Sheet
from prolip_core.reports.surface import MatrixGrid

CELL_PAD = 5.0
"""Between the letters of a table and the edge of their cell, at scale 1, left and right; above and below it is less."""

SLACK = 0.94
"""Of a width, so much is counted on: the fonts of the reader's computer may run a little wider."""

CELL_SLACK = 0.87
"""The same in a table, whose rows push everything below them down where they grow."""

AXIS = 2.2
"""Room for the texts of an axis and the words above a chart, in small letters."""


def room_of(width: float) -> float:
    return width * SLACK


def height(block: Block, width: float, sheet: Sheet) -> float:
    """Of the block in this width."""
    match block:
        case Text(text, size):
            return typeset.height(text, sheet.size(size), room_of(width))
        case Bullets():
            return _title(block.title, width, sheet) + sum(bullet_height(item, width, sheet) for item in block.items)
        case Cards(cards):
            return max((card_height(card.detail, width / len(cards), sheet) for card in cards), default=0)
        case Ranges(title, rows, _):
            return _title(title, width, sheet) + sheet.range_row * len(rows) + sheet.small * AXIS
        case Bars(title):
            return _title(title, width, sheet) + sheet.bar_row * len(block.bars) + sheet.small * 2 * AXIS
        case Table():
            return _title(block.title, width, sheet) + sum(row_heights(block, width, sheet))
        case Matrix():
            grid = matrix_grid(block, width, sheet)
            return _title(block.title, width, sheet) + sheet.small * 1.6 + grid.head + grid.row * len(block.names)
        case Photos():
            n_rows = -(-len(block.photos) // block.columns)
            return _title(block.title, width, sheet) + n_rows * photo_height(block, width, sheet)
        case Split(left, right, share):
            if not sheet.side_by_side:
                return height(left, width, sheet) + sheet.gap + height(right, width, sheet)
            first, second = split_widths(width, share, sheet)
            return max(height(left, first, sheet), height(right, second, sheet))


def cut(block: Block, width: float, room: float, sheet: Sheet) -> tuple[Block, Block] | None:
    """The part that fits into the room and the rest; None where nothing of it fits, or it may not be cut."""
    match block:
        case Bullets(items):
            fits = _fitting(
                [bullet_height(one, width, sheet) for one in items], room - _title(block.title, width, sheet)
            )
            if 0 < fits < len(items):
                return replace(block, items=items[:fits]), replace(block, items=items[fits:])
        case Table(_, rows):
            head, *heights = row_heights(block, width, sheet)
            fits = _fitting(heights, room - _title(block.title, width, sheet) - head)
            if 0 < fits < len(rows):
                return replace(block, rows=rows[:fits]), replace(block, rows=rows[fits:])
        case Photos(_, photos, columns):
            each = photo_height(block, width, sheet)
            fits = int((room - _title(block.title, width, sheet)) // each) * columns
            if 0 < fits < len(photos):
                return replace(block, photos=photos[:fits]), replace(block, photos=photos[fits:])
        case Split(left, right, share):
            first, second = split_widths(width, share, sheet) if sheet.side_by_side else (width, width)
            for side, one, own in (("left", left, first), ("right", right, second)):
                halves = cut(one, own, room, sheet) if height(one, own, sheet) > room else None
                if halves is not None:
                    other = right if side == "left" else left
                    whole = (halves[0], other) if side == "left" else (other, halves[0])
                    return Split(whole[0], whole[1], share), halves[1]
    return None


def split_widths(width: float, share: float, sheet: Sheet) -> tuple[float, float]:
    """Of the two halves, with more than the usual gap between them."""
    inner = width - 1.6 * sheet.gap
    return inner * share, inner * (1 - share)


def bullet_height(item: str, width: float, sheet: Sheet) -> float:
    size = sheet.body
    return typeset.height(item, size, room_of(width - 1.2 * size)) + 0.5 * size


def card_height(detail: str, width: float, sheet: Sheet) -> float:
    inner = room_of(width - 2.2 * sheet.gap)
    return max(
        sheet.card_height, sheet.small * 3.2 + sheet.figure * 1.3 + typeset.height(detail, sheet.small, inner) + 14
    )


def row_heights(block: Table, width: float, sheet: Sheet) -> list[float]:
    """Of the head and of every row."""
    size = sheet.table
    widths = [max(10.0, CELL_SLACK * (share * width - 2 * CELL_PAD)) for share in block.widths]

    def of_row(cells: tuple[str, ...], bold: bool) -> float:
        lines = [len(typeset.lines(cell, size, own, bold)) for cell, own in zip(cells, widths, strict=True)]
        return max(lines) * size * typeset.LEADING + 1.3 * CELL_PAD

    return [of_row(block.head, True), *(of_row(row, False) for row in block.rows)]


def matrix_grid(block: Matrix, width: float, sheet: Sheet) -> MatrixGrid:
    """Cells as large as the room allows, wider than high where names would fit above them."""
    count = len(block.names)
    row = max(12.0, min(sheet.matrix / (count + 1), sheet.body * 2.6))
    size = max(6.0, min(sheet.table, row * 0.5))
    names = min(0.34 * width, max(typeset.width(f"{block.numbers[-1]} {one}", size) for one in block.names) + 14)
    cell = min((width - names) / count, row * 2.2)
    widest = max(
        typeset.width(word, size * 0.9) for name in block.names for word in typeset.lines(name, size * 0.9, 1e9)
    )
    with_names = widest <= cell * SLACK - 4
    return MatrixGrid(names, cell, row, size * 2.0, size, with_names)


def photo_height(block: Photos, width: float, sheet: Sheet) -> float:
    inner = room_of(width / block.columns - sheet.gap)
    words = max(sum(typeset.height(line, sheet.small, inner) for line in one.lines) for one in block.photos)
    return sheet.photo + words + 0.9 * sheet.gap


def _title(title: str, width: float, sheet: Sheet) -> float:
    return title_height(title, width, sheet)


def title_height(title: str, width: float, sheet: Sheet) -> float:
    """Of the words above a block."""
    return typeset.height(title, sheet.small * 1.08, room_of(width), bold=True) + 0.45 * sheet.small if title else 0.0


def _fitting(heights: list[float], room: float) -> int:
    """How many of these fit, one below the other."""
    used, fits = 0.0, 0
    for one in heights:
        used += one
        if used > room:
            break
        fits += 1
    return fits
