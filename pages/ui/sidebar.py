"""The side bar: the open project, its steps with their state, the language."""

from __future__ import annotations

import streamlit as st

from pages.ui import cached, registry, session
from pages.ui.text import _, note, safe
from prolip_core import guide, i18n, storage
from prolip_core.guide import State, StepState
from prolip_core.storage.records import Project

_MARKS: dict[State, str] = {"done": "✓", "next": "→", "attention": "!", "working": "…", "later": "·"}
_COLOURS: dict[State, str] = {
    "done": "green",
    "next": "blue",
    "attention": "orange",
    "working": "violet",
    "later": "gray",
}


def show() -> None:
    """Draws the side bar."""
    with st.sidebar:
        st.markdown(f"### {_('ProLIP Studio')}")
        project_id = session.project_id()
        project = storage.projects.get(cached.database(), project_id) if project_id else None
        _link("projects")
        if project is not None:
            st.divider()
            st.markdown(f"**{safe(project.name)}**")
            for state in step_states(project):
                _link(state.step, state)
        st.divider()
        _language_switch()
        st.caption(_("Everything stays on this computer."))


def step_states(project: Project) -> tuple[StepState, ...]:
    """The state of every step of the project, as of now."""
    db = cached.database()
    classes, photos = cached.classes(project), cached.photos(project)
    return guide.states(
        classes,
        photos,
        cached.findings(classes, photos),
        storage.runs.list_(db, project.id),
        storage.jobs.live(db, project.id),
        cached.fingerprint(project),
        model_language(project),
        storage.studies.list_(db, project.id),
        storage.jobs.live_studies(db, project.id),
        has_tried=storage.tried.any_of(db, project.id),
    )


def model_language(project: Project) -> str:
    """What the project's model reads."""
    return str(project.spec["backbone"].get("language", ""))


def _link(step: guide.Step, state: StepState | None = None) -> None:
    title = registry.titles()[step]
    words = {
        "done": _("done"),
        "next": _("next"),
        "attention": _("needs attention"),
        "working": _("working"),
        "later": _("later"),
    }
    label = title
    if state is not None:
        label = f"{title} :{_COLOURS[state.state]}-badge[{_MARKS[state.state]} {words[state.state]}]"
    st.page_link(
        registry.file_of(step),
        label=label,
        help=note(state.reason) if state is not None and state.reason is not None else None,
        query_params=session.address(),
        width="stretch",
    )


def _language_switch() -> None:
    codes = list(i18n.LANGUAGES)
    current = session.language()
    chosen = st.segmented_control(
        _("Language"),
        codes,
        default=current,
        required=True,
        format_func=lambda code: i18n.LANGUAGES[code],
        key=f"language_switch_{current}",
        label_visibility="collapsed",
    )
    if chosen is not None and chosen != current:
        session.set_language(chosen)
        st.rerun()
