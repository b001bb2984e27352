"""The classes page: the table that saves itself, paste, order, sentences, and what is said about the names."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from prolip_core import catalogue, class_table, i18n, prompts, storage
from prolip_core.storage import Database
from prolip_core.storage.records import ClassRow, Job, Project
from tests.pages.conftest import OpenPage, add_photos, make_project, shown

PAGE = "pages/classes.py"
HOSTILE = ("<b>x</b>", "![](http://example.com/a.png)", "../..", "🦊", "\u202eevil", ":red[x] $x$", "{}", "{0.x}")


@pytest.fixture
def project(db: Database) -> Project:
    return make_project(db, "Parts", ("Nut", "Bolt"))


def names(db: Database, project: Project) -> list[tuple[str, tuple[str, ...]]]:
    return [(row.display_name, row.prompt_names) for row in storage.classes.list_(db, project.id)]


def type_in(app: AppTest, **state: Any) -> None:
    """What the browser sends after edits in the table, all since the table was begun, with what else was pressed meanwhile."""
    content = {"edited_rows": {}, "added_rows": [], "deleted_rows": [], **state}
    states = app._tree.get_widget_states()
    states.widgets.add(id=app.data_editor[0].proto.id, string_value=json.dumps(content))
    app._run(states)
    assert not app.exception, app.exception


def edit(app: AppTest, project: Project, **state: Any) -> AppTest:
    """Edits alone."""
    type_in(app, **state)
    return app


def answer(db: Database, project: Project, matrix: list[list[float]], scale: float = 12.0) -> Job:
    """In place of the worker."""
    job = storage.jobs.claim(db, "test", ("auto",))
    assert job is not None
    assert (job.kind, job.project_id) == ("similarity", project.id)
    names_ = [name for name, _ in job.payload["classes"]]
    storage.jobs.finish(db, job.id, "done", result={"names": names_, "matrix": matrix, "logit_scale": scale})
    return job


def test_an_empty_project_says_what_to_do_and_why_the_next_step_waits(db: Database, open_page: OpenPage) -> None:
    app = open_page(PAGE, make_project(db))
    assert app.button(key="next_photos").disabled
    assert "at least two classes" in shown(app)
    assert storage.jobs.claim(db, "test", ("auto",)) is None  # nothing to compare yet


def test_what_is_typed_is_saved_and_a_new_row_stays_one_class(
    db: Database, project: Project, open_page: OpenPage
) -> None:
    app = open_page(PAGE, project)
    edit(app, project, added_rows=[{"name": "Gear", "prompt": "", "synonyms": ""}])
    assert names(db, project)[2] == ("Gear", ("Gear",))
    id_ = storage.classes.list_(db, project.id)[2].id
    edit(app, project, added_rows=[{"name": "Wheel", "prompt": "gear wheel", "synonyms": "cog, cog wheel"}])
    assert names(db, project)[2] == ("Wheel", ("gear wheel", "cog", "cog wheel"))
    assert storage.classes.list_(db, project.id)[2].id == id_
    assert not app.button(key="next_photos").disabled


def test_a_click_right_after_the_last_cell_is_not_lost(db: Database, project: Project, open_page: OpenPage) -> None:
    app = open_page(PAGE, project)
    app.button(key="next_photos").click()
    type_in(app, added_rows=[{"name": "Gear"}])
    assert names(db, project)[2] == ("Gear", ("Gear",))
    assert app.title[0].value == "Photos"


def test_the_side_bar_knows_what_was_just_typed(db: Database, open_page: OpenPage) -> None:
    app = open_page(PAGE, make_project(db, classes=("Nut",)))
    assert "next" in link_to_classes(app)
    type_in(app, added_rows=[{"name": "Bolt"}])
    assert "done" in link_to_classes(app)


def link_to_classes(app: AppTest) -> str:
    links: list[str] = [link.proto.label for link in app.sidebar.get("page_link")]
    return next(label for label in links if label.startswith("Classes"))


def test_renaming_keeps_the_photos(db: Database, project: Project, open_page: OpenPage) -> None:
    add_photos(db, project, 2)
    app = open_page(PAGE, project)
    edit(app, project, edited_rows={0: {"name": "ナット"}})
    assert names(db, project)[0] == ("ナット", ("nut",))
    assert len(storage.photos.list_(db, project.id)) == 4
    assert not app.warning


def test_a_row_that_cannot_be_saved_is_named_and_nothing_is_lost(
    db: Database, project: Project, open_page: OpenPage
) -> None:
    app = open_page(PAGE, project)
    edit(app, project, edited_rows={1: {"name": "Nut"}}, added_rows=[{"name": "", "prompt": "gear"}])
    told = app.error[0].value
    assert "Row 2" in told
    assert "Row 3" in told
    assert "row 1 already" in told
    assert names(db, project) == [("Nut", ("nut",)), ("Bolt", ("bolt",))]
    assert app.button(key="next_photos").disabled
    edit(app, project, edited_rows={1: {"name": "Screw"}})
    assert not app.error
    assert names(db, project)[1][0] == "Screw"


def test_deleting_a_class_with_photos_says_so_and_undo_brings_all_back(
    db: Database, project: Project, open_page: OpenPage
) -> None:
    add_photos(db, project, 3)
    app = open_page(PAGE, project)
    edit(app, project, deleted_rows=[0])
    assert names(db, project) == [("Bolt", ("bolt",))]
    assert "Nut" in app.warning[0].value
    assert "3" in app.warning[0].value
    app.button(key="undo_classes").click().run()
    assert not app.exception
    assert [name for name, _ in names(db, project)] == ["Nut", "Bolt"]
    assert len(storage.photos.list_(db, project.id)) == 6
    assert not any("Deleted with" in warning.value for warning in app.warning)
    assert list(app.data_editor[0].value["name"]) == ["Nut", "Bolt"]


def test_a_change_in_another_tab_is_shown_and_not_overwritten(
    db: Database, project: Project, open_page: OpenPage
) -> None:
    app = open_page(PAGE, project)
    edit(app, project, edited_rows={0: {"name": "Ring"}})
    rows = storage.classes.list_(db, project.id)
    storage.classes.save(db, project.id, [*rows, ClassRow(None, "Gear", ("gear",))])
    app.run()
    assert [name for name, _ in names(db, project)] == ["Ring", "Bolt", "Gear"]
    assert list(app.data_editor[0].value["name"]) == ["Ring", "Bolt", "Gear"]


def test_two_tabs_that_add_a_class_at_the_same_time_keep_both(
    db: Database, project: Project, open_page: OpenPage
) -> None:
    add_photos(db, project, 2)
    app = open_page(PAGE, project)
    rows = storage.classes.list_(db, project.id)
    storage.classes.save(
        db, project.id, [rows[0], ClassRow(rows[1].id, "Screw", ("screw",)), ClassRow(None, "Gear", ("gear",))]
    )
    type_in(app, edited_rows={0: {"name": "Ring"}}, added_rows=[{"name": "Spring"}])
    assert [name for name, _ in names(db, project)] == ["Ring", "Screw", "Gear", "Spring"]
    assert list(app.data_editor[0].value["name"]) == ["Ring", "Screw", "Gear", "Spring"]
    assert len(storage.photos.list_(db, project.id)) == 4
    type_in(app, edited_rows={3: {"name": "Coil"}})
    assert [name for name, _ in names(db, project)] == ["Ring", "Screw", "Gear", "Coil"]


@pytest.mark.parametrize("leave", ["page", "language"])
def test_coming_back_to_the_page_reverts_nothing(
    db: Database, project: Project, open_page: OpenPage, leave: str
) -> None:
    app = open_page(PAGE, project)
    edit(app, project, edited_rows={0: {"name": "Ring"}}, deleted_rows=[1])
    if leave == "page":
        app.switch_page("pages/projects.py").run()
        app.switch_page(PAGE).run()
    else:
        app.query_params["lang"] = "ja"
        app.run()
    assert not app.exception
    assert names(db, project) == [("Ring", ("nut",))]
    assert list(app.data_editor[0].value["name"]) == ["Ring"]


def test_many_lines_are_pasted_at_once(db: Database, project: Project, open_page: OpenPage) -> None:
    app = open_page(PAGE, project)
    app.text_area(key=f"paste_{project.id}_0").set_value("歯車\tmetal gear\tcog, gear wheel\nNut\nばね, spring\n")
    app.button(key="add_pasted").click().run()
    assert not app.exception
    assert names(db, project)[2:] == [("歯車", ("metal gear", "cog", "gear wheel")), ("ばね", ("spring",))]
    assert app.text_area(key=f"paste_{project.id}_1").value == ""
    assert any("Nut" in toast.value for toast in app.toast)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("ok\n, no name", "Row 2"),
        ("x" * 10_000, "Row 1"),
        ("Nut\nBolt", "no new class"),
        ("\n".join(f"c{n}" for n in range(class_table.MAX_CLASSES)), "at most"),
    ],
)
def test_a_paste_that_cannot_be_used_says_why_and_adds_nothing(
    db: Database, project: Project, open_page: OpenPage, text: str, told: str
) -> None:
    app = open_page(PAGE, project)
    app.text_area(key=f"paste_{project.id}_0").set_value(text)
    app.button(key="add_pasted").click().run()
    assert not app.exception
    assert told in shown(app)
    assert len(names(db, project)) == 2
    assert app.text_area(key=f"paste_{project.id}_0").value == text


def test_the_order_can_be_changed(db: Database, project: Project, open_page: OpenPage) -> None:
    app = open_page(PAGE, project)
    assert app.button(key="move_-1").disabled
    app.button(key="move_1").click().run()
    assert not app.exception
    assert [name for name, _ in names(db, project)] == ["Bolt", "Nut"]
    assert list(app.data_editor[0].value["name"]) == ["Bolt", "Nut"]
    assert app.button(key="move_1").disabled  # the chosen class is the last one now


def test_a_template_set_is_saved_and_the_very_sentences_are_shown(
    db: Database, project: Project, open_page: OpenPage
) -> None:
    app = open_page(PAGE, project)
    assert app.code[0].value == "a photo of a nut."
    app.radio(key=f"sentences_{project.id}_en").set_value("surface").run()
    assert not app.exception
    saved = storage.projects.get(db, project.id)
    assert saved is not None
    assert tuple(saved.spec["templates"]) == prompts.template_set("surface").templates
    assert app.code[0].value.splitlines() == [t.format("nut") for t in prompts.template_set("surface").templates]
    everything = app.dataframe[-1].value
    assert len(everything) == 6
    assert list(everything.iloc[-1]) == ["Bolt", "a macro photo of bolt."]


def test_own_sentences_are_checked_line_by_line(db: Database, project: Project, open_page: OpenPage) -> None:
    app = open_page(PAGE, project)
    app.radio(key=f"sentences_{project.id}_en").set_value("own").run()
    field = app.text_area(key=f"own_sentences_{project.id}")
    assert field.value == "a photo of a {}."
    field.set_value("a tray of {}.\n\nno place\n{} and {}").run()
    assert not app.exception
    told = app.error[0].value
    assert "Line 3" in told
    assert "Line 4" in told
    saved = storage.projects.get(db, project.id)
    assert saved is not None
    assert saved.spec["templates"] == ["a photo of a {}."]
    app.text_area(key=f"own_sentences_{project.id}").set_value("a tray of {}.\n{} on a belt\n").run()
    assert not app.error
    saved = storage.projects.get(db, project.id)
    assert saved is not None
    assert saved.spec["templates"] == ["a tray of {}.", "{} on a belt"]
    assert app.code[0].value.splitlines() == ["a tray of nut.", "nut on a belt"]


def test_own_sentences_stay_while_another_set_is_looked_at(db: Database, project: Project, open_page: OpenPage) -> None:
    app = open_page(PAGE, project)
    choice = f"sentences_{project.id}_en"
    app.radio(key=choice).set_value("own").run()
    app.text_area(key=f"own_sentences_{project.id}").set_value("a tray of {}.").run()
    app.radio(key=choice).set_value("surface").run()
    app.radio(key=choice).set_value("own").run()
    assert app.text_area(key=f"own_sentences_{project.id}").value == "a tray of {}."
    saved = storage.projects.get(db, project.id)
    assert saved is not None and saved.spec["templates"] == ["a tray of {}."]
    app.text_area(key=f"own_sentences_{project.id}").set_value("no place").run()
    assert app.button(key="next_photos").disabled


def test_no_sentence_at_all_is_not_saved(db: Database, project: Project, open_page: OpenPage) -> None:
    app = open_page(PAGE, project)
    app.radio(key=f"sentences_{project.id}_en").set_value("own").run()
    app.text_area(key=f"own_sentences_{project.id}").set_value(" \n").run()
    assert "at least one sentence" in app.error[0].value


def test_the_worker_is_asked_once_and_names_that_are_alike_are_told(
    db: Database, project: Project, open_page: OpenPage
) -> None:
    app = open_page(PAGE, project)
    app.run()
    assert "reading the names" in shown(app)
    job = answer(db, project, [[1.0, 0.95], [0.95, 1.0]])
    assert storage.jobs.claim(db, "test", ("auto",)) is None
    assert job.payload["classes"] == [["Nut", ["nut"]], ["Bolt", ["bolt"]]]
    app.run()
    assert not app.exception
    warning = app.warning[0].value
    assert "**Nut** and **Bolt**" in warning
    assert "46%" in warning  # 1 / (1 + exp(12 · 0.3 · 0.05))
    assert "shape, colour" in warning
    assert app.get("vega_lite_chart")


def test_names_that_differ_are_told_so(db: Database, project: Project, open_page: OpenPage) -> None:
    app = open_page(PAGE, project)
    answer(db, project, [[1.0, 0.1], [0.1, 1.0]])
    app.run()
    assert "all of these names apart" in app.success[0].value
    assert not app.warning


def test_after_a_change_the_old_question_is_dropped_and_the_new_one_asked(
    db: Database, project: Project, open_page: OpenPage
) -> None:
    app = open_page(PAGE, project)
    edit(app, project, edited_rows={0: {"prompt": "ring"}})
    job = storage.jobs.claim(db, "test", ("auto",))
    assert job is not None
    assert job.payload["classes"][0] == ["Nut", ["ring"]]
    assert storage.jobs.claim(db, "test", ("auto",)) is None


def test_a_question_that_failed_says_why_and_can_be_asked_again(
    db: Database, project: Project, open_page: OpenPage
) -> None:
    app = open_page(PAGE, project)
    job = storage.jobs.claim(db, "test", ("auto",))
    assert job is not None
    problem = {"message": "No {what} here.", "remedy": "Get one.", "values": {"what": "model"}}
    storage.jobs.finish(db, job.id, "failed", error=problem)
    app.run()
    assert "No model here" in app.error[0].value
    assert storage.jobs.claim(db, "test", ("auto",)) is None  # not again by itself
    app.button(key="ask_similarity").click().run()
    assert not app.exception
    assert storage.jobs.claim(db, "test", ("auto",)) is not None


def test_a_large_model_is_only_asked_on_demand_with_its_size(
    db: Database, project: Project, open_page: OpenPage
) -> None:
    backbone = {**project.spec["backbone"], "name": "x", "title": "Big *model*", "download_mb": 600}
    storage.projects.set_spec(db, project.id, {**project.spec, "backbone": backbone})
    app = open_page(PAGE, project)
    assert "600" in shown(app)
    assert "*model*" not in shown(app).replace(r"\*model\*", "")
    assert storage.jobs.claim(db, "test", ("auto",)) is None
    app.button(key="ask_similarity").click().run()
    assert storage.jobs.claim(db, "test", ("auto",)) is not None


def test_a_model_of_the_catalogue_is_called_as_in_the_catalogue(
    db: Database, project: Project, open_page: OpenPage
) -> None:
    backbone = asdict(catalogue.parse("multilingual-vit-b-32"))
    storage.projects.set_spec(db, project.id, {**project.spec, "backbone": backbone})
    told = shown(open_page(PAGE, project, "ja")).replace("\\", "")
    assert i18n.translator("ja").text("Multilingual CLIP (XLM-R, ViT-B/32)") in told
    assert "Multilingual" not in told


def test_names_that_are_not_english_are_told_only_where_the_model_reads_english_alone(
    db: Database, open_page: OpenPage
) -> None:
    project = make_project(db, "Milk", ("牛乳", "soy milk"))
    app = open_page(PAGE, project)
    assert "reads English only" in app.warning[0].value
    assert "牛乳" in app.warning[0].value
    backbone = {**project.spec["backbone"], "language": "Many languages, Japanese included"}
    storage.projects.set_spec(db, project.id, {**project.spec, "backbone": backbone})
    app.run()
    assert not app.warning


def test_the_same_english_names_are_told_and_the_worker_is_not_asked(db: Database, open_page: OpenPage) -> None:
    project = make_project(db)
    storage.classes.save(db, project.id, [ClassRow(None, "Soy", ("milk",)), ClassRow(None, "Oat", ("milk",))])
    app = open_page(PAGE, project)
    assert "same English names" in app.error[0].value
    assert storage.jobs.claim(db, "test", ("auto",)) is None


@pytest.mark.parametrize("language", ["en", "ja"])
def test_hostile_names_do_no_harm(db: Database, open_page: OpenPage, language: str) -> None:
    project = make_project(db, "Parts", (*HOSTILE, "x" * prompts.MAX_NAME_CHARACTERS))
    app = open_page(PAGE, project, language)
    answer(db, project, [[1.0] * (len(HOSTILE) + 1)] * (len(HOSTILE) + 1))
    app.run()
    assert not app.exception
    told = "\n".join(element.value for element in (*app.markdown, *app.warning, *app.error, *app.caption))
    for raw in ("<b>", "![](http", "\u202e", ":red[", "$x$"):
        assert raw not in told
    assert len(names(db, project)) == len(HOSTILE) + 1


@pytest.mark.parametrize("language", ["en", "ja"])
def test_a_project_that_is_gone_shows_the_way_back(db: Database, open_page: OpenPage, language: str) -> None:
    project = make_project(db)
    storage.projects.delete(db, project.id)
    app = open_page(PAGE, project, language)
    assert not app.data_editor
    assert app.info


@pytest.mark.parametrize("language", ["en", "ja"])
def test_undo_leaves_photos_alone_on_the_page_of_the_classes(db: Database, open_page: OpenPage, language: str) -> None:
    project = make_project(db, classes=("Nut", "Bolt"))
    add_photos(db, project, 1)
    app = open_page(PAGE, project, language)
    assert app.button(key="undo_classes").disabled
    assert {"en": "Photos", "ja": "写真"}[language] in app.button(key="undo_classes").help
    while storage.undo.available(db, project.id) == "add":
        storage.undo.take_back(db, project.id)
    app.run()
    assert not app.button(key="undo_classes").disabled


def test_the_language_can_be_changed_to_and_fro(db: Database, app: AppTest, open_page: OpenPage) -> None:
    project = make_project(db, classes=("Nut", "Bolt"))
    open_page(PAGE, project)
    for language in ("ja", "en", "ja"):
        app.query_params["lang"] = language
        app.run()
        sets = app.radio[0]
        sets.set_value(sets.options[1] if sets.value == sets.options[0] else sets.options[0])
        app.run()
        assert not app.exception and not app.error
