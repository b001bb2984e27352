"""The web server's side of long work: it keeps a worker process at hand for every device that is asked for.

Only the database and a lock file tie the two together: the server may be restarted under a running training, and a worker that
dies is noticed, its job marked as failed, and another one started.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import filelock

from prolip_core import config, storage
from prolip_core.errors import ProLIPError, StorageError
from prolip_core.storage import Database
from prolip_core.types import Note

CHECK_EVERY_S = 1.0
START_TIME_S = 60.0
"""A process that was started gets this long to take its lock; then it is ended."""

SETTLED_S = 20.0
"""A worker that has come through its start and then lived this long is no failure, whatever ends it."""

MAX_FAILURES = 3
BACK_OFF_S = 60.0
"""After MAX_FAILURES workers in a row that failed, waiting jobs are told so instead of waiting for ever, and the next one is
started only so long after the last has died."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Started:
    """A worker process; `clock_s` is for its age, `moment` for comparing with what it writes into the database."""

    process: subprocess.Popen[bytes]
    clock_s: float
    moment: datetime


class Supervisor:
    """Watches from a thread of its own. `stop` leaves the workers alive: they finish their job."""

    def __init__(self, db: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._db = db
        self._clock = clock
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="supervisor")
        self._started: dict[str, _Started] = {}
        self._failures: dict[str, int] = {}
        self._died_at: dict[str, float] = {}

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.check()
            except (StorageError, OSError):
                _log.warning("the workers cannot be looked after", exc_info=True)
            except Exception:  # noqa: BLE001 - the last line of defence: without this thread no job would ever begin again
                _log.exception("unexpected error while looking after the workers")
            self._stopping.wait(CHECK_EVERY_S)

    def check(self) -> None:
        """One look at everything; called every second."""
        storage.jobs.server_beat(self._db)
        for device in dict.fromkeys(("auto", *self._wanted())):
            if not is_alive(device):
                self._replace(device)

    def _wanted(self) -> tuple[str, ...]:
        """Devices that waiting jobs ask for and that the worker for "auto" does not serve anyway."""
        waiting = storage.jobs.waiting_devices(self._db)
        if self._has_failed("auto") and not is_alive("auto"):
            return waiting  # it serves nobody now, whatever its last sign of life says
        used = next((row.used_device for row in storage.jobs.workers(self._db) if row.device == "auto"), "")
        # While it starts, nobody knows which device it will serve; it also refuses jobs for one that is not there.
        return tuple(device for device in waiting if device != used) if used else ()

    def _has_failed(self, device: str) -> bool:
        return self._failures.get(device, 0) >= MAX_FAILURES

    def _replace(self, device: str) -> None:
        """Nobody holds the device's lock: the last worker has died, has left, or was never there."""
        started = self._started.get(device)
        if started is not None and started.process.poll() is None:
            if self._clock() - started.clock_s < START_TIME_S:
                return  # still on its way to the lock
            started.process.kill()
            started.process.wait()
        storage.jobs.fail_orphans(self._db, device, error_as_dict(died()))
        if started is not None:
            self._count(device, started)
            del self._started[device]
        if self._has_failed(device):
            storage.jobs.fail_waiting(self._db, device, error_as_dict(_cannot_start()))
            if self._clock() - self._died_at[device] < BACK_OFF_S:
                return  # not again and again at full speed
        self._started[device] = _Started(_start(device), self._clock(), datetime.now(UTC))

    def _count(self, device: str, ended: _Started) -> None:
        """Whether the end of this worker is one more failure in a row. It may take any time to fail: what tells is whether it
        came so far as to name its device."""
        has_started = any(
            row.device == device and row.used_device and row.beat_at >= ended.moment
            for row in storage.jobs.workers(self._db)
        )
        has_left = ended.process.poll() == 0  # idle, or for a stop that nothing else would have honoured
        if has_started and (has_left or self._clock() - ended.clock_s >= SETTLED_S):
            self._failures[device] = 0
        elif not has_left:
            self._failures[device] = self._failures.get(device, 0) + 1
            self._died_at[device] = self._clock()


def is_alive(device: str) -> bool:
    """Whether a worker process holds the device's lock."""
    try:
        with lock_of(device):
            return False
    except filelock.Timeout:
        return True


def lock_of(device: str) -> filelock.BaseFileLock:
    """Held by the worker of a device for as long as it lives; asking does not wait."""
    folder: Path = config.worker_folder()
    folder.mkdir(parents=True, exist_ok=True)
    return filelock.FileLock(folder / f"{device.replace(':', '-')}.lock", timeout=0)


def error_as_dict(error: ProLIPError) -> dict[str, Any]:
    """For the database: message, remedy and values apart, so that a screen can translate."""
    return {"message": error.message, "remedy": error.remedy, "values": _plain(error.values)}


def died() -> ProLIPError:
    """For a job whose worker process has died under it."""
    return StorageError(
        "The process that computes ended unexpectedly.",
        remedy="Start it again. If it happens again, choose a smaller model or close other programs.",
    )


def _cannot_start() -> ProLIPError:
    return StorageError(
        "The training process cannot be started on this computer.",
        remedy="Ask your administrator: the reason is in the folder “workers” of the data folder.",
    )


def _start(device: str) -> subprocess.Popen[bytes]:
    """A process of its own session: it goes on when the server ends."""
    folder = config.worker_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{device.replace(':', '-')}.log").open("ab") as log:
        return subprocess.Popen(  # noqa: S603 - our own module with a name of ours
            [sys.executable, "-m", "prolip_core.worker", "--device", device],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd=Path(__file__).parent.parent,
        )


def _plain(values: Mapping[str, object]) -> dict[str, Any]:
    """What JSON takes; a note keeps its parts."""
    return {
        name: {"message": value.message, "values": _plain(value.values)}
        if isinstance(value, Note)
        else value
        if isinstance(value, str | int | float | bool | None)
        else str(value)
        for name, value in values.items()
    }
