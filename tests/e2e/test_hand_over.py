"""The hand-over in a real browser with a real worker: made, watched over a reload, downloaded, seen in both languages."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import expect

from prolip_core import storage
from prolip_core.handover import opened
from prolip_core.storage import Database
from prolip_core.storage.records import Project
from tests.e2e.conftest import PATIENCE_MS, Server, Tab
from tests.e2e.test_evidence import project as project

NewTab = Callable[..., Tab]


def trained(db: Database, project: Project, tab: Tab) -> str:
    """The project's run; trained now if there is none."""
    if not storage.runs.list_(db, project.id):
        job = storage.jobs.enqueue(db, project.id, "train", {"spec": dict(project.spec)})
        while (found := storage.jobs.get(db, job.id)) is not None and found.is_live:
            tab.page.wait_for_timeout(200)
    return storage.runs.list_(db, project.id)[0].id


def test_the_file_is_made_survives_a_reload_and_comes_down_whole(
    db: Database, project: Project, server: Server, new_tab: NewTab, tmp_path: Path
) -> None:
    tab = new_tab("en-US")
    tab.open(f"/hand_over?project={project.id}")
    run_id = trained(db, project, tab)
    tab.open(f"/hand_over?project={project.id}")
    if storage.studies.latest(db, project.id, "hand_over", run_id) is None:
        tab.click("compute_hand_over")
        tab.page.get_by_role("button", name="Stop").wait_for()
        tab.page.reload()
        tab.settle()
    button = tab.page.get_by_role("button", name=re.compile("Download the hand-over file"))
    button.wait_for(timeout=6 * PATIENCE_MS)
    tab.see("8 of 8")
    with tab.page.expect_download() as download:
        button.click()
    path = tmp_path / "down.zip"
    download.value.save_as(path)
    assert set(opened.open_(path).names) == {"bolt", "nut", "washer", "gear"}
    with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as archive:
        assert archive.testzip() is None
    other = new_tab("ja-JP")
    other.open(f"/hand_over?project={project.id}")
    other.see("引き渡しファイルをダウンロード")
    other.see("8 枚中 8 枚")
    expect(other.page.get_by_test_id("stDataFrame").first).to_be_visible()
    assert other.page.get_by_test_id("stAlertContentError").count() == 0


def test_stop_keeps_what_was_there(db: Database, project: Project, server: Server, new_tab: NewTab) -> None:
    tab = new_tab("en-US")
    tab.open(f"/hand_over?project={project.id}")
    run_id = trained(db, project, tab)
    tab.open(f"/hand_over?project={project.id}")
    before = storage.studies.latest(db, project.id, "hand_over", run_id)
    tab.click("compute_hand_over")
    tab.page.get_by_role("button", name="Stop").click()
    tab.see("Stopped; no hand-over file was made.")
    after = storage.studies.latest(db, project.id, "hand_over", run_id)
    assert (after is None) == (before is None)
    assert not list((server.home / "hand-over").glob("*/.*")) or before is None
