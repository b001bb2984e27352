"""Compared with what? Every method on the same photos, and how much the size of a step matters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from pages.ui import cached, evidence_study, evidence_tables, session
from pages.ui.evidence_study import Ask
from pages.ui.text import _, _n, note, number, percent, right_of
from prolip_core import i18n, metrics, study_charts
from prolip_core.charts import Chart
from prolip_core.storage.records import Project, StudyRecord
from prolip_core.studies.names import LEARNING_RATES, METHODS, QUICK, SLOW_METHODS
from prolip_core.study_charts import Ranked

LEVEL = 0.05
"""Below it a method is told apart; the p-values are corrected for their number."""

PAPER_RATES = (1e-5, 1e-2)
"""Learning rates that arXiv 2410.05270 reports on, section 4.2."""

SLOW, THOROUGH = "evidence_slow", "evidence_rounds"
ROUNDS = 5


def asks(_project: Project) -> tuple[Ask, ...]:
    """The comparison as it is chosen on the page, and the study of learning rates."""
    chosen = {"draws": ROUNDS if session.get(THOROUGH) else QUICK[METHODS]["draws"], "slow": bool(session.get(SLOW))}
    return (
        Ask(METHODS, chosen, keeps_whole=True),
        Ask(LEARNING_RATES, QUICK[LEARNING_RATES], keeps_whole=True),
    )


def _slow_titles() -> dict[str, str]:
    return {**SLOW_METHODS, "last_block": _("Last-block fine-tuning")}


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
            _("The slow methods too: {names}", names=", ".join(_slow_titles().values())),
            key=SLOW,
            persist_state="session",
            help=_(
                "The first two take about as long as all others together. CoOp (prompt tuning) trains through the text part of "
                "the model: minutes a round on a processor (CPU), seconds on a graphics card. Last-block fine-tuning runs "
                "on a graphics card only."
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
    is_whole = evidence_tables.is_whole(result, "overlap")
    _in_words(result, ranked, is_whole)
    drawn, data = cached.chart(("methods", record.summary.id, session.language()), lambda: _ranking(ranked))
    st.vega_lite_chart(data, drawn, width="stretch", key="methods_chart", theme=None)
    st.caption(
        _(
            "Photos per class to learn from: {shots}. Rounds: {draws}. No method has tuned anything on the test photos.",
            shots=number(result["shots"]),
            draws=number(result["draws"]),
        ),
        help=_(
            "The bar is Wilson's 95% interval for as many test photos. All methods answered the same photos, so two of them can "
            "be told apart although their bars overlap: see the column against ProLIP."
        ),
    )
    st.dataframe(
        [_row(one, result, is_whole) for one in ranked],
        hide_index=True,
        width="stretch",
        height="content",
        key="methods_table",
    )
    st.caption(_how_to_read(result), help=_reading())
    st.caption(
        _(
            "Most recipes were published for large CLIP models. With a small one such as the starter their steps are too short, "
            "above all those of CLIP-Adapter, which then stays close to the model as it is."
        )
    )
    for one in result["not_run"]:
        reason = note(i18n.note_of(one["reason_parts"]))
        st.caption(_("Not run: {name}. {reason}", name=_(one["title"]), reason=reason))
    absent = [name for key, name in _slow_titles().items() if not any(one["key"] == key for one in result["methods"])]
    if absent and not record.summary.settings.get("slow"):
        st.caption(_("Not run: {name}. {reason}", name=", ".join(absent), reason=_("Not chosen above: slow.")))


def _in_words(result: Mapping[str, Any], ranked: Sequence[Mapping[str, Any]], is_whole: bool) -> None:
    """ProLIP's place as it is, and which others can be told apart from it."""
    ours = next((one for one in ranked if one["key"] == result["reference"]), None)
    if ours is None:
        return
    place = 1 + sum(one["accuracy"] > ours["accuracy"] for one in ranked)
    said = _(
        "ProLIP with this app's default settings is number **{place}** of {count}: {figure}.",
        place=number(place),
        count=number(len(ranked)),
        figure=_right(ours, result),
    )
    st.markdown(f"{said} {_told_apart(ours, ranked)}" if is_whole else said)


def _told_apart(ours: Mapping[str, Any], ranked: Sequence[Mapping[str, Any]]) -> str:
    others = [one for one in ranked if one is not ours]
    apart = [one for one in others if one["p"] is not None and one["p"] < LEVEL]
    better = [_(one["title"]) for one in apart if one["difference"] > 0]
    lines = [
        _n(
            "{count} of the other methods cannot be told from it on these test photos; {worse} do worse.",
            "{count} of the other methods cannot be told from it on these test photos; {worse} do worse.",
            len(others) - len(apart),
            worse=number(len(apart) - len(better)),
        )
    ]
    if better:
        lines.append(_("Better than ProLIP here: {names}.", names=", ".join(better)))
    return " ".join(lines)


def _how_to_read(result: Mapping[str, Any]) -> str:
    """What the two ranges of the table speak of."""
    said = _("Likely range, and in brackets against ProLIP: for as many other test photos (95%).")
    if result["draws"] > 1:
        return said + " " + _("“Other photos to learn from”: for other photos of the same kind to learn from (95%).")
    return said + " " + _("What other photos to learn from would change is not in it: that takes more rounds.")


def _reading() -> str:
    return _(
        "Told apart: an exact test on the same photos (McNemar's, over several rounds by signs), with Holm's correction for the "
        "number of methods. The range for other photos to learn from is Student's, widened because the rounds share photos "
        "(Nadeau and Bengio 2003)."
    )


def _ranking(ranked: Sequence[Mapping[str, Any]]) -> Chart:
    rows = [
        Ranked(_(one["title"]), one["accuracy"], low, high, one["key"].startswith("prolip"))
        for one in ranked
        for low, high in (one["photo_interval"],)
    ]
    return study_charts.ranking(rows, _("How often it was right (bar: likely range, 95 %)"))


def _right(one: Mapping[str, Any], result: Mapping[str, Any]) -> str:
    """With several rounds their mean, which is no count of photos."""
    if result["draws"] == 1:
        return right_of(round(one["accuracy"] * result["query_count"]), result["query_count"], *one["photo_interval"])
    return _(
        "on average {count} of {total} right (likely {range})",
        count=number(round(one["accuracy"] * result["query_count"], 1)),
        total=number(result["query_count"]),
        range=evidence_tables.spread(one["photo_interval"]),
    )


def _row(one: Mapping[str, Any], result: Mapping[str, Any], is_whole: bool) -> dict[str, str]:
    right, several = one["accuracy"] * result["query_count"], result["draws"] > 1
    cells = {
        _("Method"): _(one["title"]),
        _("Right, on average") if several else _("Right"): _(
            "{count} of {total}",
            count=number(round(right, 1) if several else round(right)),
            total=number(result["query_count"]),
        ),
        _("Share (likely range)"): f"{percent(one['accuracy'], 1)} ({evidence_tables.spread(one['photo_interval'])})",
    }
    if several and is_whole:
        cells[_("Other photos to learn from")] = evidence_tables.spread(one["draw_interval"])
    cells[_("Against ProLIP, in points")] = _difference(one, result["reference"], is_whole)
    if is_whole:
        cells[_("Every class counted the same")] = evidence_tables.share(
            one["balanced_accuracy"], one["balanced_interval"]
        )
        cells[_("Trained numbers")] = number(one["trained_parameters"])
    return cells | {
        _("Added numbers"): number(one["added_parameters"]),
        _("Seconds"): number(round(one["seconds"], 1)),
    }


def _difference(one: Mapping[str, Any], reference: str, is_whole: bool) -> str:
    if one["key"] == reference or one["difference"] is None:
        return "–"
    interval = one["photo_difference_interval"] if is_whole else None
    return evidence_tables.difference({"difference": one["difference"], "difference_interval": interval})


def _rates(record: StudyRecord) -> None:
    result = record.result
    drawn, data = cached.chart(("rates", record.summary.id, session.language()), lambda: _rates_chart(result))
    st.vega_lite_chart(data, drawn, width="stretch", key="rates_chart", theme=None)
    st.markdown(
        "\n".join(
            [
                _("With steps from 1e-5 to 1e-2, the range of the paper:"),
                "",
                *(f"- {line}" for line in _rates_in_words(result)),
            ]
        )
    )
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
    with st.expander(_("All numbers")):
        st.dataframe(_rates_table(result), hide_index=True, width="stretch", key="rates_table")
        st.caption(
            _(
                "How often it was right on {count} test photos, the mean over rounds; in brackets the likely range (95%) for as "
                "many other test photos. Before, without photos: {zero_shot}.",
                count=number(result["query_count"]),
                zero_shot=_cell({"accuracy": result["zero_shot_accuracy"], "diverged": 0}, result),
            )
        )


def _lines(result: Mapping[str, Any]) -> dict[str, list[Mapping[str, Any]]]:
    """The trainings with learning rates, by λ."""
    lines: dict[str, list[Mapping[str, Any]]] = {}
    for cell in result["cells"]:
        if cell["learning_rate"] is not None:
            lines.setdefault(cell["lam"], []).append(cell)
    return lines


def _rates_table(result: Mapping[str, Any]) -> list[dict[str, str]]:
    return [
        {
            _("Size of a step (learning rate)"): _lam(lam),
            **{f"{cell['learning_rate']:g}": _cell(cell, result) for cell in cells},
        }
        for lam, cells in _lines(result).items()
    ]


def _cell(cell: Mapping[str, Any], result: Mapping[str, Any]) -> str:
    if cell["accuracy"] is None:
        return _("failed")
    count = result["query_count"]
    told = evidence_tables.share(cell["accuracy"], metrics.wilson_interval(round(cell["accuracy"] * count), count))
    return told + ", " + _("{count} failed", count=number(cell["diverged"])) if cell["diverged"] else told


def _rates_chart(result: Mapping[str, Any]) -> Chart:
    """Where a training failed there is no point: the mean of the others would look as if all had gone well."""
    return study_charts.learning_rates(
        [
            (_lam(lam), [(cell["learning_rate"], None if cell["diverged"] else cell["accuracy"]) for cell in cells])
            for lam, cells in _lines(result).items()
        ],
        (_("Before, without photos (zero-shot)"), result["zero_shot_accuracy"]),
        (_("Size of a step (learning rate)"), _("How often it was right")),
    )


def _rates_in_words(result: Mapping[str, Any]) -> list[str]:
    """Of every λ the range over the paper's learning rates, and how many trainings failed."""
    found = []
    for lam, cells in _lines(result).items():
        inside = [cell for cell in cells if PAPER_RATES[0] <= cell["learning_rate"] <= PAPER_RATES[1]]
        values = [cell["accuracy"] for cell in inside if cell["accuracy"] is not None]
        parts = []
        if values:
            parts.append(
                _(
                    "{low} to {high} right, depending on the size of a step",
                    low=percent(min(values)),
                    high=percent(max(values)),
                )
            )
        lost = sum(cell["diverged"] for cell in inside)
        if lost:
            parts.append(
                _n(
                    "**{count} training of {total} failed** and is left out of it",
                    "**{count} trainings of {total} failed** and are left out of it",
                    lost,
                    total=number(len(inside) * result["draws"]),
                )
            )
        if parts:
            found.append(_("{name}: {found}", name=_lam(lam), found="; ".join(parts)))
    return found


def _lam(lam: str) -> str:
    if lam == "0":
        return _("No pull (λ = 0)")
    return _("Pull λ = {value} (the paper's)", value=lam) if lam == "1/N" else _("Pull λ = {value}", value=lam)
