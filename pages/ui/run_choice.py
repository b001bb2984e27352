"""Which result is looked at, and what it is compared with; renaming, deleting and bringing back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from pages.ui import cached, components, guards, session
from pages.ui.text import _, date, model, safe, short, translator
from prolip_core import comparison, config, guide, storage, wording
from prolip_core.comparison import Comparison
from prolip_core.storage.records import Project, RunRecord, RunSummary

ZERO_SHOT = ""


@dataclass(frozen=True)
class Chosen:
    """The run that is looked at, and the two columns of the page with what they are called; none of it is Markdown.

    `other`: the run that it is compared with, "" for the time before its training.
    """

    run: RunRecord
    other: str
    compared: Comparison
    first_name: str
    second_name: str
    first_short: str
    second_short: str

    @property
    def is_two_runs(self) -> bool:
        return self.other != ZERO_SHOT

    @property
    def key(self) -> tuple[str, ...]:
        """For `cached.chart`: all that a chart of it depends on besides the language."""
        return (self.run.summary.id, self.other, self.first_name, self.second_name)

    @property
    def class_names(self) -> tuple[str, ...]:
        """As a chart can show them: a change of direction in a name would turn its axis around."""
        return tuple(short(name, 200) for name in self.compared.class_names)


def show(project_id: str, runs: Sequence[RunSummary]) -> Chosen:
    """The choice itself. Raises RunError if the two results have no photo in common."""
    by_id = {run.id: run for run in runs}
    titles = {run.id: title(run) for run in runs}
    left, right, menu = st.columns([5, 5, 3], vertical_alignment="bottom")
    run_id = components.box(left, _("Result"), titles, _run_slot(project_id, runs))
    others = {id_: name for id_, name in titles.items() if id_ != run_id}
    other = components.box(
        right,
        _("Compared with"),
        {ZERO_SHOT: _("before the training (zero-shot)"), **others},
        _other_slot(project_id, run_id),
        help_=_("Zero-shot: the model as it is, which has only read the names of the classes."),
    )
    chosen = by_id[run_id]
    with menu.popover(_("Rename or delete"), width="stretch"):
        _menu(chosen)
    recently_deleted(project_id)
    run = cached.run_record(chosen.id)
    if not other:
        names = (_("Before (zero-shot)"), _("After (ProLIP)"), _("Before"), _("After"))
        return Chosen(run, ZERO_SHOT, cached.compared(run.summary.id), *names)
    compared = comparison.of_runs(cached.run_record(other), run)
    return Chosen(run, other, compared, title(by_id[other]), title(chosen), name_of(by_id[other]), name_of(chosen))


def choose(project_id: str, runs: Sequence[RunSummary], run_id: str, other: str) -> None:
    """What the page shows when it is opened next: `run_id` compared with the run `other`."""
    session.put(_run_slot(project_id, runs), run_id)
    session.put(_other_slot(project_id, run_id), other)


def _run_slot(project_id: str, runs: Sequence[RunSummary]) -> str:
    return f"run_{project_id}_{runs[0].id}"


def _other_slot(project_id: str, run_id: str) -> str:
    return f"other_{project_id}_{run_id}"


def title(run: RunSummary) -> str:
    """What a result is called, with when it was made and of which model; not Markdown."""
    return f"{name_of(run)} · {date(run.created_at)} · {short(model(run.backbone), 40)}"


def name_of(run: RunSummary) -> str:
    """What a result is called; with its number, since two may have the same name. Not Markdown."""
    return wording.run_name(translator(), run)


def tell_if_stale(project: Project, run: RunSummary) -> None:
    """That the numbers of this result are of older photos."""
    if guide.is_stale(run, cached.fingerprint(project)):
        st.warning(
            _(
                "Classes, sentences or photos were changed since this training. The numbers below belong to the photos as they "
                "were then. Train again to bring them up to date."
            )
        )


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
