"""Step 5, for those who want to know more: questions that one accuracy does not answer, each computed when it is asked."""

from __future__ import annotations

import streamlit as st

from pages.ui import cached, components, evidence_parts, evidence_study, guards, session
from pages.ui.evidence_parts import Part
from pages.ui.text import _, _n, number
from prolip_core import guide, storage
from prolip_core.storage.records import Project

guards.require_app()
project = guards.require_project()


def show(project: Project) -> None:
    components.page_head(
        _("Evidence"),
        _(
            "Questions that one number does not answer. Each is computed when you ask it, and kept. Test photos only measure: "
            "they never teach and never choose."
        ),
    )
    parts = {part.key: part for part in evidence_parts.parts()}
    _everything(project, tuple(parts.values()))
    titles = {key: part.title for key, part in parts.items()}
    chosen = components.part_of_page(
        _("Question"), titles, session.view(), session.set_view, "evidence_part", wrap=True
    )
    part = parts[chosen]
    st.subheader(part.title, anchor=False)
    st.markdown(part.question)
    with guards.told():
        part.show(project)


def _everything(project: Project, parts: tuple[Part, ...]) -> None:
    """One click for all that can be computed and is missing or out of date."""
    asks = [ask for part in parts for ask in part.asks(project)]
    possible = [ask for ask in asks if evidence_study.why_not(project, ask) is None]
    missing = [ask for ask in possible if not evidence_study.is_up_to_date(project, ask)]
    live = _live(project.id)
    left, right = st.columns([2, 5], vertical_alignment="center")
    if left.button(
        _("Compute everything"), key="compute_everything", disabled=not missing or live > 0, width="stretch"
    ):
        for ask in missing:
            evidence_study.start(project, ask)
        st.rerun()
    if live:
        with right:
            _under_way(project.id)
    else:
        right.caption(
            _(
                "{done} of {total} computations are up to date.",
                done=number(len(possible) - len(missing)),
                total=number(len(possible)),
            )
        )


def _live(project_id: str) -> int:
    """How many computations of this page are waiting or under way."""
    return sum(not guide.is_hand_over(job) for job in storage.jobs.live_studies(cached.database(), project_id))


@guards.fragment(run_every=evidence_study.POLL_S)
def _under_way(project_id: str) -> None:
    """How many are left, also where the part that is looked at waits for none; then the whole page runs once more."""
    live = _live(project_id)
    if not live:
        st.rerun()
    st.caption(_n("{count} computation is under way.", "{count} computations are under way.", live))


with guards.told():
    show(project)
