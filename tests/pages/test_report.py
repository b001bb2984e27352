"""The report's page: what is chosen and typed is kept, the yearly effect follows at once, three files can be taken away."""

from __future__ import annotations

import io

import pytest
from pptx import Presentation
from pptx.enum.shapes import MSO_SHAPE_TYPE
from streamlit.testing.v1 import AppTest

from pages.ui import report_file, report_source
from prolip_core import business, i18n, storage
from prolip_core.reports import advice, business_pages, files, source
from prolip_core.reports.source import Choices
from prolip_core.storage import Database
from prolip_core.storage.records import Project, RunRecord
from tests import report_cases
from tests.pages.conftest import OpenPage, add_photos, as_markdown, box, make_project

PAGE = "pages/report.py"
NAMES = ("Good", "Scratch <b>", "Dent")


def keep(db: Database, project: Project, run: RunRecord, run_id: str = "run1") -> str:
    """The made-up run as one of the project, on photos that are in the store."""
    photos = storage.photos.list_(db, project.id, role="test")
    answers = {
        "image_ids": [photo.image_id for photo in photos],
        "labels": [one.label for one in run.prolip],
        "zero_shot": [list(one.probabilities) for one in run.zero_shot],
        "prolip": [list(one.probabilities) for one in run.prolip],
    }
    result = {
        **run.result,
        "zero_shot": {"correct": run.summary.zero_shot_correct, "count": run.summary.count},
        "prolip": {"correct": run.summary.prolip_correct, "count": run.summary.count},
    }
    fingerprint = storage.photos.fingerprint(db, project.id)
    storage.runs.add(db, run_id, project.id, None, fingerprint, result, answers)
    return run_id


@pytest.fixture
def project(db: Database) -> Project:
    """Three classes with eight test photos each, and a run."""
    made = make_project(db, "部品 <i>", NAMES)
    add_photos(db, made, 8, "test")
    keep(db, made, report_cases.run(NAMES))
    return made


def no_exception(app: AppTest) -> AppTest:
    assert not app.exception, app.exception
    assert "Something unexpected" not in as_markdown(app)
    return app


def test_without_a_result_it_leads_to_the_training(db: Database, open_page: OpenPage) -> None:
    app = open_page(PAGE, make_project(db, "Empty", NAMES))
    assert "There is no result yet." in as_markdown(app)


@pytest.mark.parametrize(("language", "answer"), [("en", "Not yet: "), ("ja", "まだ")])
@pytest.mark.parametrize("wanted", [0.999, 0.5])
def test_the_answer_is_shown_as_it_will_stand_there(
    db: Database, project: Project, open_page: OpenPage, language: str, answer: str, wanted: float
) -> None:
    storage.report_choices.save(db, project.id, "report", wanted=wanted)
    found = report_source.of(project, storage.runs.list_(db, project.id)[0])
    sentence = advice.answer(i18n.translator(language), found)
    outcome = advice.outcome(found)
    text = as_markdown(no_exception(open_page(PAGE, project, language)))
    assert sentence in text.replace("\\", "")
    assert sentence.startswith(answer) == (outcome == "not enough") == (wanted == 0.999)
    assert "<b>" not in text and "<i>" not in text


def test_what_is_chosen_is_kept(db: Database, project: Project, open_page: OpenPage) -> None:
    app = open_page(PAGE, project)
    app.text_input(key=f"report_title_{project.id}").set_value("Title *x*").run()
    app.text_input(key=f"report_organisation_{project.id}").set_value("Works").run()
    app.number_input(key=f"report_wanted_{project.id}").set_value(60.0).run()
    app.checkbox(key=f"report_part_cost_{project.id}").uncheck().run()
    app.radio(key=f"report_language_{project.id}_en").set_value("ja").run()
    no_exception(app)
    kept = storage.report_choices.load(db, project.id, "report")
    assert kept["language"] == "ja"
    expected = Choices("Title *x*", "Works", "", 0.6, ("photos", "classes", "evidence", "production"))
    assert source.from_dict(kept) == expected
    app = no_exception(open_page(PAGE, project))  # anew: all of it is still there
    assert app.text_input(key=f"report_title_{project.id}").value == "Title *x*"
    assert "推定範囲" in as_markdown(app)  # the preview speaks the language of the report


def test_the_effect_of_a_year_follows_what_is_typed(db: Database, project: Project, open_page: OpenPage) -> None:
    app = open_page(PAGE, project)
    app.segmented_control(key="report_view").set_value("cost").run()
    assert "Fill in how many parts a day there are" in as_markdown(app)
    typed = {"parts_per_day": 1000.0, "check_seconds": 6.0, "minute_cost": 0.8, "wrong_cost": 2.0, "person_wrong": 1.5}
    for name, value in typed.items():
        app.number_input(key=f"cost_{name}_{project.id}").set_value(value).run()
    no_exception(app)
    kept = business.from_dict(storage.report_choices.load(db, project.id, "business"))
    assert (kept.parts_per_day, kept.minute_cost, kept.person_wrong) == (1000, 0.8, 0.015)
    run = storage.runs.load(db, "run1")
    counts = business.tally(run.prolip, set(), source.sure_of(run))
    effect = business.yearly(kept, counts)
    text = as_markdown(app)
    for value in (effect.effect.low, effect.effect.likely, effect.effect.high):
        shown = business_pages.money(i18n.translator("en"), "¥", value)
        assert shown in text.replace("\\", "")
    assert "Cost of a wrong answer" in [one.label for one in app.number_input]

    app.multiselect[0].set_value([1, 2]).run()
    no_exception(app)
    labels = [one.label for one in app.number_input]
    assert "Cost of a miss" in labels and "Cost of a wrong answer" not in labels
    assert business.from_dict(storage.report_choices.load(db, project.id, "business")).bad_classes == NAMES[1:]


def test_the_choices_stay_with_their_project_and_go_with_it(db: Database, project: Project) -> None:
    other = make_project(db, "Other", NAMES)
    storage.report_choices.save(db, project.id, "report", title="A")
    storage.report_choices.save(db, project.id, "report", author="B")
    storage.report_choices.save(db, project.id, "business", wrong_cost=3)
    assert storage.report_choices.load(db, project.id, "report") == {"title": "A", "author": "B"}
    assert storage.report_choices.load(db, other.id, "report") == {}
    storage.projects.delete(db, project.id)
    storage.projects.expire(db, project.id)
    storage.purge(db)
    assert storage.report_choices.load(db, project.id, "business") == {}


def test_a_renamed_result_is_called_so_and_a_stale_one_is_told(
    db: Database, project: Project, open_page: OpenPage
) -> None:
    storage.runs.rename(db, "run1", "Spring")
    add_photos(db, project, 1, "train")
    app = no_exception(open_page(PAGE, project))
    assert "were changed since this training" in as_markdown(app)
    assert "Spring" in box(app, "Result").options[0]


def test_the_slides_say_what_the_page_is_about(db: Database, project: Project) -> None:
    """What Streamlit calls when the button is pressed, outside of any session."""
    found = report_source.of(project, storage.runs.list_(db, project.id)[0])
    data = report_file._made(found, "ja", files.FORMS["pptx"].write)()
    slides = list(Presentation(io.BytesIO(data)).slides)
    text = "\n".join(shape.text_frame.text for slide in slides for shape in slide.shapes if shape.has_text_frame)
    assert "部品 <i>" in text and "スターター" in text
    assert any(shape.shape_type == MSO_SHAPE_TYPE.PICTURE for slide in slides for shape in slide.shapes)


def test_only_studies_of_the_very_same_photos_and_model_are_told(db: Database, project: Project) -> None:
    now = storage.photos.fingerprint(db, project.id)

    def add(kind: str, fingerprint: str = now, backbone: str = "starter", run_id: str | None = None) -> str:
        made = storage.studies.add(
            db, project.id, None, kind, {}, fingerprint, {"backbone": backbone, "kind": kind}, run_id=run_id
        )
        return made.id

    wanted = {"curve": add("curve"), "look": add("look", "older", run_id="run1")}
    add("stress", "older")
    add("certainty", backbone="another")
    run = storage.runs.load(db, "run1")
    found = report_source.studies_of(project, run)
    assert {kind: record.summary.id for kind, record in found.items()} == wanted
