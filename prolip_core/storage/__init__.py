"""Projects, classes, photos, runs and jobs in a database; the only place of SQLAlchemy. `records` is what comes out."""

from prolip_core.storage import (
    classes,
    jobs,
    photos,
    project_rows,
    projects,
    report_choices,
    rollback,
    runs,
    studies,
    teaching,
    tried,
    undo,
)
from prolip_core.storage.database import Database, open_database
from prolip_core.storage.purge import purge

__all__ = [
    "Database",
    "classes",
    "jobs",
    "open_database",
    "photos",
    "project_rows",
    "projects",
    "purge",
    "report_choices",
    "rollback",
    "runs",
    "studies",
    "teaching",
    "tried",
    "undo",
]
