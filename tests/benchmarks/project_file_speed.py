"""A project into a file and out of it: `python -m tests.benchmarks.project_file_speed TRAIN TEST [MB]`.

Two folders with one folder of photos per class become a project with one training of the starter; seconds, size and peak memory
of saving and opening it, each in a process of its own. With MB the same for as many made-up photos of 5 MB, and what the web
server needs while a browser fetches that file (needs Chromium; Linux).
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

from playwright.sync_api import sync_playwright

from prolip_core import config, job_work, pilot, runs, spec, storage, uploads
from prolip_core.content_store import ContentStore, ThumbnailStore
from prolip_core.spec import PilotSpec
from prolip_core.storage.records import ClassRow, Role
from prolip_core.uploads import UploadFile
from tests import image_factory
from tests.e2e.conftest import Server, Tab, chromium

PHOTO_MB = 5
_MEASURED = """
import re, sys, time
from pathlib import Path
from prolip_core import storage
from prolip_core.project_files import reading, writing
def peak(): return int(re.findall(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[0]) / 1024
db = storage.open_database()
before, start = peak(), time.monotonic()
if sys.argv[1] == "export":
    writing.save(db, storage.projects.cards(db)[0].project.id, Path(sys.argv[2]))
else:
    reading.open_project(db, Path(sys.argv[2]))
print(f"{time.monotonic() - start:.2f} s, peak {peak():.0f} MB ({before:.0f} MB before)")
"""


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def fill(name: str, photos: dict[tuple[str, Role], list[UploadFile]]) -> str:
    """A project of these photos in the data folder of this process; its id."""
    db = storage.open_database()
    project = storage.projects.create(db, name, spec.as_dict(PilotSpec()))
    names = list(dict.fromkeys(class_name for class_name, _ in photos))
    rows = storage.classes.save(db, project.id, [ClassRow(None, one, (one,)) for one in names])
    stores = ContentStore(config.photo_folder()), ThumbnailStore(config.thumbnail_folder())
    for (class_name, role), files in photos.items():
        row = rows[names.index(class_name)]
        assert row.id is not None
        checked = [one.photo.photo for one in uploads.check(files, *stores) if one.photo is not None]
        storage.photos.add(db, project.id, row.id, role, checked)
    db.close()
    return project.id


def train(project_id: str) -> None:
    """One training of the starter, kept as the worker keeps it."""
    db = storage.open_database()
    photos, fingerprint = job_work.photo_set(db, project_id)
    run, run_id = pilot.run(PilotSpec(), photos, cache_folder=config.cache_folder()), uuid.uuid4().hex
    runs.save(run, config.run_folder() / run_id)
    result, answers = runs.as_dict(run), runs.answers_as_dict(run)
    storage.runs.add(db, run_id, project_id, None, fingerprint, result, answers)
    db.close()


def measure(what: str, home: Path, file: Path) -> None:
    out = subprocess.run(
        [sys.executable, "-c", _MEASURED, what, str(file)],
        env={**os.environ, "PROLIP_HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
    )
    say(f"{what}: {out.stdout.strip()}, file {file.stat().st_size / 2**20:.1f} MB")


def peak_mb(pid: int) -> float:
    return int(re.findall(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[0]) / 1024


def fetch(home: Path, project_id: str, target: Path) -> None:
    """By the app's own button; the server's peak memory before and after."""
    server = Server(home)
    server.start()
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
            tab = Tab(browser.new_page(), server.url)
            tab.open()
            before, start = peak_mb(server.pid), time.monotonic()
            tab.page.locator(f"[class*=st-key-menu_{project_id}] button").first.click()
            with tab.page.expect_download(timeout=600_000) as download:
                tab.click(f"save_file_{project_id}")
            download.value.save_as(target)
            text = f"saved and fetched by the browser in {time.monotonic() - start:.1f} s"
            say(f"{text}, peak of the server {before:.0f} → {peak_mb(server.pid):.0f} MB")
            browser.close()
    finally:
        server.end()


def main() -> None:
    folders: dict[Role, Path] = {"train": Path(sys.argv[1]), "test": Path(sys.argv[2])}
    with tempfile.TemporaryDirectory() as name:
        os.environ["PROLIP_HOME"] = str(Path(name) / "a")
        photos = {
            (folder.name, role): [UploadFile(file.name, file.read_bytes()) for file in sorted(folder.iterdir())]
            for role, root in folders.items()
            for folder in sorted(root.iterdir())
            if folder.is_dir()
        }
        train(fill("real", photos))
        measure("export", Path(name) / "a", Path(name) / "real.prolip")
        measure("import", Path(name) / "b", Path(name) / "real.prolip")
        if len(sys.argv) > 3:
            home = Path(name) / "c"
            os.environ["PROLIP_HOME"] = str(home)
            for number in range(int(sys.argv[3]) // PHOTO_MB):  # one by one: they need not fit into memory together
                padding = os.urandom(PHOTO_MB * 2**20)
                data = image_factory.jpeg(number, 640, 480) + padding + b"\xff\xd9"
                if number == 0:
                    project_id = fill("large", {("a", "train"): [UploadFile("0.jpg", data)]})
                    continue
                add(project_id, UploadFile(f"{number}.jpg", data))
            measure("export", home, Path(name) / "large.prolip")
            measure("import", Path(name) / "d", Path(name) / "large.prolip")
            fetch(home, project_id, Path(name) / "fetched.prolip")


def add(project_id: str, file: UploadFile) -> None:
    db = storage.open_database()
    stores = ContentStore(config.photo_folder()), ThumbnailStore(config.thumbnail_folder())
    (found,) = [one.photo.photo for one in uploads.check([file], *stores) if one.photo is not None]
    row = storage.classes.list_(db, project_id)[0]
    assert row.id is not None
    storage.photos.add(db, project_id, row.id, "train", [found])
    db.close()


if __name__ == "__main__":
    main()
