"""A second set of test photos: dropped here, kept with the study, never among the project's own photos."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import streamlit as st

from pages.ui import _compat, cached, components, evidence_photos, evidence_study, evidence_tables, session
from pages.ui.evidence_photos import REFUSED, SHOWN_FILES, Photos, Refused
from pages.ui.evidence_study import Ask
from pages.ui.text import _, _n, number, percent, safe, short, translator
from prolip_core import storage, uploads
from prolip_core.errors import ImageError
from prolip_core.storage.records import ClassRow, Project
from prolip_core.storage.studies import KEEPS
from prolip_core.studies.condition_words import NAMES, SECOND_TEST
from prolip_core.studies.names import SECOND_PHOTOS
from prolip_core.types import Note, RejectedFile
from prolip_core.uploads import PlacedPhoto, UploadFile

BY_FOLDER = ""


@dataclass
class _Arrived:
    """What came of one drop."""

    photos: list[Mapping[str, Any]] = field(default_factory=list)
    rejected: list[RejectedFile] = field(default_factory=list)


def asks(project: Project) -> tuple[Ask, ...]:
    """The second set that was dropped before."""
    photos, refused = _kept(project)
    return (_ask(photos, refused),) if photos else ()


def show(project: Project) -> None:
    """The set as it is, the zone to drop more, and both sets side by side."""
    st.markdown(
        _(
            "Take photos of the same classes with another camera, on another day, in another plant, and drop them here: does it "
            "still recognise them? They are kept with this result only; they never join the photos of the project."
        )
    )
    photos, refused = _kept(project)
    job = storage.jobs.latest_study(cached.database(), project.id, SECOND_TEST)
    if job is None or not job.is_live:
        _add(project, photos)
        _those_there(project, photos)
    evidence_photos.tell_refused(refused)
    nothing = Note("The second test set is still empty. Drop photos first.")
    record = evidence_study.show(project, _ask(photos, refused) if photos else Ask(SECOND_TEST, blocked=nothing))
    if record is not None:
        _result(record.result)


def _ask(photos: Photos, refused: Refused) -> Ask:
    kept = {"photos": list(photos), KEEPS: evidence_photos.ids(photos), REFUSED: list(refused)}
    return Ask(SECOND_TEST, kept)


def _kept(project: Project) -> tuple[Photos, Refused]:
    """Those that were dropped, only what is there and has a class; and what was refused of the last drop."""
    found = storage.studies.latest(cached.database(), project.id, SECOND_PHOTOS)
    settings: Mapping[str, Any] = {} if found is None else found.settings
    names = {row.display_name for row in cached.classes(project)}
    store = cached.photo_store()
    photos = [one for one in settings.get("photos", ()) if one["class"] in names and one["image_id"] in store]
    return photos, settings.get(REFUSED, ())


def _add(project: Project, photos: Photos) -> None:
    """Two zones; what arrives is computed with at once, together with what was there."""
    classes = cached.classes(project)
    names = {row.display_name: short(row.display_name) for row in classes}
    chosen = components.box(
        st.columns(2)[0],
        _("Which class do the photos show?"),
        {BY_FOLDER: _("As their folders are named"), **names},
        f"second_target_{project.id}",
    )
    turn = f"{project.id}_{session.round_of('second')}"
    left, right = st.columns(2)
    files = left.file_uploader(_("Photos or a zip file"), accept_multiple_files=True, key=f"second_files_{turn}")
    tree = right.file_uploader(
        _("A whole folder, with one folder per class inside"),
        accept_multiple_files="directory",
        key=f"second_folder_{turn}",
    )
    given = [*(files or ()), *(tree or ())]
    if given:
        session.next_round("second")
        try:
            arrived = _check([UploadFile(one.name, one.getvalue()) for one in given], classes, chosen)
        finally:
            _compat.forget_uploads(given)
        photos = list({photo["image_id"]: photo for photo in (*photos, *arrived.photos)}.values())
        ask = _ask(photos, evidence_photos.as_refused(arrived.rejected))
        _keep(project, ask)
        if arrived.photos and evidence_study.why_not(project, ask) is None:
            evidence_study.start(project, ask)
        st.rerun()


def _keep(project: Project, ask: Ask) -> None:
    """The set as it stands, whatever becomes of its study: it may have to wait for photos, be stopped, or fail."""
    result = {"study": SECOND_PHOTOS}
    # It belongs to no state of the project's own photos.
    storage.studies.add(cached.database(), project.id, None, SECOND_PHOTOS, ask.settings, "", result)


def _check(files: Sequence[UploadFile], classes: Sequence[ClassRow], chosen: str) -> _Arrived:
    """Every file becomes a photo with a class, or is refused with reason and remedy."""
    arrived = _Arrived()
    for one in uploads.check(files, cached.photo_store(), cached.thumbnail_store()):
        if one.rejected is not None:
            arrived.rejected.append(one.rejected)
        if one.photo is not None:
            name = chosen or _class_of(one.photo, classes)
            if name is None:
                arrived.rejected.append(_without_class(one.photo))
            else:
                arrived.photos.append({**asdict(one.photo.photo.record), "class": name})
    return arrived


def _class_of(placed: PlacedPhoto, classes: Sequence[ClassRow]) -> str | None:
    place = None if placed.folder is None else uploads.match_class(placed.folder, [row.spec for row in classes])
    return None if place is None else classes[place].display_name


def _without_class(placed: PlacedPhoto) -> RejectedFile:
    filename = placed.photo.record.filename
    if placed.folder is None:
        problem = ImageError(
            "{filename} came without a folder, so its class is not known.",
            filename=filename,
            remedy="Choose the class above and drop it again.",
        )
    else:
        problem = ImageError(
            "{filename} lies in the folder “{folder}”, which is no class of this project.",
            filename=filename,
            remedy="Name the folder like the class, or choose the class above and drop it again.",
            folder=placed.folder,
        )
    return RejectedFile(filename, problem)


def _those_there(project: Project, photos: Photos) -> None:
    """How many of each class, and the way to begin anew."""
    if not photos:
        return
    counts = Counter(photo["class"] for photo in photos)
    told = ", ".join(f"{safe(name)}: {number(count)}" for name, count in counts.items())
    left, right = st.columns([5, 2], vertical_alignment="center")
    left.markdown(
        _n("The second set has **{count}** photo.", "The second set has **{count}** photos.", len(photos)) + f" {told}"
    )
    if right.button(_("Remove this second set"), key="second_remove", width="stretch"):
        db = cached.database()
        for study in storage.studies.list_(db, project.id):
            if study.kind in (SECOND_TEST, SECOND_PHOTOS):
                storage.studies.delete(db, study.id)
        st.rerun()


def _result(result: Mapping[str, Any]) -> None:
    evidence_tables.advice(result)
    for column, one in zip(st.columns(2), result["both_sets"], strict=True):
        lines = [
            _("First test set: {figure}", figure=evidence_tables.right(one["first"])),
            _("Second test set: {figure}", figure=evidence_tables.right(one["second"])),
            _(
                "Every class counted the same: {first}, then {second}",
                first=_balanced(one, "first"),
                second=_balanced(one, "second"),
            ),
            _("Difference of these in points: {figure}", figure=evidence_tables.points(one)),
        ]
        evidence_tables.card(column, translator().note(NAMES[one["method"]]), lines)
    classes = [
        {
            _("Class"): short(one["class_name"]),
            _("First test set"): evidence_tables.right(one["first"]),
            _("Second test set"): evidence_tables.right(one["second"]),
        }
        for one in result["second_classes"]
    ]
    with st.expander(_("Class by class")):
        st.dataframe(classes, hide_index=True, width="stretch", key="second_classes")
    _left_out(result["second_taught_files"], _("Left out, the same as photos to learn from or near-copies of them:"))
    _left_out(result["second_measured_files"], _("Left out, the same as photos of the first test set or near-copies:"))


def _balanced(one: Mapping[str, Any], which: str) -> str:
    low, high = one[f"{which}_balanced_interval"]
    return _(
        "{share} (likely {low}–{high})",
        share=percent(one[f"{which}_balanced"]),
        low=percent(low),
        high=percent(high),
    )


def _left_out(names: Sequence[str], title: str) -> None:
    if names:
        shown = ", ".join(safe(name) for name in names[:SHOWN_FILES])
        shown += " …" if len(names) > SHOWN_FILES else ""
        st.caption(_("{title} {count} ({names})", title=title, count=number(len(names)), names=shown))
