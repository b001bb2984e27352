"""Which result is looked at, and what it is compared with; renaming, deleting and bringing back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from pages.ui import cached, guards, session
from pages.ui.text import _, date, number, safe, short
from prolip_core import comparison, config, storage
from prolip_core.comparison import Comparison
from prolip_core.storage.records import RunRecord, RunSummary

ZERO_SHOT = ""


@dataclass(frozen=True)
class Chosen:
    """The run that is looked at, and the two columns of the page with what they are called."""

    run: RunRecord
    compared: Comparison
    first_name: str
    second_name: str
    is_two_runs: bool


def show(project_id: str, runs: Sequence[RunSummary]) -> Chosen:
    """The choice itself. Raises RunError if the two results have no photo in common."""
    by_id = {run.id: run for run in runs}
    left, right, menu = st.columns([5, 5, 2], vertical_alignment="bottom")
    run_id = left.selectbox(
        _("Result"), list(by_id), format_func=lambda id_: title(by_id[id_]), key=f"run_{project_id}_{runs[0].id}"
    )
    others = [id_ for id_ in by_id if id_ != run_id]
    other = right.selectbox(
        _("Compared with"),
        [ZERO_SHOT, *others],
        format_func=lambda id_: _("before the training (zero-shot)") if id_ == ZERO_SHOT else title(by_id[id_]),
        key=f"other_{project_id}_{run_id}",
        help=_("Zero-shot: the model as it is, which has only read the names of the classes."),
    )
    chosen = by_id[run_id or runs[0].id]
    with menu.popover(_("More"), width="stretch"):
        _menu(chosen)
    recently_deleted(project_id)
    run = cached.run_record(chosen.id)
    if not other:
        return Chosen(run, cached.compared(run.summary.id), _("Before (zero-shot)"), _("After (ProLIP)"), False)
    compared = comparison.of_runs(cached.run_record(other), run)
    return Chosen(run, compared, title(by_id[other]), title(chosen), True)


def title(run: RunSummary) -> str:
    """What a result is called; not Markdown."""
    name = short(run.name, 40) if run.name else _("Result {number}", number=number(run.number))
    return f"{name} · {date(run.created_at)} · {short(run.backbone, 30)}"


def recently_deleted(project_id: str) -> None:
    """Results whose deletion can still be taken back."""
    for run in storage.runs.deleted(cached.database(), project_id):
        text, button = st.columns([6, 2], vertical_alignment="center")
        text.caption(_("Deleted: {name}", name=safe(title(run), 100)))
        if button.button(_("Undo"), key=f"restore_run_{run.id}", width="stretch"):
            with guards.told():
                storage.runs.restore(cached.database(), run.id)
                st.rerun()


def _menu(run: RunSummary) -> None:
    with st.form(f"rename_run_{run.id}", border=False):
        name = st.text_input(_("Name of this result"), run.name, max_chars=config.MAX_NAME_CHARACTERS)
        if st.form_submit_button(_("Rename")):
            with guards.told():
                storage.runs.rename(cached.database(), run.id, name)
                st.rerun()
    if st.button(_("Delete this result"), key=f"delete_run_{run.id}"):
        storage.runs.delete(cached.database(), run.id)
        session.say_later(_("The result was deleted. It can be brought back for 10 minutes."))
        st.rerun()
