"""A project at a glance, its menu, and the projects that were deleted a short while ago."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta

import streamlit as st

from pages.ui import cached, components, guards, project_file, registry, session, sidebar
from pages.ui.text import _, _n, date, right_of, safe, short, translator
from prolip_core import config, guide, metrics, storage
from prolip_core.storage import names
from prolip_core.storage.projects import COVER_PHOTOS
from prolip_core.storage.records import Project, ProjectCard, RunSummary

POLL_S = 2.0
KEPT_OF_A_NAME = config.MAX_NAME_CHARACTERS - 20
"""So much of a project's name goes into the name of its copy, which must not be too long either."""


def show(card: ProjectCard, taken: Collection[str]) -> None:
    """Draws the card. `taken`: the names of all projects."""
    project = card.project
    with st.container(height="stretch"):  # so that the buttons of a row of cards stand in line
        st.markdown(f"**{safe(project.name)}**", help=_full_name(project))
        _cover(card.cover)
        st.markdown(
            " · ".join(
                (
                    _n("{count} class", "{count} classes", card.n_classes),
                    _n("{count} training photo", "{count} training photos", card.n_train),
                    _n("{count} test photo", "{count} test photos", card.n_test),
                )
            )
        )
        if card.is_busy:
            st.badge(_("A training is under way"))
        if card.last_run is not None:
            _result(card.last_run)
        else:
            st.caption(_("No result yet."))
        st.caption(_("Changed {date}", date=date(project.changed_at)))
    with st.container(horizontal=True, wrap=False):
        if st.button(_("Open"), key=f"open_{project.id}", width="stretch"):
            with guards.told():
                _open(project)
        _menu(project, taken)
    project_file.saved(project)


@guards.fragment(run_every=POLL_S)
def watch(busy: Collection[str]) -> None:
    """Draws the page anew as soon as one of these projects has ended its work."""
    if any(storage.jobs.live(cached.database(), project_id) is None for project_id in busy):
        st.rerun()


def recently_deleted() -> None:
    """Projects whose deletion can still be taken back."""
    limit = datetime.now(UTC) - timedelta(seconds=config.UNDO_PERIOD_S)
    projects = [one for one in storage.projects.deleted(cached.database()) if one.deleted_at and one.deleted_at > limit]
    if not projects:
        return
    st.subheader(_("Recently deleted"), anchor=False)
    st.caption(
        _(
            "A deleted project can be brought back for {time}. Then its photos and results leave this computer's disk by "
            "themselves; photos that another project uses too stay with that one.",
            time=translator().duration(config.UNDO_PERIOD_S),
        )
    )
    for project in projects:
        _deleted_row(project)


def _full_name(project: Project) -> str | None:
    """The whole name, where the card shows a part of it only."""
    cut = short(project.name) != short(project.name, config.MAX_NAME_CHARACTERS)
    return safe(project.name, config.MAX_NAME_CHARACTERS) if cut else None


def _cover(image_ids: Sequence[str]) -> None:
    files = [file for file in map(components.thumbnail, image_ids) if file is not None]
    if not files:
        st.caption(_("No photos yet."))
        return
    for column, file in zip(st.columns(COVER_PHOTOS, gap="small"), files, strict=False):
        column.image(file, width="stretch", alt=_("A photo of this project"))


def _result(run: RunSummary) -> None:
    low, high = metrics.wilson_interval(run.prolip_correct, run.count)
    low_before, high_before = metrics.wilson_interval(run.zero_shot_correct, run.count)
    before = right_of(run.zero_shot_correct, run.count, low_before, high_before)
    st.markdown(_("Before (zero-shot): {figure}", figure=before))
    st.markdown(f"**{_('After (ProLIP): {figure}', figure=right_of(run.prolip_correct, run.count, low, high))}**")
    if run.evaluation == "test":
        st.caption(_("Measured on the test photos, {date}", date=date(run.created_at)))
    else:
        st.caption(_("Measured by cross-validation, {date}", date=date(run.created_at)))


def _menu(project: Project, taken: Collection[str]) -> None:
    turn = f"menu_{project.id}"
    with st.popover("⋯", key=f"{turn}_{session.round_of(turn)}", help=_("Rename, duplicate, save as a file or delete")):
        with st.form(f"rename_{project.id}", border=False):
            name = st.text_input(
                _("New name"), value=project.name, max_chars=config.MAX_NAME_CHARACTERS, key=f"name_{project.id}"
            )
            if st.form_submit_button(_("Rename"), width="stretch", key=f"do_rename_{project.id}"):
                with guards.told():
                    storage.projects.rename(cached.database(), project.id, name)
                    _done(turn, _("Renamed to {name}.", name=safe(name)))
        if st.button(_("Duplicate"), key=f"duplicate_{project.id}", width="stretch"):
            with guards.told():
                copy = storage.projects.duplicate(cached.database(), project.id, _name_of_copy(project.name, taken))
                _done(turn, _("Made {name}, without the results.", name=safe(copy.name)))
        if st.button(
            _("Save as a file"), key=f"save_file_{project.id}", width="stretch", help=project_file.what_it_is()
        ):
            with guards.told():
                project_file.begin_to_save(project)
                session.next_round(turn)
                st.rerun()
        if st.button(_("Delete"), key=f"delete_{project.id}", width="stretch"):
            with guards.told():
                storage.projects.delete(cached.database(), project.id)
                if session.project_id() == project.id:
                    session.open_project(None)
                _done(
                    turn, _("Deleted {name}. It can be brought back at the end of this page.", name=safe(project.name))
                )


def _done(turn: str, message: str) -> None:
    """Says what was done and closes the menu: its key changes."""
    session.say_later(message)
    session.next_round(turn)
    st.rerun()


def _name_of_copy(name: str, taken: Collection[str]) -> str:
    part = name[:KEPT_OF_A_NAME]
    return names.unused(
        taken,
        lambda turn: (
            _("{name} (copy)", name=part) if turn == 1 else _("{name} (copy {number})", name=part, number=turn)
        ),
    )


def _open(project: Project) -> None:
    step: guide.Step = guide.where_to_go_on(sidebar.step_states(project))
    session.open_project(project.id)
    st.switch_page(registry.file_of(step), query_params=session.address())


def _deleted_row(project: Project) -> None:
    deleted_at = project.deleted_at or datetime.now(UTC)
    left_s = (deleted_at + timedelta(seconds=config.UNDO_PERIOD_S) - datetime.now(UTC)).total_seconds()
    with st.container(border=True, horizontal=True, vertical_alignment="center", key=f"deleted_{project.id}"):
        with st.container():
            st.markdown(f"**{safe(project.name)}**")
            st.caption(
                _(
                    "Deleted {date} · leaves the disk in {time}",
                    date=date(deleted_at),
                    time=translator().duration(max(0.0, left_s)),
                )
            )
        if st.button(_("Undo"), key=f"restore_{project.id}"):
            with guards.told():
                storage.projects.restore(cached.database(), project.id)
                session.say_later(_("{name} is back.", name=safe(project.name)))
                st.rerun()
        with st.popover(_("Delete now for good"), key=f"expire_{project.id}"):
            st.markdown(
                _(
                    "Delete {name} with its photos and results now? This cannot be taken back.",
                    name=f"**{safe(project.name)}**",
                )
            )
            if st.button(_("Yes, delete for good"), type="primary", key=f"do_expire_{project.id}"):
                with guards.told():
                    _expire(project)


def _expire(project: Project) -> None:
    db = cached.database()
    storage.projects.expire(db, project.id)
    gone = storage.purge(db)
    if any(one.id == project.id for one in storage.projects.deleted(db)):
        session.say_later(_("Its training is still being stopped. The project leaves the disk within a minute."))
    else:
        session.say_later(
            _n(
                "Deleted for good; {count} photo was removed from the disk.",
                "Deleted for good; {count} photos were removed from the disk.",
                gone.photos,
            )
        )
    st.rerun()
