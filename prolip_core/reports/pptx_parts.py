"""Pieces of a slide that python-pptx has no words for: cell borders, exact chart areas, ranges on bars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lxml import etree
from pptx.dml.color import RGBColor
from pptx.oxml.ns import qn
from pptx.util import Pt

from prolip_core.reports.style import rgb
from prolip_core.reports.surface import Style
from prolip_core.reports.typeset import LEADING

LATIN, EAST_ASIAN = "Arial", "Yu Gothic"
"""Fonts that come with every Office; another program takes its own in their place."""

NO_STYLE = "{2D5ABB26-0587-4C30-8999-92F81FD0307C}"
"""Of a table: neither stripes nor lines."""


def colour(code: str) -> Any:
    return RGBColor(*rgb(code))


def write(frame: Any, text: str, style: Style) -> None:
    """One paragraph into a text frame, without margins, in lines of an exact height: fonts differ in theirs."""
    frame.word_wrap = True
    frame.margin_left = frame.margin_right = frame.margin_top = frame.margin_bottom = 0
    paragraph = frame.paragraphs[0]
    fill(paragraph, text, style)


def fill(paragraph: Any, text: str, style: Style) -> None:
    from pptx.enum.text import PP_ALIGN

    run = paragraph.add_run()
    run.text = text
    paragraph.alignment = {"left": PP_ALIGN.LEFT, "right": PP_ALIGN.RIGHT, "center": PP_ALIGN.CENTER}[style.align]
    paragraph.line_spacing = Pt(round(style.size * LEADING * 0.97, 1))
    font(run.font, style)


def leave_empty(paragraph: Any, size: float) -> None:
    """Even without a letter a paragraph has a height; this makes it small."""
    etree.SubElement(paragraph._p, qn("a:endParaRPr"), sz=str(int(100 * size)))


def font(one: Any, style: Style) -> None:
    """Of a run, a label, an axis."""
    one.size, one.bold, one.name = Pt(round(style.size, 1)), style.bold, LATIN
    one.color.rgb = colour(style.colour)
    properties = one._element if hasattr(one, "_element") else one._rPr
    for old in properties.findall(qn("a:ea")):
        properties.remove(old)
    latin = properties.find(qn("a:latin"))
    east = etree.SubElement(properties, qn("a:ea"))
    east.set("typeface", EAST_ASIAN)
    if latin is not None:  # the schema wants latin, then ea
        latin.addnext(east)


def bare_table(table: Any) -> None:
    """No style of its own, so that what is set cell by cell is all there is."""
    properties = table._tbl.tblPr
    for flag in ("firstRow", "bandRow"):
        properties.set(flag, "0")
    style = properties.find(qn("a:tableStyleId"))
    if style is None:
        style = etree.SubElement(properties, qn("a:tableStyleId"))
    style.text = NO_STYLE


def border(cell: Any, side: str, code: str, width_pt: float) -> None:
    """`side`: L, R, T or B."""
    properties = cell._tc.get_or_add_tcPr()
    line = etree.SubElement(properties, qn(f"a:ln{side}"), w=str(int(width_pt * 12700)), cmpd="sng")
    solid = etree.SubElement(line, qn("a:solidFill"))
    etree.SubElement(solid, qn("a:srgbClr"), val=code.lstrip("#"))
    # The schema wants the lines before the fill.
    fills = [one for one in properties if one.tag in (qn("a:solidFill"), qn("a:noFill"))]
    for one in fills:
        properties.remove(one)
        properties.append(one)


def plot_area(chart: Any, left: float, top: float, width: float, height: float) -> None:
    """Exactly this part of the chart for its inner plot area; shares of the whole."""
    area = chart._chartSpace.chart.plotArea
    for old in area.findall(qn("c:layout")):
        area.remove(old)
    layout = etree.Element(qn("c:layout"))
    manual = etree.SubElement(layout, qn("c:manualLayout"))
    entries = (
        ("layoutTarget", "inner"),
        ("xMode", "edge"),
        ("yMode", "edge"),
        ("x", f"{left:.4f}"),
        ("y", f"{top:.4f}"),
        ("w", f"{width:.4f}"),
        ("h", f"{height:.4f}"),
    )
    for name, value in entries:
        etree.SubElement(manual, qn(f"c:{name}")).set("val", value)
    area.insert(0, layout)


def whiskers(series: Any, below: Sequence[float], above: Sequence[float], code: str) -> None:
    """Ranges on the bars of a series: so much below and above each value."""
    bars = etree.Element(qn("c:errBars"))
    for name, value in (("errBarType", "both"), ("errValType", "cust"), ("noEndCap", "0")):
        etree.SubElement(bars, qn(f"c:{name}")).set("val", value)
    for name, lengths in (("plus", above), ("minus", below)):
        literal = etree.SubElement(etree.SubElement(bars, qn(f"c:{name}")), qn("c:numLit"))
        etree.SubElement(literal, qn("c:formatCode")).text = "General"
        etree.SubElement(literal, qn("c:ptCount")).set("val", str(len(lengths)))
        for place, length in enumerate(lengths):
            point = etree.SubElement(literal, qn("c:pt"), idx=str(place))
            etree.SubElement(point, qn("c:v")).text = repr(float(length))
    shape = etree.SubElement(bars, qn("c:spPr"))
    line = etree.SubElement(shape, qn("a:ln"), w="19050")
    etree.SubElement(etree.SubElement(line, qn("a:solidFill")), qn("a:srgbClr"), val=code.lstrip("#"))
    # The schema wants them before the categories.
    series._element.find(qn("c:cat")).addprevious(bars)
