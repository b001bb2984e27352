"""The page of the evidence in a real browser and with a real worker: every part, Stop, reload, stale mark."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from prolip_core import spec, storage
from prolip_core.content_store import ContentStore, ThumbnailStore
from prolip_core.spec import PilotSpec
from prolip_core.storage import Database
from prolip_core.storage.records import ClassRow, Project, Role
from prolip_core.studies.names import QUICK
from prolip_core.uploads import UploadFile, check
from tests import fakes, image_factory
from tests.e2e.conftest import PATIENCE_MS, Server, Tab

NewTab = Callable[..., Tab]
NAMES = ("bolt", "nut", "washer", "gear")
PARTS = ("more-photos", "compared", "not-sure", "new-class")


@pytest.fixture
def project(db: Database, server: Server, tmp_path: Path) -> Project:
    """Four classes of four photos to learn from and two to test on; made once per server."""
    found = next((one.project for one in storage.projects.cards(db) if one.project.name == "Evidence"), None)
    if found is not None:
        return found
    made = storage.projects.create(db, "Evidence", spec.as_dict(PilotSpec()))
    folder = fakes.write_photos(tmp_path, {name: range(6) for name in NAMES})
    stores = ContentStore(server.home / "photos"), ThumbnailStore(server.home / "thumbnails")
    for row in storage.classes.save(db, made.id, [ClassRow(None, name, (name,)) for name in NAMES]):
        assert row.id is not None
        files = [UploadFile(path.name, path.read_bytes()) for path in sorted((folder / row.display_name).iterdir())]
        photos = [one.photo.photo for one in check(files, *stores) if one.photo is not None]
        roles: tuple[tuple[Role, int, int], ...] = (("train", 0, 4), ("test", 4, 6))
        for role, first, last in roles:
            storage.photos.add(db, made.id, row.id, role, photos[first:last])
    return made


def page_of(new_tab: NewTab, project: Project, part: str = PARTS[0], language: str = "en-US") -> Tab:
    tab = new_tab(language)
    tab.open(f"/evidence?project={project.id}&view={part}")
    return tab


def test_one_click_computes_all_and_every_part_shows_it_after_a_reload_in_both_languages(
    db: Database, project: Project, new_tab: NewTab
) -> None:
    tab = page_of(new_tab, project)
    if not storage.studies.list_(db, project.id):  # a second try finds all of it computed
        tab.click("compute_everything")
        tab.page.get_by_role("button", name="Stop").first.wait_for()
    tab.page.get_by_text("computations are up to date.").first.wait_for(timeout=6 * PATIENCE_MS)
    assert {study.kind for study in storage.studies.list_(db, project.id)} >= set(QUICK)
    for language, words in (
        ("en-US", ("With all photos", "is number", "photos, if they come", "Mean over")),
        ("ja-JP", ("全部のとき", "位で", "枚のうち", "通りの平均")),
    ):
        other = new_tab(language)  # nothing of the first tab is known here
        for part, word in zip(PARTS, words, strict=True):
            other.open(f"/evidence?project={project.id}&view={part}")
            if part == "more-photos":
                other.page.locator("[data-testid=stExpander] summary").first.click()
                expect(other.page.get_by_test_id("stDataFrame").first).to_be_visible()
            else:
                other.see(word)
            if part != "new-class":
                expect(other.page.locator(".vega-embed canvas, .vega-embed svg").first).to_be_visible()
            assert other.page.get_by_test_id("stAlertContentError").count() == 0


def test_the_chosen_part_stands_in_the_address(project: Project, new_tab: NewTab) -> None:
    tab = page_of(new_tab, project)
    tab.page.get_by_text("When is it not sure?").first.click()
    tab.page.wait_for_url("**view=not-sure**")
    tab.page.reload()
    tab.see("How much can it decide alone")


def test_stop_ends_it_at_once(db: Database, project: Project, new_tab: NewTab) -> None:
    tab = page_of(new_tab, project, "compared")
    tab.page.locator("[data-testid=stExpander] summary").first.click()
    tab.page.get_by_text(re.compile("^The slow methods too")).click()
    tab.settle()
    tab.click("compute_methods")
    tab.page.get_by_role("button", name="Stop").click()
    expect(tab.page.locator(".st-key-compute_methods button")).to_be_enabled()
    (job,) = [one for one in [storage.jobs.latest_study(db, project.id, "methods")] if one is not None]
    assert job.state in ("stopped", "done")
    assert job.stop_requests == 1


def test_photos_of_something_else_and_the_slider(
    db: Database, project: Project, new_tab: NewTab, tmp_path: Path
) -> None:
    tab = page_of(new_tab, project, "not-sure")
    if not storage.studies.latest(db, project.id, "certainty"):
        tab.click("compute_certainty")
    tab.see("Photos of something else")
    for number in range(3):
        (tmp_path / f"cup {number}.jpg").write_bytes(image_factory.jpeg(900 + number, 320, 240))
    tab.page.locator("[data-testid=stFileUploaderDropzoneInput]").first.set_input_files(
        [tmp_path / f"cup {number}.jpg" for number in range(3)]
    )
    tab.see("3 photos of something else, at the suggested setting:")
    tab.see("turned away, to a person")
    tab.page.get_by_role("slider").first.focus()
    tab.page.keyboard.press("Home")
    expect(tab.page.get_by_role("heading", name="1,000").first).to_be_visible()  # all of them alone


def test_changed_photos_are_told_and_a_class_is_added_by_its_name(
    db: Database, project: Project, new_tab: NewTab
) -> None:
    if not storage.studies.latest(db, project.id, "curve"):
        tab = page_of(new_tab, project)
        tab.click("compute_curve")
        tab.see("were measured")
    choices = {**project.spec}
    job = storage.jobs.enqueue(db, project.id, "train", {"spec": choices})
    tab = page_of(new_tab, project, "new-class")
    while (found := storage.jobs.get(db, job.id)) is not None and found.is_live:
        tab.page.wait_for_timeout(200)
    tab = page_of(new_tab, project, "new-class")
    tab.page.get_by_label("Name of the new class").fill("spring")
    tab.page.keyboard.press("Tab")
    tab.settle()
    tab.page.get_by_role("button", name="Add it and answer again").click()
    tab.see("as class number 5")
    tab.see("Test photos of the trained classes, before:")
    storage.photos.exclude(db, [storage.photos.list_(db, project.id)[0].id])
    tab = page_of(new_tab, project)
    tab.see("were changed since this was computed")
