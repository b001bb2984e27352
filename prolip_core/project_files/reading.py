"""A project file → a project of its own, under new ids.

The order is what makes a killed import harmless: all rows are checked; then photos and runs' files are checked and put in place,
where they belong to nobody yet (`storage.purge` removes them after a while); then come all rows in one transaction.
"""

from __future__ import annotations

import csv
import io
import json
import pickle
import shutil
import tempfile
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import IO, Any

from safetensors import SafetensorError, safe_open

from prolip_core import config, images, photo_quality, storage
from prolip_core.content_store import ContentStore, ThumbnailStore
from prolip_core.csv_text import cell
from prolip_core.errors import Cancelled, ImageError, ProjectFileError, StorageError
from prolip_core.project_files import layout, meaning
from prolip_core.project_files.container import Container, opened
from prolip_core.project_files.writing import OnProgress, as_json
from prolip_core.storage import Database, names, project_rows
from prolip_core.storage.project_rows import BadRowError, Checker
from prolip_core.storage.records import Project
from prolip_core.types import CheckedPhoto, ImageRecord, Progress

STAGE = "import"
PROJECTOR_FORMAT = "prolip-projector-1"
_TENSORS = {"weight_PD": 2, "bias_D": 1}
"""What a projector holds, with the number of dimensions."""

_KEPT_OF_A_NAME = config.MAX_NAME_CHARACTERS - 20
NameOf = Callable[[str, int], str]


def plain_name(name: str, turn: int) -> str:
    """What an imported project is called: its name, and from the second of that name on with a number."""
    return name if turn == 1 else f"{name[:_KEPT_OF_A_NAME]} ({turn})"


def open_project(
    db: Database,
    path: Path,
    *,
    filename: str | None = None,
    name_of: NameOf = plain_name,
    on_progress: OnProgress | None = None,
) -> Project:
    """Makes a project of the file; opening it twice makes two. filename: what the file is called, if not as on the disk.

    Raises ProjectFileError if the file cannot be used, StorageError if the disk refuses, Cancelled if `on_progress` ended it;
    then there is no trace of it on any screen.
    """
    with opened(path, filename) as container, _kept_apart() as checked:
        reader = _Reader(container, on_progress, checked)
        reader.check_rows()
        try:
            reader.take_photos()
            reader.take_runs()
            return reader.insert(db, name_of)
        except BaseException:
            reader.leave_no_runs()
            raise


@contextmanager
def _kept_apart() -> Iterator[IO[bytes]]:
    """A file without a name. Raises StorageError."""
    folder = config.data_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed below; the errors are of its making alone
    except OSError as error:
        raise _disk(folder, error) from error
    with file:
        yield file


@dataclass
class _Reader:
    """One file being read. checked: where rows are kept from their check to their place in the database; `runs`: id in the file →
    id of the folder here."""

    container: Container
    on_progress: OnProgress | None
    checked: IO[bytes]
    told: meaning.Project = field(init=False)
    photos: dict[str, CheckedPhoto] = field(default_factory=dict)
    runs: dict[str, str] = field(default_factory=dict)
    done: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        parts = self.container.contents.parts
        self.told = meaning.Project(frozenset(photo for name in parts if (photo := layout.photo_of(name)) is not None))

    def check_rows(self) -> None:
        """Every row, and that the file has all photos that they name and no others. Raises ProjectFileError."""
        try:
            for table, rows in self._tables(self.told):
                for row in rows:
                    pickle.dump((table, row), self.checked)
        except OSError as error:
            raise _disk(config.data_folder(), error) from error
        if self.told.n_projects != 1:
            raise self.container.wrong(layout.table_part("project"), 1)
        if odd := self.told.photos - self.told.needed:
            raise self.container.wrong(layout.MANIFEST, 1, layout.photo_part(min(odd)))
        numbers = set(self.told.runs.values())
        files = [found for name in self.container.contents.parts if (found := layout.run_file_of(name)) is not None]
        if odd_runs := {number for number, _ in files} - numbers:
            raise self.container.wrong(layout.MANIFEST, 1, f"runs/{min(odd_runs)}")
        self.runs = {run_id: uuid.uuid4().hex for run_id in self.told.runs}

    def _tables(self, told: meaning.Project) -> Iterator[tuple[str, Iterator[dict[str, Any]]]]:
        checker = Checker()
        for one in project_rows.TABLES:
            yield one.name, self._rows(one.name, checker, told)

    def _checked_tables(self) -> Iterator[tuple[str, Iterator[dict[str, Any]]]]:
        """Take all rows of a table before the next one."""
        self.checked.seek(0)
        for table, rows in groupby(self._checked_rows(), key=itemgetter(0)):
            yield table, (row for _, row in rows)

    def _checked_rows(self) -> Iterator[tuple[str, dict[str, Any]]]:
        while True:
            try:
                yield pickle.load(self.checked)  # noqa: S301 - this process wrote it, and no other can reach it
            except EOFError:
                return

    def _rows(self, table: str, checker: Checker, told: meaning.Project) -> Iterator[dict[str, Any]]:
        part = layout.table_part(table)
        for line, row in self.container.rows(part):
            self._report(0, 0)
            try:
                yield meaning.check(table, checker.check(table, row), told)
            except BadRowError as error:
                raise self.container.wrong(part, line, error.column) from error

    def take_photos(self) -> None:
        """Every photo is looked at as one that was just dropped: nothing that the file says about it is believed."""
        store, thumbnails = ContentStore(config.photo_folder()), ThumbnailStore(config.thumbnail_folder())
        total, start = len(self.told.photos), time.monotonic()
        waiting: deque[Future[CheckedPhoto]] = deque()

        def keep(one: Future[CheckedPhoto]) -> None:
            photo = one.result()
            self.photos[photo.record.image_id] = photo
            done = len(self.photos)
            rate = done / max(1e-3, time.monotonic() - start)
            self._report(done, total, rate, (total - done) / rate)

        self._report(0, total)
        with ThreadPoolExecutor(2, thread_name_prefix="open") as pool:
            try:
                for image_id in sorted(self.told.photos):
                    if len(waiting) >= 4:
                        keep(waiting.popleft())
                    data = self.container.part(layout.photo_part(image_id))
                    waiting.append(pool.submit(self._look_at, image_id, data, store, thumbnails))
                while waiting:
                    keep(waiting.popleft())
            except BaseException:
                for one in waiting:
                    one.cancel()
                raise

    def _look_at(self, image_id: str, data: bytes, store: ContentStore, thumbnails: ThumbnailStore) -> CheckedPhoto:
        filename = self.told.filenames.get(image_id) or image_id[:12]
        try:
            found = images.inspect(data, filename)
        except ImageError as error:
            raise ProjectFileError(
                "The photo “{photo}” in the project file “{filename}” cannot be used: {reason}",
                remedy="Ask for the file again, saved without this photo.",
                photo=filename,
                filename=self.container.name,
                reason=error.reason_text,
            ) from error
        if found.record.image_id != image_id:
            raise self.container.wrong(layout.MANIFEST, 1, layout.photo_part(image_id))
        store.put(data)
        thumbnails.put(image_id, found.thumbnail)
        return CheckedPhoto(found.record, photo_quality.measure(found.grey_HW))

    def take_runs(self) -> None:
        """The files of each run, in a folder that belongs to nobody until the rows are there. Raises ProjectFileError."""
        for old, number in self.told.runs.items():
            folder = config.run_folder() / self.runs[old]
            for file in layout.RUN_FILES:
                part = layout.run_part(number, file)
                if part in self.container.contents.parts:
                    self._report(0, 0)
                    self._take_file(part, folder / file)

    def _take_file(self, part: str, target: Path) -> None:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as file:
                for block in self.container.blocks(part):
                    file.write(block)
        except OSError as error:
            raise _disk(target.parent, error) from error
        is_right = _is_projector(target) if target.suffix == ".safetensors" else _is_table(target)
        if not is_right:
            raise ProjectFileError(
                "The project file “{filename}” cannot be used: its part “{part}” is not what its name says.",
                remedy="Copy it again from where it was saved, or save the project as a file again.",
                filename=self.container.name,
                part=part,
            )

    def leave_no_runs(self) -> None:
        """After a failure: folders without an owner, which `storage.purge` would find only later."""
        if not self.done:
            for run_id in self.runs.values():
                shutil.rmtree(config.run_folder() / run_id, ignore_errors=True)

    def insert(self, db: Database, name_of: NameOf) -> Project:
        """All rows in one transaction: those that were checked, whatever has become of the file since. Nothing is checked
        here, for everybody else waits."""
        with db.write() as session:
            taken = storage.projects.names_taken(session)
            self._hold_photos()
            tables = ((table, self._named(table, rows, taken, name_of)) for table, rows in self._checked_tables())
            project_id = project_rows.insert(session, tables, self.photos, self.runs)
            if storage.photos.read_fingerprint(session, project_id) != self.container.contents.fingerprint:
                raise self.container.wrong(layout.MANIFEST, 1, "fingerprint")
            self._report(0, 0)
            self.done = True  # inside: a run's files must not go once its row may be there
        project = storage.projects.get(db, project_id)
        if project is None:
            raise storage.projects.gone()
        return project

    def _named(
        self, table: str, rows: Iterator[dict[str, Any]], taken: set[str], name_of: NameOf
    ) -> Iterator[dict[str, Any]]:
        for row in rows:
            if table == "project":
                name = row["name"]
                row["name"] = names.check_name(names.unused(taken, partial(name_of, name)))
                row["changed_at"] = storage.database.now()
            if table == "run" and (config.run_folder() / self.runs[row["id"]]).is_dir():
                self._write_result(self.runs[row["id"]], row["result"])
            if table == "study":
                row["settings"] = self._fresh(row["settings"])
            yield row

    def _write_result(self, run_id: str, result: Mapping[str, Any]) -> None:
        """The folder's own result.json says what the row says, in which no path of another computer stands."""
        path = config.run_folder() / run_id / "result.json"
        try:
            path.write_text(as_json(result), encoding="utf-8")
        except OSError as error:
            raise _disk(path.parent, error) from error

    def _fresh(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Settings of a study that name runs and photos of the file: under the new ids, and as the photos were seen here."""

        def photo(one: Mapping[str, Any]) -> dict[str, Any]:
            known = self.photos.get(one["image_id"])
            return {**one, **_record(known.record)} if known is not None else dict(one)

        found = dict(settings)
        for key in ("photos", "foreign"):
            if isinstance(found.get(key), list):
                found[key] = [photo(one) for one in found[key]]
        if isinstance(found.get("run"), str):
            found["run"] = self.runs.get(found["run"], found["run"])
        return found

    def _hold_photos(self) -> None:
        """The check may have taken long enough for somebody to clear away what belongs to nobody yet."""
        store = ContentStore(config.photo_folder())
        for image_id in self.photos:
            if not store.hold(image_id):
                store.put(self.container.part(layout.photo_part(image_id)))

    def _report(self, done: int, total: int, per_second: float = 0.0, left_s: float | None = None) -> None:
        if self.on_progress is not None and self.on_progress(Progress(STAGE, done, total, per_second, left_s)):
            raise Cancelled("Stopped; nothing was saved.")


def _record(record: ImageRecord) -> dict[str, Any]:
    """What is told by the photo itself."""
    return {
        "format": record.format,
        "width_px": record.width_px,
        "height_px": record.height_px,
        "size_bytes": record.size_bytes,
        "phash": record.phash,
    }


def _is_projector(path: Path) -> bool:
    """Whether the file is a safetensors file with a projector and nothing else. Its numbers are checked where they are loaded."""
    try:
        with safe_open(path, framework="numpy") as file:
            shapes = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
            is_right = {name: len(one.get_shape()) for name, one in shapes.items()}.items() <= _TENSORS.items()
            is_float = all(one.get_dtype() == "F32" for one in shapes.values())
            metadata = file.metadata() or {}
            names = json.loads(metadata.get("class_names", "null"))
    except (OSError, SafetensorError, ValueError, RecursionError):
        return False
    return (
        is_right
        and is_float
        and "weight_PD" in shapes
        and metadata.get("format") == PROJECTOR_FORMAT
        and isinstance(names, list)
    )


def _is_table(path: Path) -> bool:
    """Whether the file is text in which no cell would be run by a spreadsheet."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
        return all(_is_data(value) for row in csv.reader(io.StringIO(text, newline="")) for value in row)
    except (OSError, UnicodeDecodeError, csv.Error):
        return False


def _is_data(value: str) -> bool:
    return cell(value) == value


def _disk(folder: Path, error: OSError) -> StorageError:
    return StorageError(
        "The results cannot be written to {folder}: {cause}.",
        remedy="Free some disk space or choose another folder.",
        folder=folder,
        cause=error.strerror or error,
    )
