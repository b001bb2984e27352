"""Class by class, the training with all its settings, and everything as files."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from pages.ui import cached, compare_matrix, compare_numbers, components, session, train_live
from pages.ui.run_choice import Chosen
from pages.ui.text import _, _n, device, model, number, percent, right_in_short, safe, translator
from prolip_core import charts, comparison, csv_text, figure_files, i18n, loss_charts, metrics, storage
from prolip_core.metrics import Evaluation
from prolip_core.storage.records import RunSummary
from prolip_core.types import Step


def classes(chosen: Chosen) -> None:
    """Each class's share of right answers, and the pairs that are confused most."""
    compared = chosen.compared
    drawn, data = cached.chart(("per class", *chosen.key, session.language()), lambda: _class_chart(chosen))
    st.vega_lite_chart(data, drawn, width="stretch", key="per_class", theme=None)
    _class_numbers(chosen)
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
    components.bullet_list(
        _(
            "{true} taken for {answer}: {count}",
            true=safe(compared.class_names[pair.true]),
            answer=safe(compared.class_names[pair.answer]),
            count=number(pair.count),
        )
        for pair in pairs
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
        chosen.class_names,
        [one.recall for one in compared.first.per_class],
        [one.recall for one in compared.second.per_class],
        (chosen.first_short, chosen.second_short),
        _("Share of the class that was recognised"),
    )


def _class_numbers(chosen: Chosen) -> None:
    """The table on the screen: every count with its likely range."""
    methods = _methods(chosen)
    found = {_("{who}: found", who=who): method for who, method in methods}
    trusted = {_("{who}: trustworthy", who=who): method for who, method in methods}
    classes_, photos = _("Class"), _("Photos")
    table = {
        classes_: list(chosen.class_names),
        photos: [one.count for one in chosen.compared.second.per_class],
        **{header: [_found(method, k) for k in range(len(chosen.class_names))] for header, method in found.items()},
        **{header: [_share(one.precision) for one in method.per_class] for header, method in trusted.items()},
    }
    recall = _("Of the photos of this class, how many were recognised (recall), with the likely range.")
    precision = _("Of the answers with this class, how many were right (precision).")
    st.dataframe(
        pd.DataFrame(table),
        column_config={
            **{header: st.column_config.TextColumn(help=recall) for header in found},
            **{header: st.column_config.TextColumn(help=precision) for header in trusted},
        },
        hide_index=True,
        width="stretch",
        height="content",
        key="class_table",
    )


def _methods(chosen: Chosen) -> list[tuple[str, Evaluation]]:
    """The two columns of the page with their short names."""
    return [(chosen.first_short, chosen.compared.first), (chosen.second_short, chosen.compared.second)]


def _found(method: Evaluation, k: int) -> str:
    """How many photos of class `k` were recognised, with the likely range."""
    right, count = int(method.confusion.counts_CC[k, k]), method.per_class[k].count
    if not count:
        return "–"
    return right_in_short(right, count, *metrics.wilson_interval(right, count))


def _class_table(chosen: Chosen) -> bytes:
    """The table as a file: a number a cell, shares as fractions, nothing where no photo says anything."""
    header = [_("Class"), _("Photos")]
    rows: list[list[object]] = [[one.class_name, one.count] for one in chosen.compared.second.per_class]
    for who, method in _methods(chosen):
        header += [
            _("{who}: right", who=who),
            _("{who}: found", who=who),
            _("{who}: likely from", who=who),
            _("{who}: likely to", who=who),
            _("{who}: trustworthy", who=who),
        ]
        for k, (row, one) in enumerate(zip(rows, method.per_class, strict=True)):
            right = int(method.confusion.counts_CC[k, k])
            likely = metrics.wilson_interval(right, one.count) if one.count else (None, None)
            row += [right, *(_fraction(value) for value in (one.recall, *likely, one.precision))]
    return csv_text.table(header, rows)


def _fraction(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _share(value: float | None) -> str:
    return "–" if value is None else percent(value)


def training(chosen: Chosen) -> None:
    """The curve of the training, what should be known about it, and all of its settings."""
    result = chosen.run.result
    st.plotly_chart(_loss_chart(chosen), width="stretch", key="loss", config={"displaylogo": False})
    table = pd.DataFrame(settings(chosen), columns=[_("Setting"), _("Value")])
    st.dataframe(table, hide_index=True, width="stretch", height="content", key="settings")
    with st.expander(_("The sentences that the model read")):
        for name, sentences in zip(result["class_names"], result["prompts"], strict=True):
            st.markdown(f"**{safe(name)}**: " + " · ".join(safe(sentence, 200) for sentence in sentences))


def _loss_chart(chosen: Chosen) -> Any:
    return loss_charts.loss(_steps(chosen), train_live.loss_texts())


def settings(chosen: Chosen) -> list[tuple[str, str]]:
    """Everything that made this run, as rows of a table."""
    result = chosen.run.result
    chosen_settings, fit = result["settings"], result["settings"]["fit"]
    counts = result["images_per_class"].values()
    yes, no = _("yes"), _("no")
    rows = [
        (_("Model"), model(result["backbone"])),
        (_("Fingerprint of its weights"), chosen_settings["backbone_sha256"]),
        (_("Computed on"), device(result["device"])),
        (_("Precision"), chosen_settings["precision"]),
        (
            _("Photos to learn from, of each class"),
            "–".join(number(count) for count in sorted({min(counts), max(counts)})),
        ),
        (_("Variations of each photo"), number(chosen_settings["views"])),
        (
            _("Way of training"),
            _("Exact") if result["solver"] == "exact" else _("As in the paper (Adam)"),
        ),
        ("λ", f"{result['lam']:.4g} ({translator().note(i18n.note_of(result['lam_note_parts']))})"),
        (_("Steps"), number(result["history"][-1]["step"])),
        (_("Stopped early"), yes if chosen_settings["stopped_early"] else no),
        (_("Random number to start from"), number(chosen_settings["seed"])),
        (_("Sentence templates"), " · ".join(chosen_settings["templates"])),
        (_("Seconds for reading the photos"), number(round(result["seconds"]["features"], 1))),
        (_("Seconds for the training"), number(round(result["seconds"]["fit"], 2))),
    ]
    if result["solver"] == "adam":
        rows[8:8] = [
            (_("Passes over the photos (planned)"), number(fit["epochs"])),
            (_("Size of a step"), f"{fit['learning_rate']:g}"),
        ]
    crossed = result["cross_validation"]
    if crossed is not None:
        times = _n("{count} time", "{count} times", len(crossed["accuracies"]))
        rows.append((_("Cross-validation"), _("in {count} parts, {times}", count=crossed["folds"], times=times)))
    rows += [(_("Version of {name}", name=name), version) for name, version in result["versions"].items()]
    return [(what, str(value)) for what, value in rows]


def files(chosen: Chosen) -> None:
    """Every table as CSV, every figure as PNG, SVG or HTML; made when they are asked for."""
    first, second = chosen.first_short, chosen.second_short
    matrices = [_("Confusion matrix: {who}", who=who) for who in (first, second)]
    st.subheader(_("Tables (CSV, for Excel)"), anchor=False)
    tables: dict[str, tuple[str, Callable[[], bytes]]] = {
        "classes": (_("Class by class"), lambda: _class_table(chosen)),
        "photos": (_("Photo by photo"), lambda: _photo_table(chosen)),
        "confusion_1": (matrices[0], lambda: _matrix_table(chosen, chosen.compared.first)),
        "confusion_2": (matrices[1], lambda: _matrix_table(chosen, chosen.compared.second)),
        "settings": (_("Settings"), lambda: csv_text.table([_("Setting"), _("Value")], settings(chosen))),
    }
    for key, (label, table) in tables.items():
        _row(chosen, key, label, [("csv", "text/csv", table)])
    _row(chosen, "result", _("All of this result"), [("json", "application/json", lambda: _json(chosen))])
    st.subheader(_("Figures"), anchor=False)
    texts = train_live.loss_texts()
    in_percent = bool(session.get("matrix_unit") == "percent")
    figures: dict[str, tuple[str, Callable[[], charts.Chart]]] = {
        "ranges": (_("The two numbers"), lambda: compare_numbers.ranges(chosen)),
        "confusion_1": (matrices[0], lambda: compare_matrix.matrix(chosen, "first", percent=in_percent)),
        "confusion_2": (matrices[1], lambda: compare_matrix.matrix(chosen, "second", percent=in_percent)),
        "classes": (_("Class by class"), lambda: _class_chart(chosen)),
        "loss": (_("Training curve"), lambda: loss_charts.live_loss(_steps(chosen), texts, log=False)),
        "support_accuracy": (texts.support_accuracy, lambda: loss_charts.live_accuracy(_steps(chosen), texts)),
    }
    for key, (label, chart) in figures.items():
        _row(chosen, key, label, _formats(chart, label))


Format = tuple[str, str, Callable[[], bytes]]
"""Ending of the file's name, its type, and what makes it."""


def _row(chosen: Chosen, key: str, label: str, formats: Sequence[Format]) -> None:
    name, *columns = st.columns([3, 1, 1, 1], vertical_alignment="center")
    name.markdown(safe(label))
    for column, (kind, mime, make) in zip(columns, formats, strict=False):
        column.download_button(
            kind.upper(),
            in_this_language(make),
            f"{_file_stem(chosen.run.summary)}_{key}.{kind}",
            mime,
            key=f"file_{key}_{kind}",
            on_click="ignore",
            width="stretch",
        )


def _file_stem(run: RunSummary) -> str:
    """Project and number of the result, as a file may be called on any computer."""
    project = storage.projects.get(cached.database(), run.project_id)
    name = re.sub(r"[^\w-]+", "_", project.name if project is not None else "")[:40].strip("_")
    return f"{name}_result{run.number}" if name else f"result{run.number}"


def in_this_language(make: Callable[[], bytes]) -> Callable[[], bytes]:
    """Streamlit makes a download outside of any session, where nobody knows the language of the screen."""
    language = session.language()

    def made() -> bytes:
        with session.speaking(language):
            return make()

    return made


def _formats(chart: Callable[[], charts.Chart], title: str) -> list[Format]:
    language = session.language()
    return [
        ("png", "image/png", lambda: figure_files.png(chart())),
        ("svg", "image/svg+xml", lambda: figure_files.svg(chart())),
        ("html", "text/html", lambda: figure_files.html(chart(), title, language)),
    ]


def _json(chosen: Chosen) -> bytes:
    return json.dumps(chosen.run.result, ensure_ascii=False, indent=2).encode()


def _steps(chosen: Chosen) -> list[Step]:
    return [Step(**step) for step in chosen.run.result["history"]]


def _photo_table(chosen: Chosen) -> bytes:
    compared = chosen.compared
    names = compared.class_names
    header = [
        _("File"),
        _("Class"),
        _("{who}: answer", who=chosen.first_short),
        _("{who}: how sure", who=chosen.first_short),
        _("{who}: answer", who=chosen.second_short),
        _("{who}: how sure", who=chosen.second_short),
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


def _matrix_table(chosen: Chosen, method: Evaluation) -> bytes:
    names, counts = chosen.compared.class_names, method.confusion.counts_CC.tolist()
    return csv_text.table([_("What it shows"), *names], [[name, *row] for name, row in zip(names, counts, strict=True)])
