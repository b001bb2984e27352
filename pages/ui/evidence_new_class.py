"""New class by name only: what the project's photos say about it in general, and trying it on a finished training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from pages.ui import (
    cached,
    components,
    evidence_photos,
    evidence_study,
    evidence_tables,
    photo_grid,
    registry,
    run_choice,
    session,
)
from pages.ui.evidence_study import Ask
from pages.ui.photo_grid import Tile
from pages.ui.text import _, _n, note, number, percent, right_of, safe, share_of, short
from prolip_core import i18n, metrics, prompts, storage
from prolip_core.storage.records import Project, StudyRecord
from prolip_core.storage.studies import NEEDS
from prolip_core.studies.names import ADDED_CLASS, NEW_CLASSES
from prolip_core.types import Note

MIN_CLASSES = 4
"""Of the study: two to train on and two to tell apart (`new_classes.MIN_CLASSES`)."""

COLUMNS = 4


def asks(project: Project) -> tuple[Ask, ...]:
    """The study; a class that is added is asked for by its name."""
    blocked = None
    count = len(cached.classes(project))
    if count < MIN_CLASSES:
        blocked = Note(
            "There are {count} classes; a study of new classes needs at least {limit}, half of them to train on.",
            {"count": count, "limit": MIN_CLASSES},
        )
    return (Ask(NEW_CLASSES, keeps_whole=True, blocked=blocked),)


def show(project: Project) -> None:
    """The part below its title."""
    st.markdown(f"#### {_('Do classes work that were never trained?')}")
    st.markdown(
        _(
            "Half of your classes are trained, the others are known by name alone; again and again with other halves. “Trained” "
            "and “new” are each told apart among themselves."
        )
    )
    record = evidence_study.show(project, asks(project)[0])
    if record is not None:
        _study(record)
    st.divider()
    st.markdown(f"#### {_('Add a class by its name')}")
    _try_it(project)


def _study(record: StudyRecord) -> None:
    result = record.result
    is_whole = evidence_tables.is_whole(result["summary"][0], "classes")
    if is_whole:  # before that the sentence went by ranges that were too narrow
        for parts in result["advice_parts"]:
            st.markdown(f"**{note(i18n.note_of(parts))}**")
    names = {
        "base": _("Trained classes, among themselves"),
        "new": _("New classes, among themselves"),
        "harmonic": _("Both together (harmonic mean)"),
        "together": _("All test photos, all names"),
    }
    rows = [
        {
            _("How often it was right"): names[one["rate"]],
            _("Before (zero-shot)"): evidence_tables.share(one["zero_shot"], one.get("zero_shot_interval")),
            _("After (ProLIP)"): evidence_tables.share(one["prolip"], one.get("prolip_interval")),
            _("Difference in points"): evidence_tables.difference(
                one if is_whole else {**one, "difference_interval": None}
            ),
        }
        for one in result["summary"]
    ]
    st.dataframe(rows, hide_index=True, width="stretch", key="new_classes_table")
    halves = _n("Mean over {count} random half", "Mean over {count} random halves", result["draws"])
    st.caption(
        _(
            "{halves} of the {classes} classes, on {count} test photos; every class counts the same. In brackets the likely "
            "range (95%) for other classes of this kind.",
            halves=halves,
            classes=number(len(result["class_names"])),
            count=number(result["query_count"]),
        ),
        help=_(
            "The base-to-new protocol. Each class is first averaged over the halves; the ranges are Student's over classes: "
            "the halves share classes and test photos and are no sample of their own."
        ),
    )


def _try_it(project: Project) -> None:
    """A name, perhaps some photos, and at once what becomes of the answers."""
    runs = storage.runs.list_(cached.database(), project.id)
    if not runs:
        st.info(_("There is no result yet. Train first."))
        st.page_link(registry.file_of("train"), label=_("Go to the training"), query_params=session.address())
        return
    left, right = st.columns(2)
    run_id = components.box(
        left, _("Result"), {run.id: run_choice.title(run) for run in runs}, f"name_run_{project.id}"
    )
    name = left.text_input(
        _("Name of the new class"), max_chars=prompts.MAX_NAME_CHARACTERS, key="new_class_name", persist_state="session"
    )
    english = left.text_input(
        _("Its English name, which the model reads"),
        max_chars=prompts.MAX_NAME_CHARACTERS,
        key="new_class_english",
        persist_state="session",
        help=_("Empty: the name itself is read."),
    )
    kept = f"new_class_photos_{project.id}"
    with right:
        arrived = evidence_photos.drop(f"new_class_{project.id}", _("Photos of the new class, if you have some"))
    if arrived:
        session.put(kept, list(arrived))
    photos = evidence_photos.still_there(session.get(kept, []))
    if photos:
        right.caption(_n("{count} photo is ready.", "{count} photos are ready.", len(photos)))
    blocked = None if name.strip() else Note("Type the name of the new class first.")
    if any(name.strip().casefold() == one.casefold() for one in cached.run_record(run_id).class_names):
        blocked = Note("This training has a class of this name already.")
    prompt_names = [english.strip()] if english.strip() else []
    settings = {
        "name": name.strip(),
        "prompt_names": prompt_names,
        "photos": list(photos),
        NEEDS: evidence_photos.ids(photos),
    }
    ask = Ask(ADDED_CLASS, settings, run_id=run_id, needs_test=False, blocked=blocked)
    _result(evidence_study.show(project, ask, _("Add it and answer again")))


def _result(record: StudyRecord | None) -> None:
    if record is None:
        return
    result, name = record.result, safe(record.summary.settings["name"])
    st.markdown(
        _(
            "Tried with “{name}” as class number {count}: nothing was trained, and the project stays as it is. The model read: "
            "{sentence}",
            name=name,
            count=number(len(result["class_names"])),
            sentence=safe(result["prompts"][0], 200),
        )
    )
    if result["query_count"]:
        _on_test_photos(result, name)
    else:
        st.caption(
            _("This training has no test photos, so what the new class does to the others cannot be measured here.")
        )
    names = {photo["image_id"]: photo["filename"] for photo in record.summary.settings["photos"]}
    if result["photos"]:
        _on_own_photos(result, name, names)


def _on_test_photos(result: Mapping[str, Any], name: str) -> None:
    count = result["query_count"]
    lines = [
        _("Test photos of the trained classes, before: {figure}", figure=_figure(result["right_before"], count)),
        _("… with “{name}” to choose from as well: {figure}", name=name, figure=_figure(result["right_after"], count)),
        _n(
            "{count} test photo is taken for “{name}” now.",
            "{count} test photos are taken for “{name}” now.",
            len(result["taken"]),
            name=name,
        ),
    ]
    st.markdown("\n".join(f"- {line}" for line in lines))
    if result["taken"]:
        _grid(result["taken"], {}, "taken_photos")


def _on_own_photos(result: Mapping[str, Any], name: str, names: Mapping[str, str]) -> None:
    added = result["class_names"][-1]
    count = len(result["photos"])
    hits = sum(one["answer"] == added for one in result["photos"])
    st.markdown(
        _(
            "Of the photos that you dropped, recognised as “{name}”: {figure}",
            name=name,
            figure=share_of(hits, count, *metrics.wilson_interval(hits, count)),
        )
    )
    _grid(result["photos"], names, "new_class_answers")


def _figure(right: int, count: int) -> str:
    return right_of(right, count, *metrics.wilson_interval(right, count))


def _grid(answers: Sequence[Mapping[str, Any]], names: Mapping[str, str], key: str) -> None:
    tiles = [
        Tile(
            place,
            one["id"],
            names.get(one["id"], ""),
            [(_("{name} ({share} sure)", name=short(one["answer"], 30), share=percent(one["confidence"])), "")],
        )
        for place, one in enumerate(components.page_of(answers, key=f"{key}_page"))
    ]
    photo_grid.look(tiles, key=key, columns=COLUMNS)
