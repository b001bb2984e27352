"""What a user chose and typed for the report of a project; it goes with the project."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from sqlalchemy import select

from prolip_core.storage.database import Database
from prolip_core.storage.projects import live_row
from prolip_core.storage.schema import ReportChoiceTable

Part = Literal["report", "business"]
"""What stands in the report, and what its cost and benefit are computed from."""


def load(db: Database, project_id: str, part: Part) -> Mapping[str, Any]:
    """What was kept last; empty if nothing was."""
    with db.read() as session:
        row = session.get(ReportChoiceTable, (project_id, part))
        return {} if row is None else dict(row.content)


def save(db: Database, project_id: str, part: Part, **changes: Any) -> None:
    """Keeps these entries and leaves the others as they are. Raises StorageError if the project is gone."""
    with db.write() as session:
        live_row(session, project_id)
        wanted = (ReportChoiceTable.project_id == project_id, ReportChoiceTable.part == part)
        row = session.scalar(select(ReportChoiceTable).where(*wanted))
        if row is None:
            session.add(ReportChoiceTable(project_id=project_id, part=part, content=dict(changes)))
        else:
            row.content = {**row.content, **changes}
