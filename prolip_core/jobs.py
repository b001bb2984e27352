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
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import filelock

from prolip_core import config, storage
from prolip_core.errors import ProLIPError, StorageError
from prolip_core.storage import Database
from prolip_core.types import Note

CHECK_EVERY_S = 1.0
START_TIME_S = 5.0
"""A process that was started gets this long to take its lock before another one may be started."""

QUICK_DEATH_S = 20.0
MAX_QUICK_DEATHS = 3
"""After so many workers that died within QUICK_DEATH_S, waiting jobs are told so instead of waiting for ever."""

_log = logging.getLogger(__name__)


class Supervisor:
    """Watches from a thread of its own. `stop` leaves the workers alive: they finish their job."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="supervisor")
        self._started: dict[str, tuple[subprocess.Popen[bytes], float]] = {}
        self._quick_deaths: dict[str, int] = {}

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
            self._stopping.wait(CHECK_EVERY_S)

    def check(self) -> None:
        """One look at everything; called every second."""
        storage.jobs.server_beat(self._db)
        for device in dict.fromkeys(("auto", *self._wanted())):
            if not is_alive(device):
                self._replace(device)

    def _wanted(self) -> tuple[str, ...]:
        """Devices that waiting jobs ask for and that the worker for "auto" does not serve anyway."""
        served = {worker.used_device for worker in storage.jobs.workers(self._db) if worker.device == "auto"}
        return tuple(device for device in storage.jobs.waiting_devices(self._db) if device not in served)

    def _replace(self, device: str) -> None:
        """Nobody holds the device's lock: the last worker has died, has left, or was never there."""
        process, started_at = self._started.get(device, (None, 0.0))
        age_s = time.monotonic() - started_at
        if process is not None and process.poll() is None and age_s < START_TIME_S:
            return  # still on its way to the lock
        storage.jobs.fail_orphans(self._db, device, error_as_dict(died()))
        if process is not None and process.poll() not in (None, 0):
            quick = age_s < QUICK_DEATH_S
            self._quick_deaths[device] = self._quick_deaths.get(device, 0) + 1 if quick else 0
            if self._quick_deaths[device] >= MAX_QUICK_DEATHS:
                storage.jobs.fail_waiting(self._db, device, error_as_dict(_cannot_start()))
                if age_s < QUICK_DEATH_S * 3:
                    return  # not again and again at full speed
        self._started[device] = (_start(device), time.monotonic())


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
        "The training process ended unexpectedly.",
        remedy="Start the training again. If it happens again, choose a smaller model or close other programs.",
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
