"""The report in a real browser: typed, kept over a reload, and three files that open."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from pptx import Presentation
from pypdf import PdfReader

from prolip_core import business, storage
from prolip_core.storage import Database
from prolip_core.storage.records import Project
from tests import report_cases
from tests.e2e.conftest import Tab
from tests.pages.conftest import add_photos, make_project
from tests.pages.test_report import NAMES, keep

NewTab = Callable[..., Tab]


@pytest.fixture
def project(db: Database, request: pytest.FixtureRequest) -> Project:
    """Three classes with eight test photos each, and a run."""
    made = make_project(db, "Report 報告", NAMES)
    add_photos(db, made, 8, "test")
    keep(db, made, report_cases.run(NAMES), f"run-{made.id[:8]}")
    return made


def taken(page: Page, tab: Tab, ending: str, folder: Path) -> tuple[str, bytes]:
    with page.expect_download() as started:
        tab.click(f"report_file_{ending}")
    file = folder / ending
    started.value.save_as(file)
    return started.value.suggested_filename, file.read_bytes()


def type_in(tab: Tab, key: str, value: str) -> None:
    box = tab.page.locator(f".st-key-{key} input")
    box.fill(value)
    box.press("Enter")
    tab.settle()


@pytest.mark.parametrize(
    ("locale", "answer", "effect", "words"),
    [("en-US", "The answer in the report", "A year", "The answer"), ("ja-JP", "レポートでの結論", "年間", "結論")],
)
def test_from_what_is_typed_to_three_files(
    db: Database, project: Project, new_tab: NewTab, tmp_path: Path, locale: str, answer: str, effect: str, words: str
) -> None:
    tab = new_tab(locale)
    tab.open(f"/report?project={project.id}")
    tab.see(answer)
    type_in(tab, f"report_organisation_{project.id}", "ACME <b>工業</b>")
    tab.open(f"/report?project={project.id}&view=cost")
    for name, value in (("parts_per_day", "1000"), ("check_seconds", "6"), ("minute_cost", "50"), ("wrong_cost", "40")):
        type_in(tab, f"cost_{name}_{project.id}", value)
    expect(tab.page.get_by_role("heading", name=effect).first).to_be_visible()
    expect(tab.page.locator("[data-testid=stVegaLiteChart]").first).to_be_visible()
    kept = business.from_dict(storage.report_choices.load(db, project.id, "business"))
    assert (kept.parts_per_day, kept.check_seconds, kept.minute_cost, kept.wrong_cost) == (1000, 6, 50, 40)

    tab.open(f"/report?project={project.id}&view=file")
    expect(tab.page.locator(f".st-key-report_organisation_{project.id} input")).to_have_value("ACME <b>工業</b>")
    name, slides = taken(tab.page, tab, "pptx", tmp_path)
    assert name.startswith("Report_報告_result1_report_") and name.endswith(f"_{locale[:2]}.pptx")
    shapes = [shape for slide in Presentation(io.BytesIO(slides)).slides for shape in slide.shapes]
    text = "\n".join(shape.text_frame.text for shape in shapes if shape.has_text_frame)
    assert words in text and "ACME <b>工業</b>" in text
    _, paper = taken(tab.page, tab, "pdf", tmp_path)
    assert words in PdfReader(io.BytesIO(paper)).pages[1].extract_text()
    _, html = taken(tab.page, tab, "html", tmp_path)
    assert "ACME &lt;b&gt;工業&lt;/b&gt;" in html.decode()
    assert "<b>工業" not in html.decode()
