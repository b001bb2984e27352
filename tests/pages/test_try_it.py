"""The page “Try it”: what it shows of answers that a worker has written, teaching, many photos, versions."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable
from typing import Any

import openpyxl
import pytest
from streamlit.testing.v1 import AppTest

from pages.ui import try_drop
from prolip_core import storage
from prolip_core.storage import Database
from prolip_core.storage.records import Drop, Photo, Project, RefusedFile, Similar, TriedAnswer, TriedPhoto
from tests import image_factory
from tests.pages.conftest import (
    OpenPage,
    add_photos,
    another_tab,
    as_markdown,
    box,
    checked_photo,
    grids,
    make_project,
    shown,
)
from tests.pages.test_compare import add_run, offered

__all__ = ["offered"]

PAGE = "pages/try_it.py"
NAMES = ("Nut", "Bolt", "Gear")
RULE = {
    "temperature": 1.0,
    "threshold": 0.8,
    "limit": 0.05,
    "assured": True,
    "support_answered": 60,
    "support_wrong": 0,
    "upper_bound": 0.048,
    "least_answers": 59,
}


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(try_drop, "WAIT_S", 0.0)


@pytest.fixture
def project(db: Database) -> Project:
    """Three classes with three photos to learn from and two test photos each, and a run."""
    made = make_project(db, "Parts", NAMES)
    add_photos(db, made, 3)
    add_photos(db, made, 2, "test")
    train_on_all(db, made)
    return made


def train_on_all(db: Database, project: Project, answers: tuple[int, ...] = (0, 0, 0, 1, 2, 2), **changes: Any) -> str:
    """As a worker would have kept a training on the photos as they are."""
    rows = {row.id: row.display_name for row in storage.classes.list_(db, project.id)}
    photos = [photo for photo in storage.photos.list_(db, project.id) if not photo.excluded]

    def told(role: str) -> list[dict[str, str]]:
        return [
            {"id": one.image_id, "filename": one.record.filename, "class": rows[one.class_id]}
            for one in photos
            if one.role == role
        ]

    settings = storage.projects.get(db, project.id)
    assert settings is not None
    whole: dict[str, Any] = {"photos": {"support": told("train"), "query": told("test"), "dropped": []}, **changes}
    return add_run(
        db,
        project,
        [0] * 6,
        answers,
        None,
        whole,
        sure=RULE,
        prompts=[[template.format(name.lower()) for template in settings.spec["templates"]] for name in rows.values()],
        settings={
            "backbone": settings.spec["backbone"],
            "templates": settings.spec["templates"],
            "views": 1,
            "fit": settings.spec["fit"],
            "seed": 0,
            "precision": "float32",
            "stopped_early": False,
            "backbone_sha256": "ab" * 32,
        },
    )


def probabilities(best: int, confidence: float) -> tuple[float, ...]:
    rest = (1 - confidence) / 2
    return tuple(confidence if place == best else rest for place in range(3))


def keep(db: Database, project: Project, *told: tuple[str, int, float], run_id: str = "run1") -> tuple[TriedPhoto, ...]:
    """Tried photos (name, answer, how sure) as a worker has answered them; zero-shot always says Nut."""
    drop_id = storage.tried.begin(db, project.id, is_many=len(told) > 1)
    photos = storage.tried.add(db, drop_id, [checked_photo(name) for name, _, _ in told])
    like = storage.photos.list_(db, project.id)[0]
    similar = (Similar(like.image_id, like.record.filename, "Nut", 0.91), Similar("f" * 64, "lost.jpg", "Bolt", 0.4))
    storage.tried.keep(
        db,
        run_id,
        [
            TriedAnswer(photo.id, probabilities(0, 0.5), probabilities(best, confidence), similar, turn)
            for turn, (photo, (_, best, confidence)) in enumerate(zip(photos, told, strict=True))
        ],
    )
    return photos


def view(open_page: OpenPage, project: Project, name: str, language: str = "en") -> AppTest:
    app = open_page(PAGE, project, language)
    switch = next(one for one in app.segmented_control if str(one.key).startswith("try_view"))
    return rerun(switch.set_value(name).run())


def rerun(app: AppTest) -> AppTest:
    assert not app.exception, app.exception
    return app


def plain(app: AppTest) -> str:
    """What is told, without the escapes that keep user text from becoming Markdown."""
    return as_markdown(app).replace("\\", "")


def press(app: AppTest, key: str) -> AppTest:
    return rerun(app.button(key=key).click().run())


def send(app: AppTest, *files: tuple[str, bytes]) -> AppTest:
    zone = next(one for one in app.file_uploader if str(one.key).startswith("try_files"))
    return rerun(zone.set_value([(name, data, "application/octet-stream") for name, data in files]).run())


def jobs_of(db: Database, project: Project, drop: Drop) -> Any:
    return storage.jobs.latest_of(db, project.id, "try", f"{drop.id[:31]}:run1")


def my_photos(db: Database, project: Project, role: str = "train") -> list[Photo]:
    return [photo for photo in storage.photos.list_(db, project.id) if photo.role == role]


# -- one photo -------------------------------------------------------------------------------------------------------


def test_without_a_result_there_is_nothing_to_try(db: Database, open_page: OpenPage) -> None:
    app = open_page(PAGE, make_project(db, "Empty", NAMES))
    assert "There is no result yet. Train first." in shown(app)
    assert not app.file_uploader


def test_a_photo_that_arrives_is_kept_and_asked_about(db: Database, project: Project, open_page: OpenPage) -> None:
    app = send(open_page(PAGE, project), ("new.jpg", image_factory.jpeg(5, 320, 240)))
    (drop,) = storage.tried.drops(db, project.id)
    assert (drop.is_many, drop.count, drop.refused) == (False, 1, ())
    job = jobs_of(db, project, drop)
    assert job.payload == {"drop": drop.id, "run": "run1", "spec": dict(project.spec)}
    assert "Starting." in shown(app) and "new.jpg" in plain(app)
    press(app, f"stop_{job.id}")
    app = rerun(app.run())
    assert "This was stopped." in shown(app)
    press(app, f"go_on_{drop.id}")
    assert jobs_of(db, project, drop).state == "queued"


def test_a_file_that_is_no_photo_is_told_with_reason_and_remedy_in_both_languages(
    db: Database, project: Project, open_page: OpenPage
) -> None:
    app = send(open_page(PAGE, project), ("<b>notes</b>.txt", b"hello there"))
    (drop,) = storage.tried.drops(db, project.id)
    assert (drop.count, len(drop.refused)) == (0, 1)
    assert "is a text file, not a photo" in plain(app)
    assert "<b>" not in as_markdown(app)
    assert jobs_of(db, project, drop) is None
    japanese = shown(open_page(PAGE, project, "ja"))
    assert "写真" in japanese and drop.refused[0].message.split("}")[-1] not in japanese


@pytest.mark.parametrize(
    ("language", "sure", "words"),
    [
        ("en", 0.95, ("✓ Sure enough", "# Bolt", "**95%** sure", "it says something else: Nut (50% sure)")),
        ("en", 0.6, ("? Not sure", "# Bolt", "**60%** sure", "Next likely: Nut (20%)")),
        ("ja", 0.6, ("? 自信なし", "# Bolt", "確信度 **60%**", "人が確認してください")),
    ],
)
def test_the_answer_in_big_words_and_whether_it_stands_alone(
    db: Database, project: Project, open_page: OpenPage, language: str, sure: float, words: tuple[str, ...]
) -> None:
    keep(db, project, ("new.jpg", 1, sure))
    app = open_page(PAGE, project, language)
    for word in words:
        assert word in as_markdown(app)
    (grid,) = grids(app)
    assert [photo["image"] != "" for photo in grid.photos] == [True, False]  # one of the two is not there any more
    assert "0.91" in grid.words()


def test_the_slider_is_kept_with_the_run_and_decides(db: Database, project: Project, open_page: OpenPage) -> None:
    keep(db, project, ("new.jpg", 1, 0.6))
    app = open_page(PAGE, project)
    assert "Suggestion: 80%" in shown(app) and "at most 5% wrong ones" in shown(app)
    assert "picked from many settings" in shown(app)  # the bound holds for one setting, not for the choice
    slider = next(one for one in app.slider if str(one.key).startswith("threshold"))
    app = rerun(slider.set_value(55.0).run())
    assert storage.runs.list_(db, project.id)[0].threshold == pytest.approx(0.55)
    assert "✓ Sure enough" in as_markdown(app) and "nothing is promised" in shown(app)
    app = press(app, "suggested_run1")
    assert storage.runs.list_(db, project.id)[0].threshold is None
    assert "? Not sure" in as_markdown(app)


def test_at_the_end_of_the_slider_even_a_whole_certainty_goes_to_a_person(
    db: Database, project: Project, open_page: OpenPage
) -> None:
    keep(db, project, ("new.jpg", 1, 1.0))
    app = open_page(PAGE, project)
    assert "✓ Sure enough" in as_markdown(app)
    slider = next(one for one in app.slider if str(one.key).startswith("threshold"))
    app = rerun(slider.set_value(100.0).run())
    assert "? Not sure" in as_markdown(app)


def test_without_a_rule_everything_goes_to_a_person(db: Database, open_page: OpenPage) -> None:
    made = make_project(db, "Few", NAMES)
    add_photos(db, made, 2, "test")
    add_run(db, made, [0] * 6, [0] * 6)
    keep(db, made, ("new.jpg", 1, 0.999))
    app = open_page(PAGE, made)
    assert "? Not sure" in as_markdown(app) and "too few training photos" in shown(app)
    assert not app.slider


def press_right(app: AppTest) -> AppTest:
    """“Right” for the photo that is shown."""
    (key,) = [str(one.key) for one in app.button if str(one.key).startswith("right_")]
    return press(app, key)


def test_right_and_wrong_teach_and_can_be_undone(db: Database, project: Project, open_page: OpenPage) -> None:
    (photo,) = keep(db, project, ("new.jpg", 1, 0.9))
    rows = {row.display_name: row.id for row in storage.classes.list_(db, project.id)}
    app = press_right(open_page(PAGE, project))
    assert [one.class_id for one in my_photos(db, project) if one.image_id == photo.image_id] == [rows["Bolt"]]
    assert "is among the training photos of the class Bolt" in as_markdown(app)
    app = press(app, "undo_teach")
    assert len(my_photos(db, project)) == 9
    press(app, f"wrong_{photo.id}_{rows['Gear']}")
    assert [one.class_id for one in my_photos(db, project) if one.image_id == photo.image_id] == [rows["Gear"]]


def test_a_test_photo_is_answered_and_cannot_teach(db: Database, project: Project, open_page: OpenPage) -> None:
    testing = my_photos(db, project, "test")[0]
    keep(db, project, (testing.record.filename, 0, 0.9))
    app = open_page(PAGE, project)
    assert "This is the test photo" in as_markdown(app) and "# Nut" in as_markdown(app)
    assert not [one for one in app.button if str(one.key).startswith(("right", "wrong"))]


def test_a_near_copy_of_a_test_photo_is_refused_with_its_name(
    db: Database, project: Project, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(db, project, ("new.jpg", 1, 0.9))
    testing = my_photos(db, project, "test")[0]
    monkeypatch.setattr("prolip_core.storage.teaching._near_test", lambda record, there: testing)
    app = press_right(open_page(PAGE, project))
    assert f"is the test photo “{testing.record.filename}” of the class Nut, or a near-copy of it" in plain(app)
    assert len(my_photos(db, project)) == 9


def test_a_near_copy_that_is_known_as_one_is_not_asked_about(
    db: Database, project: Project, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    (photo,) = keep(db, project, ("new.jpg", 1, 0.9))
    monkeypatch.setattr("prolip_core.storage.teaching.like_test", lambda tried, photos: frozenset({photo.image_id}))
    app = open_page(PAGE, project)
    assert "near-copy of a test photo" in as_markdown(app)
    assert not [one for one in app.button if str(one.key).startswith(("right", "wrong"))]


def test_a_stale_tab_teaches_nothing(db: Database, project: Project, open_page: OpenPage) -> None:
    """Both tabs show the same photo; the second still does when the first has taught it."""
    first, second = keep(db, project, *TOLD[:2])
    here, there = view(open_page, project, "teach"), another_tab(PAGE, project, view="teach")
    press_right(here)
    press_right(there)
    assert [one.image_id for one in my_photos(db, project) if one.image_id in (first.image_id, second.image_id)] == [
        first.image_id
    ]


def test_deleting_hides_the_photo_and_undo_brings_it_back(db: Database, project: Project, open_page: OpenPage) -> None:
    (photo,) = keep(db, project, ("new.jpg", 1, 0.9))
    app = press(open_page(PAGE, project), f"delete_drop_{photo.drop_id}")
    assert storage.tried.drops(db, project.id) == ()
    assert "new.jpg" not in as_markdown(app)
    press(app, f"restore_drop_{photo.drop_id}")
    assert len(storage.tried.drops(db, project.id)) == 1


# -- many photos -----------------------------------------------------------------------------------------------------


def test_a_zip_with_a_broken_file_in_it_tells_what_became_of_every_file(
    db: Database, project: Project, open_page: OpenPage
) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for number in range(3):
            file.writestr(f"box/{number}.jpg", image_factory.jpeg(number, 320, 240))
        file.writestr("box/again.jpg", image_factory.jpeg(0, 320, 240))
        file.writestr("box/broken.jpg", image_factory.jpeg(7, 320, 240)[:900])
    app = send(open_page(PAGE, project), ("box.zip", buffer.getvalue()))
    (drop,) = storage.tried.drops(db, project.id)
    assert (drop.is_many, drop.count, [one.filename for one in drop.refused]) == (True, 3, ["box/broken.jpg"])
    assert "**1** file was not taken:" in shown(app)
    assert "1 file has the very same content" in shown(app)
    assert app.dataframe[-1].value.iloc[0, 0] == "box/broken.jpg"
    assert jobs_of(db, project, drop).state == "queued"


TOLD = (("a.jpg", 1, 0.9), ("b.jpg", 0, 0.5), ("c.jpg", 1, 0.6), ("=d.jpg", 2, 0.99))


def test_the_table_is_filtered_sorted_and_taken_away_as_it_is_shown(
    db: Database, project: Project, open_page: OpenPage, offered: Callable[[str], bytes]
) -> None:
    keep(db, project, *TOLD)
    (drop,) = storage.tried.drops(db, project.id)
    app = view(open_page, project, "many")
    assert "Answered alone: **2 of 4" in as_markdown(app) and "to a person: **2**" in as_markdown(app)

    def files() -> list[str]:
        return list(app.dataframe[0].value["File"])

    assert files() == ["a.jpg", "b.jpg", "c.jpg", "=d.jpg"] or files() == ["b.jpg", "c.jpg", "a.jpg", "=d.jpg"]
    order = box(app, "Order")
    app = rerun(order.set_value("sure").run())
    assert files() == ["=d.jpg", "a.jpg", "c.jpg", "b.jpg"]
    app = rerun(box(app, "Order").set_value("ask").run())
    assert files() == ["b.jpg", "c.jpg", "a.jpg", "=d.jpg"]
    which = next(one for one in app.segmented_control if str(one.key).startswith("many_which"))
    app = rerun(which.set_value("ask").run())
    assert files() == ["b.jpg", "c.jpg"]
    app = rerun(box(app, "Answer").set_value("Bolt").run())
    assert files() == ["c.jpg"]
    which = next(one for one in app.segmented_control if str(one.key).startswith("many_which"))
    app = rerun(box(rerun(which.set_value("all").run()), "Answer").set_value("").run())
    on_screen = app.dataframe[0].value
    page = openpyxl.load_workbook(io.BytesIO(offered(f"answers_{drop.created_at:%Y-%m-%d_%H%M}.xlsx"))).active
    assert page is not None
    rows = [[cell.value for cell in row] for row in page.iter_rows(min_row=2)]
    assert [row[1] for row in rows] == list(on_screen["File"])
    assert [row[2] for row in rows] == list(on_screen["Answer"])
    assert [round(100 * row[3], 1) for row in rows] == [float(one.rstrip("%")) for one in on_screen["How sure"]]
    assert [row[5] for row in rows] == [one.split(" (")[0] for one in on_screen["Next likely"]]
    assert [row[4] for row in rows] == list(on_screen["May it stand alone?"])
    assert len(page._images) == 4
    table = list(csv.reader(io.StringIO(offered(f"answers_{drop.created_at:%Y-%m-%d_%H%M}.csv").decode("utf-8-sig"))))
    assert [row[0] for row in table[1:]] == ["b.jpg", "c.jpg", "a.jpg", "'=d.jpg"]


def test_a_drop_that_was_cut_short_is_told(db: Database, project: Project, open_page: OpenPage) -> None:
    photos = keep(db, project, *TOLD)
    storage.tried.add(db, photos[0].drop_id, [], total=9)
    assert "4 of 9 files have come in." in shown(view(open_page, project, "many"))


def test_photos_that_could_not_be_read_any_more_are_listed(db: Database, project: Project, open_page: OpenPage) -> None:
    photos = keep(db, project, *TOLD)
    problem = RefusedFile("a.jpg", "The photo {image_id} cannot be read.", "Add the photo again.", {"image_id": "12"})
    storage.tried.keep(db, "run1", [TriedAnswer(photos[0].id, (), (), problem=problem)])
    app = view(open_page, project, "many")
    assert list(app.dataframe[0].value["File"]).count("a.jpg") == 0
    assert app.dataframe[-1].value.iloc[0, 0] == "a.jpg"


# -- teaching and versions -------------------------------------------------------------------------------------------


def test_the_photo_that_helps_most_comes_first_and_a_skipped_one_last(
    db: Database, project: Project, open_page: OpenPage
) -> None:
    photos = keep(db, project, *TOLD)
    app = view(open_page, project, "teach")
    assert "**4** tried photos could teach." in as_markdown(app)
    assert "a.jpg" in plain(app)
    app = press(app, "teach_skip")
    assert "b.jpg" in plain(app)
    app = press_right(app)
    assert {one.image_id for one in my_photos(db, project)} >= {photos[1].image_id}
    assert "**3** tried photos could teach." in as_markdown(app)
    assert "Since the last training: Nut +1" in as_markdown(app)
    app = press(app, "train_again")
    job = storage.jobs.live(db, project.id)
    assert job is not None and job.payload == {"spec": dict(project.spec)}


def test_work_that_has_ended_without_answers_is_told_and_can_go_on(
    db: Database, project: Project, open_page: OpenPage
) -> None:
    """As of a newer result that was asked about the photos of an older one, when that was stopped."""
    drop_id = storage.tried.begin(db, project.id, is_many=False)
    storage.tried.add(db, drop_id, [checked_photo("new.jpg")])
    (drop,) = storage.tried.drops(db, project.id)
    job = try_drop.start(project, drop_id, "run1")
    storage.jobs.request_stop(db, job.id)
    app = view(open_page, project, "teach")
    assert "This was stopped." in shown(app)
    press(app, f"go_on_{drop_id}")
    again = jobs_of(db, project, drop)
    assert again.id != job.id and again.is_live


def test_before_and_after_with_numbers_and_the_way_back(db: Database, project: Project, open_page: OpenPage) -> None:
    keep(db, project, *TOLD)
    rows = {row.display_name: row.id for row in storage.classes.list_(db, project.id)}
    (photo,) = keep(db, project, ("more.jpg", 0, 0.9))
    assert rows["Gear"] is not None
    storage.teaching.teach(db, project.id, photo.id, rows["Gear"])
    train_on_all(db, project, (0, 0, 1, 1, 2, 2))
    app = view(open_page, project, "teach")
    told = as_markdown(app)
    assert "Result 1 → Result 2" in told
    assert "5 of 6 right" in told and "6 of 6 right" in told
    assert "Put right: 1 · put wrong: 0" in told
    assert "Nothing has changed since the last training." in told
    app = press(app, "back_now_teach_run1")
    assert [one.image_id for one in my_photos(db, project) if one.excluded] == [photo.image_id]
    assert storage.undo.available(db, project.id) == "rollback"
    press(app, "undo_teach_last")
    assert not [one for one in my_photos(db, project) if one.excluded]


def test_every_version_tells_what_changed_and_two_are_compared(
    db: Database, project: Project, open_page: OpenPage
) -> None:
    (photo,) = keep(db, project, ("more.jpg", 0, 0.9))
    bolt = storage.classes.list_(db, project.id)[1].id
    assert bolt is not None
    storage.teaching.teach(db, project.id, photo.id, bolt)
    train_on_all(db, project, (0, 0, 1, 1, 2, 2))
    app = view(open_page, project, "versions")
    told = as_markdown(app)
    assert "Against Result 1: Bolt +1" in told
    assert told.count("the photos as they are now") == 1
    assert "1 photo came later and is excluded; it is not deleted." in told
    press(app, "compare_list_run2")
    app = rerun(app.switch_page("pages/compare.py").run())
    assert box(app, "Result").value == "run2" and box(app, "Compared with").value == "run1"


def test_the_step_is_done_once_a_photo_was_tried(db: Database, project: Project, open_page: OpenPage) -> None:
    def step(app: AppTest) -> str:
        return next(str(one.proto.label) for one in app.sidebar.get("page_link") if "Try it" in one.proto.label)

    assert "later" in step(open_page(PAGE, project))
    keep(db, project, ("new.jpg", 1, 0.9))
    assert "done" in step(open_page(PAGE, project))
