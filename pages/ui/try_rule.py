"""When an answer may stand alone: the run's own rule, and a threshold that a person may set in its place."""

from __future__ import annotations

import streamlit as st

from pages.ui import cached, guards, session
from pages.ui.text import _, number, percent
from prolip_core import storage, sure_rule
from prolip_core.storage.records import RunSummary
from prolip_core.sure_rule import SureRule


def of(run: RunSummary) -> SureRule | None:
    """The rule of the run as it is used now; None where it has none."""
    return sure_rule.of_result(cached.run_record(run.id).result, run.threshold)


def show(run: RunSummary) -> None:
    """The slider with what is known about the suggested place."""
    suggested, used = sure_rule.of_result(cached.run_record(run.id).result), of(run)
    if suggested is None or used is None:
        st.markdown(
            _(
                "There were too few training photos to find out when it is sure enough. So every answer goes to a person. Train "
                "again with two photos of every class at least."
            )
        )
        return
    st.markdown(_suggestion(suggested))
    key = f"threshold_{run.id}_{session.round_of('threshold')}"
    st.slider(
        _("It answers alone if it is at least so sure"),
        0.0,
        100.0,
        value=100.0 if used.threshold is None or used.all_to_a_person else 100 * _shown(used.threshold),
        step=0.1,
        format="%.1f%%",
        key=key,
        help=_("100%: every photo goes to a person."),
        on_change=_set,
        args=(run.id, key),
    )
    if run.threshold is not None:
        st.caption(_("You have set this yourself; for your own choice nothing is promised."))
        st.button(_("Back to the suggestion"), key=f"suggested_{run.id}", on_click=_reset, args=(run.id,))


def _suggestion(rule: SureRule) -> str:
    if rule.threshold is None:
        return _(
            "Suggestion: let a person look at every photo. On the training photos, held out in turn, no setting kept the wrong "
            "answers under {limit}.",
            limit=percent(rule.limit),
        )
    told = _(
        "Suggestion: {threshold}. On the training photos, held out in turn, {answered} answers were at least so sure, {wrong} "
        "of them wrong.",
        threshold=percent(_shown(rule.threshold), 1),
        answered=number(rule.support_answered),
        wrong=number(rule.support_wrong),
    )
    if rule.assured:
        return (
            told
            + " "
            + _(
                "Taken by itself, such a count means at most {limit} wrong ones, with a confidence of 95%. As it was picked from "
                "many settings, the truth may lie somewhat higher.",
                limit=percent(rule.limit),
            )
        )
    return (
        told
        + " "
        + _(
            "That is too few to promise at most {limit} wrong ones; it would take {least} answers without a mistake.",
            limit=percent(rule.limit),
            least=number(rule.least_answers),
        )
    )


def _shown(threshold: float) -> float:
    """With the digits of the slider; 100 % is kept for what goes to a person as a whole."""
    return min(0.999, round(threshold, 3))


def _set(run_id: str, key: str) -> None:
    with guards.told():
        storage.runs.set_threshold(cached.database(), run_id, float(session.get(key)) / 100)


def _reset(run_id: str) -> None:
    with guards.told():
        storage.runs.set_threshold(cached.database(), run_id, None)
    session.next_round("threshold")
