"""What ties a running job to the database: progress and curve out, stop requests in.

A stop request is used up by the first part of the work that ends because of it. One during the training ends that alone: the best
so far is kept, and measured in a stage of its own (`MEASURE_KEPT`). A second one, then, ends the measuring and discards it all.
"""

from __future__ import annotations

import threading
import time

from prolip_core import storage
from prolip_core.errors import Cancelled
from prolip_core.storage import Database
from prolip_core.types import Progress, Step

PROGRESS_EVERY_S = 0.25
STEPS_EVERY_S = 0.3
FIT = "fit"
MEASURE_KEPT = "measure_kept"
DOUBLE_CLICK_S = 0.5
"""A second stop so soon after the one that kept the best so far is not meant to discard it: who could have read that it would?"""

_CANCELLED = "Stopped; nothing was saved."


class JobControl:
    """One running job. `ask` is called from the watchdog's thread, everything else from the worker's own."""

    def __init__(self, db: Database, job_id: str) -> None:
        self.job_id = job_id
        self.stage = ""
        self._db = db
        self._lock = threading.Lock()
        self._asked = 0
        self._used = 0
        self._asked_at: float | None = None
        self._kept_at: float | None = None
        self._is_discarded = False
        self._written_at = 0.0
        self._steps: list[Step] = []
        self._steps_at = time.monotonic()

    def ask(self, requests: int) -> float:
        """Tells how many stops were asked for; gives for how many seconds one has been waiting, 0 if none is."""
        with self._lock:
            self._asked = requests
            if self._kept_at is not None and time.monotonic() - self._kept_at < DOUBLE_CLICK_S:
                self._used = requests
            if self._asked <= self._used:
                self._asked_at = None
                return 0.0
            self._asked_at = self._asked_at or time.monotonic()
            return time.monotonic() - self._asked_at

    def take_stop(self) -> bool:
        """True once for every stop that was asked for: whoever gets it must end."""
        with self._lock:
            if self._asked <= self._used:
                return False
            self._used, self._asked_at = self._asked, None
            return True

    def obey(self) -> None:
        """Raises Cancelled if a stop was asked for."""
        if self.take_stop():
            raise Cancelled(_CANCELLED)

    def end_if_discarded(self) -> None:
        """Raises Cancelled if a stop was asked for after one had kept the best so far. The engine itself would still report the
        repeats of a cross-validation that are whole, which is not what such a stop is said to do."""
        if self._is_discarded or (self._kept_at is not None and self.take_stop()):
            raise Cancelled(_CANCELLED)

    def enter(self, stage: str, used_device: str | None = None) -> None:
        """The job has come to another stage."""
        self._flush()
        self.stage = stage
        self._written_at = time.monotonic()
        storage.jobs.set_progress(self._db, self.job_id, stage, 0, 0, used_device=used_device)

    def progress(self, progress: Progress) -> bool:
        """For `on_progress` of the engine."""
        is_kept = self._kept_at is not None
        stage = MEASURE_KEPT if is_kept else progress.stage
        is_last = progress.done >= progress.total
        is_new = stage != self.stage
        if is_new:
            self._flush()
            self.stage = stage
        if is_new or is_last or time.monotonic() - self._written_at >= PROGRESS_EVERY_S:
            self._written_at = time.monotonic()
            storage.jobs.set_progress(
                self._db,
                self.job_id,
                stage,
                progress.done,
                progress.total,
                progress.per_second,
                progress.left_s,
            )
        is_over = self.take_stop()
        self._is_discarded = self._is_discarded or (is_over and is_kept)
        return is_over

    def progress_or_end(self, progress: Progress) -> None:
        """For work that ends by an error alone: raises Cancelled if a stop was asked for."""
        if self.progress(progress):
            raise Cancelled(_CANCELLED)

    def step(self, step: Step) -> bool:
        """For `on_step` of the engine, which keeps the best so far where this gives True."""
        if self.stage != FIT:
            self.enter(FIT)
        self._steps.append(step)
        if time.monotonic() - self._steps_at >= STEPS_EVERY_S:
            self._flush()
        if not self.take_stop():
            return False
        self._kept_at = time.monotonic()
        self.enter(MEASURE_KEPT)
        return True

    def _flush(self) -> None:
        storage.jobs.add_steps(self._db, self.job_id, self._steps)
        self._steps, self._steps_at = [], time.monotonic()

    def close(self) -> None:
        """Writes what is still held back."""
        self._flush()
