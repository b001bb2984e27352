"""Photos coming in to be tried: one, many, a folder, a zip, from the clipboard or the camera; checked as all others are."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from pages.ui import _compat, browser, cached, session
from pages.ui.text import _, number, translator
from prolip_core import archives, jobs, storage, uploads
from prolip_core.storage.jobs import TRY
from prolip_core.storage.records import Drop, Job, Project, RefusedFile, RunSummary
from prolip_core.types import CheckedPhoto, RejectedFile
from prolip_core.uploads import UploadFile

CHUNK = 25
"""So many photos are saved at a time: a reload in the middle loses no more."""

WAIT_S = 1.5
"""So long a page waits for the answer about one photo before it draws itself and asks again now and then."""


def show(project: Project, run: RunSummary) -> None:
    """The zones. What arrives is checked, kept and put into the queue; then the page runs once more."""
    turn = f"{project.id}_{session.round_of('try')}"
    with st.container(key=browser.DROP_ZONE):
        files = st.file_uploader(
            _("One photo or many, or a zip file: drop them anywhere on this page, or paste a picture"),
            accept_multiple_files=True,
            key=f"try_files_{turn}",
        )
    folder, camera = st.columns(2)
    with folder, st.popover(_("A whole folder"), width="stretch"):
        tree = st.file_uploader(_("A whole folder"), accept_multiple_files="directory", key=f"try_folder_{turn}")
    snap = None
    with camera:
        if st.toggle(_("Use the camera"), key="try_camera_on"):
            snap = st.camera_input(_("Take a photo"), key=f"try_camera_{turn}")
    arrived = [*(files or ()), *(tree or ()), *([snap] if snap else ())]
    if arrived:
        session.next_round("try")  # whatever becomes of them, they shall not arrive again in the next run
        receive(project, run, arrived, is_snap=snap is not None)
        st.rerun()


def receive(project: Project, run: RunSummary, files: Sequence[UploadedFile], *, is_snap: bool = False) -> None:
    """Checks and keeps what has arrived, chunk by chunk; the answers begin with the first chunk."""
    db = cached.database()
    given = [UploadFile(_name_of(file, is_snap), file.getvalue()) for file in files]
    is_many = len(given) > 1 or archives.is_zip(given[0].data)
    drop_id = storage.tried.begin(db, project.id, is_many=is_many)
    session.put(chosen_key(project.id, is_many=is_many), drop_id)
    session.set_view("many" if is_many else "one")
    session.next_round("try_view")
    bar = st.progress(0.0, text=_("Checking the photos …")) if is_many else None
    if is_many:
        st.button(_("Stop"), key="try_stop_checking", help=_("What is checked by then stays."))
    photos: list[CheckedPhoto] = []
    refused: list[RefusedFile] = []
    start, total = time.monotonic(), len(given)
    try:
        for one in uploads.check(given, cached.photo_store(), cached.thumbnail_store()):
            photos += [] if one.photo is None else [one.photo.photo]
            refused += [] if one.rejected is None else [kept(one.rejected)]
            total = one.total
            if len(photos) + len(refused) >= CHUNK:
                _keep(project, run, drop_id, photos, refused, total)
            if bar is not None:
                bar.progress(min(1.0, one.done / one.total), text=_pace(one.done, one.total, time.monotonic() - start))
        total = 0  # all is here: what was counted before may have held files of the system
    finally:
        _compat.forget_uploads(files)
        _keep(project, run, drop_id, photos, refused, total)
    if not is_many:
        _wait_for_answer(drop_id, run.id)


def kept(rejected: RejectedFile) -> RefusedFile:
    """A refused file as the database keeps it."""
    return RefusedFile(rejected.filename, **jobs.error_as_dict(rejected.error))


def chosen_key(project_id: str, *, is_many: bool) -> str:
    """Where this tab keeps which drop it looks at."""
    return f"tried_{'many' if is_many else 'one'}_{project_id}"


def ask(project: Project, drop: Drop, run: RunSummary) -> Job | None:
    """The work on a drop that this run has not answered whole yet, put into the queue if it is not there; None if all is done.
    Work that was stopped or has failed is given as it is: a person decides whether it goes on."""
    db = cached.database()
    if not storage.tried.count_unanswered(db, drop.id, run.id):
        return None
    job = storage.jobs.latest_of(db, project.id, TRY, _key(drop.id, run.id))
    if job is not None and job.state != "done":
        return job
    return start(project, drop.id, run.id)


def start(project: Project, drop_id: str, run_id: str) -> Job:
    """Puts the photos of the drop into the queue for this run."""
    payload = {"drop": drop_id, "run": run_id, "spec": dict(project.spec)}
    device = str(project.spec["device"])
    return storage.jobs.enqueue(cached.database(), project.id, TRY, payload, device=device, key=_key(drop_id, run_id))


def _key(drop_id: str, run_id: str) -> str:
    return f"{drop_id[:31]}:{run_id}"


def _keep(
    project: Project,
    run: RunSummary,
    drop_id: str,
    photos: list[CheckedPhoto],
    refused: list[RefusedFile],
    total: int,
) -> None:
    """Empties both lists into the database. total: of the files, as far as that is known."""
    storage.tried.add(cached.database(), drop_id, photos, refused, total=total)
    if photos:
        start(project, drop_id, run.id)
    photos.clear()
    refused.clear()


def _wait_for_answer(drop_id: str, run_id: str) -> None:
    end = time.monotonic() + WAIT_S
    while storage.tried.count_unanswered(cached.database(), drop_id, run_id) and time.monotonic() < end:
        time.sleep(0.02)


def _name_of(file: UploadedFile, is_snap: bool) -> str:
    return f"{datetime.now():%Y-%m-%d %H.%M.%S}.jpg" if is_snap else file.name


def _pace(done: int, total: int, seconds: float) -> str:
    return _(
        "Checking: {done} of {total} · {time} left",
        done=number(done),
        total=number(total),
        time=translator().duration((total - done) * seconds / max(1, done)),
    )
