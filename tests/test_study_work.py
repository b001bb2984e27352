"""What a worker does for a study, in this process and with the tiny CLIP: what is kept, and what a stop does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from prolip_core import spec, storage, study_work
from prolip_core.errors import Cancelled, DatasetError
from prolip_core.job_control import JobControl
from prolip_core.storage import Database, studies
from prolip_core.storage.records import Job
from prolip_core.studies import study_files
from tests.test_job_work import SLOW, Control, Tiny, project_of


@pytest.fixture
def db() -> Iterator[Database]:
    database = storage.open_database()
    yield database
    database.close()


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
