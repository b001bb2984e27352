"""The day after: new photos are tried, answers corrected, the model taught again, and every version kept."""

from __future__ import annotations

import streamlit as st

from pages.ui import (
    cached,
    components,
    guards,
    run_choice,
    session,
    teach,
    try_answer,
    try_drop,
    try_many,
    try_rule,
    version_list,
)
from pages.ui.text import _
from prolip_core import storage
from prolip_core.storage.records import Project, RunSummary

guards.require_app()
project = guards.require_project()


def show(project: Project) -> None:
    components.page_head(
        _("Try it"),
        _("Show it new photos and see what it answers. Where it is wrong, tell it: a corrected photo teaches."),
    )
    runs = storage.runs.list_(cached.database(), project.id)
    if not runs:
        st.info(_("There is no result yet. Train first."))
        components.next_step("train", _("Go to the training"))
        return
    run = _choice(project, runs)
    view = _view()
    if view in ("one", "many"):
        try_drop.show(project, run)
    if view == "one":
        try_answer.show(project, run)
    elif view == "many":
        try_many.show(project, run)
    elif view == "teach":
        teach.show(project, run, runs)
    else:
        version_list.show(project, runs)


def _choice(project: Project, runs: tuple[RunSummary, ...]) -> RunSummary:
    """Which version answers, and when it is sure."""
    left, right = st.columns([5, 3], vertical_alignment="bottom")
    titles = {run.id: run_choice.title(run) for run in runs}
    chosen = components.box(left, _("Which result answers?"), titles, f"try_run_{project.id}_{runs[0].id}")
    run = next(one for one in runs if one.id == chosen)
    with right.popover(_("When is it sure enough?"), width="stretch"):
        try_rule.show(run)
    return run


def _view() -> str:
    names = {
        "one": _("One photo"),
        "many": _("Many photos"),
        "teach": _("Teach it"),
        "versions": _("Versions"),
    }
    key = f"try_view_{session.language()}_{session.round_of('try_view')}"
    return components.part_of_page(_("Show"), names, session.view(), session.set_view, key)


with guards.told():
    show(project)
