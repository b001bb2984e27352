"""Where a piece of work stands: its place in the queue, its stage, how far it is, the time left."""

from __future__ import annotations

from datetime import UTC, datetime

import streamlit as st

from pages.ui import cached
from pages.ui.text import _, _n, device, number, percent, safe, translator
from prolip_core import storage
from prolip_core.storage.records import Job


def standing(job: Job) -> None:
    """Its place in the queue while it waits, then how far it is."""
    if job.state == "queued":
        _waiting(job)
    else:
        _working(job)


def stop_button(job: Job, *, disabled: bool) -> None:
    st.button(
        _("Stop"),
        key=f"stop_{job.id}",
        disabled=disabled,
        on_click=storage.jobs.request_stop,
        args=(cached.database(), job.id),
    )


def _waiting(job: Job) -> None:
    """How many come first."""
    ahead = storage.jobs.ahead(cached.database(), job.id)
    if ahead:
        st.info(
            _n(
                "Waiting in the queue: {count} piece of work is ahead of yours.",
                "Waiting in the queue: {count} pieces of work are ahead of yours.",
                ahead,
            )
        )
    else:
        st.info(_("Starting. The first time after the start of the program takes a few seconds longer."))


def _working(job: Job) -> None:
    """What is being done, how far it is, and how long it will take."""
    st.markdown(f"**{_stage(job)}**")
    if job.total:
        st.progress(min(1.0, job.done / job.total), text=_amount(job))
    elapsed_s = (datetime.now(UTC) - (job.started_at or job.created_at)).total_seconds()
    st.caption(
        _(
            "Running for {elapsed} on {device}",
            elapsed=translator().duration(elapsed_s),
            device=safe(device(job.used_device or job.device)),
        )
    )


def _stage(job: Job) -> str:
    return {
        "sample": _("Making the sample photos"),
        "load": _("Loading the model"),
        "features": _("Reading the photos"),
        "lambda": _("Choosing how far the model may move (λ)"),
        "fit": _("Fine-tuning"),
        "measure_kept": _("Measuring what was kept"),
        "cross_validation": _("Measuring by cross-validation"),
        "sure": _("Choosing how sure it must be to answer alone"),
        "study": _("Computing"),
        "try": _("Answering"),
        "hand_over": _("Making and checking the file"),
        "save": _("Saving"),
    }.get(job.stage, _("Preparing"))


def _amount(job: Job) -> str:
    if job.stage == "hand_over":  # steps of very different length
        return percent(job.done / job.total)
    parts = [_("{done} of {total}", done=number(job.done), total=number(job.total))]
    if job.per_second > 0 and job.stage in ("features", "sample", "try"):
        parts.append(_("{rate} photos per second", rate=number(round(job.per_second, 1))))
    if job.left_s is not None:
        parts.append(_("{time} left", time=translator().duration(job.left_s)))
    return " · ".join(parts)
