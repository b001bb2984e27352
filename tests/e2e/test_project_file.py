"""A project goes from one server to another as a file, in a real browser; every number of the comparison is the same there."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from prolip_core import storage
from tests.e2e.conftest import PATIENCE_MS, Server, Tab
from tests.project_file_factory import add_run, small_project

VIEWS = 5


@pytest.fixture
def second_server(tmp_path: Path) -> Iterator[Server]:
    """Another computer: its data folder is empty."""
    home = tmp_path / "second"
    home.mkdir()
    running = Server(home)
    running.start()
    yield running
    running.end()


@pytest.fixture
def errors() -> Iterator[list[str]]:
    found: list[str] = []
    yield found
    assert found == []


WORDS = """() => {
    const page = document.querySelector("[data-testid=stMainBlockContainer]").cloneNode(true);
    page.querySelectorAll("svg, style").forEach((one) => one.remove());
    return page.textContent;
}"""
"""All words but those in charts, which are asked for by themselves."""


def _numbers(tab: Tab) -> list[str]:
    """All words of the page of the comparison, view by view, and the numbers drawn in its charts."""
    found = []
    for number in range(VIEWS):
        views = tab.page.locator(".st-key-compare_view button")
        views.nth(number).click()
        tab.settle()
        found += _told_at_rest(tab)
    return found


def _told_at_rest(tab: Tab) -> list[str]:
    """What stands on the page once nothing on it changes any more: charts are drawn a moment after everything else."""
    told: list[str] = []
    for _ in range(20):
        tab.page.wait_for_timeout(700)
        before = told
        told = [str(tab.page.evaluate(WORDS))]
        told += tab.page.locator("[data-testid=stVegaLiteChart] svg text").all_text_contents()
        if told == before:
            break
    return told


@pytest.mark.parametrize("locale", ["en-US", "ja-JP"])
def test_a_project_on_another_computer_shows_the_same_numbers(
    locale: str,
    new_tab: Callable[..., Tab],
    server: Server,
    second_server: Server,
    browser: Browser,
    errors: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PROLIP_HOME", str(server.home))
    db = storage.open_database()
    project = small_project(db, "部品 <b>1</b>")
    for _ in range(2):
        add_run(db, project)
    db.close()

    tab = new_tab(locale)
    tab.open()
    tab.page.locator(f"[class*=st-key-menu_{project.id}] button").first.click()
    with tab.page.expect_download(timeout=PATIENCE_MS) as download:
        tab.click(f"save_file_{project.id}")
    assert re.fullmatch(r"部品_b_1_b\.prolip", download.value.suggested_filename)
    file = tmp_path / "project.prolip"
    download.value.save_as(file)
    tab.settle()
    tab.page.reload()  # the link is still there, and fetches nothing by itself
    tab.settle()
    with tab.page.expect_download(timeout=PATIENCE_MS) as again:
        tab.page.locator("a[download]").first.click()
    again.value.save_as(tmp_path / "again.prolip")
    assert (tmp_path / "again.prolip").read_bytes() == file.read_bytes()
    tab.open(f"/compare?project={project.id}")
    before = _numbers(tab)
    assert sum(len(re.findall(r"\d", text)) for text in before) > 100

    context = browser.new_context(locale=locale, viewport={"width": 1280, "height": 1600}, accept_downloads=True)
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    page.on("pageerror", lambda error: errors.append(str(error)))
    there = Tab(page, second_server.url)
    there.open()
    page.locator(".st-key-open_project_file summary").first.click()
    broken = tmp_path / "broken.prolip"
    broken.write_bytes(file.read_bytes()[:-200])
    page.locator(".st-key-open_project_file input[type=file]").set_input_files(broken)
    there.see("damaged or cut short" if locale == "en-US" else "途中で切れています")
    page.locator("[class*=st-key-close_file_] button").first.click()
    page.locator(".st-key-open_project_file input[type=file]").set_input_files(file)
    page.wait_for_url("**project=**", timeout=PATIENCE_MS)
    there.settle()
    there.go("compare")
    page.wait_for_timeout(1000)
    assert _numbers(there) == before
    there.go("projects")
    assert "部品" in there.words()
    context.close()
