"""One photo large, its answer in big words, whether that may stand alone, and the training photos that are most like it."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from pages.ui import (
    cached,
    components,
    guards,
    job_state,
    photo_grid,
    photo_large,
    session,
    teach_buttons,
    try_drop,
    try_rule,
)
from pages.ui.photo_grid import Tile
from pages.ui.text import _, date, job_error, percent, refused, safe, short
from prolip_core import answered, storage
from prolip_core.answered import Answered
from prolip_core.storage.records import Drop, Job, Project, RunSummary, TriedPhoto

POLL_S = 0.5
SHOWN_BEFORE = 12


def show(project: Project, run: RunSummary) -> None:
    """The photo that was tried last, or an earlier one."""
    drops = storage.tried.drops(cached.database(), project.id, is_many=False)
    if not drops:
        deleted(project)
        return
    key = try_drop.chosen_key(project.id, is_many=False)
    drop = next((one for one in drops if one.id == session.get(key)), drops[0])
    photos = storage.tried.photos(cached.database(), drop.id)
    told_refused(drop)
    if photos:
        job = try_drop.ask(project, drop, run)
        if job is None:
            _answer(project, run, drop, photos[0])
        else:
            photo_itself(photos[0])
            waiting(project, run, drop, job)
    _menu(project, drops, drop)


def photo_itself(photo: TriedPhoto) -> None:
    """The photo, as large as fits beside its answer."""
    with st.container(key=f"tried_photo_{photo.id}"):
        made = cached.picture(("large", photo.image_id), lambda: photo_large.large_copy(photo.record))
        st.image(made, width="stretch")
    st.caption(safe(photo.record.filename, 200))


def told_refused(drop: Drop) -> None:
    """Files of the drop that are no photo of it, each with the reason."""
    if not drop.refused:
        return
    lines = []
    for one in drop.refused:
        reason, remedy = refused(one)
        lines.append(f"**{safe(one.filename, 200)}**: {reason} {remedy}")
    st.warning("\n\n".join(lines))


def _answer(project: Project, run: RunSummary, drop: Drop, photo: TriedPhoto) -> None:
    names = cached.run_record(run.id).class_names
    answers = storage.tried.answers(cached.database(), run.id, drop.id)
    found, failed = answered.of([photo], answers, names, try_rule.of(run))
    for one in failed:
        reason, remedy = refused(one.problem)
        st.error(f"{safe(photo.record.filename)}: {reason} {remedy}")
    left, right = st.columns([5, 4], gap="large")
    with left:
        photo_itself(photo)
    if not found:
        return
    with right:
        big(found[0])
        teach_buttons.show(project, found[0])
    similar(project, found[0])


def big(one: Answered) -> None:
    """The band, the answer in big words, and what else is said."""
    if one.is_sure:
        st.success(f"**✓ {_('Sure enough')}** – {_('the answer can stand alone.')}")
    else:
        st.warning(f"**? {_('Not sure')}** – {_('ask a person.')}")
    st.markdown(f"# {safe(one.after.name)}")
    st.markdown(_("**{share}** sure", share=percent(one.after.confidence, 1)))
    lines = [
        _("Next likely: {name} ({share})", name=safe(one.next.name), share=percent(one.next.confidence, 1)),
        _("Before the training (zero-shot) it says the same: {name} ({share} sure).", **_before(one))
        if one.is_same
        else _("Before the training (zero-shot) it says something else: {name} ({share} sure).", **_before(one)),
    ]
    components.bullet_list(lines)


def similar(project: Project, one: Answered) -> None:
    """The photos that it learnt from and that look most alike to it."""
    if not one.similar:
        return
    st.subheader(
        _("The training photos most like it"),
        anchor=False,
        help=_("By the cosine of the trained image embeddings: 1 is the same, 0 has nothing in common."),
    )
    there = {photo.image_id for photo in cached.photos(project)}
    photo_grid.look(
        [
            Tile(
                number_,
                alike.image_id if alike.image_id in there else None,
                alike.filename,
                [(short(alike.class_name, 30), ""), (_("alike: {cosine}", cosine=f"{alike.cosine:.2f}"), "")],
            )
            for number_, alike in enumerate(one.similar)
        ],
        key=f"similar_{one.photo.id}",
        columns=5,
    )


def waiting(project: Project, run: RunSummary, drop: Drop, job: Job) -> None:
    """The work as it happens, or how it ended without an answer, and a button that lets it go on."""
    if job.is_live:
        _watch(job.id)
        return
    if job.state == "failed":
        reason, remedy = job_error(job)
        st.error(f"{reason}\n\n{remedy}")
    else:
        st.warning(_("This was stopped. What is answered stays; the rest waits."))
    if st.button(_("Go on"), key=f"go_on_{drop.id}", type="primary"):
        try_drop.start(project, drop.id, run.id)
        st.rerun()


@guards.fragment(run_every=POLL_S)
def _watch(job_id: str) -> None:
    job = storage.jobs.get(cached.database(), job_id)
    if job is None or not job.is_live:
        st.rerun()
    with st.container(border=True):
        job_state.standing(job)
        job_state.stop_button(job, disabled=job.stop_requests > 0)


def deleted(project: Project) -> None:
    """Drops whose deletion can still be taken back."""
    for drop in storage.tried.deleted(cached.database(), project.id):
        text, button = st.columns([6, 2], vertical_alignment="center")
        text.caption(_("Deleted: {name}", name=_("tried on {date}", date=date(drop.created_at))))
        if button.button(_("Undo"), key=f"restore_drop_{drop.id}", width="stretch"):
            storage.tried.restore_drop(cached.database(), drop.id)
            st.rerun()


def delete_button(drop: Drop) -> None:
    """For a drop as a whole."""
    if st.button(
        _("Delete this photo") if not drop.is_many else _("Delete these photos"),
        key=f"delete_drop_{drop.id}",
        help=_("Can be undone for 10 minutes; then the files are removed from the disk."),
    ):
        storage.tried.delete_drop(cached.database(), drop.id)
        session.drop(try_drop.chosen_key(drop.project_id, is_many=drop.is_many))
        st.rerun()


def _before(one: Answered) -> dict[str, str]:
    return {"name": safe(one.before.name), "share": percent(one.before.confidence, 1)}


def _menu(project: Project, drops: Sequence[Drop], drop: Drop) -> None:
    """The photos that were tried before, and the end of this one."""
    st.divider()
    left, right = st.columns([5, 2], vertical_alignment="bottom")
    titles = {one.id: _title(one) for one in drops[:SHOWN_BEFORE]}
    if drop.id not in titles:
        titles[drop.id] = _title(drop)
    with left:
        chosen = components.box(
            st.container(), _("Photos that were tried"), titles, try_drop.chosen_key(project.id, is_many=False)
        )
    with right:
        delete_button(drop)
    deleted(project)
    if chosen != drop.id:
        st.rerun()


def _title(drop: Drop) -> str:
    photos = storage.tried.photos(cached.database(), drop.id)
    names = [*(photo.record.filename for photo in photos), *(one.filename for one in drop.refused), ""]
    return f"{date(drop.created_at)} · {short(names[0], 40)}"
