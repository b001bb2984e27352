"""A warm worker process: `python -m prolip_core.worker --device auto`. One per device, started and watched by the web server.

It holds a lock for as long as it lives, takes jobs from the database one at a time, and goes on with its job if the web server
dies. A watchdog thread shows that it lives and makes sure that a stop is honoured.
"""

from __future__ import annotations

import argparse
import logging
import os
import subprocess
import sys
import threading
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import filelock

from prolip_core import jobs, sample_photos, storage, wake
from prolip_core.errors import Cancelled, ProLIPError, StorageError
from prolip_core.job_control import FIT, JobControl
from prolip_core.storage import Database
from prolip_core.storage.records import TRAININGS, Job

BEAT_EVERY_S = 2.0
WATCH_EVERY_S = 0.2
POLL_EVERY_S = 0.15
PURGE_EVERY_S = 30.0
STOP_WITHIN_S = 0.7
"""So long a stop may stay without effect outside the training itself; then the process ends, and the server starts another."""

STOP_WITHIN_FIT_S = 3.0
"""… during the training, whose next step keeps the best so far: worth waiting for where a single step is that long."""

LEAVE_WITHOUT_SERVER_S = 60.0
LEAVE_WHEN_IDLE_S = 600.0
"""A worker that was started for one device in particular leaves after this time without work."""

_log = logging.getLogger(__name__)


class Worker:
    """The process's life, from taking the lock to leaving."""

    def __init__(self, db: Database, device: str) -> None:
        self._db = db
        self._device = device
        self._control: JobControl | None = None
        self._used_device = ""
        self._present: tuple[str, ...] = ()
        self._idle_since = time.monotonic()
        self._just_trained: str | None = None

    def run(self) -> None:
        """Works until nobody needs it any more."""
        storage.jobs.fail_orphans(self._db, self._device, jobs.error_as_dict(jobs.died()))  # of an earlier worker
        storage.jobs.worker_beat(self._db, self._device, "", ())
        threading.Thread(target=self._watch, daemon=True, name="watchdog").start()
        if not sample_photos.are_ready():
            subprocess.Popen(
                [sys.executable, "-m", "prolip_core.sample_photos"],
                stdin=subprocess.DEVNULL,
                cwd=Path(__file__).parent.parent,
                # More threads draw no faster, and take the processor from the imports below.
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
            )
        # Only now: the imports take seconds, and the server shall see a worker at once.
        from prolip_core import devices, job_work, try_work

        present = devices.present()
        try:
            used_device = devices.choose(self._device).torch_device.type
        except ProLIPError as error:
            storage.jobs.fail_waiting(self._db, self._device, jobs.error_as_dict(error))
            return
        warm = job_work.WarmBackbone()
        job_work.warm_up(warm, self._device)
        warm_run = try_work.WarmRun(warm)
        # Only now: the server takes a worker that names its device for one that has come through its start.
        self._present, self._used_device = present, used_device
        if hasattr(os, "nice"):
            os.nice(5)  # from now on clicks come first where there are few cores
        purged_at = time.monotonic()
        is_fresh = True
        while True:
            bell = wake.heard()
            # Between jobs too: a long queue must not hold deletions up.
            if time.monotonic() - purged_at > PURGE_EVERY_S:
                storage.purge(self._db)
                purged_at = time.monotonic()
            self._refuse_absent()
            job = storage.jobs.claim(self._db, self._device, self._serves())
            if job is not None:
                self._work(job, warm, warm_run)
                self._idle_since = time.monotonic()
                continue
            if is_fresh or self._just_trained is not None:
                self._make_ready(warm_run)
                is_fresh, self._just_trained = False, None
                continue
            if self._may_leave():
                return
            wake.wait(bell, POLL_EVERY_S)

    def _make_ready(self, warm_run: Any) -> None:
        """Nobody waits: the run that the next tried photo will be shown to is loaded."""
        try:
            warm_run.warm_up(self._db, self._just_trained, self._device)
        except Exception:  # noqa: BLE001 - whoever tries a photo is told then; nobody has asked for anything yet
            _log.info("the newest result cannot be made ready", exc_info=True)

    def _serves(self) -> tuple[str, ...]:
        """The devices whose jobs it takes: its own, and the one that "auto" turned out to be."""
        return tuple(dict.fromkeys((self._device, self._used_device)))

    def _refuse_absent(self) -> None:
        """Jobs for a device that this computer does not have are told so at once, not by a worker that tries to start."""
        from prolip_core import devices

        for device in storage.jobs.waiting_devices(self._db):
            if device not in self._serves():
                try:
                    devices.choose(device)
                except ProLIPError as error:
                    storage.jobs.fail_waiting(self._db, device, jobs.error_as_dict(error))

    def _work(self, job: Job, warm: Any, warm_run: Any) -> None:
        from prolip_core import job_work, study_work, try_work

        control = self._control = JobControl(self._db, job.id)
        try:
            if job.kind == "similarity":
                result = job_work.similarity(job, control, warm)
                storage.jobs.finish(self._db, job.id, "done", result=result)
            elif job.kind == "sample":
                job_work.make_sample(self._db, job, control, warm)
            elif job.kind == "study":
                study_work.run(self._db, job, control, warm)
            elif job.kind == "try":
                try_work.run(self._db, job, control, warm_run)
                storage.jobs.finish(self._db, job.id, "done")
            else:
                job_work.train(self._db, job, control, warm)
            if job.kind in TRAININGS:
                self._just_trained = job.project_id
        except Cancelled:
            self._finish(control, job, "stopped", None)
        except ProLIPError as error:
            self._finish(control, job, "failed", error)
        except MemoryError:
            self._finish(control, job, "failed", _out_of_memory())
        except Exception as error:  # noqa: BLE001 - whatever it is, the job must not stay "running"
            _log.error("job %s failed\n%s", job.id, traceback.format_exc())
            out_of_memory = type(error).__name__ == "OutOfMemoryError" or "out of memory" in str(error).lower()
            self._finish(control, job, "failed", _out_of_memory() if out_of_memory else _unexpected(error))
        finally:
            self._control = None

    def _finish(self, control: JobControl, job: Job, state: Any, error: ProLIPError | None) -> None:
        control.close()
        storage.jobs.finish(self._db, job.id, state, error=None if error is None else jobs.error_as_dict(error))

    def _may_leave(self) -> bool:
        seen = storage.jobs.server_seen(self._db)
        server_gone = seen is None or (datetime.now(UTC) - seen).total_seconds() > LEAVE_WITHOUT_SERVER_S
        idle_s = time.monotonic() - self._idle_since
        return idle_s > LEAVE_WITHOUT_SERVER_S and (
            server_gone or (self._device != "auto" and idle_s > LEAVE_WHEN_IDLE_S)
        )

    def _watch(self) -> None:
        """Signs of life, and stops that the work itself does not honour in time (a long download, one huge step)."""
        beat_at = 0.0
        while True:
            try:
                if time.monotonic() - beat_at > BEAT_EVERY_S:
                    storage.jobs.worker_beat(self._db, self._device, self._used_device, self._present)
                    beat_at = time.monotonic()
                control = self._control
                if control is not None:
                    waiting_s = control.ask(storage.jobs.stop_requests(self._db, control.job_id))
                    if waiting_s > (STOP_WITHIN_FIT_S if control.stage == FIT else STOP_WITHIN_S):
                        storage.jobs.finish(self._db, control.job_id, "stopped")
                        os._exit(0)
            except StorageError:
                _log.warning("the watchdog cannot reach the database", exc_info=True)
            except Exception:  # noqa: BLE001 - the last line of defence: without this thread no stop would be sure any more
                _log.exception("unexpected error of the watchdog")
            time.sleep(WATCH_EVERY_S)


def main(arguments: list[str] | None = None) -> int:
    """Entry point; gives the exit code. A second worker for the same device leaves at once."""
    parser = argparse.ArgumentParser(prog="python -m prolip_core.worker")
    parser.add_argument("--device", default="auto")
    device = parser.parse_args(arguments).device
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        with jobs.lock_of(device):
            Worker(storage.open_database(), device).run()
    except filelock.Timeout:
        _log.info("there is a worker for %s already", device)
    return 0


def _out_of_memory() -> ProLIPError:
    return StorageError(
        "There was not enough memory for this training.",
        remedy="Close other programs, choose a smaller model, or set the variations of each photo to 1.",
    )


def _unexpected(error: Exception) -> ProLIPError:
    return StorageError(
        "Something unexpected went wrong: {kind}.",
        remedy="Start the training again. The details are in the folder “workers” of the data folder.",
        kind=type(error).__name__,
    )


if __name__ == "__main__":
    raise SystemExit(main())
