"""What a worker does for each kind of study: photos of the project (or one of its runs) → the content of a result.json, kept.

A further kind is a function of `Work` and its line in `KINDS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from prolip_core import condition_work, config, job_work, pilot, spec, storage
from prolip_core.backbones import Backbone
from prolip_core.dataset import PhotoSet
from prolip_core.job_control import JobControl
from prolip_core.job_work import WarmBackbone
from prolip_core.spec import PilotSpec
from prolip_core.storage import Database
from prolip_core.storage.records import Job
from prolip_core.studies import kinds, material, study_files
from prolip_core.studies.condition_words import SECOND_TEST, STRESS, TEST_TIME, TRANSFER
from prolip_core.studies.kinds import CURVE, LEARNING_RATES, METHODS, NEEDS_NO_TEST, NEW_CLASSES, Request
from prolip_core.studies.material import Material


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
        """Of the project at the moment that `photos` shows."""
        return self._state[1]

    @cached_property
    def backbone(self) -> Backbone:
        """The model of `choices`; stays in memory for the next job. Raises the errors of loading one, Cancelled."""
        pilot.check(self.choices)
        self.control.enter("load")
        found = self.warm.get(self.choices)
        self.control.obey()
        self.control.enter("features", used_device=found.device.title)
        return found

    def material(self, *, needs_test: bool = True) -> Material:
        """The project's photos as features. Raises DatasetError without test photos, Cancelled."""
        return material.prepare(
            self.choices,
            self.photos,
            cache_folder=config.cache_folder(),
            on_progress=self.control.progress,
            backbone=self.backbone,
            needs_test=needs_test,
        )


def run(db: Database, job: Job, control: JobControl, warm: WarmBackbone) -> None:
    """The whole study, kept in the step that marks the job as done. Raises the errors of the engine; nothing is kept then."""
    work = Work(db, job, control, warm)
    result = KINDS[work.kind](work)
    control.close()
    storage.studies.add(
        db, job.project_id, job.id, work.kind, work.settings, work.fingerprint, result, run_id=work.run_id
    )


def _drawn(work: Work) -> Mapping[str, Any]:
    """Studies of many trainings. settings: {"shots", "draws", "keys"}, each may be missing."""
    request = Request(
        shots=work.settings.get("shots"), draws=work.settings.get("draws"), keys=work.settings.get("keys")
    )
    of_photos = work.material(needs_test=work.kind not in NEEDS_NO_TEST)
    return study_files.as_dict(kinds.run(work.kind, of_photos, request, work.control.progress))


KINDS: Mapping[str, Callable[[Work], Mapping[str, Any]]] = {
    CURVE: _drawn,
    METHODS: _drawn,
    LEARNING_RATES: _drawn,
    NEW_CLASSES: _drawn,
    STRESS: condition_work.distorted,
    SECOND_TEST: condition_work.second_set,
    TRANSFER: condition_work.carried_over,
    TEST_TIME: condition_work.photo_by_photo,
}
"""Kind of study → what is done for it; gives the content of its result.json and whatever else the page shows."""
