"""The day after, in a real browser with a real worker: try a photo, correct it, train again, undo, go back; many at once."""

from __future__ import annotations

import base64
import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from playwright.sync_api import expect

from prolip_core import spec, storage
from prolip_core.content_store import ContentStore, ThumbnailStore
from prolip_core.spec import PilotSpec
from prolip_core.storage import Database
from prolip_core.storage.records import ClassRow, Project, Role
from prolip_core.uploads import UploadFile, check
from tests import fakes, image_factory
from tests.e2e.conftest import PATIENCE_MS, Server, Tab

NewTab = Callable[..., Tab]
NAMES = ("bolt", "nut", "washer")

PASTE = """async (base64) => {
  const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))
  const data = new DataTransfer()
  data.items.add(new File([bytes], "image.png", { type: "image/png" }))
  window.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }))
}"""


@pytest.fixture
def db(server: Server, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The database of the running server."""
    monkeypatch.setenv("PROLIP_HOME", str(server.home))
    opened = storage.open_database()
    yield opened
    opened.close()


@pytest.fixture
def make(db: Database, server: Server, tmp_path: Path, new_tab: NewTab) -> Callable[[str], Project]:
    """`make("en-US")`: a trained project of its own, three classes of four photos to learn from and two to test on."""

    def made(name: str) -> Project:
        project = storage.projects.create(db, name, spec.as_dict(PilotSpec()))
        folder = fakes.write_photos(tmp_path / "own", {one: range(6) for one in NAMES})
        stores = ContentStore(server.home / "photos"), ThumbnailStore(server.home / "thumbnails")
        for row in storage.classes.save(db, project.id, [ClassRow(None, one, (one,)) for one in NAMES]):
            assert row.id is not None
            files = [UploadFile(path.name, path.read_bytes()) for path in sorted((folder / row.display_name).iterdir())]
            photos = [one.photo.photo for one in check(files, *stores) if one.photo is not None]
            roles: tuple[tuple[Role, int, int], ...] = (("train", 0, 4), ("test", 4, 6))
            for role, first, last in roles:
                storage.photos.add(db, project.id, row.id, role, photos[first:last])
        job = storage.jobs.enqueue(db, project.id, "train", {"spec": dict(project.spec)})
        tab = new_tab()
        tab.open("/")  # the server starts the worker with its first page
        for _ in range(PATIENCE_MS // 100):
            now = storage.jobs.get(db, job.id)
            if now is None or not now.is_live:
                break
            tab.page.wait_for_timeout(200)
        assert storage.runs.list_(db, project.id)
        return project

    return made


def new_photo(folder: Path, number: int, name: str = "bolt") -> Path:
    """A photo of that class that no project has."""
    fakes.write_photos(folder, {name: [number]})
    return folder / name / f"{number}.jpg"


def choose(tab: Tab, *files: Path) -> None:
    tab.page.locator("[data-testid=stFileUploaderDropzoneInput]").first.set_input_files(list(files))


WORDS = {
    "en-US": {
        "right": "Is this right?",
        "added": "is among the training photos of the class",
        "train": "Train again with the corrections",
        "changed": "What the last training changed: Result 1 → Result 2",
        "both": "photos that both results have measured",
        "back": "1 photo came later and is excluded",
        "again": "are those of Result 1 again",
    },
    "ja-JP": {
        "right": "この答えは正しいですか？",
        "added": "の学習用の写真に入っています",
        "train": "直した写真も使って学習し直す",
        "changed": "前回の学習で変わったこと：結果 1 → 結果 2",
        "both": "両方の結果で測った",
        "back": "後から加えた 1 枚の写真は使わなくなります",
        "again": "「結果 1」の状態に戻しました",
    },
}


@pytest.mark.parametrize("language", ["en-US", "ja-JP"])
def test_try_correct_train_again_see_the_change_undo_and_go_back(
    db: Database, make: Callable[[str], Project], new_tab: NewTab, tmp_path: Path, language: str
) -> None:
    project, words = make(language), WORDS[language]
    tab = new_tab(language)
    tab.open(f"/try_it?project={project.id}")
    choose(tab, new_photo(tmp_path / "new", 501))
    tab.see(words["right"])
    expect(tab.page.get_by_test_id("stImage").locator("img").first).to_be_visible()
    (photo,) = storage.tried.of_project(db, project.id)
    (answer,) = storage.tried.answers(db, storage.runs.list_(db, project.id)[0].id).values()
    assert len(answer.prolip) == 3 and len(answer.similar) == 5

    tab.page.reload()  # nothing is lost
    tab.see(words["right"])
    tab.settle()
    wrong = 1 + (answer.prolip.index(max(answer.prolip)) + 1) % 3
    tab.page.keyboard.press(str(wrong))
    tab.see(words["added"])
    tab.settle()

    def taught() -> list[str]:
        names = {row.id: row.display_name for row in storage.classes.list_(db, project.id)}
        mine = storage.photos.list_(db, project.id, role="train", include_excluded=False)
        return [names[one.class_id] for one in mine if one.image_id == photo.image_id]

    assert taught() == [NAMES[wrong - 1]]
    tab.click("undo_teach")
    tab.see(words["right"])
    tab.settle()
    assert taught() == []
    tab.page.keyboard.press("Enter")
    tab.see(words["added"])
    tab.settle()
    assert len(taught()) == 1

    tab.open(f"/try_it?project={project.id}&view=teach")
    tab.page.get_by_role("button", name=words["train"]).click()
    tab.page.get_by_text(words["changed"]).first.wait_for(timeout=3 * PATIENCE_MS)
    tab.see(words["both"])
    assert tab.page.get_by_test_id("stAlertContentError").count() == 0

    tab.open(f"/try_it?project={project.id}&view=versions")
    tab.page.locator("[data-testid=stPopover] button").last.click()
    tab.see(words["back"])
    run_id = storage.runs.list_(db, project.id)[1].id
    tab.click(f"back_now_list_{run_id}")
    tab.see(words["again"])
    assert taught() == []
    first = storage.runs.list_(db, project.id)[1]
    assert storage.photos.fingerprint(db, project.id) == first.fingerprint
    tab.settle()
    tab.click("undo_version")
    tab.settle()
    assert len(taught()) == 1


def test_many_photos_with_a_broken_file_survive_a_reload_and_come_as_excel(
    db: Database, make: Callable[[str], Project], new_tab: NewTab, tmp_path: Path
) -> None:
    project = make("many")
    packed = tmp_path / "box.zip"
    with zipfile.ZipFile(packed, "w") as file:
        for number in range(40):
            file.write(new_photo(tmp_path / "new", 600 + number, NAMES[number % 3]), f"box/{number}.jpg")
        file.writestr("box/broken.jpg", image_factory.jpeg(1, 320, 240)[:700])
    tab = new_tab()
    tab.open(f"/try_it?project={project.id}")
    choose(tab, packed)
    tab.page.get_by_text(re.compile("Checking|Answering|Starting|Answered alone")).first.wait_for()
    tab.page.reload()
    tab.see("Answered alone:")
    for _ in range(100):
        (drop,) = storage.tried.drops(db, project.id)
        run = storage.runs.list_(db, project.id)[0]
        if drop.count and not storage.tried.count_unanswered(db, drop.id, run.id):
            break
        tab.page.wait_for_timeout(200)
    assert not storage.tried.count_unanswered(db, drop.id, run.id)
    tab.open(f"/try_it?project={project.id}&view=many")
    tab.see("Answered alone:")
    if drop.refused:  # the reload may have come before that file
        tab.see("1 file was not taken:")
        assert drop.refused[0].filename == "box/broken.jpg"
    if drop.received < 41:
        tab.see(f"{drop.received} of 41 files have come in.")
    with tab.page.expect_download() as saved:
        tab.click("many_excel")
    page = openpyxl.load_workbook(io.BytesIO(Path(saved.value.path()).read_bytes())).active
    assert page is not None
    assert page.max_row == 1 + drop.count
    told = storage.tried.answers(db, run.id, drop.id)
    surest = [max(one.prolip) for one in told.values()]
    assert len(surest) == drop.count
    shares = [page.cell(row, 4).value for row in range(2, page.max_row + 1)]
    assert shares == sorted(shares)


def test_a_broken_file_among_many_is_listed_with_its_reason(
    db: Database, make: Callable[[str], Project], new_tab: NewTab, tmp_path: Path
) -> None:
    project = make("broken")
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(image_factory.jpeg(1, 320, 240)[:700])
    tab = new_tab("ja-JP")
    tab.open(f"/try_it?project={project.id}")
    choose(tab, new_photo(tmp_path / "new", 700), new_photo(tmp_path / "new", 701, "nut"), broken)
    tab.see("個のファイルは使えませんでした")
    tab.see("モデルだけで答えた写真")
    (drop,) = storage.tried.drops(db, project.id)
    assert (drop.count, [one.filename for one in drop.refused]) == (2, ["broken.jpg"])


def test_a_picture_from_the_clipboard_is_answered(
    db: Database, make: Callable[[str], Project], new_tab: NewTab
) -> None:

    project = make("pasted")
    tab = new_tab()
    tab.open(f"/try_it?project={project.id}")
    png = image_factory.encode(fakes.tinted("nut", 801), "PNG")
    tab.page.evaluate(PASTE, base64.b64encode(png).decode())
    tab.see("Is this right?")
    (photo,) = storage.tried.of_project(db, project.id)
    assert photo.record.filename == "image.png"


def test_a_photo_with_no_worker_left_is_answered_after_the_server_was_killed(
    server: Server, db: Database, make: Callable[[str], Project], new_tab: NewTab, tmp_path: Path
) -> None:
    project = make("killed")
    tab = new_tab()
    tab.open(f"/try_it?project={project.id}")
    choose(tab, new_photo(tmp_path / "new", 900))
    tab.see("Is this right?")
    server.kill()
    server.start()
    tab = new_tab()
    tab.open(f"/try_it?project={project.id}")
    tab.see("Is this right?")
    choose(tab, new_photo(tmp_path / "new", 901))
    tab.page.get_by_test_id("stCaptionContainer").get_by_text("901.jpg").first.wait_for()
    tab.see("Is this right?")
    assert len(storage.tried.of_project(db, project.id)) == 2
