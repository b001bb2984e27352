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
from prolip_core.studies.condition_words import TRANSFER
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
            "2つ目のテスト用写真",
            "丸印は崩れるところ",
            "次の種類の写真がありません：Gear",
            "2つ目のテスト用写真は 2 枚です。",
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

    _choose(tab, second)
    archive = tmp_path / "other.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for folder, number in (("nut", 900), ("bolt", 901)):
            file.writestr(f"{folder}/{number}.jpg", image_factory.encode(fakes.tinted(folder, number), "JPEG"))
    tab.page.locator("[data-testid=stFileUploader] input[type=file]").first.set_input_files(archive)
    tab.see(missing)
    assert kept in " ".join(tab.words().split())
    picture(tab, f"second-{locale[:2]}")
    assert storage.photos.list_(db, project.id) == before


@pytest.mark.parametrize(
    ("locale", "transfer", "step", "tried", "none", "cost"),
    [
        (
            "en-US",
            "Another project's training",
            "One step per photo",
            "Tried: Animals en-US · ",
            "It was trained on none of these classes.",
            "Time per photo on this computer:",
        ),
        (
            "ja-JP",
            "別のプロジェクトの学習結果",
            "写真ごとの 1 ステップ",
            "試したもの：Animals ja-JP · ",
            "ここにある種類は、どれも学習していません。",
            "このコンピューターでの 1 枚あたりの時間：",
        ),
    ],
)
def test_the_training_of_another_project_and_one_step_per_photo(
    db: Database,
    new_tab: Callable[..., Tab],
    locale: str,
    transfer: str,
    step: str,
    tried: str,
    none: str,
    cost: str,
) -> None:
    other = make_project(db, f"Animals {locale}", ("Cat", "Dog"))
    add_photos(db, other, 2)
    add_photos(db, other, 1, "test")
    project = make_project(db, f"Carried {locale}", NAMES)
    add_photos(db, project, 3)
    add_photos(db, project, 2, "test")
    tab = new_tab(locale)
    job = storage.jobs.enqueue(db, other.id, "train", {"spec": {**other.spec}})
    while (found := storage.jobs.get(db, job.id)) is not None and found.is_live:
        tab.page.wait_for_timeout(200)
    tab.open(f"/evidence?project={project.id}&view=conditions")
    _choose(tab, transfer)
    tab.click("compute_transfer")
    tab.see(tried)
    tab.see(none)
    expect(tab.page.get_by_test_id("stDataFrame")).to_have_count(2)
    picture(tab, f"transfer-{locale[:2]}")
    study = storage.studies.latest(db, project.id, TRANSFER)
    assert study is not None
    result = storage.studies.load(db, study.id).result
    assert result["foreign_classes"] == ["Cat", "Dog"] and result["measured_count"] == 6
    assert [one["method"] for one in result["answers"]] == ["zero_shot", "foreign", "prolip"]

    _choose(tab, step)
    tab.click("compute_test_time")
    tab.see(cost)
    picture(tab, f"step-{locale[:2]}")
    tab.page.reload()
    tab.settle()
    _choose(tab, step)
    tab.see(cost)
    assert "ProLIP" in tab.words() and tab.page.get_by_test_id("stAlertContentError").count() == 0


def _choose(tab: Tab, name: str) -> None:
    """One of the four conditions."""
    tab.page.get_by_role("radio", name=name).or_(tab.page.get_by_role("button", name=name)).first.click()
    tab.settle()
