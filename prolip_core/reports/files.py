"""The report as a file, in the form that was asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from prolip_core.reports.content import Report
from prolip_core.reports.html_file import html


@dataclass(frozen=True)
class Form:
    """A form of the report: its type, and what writes it."""

    mime: str
    write: Callable[[Report], bytes]


def _pptx(report: Report) -> bytes:
    from prolip_core.reports.pptx_surface import pptx  # a quarter of a second that no page has to wait for

    return pptx(report)


def _pdf(report: Report) -> bytes:
    from prolip_core.reports.pdf_surface import pdf

    return pdf(report)


FORMS: Mapping[str, Form] = {
    "pptx": Form("application/vnd.openxmlformats-officedocument.presentationml.presentation", _pptx),
    "pdf": Form("application/pdf", _pdf),
    "html": Form("text/html", html),
}
"""By the ending of the file's name."""
