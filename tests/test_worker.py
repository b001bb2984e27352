"""The queue, the worker process and the supervisor, with real processes, the real database and the starter."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from prolip_core import config, i18n, jobs, runs, sample_photos, spec, storage, uploads, worker
from prolip_core.content_store import ContentStore, ThumbnailStore
from prolip_core.spec import FitConfig, PilotSpec
from prolip_core.storage import Database
from prolip_core.storage.records import ClassRow, Job
from prolip_core.uploads import UploadFile
from tests import fakes
from tests.conftest import REPOSITORY

PATIENCE_S = 120
COLOURS = ("bolt", "nut", "washer")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One data folder and one warm worker for the whole file: starting one takes seconds."""
    folder = tmp_path_factory.mktemp("worker")
    patch = pytest.MonkeyPatch()
    patch.setenv("PROLIP_HOME", str(folder))
    # Drawn ahead, or the worker would start a process for it.
    (folder / "cache" / "sample").mkdir(parents=True)
    (folder / "cache" / "sample" / "classes.csv").touch()
    yield folder
    patch.setenv("PROLIP_HOME", str(folder))
    for row in storage.jobs.workers(storage.open_database()):
        _kill(row.pid)
    patch.undo()


@pytest.fixture
def db(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setenv("PROLIP_HOME", str(home))
    database = storage.open_database()
    yield database
    database.close()


@pytest.fixture
def supervisor(db: Database) -> Iterator[jobs.Supervisor]:
    keeper = jobs.Supervisor(db)
    keeper.start()
    yield keeper
    keeper.stop()


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def project_of(db: Database, tmp_path: Path, per_class: int = 4, *, testing: int = 2) -> str:
    """A project with photos of three plain colours, which any model tells apart."""
    project = storage.projects.create(db, "parts", spec.as_dict(PilotSpec()))
    rows = storage.classes.save(db, project.id, [ClassRow(None, name, (name,)) for name in COLOURS])
    folder = fakes.write_photos(tmp_path / "photos", {name: list(range(per_class + testing)) for name in COLOURS})
    stores = ContentStore(config.photo_folder()), ThumbnailStore(config.thumbnail_folder())
    for row in rows:
        assert row.id is not None
        files = [UploadFile(path.name, path.read_bytes()) for path in sorted((folder / row.display_name).iterdir())]
        placed = [one.photo.photo for one in uploads.check(files, *stores) if one.photo is not None]
        storage.photos.add(db, project.id, row.id, "train", placed[:per_class])
        storage.photos.add(db, project.id, row.id, "test", placed[per_class:])
    return project.id


def enqueue(db: Database, project_id: str, **choices: Any) -> Job:
    return storage.jobs.enqueue(db, project_id, "train", {"spec": spec.as_dict(PilotSpec(**choices))})


def wait(db: Database, job: Job, until: Callable[[Job], bool] = lambda job: not job.is_live) -> Job:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        now = storage.jobs.get(db, job.id)
        assert now is not None
        if until(now):
            return now
        time.sleep(0.05)
    raise AssertionError(f"the job came no further than {now}")


ENDLESS = FitConfig("adam", "1/N", learning_rate=1e-6, epochs=100_000)


def test_a_training_ends_in_a_run_that_can_be_read_and_used(
    db: Database, supervisor: jobs.Supervisor, tmp_path: Path
) -> None:
    project_id = project_of(db, tmp_path)
    job = wait(db, enqueue(db, project_id))
    assert (job.state, job.error) == ("done", None)
    assert job.used_device.startswith("CPU")
    assert [step.step for step in storage.jobs.steps(db, job.id)] == list(range(1, job.n_steps + 1))
    (summary,) = storage.runs.list_(db, project_id)
    assert (summary.id, summary.evaluation, summary.count) == (job.run_id, "test", 6)
    assert summary.fingerprint == storage.photos.fingerprint(db, project_id)
    record = storage.runs.load(db, summary.id)
    assert [p.image_id for p in record.zero_shot] == [p.image_id for p in record.prolip]
    assert sum(p.predicted == p.label for p in record.prolip) == summary.prolip_correct
    test_photos = {photo.image_id for photo in storage.photos.list_(db, project_id, role="test")}
    assert {p.image_id for p in record.prolip} == test_photos
    saved = runs.load(config.run_folder() / summary.id, device="cpu")
    assert saved.class_vectors.class_names == COLOURS


def test_a_second_training_waits_and_is_told_how_many_are_ahead(
    db: Database, supervisor: jobs.Supervisor, tmp_path: Path
) -> None:
    project_id = project_of(db, tmp_path)
    other = storage.projects.duplicate(db, project_id, "other").id
    first = enqueue(db, project_id, fit=ENDLESS)
    assert enqueue(db, project_id).id == first.id  # a double click starts nothing twice
    wait(db, first, lambda job: job.state == "running")
    second = enqueue(db, other)
    assert storage.jobs.ahead(db, second.id) == 1
    storage.jobs.request_stop(db, first.id)
    stopped = wait(db, first)
    assert wait(db, second).state == "done"
    # In the middle of the training: what was reached is kept and measured, and said to be unfinished.
    if stopped.run_id is not None:
        assert storage.runs.list_(db, project_id)[0].stopped


def test_a_stop_during_the_training_keeps_the_best_so_far(
    db: Database, supervisor: jobs.Supervisor, tmp_path: Path
) -> None:
    project_id = project_of(db, tmp_path)
    job = enqueue(db, project_id, fit=ENDLESS)
    wait(db, job, lambda now: now.n_steps > 0)
    storage.jobs.request_stop(db, job.id)
    job = wait(db, job)
    assert job.state == "done"
    (run,) = storage.runs.list_(db, project_id)
    assert run.stopped
    assert 0 < len(storage.runs.load(db, run.id).result["history"]) < ENDLESS.epochs


def test_a_waiting_job_is_stopped_at_once(db: Database, tmp_path: Path) -> None:
    project = storage.projects.create(db, "empty", spec.as_dict(PilotSpec()))
    job = storage.jobs.enqueue(db, project.id, "train", {}, device="cuda:7")
    storage.jobs.request_stop(db, job.id)
    stopped = storage.jobs.get(db, job.id)
    assert stopped is not None
    assert (stopped.state, stopped.started_at) == ("stopped", None)
    assert storage.jobs.claim(db, "x", ("cuda:7",)) is None


def test_a_project_that_cannot_be_trained_fails_with_a_reason_that_can_be_translated(
    db: Database, supervisor: jobs.Supervisor
) -> None:
    project = storage.projects.create(db, "empty", spec.as_dict(PilotSpec()))
    job = wait(db, enqueue(db, project.id))
    assert job.state == "failed"
    assert job.error is not None
    told = i18n.translator("en").text(job.error["message"], **job.error["values"])
    assert "{" not in told
    assert job.error["remedy"]
    assert storage.runs.list_(db, project.id) == ()


def test_a_killed_worker_is_noticed_its_job_fails_and_the_next_one_runs(
    db: Database, supervisor: jobs.Supervisor, tmp_path: Path
) -> None:
    project_id = project_of(db, tmp_path)
    job = enqueue(db, project_id, fit=ENDLESS)
    wait(db, job, lambda now: now.n_steps > 0)
    (before,) = [one for one in storage.jobs.workers(db) if one.device == "auto"]
    _kill(before.pid)
    job = wait(db, job)
    assert job.state == "failed"
    assert job.error is not None and "ended unexpectedly" in job.error["message"]
    assert storage.runs.list_(db, project_id) == ()
    assert wait(db, enqueue(db, project_id)).state == "done"
    (after,) = [one for one in storage.jobs.workers(db) if one.device == "auto"]
    assert after.pid != before.pid


def test_a_training_outlives_the_server(db: Database, tmp_path: Path) -> None:
    project_id = project_of(db, tmp_path)
    first = jobs.Supervisor(db)
    first.start()
    job = enqueue(db, project_id, fit=ENDLESS)
    wait(db, job, lambda now: now.n_steps > 0)
    first.stop()
    seen = storage.jobs.get(db, job.id)
    assert seen is not None
    wait(db, job, lambda now: now.n_steps > seen.n_steps)
    second = jobs.Supervisor(db)
    second.check()  # finds the lock held and leaves everything as it is
    later = storage.jobs.get(db, job.id)
    assert later is not None and later.state == "running"
    storage.jobs.request_stop(db, job.id)
    assert wait(db, job).state == "done"


def test_similarity_of_class_sentences(db: Database, supervisor: jobs.Supervisor) -> None:
    project = storage.projects.create(db, "names", spec.as_dict(PilotSpec()))
    payload = {
        "spec": spec.as_dict(PilotSpec()),
        "classes": [["豆乳", ["soy milk"]], ["オーツミルク", ["oat milk"]], ["ボルト", ["metal bolt"]]],
    }
    job = wait(db, storage.jobs.enqueue(db, project.id, "similarity", payload, key="k"))
    assert job.result is not None
    matrix = job.result["matrix"]
    assert job.result["names"] == ["豆乳", "オーツミルク", "ボルト"]
    assert all(matrix[i][i] == pytest.approx(1, abs=1e-5) for i in range(3))
    assert matrix[0][1] == matrix[1][0] > matrix[0][2]
    assert storage.jobs.find_done(db, "similarity", "k") == job


def test_a_second_worker_for_the_same_device_leaves_at_once(db: Database, supervisor: jobs.Supervisor) -> None:
    wait_until = time.monotonic() + PATIENCE_S
    while not jobs.is_alive("auto") and time.monotonic() < wait_until:
        time.sleep(0.1)
    assert worker.main(["--device", "auto"]) == 0


IGNORES_STOPS = """
import sys, time
from prolip_core import job_work, worker

def train(db, job, control, warm):
    control.enter(sys.argv[1])
    time.sleep(600)

job_work.train = train
job_work.warm_up = lambda warm, device: None
raise SystemExit(worker.main(["--device", "cpu"]))
"""


@pytest.mark.parametrize("stage", ["features", "fit"])
def test_work_that_honours_no_stop_is_ended_with_its_process(stage: str) -> None:
    db = storage.open_database()
    (config.cache_folder() / "sample").mkdir(parents=True)
    (config.cache_folder() / "sample" / "classes.csv").touch()
    project = storage.projects.create(db, "x", spec.as_dict(PilotSpec()))
    job = storage.jobs.enqueue(db, project.id, "train", {}, device="cpu")
    process = subprocess.Popen([sys.executable, "-c", IGNORES_STOPS, stage], cwd=REPOSITORY)
    try:
        wait(db, job, lambda now: now.stage == stage)
        storage.jobs.request_stop(db, job.id)
        assert wait(db, job).state == "stopped"
        assert process.wait(PATIENCE_S) == 0
    finally:
        process.kill()
        process.wait()
    assert not jobs.is_alive("cpu")


def test_a_job_for_a_device_that_is_not_there_is_told_so_at_once(db: Database, supervisor: jobs.Supervisor) -> None:
    project = storage.projects.create(db, "x", spec.as_dict(PilotSpec()))
    job = wait(db, storage.jobs.enqueue(db, project.id, "train", {}, device="cuda:99"))
    assert job.state == "failed"
    assert job.error is not None and "is not there on this computer" in job.error["message"]
    assert job.error["remedy"] == "Use auto or cpu instead."


def test_a_worker_for_a_device_that_is_not_there_tells_its_jobs_so_and_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    db = storage.open_database()
    project = storage.projects.create(db, "x", spec.as_dict(PilotSpec()))
    job = storage.jobs.enqueue(db, project.id, "train", {}, device="cuda:99")
    monkeypatch.setattr(worker.Worker, "_watch", lambda self: None)
    monkeypatch.setattr(sample_photos, "are_ready", lambda: True)
    assert worker.main(["--device", "cuda:99"]) == 0
    failed = storage.jobs.get(db, job.id)
    assert failed is not None
    assert failed.error is not None and "is not there on this computer" in failed.error["message"]


def test_the_watchdog_goes_on_after_an_error_that_nobody_thought_of(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Enough(BaseException):
        """Ends the endless loop."""

    beats = []

    def beat(*_args: object) -> None:
        beats.append(1)
        raise KeyError("x") if len(beats) == 1 else Enough

    monkeypatch.setattr(storage.jobs, "worker_beat", beat)
    monkeypatch.setattr(worker, "WATCH_EVERY_S", 0)
    with pytest.raises(Enough):
        worker.Worker(storage.open_database(), "cpu")._watch()
    assert "unexpected error of the watchdog" in caplog.text
