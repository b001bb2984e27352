"""The start page with projects on their way into files and out of files."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pages.ui import cached, project_file
from prolip_core import storage
from prolip_core.errors import Cancelled
from prolip_core.project_files import writing
from prolip_core.storage import Database
from prolip_core.types import Progress
from tests.pages.conftest import shown
from tests.project_file_factory import add_run, small_project


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(project_file, "AT_ONCE_S", 60.0)


def click(app: AppTest, key: str) -> AppTest:
    app.button(key=key).click().run()
    assert not app.exception, app.exception
    return app


@pytest.mark.parametrize("language", ["en", "ja"])
def test_a_project_is_saved_and_its_file_offered_until_it_is_closed(app: AppTest, db: Database, language: str) -> None:
    project = small_project(db, "Parts ![](http://example.com/a.png)")
    app.query_params["lang"] = language
    app.run()
    click(app, f"save_file_{project.id}")
    one = cached.transfers().of_project(project.id)
    assert one is not None and one.state == "done"
    text = shown(app)
    assert "MB" in text and "![](" not in text
    app.run()  # as after a reload: it is still there
    assert "MB" in shown(app)
    click(app, f"close_file_{one.id}")
    assert cached.transfers().of_project(project.id) is None
    assert cached.transfers().ready_file(one.id) is None


def test_a_file_that_is_gone_is_not_offered_any_more(app: AppTest, db: Database) -> None:
    project = small_project(db)
    app.run()
    click(app, f"save_file_{project.id}")
    one = cached.transfers().of_project(project.id)
    assert one is not None
    one.path.unlink()
    app.run()
    assert not app.exception
    assert "MB" not in shown(app)


def test_a_file_becomes_a_project_which_opens(app: AppTest, db: Database, tmp_path: Path) -> None:
    project = small_project(db)
    add_run(db, project)
    data = writing.save(db, project.id, tmp_path / "x.prolip").path.read_bytes()
    app.run()
    app.file_uploader(key="project_file_0").set_value(("x.prolip", data, "application/zip")).run()
    assert not app.exception, app.exception
    made = next(card.project for card in storage.projects.cards(db) if card.project.id != project.id)
    assert app.query_params["project"] == made.id
    assert cached.transfers().imports() == ()
    assert app.title[0].value != "Will a few photos be enough to recognise your products?"


@pytest.mark.parametrize("language", ["en", "ja"])
def test_what_is_no_project_file_is_told_and_can_be_closed(app: AppTest, db: Database, language: str) -> None:
    app.query_params["lang"] = language
    app.run()
    app.file_uploader(key="project_file_0").set_value(("<b>x</b>.prolip", b"nothing", "application/zip")).run()
    assert not app.exception, app.exception
    (told,) = app.error
    assert "prolip" in told.value and "<b>" not in told.value
    assert ("is no project file" in told.value) == (language == "en")
    (one,) = cached.transfers().imports()
    click(app, f"close_file_{one.id}")
    assert not app.error and storage.projects.cards(db) == ()


def test_a_project_that_was_deleted_meanwhile_is_no_error(app: AppTest, db: Database, tmp_path: Path) -> None:
    project = small_project(db)
    data = writing.save(db, project.id, tmp_path / "x.prolip").path
    with data.open("rb") as file:
        one = cached.transfers().open_file(file, "x.prolip")
    cached.transfers().wait(one.id, 60.0)
    app.run()  # another tab: it is told, and offered
    assert "x.prolip" in shown(app).replace("\\", "")
    made = next(card.project for card in storage.projects.cards(db) if card.project.id != project.id)
    storage.projects.delete(db, made.id)
    app.run()
    assert not app.exception
    assert cached.transfers().imports() == ()


def test_how_far_it_is_and_stop(app: AppTest, db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    project = small_project(db)
    begun, go = threading.Event(), threading.Event()

    def slow(database: Database, project_id: str, path: Path, on_progress: writing.OnProgress) -> writing.SavedFile:
        on_progress(Progress("export", 3, 8, 1.0, 5.0))
        begun.set()
        assert go.wait(60.0)
        if on_progress(Progress("export", 4, 8, 1.0, 4.0)):
            raise Cancelled("Stopped; nothing was saved.")
        raise AssertionError("nobody asked it to stop")

    monkeypatch.setattr(project_file, "AT_ONCE_S", 0.01)
    monkeypatch.setattr(writing, "save", slow)
    app.run()
    click(app, f"save_file_{project.id}")
    assert begun.wait(60.0)
    app.run()  # as after a reload: it goes on, and is to be seen
    (bar,) = app.get("progress")
    assert bar.proto.text == "3 of 8 photos · 5 seconds left"
    one = cached.transfers().of_project(project.id)
    assert one is not None
    click(app, f"stop_file_{one.id}")
    go.set()
    cached.transfers().wait(one.id, 60.0)
    app.run()
    assert "nothing of it was kept" in shown(app)
