"""Class by class, the training with all its settings, and everything as files."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pandas as pd
import streamlit as st

from pages.ui import compare_matrix, compare_numbers, session, train_live
from pages.ui.run_choice import Chosen
from pages.ui.text import _, note, number, percent, safe, short, translator
from prolip_core import charts, comparison, csv_text, figure_files, i18n, metrics
from prolip_core.types import Step


def classes(chosen: Chosen) -> None:
    """Each class's share of right answers, and the pairs that are confused most."""
    compared = chosen.compared
    st.altair_chart(_class_chart(chosen), width="stretch", key="per_class", theme=None)
    header, rows = _class_table(chosen)
    st.dataframe(pd.DataFrame(rows, columns=header), hide_index=True, width="stretch", key="class_table")
    st.caption(
        _(
            "Found: of the photos of this class, how many were recognised (recall). Trustworthy: of the answers with this "
            "class, how many were right (precision)."
        )
    )
    st.markdown(f"#### {_('Most often confused')}")
    pairs = comparison.most_confused(compared.second)
    if not pairs:
        st.markdown(_("Nothing was confused."))
    for pair in pairs:
        st.markdown(
            "- "
            + _(
                "{true} taken for {answer}: {count}",
                true=safe(compared.class_names[pair.true]),
                answer=safe(compared.class_names[pair.answer]),
                count=number(pair.count),
            )
        )
    st.markdown(
        _(
            "When it says how sure it is, it is off by {gap} on average.",
            gap=percent(compared.second.calibration_error, 1),
        ),
        help=_("The expected calibration error: the mean gap between confidence and accuracy, in ten steps."),
    )


def _class_chart(chosen: Chosen) -> charts.Chart:
    compared = chosen.compared
    return charts.per_class(
        compared.class_names,
        [one.recall for one in compared.first.per_class],
        [one.recall for one in compared.second.per_class],
        (short(chosen.first_name, 50), short(chosen.second_name, 50)),
        _("Share of the class that was recognised"),
    )


def _class_table(chosen: Chosen) -> tuple[list[str], list[list[object]]]:
    compared = chosen.compared
    header = [
        _("Class"),
        _("Photos"),
        _("Right before"),
        _("Right after"),
        _("Likely range after"),
        _("Trustworthy before"),
        _("Trustworthy after"),
    ]
    rows: list[list[object]] = []
    for k, (before, after) in enumerate(zip(compared.first.per_class, compared.second.per_class, strict=True)):
        right = [int(found.confusion.counts_CC[k, k]) for found in (compared.first, compared.second)]
        low, high = metrics.wilson_interval(right[1], after.count) if after.count else (0.0, 1.0)
        rows.append(
            [
                short(after.class_name, 200),
                after.count,
                right[0],
                right[1],
                f"{percent(low)}–{percent(high)}" if after.count else "–",
                _share(before.precision),
                _share(after.precision),
            ]
        )
    return header, rows


def _share(value: float | None) -> str:
    return "–" if value is None else percent(value)


def training(chosen: Chosen) -> None:
    """The curve of the training, what should be known about it, and all of its settings."""
    result = chosen.run.result
    st.plotly_chart(_loss_chart(chosen), width="stretch", key="loss", config={"displaylogo": False})
    for parts in result["notes"]:
        st.info(note(i18n.note_of(parts)))
    table = pd.DataFrame(settings(chosen), columns=[_("Setting"), _("Value")])
    st.dataframe(table, hide_index=True, width="stretch", height="content", key="settings")
    with st.expander(_("The sentences that the model read")):
        for name, sentences in zip(result["class_names"], result["prompts"], strict=True):
            st.markdown(f"**{safe(name)}**: " + " · ".join(safe(sentence, 200) for sentence in sentences))


def _loss_chart(chosen: Chosen) -> Any:
    return charts.loss([Step(**step) for step in chosen.run.result["history"]], train_live.loss_texts())


def settings(chosen: Chosen) -> list[tuple[str, str]]:
    """Everything that made this run, as rows of a table."""
    result = chosen.run.result
    chosen_settings, fit = result["settings"], result["settings"]["fit"]
    counts = result["images_per_class"].values()
    yes, no = _("yes"), _("no")
    rows = [
        (_("Model"), result["backbone"]),
        (_("Fingerprint of its weights"), chosen_settings["backbone_sha256"]),
        (_("Computed on"), result["device"]),
        (_("Photos to learn from, of each class"), f"{number(min(counts))}–{number(max(counts))}"),
        (_("Variations of each photo"), number(chosen_settings["views"])),
        (
            _("Way of training"),
            _("Exact (recommended)") if result["solver"] == "exact" else _("As in the paper (Adam)"),
        ),
        ("λ", f"{result['lam']:.4g} ({translator().note(i18n.note_of(result['lam_note_parts']))})"),
        (_("Steps"), number(len(result["history"]))),
        (_("Stopped early"), yes if chosen_settings["stopped_early"] else no),
        (_("Random number to start from"), number(chosen_settings["seed"])),
        (_("Sentence templates"), " · ".join(chosen_settings["templates"])),
        (_("Seconds for reading the photos"), number(round(result["seconds"]["features"], 1))),
        (_("Seconds for the training"), number(round(result["seconds"]["fit"], 2))),
    ]
    if result["solver"] == "adam":
        rows.insert(7, (_("Size of a step"), f"{fit['learning_rate']:g}"))
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    return [*((what, str(value)) for what, value in rows), (_("Versions of the software"), versions)]


def files(chosen: Chosen) -> None:
    """Every table as CSV, every figure as PNG, SVG or HTML; made when they are asked for."""
    st.subheader(_("Tables (CSV, for Excel)"), anchor=False)
    tables: dict[str, tuple[str, Callable[[], bytes]]] = {
        "classes": (_("Class by class"), lambda: csv_text.table(*_class_table(chosen))),
        "photos": (_("Photo by photo"), lambda: _photo_table(chosen)),
        "before": (_("Confusion matrix before"), lambda: _matrix_table(chosen, "first")),
        "after": (_("Confusion matrix after"), lambda: _matrix_table(chosen, "second")),
        "settings": (_("Settings"), lambda: csv_text.table([_("Setting"), _("Value")], settings(chosen))),
    }
    columns = st.columns(len(tables))
    for column, (key, (label, make)) in zip(columns, tables.items(), strict=True):
        column.download_button(
            label, make, f"{key}.csv", "text/csv", key=f"csv_{key}", on_click="ignore", width="stretch"
        )
    st.download_button(
        _("All of this result (JSON)"),
        lambda: json.dumps(chosen.run.result, ensure_ascii=False, indent=2).encode(),
        "result.json",
        "application/json",
        key="json_result",
        on_click="ignore",
    )
    st.subheader(_("Figures"), anchor=False)
    figures: dict[str, tuple[str, Callable[[], Any]]] = {
        "ranges": (_("The two numbers"), lambda: compare_numbers.ranges(chosen)),
        "before": (_("Confusion matrix before"), lambda: compare_matrix.matrix(chosen, "first", percent=_is_percent())),
        "after": (_("Confusion matrix after"), lambda: compare_matrix.matrix(chosen, "second", percent=_is_percent())),
        "classes": (_("Class by class"), lambda: _class_chart(chosen)),
        "loss": (_("Training curve"), lambda: _live_chart(chosen)),
    }
    for key, (label, chart) in figures.items():
        name, *formats = st.columns([3, 1, 1, 1], vertical_alignment="center")
        name.markdown(label)
        for column, (kind, mime, make) in zip(formats, _formats(chart, label), strict=True):
            column.download_button(
                kind.upper(),
                make,
                f"{key}.{kind}",
                mime,
                key=f"figure_{key}_{kind}",
                on_click="ignore",
                width="stretch",
            )


def _formats(chart: Callable[[], Any], title: str) -> list[tuple[str, str, Callable[[], bytes]]]:
    language = session.language()
    return [
        ("png", "image/png", lambda: figure_files.png(chart())),
        ("svg", "image/svg+xml", lambda: figure_files.svg(chart())),
        ("html", "text/html", lambda: figure_files.html(chart(), title, language)),
    ]


def _is_percent() -> bool:
    return bool(session.get("matrix_unit") == "percent")


def _live_chart(chosen: Chosen) -> charts.Chart:
    steps = [Step(**step) for step in chosen.run.result["history"]]
    return charts.live_loss(steps, train_live.loss_texts(), log=False)


def _photo_table(chosen: Chosen) -> bytes:
    compared = chosen.compared
    names = compared.class_names
    header = [
        _("File"),
        _("Class"),
        _("Answer before"),
        _("How sure before"),
        _("Answer after"),
        _("How sure after"),
        "SHA-256",
    ]
    return csv_text.table(
        header,
        [
            (
                chosen.run.filenames.get(after.image_id, ""),
                names[after.label],
                names[before.predicted],
                f"{before.confidence:.4f}",
                names[after.predicted],
                f"{after.confidence:.4f}",
                after.image_id,
            )
            for before, after in zip(compared.first_predictions, compared.second_predictions, strict=True)
        ],
    )


def _matrix_table(chosen: Chosen, side: str) -> bytes:
    compared = chosen.compared
    counts_CC = (compared.first if side == "first" else compared.second).confusion.counts_CC
    header = [_("What it shows"), *compared.class_names]
    return csv_text.table(
        header, [[name, *row] for name, row in zip(compared.class_names, counts_CC.tolist(), strict=True)]
    )
