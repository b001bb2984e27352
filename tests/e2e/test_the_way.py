"""The whole way as a person goes it, in a real browser on a real server with a real worker."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import expect

from prolip_core import config, spec, storage
from prolip_core.spec import FitConfig
from prolip_core.storage import Database
from prolip_core.storage.records import Job
from tests import image_factory
from tests.conftest import development_photos
from tests.e2e.conftest import PATIENCE_MS, STEPS, Server, Tab
from tests.pages.conftest import add_photos, make_project

NewTab = Callable[..., Tab]
ENDLESS = FitConfig("adam", "1/N", learning_rate=1e-6, epochs=100_000)


def _project_of(tab: Tab) -> str:
    found = re.search(r"project=(\w+)", tab.page.url)
    assert found is not None
    return found[1]


def _make_endless(db: Database, project_id: str) -> None:
    """The project's next training goes on until it is stopped. For a tab that has not drawn the choices yet."""
    project = storage.projects.get(db, project_id)
    assert project is not None
    choices = replace(spec.from_dict(project.spec), fit=ENDLESS)
    storage.projects.set_spec(db, project_id, spec.as_dict(choices))


def _wait_for_job(db: Database, project_id: str, until: Callable[[Job], bool]) -> Job:
    end = time.monotonic() + PATIENCE_MS / 1000
    while True:
        job = storage.jobs.latest(db, project_id)
        if job is not None and until(job):
            return job
        assert time.monotonic() < end, job
        time.sleep(0.05)


def _click_cell_and_see_its_photos(tab: Tab, db: Database, method: str, true: int, answer: int) -> int:
    """In the matrix of the newest run's "zero_shot" or "prolip"; the photos shown are those of the cell, no other. How many."""
    run = storage.runs.load(db, storage.runs.list_(db, _project_of(tab))[0].id)
    answers = {"zero_shot": run.zero_shot, "prolip": run.prolip}[method]
    in_cell = [one.image_id for one in answers if (one.label, one.predicted) == (true, answer)]
    matrix = tab.page.locator("[data-testid=stVegaLiteChart]").nth(1 if method == "zero_shot" else 2)
    matrix.locator("g.mark-rect path").nth(true * len(run.class_names) + answer).click()
    tab.settle()
    photos = tab.page.locator(".photo")
    expect(photos).to_have_count(len(in_cell), timeout=PATIENCE_MS)
    names = sorted(run.filenames[image_id] for image_id in in_cell)
    assert sorted(photo.get_attribute("title") or "" for photo in photos.all()) == names
    return len(in_cell)


@pytest.mark.parametrize("step", STEPS[1:])
def test_a_page_asked_first_on_a_fresh_server_is_never_shown_without_the_app(
    step: str, browser: object, tmp_path: Path
) -> None:
    """Streamlit would run pages/… by itself, without language, side bar and worker."""
    fresh = Server(tmp_path)
    fresh.start()
    try:
        context = browser.new_context(locale="ja-JP")  # type: ignore[attr-defined]
        tab = Tab(context.new_page(), fresh.url)
        tab.open(f"/{step}?project=unknown")
        said = tab.page.get_by_text(re.compile("このプロジェクトはもうありません|プロジェクトが開かれていません"))
        expect(said).to_have_count(1, timeout=PATIENCE_MS)
        expect(tab.page.locator("[data-testid=stSidebar] [data-testid=stPageLink]")).to_have_count(1)
        context.close()
    finally:
        fresh.end()


def test_the_sample_in_english_from_one_click_to_the_photos_of_a_cell(new_tab: NewTab, db: Database) -> None:
    tab = new_tab("en-US")
    tab.open()
    tab.see("Will a few photos be enough to recognise your products?")
    tab.click("try_sample")
    tab.see("Training finished.")
    assert "project=" in tab.page.url
    tab.click("next_compare")
    tab.see("test photos that nothing was learnt or chosen from")
    found = re.findall(r"(\d+) of 100 right", tab.words())
    assert len(found) == 2 and int(found[1]) > int(found[0])
    assert "very unlikely to be luck" in tab.words()

    count = _click_cell_and_see_its_photos(tab, db, "zero_shot", 1, 0)
    tab.see("were answered as")
    text = tab.page.get_by_text(re.compile(r"photos? of .* (was|were) answered as")).inner_text()
    assert "Nut" in text and "Bolt" in text
    assert text.startswith(f"{count} ")
    assert tab.page.locator(".photo .tick").count() == count > 0

    # A photo that is excluded right there makes the numbers stale.
    tab.page.locator(".photo .picture").first.click()
    tab.page.get_by_role("button", name="Exclude", exact=True).click()
    tab.see("were changed since this training")


def test_an_own_project_in_japanese(new_tab: NewTab, db: Database, tmp_path: Path) -> None:
    source = development_photos("clothing")
    folder = _folder_of(source, tmp_path / "服", {"dress": "ワンピース", "shoes": "靴", "hat": "帽子"}, per_class=8)
    tab = new_tab("ja-JP")
    tab.open()
    tab.see("数枚の写真で、製品を見分けられるでしょうか？")
    assert not re.search(r"\b(Browse|Upload|Drag and drop|Running)\b", tab.words())
    tab.click("make_project")
    tab.page.wait_for_url("**/classes**")

    tab.go("photos")
    with tab.page.expect_file_chooser() as chooser:
        tab.page.locator("[data-testid=stFileUploader]").nth(1).locator("button").first.click()
    chooser.value.set_files(folder)
    tab.see("枚を追加しました")
    tab.see("新しい種類")
    words = tab.words()
    assert "24 枚を追加" in words  # 23 JPEG and one HEIC, the hidden file passed over in silence
    assert "1 個のファイルは使えませんでした" in words
    refused = tab.page.locator("[data-testid=stDataFrame]").filter(has_text="broken.jpg")  # drawn, with a table to read
    expect(refused).to_contain_text("壊れているか途中で切れています", timeout=PATIENCE_MS)
    assert "Upload" not in words

    tab.page.locator(".st-key-set_aside button").scroll_into_view_if_needed()
    tab.page.locator("[data-testid=stNumberInput] input").first.fill("2")
    tab.page.keyboard.press("Tab")
    tab.settle()
    tab.click("set_aside")
    tab.see("テスト用の写真：6 枚")

    # A second person sees none of it until the project is opened.
    other = new_tab("en-US")
    other.open("/photos")
    assert "ワンピース" not in other.words()

    project_id = _project_of(tab)
    _make_endless(db, project_id)
    tab.go("train")
    tab.click("start_training")
    job = _wait_for_job(db, project_id, lambda job: job.is_live and job.n_steps > 0)
    tab.page.reload()
    tab.see("最大 100,000")
    later = _wait_for_job(db, project_id, lambda now: now.n_steps > job.n_steps)
    assert (later.id, later.is_live) == (job.id, True)  # a reload in the middle changes nothing
    tab.click(f"stop_{job.id}")
    tab.see("学習が終わりました。")
    assert _wait_for_job(db, project_id, lambda job: not job.is_live).run_id is not None
    tab.go("compare")
    tab.see("6 枚で測りました")
    assert _click_cell_and_see_its_photos(tab, db, "prolip", *_fullest_cell(db, project_id)) > 0
    assert "ワンピース" not in other.words()
    other.open(tab.page.url.removeprefix(tab.url))
    other.see("Measured on 6 test photos")


def _fullest_cell(db: Database, project_id: str) -> tuple[int, int]:
    run = storage.runs.load(db, storage.runs.list_(db, project_id)[0].id)
    cells = [(one.label, one.predicted) for one in run.prolip]
    return max(cells, key=cells.count)


def _folder_of(source: Path, target: Path, names: dict[str, str], per_class: int) -> Path:
    """A folder as a person has it: one folder per class, one HEIC photo, one broken file, what a Mac leaves behind."""
    photos = {name: sorted((source / "train" / name).glob("*.jpg"))[:per_class] for name in names}
    for english, japanese in names.items():
        (target / japanese).mkdir(parents=True)
        for number, photo in enumerate(photos[english]):
            if english == "hat" and number == 0:
                heic = image_factory.encode(Image.open(photo).convert("RGB"), "HEIC")
                (target / japanese / "IMG_0.heic").write_bytes(heic)
            else:
                (target / japanese / photo.name).write_bytes(photo.read_bytes())
        (target / japanese / ".DS_Store").write_bytes(b"x")
    (target / next(iter(names.values())) / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 broken")
    return target


def test_photos_are_ticked_over_pages_and_their_words_are_only_text(db: Database, new_tab: NewTab) -> None:
    evil = "<b>x</b><img src=http://example.com/a.png>"
    project = make_project(db, "Many", (evil, "Bolt"))
    add_photos(db, project, 15)
    tab = new_tab()
    tab.open(f"/photos?project={project.id}")
    boxes = tab.page.locator(".photo .tick")
    expect(boxes).to_have_count(24)
    expect(tab.page.locator(".photo .words").first).to_have_text(evil)
    assert tab.page.locator(".photo b").count() == 0

    boxes.nth(1).click()
    boxes.nth(3).click(modifiers=["Shift"])  # and the one between
    tab.see("Ticked: 3")
    tab.page.get_by_role("button", name="Next page").click()
    expect(boxes).to_have_count(6)
    tab.page.get_by_text("Tick all on this page").first.click()
    tab.see("Ticked: 9")
    boxes.nth(5).click()
    tab.see("Ticked: 8")
    tab.page.get_by_role("button", name="Exclude", exact=True).click()
    tab.see("Done: 8 photos.")
    photos = storage.photos.list_(db, project.id)
    assert [number for number, photo in enumerate(photos) if photo.excluded] == [1, 2, 3, 24, 25, 26, 27, 28]
    expect(tab.page.locator(".photo .tick:checked")).to_have_count(0)


def test_a_killed_server_loses_nothing(new_tab: NewTab, server: Server, db: Database) -> None:
    tab = new_tab("en-US")
    tab.open()
    tab.click("try_sample")
    tab.see("Training finished.")
    url, project_id = tab.page.url, _project_of(tab)
    (first,) = storage.runs.list_(db, project_id)
    _make_endless(db, project_id)
    tab.page.goto(url)
    tab.see("Training finished.")
    tab.settle()
    tab.click("start_training")
    job = _wait_for_job(db, project_id, lambda job: job.is_live and job.n_steps > 0)
    server.kill()
    assert job.is_live and job.run_id != first.id
    server.start()
    tab.page.goto(url)
    tab.see("of at most 100,000")
    later = _wait_for_job(db, project_id, lambda now: now.n_steps > job.n_steps)
    assert (later.id, later.is_live) == (job.id, True)
    tab.click(f"stop_{job.id}")
    tab.see("You stopped this training early.")
    done = _wait_for_job(db, project_id, lambda job: not job.is_live)
    assert [run.id for run in storage.runs.list_(db, project_id)] == [done.run_id, first.id]
    known = {run.id for card in storage.projects.cards(db) for run in storage.runs.list_(db, card.project.id)}
    assert {folder.name for folder in config.run_folder().iterdir()} == known
    tab.go("compare")
    tab.see("of 100 right")


def test_the_queue_is_visible_and_stop_works(new_tab: NewTab) -> None:
    tab = new_tab("en-US")
    tab.open()
    tab.click("try_sample")
    tab.see("Training finished.")
    tab.page.get_by_text("Choices (you can leave them as they are)").click()
    tab.page.get_by_text("As in the paper (Adam)").click()
    tab.settle()
    epochs = tab.page.get_by_role("spinbutton", name="Passes over the photos")
    epochs.fill("100000")
    epochs.press("Enter")
    tab.settle()
    tab.click("start_training")
    tab.see("Fine-tuning")
    expect(tab.page.get_by_text(re.compile(r"Step \d"))).to_be_visible(timeout=PATIENCE_MS)

    other = new_tab("en-US")
    other.open()
    other.click("try_sample")
    other.see("1 piece of work is ahead of yours")

    tab.page.get_by_role("button", name="Stop", exact=True).click()
    tab.see("You stopped this training early.")
    other.see("Training finished.")


def test_files_dragged_over_the_page_make_the_whole_page_a_drop_zone(new_tab: NewTab) -> None:
    tab = new_tab("ja-JP")
    tab.open()
    tab.click("make_project")
    tab.page.wait_for_url("**/classes**")
    tab.go("photos")
    dragged = tab.page.evaluate_handle(
        """() => {
          const dragged = new DataTransfer()
          dragged.items.add(new File(['no photo'], 'note.jpg', { type: 'image/jpeg' }))
          return dragged
        }"""
    )
    tab.page.dispatch_event("[data-testid=stApp]", "dragenter", {"dataTransfer": dragged})
    cover = tab.page.locator(".prolip-cover")
    cover.wait_for()
    box = cover.bounding_box()
    assert box is not None and box["width"] > 1200 and box["height"] > 1500
    cover.dispatch_event("drop", {"dataTransfer": dragged})
    tab.see("1 個のファイルは使えませんでした")
    expect(cover).to_have_count(0)


def test_another_language_reaches_streamlits_own_words_too(new_tab: NewTab) -> None:
    tab = new_tab("ja-JP")
    tab.open()
    tab.click("make_project")
    tab.page.wait_for_url("**/classes**")
    tab.go("photos")
    drop_zone = tab.page.locator("[data-testid=stFileUploader]").first
    for language, words in (("English", "Choose files"), ("日本語", "ファイルを選ぶ")):
        tab.page.get_by_text(language, exact=True).click()
        expect(drop_zone.get_by_role("button", name=words)).to_be_visible(timeout=PATIENCE_MS)
