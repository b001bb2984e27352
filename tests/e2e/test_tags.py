"""Tags in a real browser: set by hand, filled in in a table, looked at as groups of a result."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from prolip_core import storage
from prolip_core.storage import Database
from prolip_core.storage.records import Project
from tests.e2e.conftest import Tab
from tests.pages.conftest import add_photos, make_project
from tests.pages.test_compare import add_run

NewTab = Callable[..., Tab]


@pytest.fixture
def project(db: Database) -> Project:
    """Two classes with 20 test photos each, without tags, and a run that was right on the first ten of each; made once."""
    found = next((one.project for one in storage.projects.cards(db) if one.project.name == "Tags"), None)
    if found is None:
        found = make_project(db, "Tags", ("Nut", "Bolt"))
        add_photos(db, found, 20, "test")
        add_run(db, found, [0] * 40, [n // 20 if n % 20 < 10 else 1 - n // 20 for n in range(40)])
    for name in ("line", "camera"):
        storage.photos.remove_tag(db, [photo.id for photo in storage.photos.list_(db, found.id)], name)
    return found


@pytest.mark.parametrize(
    ("locale", "new", "value", "set_", "table", "used", "gap"),
    [
        (
            "en-US",
            "… or a new tag",
            "Its value",
            "Set the tag",
            "Tags from a table (CSV)",
            "40 lines were used.",
            "There is a gap: “new” was right more often than “old”, by 100 points",
        ),
        (
            "ja-JP",
            "…または新しいタグ",
            "タグの値",
            "タグを付ける",
            "表からタグを付ける（CSV）",
            "40 行を使いました。",
            "「new」は「old」より正解率が 100 ポイント高く",
        ),
    ],
)
def test_from_a_tick_and_a_table_to_the_gap_between_groups(
    db: Database,
    project: Project,
    new_tab: NewTab,
    tmp_path: Path,
    locale: str,
    new: str,
    value: str,
    set_: str,
    table: str,
    used: str,
    gap: str,
) -> None:
    photos = storage.photos.list_(db, project.id)
    tab = new_tab(locale)
    tab.open(f"/photos?project={project.id}")
    boxes = tab.page.locator(".photo .tick")
    boxes.nth(0).click()
    boxes.nth(2).click()
    tab.page.get_by_role("textbox", name=new).fill("line")
    tab.page.get_by_role("textbox", name=value).fill("A")
    tab.page.get_by_role("button", name=set_).click()
    expect(tab.page.locator(".photo .word", has_text="line: A")).to_have_count(2)
    assert [dict(photo.tags) for photo in storage.photos.list_(db, project.id)][:3] == [
        {"line": "A"},
        {},
        {"line": "A"},
    ]

    rows = [f"{photo.record.filename},{'new' if n % 20 < 10 else 'old'}" for n, photo in enumerate(photos)]
    file = tmp_path / "tags.csv"
    file.write_text("\n".join(["file,camera", *rows]), encoding="utf-8")
    tab.page.get_by_text(table).click()
    tab.page.locator("[class*=st-key-tag_table_] input[type=file]").set_input_files(file)
    tab.see(used)
    assert {dict(photo.tags)["camera"] for photo in storage.photos.list_(db, project.id)} == {"new", "old"}

    tab.open(f"/evidence?project={project.id}&view=fair")
    tab.see(gap)
    expect(
        tab.page.locator("[data-testid=stVegaLiteChart] canvas, [data-testid=stVegaLiteChart] svg").first
    ).to_be_visible()
    tab.page.locator("[data-testid=stDataFrame]").first.wait_for()
