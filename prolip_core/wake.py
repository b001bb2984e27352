"""A bell between the server and its workers: a file whose time changes when there is new work.

Asking the database for work takes the lock that writers share, so a worker does that a few times a second; a look at a file costs
nothing, and lets it begin at once. Where the two do not share a disk, the bell is never heard and nothing is lost but that.
"""

from __future__ import annotations

import contextlib
import time

from prolip_core import config

LOOK_EVERY_S = 0.01
_NAME = "bell"


def call() -> None:
    """There is new work."""
    with contextlib.suppress(OSError):
        folder = config.worker_folder()
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _NAME).write_bytes(b"")


def heard() -> int:
    """A number that changes with every call; 0 if nobody has called."""
    try:
        return (config.worker_folder() / _NAME).stat().st_mtime_ns
    except OSError:
        return 0


def wait(before: int, at_most_s: float) -> None:
    """Returns when somebody has called since `heard` gave `before`, or after that time."""
    end = time.monotonic() + at_most_s
    while heard() == before and (left_s := end - time.monotonic()) > 0:
        time.sleep(min(LOOK_EVERY_S, left_s))
