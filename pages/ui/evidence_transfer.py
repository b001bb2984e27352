"""The training of another project on this project's photos."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from pages.ui import cached, components, evidence_study, evidence_tables, run_choice
from pages.ui.evidence_study import Ask
from pages.ui.text import _, _n, note, safe, short
from prolip_core import storage
from prolip_core.storage.records import Project
from prolip_core.studies.condition_words import NAMES, TRANSFER
from prolip_core.types import Note

CHOSEN = "run"


def asks(project: Project) -> tuple[Ask, ...]:
    """The training that was tried before, as long as it is there and its model is the project's."""
    db = cached.database()
    found = storage.studies.latest(db, project.id, TRANSFER)
    run = None if found is None else storage.runs.summary(db, str(found.settings.get(CHOSEN)))
    if found is None or run is None or run.backbone != project.spec["backbone"]["name"]:
        return ()
    return (Ask(TRANSFER, found.settings),)


def show(project: Project) -> None:
    """The choice, the button, and how three projectors do on the same photos."""
    st.markdown(
        _(
            "What another project has learnt, tried on the photos and class names of this one: is it worth a start, or does "
            "every product need its own photos?"
        )
    )
    titles = _titles(project)
    if titles:
        run_id = components.box(st.columns(2)[0], _("Training of"), titles, f"transfer_{project.id}")
        ask = _ask(run_id, titles)
    else:
        nothing = Note("There is no other project with a training of the same model.")
        ask = Ask(TRANSFER, blocked=nothing)
    record = evidence_study.show(project, ask)
    if record is None:
        return
    result = record.result
    st.markdown(
        _(
            "Tried: {title}, trained on: {names}.",
            title=safe(record.summary.settings.get("title", ""), 200),
            names=safe(", ".join(short(name) for name in result["foreign_classes"]), 300),
        )
    )
    evidence_tables.advice(result)
    answers = [
        {_("Method"): note(NAMES[one["method"]]), _("Right"): evidence_tables.right(one)} for one in result["answers"]
    ]
    pairs = [
        {
            _("On the same photos"): _(
                "{second} against {first}", second=note(NAMES[one["second"]]), first=note(NAMES[one["first"]])
            ),
            _("Difference in points"): evidence_tables.points(one),
            _("Photos"): evidence_tables.flips(one),
        }
        for one in result["pairs"]
    ]
    st.dataframe(answers, hide_index=True, width="stretch", key="transfer_answers")
    st.dataframe(pairs, hide_index=True, width="stretch", key="transfer_pairs")
    if result["foreign_taught_files"]:
        st.caption(
            _n(
                "{count} test photo was left out: the other project has learnt from it.",
                "{count} test photos were left out: the other project has learnt from them.",
                len(result["foreign_taught_files"]),
            )
        )


def _titles(project: Project) -> Mapping[str, str]:
    """Run → what it is called, of all other projects with this project's model; not Markdown."""
    found = {}
    for card in storage.projects.cards(cached.database()):
        if card.project.id == project.id:
            continue
        for run in storage.runs.list_(cached.database(), card.project.id):
            if run.backbone == project.spec["backbone"]["name"]:
                found[run.id] = f"{short(card.project.name, 40)} · {run_choice.name_of(run)}"
    return found


def _ask(run_id: str, titles: Mapping[str, str]) -> Ask:
    return Ask(TRANSFER, {CHOSEN: run_id, "title": titles[run_id]})
