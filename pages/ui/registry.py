"""The pages in their guided order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from pages.ui.text import _
from prolip_core.guide import Step


@dataclass(frozen=True)
class PageSpec:
    """A page: its file, its address, the step of the guide that it is about."""

    step: Step
    file: str
    address: str


ICON = Path(__file__).parent / "icon.png"

PAGES: tuple[PageSpec, ...] = (
    PageSpec("projects", "pages/projects.py", "projects"),
    PageSpec("classes", "pages/classes.py", "classes"),
    PageSpec("photos", "pages/photos.py", "photos"),
    PageSpec("train", "pages/train.py", "train"),
    PageSpec("compare", "pages/compare.py", "compare"),
    PageSpec("evidence", "pages/evidence.py", "evidence"),
    PageSpec("try_it", "pages/try_it.py", "try_it"),
    PageSpec("report", "pages/report.py", "report"),
    PageSpec("hand_over", "pages/hand_over.py", "hand_over"),
)


def find(address: str | None) -> PageSpec | None:
    """The page of that address, None if there is none."""
    return next((page for page in PAGES if page.address == address), None)


def titles() -> Mapping[Step, str]:
    """What each page is called on the screen."""
    return {
        "projects": _("Projects"),
        "classes": _("Classes and sentences"),
        "photos": _("Photos"),
        "train": _("Fine-tune"),
        "compare": _("Compare"),
        "evidence": _("Evidence"),
        "try_it": _("Try it"),
        "report": _("Report"),
        "hand_over": _("Hand over"),
    }


def file_of(step: Step) -> str:
    return next(page.file for page in PAGES if page.step == step)


def declared() -> list[StreamlitPage]:
    """For st.navigation. The first one is the start page."""
    names = titles()
    return [
        st.Page(page.file, title=names[page.step], url_path=page.address, default=page.step == "projects")
        for page in PAGES
    ]
