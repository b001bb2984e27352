"""The start: what the product finds out, the sample, and all projects."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from pages.ui import cached, components, guards, project_card, project_file, registry, session
from pages.ui.text import _
from prolip_core import config, guide, spec, storage
from prolip_core.spec import PilotSpec
from prolip_core.storage import names
from prolip_core.storage.records import Project, ProjectCard

guards.require_app()

COLUMNS = 3
CARDS_A_PAGE = 12


def show() -> None:
    components.page_head(
        _("Will a few photos be enough to recognise your products?"),
        _(
            "Name your classes, drop in a few photos of each, and press one button. You see how often the model is right on "
            "your own photos, before and after it has learnt from them."
        ),
    )
    cards = storage.projects.cards(cached.database())
    _ways_in([card.project.name for card in cards], is_first_visit=not cards)
    project_file.open_zone()
    _all_projects(cards)
    project_card.recently_deleted()


def _ways_in(taken: Sequence[str], *, is_first_visit: bool) -> None:
    """The two ways to begin, side by side."""
    sample, own = st.columns(2)
    with sample.container(border=True, height="stretch"):
        st.subheader(_("Try the sample"), anchor=False)
        st.markdown(
            _(
                "Photos of small metal parts, made on this computer. You see the whole way in under a minute, without photos "
                "of your own."
            )
        )
        if st.button(
            _("Try the sample"),
            type="primary" if is_first_visit else "secondary",
            width="stretch",
            key="try_sample",
        ):
            with guards.told():
                _start_sample(taken)
    with own.container(border=True, height="stretch"):
        st.subheader(_("New project"), anchor=False)
        _new_project(taken, is_first_visit=is_first_visit)


def _new_project(taken: Sequence[str], *, is_first_visit: bool) -> None:
    suggested = names.unused(taken, lambda number: _("Project {number}", number=number))
    with st.form("new_project", border=False):
        name = st.text_input(
            _("Name of the project"),
            value=suggested,
            max_chars=config.MAX_NAME_CHARACTERS,
            key=f"new_name_{suggested}",
        )
        if st.form_submit_button(
            _("Make the project"),
            type="secondary" if is_first_visit else "primary",
            width="stretch",
            key="make_project",
        ):
            with guards.told():
                _open(_create(name), "classes")


def _start_sample(taken: Sequence[str]) -> None:
    """The sample project is made and trained by the worker; the page with its progress opens."""

    def name_of(number: int) -> str:
        return _("Sample: small parts") if number == 1 else _("Sample: small parts {number}", number=number)

    project = _create(names.unused(taken, name_of))
    payload = {"spec": dict(project.spec), "language": session.language()}
    storage.jobs.enqueue(cached.database(), project.id, "sample", payload)
    _open(project, "train")


def _create(name: str) -> Project:
    return storage.projects.create(cached.database(), name, spec.as_dict(PilotSpec()))


def _open(project: Project, step: guide.Step) -> None:
    session.open_project(project.id)
    st.switch_page(registry.file_of(step), query_params=session.address())


def _all_projects(cards: Sequence[ProjectCard]) -> None:
    st.subheader(_("Your projects"), anchor=False)
    if not cards:
        st.info(_("There is no project yet. Try the sample first, or make a project of your own."))
        return
    shown = components.page_of(cards, key="projects_page", size=CARDS_A_PAGE)
    with st.container(key="project_cards"):  # page.css lets the columns wrap in a narrow window
        for start in range(0, len(shown), COLUMNS):
            for column, card in zip(st.columns(COLUMNS), shown[start : start + COLUMNS], strict=False):
                with column.container(border=True, height="stretch"):
                    project_card.show(card, [one.project.name for one in cards])
    busy = tuple(card.project.id for card in cards if card.is_busy)
    if busy:
        project_card.watch(busy)


show()
