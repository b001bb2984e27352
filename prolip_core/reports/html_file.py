"""The report as one HTML file: no script, no request to anywhere, photos inside. Every text is escaped."""

from __future__ import annotations

import base64
from html import escape
from pathlib import Path

from prolip_core.reports.content import (
    Bars,
    Block,
    Bullets,
    Cards,
    Cover,
    Matrix,
    Page,
    Photo,
    Photos,
    Ranges,
    Report,
    Split,
    Table,
    Text,
)
from prolip_core.reports.style import heat

_STYLE = Path(__file__).parent / "report.css"
SHORT_COUNT, SHORT_NAME = 7, 12
"""So many classes with names of so many characters stand above their columns by name."""

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def html(report: Report) -> bytes:
    """The report as an HTML file, UTF-8."""
    parts = [
        "<!DOCTYPE html>",
        f'<html lang="{escape(report.language)}">',
        '<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        f"<title>{escape(report.cover.title)}</title>",
        f"<style>{_STYLE.read_text(encoding='utf-8')}</style></head>",
        "<body>",
        _cover(report.cover),
        *(_page(page) for page in report.pages),
        f"<footer>{_said(report.footer)}</footer>",
        "</body></html>",
    ]
    return "\n".join(parts).encode()


def _said(text: str) -> str:
    """A text that may be of any script: it sets its own direction and turns nothing around it."""
    return f"<bdi>{escape(text)}</bdi>"


def _cover(cover: Cover) -> str:
    facts = "".join(f"<div><dt>{_said(label)}</dt><dd>{_said(value)}</dd></div>" for label, value in cover.facts)
    by = f'<p class="by">{_said(cover.by)}</p>' if cover.by else ""
    return (
        f'<header class="cover"><div class="inner"><p class="subtitle">{_said(cover.subtitle)}</p>'
        f'<h1>{_said(cover.title)}</h1><p class="lead">{_said(cover.answer)}</p>{by}<dl class="facts">{facts}</dl></div></header>'
    )


def _page(page: Page) -> str:
    blocks = "\n".join(_block(block) for block in page.blocks)
    return f'<section><p class="kicker">{_said(page.kicker)}</p>\n<h2>{_said(page.title)}</h2>\n{blocks}</section>'


def _block(block: Block) -> str:
    match block:
        case Text(text, size):
            return f'<p class="{size}">{_said(text)}</p>'
        case Bullets(items, tone, title):
            listed = "".join(f"<li>{_said(item)}</li>" for item in items)
            return f'{_title(title)}<ul class="tone-{tone}">{listed}</ul>'
        case Cards(cards):
            shown = "".join(
                f'<div class="card tone-{card.tone}"><p class="label">{_said(card.label)}</p>'
                f'<p class="figure">{_said(card.figure)}</p><p class="detail">{_said(card.detail)}</p></div>'
                for card in cards
            )
            return f'<div class="cards">{shown}</div>'
        case Ranges():
            return _ranges(block)
        case Bars():
            return _bars(block)
        case Table():
            return _table(block)
        case Matrix():
            return _matrix(block)
        case Photos(title, photos, _):
            return f'{_title(title)}<div class="photos">{"".join(_photo(one) for one in photos)}</div>'
        case Split(left, right, share):
            columns = f"<div>{_block(left)}</div><div>{_block(right)}</div>"
            return f'<div class="split" style="--share: {100 * share:.0f}%">{columns}</div>'


def _title(title: str) -> str:
    return f"<h3>{_said(title)}</h3>" if title else ""


def _ranges(block: Ranges) -> str:
    low, high = block.ticks[0][0], block.ticks[-1][0]

    def at(value: float) -> float:
        return 100 * (value - low) / (high - low)

    rows = []
    for one in block.rows:
        start, end = sorted((at(max(low, 0.0)), at(one.value)))
        whisker = ""
        if one.low != one.high:
            whisker = f'<b style="left:{at(one.low):.2f}%;width:{max(0.2, at(one.high) - at(one.low)):.2f}%"></b>'
        rows.append(
            f'<div class="row tone-{one.tone}"><div class="words"><span class="label">{_said(one.label)}</span>'
            f'<span class="value">{_said(one.figure)} {_said(one.detail)}</span></div>'
            f'<div class="track"><i style="left:{start:.2f}%;width:{max(0.2, end - start):.2f}%"></i>{whisker}</div></div>'
        )
    return f'{_title(block.title)}<div class="ranges">{"".join(rows)}{_ticks(block.ticks)}</div>'


def _ticks(ticks: tuple[tuple[float, str], ...]) -> str:
    return '<div class="ticks">' + "".join(f"<span>{_said(text)}</span>" for _, text in ticks) + "</div>"


def _bars(block: Bars) -> str:
    legend = (
        f'<div class="legend"><span class="tone-before">{_said(block.before)}</span>'
        f'<span class="tone-after">{_said(block.after)}</span></div>'
    )
    rows = []
    for bar in block.bars:
        pair = "".join(
            f'<i class="tone-{tone}" style="width:{100 * value:.2f}%"></i>' if value is not None else ""
            for tone, value in (("before", bar.before), ("after", bar.after))
        )
        rows.append(f'<div class="bar"><span>{_said(bar.name)}</span><div class="pair">{pair}</div></div>')
    return f'{_title(block.title)}<div class="bars">{legend}{"".join(rows)}{_ticks(block.ticks)}</div>'


def _table(block: Table) -> str:
    def row(cells: tuple[str, ...], tag: str) -> str:
        styled = (' class="right"' if right else "" for right in block.right)
        return "<tr>" + "".join(f"<{tag}{s}>{_said(c)}</{tag}>" for c, s in zip(cells, styled, strict=True)) + "</tr>"

    columns = "".join(f'<col style="width:{100 * share:.0f}%">' for share in block.widths)
    body = "".join(row(cells, "td") for cells in block.rows)
    table = f"<table><colgroup>{columns}</colgroup><thead>{row(block.head, 'th')}</thead><tbody>{body}</tbody></table>"
    return f'{_title(block.title)}<div class="wide">{table}</div>'


def _matrix(block: Matrix) -> str:
    with_names = len(block.names) <= SHORT_COUNT and max(map(len, block.names)) <= SHORT_NAME
    heads = block.names if with_names else block.numbers
    head = "".join(f'<th scope="col">{_said(name)}</th>' for name in heads)
    corner = f'<th><span class="small">{_said(block.true)} ↓ · {_said(block.answer)} →</span></th>'
    rows = []
    for i, counts in enumerate(block.counts):
        cells = []
        for j, count in enumerate(counts):
            fill, is_dark = heat(count / max(1, sum(counts)))
            letters = "#ffffff" if is_dark else "#1a2230"
            mark = ' class="right-answer"' if i == j else ""
            cells.append(f'<td{mark} style="background:{fill};color:{letters}">{escape(block.cells[i][j])}</td>')
        number = "" if with_names else f"{block.numbers[i]} "
        rows.append(f'<tr><th scope="row">{number}{_said(block.names[i])}</th>{"".join(cells)}</tr>')
    table = f'<table class="matrix"><thead><tr>{corner}{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>'
    return f'{_title(block.title)}<div class="wide">{table}</div>'


def _photo(one: Photo) -> str:
    if one.jpeg is None:
        inside = _said(one.missing)
    else:
        inside = f'<img alt="" src="data:image/jpeg;base64,{base64.b64encode(one.jpeg).decode()}">'
    lines = "".join(f"<p>{_said(line)}</p>" for line in one.lines)
    tone = "good" if one.is_right else "bad"
    return f'<figure><div class="frame tone-{tone}">{inside}</div><figcaption>{lines}</figcaption></figure>'
