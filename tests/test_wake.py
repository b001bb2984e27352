"""The bell between server and worker."""

from __future__ import annotations

import threading
import time

from prolip_core import config, spec, storage, wake
from prolip_core.spec import PilotSpec


def test_a_call_is_heard_at_once_and_waiting_ends_without_one() -> None:
    before = wake.heard()
    assert before == 0
    threading.Timer(0.1, wake.call).start()
    start = time.monotonic()
    wake.wait(before, 5)
    assert time.monotonic() - start < 2
    start = time.monotonic()
    wake.wait(wake.heard(), 0.1)
    assert 0.1 <= time.monotonic() - start < 2


def test_a_call_from_before_the_waiting_is_not_missed() -> None:
    before = wake.heard()
    wake.call()
    start = time.monotonic()
    wake.wait(before, 5)
    assert time.monotonic() - start < 1


def test_new_work_rings_and_a_folder_that_cannot_be_written_costs_nothing() -> None:
    db = storage.open_database()
    project = storage.projects.create(db, "x", spec.as_dict(PilotSpec()))
    before = wake.heard()
    storage.jobs.enqueue(db, project.id, "train", {})
    assert wake.heard() != before
    (config.worker_folder() / "bell").unlink()
    (config.worker_folder() / "bell").mkdir()
    storage.jobs.enqueue(db, project.id, "try", {})
    db.close()
