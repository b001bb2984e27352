"""The sample's photos on disk, drawn once: `python -m prolip_core.sample_photos` does it ahead of time.

Drawing takes some seconds of one core. The worker has it done by a process of its own while it loads its libraries, so that
"Try the sample" does not wait for either.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import filelock

from prolip_core import config, sample

_WAIT_S = 0.2


def folder() -> Path:
    return config.cache_folder() / "sample"


def are_ready() -> bool:
    """The class list is written last."""
    return (folder() / sample.CLASSES_FILE).is_file()


def ready(on_progress: Callable[[int, int], None] | None = None) -> Path:
    """The folder with the photos, drawn now if need be; waits where another process is drawing them.

    `on_progress(done, total)` may raise to end the waiting. Raises DatasetError if the disk refuses.
    """
    total = len(sample.CLASS_NAMES) * (sample.TRAIN_PER_CLASS + sample.TEST_PER_CLASS)
    lock = filelock.FileLock(config.cache_folder() / "sample.lock", timeout=0)
    config.cache_folder().mkdir(parents=True, exist_ok=True)
    while not are_ready():
        try:
            with lock:
                if not are_ready():
                    sample.write(folder(), on_progress=on_progress)
        except filelock.Timeout:
            if on_progress is not None:
                on_progress(min(total, sum(1 for _ in folder().glob("*/*/*.jpg"))), total)
            time.sleep(_WAIT_S)
    return folder()


if __name__ == "__main__":
    ready()
