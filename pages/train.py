"""Step 3: one button that fine-tunes, the training as it happens, and what came of it."""

from __future__ import annotations

from collections import Counter

import streamlit as st

from pages.ui import cached, components, guards, sidebar, train_live, train_settings
from pages.ui.text import _, _n, job_error, note, number, right_of
from prolip_core import guide, metrics, storage
from prolip_core.storage.records import ClassRow, Job, Photo, Project, RunSummary
from prolip_core.types import Note

guards.require_app()
project = guards.require_project()


def show(project: Project) -> None:
    db = cached.database()
    components.page_head(
        _("Fine-tune"),
        _(
            "One matrix of the model, its visual projector, is adjusted to your training photos. This takes seconds, "
            "and needs no photos besides them."
        ),
    )
    classes, photos = cached.classes(project), cached.photos(project)
    blocked = guide.why_not_train(classes, cached.findings(classes, photos))
    live = storage.jobs.live(db, project.id)
    latest = storage.jobs.latest(db, project.id)
    runs = storage.runs.list_(db, project.id)
    is_sample = live is not None and live.kind == "sample"

    if not is_sample:
        _what_is_used(classes, photos)
        if train_settings.show(project, disabled=live is not None):
            blocked = blocked or Note(
                "The name of the model is not complete. Write it under the choices, as ARCHITECTURE:TAG."
            )
    if live is None:
        unread = guide.unread_names(classes, sidebar.model_language(project))
        if unread is not None:
            st.warning(note(unread))
        _start_button(project, blocked)
        if latest is not None:
            _outcome(latest, runs, cached.fingerprint(project))
    else:
        train_live.show(live)

    components.next_step(
        "compare",
        _("Compare before and after"),
        None if runs else _("There is no result yet. Train first."),
    )


def _what_is_used(classes: tuple[ClassRow, ...], photos: tuple[Photo, ...]) -> None:
    """Which photos teach and which measure, in one sentence each."""
    used = [photo for photo in photos if not photo.excluded]
    teaching = [photo for photo in used if photo.role == "train"]
    measuring = len(used) - len(teaching)
    per_class = Counter(photo.class_id for photo in teaching)
    counts = [per_class.get(row.id or 0, 0) for row in classes]
    if not counts:
        return
    lines = [
        _n("**{count}** training photo", "**{count}** training photos", len(teaching))
        + " · "
        + _n("{count} class", "{count} classes", len(classes))
        + " · "
        + (
            _("{number} in each class", number=number(counts[0]))
            if len(set(counts)) == 1
            else _("{low} to {high} in a class", low=number(min(counts)), high=number(max(counts)))
        ),
        _n(
            "Measured on **{count}** test photo, which teaches nothing.",
            "Measured on **{count}** test photos, which teach nothing.",
            measuring,
        )
        if measuring
        else _(
            "There are no test photos, so it is measured by cross-validation: every photo is answered by a training that has "
            "not seen it."
        ),
    ]
    components.bullet_list(lines)


def _start_button(project: Project, blocked: Note | None) -> None:
    reason = None if blocked is None else note(blocked)
    if st.button(
        _("Fine-tune now"),
        type="primary",
        disabled=reason is not None,
        width="stretch",
        key="start_training",
    ):
        current = storage.projects.get(cached.database(), project.id)
        if current is not None:
            device = str(current.spec["device"])
            storage.jobs.enqueue(cached.database(), project.id, "train", {"spec": dict(current.spec)}, device=device)
        st.rerun()
    if reason is not None:
        st.caption(_("The button is off because: {reason}", reason=reason))


def _outcome(job: Job, runs: tuple[RunSummary, ...], fingerprint: str) -> None:
    """How the last training ended."""
    if job.state == "failed":
        reason, remedy = job_error(job)
        st.error(_("The last training failed.") + f" {reason}\n\n{remedy}")
        return
    if job.state == "stopped":
        st.warning(
            _("The making of the sample was stopped before its end. Delete this project and try the sample again.")
            if job.kind == "sample"
            else _(
                "The last training was stopped, and nothing of it was kept. Photos and earlier results are as they were."
            )
        )
        return
    run = next((run for run in runs if run.id == job.run_id), None)
    if run is None:
        return
    if run.stopped:
        st.warning(_("You stopped this training early. The best state so far was kept and measured."))
    if guide.is_stale(run, fingerprint):
        st.warning(_("Classes, sentences or photos were changed since the last training."))
    low, high = metrics.wilson_interval(run.prolip_correct, run.count)
    low_before, high_before = metrics.wilson_interval(run.zero_shot_correct, run.count)
    st.success(
        _("Training finished.")
        + "\n\n"
        + "- "
        + _("Before (zero-shot): {figure}", figure=right_of(run.zero_shot_correct, run.count, low_before, high_before))
        + "\n- "
        + _("After (ProLIP): {figure}", figure=right_of(run.prolip_correct, run.count, low, high))
        + "\n\n"
        + (
            _("Both measured on the same test photos.")
            if run.evaluation == "test"
            else _("Both measured on the same photos, by cross-validation.")
        )
    )
    train_live.curve(job)


with guards.told():
    show(project)
