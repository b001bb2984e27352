"""Step 4: the answer. Two numbers on the same photos, the photos behind every cell, and all that belongs to the run."""

from __future__ import annotations

import streamlit as st

from pages.ui import cached, compare_details, compare_matrix, compare_numbers, components, guards, run_choice
from pages.ui.run_choice import Chosen
from pages.ui.text import _
from prolip_core import storage
from prolip_core.storage.records import Project

guards.require_app()
project = guards.require_project()


def show(project: Project) -> None:
    db = cached.database()
    components.page_head(
        _("Compare"),
        _("How often the model was right on your photos: before the training, and after it."),
    )
    runs = storage.runs.list_(db, project.id)
    if not runs:
        st.info(_("There is no result yet. Train first."))
        run_choice.recently_deleted(project.id)
        components.next_step("train", _("Go to the training"))
        return
    with guards.told():
        _result(project, run_choice.show(project.id, runs))
    components.next_step("train", _("Train again"))


def _result(project: Project, chosen: Chosen) -> None:
    run_choice.tell_if_stale(project, chosen.run.summary)
    compare_numbers.show(chosen)
    views = {
        "matrix": _("What is confused with what"),
        "flips": _("Photos that changed"),
        "classes": _("Class by class"),
        "training": _("Training and settings"),
        "files": _("Downloads"),
    }
    view = st.segmented_control(
        _("Show"),
        list(views),
        default="matrix",
        required=True,
        format_func=lambda key: views[key],
        key="compare_view",
        label_visibility="collapsed",
    )
    if view == "flips":
        compare_numbers.flips(project.id, chosen)
    elif view == "classes":
        compare_details.classes(chosen)
    elif view == "training":
        compare_details.training(chosen)
    elif view == "files":
        compare_details.files(chosen)
    else:
        compare_matrix.show(project.id, chosen)


with guards.told():
    show(project)
