"""The sentences around a class name: sets by plain name, own ones, and what the model reads in the end."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from pages.ui import cached, guards, session
from pages.ui.text import _, _n, error, safe
from prolip_core import prompts, storage
from prolip_core.errors import PromptError
from prolip_core.storage.records import ClassRow, Project

OWN = "own"


def show(project: Project, classes: Sequence[ClassRow]) -> tuple[tuple[str, ...], bool]:
    """Draws choice and preview; gives the templates that are saved, and whether there is something that could not be saved."""
    st.subheader(
        _("Sentences"),
        anchor=False,
        help=_("CLIP compares a photo with sentences. A class name alone works less well than a sentence around it."),
    )
    templates = tuple(map(str, project.spec.get("templates", ())))
    is_saved = _choice(project.id, templates)
    if classes and templates:
        _preview(classes, templates)
    return templates, not is_saved


def _choice(project_id: str, saved: tuple[str, ...]) -> bool:
    """What is chosen; gives whether it is saved."""
    titles = {**{one.key: _(one.title) for one in prompts.TEMPLATE_SETS}, OWN: _("Own sentences")}
    current = next((one.key for one in prompts.TEMPLATE_SETS if one.templates == saved), OWN)
    # The browser sends the words of a choice: in another language, the old ones would be no choice at all.
    key = f"sentences_{project_id}_{session.language()}"
    chosen = st.radio(
        _("What do the photos look like?"),
        list(titles),
        index=list(titles).index(current),
        format_func=titles.__getitem__,
        captions=[*(_(one.description) for one in prompts.TEMPLATE_SETS), _("You write them yourself.")],
        key=key,
        on_change=_save_set,
        args=(project_id, key),
    )
    return _own(project_id, saved) if chosen == OWN else True


def _own(project_id: str, saved: tuple[str, ...]) -> bool:
    """The user's own templates, and what is wrong with them; gives whether nothing is."""
    key = f"own_sentences_{project_id}"
    text = st.text_area(
        _("One sentence a line, with {place} where the class name belongs", place="{}"),
        value=session.get(_written_key(project_id), "\n".join(saved)),
        key=key,
        on_change=_save_own,
        args=(project_id, key),
    )
    _templates, problems = _read(text)
    if problems:
        st.error(_("Not saved yet:") + "\n\n" + "\n".join(f"- {line}" for line in problems[:5]))
    return not problems


def _written_key(project_id: str) -> str:
    """Where the user's own sentences are kept while another set is looked at."""
    return f"written_sentences_{project_id}"


def _read(text: str) -> tuple[tuple[str, ...], list[str]]:
    """The templates in the text, and its problems as Markdown."""
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
    return tuple(dict.fromkeys(templates)), problems


# Saved in callbacks, which run before the page: all of it, the side bar too, is drawn from what is saved then.


def _save_set(project_id: str, key: str) -> None:
    chosen = session.get(key)
    if chosen != OWN:
        _save(project_id, prompts.template_set(chosen).templates)
        return
    templates, problems = _read(session.get(_written_key(project_id), ""))
    if not problems:
        _save(project_id, templates)


def _save_own(project_id: str, key: str) -> None:
    text = session.get(key, "")
    session.put(_written_key(project_id), text)  # another set may be looked at in between
    templates, problems = _read(text)
    if not problems:
        _save(project_id, templates)


def _save(project_id: str, templates: tuple[str, ...]) -> None:
    with guards.told():
        db = cached.database()
        current = storage.projects.get(db, project_id)
        if current is not None:
            storage.projects.set_spec(db, project_id, {**current.spec, "templates": list(templates)})


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
