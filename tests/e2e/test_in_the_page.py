"""What happens in the page itself: folders that are dropped, Streamlit's words beside a person's, photos shown large, keys."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Locator, Route, expect

from prolip_core import config, photo_quality, storage
from prolip_core import images as engine_images
from prolip_core.content_store import ContentStore, ThumbnailStore
from prolip_core.storage import Database
from prolip_core.storage.records import Project
from prolip_core.types import CheckedPhoto
from tests import image_factory
from tests.e2e.conftest import PATIENCE_MS, Tab
from tests.pages.conftest import add_photos, make_project
from tests.pages.test_compare import add_run

NewTab = Callable[..., Tab]
OWN_WORDS = ("empty", "Stop", "Search", "Close")
"""Names of classes that are words of Streamlit's too."""

FOCUSED = """() => {
  let at = document.activeElement
  while (at?.shadowRoot?.activeElement) at = at.shadowRoot.activeElement
  return at?.getAttribute('aria-label') ?? at?.innerText ?? ''
}"""
"""What the keys act on, by the name that is read aloud."""


def photos_page(new_tab: NewTab, project: Project, language: str = "en-US") -> Tab:
    tab = new_tab(language)
    tab.open(f"/photos?project={project.id}")
    expect(tab.page.locator("[data-testid=stFileUploaderDropzone]").first).to_be_visible()
    return tab


@pytest.fixture
def answered(db: Database) -> Project:
    """A project with classes named after words of Streamlit's, three test photos each, and a run; made once per server."""
    project = next((one.project for one in storage.projects.cards(db) if one.project.name == "Answered"), None)
    if project is None:
        project = make_project(db, "Answered", OWN_WORDS)
        add_photos(db, project, 3, "test")
        add_run(db, project, [0] * 12, [0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 2, 2])
    return project


def parts(folder: Path, classes: dict[str, int]) -> Path:
    """A folder with one folder per class inside, and what a Mac leaves beside the photos."""
    seed = 0
    for name, count in classes.items():
        (folder / name).mkdir(parents=True)
        (folder / name / ".DS_Store").write_bytes(b"x")
        for number in range(count):
            seed += 1
            (folder / name / f"{number}.jpg").write_bytes(image_factory.jpeg(seed, 320, 240))
    return folder


def drag(tab: Tab, paths: Sequence[Path], target: Locator | None = None) -> None:
    """As the system sends it when files of the computer are dragged in and dropped there (else onto the middle of the page)."""
    session = tab.page.context.new_cdp_session(tab.page)
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}

    def send(kind: str, x: float, y: float) -> None:
        session.send("Input.dispatchDragEvent", {"type": kind, "x": x, "y": y, "data": data})

    zone = target or tab.page.locator("[data-testid=stFileUploaderDropzone]").first
    cover = tab.page.locator(".prolip-cover")
    over = "(zone, [x, y]) => zone.contains(document.elementFromPoint(x, y))"
    send("dragEnter", 300, 20)
    for _ in range(100):  # the page above the place may still be growing: look for it anew each time
        if target:
            target.scroll_into_view_if_needed()
        box = target.bounding_box() if target else {"x": 600, "y": 100, "width": 10, "height": 10}
        assert box is not None
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        send("dragOver", x, y)
        if cover.count() and zone.evaluate(over, [x, y]):
            break
        tab.page.wait_for_timeout(50)
    assert zone.evaluate(over, [x, y])
    for _ in range(3):  # the cover stays
        send("dragOver", x, y)
    assert cover.count() == 1
    send("drop", x, y)


def placed(db: Database, project: Project) -> list[tuple[str, str]]:
    names = {row.id: row.display_name for row in storage.classes.list_(db, project.id)}
    return sorted((names[photo.class_id], photo.record.filename) for photo in storage.photos.list_(db, project.id))


@pytest.mark.parametrize("where", ["page", "folder"])
def test_the_folders_of_a_dropped_folder_name_the_classes(
    where: str, db: Database, new_tab: NewTab, tmp_path: Path
) -> None:
    project = make_project(db, "Dropped", ("Nut",))
    folder = parts(tmp_path / "parts", {"nut": 3, "bolt": 2})
    (tmp_path / "loose.jpg").write_bytes(image_factory.jpeg(99, 320, 240))
    tab = photos_page(new_tab, project)
    zone = tab.page.locator("[data-testid=stFileUploaderDropzone]").nth(1) if where == "folder" else None
    drag(tab, [folder, tmp_path / "loose.jpg"], zone)
    tab.see("5 photos were added.")
    tab.see("1 photo came without a folder")
    assert placed(db, project) == [
        ("Nut", "0.jpg"),
        ("Nut", "1.jpg"),
        ("Nut", "2.jpg"),
        ("bolt", "0.jpg"),
        ("bolt", "1.jpg"),
    ]
    expect(tab.page.locator(".prolip-cover")).to_have_count(0)
    assert "Drag a" not in tab.words()


def test_folders_of_one_class_each_are_dropped_side_by_side(db: Database, new_tab: NewTab, tmp_path: Path) -> None:
    project = make_project(db, "Side by side")
    folder = parts(tmp_path / "x", {"ナット": 120, "bolt": 1})  # a browser lists a folder a hundred at a time
    tab = photos_page(new_tab, project)
    drag(tab, [folder / "ナット", folder / "bolt"])
    tab.see("121 photos were added.")
    assert {name for name, _file in placed(db, project)} == {"ナット", "bolt"}


def test_too_many_files_are_refused_as_a_whole(db: Database, new_tab: NewTab, tmp_path: Path) -> None:
    project = make_project(db, "Too many")
    folder = tmp_path / "many" / "nut"
    folder.mkdir(parents=True)
    for number in range(1001):
        (folder / f"{number}.jpg").write_bytes(b"x")
    tab = photos_page(new_tab, project, "ja-JP")
    uploads: list[str] = []
    tab.page.on("request", lambda request: uploads.append(request.url) if request.method == "PUT" else None)
    told = tab.page.get_by_role("dialog").get_by_text(re.compile("1,000 個を超え.*zip"))
    drag(tab, [tmp_path / "many"])
    expect(told).to_be_visible()
    assert "ドラッグ" not in tab.page.locator("[data-testid=stFileUploader]").first.inner_text()
    tab.page.get_by_role("dialog").get_by_role("button", name="閉じる").click()
    expect(told).to_have_count(0)
    with tab.page.expect_file_chooser() as chooser:
        tab.page.locator("[data-testid=stFileUploader]").nth(1).locator("button").first.click()
    chooser.value.set_files(tmp_path / "many")
    expect(told).to_be_visible()
    tab.page.get_by_role("dialog").get_by_role("button", name="閉じる").click()
    expect(tab.page.get_by_role("dialog")).to_have_count(0)
    assert uploads == []

    # And then one that is not too large.
    (folder / "1000.jpg").unlink()
    (folder / "999.jpg").write_bytes(image_factory.jpeg(7, 320, 240))
    for number in range(990):
        (folder / f"{number}.jpg").unlink()
    drag(tab, [tmp_path / "many"])
    tab.see("1 枚を追加しました")


def test_an_empty_folder_is_told(db: Database, new_tab: NewTab, tmp_path: Path) -> None:
    (tmp_path / "nothing" / "inside").mkdir(parents=True)
    tab = photos_page(new_tab, make_project(db, "Empty"))
    drag(tab, [tmp_path / "nothing"])
    tab.see("There is no file in this folder.")


def test_a_persons_words_stay_while_streamlits_own_are_translated(answered: Project, new_tab: NewTab) -> None:
    tab = photos_page(new_tab, answered, "ja-JP")
    box = tab.page.locator(".st-key-photos_class input")
    box.click()
    expect(tab.page.get_by_role("option")).to_have_text(["すべての種類（12）", *(f"{name} (3)" for name in OWN_WORDS)])
    tab.page.keyboard.type("zzz")
    tab.see("見つかりません")
    tab.page.keyboard.press("Escape")
    tab.page.locator("[class*=st-key-move_target] input").click()
    expect(tab.page.get_by_role("option")).to_have_text(list(OWN_WORDS))
    tab.page.get_by_role("option", name="Stop", exact=True).click()
    expect(tab.page.locator("[class*=st-key-move_target] input")).to_have_value("Stop")
    field = tab.page.locator("[data-testid=stNumberInput] input")
    field.fill("9")
    tab.see("Enter キーで確定")

    tab.open(f"/compare?project={answered.id}")
    chart = tab.page.locator("[data-testid=stVegaLiteChart]").nth(1)
    expect(chart.locator("svg text").first).to_be_visible()
    in_chart = chart.locator("svg text").all_text_contents()
    assert set(OWN_WORDS) <= set(in_chart)
    chart.hover()
    expect(chart.locator("..").get_by_role("button", name="データを表示")).to_have_count(1)
    for key in ("cell_true", "cell_answer"):
        tab.page.locator(f"[class*=st-key-{key}] input").click()
        expect(tab.page.get_by_role("option")).to_have_text(list(OWN_WORDS))
        tab.page.keyboard.press("Escape")


def test_the_uploader_speaks_japanese_when_a_file_cannot_be_received(db: Database, new_tab: NewTab) -> None:
    tab = photos_page(new_tab, make_project(db, "Upload"), "ja-JP")
    tab.page.route("**/_stcore/upload_file/**", lambda route: _refuse(route))
    zone = tab.page.locator("[data-testid=stFileUploader]").first
    zone.locator("input").set_input_files(
        {"name": "Close", "mimeType": "image/jpeg", "buffer": image_factory.jpeg(1, 320, 240)}
    )
    chip = zone.get_by_test_id("stFileChip")
    expect(chip.get_by_role("alert")).to_have_text(re.compile("^(エラー：)? ?このファイルは受信できませんでした"))
    expect(chip.get_by_test_id("stFileChipName")).to_have_text("Close")
    expect(chip.get_by_test_id("stFileChipName")).to_have_attribute("title", "Close")
    chip.hover()
    expect(tab.page.get_by_test_id("stTooltipErrorContent")).to_have_text(
        re.compile("^(エラー：)? ?このファイルは受信できませんでした")
    )
    assert not re.search(r"[A-Z][a-z]+Error|status code|Add files", tab.words())


def _refuse(route: Route) -> None:
    if route.request.method == "PUT":
        route.fulfill(status=500)
    else:
        route.continue_()


def add_large_photo(db: Database, project: Project, name: str, size: tuple[int, int], **options: Any) -> CheckedPhoto:
    """A photo as it comes from a camera, in the first class of the project."""
    data = image_factory.encode(image_factory.photo(len(name), *size), options.pop("format", "JPEG"), **options)
    found = engine_images.inspect(data, name)
    ContentStore(config.photo_folder()).put(data)
    ThumbnailStore(config.thumbnail_folder()).put(found.record.image_id, found.thumbnail)
    photo = CheckedPhoto(found.record, photo_quality.measure(found.grey_HW))
    first = storage.classes.list_(db, project.id)[0].id
    assert first is not None
    storage.photos.add(db, project.id, first, "train", [photo])
    return photo


def see_picture(tab: Tab, width: int, height: int) -> None:
    """Waits for the large picture, of this size."""
    tab.page.wait_for_function(
        """([width, height]) => {
          const picture = document.querySelector('[role=dialog] img')
          return picture?.naturalWidth === width && picture.naturalHeight === height
        }""",
        arg=[width, height],
        polling=20,
    )


def test_a_photo_of_a_grid_opens_large_and_ticks_stay(db: Database, new_tab: NewTab) -> None:
    project = make_project(db, "Large", ("<b>Nut</b>", "Bolt"))
    add_large_photo(db, project, "camera.jpg", (4000, 3000))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    add_large_photo(db, project, "*turned*.jpg", (800, 600), exif=exif)
    add_large_photo(db, project, "phone.heic", (640, 480), format="HEIC")
    add_photos(db, project, 2)
    tab = photos_page(new_tab, project, "ja-JP")
    boxes = tab.page.locator(".photo .tick")
    boxes.nth(1).click()
    boxes.nth(4).click()
    tab.see("選択中：2")
    tab.page.get_by_role("button", name="camera.jpg を大きく表示").click()
    dialog = tab.page.get_by_role("dialog")
    see_picture(tab, 1600, 1200)
    expect(dialog).to_contain_text("camera.jpg · 種類：<b>Nut</b> · 4,000 × 3,000")
    tab.page.keyboard.press("ArrowRight")
    expect(dialog).to_contain_text("phone.heic")
    see_picture(tab, 640, 480)
    dialog.get_by_role("button", name="前の写真").click()
    expect(dialog).to_contain_text("camera.jpg")
    dialog.get_by_role("button", name="次の写真").click()
    expect(dialog).to_contain_text("phone.heic")
    expect(dialog.get_by_role("button", name="閉じる")).to_be_visible()
    tab.page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(tab.page.locator(".photo .tick:checked")).to_have_count(2)

    tab.page.get_by_role("button", name="*turned*.jpg を大きく表示").click()
    expect(dialog).to_contain_text("*turned*.jpg")
    see_picture(tab, 600, 800)
    tab.page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)

    # The same photo again; then what the grid shows but another tab has deleted.
    tab.page.get_by_role("button", name="camera.jpg を大きく表示").click()
    expect(dialog).to_contain_text("camera.jpg")
    tab.page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    (camera,) = [one for one in storage.photos.list_(db, project.id) if one.record.filename == "camera.jpg"]
    storage.photos.delete(db, [camera.id])
    tab.page.get_by_role("button", name="camera.jpg を大きく表示").click()
    expect(dialog).to_contain_text("この写真はもうありません")
    tab.page.keyboard.press("Escape")
    tab.page.get_by_role("button", name="除外", exact=True).click()
    tab.see("2 枚を処理しました")
    assert sum(photo.excluded for photo in storage.photos.list_(db, project.id)) == 2


def test_a_photo_of_another_project_is_never_shown(db: Database, new_tab: NewTab) -> None:
    mine, other = make_project(db, "Mine", ("Nut",)), make_project(db, "Other", ("Nut",))
    add_photos(db, mine, 1)
    add_large_photo(db, other, "secret.jpg", (320, 240))
    (secret,) = storage.photos.list_(db, other.id)
    tab = photos_page(new_tab, mine)
    tab.page.evaluate(
        "photos => window.dispatchEvent(new CustomEvent('prolip-enlarge', { detail: { asked: { at: 0, photos } } }))",
        [[secret.id, secret.image_id]],
    )
    tab.see("This photo is not there any more.")
    assert "secret.jpg" not in tab.words()
    for nonsense in (None, 7, {"at": "x"}, {"at": -5, "photos": [[1], ["a", 2], None]}):
        tab.page.keyboard.press("Escape")
        tab.page.evaluate(
            "asked => window.dispatchEvent(new CustomEvent('prolip-enlarge', { detail: { asked } }))", nonsense
        )
        tab.settle()
        expect(tab.page.get_by_role("dialog")).to_have_count(0)


def test_large_photos_open_one_after_the_other(db: Database, new_tab: NewTab) -> None:
    project = make_project(db, "Large", ("Nut", "Bolt"))
    for number in range(2):
        add_large_photo(db, project, f"{'x' * number}camera.jpg", (4000, 3000))
    add_photos(db, project, 10)
    tab = photos_page(new_tab, project)
    for number in range(2):
        tab.page.get_by_role("button", name=f"Show large: {'x' * number}camera.jpg", exact=True).click()
        see_picture(tab, 1600, 1200)
        tab.page.get_by_role("dialog").press("Escape")
        expect(tab.page.get_by_role("dialog")).to_have_count(0)


def test_photos_without_boxes_open_by_the_picture_itself(answered: Project, new_tab: NewTab) -> None:
    tab = new_tab()
    tab.open(f"/compare?project={answered.id}")
    tab.page.get_by_text("Photos that changed").first.click()
    tab.settle()
    tab.page.locator(".grid:not(.pick) .photo .picture").nth(1).click()
    dialog = tab.page.get_by_role("dialog")
    expect(dialog).to_contain_text("Stop test 1.jpg · Class: Stop")
    expect(dialog).to_contain_text("2 of 6")


def test_the_way_with_the_keyboard_alone(answered: Project, new_tab: NewTab) -> None:
    tab = photos_page(new_tab, answered)
    reached = _tab_through(tab, 60)
    first = reached.index("empty test 0.jpg")
    assert reached[first : first + 3] == ["empty test 0.jpg", "Show large: empty test 0.jpg", "empty test 1.jpg"]
    tab.page.locator(".enlarge").nth(2).focus()
    tab.page.keyboard.press("Enter")
    dialog = tab.page.get_by_role("dialog")
    expect(dialog).to_contain_text("empty test 2.jpg")
    tab.page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    tab.page.wait_for_timeout(300)
    assert tab.page.evaluate(FOCUSED) == "Show large: empty test 2.jpg"
    tab.page.keyboard.press("Shift+Tab")  # back to its box
    tab.page.keyboard.press("Space")
    tab.see("Ticked: 1")

    tab.open(f"/compare?project={answered.id}")
    tab.page.locator("[data-testid=stVegaLiteChart]").nth(1).wait_for()
    reached = _tab_through(tab, 60)
    boxes = ("Whose answers", "What it shows", "What the model answered")
    assert tuple(name for name in reached if name in boxes) == boxes


def _tab_through(tab: Tab, count: int) -> list[str]:
    """What the Tab key comes to."""
    names = []
    for _ in range(count):
        tab.page.keyboard.press("Tab")
        names.append(tab.page.evaluate(FOCUSED))
    return names


def test_an_opened_menu_has_the_focus(new_tab: NewTab) -> None:
    """It is drawn at the end of the page: without this, Tab goes through everything else first."""
    tab = new_tab("ja-JP")
    tab.open()
    tab.click("make_project")
    tab.page.wait_for_url("**/classes**")
    tab.settle()
    tab.page.get_by_role("button", name="まとめて貼り付け").press("Enter")
    field = tab.page.locator("[data-testid=stPopoverBody] textarea")
    expect(field).to_be_focused(timeout=PATIENCE_MS)
    tab.page.keyboard.type("歯車, gear")
    expect(field).to_have_value("歯車, gear")


def test_two_presses_of_enter_delete_nothing(db: Database, new_tab: NewTab) -> None:
    project = make_project(db, "Keep", ("Nut",))
    storage.projects.delete(db, project.id)
    tab = new_tab()
    tab.open()
    opener = tab.page.get_by_role("button", name="Delete now for good")
    opener.press("Enter")
    menu = tab.page.locator("[data-testid=stPopoverBody]")
    expect(menu).to_be_focused(timeout=PATIENCE_MS)
    tab.page.keyboard.press("Enter")
    tab.settle()
    assert [one.id for one in storage.projects.deleted(db)] == [project.id]


@pytest.mark.parametrize("page", ["train", "classes", "photos"])
def test_another_language_leaves_the_choices_as_they_are(db: Database, new_tab: NewTab, page: str) -> None:
    """The browser sends the words of a choice: those of the language before must not be taken for one."""
    project = make_project(db, "Parts", ("Nut", "Bolt"))
    add_photos(db, project, 4)
    before = storage.projects.get(db, project.id)
    tab = new_tab("ja-JP")
    tab.open(f"/{page}?project={project.id}")
    for language, title in (("English", "Language"), ("日本語", "言語"), ("English", "Language")):
        tab.page.get_by_text(language, exact=True).click()
        expect(tab.page.locator("html")).to_have_attribute(
            "lang", "en" if title == "Language" else "ja", timeout=PATIENCE_MS
        )
        tab.settle()
    assert storage.projects.get(db, project.id) == before
    assert "Something unexpected" not in tab.words() and "error" not in tab.words().lower()
