"""A project that went through a file is the same project: numbers, names, photos, answers; and nothing else comes along."""

from __future__ import annotations

import json
import os
import time
import zipfile
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, get_args
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prolip_core import archives, config, runs, spec, storage
from prolip_core.catalogue import BackboneSpec
from prolip_core.content_store import ContentStore
from prolip_core.errors import Cancelled, ProjectFileError, ProLIPError, StorageError
from prolip_core.project_files import layout, reading, shapes, writing
from prolip_core.storage import Database, project_rows
from prolip_core.storage.records import ClassRow, Project
from prolip_core.storage.schema import Base
from prolip_core.sure_rule import SureRule
from prolip_core.types import Progress
from tests import fakes, project_file_factory


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Calling it makes another computer: an empty data folder, whose database it gives."""
    opened: list[Database] = []

    def go(name: str = "elsewhere") -> Database:
        monkeypatch.setenv("PROLIP_HOME", str(tmp_path / name))
        opened.append(storage.open_database())
        return opened[-1]

    yield go
    for one in opened:
        one.close()


def looks(db: Database, project: Project) -> dict[str, Any]:
    """All of a project besides the ids that a database gives."""
    classes = storage.classes.list_(db, project.id)
    place = {row.id: index for index, row in enumerate(classes)}
    records = [storage.runs.load(db, one.id) for one in storage.runs.list_(db, project.id)]
    names = {one.summary.id: one.summary.number for one in records}
    studies = [storage.studies.load(db, one.id) for one in storage.studies.list_(db, project.id)]
    return {
        "created": project.created_at,
        "spec": dict(project.spec),
        "fingerprint": storage.photos.fingerprint(db, project.id),
        "classes": [row.spec for row in classes],
        "photos": [
            (replace(photo, id=0, class_id=0), place[photo.class_id]) for photo in storage.photos.list_(db, project.id)
        ],
        "runs": [replace(one, summary=replace(one.summary, id="", project_id="")) for one in records],
        "studies": [
            (replace(one.summary, id="", project_id="", run_id=None, settings={}), one.result) for one in studies
        ],
        "of_runs": [names.get(one.summary.run_id or "") for one in studies],
        "report": [storage.report_choices.load(db, project.id, part) for part in get_args(storage.report_choices.Part)],
    }


def test_a_project_on_another_computer_is_the_same_project(db: Database, tmp_path: Path, elsewhere: Any) -> None:
    project = storage.projects.get(db, project_file_factory.whole_project(db).id)
    assert project is not None
    storage.report_choices.save(db, project.id, "report", title="部品", wanted=0.95)
    storage.report_choices.save(db, project.id, "business", parts_per_day=1000.0, bad_classes=["Nut"])
    there = looks(db, project)
    files = {
        number: {file.name: file.read_bytes() for file in (config.run_folder() / id_).iterdir()}
        for number, id_ in ((one.number, one.id) for one in storage.runs.list_(db, project.id))
    }
    saved = writing.save(db, project.id, tmp_path / "x.prolip")
    assert (saved.n_photos, saved.n_runs, saved.size_bytes) == (8, 1, saved.path.stat().st_size)
    other = elsewhere()
    opened = reading.open_project(other, saved.path)
    assert opened.name == project.name
    assert opened.id != project.id
    here = looks(other, opened)
    for key, value in there.items():
        assert here[key] == value, key
    assert len(here["photos"]) == 8 and len(here["runs"]) == 1 and here["of_runs"] == [1, None]
    (run,) = storage.runs.list_(other, opened.id)
    folder = config.run_folder() / run.id
    assert {file.name for file in folder.iterdir()} == set(files[1]) == runs.OWN_FILES
    for name in layout.RUN_FILES:
        assert (folder / name).read_bytes() == files[1][name]
    assert json.loads((folder / "result.json").read_text(encoding="utf-8")) == json.loads(files[1]["result.json"])
    # The photos themselves, those of studies too, and their small copies.
    for photo in storage.photos.list_(other, opened.id):
        assert ContentStore(config.photo_folder()).read(photo.image_id)
    assert len(list(config.photo_folder().glob("*/*/*"))) == len(list(config.thumbnail_folder().glob("*/*/*"))) == 10
    # What is of the place where it was done stays there.
    assert storage.undo.available(other, opened.id) is None
    assert storage.jobs.latest(other, opened.id) is None


def test_studies_name_the_runs_and_photos_of_the_new_project(db: Database, tmp_path: Path, elsewhere: Any) -> None:
    saved = writing.save(db, project_file_factory.whole_project(db).id, tmp_path / "x.prolip")
    other = elsewhere()
    opened = reading.open_project(other, saved.path)
    (run,) = storage.runs.list_(other, opened.id)
    of_run, of_photos = storage.studies.list_(other, opened.id)
    assert of_run.run_id == of_run.settings["run"] == run.id
    assert of_photos.settings["keeps"] == [one["image_id"] for one in of_photos.settings["photos"]]
    for folder in (config.photo_folder(), config.run_folder()):  # old enough for the sweep, which must leave them
        for file in folder.rglob("*"):
            os.utime(file, (0, 0))
    storage.purge(other)
    assert all(one in ContentStore(config.photo_folder()) for one in of_photos.settings["keeps"])
    assert (config.run_folder() / run.id / "projector.safetensors").is_file()


def test_a_run_that_travelled_answers_bit_for_bit_as_before(db: Database, tmp_path: Path, elsewhere: Any) -> None:
    project = project_file_factory.whole_project(db)

    def answers(database: Database, project_id: str) -> Any:
        run = storage.runs.list_(database, project_id)[0]
        saved = runs.load(
            config.run_folder() / run.id,
            load_backbone=lambda backbone, _precision: fakes.load_tiny(backbone, fakes.CPU),
        )
        ids = [photo.image_id for photo in storage.photos.list_(database, project_id)]
        return saved.predict(ContentStore(config.photo_folder()), ids, None)

    before = answers(db, project.id)
    saved = writing.save(db, project.id, tmp_path / "x.prolip")
    other = elsewhere()
    assert answers(other, reading.open_project(other, saved.path).id) == before


def test_the_same_project_gives_the_same_parts_in_the_same_order(db: Database, tmp_path: Path) -> None:
    project = project_file_factory.whole_project(db)
    first, second = (writing.save(db, project.id, tmp_path / name).path for name in ("1.prolip", "2.prolip"))
    parts = [project_file_factory.parts_of(path) for path in (first, second)]
    assert list(parts[0]) == list(parts[1])
    assert list(parts[0])[-1] == layout.MANIFEST
    assert all(parts[0][name] == parts[1][name] for name in parts[0] if name != layout.MANIFEST)
    with zipfile.ZipFile(first) as archive:
        photos = [one for one in archive.infolist() if one.filename.startswith("photos/")]
        assert photos and all(one.compress_type == zipfile.ZIP_STORED for one in photos)
        assert [one.filename for one in photos] == sorted(one.filename for one in photos)


def test_every_table_travels_or_says_why_not() -> None:
    named = [one.table for one in project_rows.TABLES] + list(project_rows.STAYS)
    assert {table.__tablename__ for table in named} == set(Base.metadata.tables)
    assert len(named) == len(set(named))
    assert all(project_rows.STAYS.values())


def test_every_reference_to_a_row_is_known_as_one() -> None:
    """A column that names a row of another table would carry the number of a stranger."""
    for one in project_rows.TABLES:
        named = {key.parent.name: key.column.table.name for key in one.table.__table__.foreign_keys}
        assert named == {**({"project_id": "project"} if "project_id" in named else {}), **one.refers}, one.name


def test_the_rule_of_a_run_is_known_key_by_key() -> None:
    assert set(shapes.SURE) == {one.name for one in fields(SureRule)}


def test_the_files_of_a_run_are_all_there() -> None:
    assert {*layout.RUN_FILES, runs.RESULT} == runs.OWN_FILES


def test_opening_twice_makes_two(db: Database, tmp_path: Path) -> None:
    project = project_file_factory.small_project(db, "x" * config.MAX_NAME_CHARACTERS)
    saved = writing.save(db, project.id, tmp_path / "x.prolip")
    opened = [reading.open_project(db, saved.path) for _ in range(2)]
    names = [card.project.name for card in storage.projects.cards(db)]
    assert len(set(names)) == 3 and {one.name for one in opened} | {project.name} == set(names)
    storage.photos.delete(db, [photo.id for photo in storage.photos.list_(db, opened[0].id)])
    assert len(storage.photos.list_(db, opened[1].id)) == len(storage.photos.list_(db, project.id)) == 8


def test_what_is_told_of_a_photo_is_measured_anew(db: Database, tmp_path: Path) -> None:
    """Width, likeness and sharpness are not even in the file."""
    saved = writing.save(db, project_file_factory.small_project(db).id, tmp_path / "x.prolip")
    rows = project_file_factory.parts_of(saved.path)["tables/photo.jsonl"].splitlines()
    assert not set(json.loads(rows[0])) & set(project_rows.MEASURED)


ODD = st.text(min_size=1, max_size=40)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(project=ODD, first=ODD, second=ODD, prompt=ODD, filename=ODD, tag=ODD, value=ODD)
def test_any_name_arrives_as_it_was(tmp_path_factory: pytest.TempPathFactory, **text: str) -> None:
    folder = tmp_path_factory.mktemp("odd")
    with mock.patch.dict(os.environ, {"PROLIP_HOME": str(folder / "a")}):
        db = storage.open_database()
        try:
            made = storage.projects.create(db, text["project"], spec.as_dict(fakes.TINY_SPEC))
            names = [ClassRow(None, text["first"], (text["prompt"],)), ClassRow(None, f"{text['second']}2", ())]
            rows = storage.classes.save(db, made.id, names)
            (photo,) = project_file_factory.photos_of("odd", range(1))
            odd = replace(photo, record=replace(photo.record, filename=text["filename"]))
            assert rows[0].id is not None
            (added,) = storage.photos.add(db, made.id, rows[0].id, "train", [odd]).added
            storage.photos.set_tag(db, [added.id], text["tag"], text["value"])
        except ProLIPError:
            return  # no name that a person could give
        there = looks(db, made)
        saved = writing.save(db, made.id, folder / "x.prolip")
        db.close()
        os.environ["PROLIP_HOME"] = str(folder / "b")
        other = storage.open_database()
        opened = reading.open_project(other, saved.path)
        assert (opened.name, looks(other, opened)) == (made.name, there)
        other.close()


def test_a_project_without_anything_travels_too(db: Database, tmp_path: Path) -> None:
    empty = storage.projects.create(db, "Empty", spec.as_dict(fakes.TINY_SPEC))
    opened = reading.open_project(db, writing.save(db, empty.id, tmp_path / "x.prolip").path)
    assert opened.name == "Empty (2)"
    assert storage.classes.list_(db, opened.id) == ()


def test_the_path_of_a_weights_file_stays_on_its_computer(db: Database, tmp_path: Path) -> None:
    backbone = BackboneSpec("ViT-B-32:my.safetensors", "ViT-B-32", checkpoint=Path("/secret/folder/my.safetensors"))
    project = project_file_factory.small_project(db)
    storage.projects.set_spec(db, project.id, spec.as_dict(replace(fakes.TINY_SPEC, backbone=backbone)))
    saved = writing.save(db, project.id, tmp_path / "x.prolip")
    parts = project_file_factory.parts_of(saved.path)
    assert not any(b"secret" in part for part in parts.values())

    def point(row: dict[str, Any]) -> None:
        row["spec"]["backbone"]["checkpoint"] = "/etc/passwd"

    forged = tmp_path / "forged.prolip"
    forged.write_bytes(project_file_factory.packed(project_file_factory.with_rows(parts, "project", point)))
    opened = reading.open_project(db, forged)
    assert spec.from_dict(opened.spec).backbone.checkpoint is None
    assert spec.from_dict(opened.spec).backbone.name == backbone.name


def test_a_hidden_or_unknown_project_is_not_saved(db: Database, tmp_path: Path) -> None:
    project = project_file_factory.small_project(db)
    storage.projects.delete(db, project.id)
    for id_ in (project.id, "no-such-project"):
        with pytest.raises(StorageError, match="not there any more"):
            writing.save(db, id_, tmp_path / "x.prolip")
    assert list(tmp_path.glob("*.prolip")) == list(tmp_path.glob(f"{writing.UNFINISHED}*")) == []


def test_a_damaged_photo_is_told_by_its_name_and_leaves_no_file(db: Database, tmp_path: Path) -> None:
    project = project_file_factory.small_project(db)
    photo = storage.photos.list_(db, project.id)[0]
    ContentStore(config.photo_folder()).path(photo.image_id).write_bytes(b"damaged")
    with pytest.raises(StorageError) as told:
        writing.save(db, project.id, tmp_path / "out" / "x.prolip")
    assert photo.record.filename in str(told.value)
    assert list((tmp_path / "out").iterdir()) == []


def test_more_photos_than_a_file_holds_are_told_before_anything_is_written(db: Database, tmp_path: Path) -> None:
    project = project_file_factory.small_project(db)
    saved = writing.save(db, project.id, tmp_path / "x.prolip")
    with mock.patch.object(layout, "MAX_PHOTOS", 7):
        with pytest.raises(ProjectFileError, match="8 photos; a project file holds 7"):
            writing.save(db, project.id, tmp_path / "y.prolip")
        with pytest.raises(ProjectFileError, match="8 photos; the limit is 7"):
            reading.open_project(db, saved.path)
    with mock.patch.object(layout, "MAX_PHOTO_BYTES", 1000):
        with pytest.raises(ProjectFileError, match="GB together"):
            writing.save(db, project.id, tmp_path / "y.prolip")
        with pytest.raises(ProjectFileError, match="too large"):
            reading.open_project(db, saved.path)
    assert not (tmp_path / "y.prolip").exists() and len(storage.projects.cards(db)) == 1


@pytest.mark.parametrize("at", [1, 5, 9])
def test_a_stop_leaves_nothing(db: Database, tmp_path: Path, elsewhere: Any, at: int) -> None:
    project = project_file_factory.whole_project(db)
    saved = writing.save(db, project.id, tmp_path / "x.prolip")
    told: list[Progress] = []

    def stop(progress: Progress) -> bool:
        told.append(progress)
        return progress.done >= at

    with pytest.raises(Cancelled):
        writing.save(db, project.id, tmp_path / "out" / "y.prolip", stop)
    assert list((tmp_path / "out").iterdir()) == []
    other = elsewhere()
    with pytest.raises(Cancelled):
        reading.open_project(other, saved.path, on_progress=stop)
    assert storage.projects.cards(other) == ()
    assert not config.run_folder().exists() or list(config.run_folder().iterdir()) == []
    counted = [one for one in told if one.total]
    assert {one.stage for one in counted} == {"export", "import"} and {one.total for one in counted} == {10}


def test_a_killed_import_is_swept_away(db: Database, tmp_path: Path, elsewhere: Any) -> None:
    saved = writing.save(db, project_file_factory.whole_project(db).id, tmp_path / "x.prolip")
    other = elsewhere()
    killed = mock.patch.object(project_rows, "insert", side_effect=KeyboardInterrupt)
    with killed, mock.patch.object(reading._Reader, "leave_no_runs"), pytest.raises(KeyboardInterrupt):
        reading.open_project(other, saved.path)  # as if the process had died: nothing is tidied up
    assert storage.projects.cards(other) == ()
    kept = [file for folder in (config.photo_folder(), config.run_folder()) for file in folder.rglob("*")]
    assert len([file for file in kept if file.is_file()]) > 10
    for file in (*kept, *config.thumbnail_folder().rglob("*")):
        os.utime(file, (time.time() - 4000, time.time() - 4000))
    storage.purge(other)
    left = [
        file for file in config.data_folder().rglob("*") if file.is_file() and not file.name.startswith(("prolip", "."))
    ]
    assert left == []


def test_photos_that_were_swept_away_meanwhile_are_put_back(db: Database, tmp_path: Path, elsewhere: Any) -> None:
    saved = writing.save(db, project_file_factory.small_project(db).id, tmp_path / "x.prolip")
    other = elsewhere()
    take_runs = reading._Reader.take_runs

    def slow(self: reading._Reader) -> None:
        take_runs(self)
        for file in config.photo_folder().glob("*/*/*"):
            file.unlink()

    with mock.patch.object(reading._Reader, "take_runs", slow):
        opened = reading.open_project(other, saved.path)
    assert all(
        photo.image_id in ContentStore(config.photo_folder()) for photo in storage.photos.list_(other, opened.id)
    )


def test_a_project_file_is_not_taken_for_a_zip_of_photos(db: Database, tmp_path: Path) -> None:
    saved = writing.save(db, project_file_factory.small_project(db).id, tmp_path / "x.prolip")
    assert not archives.is_zip(saved.path.read_bytes())


def test_saved_files_leave_the_disk(db: Database) -> None:
    project = project_file_factory.small_project(db)
    path = config.export_folder() / project.id / "x.prolip"
    writing.save(db, project.id, path)
    storage.purge(db)
    assert path.is_file()
    os.utime(path, (0, 0))
    storage.purge(db)
    assert not path.exists()
    writing.save(db, project.id, path)
    storage.projects.delete(db, project.id)
    storage.projects.expire(db, project.id)
    storage.purge(db)  # together with the project
    assert not path.parent.exists()


@pytest.mark.parametrize(
    ("name", "file"), [("部品 1/2", "部品_1_2.prolip"), ("..", "project.prolip"), ("a" * 120, "a" * 60 + ".prolip")]
)
def test_the_file_is_called_after_the_project(name: str, file: str) -> None:
    assert layout.file_name(name) == file


def test_the_rights_of_a_saved_file_are_those_of_any_file_and_the_mask_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever sets the mask, and be it to read it, sets it for all threads of the server."""
    db = storage.open_database()
    project = project_file_factory.small_project(db)

    def never(_mask: int) -> int:
        raise AssertionError("the mask was set")

    monkeypatch.setattr(os, "umask", never)
    (tmp_path / "any").write_bytes(b"")
    saved = writing.save(db, project.id, tmp_path / "x.prolip")
    db.close()
    assert saved.path.stat().st_mode == (tmp_path / "any").stat().st_mode
