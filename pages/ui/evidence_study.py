"""A study on the page of the evidence: its button, the work as it happens, Stop, and what its numbers belong to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import streamlit as st

from pages.ui import cached, guards, job_state, registry, session
from pages.ui.text import _, _n, date, job_error, model, note, number, safe, translator
from prolip_core import guide, spec, storage
from prolip_core.storage import studies
from prolip_core.storage.records import Job, Project, StudyRecord, StudySummary
from prolip_core.studies.names import TRAINS_AS_CHOSEN
from prolip_core.types import Note

POLL_S = 1.0


@dataclass(frozen=True)
class Ask:
    """A study that can be asked for. settings: for its function in `study_work.KINDS`; run_id: of the run that it is about.

    blocked: why it cannot be computed, beyond what holds for every study. keeps_whole: Stop keeps the rounds that are whole.
    """

    kind: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    run_id: str | None = None
    needs_test: bool = True
    blocked: Note | None = None
    keeps_whole: bool = False

    @property
    def key(self) -> str:
        return studies.key_of(self.kind, self.run_id)


def show(project: Project, ask: Ask, label: str | None = None, *, quiet: bool = False) -> StudyRecord | None:
    """Start or Stop with all that belongs to it, then what the newest finished study belongs to; gives that study, None if there
    is none yet. label: of the button; quiet: it is not what the page is about now."""
    job = storage.jobs.latest_study(cached.database(), project.id, ask.key)
    found = studies.latest(cached.database(), project.id, ask.kind, ask.run_id)
    if job is not None and job.is_live:
        _watch(job.id, ask.keeps_whole)
    else:
        _button(project, ask, label or (_("Compute again") if found is not None else _("Compute")), quiet)
        if job is not None:
            _ended(job)
    if found is None:
        return None
    record = cached.study(found.id)
    if ask.kind in TRAINS_AS_CHOSEN and "fit" not in record.result:
        st.info(
            _("What was computed before comes from an earlier version of this program. Compute it again to see it.")
        )
        return None
    _belongs_to(project, record)
    return record


def start(project: Project, ask: Ask) -> None:
    """Puts the study into the queue, with the choices that the project has now."""
    db = cached.database()
    current = storage.projects.get(db, project.id)
    if current is None:
        return
    payload = {"kind": ask.kind, "settings": dict(ask.settings), "run_id": ask.run_id, "spec": dict(current.spec)}
    storage.jobs.enqueue(db, project.id, "study", payload, device=str(current.spec["device"]), key=ask.key)


def why_not(project: Project, ask: Ask) -> Note | None:
    """What has to be done before it can be computed; None if nothing."""
    if ask.run_id is not None:
        return ask.blocked  # it has been trained already
    classes, photos = cached.classes(project), cached.photos(project)
    blocked = guide.why_not_train(classes, cached.findings(classes, photos))
    if blocked is None and ask.needs_test and not any(p.role == "test" and not p.excluded for p in photos):
        blocked = Note("This is measured on test photos, and there are none. Set some photos aside for testing.")
    return blocked or ask.blocked


def is_up_to_date(project: Project, ask: Ask) -> bool:
    """Whether there is a study of the photos and the model as they are now that did at least what is asked for."""
    found = studies.latest(cached.database(), project.id, ask.kind, ask.run_id)
    return found is not None and not _is_stale(project, found) and _suffices(found.settings, ask.settings)


def _suffices(made: Mapping[str, Any], asked: Mapping[str, Any]) -> bool:
    """More rounds or more methods than asked for are enough; anything but a number has to be the same."""
    return all(
        key in made and (made[key] >= value if isinstance(value, int | float) else made[key] == value)
        for key, value in asked.items()
    )


def measured_on(result: Mapping[str, Any]) -> str:
    """On which photos a study measured; empty where it measured nothing."""
    if result.get("evaluation") == "cross_validation":
        return _n(
            "Measured on **{count}** training photo, held out: the trainings that answered it had not seen it.",
            "Measured on **{count}** training photos, held out in turn: the trainings that answered a photo had not seen it or a "
            "near-copy of it.",
            sum(result["images_per_class"].values()),
        )
    if not result["query_count"]:
        return ""
    return _n(
        "Measured on **{count}** test photo that nothing was learnt or chosen from.",
        "Measured on **{count}** test photos that nothing was learnt or chosen from.",
        result.get("measured_count", result["query_count"]),
    )


def _is_stale(project: Project, found: StudySummary) -> bool:
    if found.run_id is not None:
        return False  # it is about the run, which stays as it is
    if guide.is_stale(found, cached.fingerprint(project)):
        return True
    result, chosen = cached.study(found.id).result, spec.from_dict(project.spec)
    now: dict[str, object] = {
        "backbone": chosen.backbone.name,
        "checkpoint": None if chosen.backbone.checkpoint is None else str(chosen.backbone.checkpoint),
        "views": chosen.n_views,
        "seed": chosen.seed,
    }
    if found.kind in TRAINS_AS_CHOSEN:
        now["fit"] = asdict(chosen.fit)
    return any(result.get(key) != value for key, value in now.items())


def _button(project: Project, ask: Ask, label: str, quiet: bool) -> None:
    reason = why_not(project, ask)
    kind: Literal["primary", "secondary"] = "secondary" if quiet else "primary"
    if st.button(label, type=kind, disabled=reason is not None, key=f"compute_{ask.kind}"):
        start(project, ask)
        st.rerun()
    if reason is not None:
        st.caption(_("The button is off because: {reason}", reason=note(reason)))
        if reason is not ask.blocked:
            st.page_link(registry.file_of("photos"), label=_("Go to the photos"), query_params=session.address())


@guards.fragment(run_every=POLL_S)
def _watch(job_id: str, keeps_whole: bool) -> None:
    """Draws the job and keeps drawing until it has ended; then the whole page runs once more."""
    job = storage.jobs.get(cached.database(), job_id)
    if job is None or not job.is_live:
        st.rerun()
    with st.container(border=True):
        job_state.standing(job)
        asked = job.stop_requests > 0
        job_state.stop_button(job, disabled=asked)
        if asked:
            st.caption(_("Stopping …"))
        elif keeps_whole:
            st.caption(_("Stop ends the work now; rounds that are whole by then are kept and shown."))
        else:
            st.caption(_("Stop ends the work now, and nothing of it is kept; what was computed before stays as it is."))


def _ended(job: Job) -> None:
    """How the last one ended, where that is not plain to see."""
    if job.state == "failed":
        reason, remedy = job_error(job)
        st.error(_("The last computation failed.") + f" {reason}\n\n{remedy}")
    elif job.state == "stopped" and guide.is_hand_over(job):
        st.warning(_("Stopped; no hand-over file was made."))
    elif job.state == "stopped":
        st.warning(_("The last computation was stopped before anything of it could be kept."))


def _belongs_to(project: Project, record: StudyRecord) -> None:
    """What the numbers below belong to."""
    result = record.result
    if _is_stale(project, record.summary):
        st.warning(
            _(
                "Classes, sentences, photos or choices of the training were changed since this was computed. The numbers below "
                "belong to the state as it was then. Compute again to bring them up to date."
            )
        )
    if result.get("draws", 0) < result.get("planned_draws", 0):
        st.warning(
            _(
                "This was stopped early: {draws} of {planned} rounds were made.",
                draws=number(result["draws"]),
                planned=number(result["planned_draws"]),
            )
        )
    if on := measured_on(result):
        st.info(on)
    st.caption(
        _(
            "Computed on {date} in {time}, with the model {model}.",
            date=date(record.summary.created_at),
            time=translator().duration(result["seconds"]),
            model=safe(model(result["backbone"])),
        )
    )
