"""Step 6: the result as a file for those who decide, and what it costs and brings."""

from __future__ import annotations

import streamlit as st

from pages.ui import cached, components, guards, report_cost, report_file, run_choice, session
from pages.ui.text import _
from prolip_core import storage
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
    run_choice.tell_if_stale(project, chosen)
    views = {"file": _("Report"), "cost": _("Cost and benefit")}
    view = components.part_of_page(_("Show"), views, session.view(), session.set_view, "report_view")
    with guards.told():
        if view == "cost":
            report_cost.show(project, chosen)
        else:
            report_file.show(project, chosen)


with guards.told():
    show(project)
