"""The part “Other camera, other day?” in a real browser, with a real worker and the real model, in both languages."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from prolip_core import storage
from prolip_core.storage import Database
from tests import fakes, image_factory
from tests.e2e.conftest import PATIENCE_MS, Tab
from tests.pages.conftest import add_photos, make_project

NAMES = ("Nut", "Bolt", "Gear")
PICTURES = os.environ.get("PROLIP_PICTURES")
"""A folder: every step leaves a picture there."""


def picture(tab: Tab, name: str) -> None:
    if PICTURES:
        tab.page.wait_for_timeout(1500)
        tab.page.screenshot(path=Path(PICTURES) / f"{name}.png", full_page=True)


@pytest.mark.parametrize(
    ("locale", "second", "ring", "missing", "kept"),
    [
        (
            "en-US",
            "A second test set",
            "A ring marks where it breaks",
            "no photo of: Gear",
            "The second set has 2 photos.",
        ),
        (
            "ja-JP",
            "2 つ目のテスト用写真",
            "丸印は崩れるところ",
            "次の種類の写真がありません：Gear",
            "2 つ目のテスト用写真は 2 枚です。",
        ),
    ],
)
def test_worse_photos_and_a_second_set(
    db: Database,
    new_tab: Callable[..., Tab],
    tmp_path: Path,
    locale: str,
    second: str,
    ring: str,
    missing: str,
    kept: str,
) -> None:
    project = make_project(db, f"Parts {locale}", NAMES)
    add_photos(db, project, 3)
    add_photos(db, project, 2, "test")
    before = storage.photos.list_(db, project.id)
    tab = new_tab(locale)
    tab.open(f"/evidence?project={project.id}&view=conditions")
    tab.click("compute_stress")
    tab.see(ring)
    expect(tab.page.locator("[data-testid=stVegaLiteChart]")).to_have_count(8, timeout=PATIENCE_MS)
    picture(tab, f"stress-{locale[:2]}")

    tab.page.get_by_role("radio", name=second).or_(tab.page.get_by_role("button", name=second)).first.click()
    tab.settle()
    archive = tmp_path / "other.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for folder, number in (("nut", 900), ("bolt", 901)):
            file.writestr(f"{folder}/{number}.jpg", image_factory.encode(fakes.tinted(folder, number), "JPEG"))
    tab.page.locator("[data-testid=stFileUploader] input[type=file]").first.set_input_files(archive)
    tab.see(missing)
    assert kept in " ".join(tab.words().split())
    picture(tab, f"second-{locale[:2]}")
    assert storage.photos.list_(db, project.id) == before
