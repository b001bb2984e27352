"""The points of a training's curve: which of very many are kept."""

from __future__ import annotations

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.orm import Session

from prolip_core.storage.schema import JobTable, StepTable

MAX_STEPS = 2000
"""So many points of the curve of a finished job are kept at most."""


def thin(session: Session, row: JobTable) -> None:
    """Removes points so that at most MAX_STEPS are left."""
    if row.n_steps > MAX_STEPS:
        last = session.scalar(select(func.max(StepTable.step)).where(StepTable.job_id == row.id)) or 0
        session.execute(delete(StepTable).where(StepTable.job_id == row.id, ~is_kept(1, last, MAX_STEPS)))


def is_kept(first: int, last: int, at_most: int) -> ColumnElement[bool]:
    """Every so many steps one, so that at most `at_most` are left. The distance is a power of two: what is thinned out a second
    time keeps points of the first."""
    room = max(1, at_most - 2)
    stride = 1
    while (last - first + 1) / stride > room:
        stride *= 2
    return (StepTable.step % stride == 0) | StepTable.step.in_((first, last))
