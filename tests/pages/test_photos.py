"""Photos in, seen, sorted, set aside, checked."""

from __future__ import annotations

import hashlib
import io
import zipfile
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from prolip_core import class_table, config, storage, uploads
from prolip_core.content_store import ContentStore
from prolip_core.errors import StorageError
from prolip_core.storage import Database
from prolip_core.storage.records import Project
from tests import image_factory
from tests.pages.conftest import OpenPage, add_photos, as_markdown, box, grids, make_project, shown, tick

PAGE = "pages/photos.py"
File = tuple[str, bytes, str]


def jpeg(name: str, seed: int) -> File:
    return name, image_factory.jpeg(seed, 320, 240), "image/jpeg"


def drop(app: AppTest, project: Project, *files: File, turn: int = 0) -> AppTest:
    app.file_uploader(key=f"files_{project.id}_{turn}").set_value(list(files)).run()
    assert not app.exception
    return app


def waiting_box(app: AppTest) -> Any:
    """The class for photos that came without a folder."""
    return next(one for one in app.selectbox if str(one.key).startswith("homeless_class"))


def tick_named(app: AppTest, name: str) -> None:
    grid = grids(app)[0]
    tick(app, grid, next(number for number, photo in enumerate(grid.photos) if name in photo["name"]))


def press(app: AppTest, label: str) -> AppTest:
    next(button for button in app.button if button.label == label).click().run()
    assert not app.exception
    return app


def test_photos_dropped_for_a_class_are_kept_listed_and_counted(db: Database, open_page: OpenPage) -> None:
    project = make_project(db, classes=("Nut", "Bolt"))
    nut = storage.classes.list_(db, project.id)[0]
    app = open_page(PAGE, project)
    box(app, "Which class do the photos show?").set_value(nut.id).run()
    heic = image_factory.encode(image_factory.photo(5, 320, 240), "HEIC")
    drop(
        app,
        project,
        jpeg("a.jpg", 1),
        ("b.heic", heic, "image/heic"),
        ("c.jpg", b"no photo", "image/jpeg"),
        jpeg("again.jpg", 1),
    )
    photos = storage.photos.list_(db, project.id)
    assert [(p.record.filename, p.class_id, p.role, p.record.format) for p in photos] == [
        ("a.jpg", nut.id, "train", "JPEG"),
        ("b.heic", nut.id, "train", "HEIC"),
    ]
    store = ContentStore(config.photo_folder())
    assert all(store.read(photo.image_id) for photo in photos)
    assert "**2** photos were added." in shown(app)
    assert "**1** file was there already" in shown(app)
    assert "**1** file was not taken:" in shown(app)
    (refusals,) = [table.value for table in app.dataframe]
    assert refusals["File"].tolist() == ["c.jpg"]
    assert "not a photo" in refusals["Why"][0] and refusals["What to do"][0]


def test_a_zip_makes_the_classes_that_its_folders_name(db: Database, open_page: OpenPage) -> None:
    project = make_project(db, classes=("Nut",))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, seed in (("parts/nut/1.jpg", 1), ("parts/歯車/1.jpg", 2), ("parts/test/nut/2.jpg", 3)):
            archive.writestr(name, image_factory.jpeg(seed, 320, 240))
        archive.writestr("parts/nut/.DS_Store", b"x")
        archive.writestr("__MACOSX/parts/nut/._1.jpg", b"x")
    app = open_page(PAGE, project)
    drop(app, project, ("parts.zip", packed.getvalue(), "application/zip"))
    rows = {row.id: row.display_name for row in storage.classes.list_(db, project.id)}
    assert list(rows.values()) == ["Nut", "歯車"]
    found = [(rows[p.class_id], p.role) for p in storage.photos.list_(db, project.id)]
    assert found == [("Nut", "train"), ("Nut", "test"), ("歯車", "train")]
    assert "New classes: 歯車" in shown(app)
    assert "DS_Store" not in shown(app)


def test_one_undo_takes_a_whole_upload_back(db: Database, open_page: OpenPage) -> None:
    project = make_project(db, classes=("Nut", "Bolt"))
    app = open_page(PAGE, project)
    box(app, "Which class do the photos show?").set_value(storage.classes.list_(db, project.id)[0].id).run()
    drop(app, project, *[jpeg(f"{n}.jpg", n) for n in range(30)])  # more than are saved at a time
    assert len(storage.photos.list_(db, project.id)) == 30
    app.button(key="undo_photos").click().run()
    assert storage.photos.list_(db, project.id) == ()


def test_a_full_disk_is_told_and_what_was_saved_stays(
    db: Database, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project(db, classes=("Nut", "Bolt"))
    app = open_page(PAGE, project)
    box(app, "Which class do the photos show?").set_value(storage.classes.list_(db, project.id)[0].id).run()
    put = ContentStore.put

    def full(self: ContentStore, data: bytes) -> str:
        if len(list(config.photo_folder().glob("*/*/*"))) >= 27:
            raise StorageError("The photo cannot be kept in {folder}: {cause}.", folder="photos", cause="No space left")
        return put(self, data)

    monkeypatch.setattr(ContentStore, "put", full)
    drop(app, project, *[jpeg(f"{n}.jpg", n) for n in range(40)])
    assert len(storage.photos.list_(db, project.id)) == 25  # the chunk that was whole
    (told,) = [element.value for element in app.error]
    assert "cut short" in told and "No space left" in told.replace("\\", "")
    assert "**25** photos were added." in shown(app)


def test_photos_without_a_folder_wait_for_their_class(db: Database, open_page: OpenPage) -> None:
    project = make_project(db, classes=("Nut", "Bolt"))
    app = open_page(PAGE, project)
    drop(app, project, jpeg("loose.jpg", 1))
    assert storage.photos.list_(db, project.id) == ()
    assert "came without a folder" in shown(app)
    bolt = storage.classes.list_(db, project.id)[1]
    waiting_box(app).set_value(bolt.id)
    press(app, "Add them to this class")
    (photo,) = storage.photos.list_(db, project.id)
    assert photo.class_id == bolt.id
    assert "came without a folder" not in shown(app)


def test_photos_that_wait_for_a_class_belong_to_their_project_and_keep_their_use(
    db: Database, app: AppTest, open_page: OpenPage
) -> None:
    project, other = make_project(db, classes=("Nut", "Bolt")), make_project(db, "Other", classes=("Gear",))
    open_page(PAGE, project)
    drop(app, project, ("test/loose.jpg", image_factory.jpeg(1, 320, 240), "image/jpeg"))
    app.query_params["project"] = other.id
    app.run()
    assert "came without a folder" not in shown(app)
    app.query_params["project"] = project.id
    app.run()
    press(app, "Add them to this class")
    assert "Choose a class, or name a new one." in shown(app)
    waiting_box(app).set_value(storage.classes.list_(db, project.id)[0].id)
    press(app, "Add them to this class")
    (photo,) = storage.photos.list_(db, project.id)
    assert photo.role == "test"
    assert storage.photos.list_(db, other.id) == ()


def test_photos_without_a_folder_may_name_their_class(db: Database, open_page: OpenPage) -> None:
    project = make_project(db)
    app = open_page(PAGE, project)
    drop(app, project, jpeg("1.jpg", 1), jpeg("2.jpg", 2))
    app.text_input(key="homeless_new_class").set_value("Gear")
    press(app, "Add them to this class")
    assert [row.display_name for row in storage.classes.list_(db, project.id)] == ["Gear"]
    assert len(storage.photos.list_(db, project.id)) == 2
    assert not app.dataframe  # nothing is told as refused


def test_photos_go_on_waiting_if_their_new_class_can_be_none(db: Database, open_page: OpenPage) -> None:
    project = make_project(db, classes=[f"class {n}" for n in range(class_table.MAX_CLASSES)])
    app = open_page(PAGE, project)
    drop(app, project, jpeg("1.jpg", 1))
    app.text_input(key="homeless_new_class").set_value("Gear")
    press(app, "Add them to this class")
    assert "one class too many" in shown(app)
    assert "came without a folder" in shown(app)


def test_the_drop_zone_of_a_class_takes_photos_for_what_is_chosen(db: Database, open_page: OpenPage) -> None:
    project = make_project(db, classes=("Nut", "Bolt"))
    nut = storage.classes.list_(db, project.id)[0]
    app = open_page(PAGE, project)
    app.segmented_control(key=f"upload_role_{project.id}").set_value("test").run()
    box(app, "Class").set_value(nut.id).run()
    zone = app.file_uploader(key=f"class_files_{nut.id}_0")
    assert zone.label == "Add test photos of “Nut”"
    zone.set_value([jpeg("a.jpg", 1)]).run()
    assert [photo.role for photo in storage.photos.list_(db, project.id)] == ["test"]


def test_the_counts_of_the_filters_agree(db: Database, open_page: OpenPage) -> None:
    project = make_project(db, classes=("Nut", "Bolt"))
    add_photos(db, project, 3)
    storage.photos.exclude(db, [storage.photos.list_(db, project.id)[0].id])
    app = open_page(PAGE, project)
    classes = box(app, "Class")
    assert classes.options == ["All classes (6)", "Nut (3)", "Bolt (3)"]
    use = app.segmented_control(key="photos_use")
    assert list(use.options) == ["All (6)", "To learn from (5)", "To test on (0)", "Excluded (1)"]
    classes.set_value(storage.classes.list_(db, project.id)[1].id).run()
    assert next(iter(app.segmented_control(key="photos_use").options)) == "All (3)"


def test_a_photo_that_waited_too_long_for_its_class_is_told(db: Database, open_page: OpenPage) -> None:
    project = make_project(db, classes=("Nut",))
    app = open_page(PAGE, project)
    drop(app, project, jpeg("loose.jpg", 1), jpeg("other.jpg", 2))
    ContentStore(config.photo_folder()).delete(hashlib.sha256(image_factory.jpeg(1, 320, 240)).hexdigest())
    waiting_box(app).set_value(storage.classes.list_(db, project.id)[0].id)
    press(app, "Add them to this class")
    assert [photo.record.filename for photo in storage.photos.list_(db, project.id)] == ["other.jpg"]
    (table,) = app.dataframe
    assert table.value["File"].tolist() == ["loose.jpg"]
    assert "waited" in table.value["Why"][0]


def test_a_folder_that_can_be_no_class_costs_only_its_own_photos(db: Database, open_page: OpenPage) -> None:
    project = make_project(db)
    app = open_page(PAGE, project)
    folder = "x" * 300
    drop(app, project, *[(f"{name}/{n}.jpg", jpeg("", n)[1], "image/jpeg") for n, name in enumerate(["nut", folder])])
    assert [row.display_name for row in storage.classes.list_(db, project.id)] == ["nut"]
    assert len(storage.photos.list_(db, project.id)) == 1
    (table,) = app.dataframe
    assert table.value["File"][0].startswith("xxx")
    assert not app.error


def test_an_upload_that_fails_unexpectedly_is_told_once(
    db: Database, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project(db, classes=("Nut",))
    app = open_page(PAGE, project)
    with monkeypatch.context() as patch:
        patch.setattr(uploads, "check", lambda *_: 1 / 0)
        drop(app, project, jpeg("a.jpg", 1))
    assert "Something unexpected went wrong" in shown(app)
    app.run()
    assert "Something unexpected went wrong" not in shown(app)
    drop(app, project, jpeg("a.jpg", 1), turn=1)  # the uploader is empty again
    assert "came without a folder" in shown(app)


def test_ticked_photos_are_moved_excluded_used_to_test_and_deleted(db: Database, open_page: OpenPage) -> None:
    project = make_project(db, classes=("Nut", "Bolt"))
    add_photos(db, project, 2)
    nut, bolt = storage.classes.list_(db, project.id)
    app = open_page(PAGE, project)

    def state() -> dict[str, tuple[int, str, bool]]:
        return {p.record.filename: (p.class_id, p.role, p.excluded) for p in storage.photos.list_(db, project.id)}

    name = "Nut train 0.jpg"
    for label, expected in (
        ("Exclude", (nut.id, "train", True)),
        ("Include again", (nut.id, "train", False)),
        ("Use to test", (nut.id, "test", False)),
        ("Use to learn", (nut.id, "train", False)),
    ):
        tick_named(app, "n 0.jpg")
        press(app, label)
        assert state()[name] == expected
    box(app, "Move the ticked photos to").set_value(bolt.id)
    tick_named(app, "n 0.jpg")
    press(app, "Move")
    assert state()[name] == (bolt.id, "train", False)
    tick_named(app, "n 1.jpg")
    press(app, "Delete")
    assert len(state()) == 3
    press(app, "Exclude")
    assert "Tick the photos first." in shown(app)


def test_photos_are_set_aside_and_given_back(db: Database, open_page: OpenPage) -> None:
    project = make_project(db, classes=("Nut", "Bolt"))
    add_photos(db, project, 6)
    app = open_page(PAGE, project)
    app.number_input(key=f"test_per_class_{project.id}").set_value(2).run()
    app.button(key="set_aside").click().run()
    assert not app.exception
    per_class = [
        len(storage.photos.list_(db, project.id, row.id, "test")) for row in storage.classes.list_(db, project.id)
    ]
    assert per_class == [2, 2]
    app.button(key="all_back").click().run()
    assert storage.photos.list_(db, project.id, role="test") == ()


def test_the_check_says_why_the_training_has_to_wait(db: Database, open_page: OpenPage) -> None:
    project = make_project(db, classes=("Nut", "Bolt"))
    app = open_page(PAGE, project)
    assert app.button(key="next_train").disabled
    assert "The button is off because: There is no training photo of: Nut, Bolt" in shown(app).replace("\\", "")
    add_photos(db, project, 5)
    app.run()
    assert not app.button(key="next_train").disabled


def test_the_check_speaks_japanese(db: Database, open_page: OpenPage) -> None:
    app = open_page(PAGE, make_project(db, classes=("Nut", "Bolt")), "ja")
    assert app.button(key="next_train").disabled
    assert "学習用の写真がない種類：Nut, Bolt" in shown(app).replace("\\", "")


def test_names_that_mean_harm_are_only_text(db: Database, open_page: OpenPage) -> None:
    evil = "<b>x</b> ![](http://example.com/a.png) $x$ :red[y] ../.."
    project = make_project(db, name=evil, classes=(evil, "Bolt"))
    add_photos(db, project, 1)
    app = open_page(PAGE, project)
    box(app, "Class").set_value(storage.classes.list_(db, project.id)[0].id).run()
    drop(app, project, (f"{evil.replace('/', '')}.jpg", b"no photo", "image/jpeg"))
    # Labels are Markdown as well; the choices of a box and the words of the grid are not (see test_the_way).
    labels = [getattr(element.proto, "label", "") for element in app.main if hasattr(element, "proto")]
    markdown = "\n".join([as_markdown(app), *labels])
    assert "\\<b\\>x" in markdown  # it is there, every mark escaped
    for harm in ("<b>", "![](", "$x$", ":red[y]"):
        assert harm not in markdown, harm
    assert [photo["name"] for photo in grids(app)[0].photos] == [f"{evil} train 0.jpg"]
