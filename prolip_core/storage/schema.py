"""The tables. A change here needs a new file in `migrations/versions`; a test compares the two."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, DateTime, Dialect, ForeignKey, Index, String, Text, TypeDecorator
from sqlalchemy.orm import DeclarativeBase, Mapped, deferred, mapped_column


class UtcTime(TypeDecorator[datetime]):
    """A moment, always with the time zone UTC: SQLite forgets zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return None if value is None else value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


NEVER_REUSED = {"sqlite_autoincrement": True}
"""Numbers of deleted rows are not given again: undo steps and open pages still name them."""


class Base(DeclarativeBase):
    type_annotation_map = {datetime: UtcTime, dict[str, Any]: JSON, list[str]: JSON, list[Any]: JSON}  # noqa: RUF012


class ProjectTable(Base):
    __tablename__ = "project"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]
    spec: Mapped[dict[str, Any]]


class ClassTable(Base):
    __tablename__ = "class"
    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[str] = mapped_column(ForeignKey("project.id", ondelete="CASCADE"), index=True)
    position: Mapped[int]
    display_name: Mapped[str] = mapped_column(Text)
    prompt_names: Mapped[list[str]]
    deleted_at: Mapped[datetime | None]
    __table_args__ = NEVER_REUSED


class PhotoTable(Base):
    __tablename__ = "photo"
    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[str] = mapped_column(ForeignKey("project.id", ondelete="CASCADE"))
    class_id: Mapped[int] = mapped_column(ForeignKey("class.id", ondelete="CASCADE"), index=True)
    role: Mapped[str] = mapped_column(String(8))
    excluded: Mapped[bool]
    image_id: Mapped[str] = mapped_column(String(64), index=True)
    filename: Mapped[str] = mapped_column(Text)
    format: Mapped[str] = mapped_column(String(16))
    width_px: Mapped[int]
    height_px: Mapped[int]
    size_bytes: Mapped[int]
    phash: Mapped[str] = mapped_column(String(64))  # hexadecimal: more bits than a database integer holds
    sharpness: Mapped[float]
    brightness: Mapped[float]
    contrast: Mapped[float]
    added_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]
    __table_args__ = (Index("photo_of_project", "project_id", "deleted_at"), NEVER_REUSED)


class PhotoTagTable(Base):
    __tablename__ = "photo_tag"
    photo_id: Mapped[int] = mapped_column(ForeignKey("photo.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    value: Mapped[str] = mapped_column(Text)


class UndoTable(Base):
    """One step that can be taken back: the rows of photos and classes, and the tags of photos, as they were before it."""

    __tablename__ = "undo"
    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[str] = mapped_column(ForeignKey("project.id", ondelete="CASCADE"), index=True)
    at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(String(16))
    before: Mapped[dict[str, Any]]
    __table_args__ = NEVER_REUSED


class RunTable(Base):
    __tablename__ = "run"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    project_id: Mapped[str] = mapped_column(ForeignKey("project.id", ondelete="CASCADE"), index=True)
    job_id: Mapped[str | None] = mapped_column(String(32))
    number: Mapped[int]
    name: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]
    evaluation: Mapped[str] = mapped_column(String(32))
    count: Mapped[int]
    zero_shot_correct: Mapped[int]
    prolip_correct: Mapped[int]
    backbone: Mapped[str] = mapped_column(Text)
    fingerprint: Mapped[str] = mapped_column(String(64))
    stopped: Mapped[bool]
    threshold: Mapped[float | None]
    deleted_at: Mapped[datetime | None]
    # Large, and needed only where one run is looked at.
    result: Mapped[dict[str, Any]] = deferred(mapped_column(JSON))
    answers: Mapped[dict[str, Any]] = deferred(mapped_column(JSON))


class StudyTable(Base):
    """A finished study (`prolip_core.studies`) of a project's photos, or of one of its runs."""

    __tablename__ = "study"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    project_id: Mapped[str] = mapped_column(ForeignKey("project.id", ondelete="CASCADE"), index=True)
    run_id: Mapped[str | None] = mapped_column(ForeignKey("run.id", ondelete="CASCADE"), index=True)
    job_id: Mapped[str | None] = mapped_column(String(32))
    kind: Mapped[str] = mapped_column(String(32))
    settings: Mapped[dict[str, Any]]
    fingerprint: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    # Large, and needed only where the study is looked at.
    result: Mapped[dict[str, Any]] = deferred(mapped_column(JSON, nullable=False))


class TriedDropTable(Base):
    """Photos that were tried together: one, or many. `refused`, `twice`: the files that are no photo of it, and why; `total`: how
    many files there were, more than these together where their receiving was cut short."""

    __tablename__ = "tried_drop"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    project_id: Mapped[str] = mapped_column(ForeignKey("project.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime]
    is_many: Mapped[bool]
    total: Mapped[int]
    deleted_at: Mapped[datetime | None]
    refused: Mapped[list[Any]]
    twice: Mapped[list[Any]]


class TriedPhotoTable(Base):
    """A photo of such a drop; it belongs to no class and neither teaches nor measures."""

    __tablename__ = "tried_photo"
    id: Mapped[int] = mapped_column(primary_key=True)
    drop_id: Mapped[str] = mapped_column(ForeignKey("tried_drop.id", ondelete="CASCADE"), index=True)
    image_id: Mapped[str] = mapped_column(String(64), index=True)
    filename: Mapped[str] = mapped_column(Text)
    format: Mapped[str] = mapped_column(String(16))
    width_px: Mapped[int]
    height_px: Mapped[int]
    size_bytes: Mapped[int]
    phash: Mapped[str] = mapped_column(String(64))
    sharpness: Mapped[float]
    brightness: Mapped[float]
    contrast: Mapped[float]
    added_at: Mapped[datetime]
    __table_args__ = NEVER_REUSED


class TriedAnswerTable(Base):
    """What a run says about a tried photo, or why it could not be asked (`problem`). `turn`: its place among the photos whose
    class would teach most."""

    __tablename__ = "tried_answer"
    photo_id: Mapped[int] = mapped_column(ForeignKey("tried_photo.id", ondelete="CASCADE"), primary_key=True)
    run_id: Mapped[str] = mapped_column(ForeignKey("run.id", ondelete="CASCADE"), primary_key=True, index=True)
    at: Mapped[datetime]
    zero_shot: Mapped[list[Any]]
    prolip: Mapped[list[Any]]
    similar: Mapped[list[Any]]
    turn: Mapped[int | None]
    problem: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))


class ReportChoiceTable(Base):
    """What a user chose and typed for the report of a project, part by part."""

    __tablename__ = "report_choice"
    project_id: Mapped[str] = mapped_column(ForeignKey("project.id", ondelete="CASCADE"), primary_key=True)
    part: Mapped[str] = mapped_column(String(16), primary_key=True)
    content: Mapped[dict[str, Any]]


class JobTable(Base):
    __tablename__ = "job"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    project_id: Mapped[str] = mapped_column(ForeignKey("project.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column(String(16))
    key: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(16), index=True)
    payload: Mapped[dict[str, Any]]
    device: Mapped[str] = mapped_column(String(32))
    used_device: Mapped[str] = mapped_column(Text)
    worker: Mapped[str] = mapped_column(String(32))
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    stop_requests: Mapped[int]
    stage: Mapped[str] = mapped_column(String(32))
    done: Mapped[int]
    total: Mapped[int]
    per_second: Mapped[float]
    left_s: Mapped[float | None]
    n_steps: Mapped[int]
    version: Mapped[int]
    run_id: Mapped[str | None] = mapped_column(String(32))
    result: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    error: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))


class StepTable(Base):
    """One point of a training curve."""

    __tablename__ = "step"
    job_id: Mapped[str] = mapped_column(ForeignKey("job.id", ondelete="CASCADE"), primary_key=True)
    step: Mapped[int] = mapped_column(primary_key=True)
    total_steps: Mapped[int]
    loss: Mapped[float]
    cross_entropy: Mapped[float]
    penalty: Mapped[float]
    support_accuracy: Mapped[float]
    elapsed_s: Mapped[float]


class WorkerTable(Base):
    """Signs of life: one row per worker process (its device), one for the web server (device "server")."""

    __tablename__ = "worker"
    device: Mapped[str] = mapped_column(String(32), primary_key=True)
    used_device: Mapped[str] = mapped_column(Text)
    pid: Mapped[int]
    beat_at: Mapped[datetime]
    devices_present: Mapped[list[str]]
