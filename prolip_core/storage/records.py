"""What the database gives out: frozen records, without a tie to the database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from prolip_core.types import CheckedPhoto, ClassSpec, DuplicateFile, ImageRecord, Prediction, Quality

Role = Literal["train", "test"]
JobKind = Literal["train", "sample", "similarity", "study", "try"]
JobState = Literal["queued", "running", "done", "failed", "stopped"]
Tags = tuple[tuple[str, str], ...]
"""Names and values of a photo's tags, by name."""

LIVE_STATES: tuple[JobState, ...] = ("queued", "running")
TRAININGS: tuple[JobKind, ...] = ("train", "sample")


@dataclass(frozen=True)
class Project:
    """One question of a user: classes, photos, choices, runs. `spec` holds the choices (`prolip_core.spec.as_dict`)."""

    id: str
    name: str
    created_at: datetime
    changed_at: datetime
    deleted_at: datetime | None
    spec: Mapping[str, Any]


@dataclass(frozen=True)
class RunSummary:
    """The headline of a finished run. `fingerprint` is that of the data it was made from: compare with `photos.fingerprint`.

    threshold: how sure it must be to answer alone, 0 to 1, where a person has set it; else the run's own (`sure_rule`) holds.
    """

    id: str
    project_id: str
    number: int
    name: str
    created_at: datetime
    evaluation: str
    count: int
    zero_shot_correct: int
    prolip_correct: int
    backbone: str
    fingerprint: str
    stopped: bool
    threshold: float | None = None


@dataclass(frozen=True)
class ProjectCard:
    """A project at a glance; photos that are excluded are not counted. `cover`: ids of up to four photos."""

    project: Project
    n_classes: int
    n_train: int
    n_test: int
    last_run: RunSummary | None
    cover: tuple[str, ...]
    is_busy: bool


@dataclass(frozen=True)
class ClassRow:
    """A class of a project; `id` is None until it is saved."""

    id: int | None
    display_name: str
    prompt_names: tuple[str, ...]

    @property
    def spec(self) -> ClassSpec:
        return ClassSpec(self.display_name, self.prompt_names)


@dataclass(frozen=True)
class Photo:
    """A photo in its place: the same bytes may lie in several projects or classes, each a photo of its own."""

    id: int
    class_id: int
    role: Role
    excluded: bool
    record: ImageRecord
    quality: Quality
    added_at: datetime
    tags: Tags = ()

    @property
    def image_id(self) -> str:
        return self.record.image_id


@dataclass(frozen=True)
class AddResult:
    """What became of photos that were added to one class."""

    added: tuple[Photo, ...]
    duplicates: tuple[DuplicateFile, ...]


@dataclass(frozen=True)
class RunRecord:
    """A finished run, whole. `result` is the content of result.json; both methods answered the same photos in the same order."""

    summary: RunSummary
    result: Mapping[str, Any] = field(repr=False)
    zero_shot: tuple[Prediction, ...] = field(repr=False)
    prolip: tuple[Prediction, ...] = field(repr=False)
    filenames: Mapping[str, str] = field(repr=False)

    @property
    def class_names(self) -> tuple[str, ...]:
        return tuple(self.result["class_names"])


@dataclass(frozen=True)
class StudySummary:
    """A finished study without its result. `run_id`: of the run that it is about, None for one of the project's photos;
    `settings`: what was asked for; `fingerprint`: of the data it was made from, as that of a run."""

    id: str
    project_id: str
    run_id: str | None
    job_id: str | None
    kind: str
    settings: Mapping[str, Any]
    fingerprint: str
    created_at: datetime


@dataclass(frozen=True)
class StudyRecord:
    """A finished study, whole. `result` is what docs/result-format.md says of its kind."""

    summary: StudySummary
    result: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True)
class RefusedFile:
    """A file that was not taken, as it is kept: message and remedy are templates, `values` fills both."""

    filename: str
    message: str
    remedy: str
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Drop:
    """Photos that were tried together. `twice`: files with the very bytes of another one of the drop; `total`: how many files
    there were to receive."""

    id: str
    project_id: str
    created_at: datetime
    is_many: bool
    count: int
    total: int
    refused: tuple[RefusedFile, ...] = field(repr=False)
    twice: tuple[DuplicateFile, ...] = field(repr=False)

    @property
    def received(self) -> int:
        """How many of the files have been looked at; fewer than `total` where that was cut short."""
        return self.count + len(self.refused) + len(self.twice)


@dataclass(frozen=True)
class TriedPhoto:
    """A photo that was tried. It belongs to no class."""

    id: int
    drop_id: str
    photo: CheckedPhoto
    added_at: datetime

    @property
    def record(self) -> ImageRecord:
        return self.photo.record

    @property
    def image_id(self) -> str:
        return self.photo.record.image_id


@dataclass(frozen=True)
class Similar:
    """A training photo of a run, and how alike it is in the trained space (cosine, -1 to 1)."""

    image_id: str
    filename: str
    class_name: str
    cosine: float


@dataclass(frozen=True)
class TriedAnswer:
    """What a run says about a tried photo: probabilities over its classes by both methods, and the training photos that are most
    like it. problem: why the photo could not be asked; then there are no probabilities. turn: its place among the photos whose
    class would teach most, None where that is not known."""

    photo_id: int
    zero_shot: tuple[float, ...]
    prolip: tuple[float, ...]
    similar: tuple[Similar, ...] = ()
    turn: int | None = None
    problem: RefusedFile | None = None


@dataclass(frozen=True)
class Job:
    """A piece of work for a worker process. `version` grows with every change, so a screen knows when to draw anew.

    `device` is what was asked for ("auto", "cpu", …), `used_device` what it runs on. `error` holds message, remedy, values.
    """

    id: str
    project_id: str
    kind: JobKind
    state: JobState
    payload: Mapping[str, Any]
    device: str
    used_device: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    stop_requests: int
    stage: str
    done: int
    total: int
    per_second: float
    left_s: float | None
    n_steps: int
    version: int
    run_id: str | None
    result: Mapping[str, Any] | None
    error: Mapping[str, Any] | None

    @property
    def is_live(self) -> bool:
        return self.state in LIVE_STATES


@dataclass(frozen=True)
class WorkerRow:
    """The last sign of life of a worker process."""

    device: str
    used_device: str
    pid: int
    beat_at: datetime
    devices_present: tuple[str, ...]


@dataclass(frozen=True)
class Purged:
    """How many projects, photos (files on disk) and runs were removed for good."""

    projects: int
    photos: int
    runs: int
