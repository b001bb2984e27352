"""What a worker does for each kind of study: photos of the project (or one of its runs) → the content of a result.json, kept.

A further kind is a function of `Work` and its line in `KINDS`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from prolip_core import condition_work, config, handover_work, job_work, pilot, prompts, runs, spec, storage
from prolip_core.backbones import Backbone
from prolip_core.baselines import methods
from prolip_core.catalogue import BackboneSpec
from prolip_core.content_store import ContentStore
from prolip_core.dataset import PhotoSet
from prolip_core.job_control import JobControl
from prolip_core.job_work import WarmBackbone
from prolip_core.runs import SavedRun
from prolip_core.spec import PilotSpec
from prolip_core.storage import Database
from prolip_core.storage.records import Job
from prolip_core.studies import (
    certainty_study,
    compare_methods,
    kinds,
    learning_rates,
    look_study,
    material,
    study_files,
)
from prolip_core.studies.condition_words import SECOND_TEST, STRESS, TEST_TIME, TRANSFER
from prolip_core.studies.kinds import Request
from prolip_core.studies.material import Material
from prolip_core.studies.names import (
    ADDED_CLASS,
    CERTAINTY,
    CURVE,
    HAND_OVER,
    LEARNING_RATES,
    LOOK,
    LOOK_PHOTO,
    METHODS,
    NEEDS_NO_TEST,
    NEW_CLASSES,
    SLOW_METHODS,
)
from prolip_core.types import ImageRecord, Prediction


@dataclass(frozen=True)
class Work:
    """One job of a study. What is slow is done when it is first asked for, once; every part of it obeys Stop."""

    db: Database
    job: Job
    control: JobControl
    warm: WarmBackbone

    @property
    def kind(self) -> str:
        return str(self.job.payload["kind"])

    @property
    def settings(self) -> Mapping[str, Any]:
        """What was asked for on the page, as its part of the page wrote it."""
        found: Mapping[str, Any] = self.job.payload["settings"]
        return found

    @property
    def run_id(self) -> str | None:
        """The run that the study is about, None for one of the project's photos."""
        found: str | None = self.job.payload["run_id"]
        return found

    @cached_property
    def choices(self) -> PilotSpec:
        """Those of the project when the study was asked for."""
        return spec.from_dict(self.job.payload["spec"])

    @cached_property
    def _state(self) -> tuple[PhotoSet, str]:
        return job_work.photo_set(self.db, self.job.project_id, self.job.payload["spec"])

    @property
    def photos(self) -> PhotoSet:
        """Raises DatasetError."""
        return self._state[0]

    @property
    def fingerprint(self) -> str:
        """Of the project at the moment that `photos` shows; for a study of a run, which does not depend on it, of now."""
        return storage.photos.fingerprint(self.db, self.job.project_id) if self.run_id else self._state[1]

    @cached_property
    def backbone(self) -> Backbone:
        """The model of `choices`; stays in memory for the next job. Raises the errors of loading one, Cancelled."""
        pilot.check(self.choices)
        self.control.enter("load")
        found = self.warm.get(self.choices)
        self.control.obey()
        self.control.enter("features", used_device=found.device.title)
        return found

    def material(self, *, needs_test: bool = True, with_tokens: bool = False) -> Material:
        """The project's photos as features. Raises DatasetError without test photos, Cancelled."""
        return material.prepare(
            self.choices,
            self.photos,
            cache_folder=config.cache_folder(),
            on_progress=self.control.progress,
            backbone=self.backbone,
            needs_test=needs_test,
            with_tokens=with_tokens,
        )

    def saved_run(self) -> SavedRun:
        """The run that the study is about, with its own model, which stays in memory. Raises RunError and the errors of loading
        a model, Cancelled."""

        def warm(backbone: BackboneSpec, precision: str) -> Backbone:
            return self.warm.get(replace(self.choices, backbone=backbone, precision=precision))

        self.control.enter("load")
        found = runs.load(config.run_folder() / str(self.run_id), load_backbone=warm)
        self.control.obey()
        self.control.enter("features", used_device=found.backbone.device.title)
        return found


def run(db: Database, job: Job, control: JobControl, warm: WarmBackbone) -> None:
    """The whole study, kept in the step that marks the job as done. Raises the errors of the engine; nothing is kept then."""
    start = time.perf_counter()
    work = Work(db, job, control, warm)
    # A study counts from where its photos are read; who waited for it, waited for the reading too.
    result = {**KINDS[work.kind](work), "seconds": time.perf_counter() - start}
    control.close()
    storage.studies.add(
        db, job.project_id, job.id, work.kind, work.settings, work.fingerprint, result, run_id=work.run_id
    )


def _drawn(work: Work) -> Mapping[str, Any]:
    """settings: {"draws"}, which may be missing."""
    of_photos = work.material(needs_test=work.kind not in NEEDS_NO_TEST)
    request = Request(draws=work.settings.get("draws"))
    return study_files.as_dict(kinds.run(work.kind, of_photos, request, work.control.progress))


def _methods(work: Work) -> Mapping[str, Any]:
    """settings: {"slow": bool, "draws", "shots", "keys"}, each may be missing. keys: by default all, the slow ones if `slow`."""
    asked = work.settings
    keys = asked.get("keys") or [one.key for one in methods.METHODS if asked.get("slow") or one.key not in SLOW_METHODS]
    study = compare_methods.run(
        work.material(with_tokens=methods.need_tokens(keys)),
        shots=asked.get("shots"),
        n_draws=asked.get("draws", compare_methods.DRAWS),
        keys=keys,
        on_progress=work.control.progress,
    )
    return study_files.as_dict(study)


def _learning_rates(work: Work) -> Mapping[str, Any]:
    """settings: {"draws", "shots", "lams", "epochs"}, each may be missing. shots: fewer where the smallest class has fewer."""
    asked, of_photos = work.settings, work.material()
    smallest = min(of_photos.support.images_per_class)
    study = learning_rates.run(
        of_photos,
        shots=min(smallest, asked.get("shots", material.MAX_SHOTS)),
        n_draws=asked.get("draws", learning_rates.DRAWS),
        lams=asked.get("lams", learning_rates.LAMS),
        epochs=asked.get("epochs", spec.FitConfig.epochs),
        on_progress=work.control.progress,
    )
    return study_files.as_dict(study)


def _certainty(work: Work) -> Mapping[str, Any]:
    """settings: {"foreign": photos of something else, as `asdict` of their records}, may be missing."""
    of_photos = work.material()
    records = [ImageRecord(**one) for one in work.settings.get("foreign", ())]
    foreign = certainty_study.foreign_of(
        records,
        ContentStore(config.photo_folder()),
        of_photos,
        work.backbone,
        cache_folder=config.cache_folder(),
        on_progress=work.control.progress,
    )
    return study_files.as_dict(certainty_study.run(of_photos, foreign=foreign, on_progress=work.control.progress))


def _added_class(work: Work) -> Mapping[str, Any]:
    """One more class in a finished run, by its name. settings: {"name", "prompt_names", "photos": of the new class, as `asdict`
    of their records}. Gives what became of the run's own test photos (those that are still there), and of these photos."""
    start = time.perf_counter()
    added = prompts.make_class(work.settings["name"], work.settings["prompt_names"])
    before = work.saved_run()
    after = before.with_class(added)
    record = storage.runs.load(work.db, str(work.run_id))
    there = {photo.image_id for photo in storage.photos.list_(work.db, work.job.project_id)}
    # Under cross-validation the kept projector has learnt from all photos: nothing is left to measure it on.
    is_tested = record.summary.evaluation == "test"
    truth = {one.image_id: one.label for one in record.prolip if is_tested and one.image_id in there}
    own = [ImageRecord(**one) for one in work.settings.get("photos", ())]
    store = ContentStore(config.photo_folder())

    def answers(saved: SavedRun, image_ids: list[str]) -> tuple[Prediction, ...]:
        work.control.obey()
        return saved.predict(store, image_ids, config.cache_folder()) if image_ids else ()

    first, second = (answers(one, list(truth)) for one in (before, after))
    taken = [one for one in second if one.predicted == len(record.class_names)]
    return {
        "study": ADDED_CLASS,
        "class_names": list(after.class_vectors.class_names),
        "prompts": list(after.class_vectors.prompts.sentences[-1]),
        "backbone": before.backbone.spec.name,
        "query_count": len(truth),
        "right_before": sum(one.predicted == truth[one.image_id] for one in first),
        "right_after": sum(one.predicted == truth[one.image_id] for one in second),
        "taken": [_answer(one, after) for one in taken],
        "photos": [_answer(one, after) for one in answers(after, [record.image_id for record in own])],
        "seconds": time.perf_counter() - start,
    }


def _answer(one: Prediction, saved: SavedRun) -> dict[str, Any]:
    names = saved.class_vectors.class_names
    return {"id": one.image_id, "answer": names[one.predicted], "confidence": one.confidence}


def _look(work: Work) -> Mapping[str, Any]:
    """settings: {"image_ids": of the test photos to look at and nothing else, "photos": how many of all classes}; either may be
    missing."""
    request = Request(
        photos=work.settings.get("photos", look_study.PHOTOS),
        image_ids=work.settings.get("image_ids"),
        reader=look_study.Reader(work.backbone, work.photos.source, config.cache_folder()),
    )
    return study_files.as_dict(kinds.run(LOOK, work.material(), request, work.control.progress))


KINDS: Mapping[str, Callable[[Work], Mapping[str, Any]]] = {
    CURVE: _drawn,
    METHODS: _methods,
    LEARNING_RATES: _learning_rates,
    NEW_CLASSES: _drawn,
    CERTAINTY: _certainty,
    ADDED_CLASS: _added_class,
    LOOK: _look,
    LOOK_PHOTO: _look,
    STRESS: condition_work.distorted,
    SECOND_TEST: condition_work.second_set,
    TRANSFER: condition_work.carried_over,
    TEST_TIME: condition_work.photo_by_photo,
    HAND_OVER: handover_work.hand_over,
}
"""Kind of study → what is done for it; gives the content of its result.json and whatever else the page shows."""
