"""The start page: what it says, the sample, and everything that can be done with a project."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta

import pytest
from streamlit.testing.v1 import AppTest

from prolip_core import config, spec, storage
from prolip_core.storage import Database
from tests.pages.conftest import add_photos, make_project, shown

HOSTILE = ("<b>x</b>", "![](http://example.com/a.png)", "../..", "🦊 emoji", "\u202eevil", ":red[x] $x$", "x" * 120)


@pytest.fixture
def start(app: AppTest) -> AppTest:
    app.run()
    assert not app.exception
    return app


def click(app: AppTest, key: str) -> AppTest:
    app.button(key=key).click().run()
    assert not app.exception, app.exception
    return app


def test_the_first_visit_says_what_it_is_for_and_offers_the_sample(start: AppTest) -> None:
    text = shown(start)
    assert "recognise your products" in text
    assert "no project yet" in text
    assert start.button(key="try_sample").proto.type == "primary"


def test_the_sample_is_made_by_the_worker_and_its_progress_opens(start: AppTest, db: Database) -> None:
    click(start, "try_sample")
    (card,) = storage.projects.cards(db)
    job = storage.jobs.live(db, card.project.id)
    assert job is not None
    assert job.kind == "sample"
    assert spec.from_dict(job.payload["spec"]) == spec.PilotSpec()
    assert job.payload["language"] == "en"
    assert card.is_busy
    assert start.query_params["project"] == card.project.id
    assert "Fine-tune" in [title.value for title in start.title]


def test_the_sample_carries_the_language_of_the_screen(app: AppTest, db: Database) -> None:
    app.query_params["lang"] = "ja"
    app.run()
    click(app, "try_sample")
    job = storage.jobs.live(db, storage.projects.cards(db)[0].project.id)
    assert job is not None
    assert job.payload["language"] == "ja"


def test_a_new_project_gets_the_next_free_name_and_opens_at_its_classes(start: AppTest, db: Database) -> None:
    make_project(db, "Project 1")
    start.run()
    assert start.text_input(key="new_name_Project 2").value == "Project 2"
    click(start, "make_project")
    assert {card.project.name for card in storage.projects.cards(db)} == {"Project 1", "Project 2"}
    assert start.title[0].value == "Classes and sentences"


def test_an_empty_name_is_refused_in_words_and_makes_nothing(start: AppTest, db: Database) -> None:
    start.text_input(key="new_name_Project 1").set_value("   ")
    click(start, "make_project")
    assert "name is empty" in start.error[0].value
    assert storage.projects.cards(db) == ()


def test_a_card_counts_photos_and_shows_the_result_with_its_range(start: AppTest, db: Database) -> None:
    project = make_project(db, "Parts", ("Nut", "Bolt"))
    add_photos(db, project, 3)
    add_photos(db, project, 1, "test")
    result = {
        "evaluation": "test",
        "prolip": {"count": 100, "correct": 92},
        "zero_shot": {"correct": 29},
        "backbone": "starter",
        "settings": {"stopped_early": False},
    }
    storage.runs.add(db, "r1", project.id, None, "f", result, {})
    start.run()
    text = shown(start)
    assert "2 classes · 6 training photos · 2 test photos" in text
    assert "92 of 100 right (likely 85%–96%)" in text
    assert "29 of 100 right (likely 21%–39%)" in text
    assert "test photos, " in text
    assert len(start.get("image")) == 2  # one cover photo of each class


def test_opening_goes_to_the_step_that_is_next(start: AppTest, db: Database) -> None:
    empty, named = make_project(db, "Empty"), make_project(db, "Named", ("Nut", "Bolt"))
    start.run()
    click(start, f"open_{empty.id}")
    assert start.title[0].value == "Classes and sentences"
    start.switch_page("pages/projects.py").run()
    click(start, f"open_{named.id}")
    assert start.query_params["project"] == named.id
    assert start.title[0].value != "Classes and sentences"


def test_renaming_and_duplicating(start: AppTest, db: Database) -> None:
    project = make_project(db, "Parts", ("Nut", "Bolt"))
    start.run()
    start.text_input(key=f"name_{project.id}").set_value("Small parts")
    click(start, f"do_rename_{project.id}")
    click(start, f"duplicate_{project.id}")
    click(start, f"duplicate_{project.id}")
    names = [card.project.name for card in storage.projects.cards(db)]
    assert sorted(names) == ["Small parts", "Small parts (copy 2)", "Small parts (copy)"]
    assert {card.n_classes for card in storage.projects.cards(db)} == {2}


def test_the_copy_of_the_longest_name_is_not_too_long(start: AppTest, db: Database) -> None:
    project = make_project(db, "x" * config.MAX_NAME_CHARACTERS)
    start.run()
    click(start, f"duplicate_{project.id}")
    assert not start.error
    assert len(storage.projects.cards(db)) == 2


def test_a_deleted_project_can_be_brought_back(start: AppTest, db: Database) -> None:
    project = make_project(db, "Parts")
    start.run()
    click(start, f"delete_{project.id}")
    assert storage.projects.cards(db) == ()
    assert "Recently deleted" in shown(start)
    assert "10 minutes" in shown(start)
    click(start, f"restore_{project.id}")
    assert [card.project.id for card in storage.projects.cards(db)] == [project.id]
    assert "Recently deleted" not in shown(start)


def test_deleting_for_good_takes_the_photos_off_the_disk(start: AppTest, db: Database) -> None:
    project = make_project(db, "Parts", ("Nut", "Bolt"))
    add_photos(db, project, 2)
    for file in config.photo_folder().glob("*/*/*"):
        os.utime(file, (time.time() - 120, time.time() - 120))  # one added just now would wait for the next time
    assert len(list(config.photo_folder().glob("*/*/*"))) == 4
    storage.projects.delete(db, project.id)
    start.run()
    click(start, f"do_expire_{project.id}")
    assert storage.projects.deleted(db) == ()
    assert list(config.photo_folder().glob("*/*/*")) == []
    assert list(config.thumbnail_folder().glob("*/*/*")) == []


def test_what_can_no_longer_be_brought_back_is_not_offered(
    start: AppTest, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project(db)
    past = datetime.now(UTC) - timedelta(seconds=config.UNDO_PERIOD_S + 1)
    monkeypatch.setattr("prolip_core.storage.projects.now", lambda: past)
    storage.projects.delete(db, project.id)
    start.run()
    assert "Recently deleted" not in shown(start)


def test_restoring_what_another_tab_removed_for_good_is_told(start: AppTest, db: Database) -> None:
    project = make_project(db)
    storage.projects.delete(db, project.id)
    start.run()
    button = start.button(key=f"restore_{project.id}")
    storage.projects.expire(db, project.id)
    storage.purge(db)
    button.click().run()
    assert not start.exception
    assert storage.projects.cards(db) == ()


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_do_no_harm(app: AppTest, db: Database, name: str, language: str) -> None:
    project = make_project(db, name)
    gone = make_project(db, name)
    storage.projects.delete(db, gone.id)
    app.query_params["lang"] = language
    app.query_params["project"] = project.id
    app.run()
    assert not app.exception
    text = "\n".join(element.value for element in (*app.markdown, *app.sidebar.markdown))
    for raw in ("<b>", "![](http", "\u202e", ":red[", "$x$"):
        assert raw not in text
    app.button(key=f"duplicate_{project.id}").click().run()
    assert not app.exception
    assert not app.error


def test_many_projects_come_in_pages(start: AppTest, db: Database) -> None:
    for number in range(14):
        make_project(db, f"Number {number}")
    start.run()
    assert not start.exception
    assert sum(button.key.startswith("open_") for button in start.button if button.key) == 12
