"""The sentences around a class name: sets by plain name, own ones, and what the model reads in the end."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from pages.ui import cached, guards
from pages.ui.text import _, _n, error, safe
from prolip_core import prompts, storage
from prolip_core.errors import PromptError
from prolip_core.storage.records import ClassRow, Project

OWN = "own"


def show(project: Project, classes: Sequence[ClassRow]) -> tuple[str, ...]:
    """Draws choice and preview; gives the templates that are saved."""
    st.subheader(
        _("Sentences"),
        anchor=False,
        help=_("CLIP compares a photo with sentences. A class name alone works less well than a sentence around it."),
    )
    templates = _choice(project, tuple(map(str, project.spec.get("templates", ()))))
    if classes and templates:
        _preview(classes, templates)
    return templates


def _choice(project: Project, saved: tuple[str, ...]) -> tuple[str, ...]:
    sets = {one.key: one for one in prompts.TEMPLATE_SETS}
    titles = {**{key: _(one.title) for key, one in sets.items()}, OWN: _("Own sentences")}
    current = next((key for key, one in sets.items() if one.templates == saved), OWN)
    chosen = st.radio(
        _("What do the photos look like?"),
        list(titles),
        index=list(titles).index(current),
        format_func=titles.__getitem__,
        captions=[*(_(one.description) for one in sets.values()), _("You write them yourself.")],
        key=f"sentences_{project.id}",
    )
    wanted = _own(project, saved) if chosen == OWN else sets[chosen or current].templates
    if wanted is None or wanted == saved:
        return saved
    with guards.told():
        _save(project, wanted)
    return saved


def _own(project: Project, saved: tuple[str, ...]) -> tuple[str, ...] | None:
    """The user's own templates, None if they cannot be used."""
    text = st.text_area(
        _("One sentence a line, with {place} where the class name belongs", place="{}"),
        value="\n".join(saved),
        key=f"own_sentences_{project.id}",
    )
    templates: list[str] = []
    problems: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            templates.append(prompts.check_template(line))
        except PromptError as problem:
            reason, remedy = error(problem)
            problems.append(_("Line {number}: {reason} {remedy}", number=number, reason=reason, remedy=remedy))
    if not templates and not problems:
        problems.append(_("Write at least one sentence."))
    if problems:
        st.error(_("Not saved yet:") + "\n\n" + "\n".join(f"- {line}" for line in problems[:5]))
        return None
    return tuple(dict.fromkeys(templates))


def _save(project: Project, templates: tuple[str, ...]) -> None:
    db = cached.database()
    current = storage.projects.get(db, project.id)
    if current is not None:
        storage.projects.set_spec(db, project.id, {**current.spec, "templates": list(templates)})
        st.rerun()  # the side bar was drawn before


def _preview(classes: Sequence[ClassRow], templates: Sequence[str]) -> None:
    """The very sentences, so that nobody has to guess what the model is given."""
    first = prompts.sentences(classes[0].spec, templates)
    st.markdown(_("This is what the model reads for {name}:", name=f"**{safe(classes[0].display_name)}**"))
    st.code("\n".join(first), language=None, wrap_lines=True)
    everything = [
        (row.display_name, sentence) for row in classes for sentence in prompts.sentences(row.spec, templates)
    ]
    with st.expander(_n("All classes: {count} sentence", "All classes: {count} sentences", len(everything))):
        st.dataframe(
            pd.DataFrame(everything, columns=["class", "sentence"], dtype="string"),
            hide_index=True,
            width="stretch",
            column_config={
                "class": st.column_config.TextColumn(_("Class")),
                "sentence": st.column_config.TextColumn(_("Sentence")),
            },
        )
