"""Projects into files and out of files in the background: seen, stopped, told, put away; and the two commands."""

from __future__ import annotations

import io
import threading
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from prolip_core import cli, config, storage
from prolip_core.project_files import layout, reading, transfers, writing
from prolip_core.project_files.transfers import Transfer, Transfers
from prolip_core.storage import Database
from prolip_core.storage.records import Project
from tests.project_file_factory import small_project

LONG_S = 60.0


@pytest.fixture
def project(db: Database) -> Project:
    return small_project(db, "部品 1")


def ended(all_: Transfers, one: Transfer) -> Transfer:
    all_.wait(one.id, LONG_S)
    found = all_.get(one.id)
    assert found is not None and not found.is_live
    return found


class Held:
    """Work that waits in its middle until it is let go."""

    def __init__(self, work: Any) -> None:
        self.begun, self.go, self._work = threading.Event(), threading.Event(), work

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.begun.set()
        assert self.go.wait(LONG_S)
        return self._work(*args, **kwargs)


def test_there_and_back(db: Database, project: Project) -> None:
    all_ = Transfers(db)
    saved = ended(all_, all_.save(project.id, project.name))
    found = all_.ready_file(saved.id)
    assert found is not None and found[1] == "部品_1.prolip"
    assert saved.size_bytes == found[0].stat().st_size > 0
    assert saved.progress is None or saved.progress.done == saved.progress.total
    opened = ended(all_, all_.open_file(io.BytesIO(found[0].read_bytes()), "部品_1.prolip"))
    assert opened.state == "done" and all_.imports() == (opened,)
    made = storage.projects.get(db, opened.project_id or "")
    assert made is not None and made.name == "部品 1 (2)"
    assert list(config.import_folder().iterdir()) == []
    for one in (saved, opened):
        all_.forget(one.id)
    assert all_.ready_file(saved.id) is None and all_.of_project(project.id) is None and all_.imports() == ()
    assert list((config.export_folder() / project.id).iterdir()) == []


def test_a_project_is_saved_once_at_a_time_and_its_older_file_goes(db: Database, project: Project) -> None:
    all_ = Transfers(db)
    with mock.patch.object(writing, "save", Held(writing.save)) as held:
        first = all_.save(project.id, project.name)
        assert all_.save(project.id, project.name).id == first.id
        all_.forget(first.id)  # not while it is under way
        held.go.set()
        ended(all_, first)
    second = ended(all_, all_.save(project.id, project.name))
    assert all_.ready_file(first.id) is None
    assert [file.stem for file in (config.export_folder() / project.id).iterdir()] == [second.id]


def test_stop(db: Database, project: Project, tmp_path: Path) -> None:
    all_ = Transfers(db)
    data = writing.save(db, project.id, tmp_path / "x.prolip").path.read_bytes()
    with mock.patch.object(writing, "save", Held(writing.save)) as held:
        one = all_.save(project.id, project.name)
        all_.stop(one.id)
        held.go.set()
        assert ended(all_, one).state == "stopped"
    assert all_.ready_file(one.id) is None and list((config.export_folder() / project.id).iterdir()) == []
    with mock.patch.object(reading, "open_project", Held(reading.open_project)) as held:
        one = all_.open_file(io.BytesIO(data), "x.prolip")
        all_.stop(one.id)
        held.go.set()
        assert ended(all_, one).state == "stopped"
    assert len(storage.projects.cards(db)) == 1 and list(config.import_folder().iterdir()) == []


def test_failures_are_told_and_leave_no_file(db: Database, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    all_ = Transfers(db)
    bad = ended(all_, all_.open_file(io.BytesIO(b"no zip"), "photo.jpg"))
    assert bad.state == "failed" and "photo.jpg" in str(bad.error)
    with mock.patch.object(reading, "open_project", side_effect=ValueError("secret path")):
        odd = ended(all_, all_.open_file(io.BytesIO(b"x"), "x"))
    assert odd.state == "failed" and "ValueError" in str(odd.error) and "secret" not in str(odd.error)
    with mock.patch.object(writing, "save", side_effect=MemoryError):
        full = ended(all_, all_.save(project.id, project.name))
    assert "memory" in str(full.error)
    assert list(config.import_folder().iterdir()) == []
    assert all_.imports() == (bad, odd)
    monkeypatch.setattr(transfers, "TOLD_S", -1.0)
    assert all_.imports() == ()


def run(*arguments: str) -> int:
    return cli.main(arguments)


def test_the_two_commands(db: Database, project: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.prolip"
    assert run("export", "部品 1", "--out", str(path)) == 0
    assert capsys.readouterr().out.startswith("部品 1: 8 photos, 0 results, ")
    assert run("import", str(path)) == 0
    (made,) = [card.project for card in storage.projects.cards(db) if card.project.id != project.id]
    assert capsys.readouterr().out == f"部品 1 (2) ({made.id})\n"
    assert run("export", project.id, "--out", str(tmp_path / "by_id.prolip")) == 0


def test_what_the_commands_refuse(
    db: Database, project: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.prolip"
    assert run("export", "unknown", "--out", str(path)) == 2
    assert "部品 1" in capsys.readouterr().err
    twin = small_project(db, "部品 1")
    assert run("export", "部品 1", "--out", str(path)) == 2
    told = capsys.readouterr().err
    assert project.id in told and twin.id in told and told.count("\n") == 1
    path.write_bytes(b"mine")
    assert run("export", project.id, "--out", str(path)) == 2
    assert path.read_bytes() == b"mine"
    assert "is there already" in capsys.readouterr().err
    assert run("import", str(path)) == 2
    assert "is no project file" in capsys.readouterr().err
    assert run("import", str(tmp_path / "missing.prolip")) == 2
    assert "missing.prolip" in capsys.readouterr().err
    assert len(storage.projects.cards(db)) == 2 and layout.SUFFIX in path.name
