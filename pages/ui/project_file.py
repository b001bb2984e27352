"""A project as a file, and out of a file: on the card of a project, and above all projects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

from pages.ui import _compat, cached, guards, registry, session, sidebar
from pages.ui.text import _, error, number, safe, translator
from prolip_core import config, guide, storage
from prolip_core.project_files import layout
from prolip_core.project_files.transfers import Transfer
from prolip_core.storage.records import Project

POLL_S = 0.5
AT_ONCE_S = 1.5
"""So long a click waits for its end: most projects are ready by then, and nothing flickers."""

_FETCH, _OPENING = "fetch_project_file", "opening_project_file"
_FOLDER = Path(__file__).parent
_LINK = st.components.v2.component(
    "prolip_file_link",
    html="<a></a>",
    css=(_FOLDER / "file_link.css").read_text(encoding="utf-8"),
    js=(_FOLDER / "file_link.js").read_text(encoding="utf-8"),
)


def what_it_is() -> str:
    return _(
        "All of this project in one file: photos, classes, sentences, settings and results. It can be opened as a project again, "
        "here or on another computer."
    )


def begin_to_save(project: Project) -> None:
    """Starts it; the card shows how far it is."""
    one = cached.transfers().save(project.id, project.name)
    session.put(_FETCH, one.id)
    cached.transfers().wait(one.id, AT_ONCE_S)


def saved(project: Project) -> None:
    """What becomes of the project's file: how far it is, the file itself, or why there is none."""
    one = cached.transfers().of_project(project.id)
    if one is None:
        return
    if one.is_live:
        _watch(one.id)
    elif one.state == "done":
        _fetch(one)
    else:
        _ended_badly(one, _("The file was not made."))


def open_zone() -> None:
    """Where a project file is given, and what becomes of those that were."""
    with st.expander(_("Open a project file"), key="open_project_file"):
        st.markdown(
            _(
                "A project that was saved as a file, here or on another computer, becomes a project of its own, with the same "
                "photos and the same numbers."
            )
        )
        file = st.file_uploader(
            _("Project file (its name ends in {suffix})", suffix=layout.SUFFIX),
            key=f"project_file_{session.round_of('project_file')}",
        )
    if file is not None:
        session.next_round("project_file")  # whatever becomes of it, it shall not arrive again in the next run
        with guards.told():
            try:
                one = cached.transfers().open_file(file, file.name)
            finally:
                _compat.forget_uploads([file])
            session.put(_OPENING, one.id)
            cached.transfers().wait(one.id, AT_ONCE_S)
            st.rerun()
    for one in cached.transfers().imports():
        _opening(one)


def _opening(one: Transfer) -> None:
    with st.container(border=True):
        if one.is_live:
            st.markdown(_("Opening “{name}”", name=safe(one.filename)))
            _watch(one.id)
            st.caption(_("You may leave this page meanwhile. The project appears when all of it was checked."))
        elif one.state == "done":
            _opened(one)
        else:
            _ended_badly(one, _("The file was not opened."))


def _opened(one: Transfer) -> None:
    """The tab that has given the file goes on to the project; others may."""
    project = storage.projects.get(cached.database(), one.project_id or "")
    if project is None:
        cached.transfers().forget(one.id)
        st.rerun()
    if session.get(_OPENING) == one.id:
        session.drop(_OPENING)
        session.say_later(_("Opened {name}.", name=safe(project.name)))
        _go_to(one, project)
    st.markdown(_("“{file}” is opened: {name}", file=safe(one.filename), name=f"**{safe(project.name)}**"))
    with st.container(horizontal=True):
        if st.button(_("Open"), key=f"go_to_{one.id}"):
            _go_to(one, project)
        _close(one)


def _go_to(one: Transfer, project: Project) -> None:
    cached.transfers().forget(one.id)
    step: guide.Step = guide.where_to_go_on(sidebar.step_states(project))
    session.open_project(project.id)
    st.switch_page(registry.file_of(step), query_params=session.address())


@guards.fragment(run_every=POLL_S)
def _watch(id_: str) -> None:
    """How far it is, and Stop; draws the page anew as soon as it has ended."""
    one = cached.transfers().get(id_)
    if one is None or not one.is_live:
        st.rerun()
    progress = one.progress
    if progress is None:
        st.progress(0.0, text=_("Reading the file …") if one.kind == "import" else _("Collecting …"))
    else:
        text = _("{done} of {total} photos", done=number(progress.done), total=number(progress.total))
        if progress.left_s is not None and progress.done < progress.total:
            text += " · " + _("{time} left", time=translator().duration(progress.left_s))
        st.progress(progress.done / progress.total, text=text)
    if st.button(_("Stop"), key=f"stop_file_{id_}"):
        cached.transfers().stop(id_)
        cached.transfers().wait(id_, AT_ONCE_S)
        st.rerun()


def _fetch(one: Transfer) -> None:
    """The link to the file, as long as it is kept."""
    found = cached.transfers().ready_file(one.id)
    if found is None:
        cached.transfers().forget(one.id)
        return
    path, name = found
    size_mb = one.size_bytes / 2**20
    st.caption(
        _(
            "Saved as {name} ({size} MB). It can be downloaded for {time}.",
            name=safe(name, 100),
            size=number(round(size_mb, 1)),
            time=translator().duration(config.EXPORT_KEPT_S),
        )
    )
    limit_mb = int(st.get_option("server.maxUploadSize"))
    if size_mb > limit_mb:
        command = f"python -m prolip_core import {name}"
        st.caption(
            _(
                "This is more than a browser can hand in here ({limit} MB). Open it with this command:",
                limit=number(limit_mb),
            )
        )
        st.code(command, language=None)
    with st.container(horizontal=True, wrap=False):
        address = _compat.hand_out_files(cached.transfers().ready_file)
        if address is None:  # from memory, then
            st.download_button(_("Download"), path.read_bytes(), name, key=f"fetch_{one.id}", on_click="ignore")
        else:
            data: dict[str, Any] = {
                "address": address + one.id,
                "name": name,
                "label": _("Download"),
                "byItself": session.get(_FETCH) == one.id,
            }
            _LINK(key=f"fetch_{one.id}", data=data)
        _close(one)


def _ended_badly(one: Transfer, what: str) -> None:
    if one.error is None:
        st.info(f"{what} " + _("It was stopped, and nothing of it was kept."))
    else:
        reason, remedy = error(one.error)
        st.error(f"**{what}**\n\n{reason}\n\n{remedy}".strip())
    _close(one)


def _close(one: Transfer) -> None:
    if st.button(_("Close"), key=f"close_file_{one.id}"):
        cached.transfers().forget(one.id)
        st.rerun()
