"""How fast the app answers, and what it keeps: `python -m tests.benchmarks.app_speed`. Needs Chromium; takes some minutes.

A click is timed in the page itself, from the click until the last change of the page. Memory and processor time are the
server's own, read from /proc (Linux).
"""

from __future__ import annotations

import itertools
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from prolip_core import spec, storage, uploads
from prolip_core.content_store import ContentStore, ThumbnailStore
from prolip_core.spec import FitConfig, PilotSpec
from prolip_core.storage.records import ClassRow
from prolip_core.uploads import UploadFile
from tests import image_factory
from tests.e2e.conftest import STEPS, Server, Tab, chromium
from tests.pages.test_compare import add_run

CLASSES = 10
PER_CLASS = 50
UPLOADS = 10
PER_UPLOAD = 100
RERUNS = 200
_QUIET_MS = 1000
_WATCH = """() => {
  window.__drawn = []
  const seen = () => window.__drawn.push(performance.now())
  document.addEventListener('click', () => { window.__clicked ??= performance.now() }, true)
  for (const part of document.querySelectorAll('[data-testid=stMain], [data-testid=stSidebar]'))
    new MutationObserver(seen).observe(part, { subtree: true, childList: true, characterData: true, attributes: true })
}"""


def fill(home: Path) -> str:
    """A project with 500 photos of 10 classes; its id."""
    os.environ["PROLIP_HOME"] = str(home)
    db = storage.open_database()
    project = storage.projects.create(db, "500", spec.as_dict(PilotSpec()))
    rows = storage.classes.save(db, project.id, [ClassRow(None, f"class {k}", (f"thing {k}",)) for k in range(CLASSES)])
    stores = ContentStore(home / "photos"), ThumbnailStore(home / "thumbnails")
    for k, row in enumerate(rows):
        files = [UploadFile(f"{k}-{n}.jpg", image_factory.jpeg(1000 * k + n, 320, 240)) for n in range(PER_CLASS)]
        placed = [one.photo.photo for one in uploads.check(files, *stores) if one.photo]
        assert row.id is not None
        storage.photos.add(db, project.id, row.id, "train", placed[:40])
        storage.photos.add(db, project.id, row.id, "test", placed[40:])
    truth = [k for k in range(CLASSES) for _ in range(PER_CLASS - 40)]
    add_run(db, project, [k % 3 for k in truth], [k if n % 4 else 0 for n, k in enumerate(truth)])
    db.close()
    return project.id


def timed(page: Page, act: Callable[[], None], times: int) -> float:
    """Median seconds from the click that `act` makes until nothing on the page changes any more."""
    page.evaluate(_WATCH)
    found = []
    for _ in range(times):
        page.evaluate("() => { window.__drawn.length = 0; window.__clicked = undefined }")
        act()
        still = "quiet => window.__drawn.length > 0 && performance.now() - window.__drawn.at(-1) > quiet"
        page.wait_for_function(still, arg=_QUIET_MS, timeout=30_000)
        milliseconds: float = page.evaluate("() => window.__drawn.at(-1) - window.__clicked")
        found.append(milliseconds / 1000)
    return statistics.median(found)


def resident_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def clicks(tab: Tab, project_id: str, when: str) -> None:
    """What people click most, each timed; the median over all kinds at the end."""
    page = tab.page
    found: dict[str, float] = {}
    tab.open(f"/train?project={project_id}")
    tab.settle()
    page.wait_for_timeout(3000)
    if when == "idle":  # while a training runs these are shut
        page.get_by_text("Choices (you can leave").click()
        found["fine-tune, another choice"] = timed(
            page, _in_turn(page, "As in the paper (Adam)", "Exact (recommended)"), 7
        )
    tab.go("photos")
    page.wait_for_timeout(2000)
    found["photos, next page of the grid"] = timed(page, page.get_by_role("button", name="Next page").click, 7)
    found["photos, only those to test on, and all"] = timed(page, _in_turn(page, "To test on (", "All ("), 7)
    found["photos, a switch that draws the whole page"] = timed(page, page.get_by_text("Use the camera").click, 7)
    links = page.locator("[data-testid=stSidebar] [data-testid=stPageLink-NavLink]:visible")
    for one, other in (("photos", "train"), ("photos", "classes"), ("photos", "projects"), ("photos", "compare")):
        if other == "train" and when != "idle":
            continue  # the curve moves: that page is never still
        turns = itertools.cycle((STEPS.index(other), STEPS.index(one)))
        name = f"from page to page: {one} and {other}"
        found[name] = timed(page, lambda turns=turns: links.nth(next(turns)).click(), 8)  # type: ignore[misc]
    tab.go("classes")
    page.wait_for_timeout(2000)
    found["classes, another set of sentences"] = timed(
        page, _in_turn(page, "Product on plain ground", "General photo"), 7
    )
    tab.go("compare")
    page.wait_for_timeout(2000)
    found["compare, the other unit"] = timed(page, _in_turn(page, "Share of the class", "Number of photos"), 8)
    found["compare, another view"] = timed(page, _in_turn(page, "Class by class", "What is confused with what"), 8)
    for name, seconds in found.items():
        say(f"{when} | {name} | {seconds:.2f} s")
    say(f"{when} | median of these kinds | {statistics.median(found.values()):.2f} s")


def _in_turn(page: Page, *texts: str) -> Callable[[], None]:
    turns = itertools.cycle(texts)
    return lambda: page.get_by_text(next(turns)).first.click()


def sample(browser: Browser, server: Server) -> None:
    """From the click to the finished result, in the first moment of a new server and again."""
    for when in ("on a server that has just been started", "again"):
        context = browser.new_context(locale="en-US", viewport={"width": 1280, "height": 1000})
        tab = Tab(context.new_page(), server.url)
        tab.open()
        tab.page.locator(".st-key-try_sample button").wait_for()
        start = time.monotonic()
        tab.click("try_sample")
        tab.see("Training finished.")
        say(f"the sample in one click, {when}: {time.monotonic() - start:.1f} s")
        context.close()


def soak(tab: Tab, project_id: str, pid: int, folder: Path) -> None:
    page = tab.page
    tab.open(f"/photos?project={project_id}")
    tab.settle()
    page.wait_for_timeout(2000)
    before = resident_mb(pid)
    for number in range(UPLOADS):
        files = []
        for n in range(PER_UPLOAD):
            path = folder / f"{number}-{n}.jpg"
            path.write_bytes(image_factory.jpeg(50_000 + number * PER_UPLOAD + n, 800, 600))
            files.append(path)
        start = time.monotonic()
        page.locator("[data-testid=stFileUploaderDropzoneInput]").first.set_input_files(files)
        page.get_by_text("came without a folder").first.wait_for(timeout=120_000)
        tab.settle()
        if number == 0:
            say(f"{PER_UPLOAD} photos of 0.5 MP from choosing to checked and kept: {time.monotonic() - start:.1f} s")
        page.get_by_role("button", name="Do not add them").click()
        tab.settle()
    camera = page.get_by_text("Use the camera")
    for _ in range(RERUNS):
        camera.click()
        page.wait_for_timeout(30)
    tab.settle()
    page.wait_for_timeout(3000)
    say(f"server memory {before:.0f} MB before, {resident_mb(pid):.0f} MB after {UPLOADS} uploads and {RERUNS} reruns")


def while_training(tab: Tab, project_id: str, pid: int) -> None:
    db = storage.open_database()
    project = storage.projects.get(db, project_id)
    assert project is not None
    endless = spec.as_dict(PilotSpec(fit=FitConfig("adam", "1/N", 1e-6, 100_000)))
    job = storage.jobs.enqueue(db, project_id, "train", {"spec": endless})
    page = tab.page
    tab.open(f"/train?project={project_id}")
    page.get_by_text("Fine-tuning").first.wait_for(timeout=120_000)
    page.wait_for_timeout(4000)
    start, used = time.monotonic(), cpu_s(pid)
    page.wait_for_timeout(20_000)
    share = (cpu_s(pid) - used) / (time.monotonic() - start)
    say(f"server while one page watches a training: {100 * share:.1f} % of a core")
    clicks(tab, project_id, "training")
    storage.jobs.request_stop(db, job.id)
    db.close()


def main() -> None:
    with (
        tempfile.TemporaryDirectory() as home,
        tempfile.TemporaryDirectory() as photos,
        sync_playwright() as playwright,
    ):
        server = Server(Path(home))
        server.start()
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        try:
            sample(browser, server)
            project_id = fill(Path(home))
            context = browser.new_context(locale="en-US", viewport={"width": 1280, "height": 1000})
            tab = Tab(context.new_page(), server.url)
            clicks(tab, project_id, "idle")
            while_training(tab, project_id, server.pid)
            if "--no-soak" not in sys.argv:
                soak(tab, project_id, server.pid, Path(photos))
        finally:
            browser.close()
            server.end()


if __name__ == "__main__":
    main()
