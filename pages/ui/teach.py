"""The photos whose class would teach most, one after another; then the training again, and what it changed."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from pages.ui import (
    cached,
    compare_numbers,
    components,
    session,
    teach_buttons,
    train_live,
    try_answer,
    try_drop,
    try_rule,
    version_list,
)
from pages.ui.run_choice import Chosen, name_of, title
from pages.ui.text import _, _n, error, note, number
from prolip_core import answered, comparison, guide, storage, versions
from prolip_core.answered import Answered
from prolip_core.errors import RunError
from prolip_core.storage.records import Project, RunSummary

ASKED_DROPS = 50
"""Of so many drops, the newest, a new result answers the photos by itself."""


def show(project: Project, run: RunSummary, runs: Sequence[RunSummary]) -> None:
    """The next photo, the training, before and after."""
    live = storage.jobs.live(cached.database(), project.id)
    if live is None:
        _next_photo(project, run)
    _train(project, runs)
    if live is not None:
        train_live.show(live)
    elif len(runs) > 1:
        _before_and_after(project, runs)


def _next_photo(project: Project, run: RunSummary) -> None:
    _ask_all(project, run)
    waiting, like_test = _waiting(project, run)
    problem = teach_buttons.last_problem()
    if problem is not None:
        reason, remedy = error(problem)
        st.warning(f"{reason} {remedy}")
    left, right = st.columns([6, 2], vertical_alignment="center")
    left.markdown(
        _n(
            "**{count}** tried photo could teach.",
            "**{count}** tried photos could teach. First come those that are likely to help most: the answer wavers, and they "
            "are unlike what is known already.",
            len(waiting),
        )
        if waiting
        else _("No tried photo waits to be told. Try new photos first, one or many.")
    )
    with right:
        components.undo_button(project.id, "undo_teach_last")
    if like_test:
        st.caption(
            _n(
                "{count} tried photo is a test photo, or a near-copy of one, and cannot teach.",
                "{count} tried photos are test photos, or near-copies of them, and cannot teach.",
                like_test,
            )
        )
    if not waiting:
        return
    one = waiting[0]
    photo, answer = st.columns([5, 4], gap="large")
    with photo:
        try_answer.photo_itself(one.photo)
    with answer:
        try_answer.big(one)
        teach_buttons.show(project, one)
        st.button(
            _("Skip this photo"),
            key="teach_skip",
            shortcut="Right",
            width="stretch",
            on_click=_skip,
            args=(project.id, one.photo.image_id),
        )


def _ask_all(project: Project, run: RunSummary) -> None:
    """A newer result has not seen the photos that an earlier one answered: it is asked, which takes a moment."""
    drops = storage.tried.drops(cached.database(), project.id)[:ASKED_DROPS]
    asked = [(drop, try_drop.ask(project, drop, run)) for drop in drops]
    # Work that has failed or was stopped is shown too: without it nothing would say why no photo waits, nor let it go on.
    unfinished = sorted(((drop, job) for drop, job in asked if job is not None), key=lambda pair: not pair[1].is_live)
    if unfinished:
        try_answer.waiting(project, run, *unfinished[0])


def _waiting(project: Project, run: RunSummary) -> tuple[list[Answered], int]:
    """The photos that could teach, the most helpful first, and how many could not because of the test photos."""
    db = cached.database()
    mine = cached.photos(project)
    known = {photo.image_id for photo in mine}
    tested = {photo.image_id for photo in mine if photo.role == "test"}
    tried = storage.tried.of_project(db, project.id)
    new = [photo for photo in tried if photo.image_id not in known]
    like_test = cached.like_test(project, tuple(new))
    free = [photo for photo in new if photo.image_id not in like_test]
    found, _failed = answered.of(
        free, storage.tried.answers(db, run.id), cached.run_record(run.id).class_names, try_rule.of(run)
    )
    skipped: list[str] = session.get(_skip_key(project.id), [])

    def place(one: Answered) -> tuple[int, float, float]:
        image_id = one.photo.image_id
        turn = float("inf") if one.turn is None else one.turn
        return skipped.index(image_id) + 1 if image_id in skipped else 0, turn, one.after.confidence

    return sorted(found, key=place), len(like_test) + sum(photo.image_id in tested for photo in tried)


def _skip(project_id: str, image_id: str) -> None:
    """To the end of the row."""
    skipped: list[str] = session.get(_skip_key(project_id), [])
    session.put(_skip_key(project_id), [*(one for one in skipped if one != image_id), image_id])


def _skip_key(project_id: str) -> str:
    return f"teach_skipped_{project_id}"


def _train(project: Project, runs: Sequence[RunSummary]) -> None:
    """What has changed since the last training, and the button."""
    st.subheader(_("Train again"), anchor=False)
    db = cached.database()
    classes, photos = cached.classes(project), cached.photos(project)
    changes = versions.difference(
        versions.of_run(cached.run_record(runs[0].id)), versions.of_project(project, classes, photos)
    )
    if changes.is_nothing:
        st.caption(_("Nothing has changed since the last training."))
    else:
        st.markdown(_("Since the last training: {changes}", changes=version_list.sentence(changes)))
    blocked = guide.why_not_train(classes, cached.findings(classes, photos))
    live = storage.jobs.live(db, project.id)
    if st.button(
        _("Train again with the corrections"),
        key="train_again",
        type="primary" if not changes.is_nothing else "secondary",
        disabled=live is not None or blocked is not None or changes.is_nothing,
    ):
        device = str(project.spec["device"])
        storage.jobs.enqueue(db, project.id, "train", {"spec": dict(project.spec)}, device=device)
        st.rerun()
    if blocked is not None:
        st.caption(_("The button is off because: {reason}", reason=note(blocked)))


def _before_and_after(project: Project, runs: Sequence[RunSummary]) -> None:
    """The newest result against the one before it, on the photos that both have measured."""
    after, before = runs[0], runs[1]
    st.subheader(
        _("What the last training changed: {before} → {after}", before=name_of(before), after=name_of(after)),
        anchor=False,
    )
    try:
        compared = comparison.of_runs(cached.run_record(before.id), cached.run_record(after.id))
    except RunError as problem:
        st.info(" ".join(error(problem)))
        return
    names = title(before), title(after), name_of(before), name_of(after)
    chosen = Chosen(cached.run_record(after.id), before.id, compared, *names)
    compare_numbers.show(chosen)
    right, wrong = compared.put_right, compared.put_wrong
    st.markdown(_("Put right: {right} · put wrong: {wrong}", right=number(len(right)), wrong=number(len(wrong))))
    if right or wrong:
        with st.expander(_("Photos that changed")):
            compare_numbers.flips(project.id, chosen)
    columns = st.columns(3)
    with columns[0]:
        version_list.compare_button(project, runs, after, before, "teach")
    with columns[1]:
        version_list.back_button(project, before, "teach")
    with columns[2]:
        if st.button(_("Delete the new result"), key=f"teach_delete_{after.id}", width="stretch"):
            storage.runs.delete(cached.database(), after.id)
            session.say_later(_("The result was deleted. It can be brought back for 10 minutes."))
            st.rerun()
