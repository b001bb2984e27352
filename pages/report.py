"""Step 6: the result as a file for those who decide, and what it costs and brings."""

from __future__ import annotations

import streamlit as st

from pages.ui import cached, components, guards, report_cost, report_file, run_choice, session
from pages.ui.text import _
from prolip_core import guide, storage
from prolip_core.storage.records import Project

guards.require_app()
project = guards.require_project()


def show(project: Project) -> None:
    components.page_head(
        _("Report"),
        _("The result for those who decide: as slides that can be edited, as PDF, or as one HTML file."),
    )
    runs = storage.runs.list_(cached.database(), project.id)
    if not runs:
        st.info(_("There is no result yet. Train first."))
        components.next_step("train", _("Go to the training"))
        return
    titles = {run.id: run_choice.title(run) for run in runs}
    run_id = components.box(st.container(), _("Result"), titles, f"report_run_{project.id}_{runs[0].id}")
    chosen = next(run for run in runs if run.id == run_id)
    if guide.is_stale(chosen, cached.fingerprint(project)):
        st.warning(
            _(
                "Classes, sentences or photos were changed since this training. The numbers below belong to the photos as they "
                "were then. Train again to bring them up to date."
            )
        )
    views = {"file": _("Report"), "cost": _("Cost and benefit")}
    asked = session.view()
    view = st.segmented_control(
        _("Show"),
        list(views),
        default=asked if asked in views else "file",
        required=True,
        format_func=lambda key: views[key],
        key="report_view",
        label_visibility="collapsed",
    )
    if view != asked:
        session.set_view(view)
    with guards.told():
        if view == "cost":
            report_cost.show(project, chosen)
        else:
            report_file.show(project, chosen)


with guards.told():
    show(project)
