"""How long a tried photo waits for its answer, and how many a second a batch gets: a real worker process, a real database.

`python -m tests.benchmarks.try_speed TRAIN PHOTOS`: folders with one folder per class; 16 photos of each class of TRAIN teach,
those of PHOTOS are tried. A photo's time runs from its bytes being in the server to its answer being in the database: checked,
kept, queued, claimed, read by the model, kept. The worker is warm, as it is a moment after a training.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from prolip_core import config, jobs, storage, uploads
from prolip_core.content_store import ContentStore, ThumbnailStore
from prolip_core.storage import Database
from prolip_core.uploads import UploadFile
from tests.benchmarks.evidence_speed import fill

SINGLE = 30
MANY = 200


def ended(db: Database, job_id: str, patience_s: float = 300) -> None:
    end = time.monotonic() + patience_s
    while (job := storage.jobs.get(db, job_id)) is not None and job.is_live and time.monotonic() < end:
        time.sleep(0.005)


def answered(db: Database, project_id: str, run_id: str, files: list[UploadFile]) -> tuple[float, float]:
    """Seconds until the photos are checked and queued, and until the last answer is kept."""
    project = storage.projects.get(db, project_id)
    assert project is not None
    stores = ContentStore(config.photo_folder()), ThumbnailStore(config.thumbnail_folder())
    start = time.monotonic()
    drop_id = storage.tried.begin(db, project_id, is_many=len(files) > 1)
    photos = [one.photo.photo for one in uploads.check(files, *stores) if one.photo is not None]
    storage.tried.add(db, drop_id, photos)
    payload = {"drop": drop_id, "run": run_id, "spec": dict(project.spec)}
    storage.jobs.enqueue(db, project_id, "try", payload, key=drop_id)
    queued_s = time.monotonic() - start
    while storage.tried.count_unanswered(db, drop_id, run_id):
        time.sleep(0.002)
    return queued_s, time.monotonic() - start


def main(train: Path, photos: Path) -> None:
    with tempfile.TemporaryDirectory() as home:
        os.environ["PROLIP_HOME"] = home
        db = storage.open_database()
        project_id = fill(db, train, train)  # the same photos to test on: only the time counts here
        for photo in storage.photos.list_(db, project_id, role="test"):
            storage.photos.exclude(db, [photo.id])
        project = storage.projects.get(db, project_id)
        assert project is not None
        supervisor = jobs.Supervisor(db)
        supervisor.start()
        try:
            job = storage.jobs.enqueue(db, project_id, "train", {"spec": dict(project.spec)})
            ended(db, job.id)
            run_id = storage.runs.list_(db, project_id)[0].id
            time.sleep(3)  # the worker makes the run ready by itself
            files = [UploadFile(path.name, path.read_bytes()) for path in sorted(photos.glob("*/*"))]
            singles = [answered(db, project_id, run_id, [file]) for file in files[:SINGLE]]
            whole = sorted(total for _, total in singles)
            checked = statistics.median(queued for queued, _ in singles)
            sys.stdout.write(
                f"one photo, {len(whole)} times: median {1000 * statistics.median(whole):.0f} ms, "
                f"slowest {1000 * whole[-1]:.0f} ms, first {1000 * singles[0][1]:.0f} ms "
                f"(of which checking, median: {1000 * checked:.0f} ms)\n"
            )
            many = files[SINGLE : SINGLE + MANY]
            queued_s, total_s = answered(db, project_id, run_id, many)
            sys.stdout.write(f"{len(many)} photos: checked after {queued_s:.1f} s, answered after {total_s:.1f} s\n")
        finally:
            supervisor.stop()
            for row in storage.jobs.workers(db):
                if row.device != "server":
                    os.kill(row.pid, 9)
            db.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
