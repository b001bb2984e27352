"""Versions: what lies between two, and bringing one back as a single step."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from prolip_core import config, job_work, prompts, spec, storage, versions
from prolip_core.errors import StorageError
from prolip_core.job_control import JobControl
from prolip_core.spec import PilotSpec
from prolip_core.storage import Database
from prolip_core.storage.records import ClassRow, Photo, RunSummary
from prolip_core.storage.rollback import Version, VersionPhoto
from prolip_core.types import ClassSpec
from tests.pages.conftest import checked_photo
from tests.test_job_work import Tiny, claimed, project_of


def trained(db: Database, project_id: str) -> RunSummary:
    project = storage.projects.get(db, project_id)
    assert project is not None
    job = claimed(db, project_id, spec.from_dict(project.spec))
    job_work.train(db, job, JobControl(db, job.id), Tiny())
    return storage.runs.list_(db, project_id)[0]


def version_of(db: Database, run: RunSummary) -> Version:
    return versions.of_run(storage.runs.load(db, run.id))


def now_of(db: Database, project_id: str) -> Version:
    project = storage.projects.get(db, project_id)
    assert project is not None
    return versions.of_project(project, storage.classes.list_(db, project_id), storage.photos.list_(db, project_id))


def state_of(db: Database, project_id: str) -> object:
    project = storage.projects.get(db, project_id)
    assert project is not None
    photos = storage.photos.list_(db, project_id)
    rows = [(one.id, one.class_id, one.role, one.excluded) for one in photos]
    return storage.classes.list_(db, project_id), rows, project.spec


def first(photos: tuple[Photo, ...], role: str) -> Photo:
    return next(photo for photo in photos if photo.role == role and not photo.excluded)


def change_everything(db: Database, project_id: str) -> None:
    """One of each: added, moved, set aside, excluded, deleted, a class renamed, one new, the order, settings."""
    rows = storage.classes.list_(db, project_id)
    photos = storage.photos.list_(db, project_id)
    assert rows[0].id is not None and rows[1].id is not None
    storage.photos.add(db, project_id, rows[0].id, "train", [checked_photo("new.jpg")])
    storage.photos.move(db, [first(photos, "train").id], rows[1].id)
    storage.photos.set_role(db, [photos[1].id], "test")
    storage.photos.exclude(db, [first(photos, "test").id])
    storage.photos.delete(db, [photos[-1].id])
    renamed = dataclasses.replace(rows[2], display_name="座金", prompt_names=("flat washer",))
    saved = storage.classes.save(db, project_id, [renamed, *rows[:2], ClassRow(None, "gear", ("gear",))])
    assert saved[3].id is not None
    storage.photos.add(db, project_id, saved[3].id, "train", [checked_photo("gear.jpg")])
    project = storage.projects.get(db, project_id)
    assert project is not None
    choices: dict[str, Any] = {**project.spec, "templates": ["a {} on a table"], "seed": 5, "device": "cpu"}
    storage.projects.set_spec(db, project_id, choices)


def test_a_version_comes_back_exactly_in_one_step_that_can_be_undone(db: Database, tmp_path: Path) -> None:
    project_id = project_of(db, tmp_path)
    before = state_of(db, project_id)
    run = trained(db, project_id)
    version = version_of(db, run)
    assert versions.difference(version, now_of(db, project_id)).is_nothing
    assert storage.rollback.plan(db, project_id, version).is_nothing
    change_everything(db, project_id)
    changed = state_of(db, project_id)
    plan = storage.rollback.plan(db, project_id, version)
    assert state_of(db, project_id) == changed  # a plan changes nothing
    assert (plan.back, plan.moved, plan.aside, plan.lost_photos) == (2, 2, 1, 1)
    assert (plan.new_classes, plan.lost_classes, plan.gone) == ((), ("gear",), ())
    assert plan.other_names and plan.other_choices
    assert storage.rollback.roll_back(db, project_id, version) == plan
    assert storage.photos.fingerprint(db, project_id) == run.fingerprint
    assert versions.difference(version, now_of(db, project_id)).is_nothing
    project = storage.projects.get(db, project_id)
    assert project is not None and project.spec["seed"] == 0 and project.spec["device"] == "cpu"
    assert storage.rollback.plan(db, project_id, version).is_nothing
    assert storage.undo.take_back(db, project_id) == storage.rollback.UNDO_KIND
    assert state_of(db, project_id) == changed
    kinds = [storage.undo.take_back(db, project_id) for _ in range(7)]
    assert kinds == ["add", "classes", "delete", "exclude", "role", "move", "add"]
    assert state_of(db, project_id)[:2] == before[:2]  # type: ignore[index]


def test_what_was_deleted_for_good_is_named_and_the_rest_comes_back(db: Database, tmp_path: Path) -> None:
    project_id = project_of(db, tmp_path)
    version = version_of(db, trained(db, project_id))
    rows, photos = storage.classes.list_(db, project_id), storage.photos.list_(db, project_id)
    lost = photos[0]
    storage.photos.delete(db, [lost.id])
    storage.classes.save(db, project_id, rows[:2])  # the third class goes with its photos
    storage.purge(db, datetime.now(UTC) + timedelta(seconds=config.UNDO_PERIOD_S + 1))
    plan = storage.rollback.roll_back(db, project_id, version)
    assert {photo.filename for photo in plan.gone if photo.class_name == rows[0].display_name} == {lost.record.filename}
    assert len(plan.gone) == 1 + 6
    assert plan.new_classes == ("washer",)
    there = storage.classes.list_(db, project_id)
    assert [(row.display_name, row.prompt_names) for row in there] == [(r.display_name, r.prompt_names) for r in rows]
    assert len(storage.photos.list_(db, project_id)) == 18 - 7
    storage.undo.take_back(db, project_id)
    assert len(storage.classes.list_(db, project_id)) == 2


def test_a_class_that_was_deleted_a_moment_ago_comes_back_with_its_photos(db: Database, tmp_path: Path) -> None:
    project_id = project_of(db, tmp_path)
    run = trained(db, project_id)
    rows = storage.classes.list_(db, project_id)
    storage.classes.save(db, project_id, rows[1:])
    plan = storage.rollback.roll_back(db, project_id, version_of(db, run))
    assert (plan.back, plan.new_classes, plan.gone) == (6, (rows[0].display_name,), ())
    assert storage.classes.list_(db, project_id) == rows
    assert storage.photos.fingerprint(db, project_id) == run.fingerprint


def test_nothing_of_another_project_is_touched_and_a_project_that_is_gone_is_told(db: Database, tmp_path: Path) -> None:
    project_id = project_of(db, tmp_path)
    version = version_of(db, trained(db, project_id))
    other = storage.projects.duplicate(db, project_id, "copy")
    change_everything(db, other.id)
    there = state_of(db, other.id)
    change_everything(db, project_id)
    storage.rollback.roll_back(db, project_id, version)
    assert state_of(db, other.id) == there
    storage.projects.delete(db, project_id)
    with pytest.raises(StorageError):
        storage.rollback.plan(db, project_id, version)


def test_a_test_photo_that_the_training_left_out_as_a_near_copy_belongs_to_the_version(
    db: Database, tmp_path: Path
) -> None:
    project_id = project_of(db, tmp_path)
    photos = storage.photos.list_(db, project_id)
    taught = first(photos, "train")
    copied = checked_photo("copy.jpg")
    record = dataclasses.replace(
        copied.record, phash=taught.record.phash, width_px=taught.record.width_px, height_px=taught.record.height_px
    )
    storage.photos.add(db, project_id, taught.class_id, "test", [dataclasses.replace(copied, record=record)])
    run = trained(db, project_id)
    version = version_of(db, run)
    assert [photo.role for photo in version.photos if photo.image_id == record.image_id] == ["test"]
    assert versions.difference(version, now_of(db, project_id)).is_nothing


# -- the difference --------------------------------------------------------------------------------------------------


def photo(name: str, of: str, role: Any = "train") -> VersionPhoto:
    return VersionPhoto(name, f"{name}.jpg", of, role)


CHOICES = spec.as_dict(PilotSpec())


def test_the_difference_tells_every_kind_of_change_and_where() -> None:
    nut, bolt, gear = (ClassSpec(name, (name.lower(),)) for name in ("Nut", "Bolt", "Gear"))
    before = Version(
        (nut, bolt), (photo("a", "Nut"), photo("b", "Nut"), photo("c", "Bolt"), photo("d", "Bolt")), CHOICES
    )
    after = Version(
        (ClassSpec("Nut", ("hex nut",)), gear),
        (photo("a", "Gear"), photo("b", "Nut", "test"), photo("e", "Nut"), photo("f", "Gear")),
        {**CHOICES, "seed": 3, "fit": {**CHOICES["fit"], "lam": 0.5, "seed": 9}},
    )
    found = versions.difference(before, after)
    told = {
        one.name: tuple([photo.image_id for photo in part] for part in (one.added, one.removed, one.moved_in))
        for one in found.classes
    }
    assert told == {"Nut": (["e"], [], ["b"]), "Gear": (["f"], [], ["a"]), "Bolt": ([], ["c", "d"], [])}
    assert (found.new_classes, found.lost_classes, found.renamed) == (("Gear",), ("Bolt",), ("Nut",))
    assert [(one.key, one.before, one.after) for one in found.settings] == [("fit.lam", "auto", 0.5), ("seed", 0, 3)]
    assert (found.added, found.removed, found.moved, found.is_nothing) == (2, 2, 2, False)
    assert versions.difference(before, before).is_nothing


@pytest.mark.parametrize("names", [("hex nut",), ("bolt", "metal bolt"), ("x y", "a photo of a nut."), ("ナット",)])
@pytest.mark.parametrize("templates", [("a photo of a {}.",), ("{}", "a {} here", "{{x}} {}"), ("the {}",)])
def test_names_are_found_again_in_their_sentences(names: tuple[str, ...], templates: tuple[str, ...]) -> None:
    sentences = prompts.sentences(ClassSpec("x", names), templates)
    assert versions.prompt_names(sentences, templates) == names


@pytest.mark.parametrize("templates", [[], ["{0.x}"], ["{:300000000}"], ["no place"], ["{"]])
def test_names_are_told_whatever_a_file_calls_a_template(templates: list[str]) -> None:
    assert versions.prompt_names(("a bolt", "a nut"), templates) == ("a bolt", "a nut")


def test_a_template_with_brackets_of_its_own() -> None:
    templates = ("{{a}} photo of {} {{b}}",)
    sentences = prompts.sentences(ClassSpec("x", ("bolt", "{}")), templates)
    assert versions.prompt_names(sentences, templates) == ("bolt", "{}")
