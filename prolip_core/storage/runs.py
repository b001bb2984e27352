"""Finished runs. The files of a run lie in `config.run_folder()/<run id>`; everything that a screen shows is here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import undefer

from prolip_core.errors import ConfigError, RunError
from prolip_core.storage.database import Database, now
from prolip_core.storage.names import check_name
from prolip_core.storage.records import RunRecord, RunSummary
from prolip_core.storage.schema import JobTable, ProjectTable, RunTable
from prolip_core.types import Prediction


def add(
    db: Database,
    run_id: str,
    project_id: str,
    job_id: str | None,
    fingerprint: str,
    result: Mapping[str, Any],
    answers: Mapping[str, Any],
) -> RunSummary:
    """Keeps a run and, in the same transaction, marks the job that made it as done.

    result: the content of result.json; answers: `runs.answers_as_dict`. Raises RunError if the project is gone.
    """
    with db.write() as session:
        project = session.get(ProjectTable, project_id)
        if project is None or project.deleted_at is not None:
            raise _gone()
        number = 1 + (session.scalar(select(func.max(RunTable.number)).where(RunTable.project_id == project_id)) or 0)
        row = RunTable(
            id=run_id,
            project_id=project_id,
            job_id=job_id,
            number=number,
            name="",
            created_at=now(),
            evaluation=result["evaluation"],
            count=result["prolip"]["count"],
            zero_shot_correct=result["zero_shot"]["correct"],
            prolip_correct=result["prolip"]["correct"],
            backbone=result["backbone"],
            fingerprint=fingerprint,
            stopped=result["settings"]["stopped_early"],
            threshold=None,
            deleted_at=None,
            result=dict(result),
            answers=dict(answers),
        )
        session.add(row)
        project.changed_at = row.created_at
        job = session.get(JobTable, job_id) if job_id is not None else None
        if job is not None:
            job.state, job.run_id, job.finished_at = "done", run_id, row.created_at
            job.version += 1
    return summary_of(row)


def list_(db: Database, project_id: str) -> tuple[RunSummary, ...]:
    """The runs of a project, the newest first."""
    with db.read() as session:
        rows = session.scalars(
            select(RunTable)
            .where(RunTable.project_id == project_id, RunTable.deleted_at.is_(None))
            .order_by(RunTable.number.desc())
        ).all()
    return tuple(summary_of(row) for row in rows)


def load(db: Database, run_id: str) -> RunRecord:
    """The whole run. Raises RunError if it is gone."""
    with db.read() as session:
        row = session.get(RunTable, run_id, options=[undefer(RunTable.result), undefer(RunTable.answers)])
        if row is None or row.deleted_at is not None:
            raise _gone()
    photos = row.result["photos"]
    return RunRecord(
        summary=summary_of(row),
        result=row.result,
        zero_shot=_predictions(row.answers, "zero_shot"),
        prolip=_predictions(row.answers, "prolip"),
        filenames={photo["id"]: photo["filename"] for photo in (*photos["support"], *photos["query"])},
    )


def rename(db: Database, run_id: str, name: str) -> None:
    """An empty name takes the run's own name away. Raises RunError if the run is gone, StorageError for a long name."""
    checked = check_name(name) if name.strip() else ""
    with db.write() as session:
        row = session.get(RunTable, run_id)
        if row is None or row.deleted_at is not None:
            raise _gone()
        row.name = checked


def set_threshold(db: Database, run_id: str, threshold: float | None) -> None:
    """How sure it must be to answer alone, from 0 to 1; None for the run's own rule (`sure_rule`).

    Raises RunError if the run is gone, ConfigError for a number out of its range.
    """
    if threshold is not None and not 0 <= threshold <= 1:
        raise ConfigError(
            "An answer cannot be {value} sure; the limit must be between 0 and 1.",
            remedy="0.9 means 90 in 100.",
            value=f"{threshold:g}",
        )
    with db.write() as session:
        row = session.get(RunTable, run_id)
        if row is None or row.deleted_at is not None:
            raise _gone()
        row.threshold = threshold


def delete(db: Database, run_id: str) -> None:
    """Hides the run; `restore` brings it back until `purge` removes it."""
    with db.write() as session:
        row = session.get(RunTable, run_id)
        if row is not None:
            row.deleted_at = now()


def restore(db: Database, run_id: str) -> None:
    """Takes the deletion of a run back. Raises RunError if it was removed for good."""
    with db.write() as session:
        row = session.get(RunTable, run_id)
        if row is None:
            raise _gone()
        row.deleted_at = None


def deleted(db: Database, project_id: str) -> tuple[RunSummary, ...]:
    """Runs whose deletion can still be taken back, the one deleted last first."""
    with db.read() as session:
        rows = session.scalars(
            select(RunTable)
            .where(RunTable.project_id == project_id, RunTable.deleted_at.is_not(None))
            .order_by(RunTable.deleted_at.desc())
        ).all()
    return tuple(summary_of(row) for row in rows)


def summary_of(row: RunTable) -> RunSummary:
    """The row's headline."""
    return RunSummary(
        id=row.id,
        project_id=row.project_id,
        number=row.number,
        name=row.name,
        created_at=row.created_at,
        evaluation=row.evaluation,
        count=row.count,
        zero_shot_correct=row.zero_shot_correct,
        prolip_correct=row.prolip_correct,
        backbone=row.backbone,
        fingerprint=row.fingerprint,
        stopped=row.stopped,
        threshold=row.threshold,
    )


def _predictions(answers: Mapping[str, Any], method: str) -> tuple[Prediction, ...]:
    def most_likely(probabilities: Sequence[float]) -> int:
        return max(range(len(probabilities)), key=probabilities.__getitem__)

    return tuple(
        Prediction(image_id, label, most_likely(probabilities), tuple(probabilities))
        for image_id, label, probabilities in zip(answers["image_ids"], answers["labels"], answers[method], strict=True)
    )


def _gone() -> RunError:
    return RunError("This result is not there any more.", remedy="Choose another result, or train again.")
