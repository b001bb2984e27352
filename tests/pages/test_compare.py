"""The page of the answer: the two numbers, what is behind them, two runs, and every file that can be taken away."""

from __future__ import annotations

import csv
import io
import json
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from streamlit.runtime.media_file_manager import MediaFileManager
from streamlit.testing.v1 import AppTest

from prolip_core import charts, dataset, runs, spec, storage
from prolip_core.spec import PilotSpec
from prolip_core.storage import Database
from prolip_core.storage.records import Photo, Project
from prolip_core.types import CheckedPhoto
from tests import fakes
from tests.pages.conftest import OpenPage, add_photos, as_markdown, grids, make_project, shown, tick

PAGE = "pages/compare.py"
HOSTILE = ("<b>x</b>", "![](http://example.com/a.png)", "../..", "🦊", "\u202eevil", ":red[x] $x$", "=1+1", "x" * 120)
VIEWS = ("matrix", "flips", "classes", "training", "files")
Answers = Sequence[int]


def result_of(names: Sequence[str], photos: Sequence[Photo], labels: Answers) -> dict[str, Any]:
    """A result.json as docs/result-format.md has it, as far as the page reads it."""
    return {
        "class_names": list(names),
        "images_per_class": dict.fromkeys(names, 8),
        "backbone": "starter",
        "device": "CPU, 2 threads (float32)",
        "solver": "exact",
        "lam": 0.0625,
        "lam_note_parts": {"message": "1/N, chosen by cross-validation on the training photos", "values": {}},
        "evaluation": "test",
        "cross_validation": None,
        "notes": [],
        "prompts": [[f"a photo of a {name}."] for name in names],
        "seconds": {"features": 1.5, "fit": 0.5, "total": 2.0},
        "settings": {
            "backbone": spec.as_dict(PilotSpec())["backbone"],
            "backbone_sha256": "ab" * 32,
            "templates": ["a photo of a {}."],
            "views": 1,
            "fit": {"learning_rate": 1e-3, "epochs": 300},
            "seed": 7,
            "precision": "float32",
            "stopped_early": False,
        },
        "photos": {
            "support": [],
            "query": [
                {"id": photo.image_id, "filename": photo.record.filename, "class": names[label]}
                for photo, label in zip(photos, labels, strict=True)
            ],
        },
        "history": [
            {
                "step": step,
                "total_steps": 2,
                "loss": 1 / step,
                "cross_entropy": 1 / step,
                "penalty": 0.0,
                "support_accuracy": 0.5,
                "elapsed_s": 0.1 * step,
            }
            for step in (1, 2)
        ],
        "versions": {"prolip_studio": "0.1.0", "torch": "2.0"},
    }


def add_run(
    db: Database,
    project: Project,
    zero_shot: Answers,
    prolip: Answers,
    photos: Sequence[Photo] | None = None,
    more: Mapping[str, Any] | None = None,
    **changes: Any,
) -> str:
    """A run that answered the project's test photos, in their order, with these classes; `changes` and `more` go into its
    result."""
    rows = storage.classes.list_(db, project.id)
    place = {row.id: index for index, row in enumerate(rows)}
    measured = storage.photos.list_(db, project.id, role="test") if photos is None else photos
    labels = [place[photo.class_id] for photo in measured]
    names = [row.display_name for row in rows]

    def probabilities(answers: Answers) -> list[list[float]]:
        rest = 0.3 / (len(names) - 1)
        return [[0.7 if k == one else rest for k in range(len(names))] for one in answers]

    result = result_of(names, measured, labels)
    for method, answers in (("zero_shot", zero_shot), ("prolip", prolip)):
        right = sum(one == label for one, label in zip(answers, labels, strict=True))
        result[method] = {"count": len(measured), "correct": right}
    run_id = f"run{len(storage.runs.list_(db, project.id)) + 1}"
    storage.runs.add(
        db,
        run_id,
        project.id,
        None,
        storage.photos.fingerprint(db, project.id),
        {**result, **changes, **(more or {})},
        {
            "image_ids": [photo.image_id for photo in measured],
            "labels": labels,
            "zero_shot": probabilities(zero_shot),
            "prolip": probabilities(prolip),
        },
    )
    return run_id


@pytest.fixture
def project(db: Database) -> Project:
    """Three classes with four test photos each."""
    made = make_project(db, "Parts", ("Nut", "Bolt", "Gear"))
    add_photos(db, made, 4, "test")
    return made


@pytest.fixture
def run_id(db: Database, project: Project) -> str:
    """Zero-shot was right on 4 of 12 (every photo is a nut), ProLIP on 9: one nut lost, two bolts taken for gears."""
    return add_run(db, project, [0] * 12, [0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 2, 2])


def choose(app: AppTest, view: str) -> AppTest:
    app.segmented_control(key="compare_view").set_value(view).run()
    assert not app.exception, app.exception
    return app


def labelled(app: AppTest, kind: str, label: str) -> Any:
    """The widget with this label."""
    (found,) = [one for one in getattr(app, kind) if one.label == label]
    return found


def press(app: AppTest, label: str) -> AppTest:
    labelled(app, "button", label).click().run()
    assert not app.exception, app.exception
    return app


def cell(app: AppTest, side: str, true: int, answer: int) -> AppTest:
    """As by the keyboard: the three boxes under the matrices."""
    for label, value in (("Whose answers", side), ("What it shows", true), ("What the model answered", answer)):
        labelled(app, "selectbox", label).set_value(value).run()
    assert not app.exception, app.exception
    return app


def matrix(app: AppTest, number: int) -> dict[str, Any]:
    """The specification of a matrix: 0 before, 1 after."""
    spec: dict[str, Any] = json.loads(app.main.get("vega_lite_chart")[1 + number].proto.spec)
    return spec


# -- the answer ------------------------------------------------------------------------------------------------------


def test_without_a_result_the_way_to_the_training_is_shown(project: Project, open_page: OpenPage) -> None:
    app = open_page(PAGE, project)
    assert "no result yet" in shown(app)
    app.button(key="next_train").click().run()
    assert "Fine-tune" in [title.value for title in app.title]


@pytest.mark.usefixtures("run_id")
def test_both_numbers_with_count_range_photos_and_the_paired_test(project: Project, open_page: OpenPage) -> None:
    app = open_page(PAGE, project)
    text = shown(app)
    assert "**12** test photos that nothing was learnt or chosen from" in text
    assert "4 of 12 right" in text and "33% · likely 14%–61%" in text
    assert "9 of 12 right" in text and "75% · likely 47%–91%" in text
    assert "**+41.7 percentage points**: Photos put right: 6, put wrong: 1. This could well be luck" in text
    assert "p = 0.12" in "".join(one.proto.help for one in app.main.markdown)
    assert not app.warning


@pytest.mark.usefixtures("run_id")
def test_in_japanese_too(project: Project, open_page: OpenPage) -> None:
    app = open_page(PAGE, project, "ja")
    assert "12 枚中 4 枚が正解" in shown(app) and "12 枚中 9 枚が正解" in shown(app)
    for view in VIEWS:
        choose(app, view)
    assert not app.error


def test_cross_validation_is_named_and_never_called_a_test(db: Database, project: Project, open_page: OpenPage) -> None:
    crossed = {"folds": 4, "accuracies": [0.5, 0.6, 0.7], "reported_repeat": 1, "planned_repeats": 3}
    add_run(db, project, [0] * 12, [0] * 12, evaluation="cross_validation", cross_validation=crossed)
    app = open_page(PAGE, project)
    assert "each of your **12** photos was answered by a training that had not seen it" in shown(app)
    assert "test photos that nothing" not in shown(app)
    assert "No difference" in shown(app)
    choose(app, "training")
    assert [row[1] for row in settings(app) if row[0] == "Cross-validation"] == ["in 4 parts, 3 times"]


@pytest.mark.usefixtures("run_id")
def test_changed_photos_make_the_numbers_stale(db: Database, project: Project, open_page: OpenPage) -> None:
    storage.photos.exclude(db, [storage.photos.list_(db, project.id)[0].id])
    app = open_page(PAGE, project)
    assert "were changed since this training" in app.warning[0].value
    assert "9 of 12 right" in shown(app)


# -- the photos behind the numbers -----------------------------------------------------------------------------------


@pytest.mark.usefixtures("run_id")
def test_the_matrices_share_one_scale_in_photos_and_in_shares(project: Project, open_page: OpenPage) -> None:
    app = open_page(PAGE, project)

    def domains() -> list[list[float]]:
        return [matrix(app, n)["layer"][0]["encoding"]["color"]["scale"]["domain"] for n in (0, 1)]

    assert domains() == [[0, 4], [0, 4]]
    app.segmented_control(key="matrix_unit").set_value("percent").run()
    assert not app.exception
    assert domains() == [[0, 1], [0, 1]]


@pytest.mark.parametrize(("count", "is_beside"), [(2, True), (10, True), (40, False)])
def test_the_cells_are_large_enough_to_hit_for_any_number_of_classes(
    db: Database, open_page: OpenPage, count: int, is_beside: bool
) -> None:
    project = make_project(db, "Many", [f"No. {n}" for n in range(count)])
    add_photos(db, project, 1, "test")
    add_run(db, project, [0] * count, list(range(count)))
    app = open_page(PAGE, project)
    spec = matrix(app, 0)
    assert spec["width"] == spec["height"] >= count * (24 if is_beside else 9)
    assert spec["width"] <= (395 if is_beside else 780)
    assert spec["autosize"]["type"] == "pad"  # Streamlit's own choice would press two classes to nothing


@pytest.mark.usefixtures("run_id")
def test_the_first_cell_shown_is_the_worst_mistake(project: Project, open_page: OpenPage) -> None:
    app = open_page(PAGE, project)
    assert "**2** photos of **Bolt** were answered as **Gear**." in shown(app)
    assert "Truth: Bolt" in shown(app) and "Answer: Gear (70% sure)" in shown(app)
    assert len(grids(app)[0].photos) == 2


@pytest.mark.usefixtures("run_id")
def test_the_boxes_show_the_photos_of_any_cell_of_either_matrix(project: Project, open_page: OpenPage) -> None:
    app = open_page(PAGE, project)
    cell(app, "first", 1, 0)
    assert "**4** photos of **Bolt** were answered as **Nut**." in shown(app)
    assert [re.sub(r".*(\d).*", r"\1", photo["name"]) for photo in grids(app)[0].photos] == ["0", "1", "2", "3"]
    cell(app, "second", 0, 1)
    assert "**1** photo of **Nut** was answered as **Bolt**." in shown(app)
    cell(app, "second", 2, 0)
    assert "**0** photos" in shown(app)
    assert not grids(app)


@pytest.mark.usefixtures("run_id")
def test_moving_and_excluding_right_there_marks_the_numbers_stale(
    db: Database, project: Project, open_page: OpenPage
) -> None:
    app = open_page(PAGE, project)
    press(app, "Exclude")
    assert "Tick the photos first." in shown(app)
    assert not any(photo.excluded for photo in storage.photos.list_(db, project.id))

    gear = storage.classes.list_(db, project.id)[2]
    tick(app, grids(app)[0], 0)
    labelled(app, "selectbox", "Move the ticked photos to").set_value(gear.id)
    press(app, "Move")
    assert len(storage.photos.list_(db, project.id, gear.id)) == 5
    assert "were changed since this training" in app.warning[0].value
    assert "**2** photos of **Bolt** were answered as **Gear**." in shown(app)  # as it was measured
    assert shown(app).count("Now in: Gear") == 1
    assert grids(app)[0].ticked == []

    tick(app, grids(app)[0], 1)
    press(app, "Exclude")
    (excluded,) = [photo for photo in storage.photos.list_(db, project.id) if photo.excluded]
    assert excluded.record.filename.startswith("Bolt")
    app.button(key="undo_cell").click().run()
    app.button(key="undo_cell").click().run()
    assert not app.exception
    assert len(storage.photos.list_(db, project.id, gear.id)) == 4
    assert not app.warning  # all is as it was measured


@pytest.mark.usefixtures("run_id")
def test_photos_and_classes_that_were_deleted_since_are_said_to_be_gone(
    db: Database, project: Project, open_page: OpenPage
) -> None:
    bolts = [photo for photo in storage.photos.list_(db, project.id) if photo.record.filename.startswith("Bolt")]
    storage.photos.delete(db, [bolts[2].id])
    app = open_page(PAGE, project)
    assert "1 photo was deleted since." in shown(app)
    assert len(grids(app)[0].photos) == 1
    storage.classes.save(db, project.id, [])
    app.run()
    assert not app.exception
    assert "2 photos were deleted since." in shown(app)
    assert not grids(app)
    choose(app, "flips")
    assert {photo["picture"] for photo in grids(app)[0].photos} == {""}


def test_a_photo_in_two_classes_is_taken_from_the_one_that_was_measured(
    db: Database, project: Project, open_page: OpenPage
) -> None:
    nut, bolt, gear = storage.classes.list_(db, project.id)
    first = next(photo for photo in storage.photos.list_(db, project.id, bolt.id))
    for row in (nut, gear):  # before and after it in the order of the classes
        assert row.id is not None
        storage.photos.add(db, project.id, row.id, "train", [CheckedPhoto(first.record, first.quality)])
    add_run(db, project, [0] * 12, [0, 0, 0, 0, 2, 1, 1, 1, 2, 2, 2, 2])
    app = open_page(PAGE, project)
    tick(app, grids(app)[0], 0)
    press(app, "Exclude")
    assert [photo.id for photo in storage.photos.list_(db, project.id) if photo.excluded] == [first.id]


@pytest.mark.usefixtures("run_id")
def test_the_photos_that_changed_with_both_answers(project: Project, open_page: OpenPage) -> None:
    app = choose(open_page(PAGE, project), "flips")
    assert [one.value for one in app.subheader] == ["Put right (6)", "Put wrong (1)"]
    text = shown(app)
    assert text.count("Before: Nut (70% sure)") == 7
    assert "Truth: Nut" in text and "After: Bolt (70% sure)" in text
    assert [len(grid.photos) for grid in grids(app)] == [6, 1]
    assert all(photo["picture"] for grid in grids(app) for photo in grid.photos)
    assert all(grid.ticked is None for grid in grids(app))  # nothing to tick here


def test_many_changed_photos_come_in_pages(db: Database, open_page: OpenPage) -> None:
    project = make_project(db, "Parts", ("Nut", "Bolt"))
    add_photos(db, project, 30, "test")
    add_run(db, project, [1] * 30 + [0] * 30, [0] * 30 + [1] * 30)
    app = choose(open_page(PAGE, project), "flips")
    assert [len(grid.photos) for grid in grids(app)] == [24]


def test_a_chart_is_built_once_for_the_same_words(
    db: Database, project: Project, run_id: str, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_page(PAGE, project)
    before = [chart.proto.spec for chart in app.main.get("vega_lite_chart")]
    assert len(before) == 3
    with monkeypatch.context() as patch:
        patch.setattr(charts, "apart", None)
        app.run()
    assert not app.exception and not app.error
    assert [chart.proto.spec for chart in app.main.get("vega_lite_chart")] == before
    storage.runs.rename(db, run_id, "new name")
    app.query_params["lang"] = "ja"
    app.run()
    assert not app.exception and not app.error
    assert matrix(app, 0)["title"] == "学習前（ゼロショット）"


# -- class by class, settings ----------------------------------------------------------------------------------------


def settings(app: AppTest) -> list[list[str]]:
    return [list(row) for row in app.dataframe[0].value.itertuples(index=False)]


def test_every_class_with_count_range_and_precision(db: Database, project: Project, open_page: OpenPage) -> None:
    tests = storage.photos.list_(db, project.id, role="test")
    add_run(db, project, [0] * 8, [0, 0, 0, 1, 1, 1, 2, 2], tests[:8])  # no photo of a gear
    app = choose(open_page(PAGE, project), "classes")
    table = app.dataframe[0].value
    assert list(table.columns) == [
        "Class",
        "Photos",
        "Before: found",
        "After: found",
        "Before: trustworthy",
        "After: trustworthy",
    ]
    assert [list(row) for row in table.itertuples(index=False)] == [
        ["Nut", 4, "4 of 4 (51%–100%)", "3 of 4 (30%–95%)", "50%", "100%"],
        ["Bolt", 4, "0 of 4 (0%–49%)", "2 of 4 (15%–85%)", "–", "67%"],
        ["Gear", 0, "–", "–", "–", "0%"],
    ]
    assert "- Bolt taken for Gear: 2\n- Nut taken for Bolt: 1" in shown(app)
    assert "it is off by" in shown(app)


def test_all_settings_and_notes_of_the_run(db: Database, project: Project, open_page: OpenPage) -> None:
    parts = {"message": "No test photo of: {names}. Nothing is known about how well they are recognised."}
    add_run(db, project, [0] * 12, [0] * 12, notes=[{**parts, "values": {"names": "![](http://x.y/z.png)"}}])
    app = choose(open_page(PAGE, project), "training")
    rows = dict(settings(app))
    assert rows["Model"] == "Starter (built in)"
    assert rows["Computed on"] == "CPU, 2 threads (float32)"
    assert rows["Precision"] == "float32"
    assert rows["Way of training"] == "Exact"
    assert "Passes over the photos (planned)" not in rows
    assert rows["λ"] == "0.0625 (1/N, chosen by cross-validation on the training photos)"
    assert rows["Photos to learn from, of each class"] == "8"
    assert rows["Random number to start from"] == "7"
    assert rows["Stopped early"] == "no"
    assert rows["Version of torch"] == "2.0"
    (said,) = [one.value for one in app.warning if "No test photo" in one.value]
    assert "![](" not in said
    assert len(app.main.get("plotly_chart")) == 1


def test_the_settings_in_japanese_and_the_plan_of_adam(db: Database, project: Project, open_page: OpenPage) -> None:
    add_run(db, project, [0] * 12, [0] * 12, solver="adam")
    rows = settings(choose(open_page(PAGE, project, "ja"), "training"))
    values = [value for _, value in rows]
    assert "スターター（内蔵）" in values
    assert "CPU（2 スレッド、float32）" in values
    assert values[8:11] == ["300", "0.001", "2"]


# -- choosing, renaming, deleting, two runs --------------------------------------------------------------------------


def run_box(app: AppTest) -> Any:
    return labelled(app, "selectbox", "Result")


def other_box(app: AppTest) -> Any:
    return labelled(app, "selectbox", "Compared with")


@pytest.mark.usefixtures("run_id")
def test_the_newest_result_is_shown_first_and_two_results_are_compared(
    db: Database, project: Project, open_page: OpenPage
) -> None:
    tests = storage.photos.list_(db, project.id, role="test")
    add_run(db, project, [0] * 8, [0, 0, 0, 0, 1, 1, 1, 2], tests[:8])
    app = open_page(PAGE, project)
    assert "7 of 8 right" in shown(app)
    other_box(app).set_value("run1").run()
    text = shown(app)
    assert "the **8** photos that both results have measured. 4 photos are left out" in text
    assert "5 of 8 right" in text and "7 of 8 right" in text
    assert "Photos put right: 2, put wrong: 0." in text
    choose(app, "flips")
    assert "Result 1: Gear (70% sure)" in shown(app) and "Result 2: Bolt (70% sure)" in shown(app)
    assert "Before:" not in shown(app)


def test_two_results_without_a_common_photo_say_so_and_the_choice_stays(
    db: Database, project: Project, open_page: OpenPage
) -> None:
    tests = storage.photos.list_(db, project.id, role="test")
    add_run(db, project, [0] * 4, [0] * 4, tests[:4])
    add_run(db, project, [0] * 8, [0] * 8, tests[4:])
    app = open_page(PAGE, project)
    other_box(app).set_value("run1").run()
    assert not app.exception
    assert "no measured photo in common" in app.error[0].value
    assert app.button(key="next_train")
    other_box(app).set_value("").run()
    assert not app.error
    assert "0 of 8 right" in shown(app)


def test_results_of_the_same_name_can_be_told_apart(db: Database, project: Project, open_page: OpenPage) -> None:
    for answers in ([0] * 12, [1] * 12):
        storage.runs.rename(db, add_run(db, project, [0] * 12, answers), "Trial")
    app = open_page(PAGE, project)
    other_box(app).set_value("run1").run()
    for view in VIEWS:
        choose(app, view)
        assert not app.error
    choose(app, "classes")
    assert {"Trial (1): found", "Trial (2): found"} <= set(app.dataframe[0].value.columns)


def test_renaming_keeps_the_chosen_result(db: Database, project: Project, open_page: OpenPage, run_id: str) -> None:
    add_run(db, project, [0] * 12, [1] * 12)
    app = open_page(PAGE, project)
    run_box(app).set_value(run_id).run()
    assert "9 of 12 right" in shown(app)
    labelled(app, "text_input", "Name of this result").set_value("First try")
    press(app, "Rename")
    assert storage.runs.list_(db, project.id)[1].name == "First try"
    assert "9 of 12 right" in shown(app)
    assert any(option.startswith("First try (1)") for option in run_box(app).options)


def test_another_language_keeps_the_chosen_results(
    db: Database, project: Project, open_page: OpenPage, run_id: str
) -> None:
    add_run(db, project, [0] * 12, [1] * 12)
    app = open_page(PAGE, project)
    run_box(app).set_value(run_id).run()
    other_box(app).set_value("run2").run()
    keys = {one.key for one in app.selectbox}
    app.segmented_control(key="language_switch_en").set_value("ja").run()
    assert not app.exception
    assert "12 枚中 9 枚が正解" in shown(app)
    assert "両方の結果で測った **12** 枚" in shown(app)
    assert not keys & {one.key for one in app.selectbox[:3]}  # a box that stays would show the old language


def test_an_empty_name_takes_the_name_away(db: Database, project: Project, open_page: OpenPage, run_id: str) -> None:
    storage.runs.rename(db, run_id, "First try")
    app = open_page(PAGE, project)
    assert "First try (1)" in run_box(app).options[0]
    labelled(app, "text_input", "Name of this result").set_value("  ")
    press(app, "Rename")
    assert storage.runs.load(db, run_id).summary.name == ""
    assert "Result 1" in run_box(app).options[0]


def test_a_result_that_another_tab_deleted_is_told(
    db: Database, project: Project, open_page: OpenPage, run_id: str
) -> None:
    app = open_page(PAGE, project)
    labelled(app, "text_input", "Name of this result").set_value("First try")
    storage.runs.delete(db, run_id)
    press(app, "Rename")
    assert "no result yet" in shown(app)
    assert "Deleted: Result 1" in shown(app)


def test_deleting_and_bringing_back(db: Database, project: Project, open_page: OpenPage, run_id: str) -> None:
    app = open_page(PAGE, project)
    press(app, "Delete this result")
    assert storage.runs.list_(db, project.id) == ()
    assert "no result yet" in shown(app)
    assert "Deleted: Result 1" in shown(app)
    app.button(key=f"restore_run_{run_id}").click().run()
    assert not app.exception
    assert "9 of 12 right" in shown(app)


# -- files -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def offered(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], bytes]:
    """`offered("Parts_result1_classes.csv")`: the file as a click gives it, made outside of every session."""
    makers: dict[str, Callable[[], bytes]] = {}
    add = MediaFileManager.add_deferred

    def keep(self: MediaFileManager, maker: Any, *args: Any, **kwargs: Any) -> str:
        makers[kwargs["file_name"]] = maker
        return add(self, maker, *args, **kwargs)

    monkeypatch.setattr(MediaFileManager, "add_deferred", keep)

    def made(name: str) -> bytes:
        found: list[bytes] = []
        thread = threading.Thread(target=lambda: found.append(makers[name]()))
        thread.start()
        thread.join()
        return found[0]

    return made


def table(content: bytes) -> list[list[str]]:
    assert content.startswith(b"\xef\xbb\xbf")  # Excel takes it for another encoding without
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))


@pytest.mark.usefixtures("run_id")
def test_every_table_as_a_file(project: Project, open_page: OpenPage, offered: Callable[[str], bytes]) -> None:
    choose(open_page(PAGE, project), "files")
    classes = table(offered("Parts_result1_classes.csv"))
    assert classes[0][:4] == ["Class", "Photos", "Before: right", "Before: found"]
    assert classes[2] == [
        "Bolt",
        "4",
        "0",
        "0.0000",
        "0.0000",
        "0.4899",
        "",
        "2",
        "0.5000",
        "0.1500",
        "0.8500",
        "0.6667",
    ]
    photos = table(offered("Parts_result1_photos.csv"))
    assert len(photos) == 13
    assert photos[4][:6] == ["Nut test 3.jpg", "Nut", "Nut", "0.7000", "Bolt", "0.7000"]
    assert table(offered("Parts_result1_confusion_1.csv"))[1:] == [
        ["Nut", "4", "0", "0"],
        ["Bolt", "4", "0", "0"],
        ["Gear", "4", "0", "0"],
    ]
    assert table(offered("Parts_result1_confusion_2.csv"))[1:] == [
        ["Nut", "3", "1", "0"],
        ["Bolt", "0", "2", "2"],
        ["Gear", "0", "0", "4"],
    ]
    assert ["Model", "Starter (built in)"] in table(offered("Parts_result1_settings.csv"))
    assert json.loads(offered("Parts_result1_result.json"))["settings"]["seed"] == 7


@pytest.mark.usefixtures("run_id")
def test_files_are_in_the_language_of_the_screen(
    project: Project, open_page: OpenPage, offered: Callable[[str], bytes]
) -> None:
    choose(open_page(PAGE, project, "ja"), "files")
    assert table(offered("Parts_result1_classes.csv"))[0][:2] == ["種類", "写真"]
    assert "学習後" in offered("Parts_result1_confusion_2.svg").decode()
    assert '<html lang="ja">' in offered("Parts_result1_ranges.html").decode()


@pytest.mark.usefixtures("run_id")
def test_figures_as_they_were_looked_at(project: Project, open_page: OpenPage, offered: Callable[[str], bytes]) -> None:
    app = open_page(PAGE, project)
    app.segmented_control(key="matrix_unit").set_value("percent").run()
    choose(app, "files").run()  # what was chosen before is forgotten one run later, unless it is kept
    assert offered("Parts_result1_loss.png").startswith(b"\x89PNG")
    assert ">75</text>" in offered("Parts_result1_confusion_2.svg").decode()  # per cent of the nuts


def test_a_spreadsheet_runs_no_name(db: Database, open_page: OpenPage, offered: Callable[[str], bytes]) -> None:
    project = make_project(db, "Parts", ("=1+1", "Nut"))
    add_photos(db, project, 1, "test")
    add_run(db, project, [0, 0], [0, 1])
    choose(open_page(PAGE, project), "files")
    for name in ("classes", "photos", "confusion_1"):
        cells = [one for row in table(offered(f"Parts_result1_{name}.csv")) for one in row]
        assert not [one for one in cells if one.startswith("=")]
        assert any(one.startswith("'=1+1") for one in cells)


# -- what people type ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "ja"])
def test_hostile_names_do_no_harm(db: Database, open_page: OpenPage, language: str) -> None:
    project = make_project(db, "Parts", HOSTILE)
    add_photos(db, project, 2, "test")
    count = 2 * len(HOSTILE)
    wrong = [(label + 1) % len(HOSTILE) for label in range(len(HOSTILE)) for _ in (1, 2)]
    add_run(db, project, [0] * count, wrong)
    storage.runs.rename(db, add_run(db, project, [0] * count, [0] * count), "![](http://example.com/a.png)")
    app = open_page(PAGE, project, language)
    app.selectbox[1].set_value("run1").run()
    for view in VIEWS:
        choose(app, view)
        assert not app.error
        text = as_markdown(app)
        for raw in ("<b>", "![](http", "\u202e", ":red[", "$x$"):
            assert raw not in text, (view, raw)
        for chart in app.main.get("vega_lite_chart"):
            assert "202e" not in chart.proto.spec  # as a label it would turn the axis around


def test_a_real_run_fits_the_page(db: Database, open_page: OpenPage, tmp_path: Path) -> None:
    """Whatever this page reads stands in what the engine writes."""
    fakes.write_photos(tmp_path / "train", {"bolt": range(6), "nut": range(6)})
    run = fakes.tiny_run(dataset.read_folders(tmp_path / "train"))
    project = make_project(db, "Parts", ("bolt", "nut"))
    storage.runs.add(db, "real", project.id, None, "f", runs.as_dict(run), runs.answers_as_dict(run))
    app = open_page(PAGE, project)
    assert "cross-validation" in shown(app)
    for view in VIEWS:
        choose(app, view)
        assert not app.error
