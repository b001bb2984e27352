"""Photos coming in: dropped, chosen, as a folder, in a zip, from the camera; and the report of what became of each file."""

from __future__ import annotations

import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from pages.ui import _compat, browser, cached, components, guards, session
from pages.ui.text import _, _n, error, number, safe, short
from prolip_core import prompts, storage, uploads
from prolip_core.errors import ImageError, ProLIPError
from prolip_core.storage.records import ClassRow, Role
from prolip_core.types import CheckedPhoto, DuplicateFile, RejectedFile
from prolip_core.uploads import PlacedPhoto, UploadFile

CHUNK = 25
"""So many photos are saved at a time: a reload in the middle loses no more."""

BY_FOLDER = 0


@dataclass
class Report:
    """What became of the files of one upload; grows while it goes on."""

    added: Counter[str] = field(default_factory=Counter)
    new_classes: list[str] = field(default_factory=list)
    duplicates: list[DuplicateFile] = field(default_factory=list)
    rejected: list[RejectedFile] = field(default_factory=list)
    homeless: list[PlacedPhoto] = field(default_factory=list)
    problem: ProLIPError | None = None


def show(project_id: str, classes: Sequence[ClassRow]) -> None:
    """The drop zone with its choices, the report of the last upload, and photos that still need a class."""
    st.subheader(_("Add photos"), anchor=False)
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    names = {row.id or BY_FOLDER: row.display_name for row in classes}
    target = components.box(
        left,
        _("Which class do the photos show?"),
        {BY_FOLDER: _("As their folders are named"), **{id_: short(name) for id_, name in names.items()}},
        f"upload_target_{project_id}",
        help_=_("For a folder or a zip with one folder per class. Folders that are no class yet become new classes."),
    )
    role = right.segmented_control(
        _("What are they for?"),
        ["train", "test"],
        default="train",
        required=True,
        format_func=lambda code: _("To learn from") if code == "train" else _("To test on"),
        key=_role_key(project_id),
        help=_("Folders named “train” and “test” decide by themselves."),
    )
    wanted: Role = "test" if role == "test" else "train"
    turn = f"{project_id}_{session.round_of('upload')}"
    with st.container(key=browser.DROP_ZONE):
        files = st.file_uploader(
            _("Photos or a zip file: drop them anywhere on this page"), accept_multiple_files=True, key=f"files_{turn}"
        )
    folder, camera = st.columns(2)
    with folder:
        tree = st.file_uploader(
            _("A whole folder, with one folder per class inside"),
            accept_multiple_files="directory",
            key=f"folder_{turn}",
        )
    with camera:
        snap = _camera(turn, is_possible=target != BY_FOLDER)
    st.caption(
        _(
            "JPEG, PNG, WebP, HEIC, AVIF, TIFF, BMP, GIF. At most {limit} files at once; pack more into a zip.",
            limit=number(browser.MAX_FILES),
        )
    )
    arrived = [*(files or ()), *(tree or ()), *([snap] if snap else ())]
    if arrived:
        session.next_round("upload")  # whatever becomes of them, they shall not arrive again in the next run
        _import(project_id, arrived, target or BY_FOLDER, wanted, is_snap=snap is not None)
        st.rerun()
    _show_report(project_id)
    _ask_for_class(project_id, classes, wanted)


def add_to_class(project_id: str, row: ClassRow) -> None:
    """A drop zone of one class alone; what the photos are for is chosen above it, for all zones of the page."""
    key = f"class_files_{row.id}_{session.round_of('upload')}"
    is_test = session.get(_role_key(project_id)) == "test"
    name = safe(row.display_name)
    label = (
        _("Add test photos of “{name}”", name=name) if is_test else _("Add photos of “{name}” to learn from", name=name)
    )
    files = st.file_uploader(label, accept_multiple_files=True, key=key)
    if files:
        session.next_round("upload")
        _import(project_id, list(files), row.id or BY_FOLDER, "test" if is_test else "train")
        st.rerun()


def _camera(turn: str, *, is_possible: bool) -> UploadedFile | None:
    if not st.toggle(_("Use the camera"), key="use_camera"):
        return None
    if not is_possible:
        st.caption(_("Choose above which class the photos show; then the camera can be used."))
        return None
    return st.camera_input(_("Take a photo"), key=f"camera_{turn}")


def _import(
    project_id: str, files: Sequence[UploadedFile], class_id: int, role: Role, *, is_snap: bool = False
) -> None:
    """Checks and saves what has arrived, in chunks, and keeps the report for the next run."""
    report, batch, start = Report(), uuid.uuid4().hex, time.monotonic()
    bar = st.progress(0.0, text=_("Checking the photos …"))
    waiting: list[PlacedPhoto] = []
    try:
        given = [UploadFile(_name_of(file, is_snap), file.getvalue()) for file in files]
        for one in uploads.check(given, cached.photo_store(), cached.thumbnail_store()):
            if one.photo is not None:
                waiting.append(one.photo)
            if one.rejected is not None:
                report.rejected.append(one.rejected)
            if len(waiting) >= CHUNK:
                _save(project_id, waiting, class_id, role, batch, report)
                waiting = []
            rate = one.done / max(1e-3, time.monotonic() - start)
            text = _(
                "{done} of {total} · {rate} photos per second",
                done=number(one.done),
                total=number(one.total),
                rate=number(round(rate)),
            )
            bar.progress(min(1.0, one.done / one.total), text=text)
        _save(project_id, waiting, class_id, role, batch, report)
    except ProLIPError as problem:
        report.problem = problem  # kept for the next run, which draws the page without these files
    finally:
        _compat.forget_uploads(files)
        session.put(_report_key(project_id), report)
        session.put(_homeless_key(project_id), [*_homeless(project_id), *report.homeless])


def _role_key(project_id: str) -> str:
    return f"upload_role_{project_id}"


def _report_key(project_id: str) -> str:
    return f"upload_report_{project_id}"


def _homeless_key(project_id: str) -> str:
    return f"photos_without_class_{project_id}"


def _homeless(project_id: str) -> list[PlacedPhoto]:
    """Photos of this project that came without a folder while folders were to name the class."""
    found: list[PlacedPhoto] = session.get(_homeless_key(project_id), [])
    return found


def _name_of(file: UploadedFile, is_snap: bool) -> str:
    return f"{datetime.now():%Y-%m-%d %H.%M.%S}.jpg" if is_snap else file.name


def _save(
    project_id: str, placed: Sequence[PlacedPhoto], class_id: int, role: Role, batch: str, report: Report
) -> None:
    """Puts photos into the classes that were chosen, or that their folders name."""
    db = cached.database()
    home_of = {} if class_id else _classes_for(project_id, placed, report)
    by_place: dict[tuple[int, Role], list[CheckedPhoto]] = defaultdict(list)
    for one in placed:
        home = class_id or home_of.get(one.folder or "")
        if home:
            by_place[home, one.role or role].append(one.photo)
        elif one.folder is None:
            report.homeless.append(one)
    names = {row.id: row.display_name for row in storage.classes.list_(db, project_id)}
    for (home, use), photos in by_place.items():
        result = storage.photos.add(db, project_id, home, use, photos, batch=batch)
        report.added[names.get(home, "")] += len(result.added)
        report.duplicates += result.duplicates


def _classes_for(project_id: str, placed: Sequence[PlacedPhoto], report: Report) -> dict[str, int]:
    """Folder → id of its class. Folders that match none become new classes; what cannot become one is told."""
    db = cached.database()
    folders = [one.folder for one in placed if one.folder]
    rows = storage.classes.list_(db, project_id)
    found = uploads.homes(folders, rows)
    if len(found.rows) > len(rows):
        report.new_classes += [row.display_name for row in found.rows[len(rows) :]]
        rows = storage.classes.save(db, project_id, found.rows, seen=rows)
        found = uploads.homes(folders, rows)
    for one in placed:
        if one.folder and one.folder in found.refused:
            filename = f"{one.folder}/{one.photo.record.filename}"
            report.rejected.append(RejectedFile(filename, uploads.refusal(found.refused[one.folder], filename)))
    return {folder: rows[index].id or BY_FOLDER for folder, index in found.of_folder.items() if index < len(rows)}


def _show_report(project_id: str) -> None:
    """What became of the last upload, until it is put away."""
    report: Report | None = session.get(_report_key(project_id))
    if report is None:
        return
    with st.container(border=True):
        total = sum(report.added.values())
        lines = []
        if total or not report.homeless:
            lines.append(_n("**{count}** photo was added.", "**{count}** photos were added.", total))
        if report.homeless:
            lines.append(
                _n(
                    "**{count}** photo waits below for its class.",
                    "**{count}** photos wait below for their class.",
                    len(report.homeless),
                )
            )
        lines += [f"{safe(name)}: {number(count)}" for name, count in report.added.items() if count]
        if report.new_classes:
            lines.append(_("New classes: {names}", names=", ".join(safe(name) for name in report.new_classes)))
        if report.duplicates:
            lines.append(
                _n(
                    "**{count}** file was there already and is not added twice.",
                    "**{count}** files were there already and are not added twice.",
                    len(report.duplicates),
                )
            )
        st.markdown("\n".join(f"- {line}" for line in lines))
        if report.rejected:
            st.warning(_n("**{count}** file was not taken:", "**{count}** files were not taken:", len(report.rejected)))
            components.refused_files([_refusal(one) for one in report.rejected], "rejected_files")
        if report.problem is not None:
            reason, remedy = error(report.problem)
            st.error(_("The upload was cut short; what is counted above is saved.") + f" {reason} {remedy}")
        if st.button(_("Close this report"), key="close_report"):
            session.drop(_report_key(project_id))
            st.rerun()


def _refusal(one: RejectedFile) -> tuple[str, str, str]:
    problem: ProLIPError = one.error
    reason, remedy = error(problem, is_markdown=False)
    return short(one.filename, 200), reason, remedy


def _ask_for_class(project_id: str, classes: Sequence[ClassRow], role: Role) -> None:
    """Photos that came without a folder while folders were to name the class."""
    homeless = _homeless(project_id)
    if not homeless:
        return
    with st.form("homeless"):
        st.warning(
            _n(
                "**{count}** photo came without a folder. Which class does it show?",
                "**{count}** photos came without a folder. Which class do they show?",
                len(homeless),
            )
        )
        names = {row.id: row.display_name for row in classes if row.id is not None}
        left, right = st.columns(2)
        chosen = left.selectbox(
            _("Class"),
            list(names),
            index=None,
            format_func=lambda id_: short(names[id_]),
            placeholder=_("Choose"),
            key=f"homeless_class_{hash(tuple(names.values()))}",
        )
        new = right.text_input(_("… or a new class"), max_chars=prompts.MAX_NAME_CHARACTERS, key="homeless_new_class")
        take, leave = st.columns(2)
        if take.form_submit_button(_("Add them to this class"), type="primary"):
            with guards.told():
                _take_in(project_id, homeless, chosen, new.strip(), role)
        if leave.form_submit_button(_("Do not add them")):
            session.drop(_homeless_key(project_id))
            st.rerun()


def _take_in(
    project_id: str, homeless: Sequence[PlacedPhoto], class_id: int | None, new_class: str, role: Role
) -> None:
    """Adds the photos that waited to a class, or to a new one; those that waited so long that they were cleared away are told."""
    if not class_id and not new_class:
        st.warning(_("Choose a class, or name a new one."))
        return
    if new_class:
        class_id = _new_class(project_id, new_class)  # if it cannot be one, the photos go on waiting
    report, there = Report(), []
    for one in homeless:
        name = one.photo.record.filename
        if cached.photo_store().hold(one.photo.record.image_id):
            there.append(one)
        else:
            report.rejected.append(RejectedFile(name, _waited_too_long(name)))
    _save(project_id, there, class_id or BY_FOLDER, role, uuid.uuid4().hex, report)
    session.put(_report_key(project_id), report)
    session.drop(_homeless_key(project_id))
    st.rerun()


def _new_class(project_id: str, name: str) -> int:
    """The class of that name, made if it is not there. Raises PromptError if it can be none."""
    rows = storage.classes.list_(cached.database(), project_id)
    found = uploads.homes([name], rows)
    if name in found.refused:
        raise found.refused[name]
    saved = storage.classes.save(cached.database(), project_id, found.rows, seen=rows)
    return saved[uploads.homes([name], saved).of_folder[name]].id or BY_FOLDER


def _waited_too_long(filename: str) -> ImageError:
    return ImageError(
        "This photo waited for its class too long and is not kept any more.",
        remedy="Add it again.",
        filename=filename,
    )
