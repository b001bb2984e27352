"""Tags on the page of the photos: by hand, from a table, seen, filtered, undone."""

from __future__ import annotations

from typing import Any

import pytest
from streamlit.runtime.media_file_manager import MediaFileManager
from streamlit.testing.v1 import AppTest

from prolip_core import storage
from prolip_core.storage import Database
from prolip_core.storage.records import Project
from tests.pages.conftest import OpenPage, add_photos, as_markdown, box, grids, make_project, shown, tick

PAGE = "pages/photos.py"
HOSTILE = "![](http://example.com/a.png) <b>x</b> :red[y]"


@pytest.fixture
def project(db: Database) -> Project:
    """Two classes with three photos each."""
    made = make_project(db, "Parts", ("Nut", "Bolt"))
    add_photos(db, made, 3)
    return made


def tags(db: Database, project: Project) -> list[dict[str, str]]:
    return [dict(photo.tags) for photo in storage.photos.list_(db, project.id)]


def press(app: AppTest, label: str) -> AppTest:
    next(button for button in app.button if button.label == label).click().run()
    assert not app.exception
    return app


def write(app: AppTest, label: str, text: str) -> None:
    next(one for one in app.text_input if one.label == label).set_value(text)


def upload(app: AppTest, project: Project, data: bytes, turn: int = 0) -> AppTest:
    app.file_uploader(key=f"tag_table_{project.id}_{turn}").set_value([("tags.csv", data, "text/csv")]).run()
    assert not app.exception
    return app


def test_ticked_photos_get_a_tag_lose_it_and_undo_brings_it_back(
    db: Database, project: Project, open_page: OpenPage
) -> None:
    app = open_page(PAGE, project)
    tick(app, grids(app)[0], 0, 4)
    write(app, "… or a new tag", "ｌｉｎｅ")
    write(app, "Its value", "A")
    press(app, "Set the tag")
    assert tags(db, project) == [{"line": "A"}, {}, {}, {}, {"line": "A"}, {}]
    assert "line: A" in [word for word, _ in grids(app)[0].photos[0]["words"]]
    assert "Values so far: line: A" in shown(app)

    tick(app, grids(app)[0], 0, 1)
    assert box(app, "Tag").options  # of the filter
    write(app, "… or a new tag", "")
    write(app, "Its value", "B")
    press(app, "Set the tag")  # the tag that the box shows
    assert tags(db, project)[:2] == [{"line": "B"}, {"line": "B"}]
    tick(app, grids(app)[0], 0, 5)
    press(app, "Take it away")
    assert tags(db, project)[:2] == [{}, {"line": "B"}]
    assert "Tags were changed" in app.button(key="undo_photos").help
    app.button(key="undo_photos").click().run()
    assert tags(db, project)[:2] == [{"line": "B"}, {"line": "B"}]


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("", "A", "The tag has no name."),
        ("line", " ", "The tag has no value."),
        ("\u3000", "A", "The tag has no name."),
    ],
)
def test_a_tag_that_is_none_is_told(
    db: Database, project: Project, open_page: OpenPage, name: str, value: str, told: str
) -> None:
    app = open_page(PAGE, project)
    tick(app, grids(app)[0], 0)
    write(app, "… or a new tag", name)
    write(app, "Its value", value)
    press(app, "Set the tag")
    assert told in app.error[0].value.replace("\\", "")
    assert tags(db, project) == [{}] * 6
    assert [one.disabled for one in app.button if one.label == "Take it away"] == [True]


def test_without_a_tick_nothing_is_done(db: Database, project: Project, open_page: OpenPage) -> None:
    app = open_page(PAGE, project)
    write(app, "… or a new tag", "line")
    write(app, "Its value", "A")
    press(app, "Set the tag")
    assert "Tick the photos first." in shown(app) and tags(db, project) == [{}] * 6


def test_photos_are_seen_by_tag(db: Database, project: Project, open_page: OpenPage) -> None:
    photos = [photo.id for photo in storage.photos.list_(db, project.id)]
    storage.photos.set_tag(db, photos[:2], "line", "A")
    storage.photos.set_tag(db, photos[2:5], "line", "B")
    storage.photos.set_tag(db, photos[:1], "camera", "A")
    app = open_page(PAGE, project)
    by_tag = next(one for one in app.selectbox if str(one.key).startswith("tag_of_"))
    assert by_tag.options == [
        "Whatever their tags",
        "camera: A (1)",
        "without “camera”",
        "line: A (2)",
        "line: B (3)",
        "without “line”",
    ]
    for chosen, ids in (("line\nA", photos[:2]), ("line\n", photos[5:]), ("camera\n", photos[1:]), ("", photos)):
        next(one for one in app.selectbox if str(one.key).startswith("tag_of_")).set_value(chosen).run()
        assert [photo["id"] for photo in grids(app)[0].photos] == ids


def template(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> str:
    """What the button gives to the browser."""
    kept: list[bytes] = []
    add = MediaFileManager.add

    def listening(self: MediaFileManager, data: Any, *args: Any, **kwargs: Any) -> str:
        if isinstance(data, bytes):
            kept.append(data)
        return add(self, data, *args, **kwargs)

    monkeypatch.setattr(MediaFileManager, "add", listening)
    app.run()
    return next(data for data in kept if data.startswith(b"\xef\xbb\xbf")).decode("utf-8-sig")


@pytest.mark.parametrize(
    ("language", "head"), [("en", "File,line,camera,shift"), ("ja", "ファイル,ライン,カメラ,シフト")]
)
def test_the_table_to_fill_in_comes_back_filled_in(
    db: Database, project: Project, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch, language: str, head: str
) -> None:
    app = open_page(PAGE, project, language)
    lines = template(app, monkeypatch).splitlines()
    assert lines[0] == head and lines[1] == "Nut train 0.jpg,,,"
    filled = "\r\n".join([lines[0], *(line.replace(",,,", f",{n},,夜", 1) for n, line in enumerate(lines[1:]))])
    upload(app, project, filled.encode("cp932"))
    line, _, shift = head.split(",")[1:]
    assert tags(db, project) == [{line: str(n), shift: "夜"} for n in range(6)]
    app.button(key="undo_photos").click().run()
    assert tags(db, project) == [{}] * 6


def test_every_row_of_a_table_is_told(db: Database, project: Project, open_page: OpenPage) -> None:
    app = open_page(PAGE, project)
    table = f"file,line\nNut train 0.jpg,A\ngone.jpg,A\nbolt/Bolt train 1.jpg,{HOSTILE}\nNut train 0.jpg,B\nNut train 1.jpg,\n"
    upload(app, project, table.encode())
    assert tags(db, project) == [{"line": "A"}, {}, {}, {}, {"line": HOSTILE}, {}]
    assert "**2** lines were used." in shown(app) and "**2** photos have other tags now." in shown(app)
    assert "**3** lines were not used." in shown(app)
    rows = app.dataframe[0].value
    assert list(rows["Line"]) == [3, 5, 6, 2, 4]
    assert list(rows["Used"]) == ["no"] * 3 + ["yes"] * 2
    assert rows["Why"][0] == "There is no photo of this name." and rows["What to do"][0]
    assert rows["Why"][1] == "Line 2 is about this photo already."
    assert HOSTILE not in as_markdown(app) and "example\\.com" in as_markdown(app)  # among the values so far, as text
    press(app, "Close this report")
    assert "lines were used" not in shown(app)


def test_a_table_that_cannot_be_used_is_told_and_the_next_one_may_be(
    db: Database, project: Project, open_page: OpenPage
) -> None:
    app = open_page(PAGE, project)
    upload(app, project, b"PK\x03\x04\x00 a workbook")
    assert "not a text file" in app.error[0].value and "CSV UTF" in app.error[0].value
    upload(app, project, b"file,line\nNut train 0.jpg,A\n", turn=1)
    assert not app.error and "**1** line was used." in shown(app)


def test_without_a_photo_there_is_no_table(db: Database, open_page: OpenPage) -> None:
    app = open_page(PAGE, make_project(db, "Empty", ("Nut", "Bolt")))
    assert not list(app.main.get("download_button"))
