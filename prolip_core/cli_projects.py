"""The commands `export` and `import`: projects of the app into files and out of files, in the data folder that the app uses."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prolip_core.cli_options import add_command
from prolip_core.errors import ProjectFileError
from prolip_core.progress_bars import ProgressBars
from prolip_core.report_text import plain

if TYPE_CHECKING:
    from prolip_core.storage import Database
    from prolip_core.storage.records import Project


def add(commands: Any) -> None:
    export = add_command(commands, "export", export_command, "save a project of the app as one file")
    export.add_argument("project", metavar="PROJECT", help="name or id of the project")
    export.add_argument(
        "--out", type=Path, required=True, metavar="FILE.prolip", help="the file; one that is there stays"
    )
    opening = add_command(commands, "import", import_command, "make a project of the app out of such a file")
    opening.add_argument("file", type=Path, metavar="FILE.prolip")


def export_command(options: argparse.Namespace) -> None:
    from prolip_core import storage
    from prolip_core.project_files import writing

    out: Path = options.out
    if out.exists():
        raise ProjectFileError("{path} is there already.", remedy="Choose another name.", path=out)
    db = storage.open_database()
    try:
        project = find(db, options.project)
        with ProgressBars() as bars:
            saved = writing.save(db, project.id, out, bars.show_counted)
    finally:
        db.close()
    text = (
        f"{project.name}: {saved.n_photos} photos, {saved.n_runs} results, {saved.size_bytes / 2**20:.1f} MB in {out}"
    )
    sys.stdout.write(plain(text) + "\n")


def import_command(options: argparse.Namespace) -> None:
    from prolip_core import storage
    from prolip_core.project_files import reading

    db = storage.open_database()
    try:
        with ProgressBars() as bars:
            project = reading.open_project(db, options.file, on_progress=bars.show_counted)
    finally:
        db.close()
    sys.stdout.write(plain(f"{project.name} ({project.id})") + "\n")


def find(db: Database, wanted: str) -> Project:
    """The project of this id or exact name. Raises ProjectFileError where there is none, or more than one of the name."""
    from prolip_core import storage

    projects = [card.project for card in storage.projects.cards(db)]
    found = [one for one in projects if one.id == wanted] or [one for one in projects if one.name == wanted]
    if len(found) == 1:
        return found[0]
    if not found:
        raise ProjectFileError(
            "There is no project “{name}”.",
            remedy="Give one of these names, or its id: {known}.",
            name=wanted,
            known=", ".join(one.name for one in projects) or "–",
        )
    raise ProjectFileError(
        "There are {count} projects of the name “{name}”.",
        remedy="Give the id of the one: {known}.",
        name=wanted,
        count=len(found),
        known=", ".join(f"{one.id} ({one.changed_at:%Y-%m-%d %H:%M} UTC)" for one in found),
    )
