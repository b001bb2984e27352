"""A training as it happens: what is being done, the curve, and Stop."""

from __future__ import annotations

import streamlit as st

from pages.ui import cached, guards, job_state
from pages.ui.text import _, number, percent
from prolip_core import loss_charts, storage
from prolip_core.storage.records import Job

POLL_S = 1.0
LAST_STEPS = 100
CHART_POINTS = 400


def show(job: Job) -> None:
    """Draws the job and keeps drawing until it has ended; then the whole page runs once more."""
    _watch(job.id)


@guards.fragment(run_every=POLL_S)
def _watch(job_id: str) -> None:
    job = storage.jobs.get(cached.database(), job_id)
    if job is None or not job.is_live:
        st.rerun()
    with st.container(border=True):
        job_state.standing(job)
        _stop(job)
        if job.n_steps:
            curve(job)


def _stop(job: Job) -> None:
    asked, is_kept = job.stop_requests > 0, job.stage == "measure_kept"
    job_state.stop_button(job, disabled=asked and not is_kept)
    if is_kept:
        st.caption(_("The best state so far is kept. Stop once more to discard it instead of measuring it."))
    elif asked:
        st.caption(_("Stopping …"))
    elif job.stage == "cross_validation":
        st.caption(_("Stop ends the measuring; what is measured by then is kept, if it is at least one whole round."))
    elif job.stage == "sure":
        st.caption(_("Stop leaves this last step out; what was learnt and measured is kept."))
    elif job.stage == "fit":
        st.caption(_("Stop keeps the best state so far and measures it."))
    else:
        st.caption(_("Stop ends the work now; your photos and earlier results stay as they are."))


def curve(job: Job) -> None:
    """The loss against the step, with what to show of it."""
    columns = st.columns([2, 1, 1])
    part = columns[0].segmented_control(
        _("Show"),
        ["all", "last"],
        default="all",
        required=True,
        wrap=True,
        format_func=lambda code: _("All steps") if code == "all" else _("Last {count} steps", count=number(LAST_STEPS)),
        key=f"curve_part_{job.id}",
        label_visibility="collapsed",
    )
    log = columns[1].toggle(_("Logarithmic scale"), key=f"curve_log_{job.id}")
    # Of a very long training that has ended, too few of the last steps are left.
    last = LAST_STEPS if part == "last" and (job.is_live or job.n_steps <= storage.jobs.MAX_STEPS) else None
    steps = storage.jobs.steps(
        cached.database(), job.id, max(0, job.n_steps - (last or job.n_steps)), at_most=CHART_POINTS
    )
    if not steps:
        return
    now = steps[-1]
    columns[2].caption(_("Step {step} of at most {total}", step=number(now.step), total=number(now.total_steps)))
    texts = loss_texts()
    upper, lower = cached.live_charts(texts, bool(log))
    st.vega_lite_chart(
        loss_charts.loss_data(steps, texts, log=bool(log)), upper, key=f"curve_{job.id}", width="stretch", theme=None
    )
    st.vega_lite_chart(loss_charts.accuracy_data(steps), lower, key=f"accuracy_{job.id}", width="stretch", theme=None)
    st.caption(
        _(
            "Loss {loss}; right on {share} of the training photos, which it has seen: this says nothing about new photos.",
            loss=number(round(now.loss, 4)),
            share=percent(now.support_accuracy),
        )
    )


def loss_texts() -> loss_charts.LossTexts:
    """The words on a loss chart."""
    return loss_charts.LossTexts(
        step=_("Step"),
        loss=_("Loss"),
        cross_entropy=_("Error on the training photos (cross-entropy)"),
        penalty=_("Distance from the original model (penalty)"),
        support_accuracy=_("Right on the training photos"),
    )
