"""Projects on their way into files and out of files, each in a thread of the server: pages start one, look at it, stop it.

Nothing of it is kept: if the server ends, what was under way has never been (`writing` and `reading` see to that), and a file
that was ready is made again. A thread and not a job of the worker: nobody shall wait for a training to copy photos.
"""

from __future__ import annotations

import logging
import shutil
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Literal

from prolip_core import config
from prolip_core.errors import Cancelled, ProLIPError, StorageError
from prolip_core.project_files import layout, reading, writing
from prolip_core.storage import Database
from prolip_core.types import Progress

TOLD_S = 600.0
"""So long it is told how an import has ended: whoever has given the file may have left the page meanwhile."""

Kind = Literal["export", "import"]
State = Literal["running", "done", "failed", "stopped"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Transfer:
    """One of them, as it stood when it was asked for. `filename`: for a person. `project_id`: of an import, once it is done.

    `path`: of the file; that of an export that is done stays for `config.EXPORT_KEPT_S`.
    """

    id: str
    kind: Kind
    filename: str
    path: Path
    project_id: str | None
    state: State = "running"
    progress: Progress | None = None
    size_bytes: int = 0
    error: ProLIPError | None = None
    ended_at_s: float | None = None

    @property
    def is_live(self) -> bool:
        return self.state == "running"


class Transfers:
    """All that were started since the server began and not been put away. Safe for threads."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._lock = threading.Lock()
        self._all: dict[str, Transfer] = {}
        self._stops: dict[str, threading.Event] = {}
        self._threads: dict[str, threading.Thread] = {}

    def save(self, project_id: str, project_name: str) -> Transfer:
        """Begins to write the project as a file; where that is under way already, gives that."""
        with self._lock:
            of_project = [one for one in self._all.values() if (one.kind, one.project_id) == ("export", project_id)]
        for one in of_project:
            if one.is_live:
                return one
            self.forget(one.id)
        id_ = uuid.uuid4().hex
        path = config.export_folder() / project_id / f"{id_}{layout.SUFFIX}"
        begun = Transfer(id_, "export", layout.file_name(project_name), path, project_id)
        return self._begin(begun, lambda: self._save(begun, project_id))

    def open_file(self, source: BinaryIO, filename: str) -> Transfer:
        """Takes the bytes of a project file, and begins to make a project of them. Raises StorageError if the disk is full."""
        id_ = uuid.uuid4().hex
        path = config.import_folder() / f"{id_}{layout.SUFFIX}"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as file:
                shutil.copyfileobj(source, file, 2**20)
        except OSError as error:
            path.unlink(missing_ok=True)
            raise StorageError(
                "The file “{filename}” cannot be kept: {cause}.",
                remedy="Make room on the disk, or set PROLIP_HOME to a folder that you may write to.",
                filename=filename,
                cause=error.strerror or type(error).__name__,
            ) from error
        begun = Transfer(id_, "import", filename, path, None)
        return self._begin(begun, lambda: self._open(begun))

    def get(self, id_: str) -> Transfer | None:
        """None if it is not known (any more)."""
        with self._lock:
            return self._all.get(id_)

    def of_project(self, project_id: str) -> Transfer | None:
        """The newest that saves this project."""
        with self._lock:
            found = [one for one in self._all.values() if (one.kind, one.project_id) == ("export", project_id)]
        return found[-1] if found else None

    def imports(self) -> tuple[Transfer, ...]:
        """Those that make a project of a file, the oldest first; of those that have ended, the ones of the last minutes."""
        with self._lock:
            found = [one for one in self._all.values() if one.kind == "import"]
        old = {one.id for one in found if one.ended_at_s is not None and time.monotonic() - one.ended_at_s > TOLD_S}
        for id_ in old:
            self.forget(id_)
        return tuple(one for one in found if one.id not in old)

    def ready_file(self, id_: str) -> tuple[Path, str] | None:
        """The file of an export that is done, and what it is to be called; None if it is not there (any more)."""
        one = self.get(id_)
        if one is None or one.kind != "export" or one.state != "done" or not one.path.is_file():
            return None
        return one.path, one.filename

    def stop(self, id_: str) -> None:
        """Asks it to end; nothing of it is kept."""
        event = self._stops.get(id_)
        if event is not None:
            event.set()

    def wait(self, id_: str, timeout_s: float) -> None:
        """Until it has ended, or so long."""
        thread = self._threads.get(id_)
        if thread is not None:
            thread.join(timeout_s)

    def forget(self, id_: str) -> None:
        """Puts away one that has ended, with its file."""
        with self._lock:
            one = self._all.get(id_)
            if one is None or one.is_live:
                return
            del self._all[id_], self._stops[id_], self._threads[id_]
        one.path.unlink(missing_ok=True)

    def _begin(self, begun: Transfer, work: Callable[[], Transfer]) -> Transfer:
        thread = threading.Thread(target=self._run, args=(begun, work), daemon=True, name=f"project-file-{begun.kind}")
        with self._lock:
            self._all[begun.id], self._stops[begun.id], self._threads[begun.id] = begun, threading.Event(), thread
        thread.start()
        return begun

    def _run(self, begun: Transfer, work: Callable[[], Transfer]) -> None:
        try:
            ended = work()
        except Cancelled:
            ended = replace(begun, state="stopped")
        except ProLIPError as error:
            ended = replace(begun, state="failed", error=error.without_history())
        except MemoryError:
            ended = replace(begun, state="failed", error=_out_of_memory())
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not stay "running"
            _log.exception("a project file could not be %s", "written" if begun.kind == "export" else "opened")
            ended = replace(begun, state="failed", error=_unexpected(error))
        if ended.kind == "import" or ended.state != "done":
            begun.path.unlink(missing_ok=True)
        with self._lock:
            if begun.id in self._all:
                self._all[begun.id] = replace(ended, ended_at_s=time.monotonic())

    def _save(self, begun: Transfer, project_id: str) -> Transfer:
        saved = writing.save(self._db, project_id, begun.path, lambda progress: self._note(begun.id, progress))
        return replace(begun, state="done", size_bytes=saved.size_bytes)

    def _open(self, begun: Transfer) -> Transfer:
        project = reading.open_project(
            self._db,
            begun.path,
            filename=begun.filename,
            on_progress=lambda progress: self._note(begun.id, progress),
        )
        return replace(begun, state="done", project_id=project.id)

    def _note(self, id_: str, progress: Progress) -> bool:
        """Keeps how far it is, and tells whether it is to end."""
        if progress.total:
            with self._lock:
                if id_ in self._all:
                    self._all[id_] = replace(self._all[id_], progress=progress)
        return self._stops[id_].is_set()


def _out_of_memory() -> ProLIPError:
    return StorageError("There was not enough memory.", remedy="Close other programs, then try again.")


def _unexpected(error: Exception) -> ProLIPError:
    return StorageError(
        "Something unexpected went wrong: {kind}.",
        remedy="Try again. If it happens again, tell your administrator: the server's log has the details.",
        kind=type(error).__name__,
    )
