"""What a worker does for a job, in this process and with the tiny CLIP: what is kept, and what a stop does when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from prolip_core import config, job_control, job_work, prolip, sample, sample_photos, spec, storage, uploads
from prolip_core.backbones import Backbone
from prolip_core.content_store import ContentStore, ThumbnailStore
from prolip_core.errors import Cancelled
from prolip_core.job_control import MEASURE_KEPT, JobControl
from prolip_core.spec import FitConfig, PilotSpec
from prolip_core.storage import Database, curve
from prolip_core.storage.records import ClassRow, Job
from prolip_core.types import Progress, Step, TrainedProjector
from prolip_core.uploads import UploadFile
from tests import fakes

NAMES = ("bolt", "nut", "washer")
SLOW = PilotSpec(fit=FitConfig("adam", "1/N", epochs=50), device="cpu")


class Tiny(job_work.WarmBackbone):
    def get(self, choices: PilotSpec) -> Backbone:
        return fakes.tiny_backbone()


class Control(JobControl):
    """Asks for a stop, as the watchdog would, when `when(stage, done)` says so: at every step and every report."""

    def __init__(self, db: Database, job: Job, when: Callable[[str, int], int]) -> None:
        super().__init__(db, job.id)
        self.when = when
        self.steps: list[int] = []
        self.seen: list[str] = []

    def step(self, step: Step) -> bool:
        self.steps.append(step.step)
        self.ask(self.when("fit", step.step))
        return super().step(step)

    def progress(self, progress: Progress) -> bool:
        self.ask(self.when(progress.stage, progress.done))
        is_over = super().progress(progress)
        job = storage.jobs.get(self._db, self.job_id)
        assert job is not None
        self.seen += [job.stage] * (self.seen[-1:] != [job.stage])
        return is_over


def project_of(db: Database, tmp_path: Path, *, testing: int = 2) -> str:
    project = storage.projects.create(db, "parts", spec.as_dict(SLOW))
    rows = storage.classes.save(db, project.id, [ClassRow(None, name, (name,)) for name in NAMES])
    folder = fakes.write_photos(tmp_path / "photos", {name: range(4 + testing) for name in NAMES})
    stores = ContentStore(config.photo_folder()), ThumbnailStore(config.thumbnail_folder())
    for row in rows:
        assert row.id is not None
        files = [UploadFile(path.name, path.read_bytes()) for path in sorted((folder / row.display_name).iterdir())]
        photos = [one.photo.photo for one in uploads.check(files, *stores) if one.photo is not None]
        storage.photos.add(db, project.id, row.id, "train", photos[:4])
        storage.photos.add(db, project.id, row.id, "test", photos[4:])
    return project.id


def claimed(db: Database, project_id: str, choices: PilotSpec = SLOW, kind: Any = "train") -> Job:
    storage.jobs.enqueue(db, project_id, kind, {"spec": spec.as_dict(choices)})
    job = storage.jobs.claim(db, "auto", ("auto",))
    assert job is not None
    return job


def test_a_run_belongs_to_the_sentences_it_was_trained_with(db: Database, tmp_path: Path) -> None:
    project_id = project_of(db, tmp_path)
    before = storage.photos.fingerprint(db, project_id)
    job = claimed(db, project_id)
    changed = replace(SLOW, templates=("a drawing of a {}",))
    storage.projects.set_spec(db, project_id, spec.as_dict(changed))  # while it waits
    job_work.train(db, job, JobControl(db, job.id), Tiny())
    (run,) = storage.runs.list_(db, project_id)
    assert run.fingerprint == before
    assert run.fingerprint != storage.photos.fingerprint(db, project_id)  # so it is shown as made from other choices


def test_a_stop_while_the_sample_is_taken_in_ends_it(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "sample"
    for role in ("train", "test"):
        fakes.write_photos(folder / role, {name: range(2) for name in sample.CLASS_NAMES})
    monkeypatch.setattr(sample_photos, "ready", lambda _report: folder)
    project = storage.projects.create(db, "sample", spec.as_dict(SLOW))
    job = claimed(db, project.id, kind="sample")
    control = Control(db, job, lambda stage, _done: int(stage == "sample"))
    with pytest.raises(Cancelled):
        job_work.make_sample(db, job, control, Tiny())
    assert storage.photos.list_(db, project.id) == ()
    assert control.steps == []


def test_a_stop_ends_the_training_at_that_step_and_measuring_is_a_stage_of_its_own(
    db: Database, tmp_path: Path
) -> None:
    project_id = project_of(db, tmp_path, testing=0)
    job = claimed(db, project_id)
    control = Control(db, job, lambda stage, done: int(stage != "features" and (stage != "fit" or done >= 3)))
    job_work.train(db, job, control, Tiny())
    assert control.steps == [1, 2, 3]
    assert control.seen == ["features", MEASURE_KEPT]
    (run,) = storage.runs.list_(db, project_id)
    assert run.stopped
    assert [step.step for step in storage.jobs.steps(db, job.id)] == [1, 2, 3]


@pytest.mark.parametrize("after", [0, 7])
def test_a_second_stop_discards_what_was_kept_at_the_next_step_of_measuring(
    db: Database, tmp_path: Path, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the first whole repeat too (five folds), which the engine alone would report."""
    monkeypatch.setattr(job_control, "DOUBLE_CLICK_S", 0.0)
    project_id = project_of(db, tmp_path, testing=0)
    job = claimed(db, project_id)
    fits: list[int] = []
    fit = prolip.fit

    def counted(*args: Any, **named: Any) -> TrainedProjector:
        fits.append(1)
        return fit(*args, **named)

    monkeypatch.setattr(prolip, "fit", counted)

    def when(stage: str, done: int) -> int:
        if stage == "fit":
            return int(done >= 3)
        return 1 + (done >= after) if stage == "cross_validation" else 0

    with pytest.raises(Cancelled):
        job_work.train(db, job, Control(db, job, when), Tiny())
    assert len(fits) == 1 + after  # the training itself, and the folds that were done before
    assert storage.runs.list_(db, project_id) == ()


def test_a_double_click_on_stop_does_not_discard(db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_control, "DOUBLE_CLICK_S", 60.0)
    project_id = project_of(db, tmp_path, testing=0)
    job = claimed(db, project_id)
    control = Control(db, job, lambda stage, done: {"fit": int(done >= 3), "cross_validation": 2}.get(stage, 0))
    job_work.train(db, job, control, Tiny())
    assert len(storage.runs.list_(db, project_id)) == 1


def test_of_a_long_training_a_bounded_curve_is_kept(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(curve, "MAX_STEPS", 20)
    project_id = project_of(db, tmp_path)
    job = claimed(db, project_id)
    job_work.train(db, job, JobControl(db, job.id), Tiny())
    kept = [step.step for step in storage.jobs.steps(db, job.id)]
    assert len(kept) <= 20
    assert (kept[0], kept[-1]) == (1, 50)
