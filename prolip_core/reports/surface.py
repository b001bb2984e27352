"""What a page is drawn on. Lengths are points from the upper left corner; `layout` says where things go, a surface draws them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from prolip_core.reports.content import Bars, Matrix, Ranges, Table
from prolip_core.reports.style import INK, Sheet

Align = Literal["left", "right", "center"]


@dataclass(frozen=True)
class Box:
    x: float
    y: float
    width: float
    height: float

    def inner(self, pad: float) -> Box:
        return Box(self.x + pad, self.y + pad, self.width - 2 * pad, self.height - 2 * pad)

    def at(self, **changes: float) -> Box:
        return replace(self, **changes)


@dataclass(frozen=True)
class Style:
    """Of a paragraph. `size` in points."""

    size: float
    bold: bool = False
    colour: str = INK
    align: Align = "left"


@dataclass(frozen=True)
class MatrixGrid:
    """Where the cells of a matrix are: width of the names, side and height of a cell, height of the head, size of the letters."""

    names: float
    cell: float
    row: float
    head: float
    size: float
    with_names: bool


class Surface(Protocol):
    """`sheet`: its sizes now; letters and charts become smaller where room is short."""

    sheet: Sheet

    def new_page(self) -> None: ...

    def rect(self, box: Box, fill: str | None, line: str | None = None) -> None: ...

    def text(self, box: Box, text: str, style: Style) -> None: ...

    def picture(self, box: Box, jpeg: bytes) -> None: ...

    def ranges(self, box: Box, block: Ranges) -> None: ...

    def bars(self, box: Box, block: Bars) -> None: ...

    def table(self, box: Box, block: Table, heights: Sequence[float]) -> None: ...

    def matrix(self, box: Box, block: Matrix, grid: MatrixGrid) -> None: ...
