"""What a worker does for a study, in this process and with the tiny CLIP: what is kept, and what a stop does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from prolip_core import backbones, config, job_work, spec, storage, study_work, uploads
from prolip_core.baselines.methods import METHODS
from prolip_core.content_store import ContentStore, ThumbnailStore
from prolip_core.errors import Cancelled, DatasetError, PromptError
from prolip_core.handover import bundle, files, opened
from prolip_core.job_control import JobControl
from prolip_core.storage import Database, studies
from prolip_core.storage.records import Job
from prolip_core.studies import compare_methods, study_files
from prolip_core.studies.names import QUICK, SLOW_METHODS
from prolip_core.uploads import UploadFile
from tests import fakes, image_factory
from tests.test_job_work import SLOW, Control, Tiny, project_of


def claimed(db: Database, project_id: str, kind: str, run_id: str | None = None, **settings: Any) -> Job:
    payload = {"kind": kind, "settings": settings, "run_id": run_id, "spec": spec.as_dict(SLOW)}
    storage.jobs.enqueue(db, project_id, "study", payload, key=studies.key_of(kind, run_id))
    job = storage.jobs.claim(db, "auto", ("auto",))
    assert job is not None
    return job


def work(db: Database, job: Job, when: Callable[[str, int], int] = lambda _stage, _done: 0) -> Control:
    control = Control(db, job, when)
    study_work.run(db, job, control, Tiny())
    return control


def result_of(db: Database, project_id: str, kind: str) -> dict[str, Any]:
    found = studies.latest(db, project_id, kind)
    assert found is not None
    return dict(studies.load(db, found.id).result)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("curve", {"draws": 2}),
        ("methods", {"shots": 2, "draws": 2, "keys": ["zero_shot", "prolip_one_over_n"]}),
    ],
)
def test_a_study_of_the_photos_is_kept_with_what_it_was_made_from(
    db: Database, tmp_path: Path, kind: str, settings: dict[str, Any]
) -> None:
    project_id = project_of(db, tmp_path)
    job = claimed(db, project_id, kind, **settings)
    control = work(db, job)
    found = studies.latest(db, project_id, kind)
    assert found is not None
    assert (found.job_id, found.settings, found.run_id) == (job.id, settings, None)
    assert found.fingerprint == storage.photos.fingerprint(db, project_id)
    result = result_of(db, project_id, kind)
    assert (result["format"], result["study"], result["draws"]) == (study_files.FORMAT, kind, 2)
    assert result["query_count"] == 6
    assert control.seen == ["features", "study"]
    done = storage.jobs.get(db, job.id)
    assert done is not None
    assert (done.state, done.used_device) == ("done", "CPU (float32)")
    assert done.done == done.total > 0


def test_asked_methods_and_photos_per_class_reach_the_study(db: Database, tmp_path: Path) -> None:
    project_id = project_of(db, tmp_path)
    work(db, claimed(db, project_id, "methods", shots=2, draws=1, keys=["gda", "zero_shot"]))
    result = result_of(db, project_id, "methods")
    assert result["shots"] == 2
    assert [one["key"] for one in result["methods"]] == ["zero_shot", "gda"]


def test_maps_of_all_classes_and_of_a_chosen_photo(db: Database, tmp_path: Path) -> None:
    project_id = project_of(db, tmp_path)
    control = work(db, claimed(db, project_id, "look", photos=2))
    result = result_of(db, project_id, "look")
    assert (result["study"], len(result["looks"]), len(result["classes"])) == ("look", 2, 3)
    assert control.seen == ["features", "study"]
    chosen = [photo for photo in storage.photos.list_(db, project_id) if photo.role == "test"][1]
    work(db, claimed(db, project_id, "look_photo", image_ids=[chosen.image_id]))
    result = result_of(db, project_id, "look_photo")
    assert [one["id"] for one in result["looks"]] == [chosen.image_id] and result["classes"] == []


def test_without_test_photos_the_curve_holds_photos_out_and_others_refuse(db: Database, tmp_path: Path) -> None:
    project_id = project_of(db, tmp_path, testing=0)
    work(db, claimed(db, project_id, "curve", draws=1))
    assert result_of(db, project_id, "curve")["evaluation"] == "cross_validation"
    with pytest.raises(DatasetError, match="needs test photos"):
        work(db, claimed(db, project_id, "methods"))
    assert studies.latest(db, project_id, "methods") is None


def test_a_stop_keeps_the_rounds_that_are_whole(db: Database, tmp_path: Path) -> None:
    project_id = project_of(db, tmp_path)
    job = claimed(db, project_id, "methods", shots=2, draws=4, keys=["zero_shot", "nearest_class_mean"])
    control = work(db, job, lambda stage, done: int(stage == "study" and done >= 5))
    result = result_of(db, project_id, "methods")
    assert (result["draws"], result["planned_draws"]) == (2, 4)
    assert control.seen == ["features", "study"]


@pytest.mark.parametrize("stage", ["features", "study"])
def test_a_stop_before_anything_is_whole_keeps_nothing(db: Database, tmp_path: Path, stage: str) -> None:
    project_id = project_of(db, tmp_path)
    job = claimed(db, project_id, "curve", draws=2)
    with pytest.raises(Cancelled):
        work(db, job, lambda seen, _done: int(seen == stage))
    assert studies.list_(db, project_id) == ()


def test_a_stop_while_the_model_is_loaded_ends_it(db: Database, tmp_path: Path) -> None:
    project_id = project_of(db, tmp_path)
    job = claimed(db, project_id, "curve")
    control = JobControl(db, job.id)
    control.ask(1)
    with pytest.raises(Cancelled):
        study_work.run(db, job, control, Tiny())


def test_photos_that_change_meanwhile_make_the_study_stale(db: Database, tmp_path: Path) -> None:
    project_id = project_of(db, tmp_path)
    job = claimed(db, project_id, "curve", draws=1)
    before = storage.photos.fingerprint(db, project_id)

    def when(stage: str, _done: int) -> int:
        if stage == "study":
            storage.photos.exclude(db, [photo.id for photo in storage.photos.list_(db, project_id)][:1])
        return 0

    work(db, job, when)
    found = studies.latest(db, project_id, "curve")
    assert found is not None
    assert found.fingerprint == before != storage.photos.fingerprint(db, project_id)


def dropped(*names: str) -> list[dict[str, Any]]:
    """Photos as the page has them after the checks: in the store, in no project."""
    stores = ContentStore(config.photo_folder()), ThumbnailStore(config.thumbnail_folder())
    files = [UploadFile(name, image_factory.jpeg(700 + place, 320, 240)) for place, name in enumerate(names)]
    return [asdict(one.photo.photo.record) for one in uploads.check(files, *stores) if one.photo is not None]


def test_every_kind_can_be_asked_for_by_what_the_page_asks_for(db: Database, tmp_path: Path) -> None:
    assert set(study_work.KINDS) >= set(QUICK)
    project_id = project_of(db, tmp_path)
    for kind in ("learning_rates", "certainty"):
        work(db, claimed(db, project_id, kind, **QUICK[kind]))
    rates = result_of(db, project_id, "learning_rates")
    assert (rates["shots"], rates["epochs"], rates["draws"]) == (4, 60, 1)
    assert {cell["lam"] for cell in rates["cells"]} == {"0", "0.01", "1/N"}
    assert result_of(db, project_id, "certainty")["foreign"] is None


def test_fewer_photos_than_the_study_of_learning_rates_wants_are_enough(db: Database, tmp_path: Path) -> None:
    project_id = project_of(db, tmp_path)
    ids = [photo.id for photo in storage.photos.list_(db, project_id, role="train")]
    storage.photos.exclude(db, ids[:2])
    work(db, claimed(db, project_id, "learning_rates", **{**QUICK["learning_rates"], "lams": ["1/N"], "epochs": 2}))
    assert result_of(db, project_id, "learning_rates")["shots"] == 2


def test_slow_methods_are_run_only_where_it_was_asked_for(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []

    def run(_material: Any, *, keys: list[str], **_options: Any) -> Any:
        asked.append(keys)
        raise Cancelled("enough")

    monkeypatch.setattr(compare_methods, "run", run)
    project_id = project_of(db, tmp_path)
    for settings in (QUICK["methods"], {"slow": True}):
        job = claimed(db, project_id, "methods", **settings)
        with pytest.raises(Cancelled):
            work(db, job)
        storage.jobs.finish(db, job.id, "stopped")
    assert set(asked[1]) - set(asked[0]) == set(SLOW_METHODS)
    assert {one.key: one.title for one in METHODS if one.key in SLOW_METHODS} == SLOW_METHODS
    assert len(asked[0]) > 15


def test_photos_of_something_else_are_answered_and_stay_out_of_the_project(db: Database, tmp_path: Path) -> None:
    project_id = project_of(db, tmp_path)
    before = storage.photos.fingerprint(db, project_id)
    own = asdict(storage.photos.list_(db, project_id)[0].record)
    photos = dropped("cup.jpg", "pen.jpg")
    work(db, claimed(db, project_id, "certainty", foreign=[*photos, own]))
    foreign = result_of(db, project_id, "certainty")["foreign"]
    assert foreign["count"] == 2
    assert [one["id"] for one in foreign["photos"]] == [photo["image_id"] for photo in photos]
    assert foreign["dropped_files"] == [own["filename"]]
    threshold = result_of(db, project_id, "certainty")["suggested"]["threshold"]
    away = sum(threshold is None or one["confidence"] < threshold for one in foreign["photos"])
    assert away == foreign["turned_away"]
    assert storage.photos.fingerprint(db, project_id) == before
    work(db, claimed(db, project_id, "certainty", foreign=[own]))
    assert result_of(db, project_id, "certainty")["foreign"] is None


class Warm(Tiny):
    """The model that the run names is asked for too."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def get(self, choices: spec.PilotSpec) -> Any:
        self.asked.append(choices.backbone.name)
        return super().get(choices)


def test_a_class_is_added_to_a_finished_run_by_its_name(db: Database, tmp_path: Path) -> None:
    project_id = project_of(db, tmp_path)
    storage.jobs.enqueue(db, project_id, "train", {"spec": spec.as_dict(SLOW)})
    training = storage.jobs.claim(db, "auto", ("auto",))
    assert training is not None
    job_work.train(db, training, JobControl(db, training.id), Tiny())
    (run,) = storage.runs.list_(db, project_id)
    tests = storage.photos.list_(db, project_id, role="test")
    storage.photos.delete(db, [tests[0].id])
    photos = dropped("gear.jpg")
    job = claimed(db, project_id, "added_class", run.id, name="歯車", prompt_names=["gear"], photos=photos)
    warm = Warm()
    study_work.run(db, job, JobControl(db, job.id), warm)
    found = studies.latest(db, project_id, "added_class", run.id)
    assert found is not None
    result = studies.load(db, found.id).result
    assert result["class_names"] == ["bolt", "nut", "washer", "歯車"]
    assert result["prompts"] == ["a photo of a gear."]
    assert warm.asked == [run.backbone]
    record = storage.runs.load(db, run.id)
    left = [one for one in record.prolip if one.image_id != tests[0].image_id]
    assert (result["query_count"], result["right_before"]) == (5, sum(one.label == one.predicted for one in left))
    assert result["right_after"] <= result["right_before"]  # one more to be taken for, and none of it shown
    assert len(result["taken"]) >= result["right_before"] - result["right_after"]
    assert [one["id"] for one in result["photos"]] == [photos[0]["image_id"]]
    job = claimed(db, project_id, "added_class", run.id, name="bolt", prompt_names=[], photos=[])
    with pytest.raises(PromptError):
        work(db, job)


def trained_run(db: Database, tmp_path: Path) -> tuple[str, str]:
    """A project and the run of it that the tiny CLIP made."""
    project_id = project_of(db, tmp_path)
    storage.jobs.enqueue(db, project_id, "train", {"spec": spec.as_dict(SLOW)})
    training = storage.jobs.claim(db, "auto", ("auto",))
    assert training is not None
    job_work.train(db, training, JobControl(db, training.id), Tiny())
    (run,) = storage.runs.list_(db, project_id)
    return project_id, run.id


def test_a_hand_over_file_is_made_of_the_photos_that_are_still_there(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project_id, run_id = trained_run(db, tmp_path)
    storage.runs.set_threshold(db, run_id, 0.75)
    monkeypatch.setattr(backbones, "load", fakes.load_tiny)
    monkeypatch.setattr(
        bundle, "_add_checkpoint", lambda content, saved: None
    )  # the starter's would not fit the tiny one
    gone = storage.photos.list_(db, project_id, role="test")[0].image_id
    assert gone in ContentStore(config.photo_folder())
    storage.photos.delete(db, [storage.photos.list_(db, project_id, role="test")[0].id])  # its bytes are still there
    control = work(db, claimed(db, project_id, "hand_over", run_id))
    found = studies.latest(db, project_id, "hand_over", run_id)
    assert found is not None
    result = studies.load(db, found.id).result
    assert (result["check"]["count"], result["check"]["same"], result["check"]["on_test"]) == (5, 5, True)
    assert result["size_bytes"] == files.export_path(run_id).stat().st_size
    assert opened.open_(files.export_path(run_id)).names == ["bolt", "nut", "washer"]
    assert result["threshold"] == 0.75
    assert control.seen == ["load", "hand_over"] or control.seen == ["hand_over"]
    before = files.export_path(run_id).read_bytes()
    with pytest.raises(Cancelled):
        work(
            db,
            claimed(db, project_id, "hand_over", run_id),
            lambda stage, done: int(stage == "hand_over" and done > 20),
        )
    assert files.export_path(run_id).read_bytes() == before
    assert [path.name for path in files.export_path(run_id).parent.glob("*.*")] == ["hand-over.zip"]
    inside = result["test_photo"]
    assert inside != gone
    storage.photos.delete(db, [one.id for one in storage.photos.list_(db, project_id) if one.image_id == inside])
    storage.purge(db, datetime.now(UTC) + timedelta(hours=2))
    assert not list(files.export_path(run_id).parent.iterdir())  # a photo that is gone is gone from the file too
