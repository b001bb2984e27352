"""What a worker does for tried photos, in this process and with the tiny CLIP."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the name the whole field uses

from prolip_core import (
    answered,
    classify,
    config,
    features,
    job_work,
    offering,
    runs,
    spec,
    storage,
    sure_rule,
    try_work,
)
from prolip_core.backbones import Backbone
from prolip_core.content_store import ContentStore, ThumbnailStore
from prolip_core.errors import Cancelled, RunError
from prolip_core.job_control import JobControl
from prolip_core.spec import PilotSpec
from prolip_core.storage import Database
from prolip_core.storage.records import Job, RunSummary, TriedPhoto
from prolip_core.try_work import WarmRun
from prolip_core.uploads import UploadFile, check
from tests import fakes
from tests.test_job_work import NAMES, SLOW, claimed, project_of


class Warm(job_work.WarmBackbone):
    """One tiny model, which stays; `loads` counts how often it was made."""

    loads = 0

    def get(self, choices: PilotSpec) -> Backbone:
        if self._backbone is None:
            self.loads += 1
            self._backbone = fakes.tiny_backbone()
        return self._backbone


@pytest.fixture
def project_id(db: Database, tmp_path: Path) -> str:
    return project_of(db, tmp_path)


@pytest.fixture
def run(db: Database, project_id: str) -> RunSummary:
    job = claimed(db, project_id)
    job_work.train(db, job, JobControl(db, job.id), Warm())
    return storage.runs.list_(db, project_id)[0]


def tried(db: Database, project_id: str, folder: Path, count: int) -> tuple[TriedPhoto, ...]:
    """New photos of the classes in turn, which no training has seen."""
    fakes.write_photos(folder, {name: range(100, 100 + count) for name in NAMES})
    paths = [folder / NAMES[number % 3] / f"{100 + number}.jpg" for number in range(count)]
    stores = ContentStore(config.photo_folder()), ThumbnailStore(config.thumbnail_folder())
    files = [UploadFile(path.name, path.read_bytes()) for path in paths]
    photos = [one.photo.photo for one in check(files, *stores) if one.photo is not None]
    return storage.tried.add(db, storage.tried.begin(db, project_id, is_many=count > 1), photos)


def try_job(db: Database, project_id: str, drop_id: str, run_id: str) -> Job:
    payload = {"drop": drop_id, "run": run_id, "spec": spec.as_dict(SLOW)}
    storage.jobs.enqueue(db, project_id, "try", payload, device="cpu", key="k")
    job = storage.jobs.claim(db, "auto", ("cpu",))
    assert job is not None and job.kind == "try"
    return job


def work(db: Database, job: Job, warm: WarmRun) -> None:
    try_work.run(db, job, JobControl(db, job.id), warm)
    storage.jobs.finish(db, job.id, "done")


def test_the_answers_are_those_of_the_saved_run_and_of_the_untrained_model(
    db: Database, project_id: str, run: RunSummary, tmp_path: Path
) -> None:
    photos = tried(db, project_id, tmp_path / "new", 5)
    work(db, try_job(db, project_id, photos[0].drop_id, run.id), WarmRun(Warm()))
    found = storage.tried.answers(db, run.id)
    backbone = fakes.tiny_backbone()
    saved = runs.load(config.run_folder() / run.id, load_backbone=lambda *_: backbone)
    source, ids = ContentStore(config.photo_folder()), [photo.image_id for photo in photos]
    for photo, expected in zip(photos, saved.predict(source, ids, None), strict=True):
        assert found[photo.id].prolip == pytest.approx(expected.probabilities, abs=1e-6)
    untrained = runs.SavedRun(backbone, saved.class_vectors, backbone.projector, saved.templates)
    for photo, expected in zip(photos, untrained.predict(source, ids, None), strict=True):
        assert found[photo.id].zero_shot == pytest.approx(expected.probabilities, abs=1e-6)
    assert any(found[photo.id].zero_shot != found[photo.id].prolip for photo in photos)


def test_the_similar_photos_are_the_nearest_of_the_training_photos_by_hand(
    db: Database, project_id: str, run: RunSummary, tmp_path: Path
) -> None:
    (photo,) = tried(db, project_id, tmp_path / "new", 1)
    ready = WarmRun(Warm()).get(run.id, SLOW)
    (answer,) = try_work.answers(ready, ContentStore(config.photo_folder()), [photo])
    support = storage.runs.load(db, run.id).result["photos"]["support"]
    saved, source = ready.saved, ContentStore(config.photo_folder())

    def embedding(image_id: str) -> torch.Tensor:
        pre_NP = features.extract(saved.backbone, source, [image_id]).pre_VNP[0]
        return F.normalize(pre_NP @ saved.projector.weight_PD, dim=-1)[0]

    own = embedding(photo.image_id)
    cosines = sorted(((float(own @ embedding(one["id"])), one) for one in support), key=lambda pair: -pair[0])
    assert [one.image_id for one in answer.similar] == [one["id"] for _, one in cosines[: try_work.ALIKE]]
    assert [one.cosine for one in answer.similar] == pytest.approx([value for value, _ in cosines[:5]], abs=1e-5)
    assert [one.class_name for one in answer.similar] == [one["class"] for _, one in cosines[:5]]


def test_the_run_stays_warm_and_gives_way_to_another_model(db: Database, project_id: str, run: RunSummary) -> None:
    backbone = Warm()
    warm = WarmRun(backbone)
    first = warm.get(run.id, SLOW)
    assert warm.get(run.id, SLOW) is first
    assert backbone.loads == 1
    backbone._backbone = None  # another job has loaded another model
    assert warm.get(run.id, SLOW) is not first
    with pytest.raises(RunError):
        warm.get("f" * 32, SLOW)


def test_the_newest_run_is_made_ready_where_there_is_one(db: Database, project_id: str, run: RunSummary) -> None:
    warm = WarmRun(Warm())
    warm.warm_up(db, None, "cpu")
    assert warm._ready is not None and warm._ready.run_id == run.id
    other = WarmRun(Warm())
    other.warm_up(db, storage.projects.create(db, "empty", spec.as_dict(SLOW)).id, "cpu")
    assert other._ready is None


def test_a_photo_whose_bytes_are_gone_costs_only_its_own_answer(
    db: Database, project_id: str, run: RunSummary, tmp_path: Path
) -> None:
    photos = tried(db, project_id, tmp_path / "new", 6)
    ContentStore(config.photo_folder()).delete(photos[2].image_id)
    ContentStore(config.photo_folder()).path(photos[4].image_id).write_bytes(b"damaged")
    work(db, try_job(db, project_id, photos[0].drop_id, run.id), WarmRun(Warm()))
    found, failed = answered.of(photos, storage.tried.answers(db, run.id), NAMES, None)
    assert [one.photo for one in found] == [photos[k] for k in (0, 1, 3, 5)]
    assert [one.photo for one in failed] == [photos[2], photos[4]]
    assert all(one.problem.filename == one.photo.record.filename and one.problem.message for one in failed)
    assert sorted(one.turn for one in found if one.turn is not None) == [0, 1, 2, 3]


def test_photos_that_the_project_has_are_not_offered_and_the_order_is_that_of_offering(
    db: Database, project_id: str, run: RunSummary, tmp_path: Path
) -> None:
    photos = tried(db, project_id, tmp_path / "new", 7)
    class_id = storage.classes.list_(db, project_id)[0].id
    assert class_id is not None
    storage.teaching.teach(db, project_id, photos[3].id, class_id)
    warm = WarmRun(Warm())
    work(db, try_job(db, project_id, photos[0].drop_id, run.id), warm)
    found = storage.tried.answers(db, run.id)
    assert found[photos[3].id].turn is None
    ready = warm.get(run.id, SLOW)
    waiting = [photo for photo in reversed(photos) if photo.id != photos[3].id]
    batch = features.extract(
        ready.saved.backbone, ContentStore(config.photo_folder()), [photo.image_id for photo in waiting]
    )
    image_ND = classify.image_embeddings(batch.pre_VNP[0], ready.saved.projector).numpy()
    probs_NC = np.array([found[photo.id].prolip for photo in waiting])
    order = offering.order(image_ND, probs_NC, ready.learnt_MD.numpy())
    assert [found[waiting[place].id].turn for place in order] == list(range(6))


def test_a_stop_keeps_what_is_answered_and_the_work_goes_on_from_there(
    db: Database, project_id: str, run: RunSummary, tmp_path: Path
) -> None:
    photos = tried(db, project_id, tmp_path / "new", 12)
    warm = WarmRun(Warm())
    warm.get(run.id, SLOW)

    class StopsSoon(JobControl):
        def progress(self, progress: object) -> bool:
            self.ask(1)
            return super().progress(progress)  # type: ignore[arg-type]

    job = try_job(db, project_id, photos[0].drop_id, run.id)
    with pytest.raises(Cancelled):
        try_work.run(db, job, StopsSoon(db, job.id), warm)
    storage.jobs.finish(db, job.id, "stopped")
    kept = storage.tried.answers(db, run.id)
    assert 0 < len(kept) < 12
    work(db, try_job(db, project_id, photos[0].drop_id, run.id), warm)
    after = storage.tried.answers(db, run.id)
    assert len(after) == 12
    assert all(after[id_].prolip == one.prolip for id_, one in kept.items())


def test_an_answer_in_words_follows_the_rule_of_the_run(
    db: Database, project_id: str, run: RunSummary, tmp_path: Path
) -> None:
    photos = tried(db, project_id, tmp_path / "new", 4)
    work(db, try_job(db, project_id, photos[0].drop_id, run.id), WarmRun(Warm()))
    answers = storage.tried.answers(db, run.id)
    rule = sure_rule.SureRule(2.0, 0.5, 0.05, True, 10, 0, 0.01, 59)
    for one in answered.of(photos, answers, NAMES, rule)[0]:
        raw = np.array(answers[one.photo.id].prolip)
        corrected = np.sqrt(raw) / np.sqrt(raw).sum()
        ranked = sorted(range(3), key=lambda k: -raw[k])
        assert (one.after.name, one.next.name) == (NAMES[ranked[0]], NAMES[ranked[1]])
        assert one.after.confidence == pytest.approx(corrected.max())
        assert one.next.confidence == pytest.approx(corrected[ranked[1]])
        assert one.is_sure is bool(corrected.max() >= 0.5)
        assert one.before.name == NAMES[int(np.argmax(answers[one.photo.id].zero_shot))]
        assert one.before.confidence == max(answers[one.photo.id].zero_shot)
    without, _ = answered.of(photos, answers, NAMES, None)
    assert not any(one.is_sure for one in without)
    assert without[0].after.confidence == max(answers[photos[0].id].prolip)
