"""Figures as files: PNG and SVG for slides, HTML that works without internet. No browser and no network is needed."""

from __future__ import annotations

import html as html_escape
import json
from typing import Any

import plotly.graph_objects as go
import vl_convert

PNG_SCALE = 2.0
_LESS = "\ue000"
"""Stands in for "<" while the figure is built; a character of the private use area, which no font shows."""


def png(chart: Any) -> bytes:
    """An Altair chart as a PNG, at twice the size of the screen. Characters need a font of this computer that has them."""
    data: bytes = vl_convert.vegalite_to_png(_spec(chart), scale=PNG_SCALE)
    return data


def svg(chart: Any) -> bytes:
    """An Altair chart as an SVG."""
    text: str = vl_convert.vegalite_to_svg(_spec(chart))
    return text.encode()


def html(chart: Any, title: str, language: str) -> bytes:
    """A page with an Altair chart or a Plotly figure and everything that it needs inside."""
    if isinstance(chart, go.Figure):
        page: str = chart.to_html(include_plotlyjs=True, full_html=True, config={"displaylogo": False})
    else:
        # The figure stands in a script of the page: a "<" of a class name, written as such, could end that script.
        spec = {
            **json.loads(_spec(chart)),
            "usermeta": {"embedOptions": {"actions": False}},
        }  # its menu links to a website
        text = json.dumps(spec, ensure_ascii=False).replace("<", _LESS)
        page = vl_convert.vegalite_to_html(text, bundle=True).replace(_LESS, "\\u003c")
    head = f'<head><meta charset="utf-8"><title>{html_escape.escape(title)}</title>'
    return page.replace("<html>", f'<html lang="{language}">', 1).replace("<head>", head, 1).encode()


def _spec(chart: Any) -> str:
    """As a file the chart has no container around it to fill."""
    text: str = chart.to_json()
    return text.replace('"width": "container"', '"width": 640')
