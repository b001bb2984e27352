"""A project → one file. Rows are read from one state of the database, photos and runs' files part by part: no more than one photo
or one block of a file is in memory, whatever the size of the project."""

from __future__ import annotations

import hashlib
import json
import os
import time
import uuid
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prolip_core import __version__, config, storage
from prolip_core.content_store import ContentStore
from prolip_core.errors import Cancelled, ProjectFileError, StorageError
from prolip_core.project_files import layout
from prolip_core.project_files.harmless import without_paths
from prolip_core.storage import Database
from prolip_core.storage.project_rows import Row
from prolip_core.storage.studies import KEEPS
from prolip_core.types import Progress

OnProgress = Callable[[Progress], bool | None]
"""Told how far it is; what gives True ends the work."""

STAGE = "export"
UNFINISHED = ".writing-"
"""Names of files that are being written begin with this."""

_BLOCK_BYTES = 2**20
_LONG_AGO = (1980, 1, 1, 0, 0, 0)
"""The time that all parts bear, so that the same project gives the same bytes."""


@dataclass(frozen=True)
class SavedFile:
    """What was written."""

    path: Path
    size_bytes: int
    n_photos: int
    n_runs: int


@dataclass
class _Needed:
    """What the rows name: photos (id → name for a person), those of studies alone, and runs (number → id)."""

    photos: dict[str, str] = field(default_factory=dict)
    kept_by_studies: list[str] = field(default_factory=list)
    runs: dict[int, str] = field(default_factory=dict)

    def note(self, table: str, row: Row) -> None:
        if "image_id" in row:
            self.photos.setdefault(str(row["image_id"]), str(row.get("filename", "")))
        if table == "run":
            self.runs[int(row["number"])] = str(row["id"])
        if table == "study":
            self.kept_by_studies += map(str, row["settings"].get(KEEPS, ()))


def save(db: Database, project_id: str, path: Path, on_progress: OnProgress | None = None) -> SavedFile:
    """Writes the project as a file, under a temporary name until it is whole.

    Raises StorageError if the project is gone, a photo of it is damaged or the disk is full, ProjectFileError if it is larger
    than a file may be, Cancelled if `on_progress` ended it; then nothing is left.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # With the rights of any file of this person. Setting the system's mask to read it would set it for all threads.
        temporary = path.parent / f"{UNFINISHED}{uuid.uuid4().hex}"
        handle = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    except OSError as error:
        raise _not_written(path, error) from error
    try:
        with os.fdopen(handle, "wb") as file, zipfile.ZipFile(file, "w") as archive:
            needed = _Writer(archive, on_progress).write(db, project_id)
        size_bytes = temporary.stat().st_size
        temporary.replace(path)
    except OSError as error:
        raise _not_written(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)
    return SavedFile(path, size_bytes, len(needed.photos), len(needed.runs))


class _Writer:
    """One file being written."""

    def __init__(self, archive: zipfile.ZipFile, on_progress: OnProgress | None) -> None:
        self._archive = archive
        self._on_progress = on_progress
        self._parts: list[layout.Part] = []
        self._total_bytes = 0
        self._start = time.monotonic()

    def write(self, db: Database, project_id: str) -> _Needed:
        needed = _Needed()
        with db.read() as session:
            project = storage.projects.live_row(session, project_id)
            name, fingerprint = project.name, storage.photos.read_fingerprint(session, project_id)
            for table, rows in storage.project_rows.read(session, project_id):
                self._add(layout.table_part(table), self._lines(table, rows, needed))
        self._photos(needed)
        for number, run_id in needed.runs.items():
            self._obey()
            for file in layout.RUN_FILES:
                source = config.run_folder() / run_id / file
                if source.is_file():
                    self._add(layout.run_part(number, file), _blocks(source))
        self._contents(name, fingerprint)
        return needed

    def _lines(self, table: str, rows: Iterable[Row], needed: _Needed) -> Iterator[bytes]:
        for row in rows:
            self._obey()
            needed.note(table, row)
            yield json.dumps(without_paths(row), allow_nan=False, separators=(",", ":")).encode() + b"\n"

    def _photos(self, needed: _Needed) -> None:
        store = ContentStore(config.photo_folder())
        extra = [image_id for image_id in needed.kept_by_studies if image_id in store]
        names = {**needed.photos, **{image_id: "" for image_id in extra if image_id not in needed.photos}}
        if len(names) > layout.MAX_PHOTOS:
            raise ProjectFileError(
                "The project has {count} photos; a project file holds {limit} at most.",
                remedy="Duplicate the project and delete photos from the copy, then save that.",
                count=len(names),
                limit=layout.MAX_PHOTOS,
            )
        total_bytes = 0
        for done, (image_id, filename) in enumerate(sorted(names.items())):
            self._report(done, len(names))
            data = _photo(store, image_id, filename)
            total_bytes += len(data)
            if total_bytes > layout.MAX_PHOTO_BYTES:
                raise ProjectFileError(
                    "The photos of the project have more than {limit_gb} GB together, the limit of a project file.",
                    remedy="Duplicate the project and delete photos from the copy, then save that.",
                    limit_gb=layout.MAX_PHOTO_BYTES // 2**30,
                )
            self._add(layout.photo_part(image_id), [data])
        self._report(len(names), len(names))

    def _contents(self, name: str, fingerprint: str) -> None:
        """The manifest, last: a file without it was not written to its end."""
        content = {
            "format": layout.FORMAT,
            "version": layout.VERSION,
            "product_version": __version__,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "name": name,
            "fingerprint": fingerprint,
            "parts": [{"name": one.name, "bytes": one.size_bytes, "sha256": one.sha256} for one in self._parts],
        }
        self._add(layout.MANIFEST, [json.dumps(content, indent=1).encode()])

    def _add(self, name: str, blocks: Iterable[bytes]) -> None:
        entry = zipfile.ZipInfo(name, _LONG_AGO)
        entry.compress_type = zipfile.ZIP_STORED if layout.is_stored(name) else zipfile.ZIP_DEFLATED
        entry.external_attr = 0o644 << 16
        digest, size_bytes = hashlib.sha256(), 0
        with self._archive.open(entry, "w", force_zip64=True) as file:
            for block in blocks:
                digest.update(block)
                size_bytes += len(block)
                file.write(block)
        self._parts.append(layout.Part(name, size_bytes, digest.hexdigest()))
        self._total_bytes += size_bytes
        if self._total_bytes > layout.MAX_TOTAL_BYTES:
            raise ProjectFileError(
                "The project has more than {limit_gb} GB of photos and results, the limit of a project file.",
                remedy="Duplicate the project and delete photos from the copy, then save that.",
                limit_gb=layout.MAX_TOTAL_BYTES // 2**30,
            )

    def _report(self, done: int, total: int) -> None:
        seconds = time.monotonic() - self._start
        rate = done / seconds if done and seconds > 0 else 0.0
        progress = Progress(STAGE, done, total, rate, (total - done) / rate if rate else None)
        if self._on_progress is not None and self._on_progress(progress):
            raise Cancelled("Stopped; nothing was saved.")

    def _obey(self) -> None:
        """Between rows, which come before any photo is counted."""
        if self._on_progress is not None and self._on_progress(Progress(STAGE, 0, 0, 0.0, None)):
            raise Cancelled("Stopped; nothing was saved.")


def _photo(store: ContentStore, image_id: str, filename: str) -> bytes:
    """Checked against its id: what is damaged here would be refused there."""
    try:
        return store.read(image_id)
    except StorageError as error:
        raise StorageError(
            "The photo “{filename}” of this project is missing on the disk or damaged.",
            remedy="Delete it from the project or add it again, then save the project.",
            filename=filename or image_id[:12],
        ) from error


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            yield block


def _not_written(path: Path, error: OSError) -> StorageError:
    return StorageError(
        "The project file {path} cannot be written: {cause}.",
        remedy="Free some disk space or choose another folder.",
        path=path,
        cause=error.strerror or type(error).__name__,
    )


def as_json(value: Any) -> str:
    """As result.json of a run is written."""
    return json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False)
