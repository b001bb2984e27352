"""Where it looked, in a real browser: a press, the worker's maps, in both languages, and a photo of one's own choice."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from prolip_core.storage import Database
from tests.e2e.conftest import PATIENCE_MS, Tab
from tests.e2e.test_the_way import NewTab
from tests.pages.conftest import add_photos, make_project


def _pictures_are_drawn(tab: Tab, count: int) -> None:
    """So many pictures, and none of them is broken."""
    pictures = tab.page.locator("[data-testid=stImage] img")
    expect(pictures).to_have_count(count, timeout=PATIENCE_MS)
    for picture in pictures.all():
        picture.scroll_into_view_if_needed()
        expect(picture).to_have_js_property("complete", True)
        assert picture.evaluate("one => one.naturalWidth") > 0


@pytest.mark.parametrize(
    ("locale", "words"),
    [
        ("en-US", ("Where did it look?", "Can the maps be trusted?", "Answer:", "Covering the marked fifth")),
        ("ja-JP", ("どこを見た？", "この図は信頼できますか？", "答え：", "印を付けた5分の1を隠すと")),
    ],
)
def test_maps_of_test_photos_and_of_a_chosen_one(
    new_tab: NewTab, db: Database, locale: str, words: tuple[str, ...]
) -> None:
    project = make_project(db, "Looked at", ("Bolt", "Nut"))
    add_photos(db, project, 3)
    add_photos(db, project, 1, "test")
    tab = new_tab(locale)
    tab.open(f"/evidence?project={project.id}&view=where-it-looks")
    tab.click("compute_look")
    for one in words:
        tab.see(one)
    tab.settle()
    _pictures_are_drawn(tab, 2 * 3 + 1)
    tab.click("compute_look_photo")
    expect(tab.page.locator("[data-testid=stImage] img")).to_have_count(3 * 3 + 1, timeout=PATIENCE_MS)
    tab.settle()
    _pictures_are_drawn(tab, 3 * 3 + 1)
