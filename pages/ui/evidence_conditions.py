"""Another camera, another day: four questions about the same training under other conditions, one at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from pages.ui import cached, components, evidence_second, evidence_step, evidence_study, evidence_transfer, session
from pages.ui.evidence_study import Ask
from pages.ui.text import _, note, number, translator
from prolip_core import condition_charts
from prolip_core.charts import Chart
from prolip_core.condition_charts import StressPoint, StressTexts
from prolip_core.storage.records import Project, StudyRecord
from prolip_core.studies.condition_words import NAMES, PROLIP, STRESS, TITLES, ZERO_SHOT, amount_text

COLUMNS = 2
SEVERITIES = 5
Result = Mapping[str, Any]


def asks(project: Project) -> tuple[Ask, ...]:
    """What can be computed without asking for anything: the stress test, and a second set and a projector that were chosen
    before. One step per photo is left out: it takes minutes, and is an option."""
    return (_ask(), *evidence_second.asks(project), *evidence_transfer.asks(project))


def show(project: Project) -> None:
    """The part below its title."""
    questions = {
        "stress": _("Worse photos"),
        "second": _("A second test set"),
        "transfer": _("Another project's training"),
        "step": _("One step per photo"),
    }
    chosen = components.part_of_page(_("Condition"), questions, session.detail(), session.set_detail, "condition")
    if chosen == "second":
        evidence_second.show(project)
    elif chosen == "transfer":
        evidence_transfer.show(project)
    elif chosen == "step":
        evidence_step.show(project)
    else:
        _stress(project)


def _ask() -> Ask:
    return Ask(STRESS, keeps_whole=True)


def _stress(project: Project) -> None:
    st.markdown(
        _(
            "Your test photos are blurred, darkened, compressed and so on, in five severities each, and answered again. The "
            "first time each photo is read forty times, which can take a minute or more."
        )
    )
    record = evidence_study.show(project, _ask())
    if record is None:
        return
    result = record.result
    if result["measured_count"] < result["query_count"]:
        st.caption(
            _(
                "These are {count} of your {total} test photos, drawn evenly from the classes.",
                count=number(result["measured_count"]),
                total=number(result["query_count"]),
            )
        )
    kinds = list(dict.fromkeys(curve["kind"] for curve in result["stress_curves"]))
    left_out = [kind for kind in result["planned_kinds"] if kind not in kinds]
    if left_out:
        titles = ", ".join(note(TITLES[kind]) for kind in left_out)
        st.warning(_("This was stopped before: {names}.", names=titles))
    _summary(result)
    st.caption(_("How often it was right, over the severity of each distortion. Band: likely range (95 %)."))
    for start in range(0, len(kinds), COLUMNS):
        for column, kind in zip(st.columns(COLUMNS), kinds[start : start + COLUMNS], strict=False):
            with column:
                _kind(record, kind)
    st.caption(
        _(
            "A ring marks where it breaks: the first severity at which the loss against the same photos undistorted is likely "
            "more than {limit} points. With few photos even a large loss may not show. These are {count} comparisons for each "
            "method: one or the other of them may break by luck.",
            limit=number(100 * result["limit"]),
            count=number(len(kinds) * SEVERITIES),
        ),
        help=_("Newcombe's 95 % interval of the difference on the same photos lies below this loss."),
    )


def _summary(result: Result) -> None:
    """What breaks what was trained, the weakest first."""
    broken = sorted(
        (curve["breaks_at"], curve["kind"])
        for curve in result["stress_curves"]
        if curve["method"] == PROLIP and curve["breaks_at"] is not None
    )
    if not broken:
        st.info(_("No distortion breaks it up to severity 5, as far as these photos can tell."))
        return
    lines = [
        _(
            "{what}: breaks at severity {severity} of 5 ({amount})",
            what=note(TITLES[kind]),
            severity=step,
            amount=amount,
        )
        for step, kind in broken
        if (amount := note(amount_text(kind, _curve(result, kind, PROLIP)["points"][step - 1]["amount"])))
    ]
    st.markdown(_("After fine-tuning, these break it:") + "\n" + "\n".join(f"- {line}" for line in lines))


def _kind(record: StudyRecord, kind: str) -> None:
    """One small chart, and below it where both methods break."""
    result = record.result
    st.markdown(f"**{note(TITLES[kind])}**")
    key = ("stress", record.summary.id, kind, session.language())
    drawn, data = cached.chart(key, lambda: _chart(result, kind))
    st.vega_lite_chart(data, drawn, width="stretch", key=f"stress_{kind}", theme=None)
    lines = [_holds(result, curve) for curve in result["stress_curves"] if curve["kind"] == kind]
    st.caption("  \n".join(lines))


def _holds(result: Result, curve: Result) -> str:
    """One line for a method: where it breaks, or how it ends, in photos."""
    clean = next(one for one in result["clean"] if one["method"] == curve["method"])
    broken = curve["breaks_at"]
    point = curve["points"][-1 if broken is None else broken - 1]
    words = {
        "method": note(NAMES[curve["method"]]),
        "severity": number(point["severity"]),
        "amount": note(amount_text(curve["kind"], point["amount"])),
        "clean": number(clean["right"]),
        "right": number(point["right"]),
        "count": number(point["count"]),
    }
    if broken is None:
        return _("{method}: holds up to severity {severity} ({amount}); right: {clean} → {right} of {count}", **words)
    return _("{method}: breaks at severity {severity} ({amount}); right: {clean} → {right} of {count}", **words)


def _chart(result: Result, kind: str) -> Chart:
    names = {ZERO_SHOT: _("Before, without photos (zero-shot)"), PROLIP: _("After fine-tuning (ProLIP)")}
    clean = {one["method"]: one for one in result["clean"]}
    points: list[StressPoint] = []
    for method, name in names.items():
        curve = _curve(result, kind, method)
        points.append(_point(name, {**clean[method], "severity": 0}, _("undistorted"), curve["breaks_at"]))
        points += [
            _point(name, one, translator().note(amount_text(kind, one["amount"])), curve["breaks_at"])
            for one in curve["points"]
        ]
    texts = StressTexts(
        severity=_("Severity (0: as it is)"),
        accuracy=_("How often it was right"),
        methods=(names[ZERO_SHOT], names[PROLIP]),
        breaks=_("breaks here"),
        amount=_("How much"),
    )
    return condition_charts.stress(points, texts)


def _curve(result: Result, kind: str, method: str) -> Result:
    found: Result = next(
        curve for curve in result["stress_curves"] if curve["kind"] == kind and curve["method"] == method
    )
    return found


def _point(name: str, one: Result, amount: str, breaks_at: int | None) -> StressPoint:
    low, high = one["accuracy_interval"]
    return StressPoint(name, one["severity"], one["accuracy"], low, high, amount, one["severity"] == breaks_at)
