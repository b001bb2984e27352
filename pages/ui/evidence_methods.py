"""Compared with what? Every method on the same photos, and how much the size of a step matters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from pages.ui import cached, evidence_study, evidence_tables, session
from pages.ui.evidence_study import Ask
from pages.ui.text import _, _n, note, number, percent, right_of
from prolip_core import i18n, study_charts
from prolip_core.charts import Chart
from prolip_core.storage.records import Project, StudyRecord
from prolip_core.studies.names import LEARNING_RATES, METHODS, QUICK, SLOW_METHODS
from prolip_core.study_charts import Ranked

SLOW, THOROUGH = "evidence_slow", "evidence_rounds"
ROUNDS = 5


def asks(_project: Project) -> tuple[Ask, ...]:
    """The comparison as it is chosen on the page, and the study of learning rates."""
    chosen = {"draws": ROUNDS if session.get(THOROUGH) else QUICK[METHODS]["draws"], "slow": bool(session.get(SLOW))}
    return (
        Ask(METHODS, chosen, keeps_whole=True),
        Ask(LEARNING_RATES, QUICK[LEARNING_RATES], keeps_whole=True),
    )


def show(project: Project) -> None:
    """The part below its title."""
    with st.expander(_("Choices (you can leave them as they are)")):
        st.toggle(
            _n("{count} round instead of 1", "{count} rounds instead of 1", ROUNDS),
            key=THOROUGH,
            persist_state="session",
            help=_(
                "Each round lets other photos of yours teach, where a class has more of them than are used. It shows how much "
                "the choice of photos matters, and takes {count} times as long.",
                count=number(ROUNDS),
            ),
        )
        st.toggle(
            _("The slow methods too: {names}", names=", ".join(SLOW_METHODS.values())),
            key=SLOW,
            persist_state="session",
            help=_(
                "The first two take about as long as all others together. CoOp (prompt tuning) trains through the text part of "
                "the model: minutes a round on a processor (CPU), seconds on a graphics card."
            ),
        )
    methods, rates = asks(project)
    record = evidence_study.show(project, methods)
    if record is not None:
        _methods(record)
    st.divider()
    st.markdown(f"#### {_('Does the size of a step matter?')}")
    st.markdown(
        _(
            "Training usually needs a well-chosen size of the steps (learning rate). The pull towards the original model (λ) is "
            "meant to make that choice unimportant. Here your photos tell."
        )
    )
    record = evidence_study.show(project, rates)
    if record is not None:
        _rates(record)


def _methods(record: StudyRecord) -> None:
    result = record.result
    ranked = sorted(result["methods"], key=lambda one: -one["accuracy"])
    _in_words(result, ranked)
    drawn, data = cached.chart(("methods", record.summary.id, session.language()), lambda: _ranking(ranked))
    st.vega_lite_chart(data, drawn, width="stretch", key="methods_chart", theme=None)
    st.caption(
        _(
            "Photos per class to learn from: {shots}. Rounds: {draws}. No method has tuned anything on the test photos.",
            shots=number(result["shots"]),
            draws=number(result["draws"]),
        ),
        help=_("The bar is Wilson's 95% interval for as many test photos; a difference within it may be luck."),
    )
    st.dataframe(
        [_row(one, result) for one in ranked], hide_index=True, width="stretch", height="content", key="methods_table"
    )
    for one in result["not_run"]:
        reason = note(i18n.note_of(one["reason_parts"]))
        st.caption(_("Not run: {name}. {reason}", name=_(one["title"]), reason=reason))
    absent = [name for key, name in SLOW_METHODS.items() if not any(one["key"] == key for one in result["methods"])]
    if absent and not record.summary.settings.get("slow"):
        st.caption(_("Not run: {name}. {reason}", name=", ".join(absent), reason=_("Not chosen above: slow.")))


def _in_words(result: Mapping[str, Any], ranked: Sequence[Mapping[str, Any]]) -> None:
    """ProLIP's place as it is, and how many others cannot be told apart from it."""
    ours = next((one for one in ranked if one["key"] == result["reference"]), None)
    if ours is None:
        return
    place = 1 + sum(one["accuracy"] > ours["accuracy"] for one in ranked)
    low, high = ours["photo_interval"]
    close = sum(low <= one["accuracy"] <= high for one in ranked if one is not ours)
    st.markdown(
        _(
            "ProLIP, as this app trains it, is number **{place}** of {count}: {figure}.",
            place=number(place),
            count=number(len(ranked)),
            figure=right_of(round(ours["accuracy"] * result["query_count"]), result["query_count"], low, high),
        )
        + " "
        + _n(
            "{count} other method lies within that range: these test photos cannot tell it from ProLIP.",
            "{count} other methods lie within that range: these test photos cannot tell them from ProLIP.",
            close,
        )
    )


def _ranking(ranked: Sequence[Mapping[str, Any]]) -> Chart:
    rows = [
        Ranked(_(one["title"]), one["accuracy"], low, high, one["key"].startswith("prolip"))
        for one in ranked
        for low, high in (one["photo_interval"],)
    ]
    return study_charts.ranking(rows, _("How often it was right (bar: likely range, 95 %)"))


def _row(one: Mapping[str, Any], result: Mapping[str, Any]) -> dict[str, str]:
    low, high = one["photo_interval"]
    right = round(one["accuracy"] * result["query_count"])
    return {
        _("Method"): _(one["title"]),
        _("Right"): _("{count} of {total}", count=number(right), total=number(result["query_count"])),
        _("Share"): percent(one["accuracy"], 1),
        _("Likely range"): f"{percent(low)}–{percent(high)}",
        _("Against ProLIP, in points"): _difference(one, result["reference"]),
        _("Added numbers"): number(one["added_parameters"]),
        _("Seconds"): number(round(one["seconds"], 1)),
    }


def _difference(one: Mapping[str, Any], reference: str) -> str:
    if one["key"] == reference or one["difference"] is None:
        return "–"
    return evidence_tables.difference(one)


def _rates(record: StudyRecord) -> None:
    result = record.result
    drawn, data = cached.chart(("rates", record.summary.id, session.language()), lambda: _rates_chart(result))
    st.vega_lite_chart(data, drawn, width="stretch", key="rates_chart", theme=None)
    st.markdown("\n".join(f"- {line}" for line in _rates_in_words(result)))
    st.caption(
        _(
            "Photos per class to learn from: {shots}. Rounds: {draws}. Steps of each training: {epochs} (the paper takes 300).",
            shots=number(result["shots"]),
            draws=number(result["draws"]),
            epochs=number(result["epochs"]),
        ),
        help=_(
            "Adam with a learning rate that falls to 0 by cosine. The exact solver, the app's default, has no learning rate."
        ),
    )
    diverged = sum(cell["diverged"] for cell in result["cells"])
    if diverged:
        st.caption(
            _n(
                "{count} training ended without a usable model.",
                "{count} trainings ended without a usable model.",
                diverged,
            )
        )


def _lines(result: Mapping[str, Any]) -> dict[str, list[tuple[float, float | None]]]:
    lines: dict[str, list[tuple[float, float | None]]] = {}
    for cell in result["cells"]:
        if cell["learning_rate"] is not None:
            lines.setdefault(cell["lam"], []).append((cell["learning_rate"], cell["accuracy"]))
    return lines


def _rates_chart(result: Mapping[str, Any]) -> Chart:
    return study_charts.learning_rates(
        [(_lam(lam), points) for lam, points in _lines(result).items()],
        (_("Before, without photos (zero-shot)"), result["zero_shot_accuracy"]),
        (_("Size of a step (learning rate)"), _("How often it was right")),
    )


def _rates_in_words(result: Mapping[str, Any]) -> list[str]:
    """The range of every λ over all learning rates."""
    found = []
    for lam, points in _lines(result).items():
        values = [value for _rate, value in points if value is not None]
        if values:
            found.append(
                _(
                    "{name}: {low} to {high} right, depending on the size of a step",
                    name=_lam(lam),
                    low=percent(min(values)),
                    high=percent(max(values)),
                )
            )
    return found


def _lam(lam: str) -> str:
    if lam == "0":
        return _("No pull (λ = 0)")
    return _("Pull λ = {value} (the paper's)", value=lam) if lam == "1/N" else _("Pull λ = {value}", value=lam)
