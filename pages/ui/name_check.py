"""How the model sees the names: which it cannot read, which it cannot tell apart. The worker computes, this shows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from pages.ui import cached, guards, session, sidebar
from pages.ui.text import _, _n, job_error, model, note, percent, safe
from prolip_core import charts, guide, likeness, storage
from prolip_core.catalogue import STARTER
from prolip_core.storage.records import ClassRow, Job, Project

POLL_S = 0.5
SHOWN_WARNINGS = 5


def show(project: Project, classes: Sequence[ClassRow], templates: Sequence[str]) -> None:
    st.subheader(
        _("How alike do the names look to the model?"),
        anchor=False,
        help=_(
            "Computed from the sentences alone, before any photo is seen. It tells about zero-shot, the state before "
            "fine-tuning; fine-tuning can separate what the names do not."
        ),
    )
    unread = guide.unread_names(classes, sidebar.model_language(project))
    if unread is not None:
        st.warning(note(unread) + " " + _("Write English names into the second column of the table."))
    twins = likeness.same_names([row.spec for row in classes])
    for first, second in twins[:SHOWN_WARNINGS]:
        st.error(
            _(
                "{first} and {second} have the same English names, so no model could tell them apart. Give each a name of its "
                "own.",
                first=_bold(classes[first]),
                second=_bold(classes[second]),
            )
        )
    if len(classes) < guide.MIN_CLASSES:
        st.caption(_("Name at least two classes first."))
    elif not twins and templates:
        _likeness(project, classes, templates, all_readable=unread is None)


def _bold(row: ClassRow) -> str:
    return f"**{safe(row.display_name)}**"


def _likeness(project: Project, classes: Sequence[ClassRow], templates: Sequence[str], *, all_readable: bool) -> None:
    """The answer if there is one, else the question is asked: by itself for the built-in model, which is quick and here."""
    db = cached.database()
    question = {
        "spec": {**project.spec, "templates": list(templates)},
        "classes": [[row.display_name, list(row.prompt_names)] for row in classes],
    }
    key = _key_of(question)
    slot = f"similarity_{project.id}"
    asked: tuple[str, str] | None = session.get(slot)
    done = storage.jobs.find_done(db, "similarity", key)
    if done is not None and done.result is not None:
        _show_result(classes, done.result, key, all_readable=all_readable)
        return
    if asked is not None and asked[0] != key:  # about names that are not these any more
        storage.jobs.request_stop(db, asked[1])
        asked = None
        session.drop(slot)
    job = storage.jobs.get(db, asked[1]) if asked is not None else None
    if job is not None and not job.is_live:
        _failed(job)
    is_here = project.spec["backbone"].get("name") == STARTER
    if (job is None and is_here) or (not (job and job.is_live) and _ask_button(project, again=job is not None)):
        job = storage.jobs.enqueue(db, project.id, "similarity", question, device=str(project.spec["device"]), key=key)
        session.put(slot, (key, job.id))
    if job is not None and job.is_live:
        _wait(job.id)


def _key_of(question: Mapping[str, Any]) -> str:
    """The same for the same model, sentences and names, in whichever project."""
    spec = question["spec"]
    content = [spec["backbone"], spec["templates"], question["classes"]]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _ask_button(project: Project, *, again: bool) -> bool:
    backbone = project.spec["backbone"]
    if not again:
        size = int(backbone.get("download_mb") or 0)
        st.caption(
            _(
                "The model {model} is asked when you press the button. If it was never used on this computer, about {size} MB "
                "are downloaded first.",
                model=safe(model(str(backbone.get("name")), str(backbone.get("title") or ""))),
                size=size,
            )
            if size
            else _("The model is asked when you press the button.")
        )
    return st.button(_("Ask again") if again else _("Compare the names"), key="ask_similarity")


def _failed(job: Job) -> None:
    if job.error:
        reason, remedy = job_error(job)
        st.error(f"{reason}\n\n{remedy}".strip())


@guards.fragment(run_every=POLL_S)
def _wait(job_id: str) -> None:
    job = storage.jobs.get(cached.database(), job_id)
    if job is None or not job.is_live:
        st.rerun()
    ahead = storage.jobs.ahead(cached.database(), job_id)
    st.info(
        _n(
            "Waiting: {count} other piece of work comes first.",
            "Waiting: {count} other pieces of work come first.",
            ahead,
        )
        if ahead
        else _("The model is reading the names …")
    )


def _show_result(classes: Sequence[ClassRow], result: Mapping[str, Any], key: str, *, all_readable: bool) -> None:
    scale = float(result["logit_scale"])
    names = [row.display_name for row in classes]
    pairs = likeness.alike_pairs(result["matrix"], scale)
    if not pairs and all_readable:
        st.success(_("The model can tell all of these names apart."))
    elif pairs:
        _warn(classes, pairs)
    with st.expander(_("Picture: every pair of names"), expanded=len(names) <= 12):
        drawn, data = cached.chart(
            ("likeness", key, session.language()),
            lambda: charts.similarity(
                likeness.mistaken_matrix(result["matrix"], scale),
                names,
                _("Photos that the model would take for the other class, by the names alone (estimate, in percent)"),
                _("Taken for the other (estimate)"),
            ),
        )
        st.vega_lite_chart(data, drawn, key="similarity_chart", width="content", theme=None)


def _warn(classes: Sequence[ClassRow], pairs: Sequence[likeness.AlikePair]) -> None:
    lines = [
        _(
            "{first} and {second}: by the names alone, about {share} of the photos would be taken for the other",
            first=_bold(classes[pair.first]),
            second=_bold(classes[pair.second]),
            share=percent(pair.mistaken),
        )
        for pair in pairs[:SHOWN_WARNINGS]
    ]
    if len(pairs) > len(lines):
        lines.append(_n("… and {count} more pair", "… and {count} more pairs", len(pairs) - len(lines)))
    remedy = _(
        "Use English names that say what the camera can see: shape, colour, packaging, print. Instead of “soy milk” and "
        "“oat milk”, for example “green carton with soybeans” and “beige carton with oats”."
    )
    st.warning(
        _("The model can hardly tell these names apart:")
        + "\n\n"
        + "\n".join(f"- {line}" for line in lines)
        + f"\n\n{remedy}"
    )
