"""How long the parts of the page of the evidence take, as a worker computes them, from cached features.

`python -m tests.benchmarks.evidence_speed TRAIN TEST [KIND …]`: folders with one folder per class; 16 photos of each class teach.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

from prolip_core import config, job_work, spec, storage, study_work, uploads
from prolip_core.content_store import ContentStore, ThumbnailStore
from prolip_core.job_control import JobControl
from prolip_core.spec import PilotSpec
from prolip_core.storage import Database
from prolip_core.storage.records import ClassRow, Role
from prolip_core.studies.names import QUICK
from prolip_core.uploads import UploadFile

PER_CLASS = 16


def fill(db: Database, train: Path, test: Path) -> str:
    """A project with these photos; its id."""
    project = storage.projects.create(db, "evidence", spec.as_dict(PilotSpec()))
    names = sorted(folder.name for folder in train.iterdir() if folder.is_dir())
    rows = storage.classes.save(db, project.id, [ClassRow(None, name, (name,)) for name in names])
    stores = ContentStore(config.photo_folder()), ThumbnailStore(config.thumbnail_folder())
    roles: tuple[tuple[Role, Path, int | None], ...] = (("train", train, PER_CLASS), ("test", test, None))
    for row in rows:
        for role, folder, limit in roles:
            paths = sorted((folder / row.display_name).iterdir())[:limit]
            files = [UploadFile(path.name, path.read_bytes()) for path in paths]
            photos = [one.photo.photo for one in uploads.check(files, *stores) if one.photo is not None]
            assert row.id is not None
            storage.photos.add(db, project.id, row.id, role, photos)
    return project.id


def compute(db: Database, project_id: str, kind: str, warm: job_work.WarmBackbone) -> tuple[float, float]:
    """Seconds, and seconds of processor time, of one study from its start to its being kept."""
    project = storage.projects.get(db, project_id)
    assert project is not None
    settings = QUICK[kind]
    payload = {"kind": kind, "settings": settings, "run_id": None, "spec": dict(project.spec)}
    storage.jobs.enqueue(db, project_id, "study", payload, key=kind)
    job = storage.jobs.claim(db, "auto", ("auto",))
    assert job is not None
    start, used = time.monotonic(), time.process_time()
    study_work.run(db, job, JobControl(db, job.id), warm)
    return time.monotonic() - start, time.process_time() - used


def main(train: Path, test: Path, kinds: list[str]) -> None:
    with tempfile.TemporaryDirectory() as fresh:
        os.environ["PROLIP_HOME"] = os.environ.get("EVIDENCE_HOME", fresh)
        db = storage.open_database()
        project_id = fill(db, train, test)
        warm = job_work.WarmBackbone()
        compute(db, project_id, "curve", warm)  # reads the photos, which is not timed
        whole = 0.0
        for kind in kinds or QUICK:
            wall_s, processor_s = compute(db, project_id, kind, warm)
            whole += wall_s
            sys.stdout.write(f"{kind}: {wall_s:.1f} s ({processor_s:.1f} s of processor time)\n")
            sys.stdout.flush()
        sys.stdout.write(f"all of them: {whole:.1f} s\n")
        db.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
