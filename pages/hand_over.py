"""The last step: a file for the engineer who takes the result away."""

from __future__ import annotations

import streamlit as st

from pages.ui import cached, components, evidence_study, guards, hand_over_file, run_choice
from pages.ui.evidence_study import Ask
from pages.ui.text import _
from prolip_core import storage
from prolip_core.storage.records import Project
from prolip_core.studies.names import HAND_OVER

guards.require_app()
project = guards.require_project()


def show(project: Project) -> None:
    components.page_head(
        _("Hand over"),
        _(
            "One file for the engineer who takes the result away. It answers about photos without this app and without the "
            "internet, and it says how well it did and on which photos."
        ),
    )
    runs = storage.runs.list_(cached.database(), project.id)
    if not runs:
        st.info(_("There is no result yet. Train first."))
        run_choice.recently_deleted(project.id)
        components.next_step("train", _("Go to the training"))
        return
    titles = {run.id: run_choice.title(run) for run in runs}
    run_id = components.box(st.container(), _("Result"), titles, f"hand_over_{project.id}_{runs[0].id}")
    chosen = next(run for run in runs if run.id == run_id)
    ask = Ask(HAND_OVER, run_id=run_id)
    there = storage.studies.latest(cached.database(), project.id, HAND_OVER, run_id) is not None
    label = _("Make the file again") if there else _("Make the hand-over file")
    record = evidence_study.show(project, ask, label, quiet=there)
    if record is None:
        st.caption(_("It takes a minute or two: the file is checked on your photos before you get it."))
        return
    with guards.told():
        hand_over_file.show(record, chosen)


with guards.told():
    show(project)
