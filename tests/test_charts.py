"""Figures hold the numbers they were given, and user text only as text."""

from __future__ import annotations

import itertools
import json
import re
from typing import Any

import altair as alt
import numpy as np
import pytest

from prolip_core import charts, figure_files, loss_charts
from prolip_core.charts import MatrixTexts
from prolip_core.loss_charts import LossTexts
from prolip_core.types import Step

EVIL = [
    '"];alert(1);["',
    "</script><script>alert(1)</script>",
    "\\",
    "datum.value",
    "x" * 10_000,
    "ねじ🔩",
    "\u202eabc",
    "same",
    "same",
]
LITERALS = re.compile(r'\["(?:[\w \-.…]|\\u[0-9a-f]{4})*"(?:,"(?:[\w \-.…]|\\u[0-9a-f]{4})*")*\]\[datum\.value\]')
"""A list of quoted labels without a quote, a backslash or a bracket in them, and the choice of one."""

MATRIX = MatrixTexts("title", "true", "answer", "photos", "share")
LOSS = LossTexts("step", "loss", "cross-entropy", "penalty", "right")


def counts(n_classes: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 9, (n_classes, n_classes))


def rows_of(chart: Any) -> list[dict[str, Any]]:
    """The data of the first layer."""
    specification = chart.to_dict()
    (rows,) = specification["datasets"].values()
    return list(rows)


@pytest.mark.parametrize(
    "chart",
    [
        charts.confusion(counts(3), list("abc"), MATRIX, percent=True, scale_max=1),
        charts.similarity(np.eye(90).tolist(), [str(n) for n in range(90)], "title", "value"),  # 8,010 pairs
        charts.per_class(list("abc"), [0.5] * 3, [None] * 3, ("a", "b"), "title"),
        charts.accuracy_ranges([("a", 0.5, 0.4, 0.6), ("b", 0.7, 0.6, 0.8)], "title"),
    ],
)
def test_a_chart_apart_is_the_same_chart(chart: Any) -> None:
    specification, data = charts.apart(chart)
    with alt.data_transformers.disable_max_rows():
        whole = chart.to_dict()  # checked by Altair
    (rows,) = whole.pop("datasets").values()
    del whole["data"]
    assert whole["config"]["view"].pop("continuousWidth") and whole["config"]["view"].pop("continuousHeight")

    def without_names(one: Any) -> Any:  # Altair counts the views that it has made
        return json.loads(re.sub(r"view_\d+", "view", json.dumps(one)))

    assert without_names(specification) == without_names(whole)
    assert [list(row.values()) for row in rows] == data.values.tolist()


@pytest.mark.parametrize("percent", [False, True])
def test_every_cell_has_its_number_and_position(percent: bool) -> None:
    counts_CC = counts(4)
    counts_CC[2] = 0  # a class without a photo
    rows = rows_of(charts.confusion(counts_CC, list("abcd"), MATRIX, percent=percent, scale_max=9))
    assert len(rows) == 16
    for row in rows:
        count, total = counts_CC[row["true"], row["answer"]], counts_CC[row["true"]].sum()
        share = count / total if total else 0.0
        assert row["photos"] == count
        assert row["share"] == pytest.approx(share)
        assert row["value"] == pytest.approx(share if percent else count)
        assert row["diagonal"] == (row["true"] == row["answer"])


def test_two_matrices_share_their_scale() -> None:
    domains = [
        charts.confusion(counts(3) * factor, list("abc"), MATRIX, percent=False, scale_max=40).to_dict()["layer"][0][
            "encoding"
        ]["color"]["scale"]["domain"]
        for factor in (1, 4)
    ]
    assert domains == [[0, 40], [0, 40]]


def test_a_click_gives_positions() -> None:
    (parameter,) = charts.confusion(counts(3), list("abc"), MATRIX, percent=False, scale_max=9).to_dict()["params"]
    assert parameter["name"] == charts.CELL
    assert parameter["select"]["fields"] == ["true", "answer"]


def test_rows_keep_their_height_whatever_stands_around_them() -> None:
    names = [f"class {n}" for n in range(10)]
    by_class = charts.per_class(names, [0.0] * 10, [1.0] * 10, ("a", "b"), "title")
    marks = re.findall(
        r'aria-roledescription="point"[^>]*translate\([\d.]+,([\d.]+)\)', figure_files.svg(by_class).decode()
    )
    heights = sorted({float(y) for y in marks})
    assert len(heights) == 10
    assert all(abs(b - a - charts.ROW_PX) < 0.1 for a, b in itertools.pairwise(heights))


@pytest.mark.parametrize("n_classes", [2, 5, 40])
def test_names_are_never_read_as_anything_but_text(n_classes: int) -> None:
    names = (EVIL * 5)[:n_classes]
    for chart in (
        charts.confusion(counts(n_classes), names, MATRIX, percent=True, scale_max=1),
        charts.similarity(np.eye(n_classes).tolist(), names, "title", "value"),
        charts.per_class(names, [0.5] * n_classes, [None] * n_classes, ("a", "b"), "title"),
        charts.accuracy_ranges([(name, 0.5, 0.4, 0.6) for name in names[:2]], "title"),
    ):
        svg = figure_files.svg(chart).decode()
        assert "<script" not in svg
        expressions = [value for key, value in _items(chart.to_dict()) if key == "labelExpr"]
        assert expressions and all(LITERALS.fullmatch(one) for one in expressions)
        page = figure_files.html(chart, "</title><script>alert(1)</script>", "ja").decode()
        assert "<script>alert(1)" not in page
        assert '<html lang="ja">' in page


def _items(value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return [pair for key, entry in value.items() for pair in [(key, entry), *_items(entry)]]
    if isinstance(value, list):
        return [pair for entry in value for pair in _items(entry)]
    return []


def steps(count: int) -> list[Step]:
    return [Step(n, count, 2 / n, 1.5 / n, 0.5 / n if n > 1 else 0.0, 1 - 1 / n, 0.1 * n) for n in range(1, count + 1)]


def test_the_curve_has_both_losses_and_keeps_first_and_last_step_when_thinned() -> None:
    data = loss_charts.loss_data(steps(5000), LOSS, log=False)
    assert len(data) <= 2 * loss_charts.MAX_POINTS + 2
    of_penalty = data[data["part"] == "penalty"]
    assert (of_penalty["step"].min(), of_penalty["step"].max()) == (1, 5000)
    assert of_penalty["value"].iloc[-1] == pytest.approx(0.5 / 5000)
    assert loss_charts.accuracy_data(steps(3))["value"].tolist() == [0.0, 0.5, 1 - 1 / 3]


def test_a_logarithm_is_never_taken_of_nothing() -> None:
    assert (loss_charts.loss_data(steps(3), LOSS, log=True)["value"] > 0).all()


def test_a_chart_without_data_is_the_same_for_every_training() -> None:
    empty = loss_charts.without_data(loss_charts.live_loss((), LOSS, log=False))
    filled = loss_charts.without_data(loss_charts.live_loss(steps(3), LOSS, log=False))
    assert empty == filled
    assert "data" not in json.dumps(empty).replace("datum", "")


def test_the_finished_curve_holds_every_step() -> None:
    figure = loss_charts.loss(steps(7), LOSS)
    assert [trace.name for trace in figure.data] == ["cross-entropy", "penalty", "right"]
    assert list(figure.data[0].y) == [step.cross_entropy for step in steps(7)]


def test_files_need_nothing_from_the_network() -> None:
    chart = loss_charts.live_loss(steps(5), LOSS, log=False)
    assert figure_files.png(chart).startswith(b"\x89PNG")
    # Without this the figure has a menu that links to a website.
    assert re.search(rb'"embedOptions"\s*:\s*\{"actions"\s*:\s*false\}', figure_files.html(chart, "t", "en"))
    for page in (figure_files.html(chart, "t", "en"), figure_files.html(loss_charts.loss(steps(5), LOSS), "t", "en")):
        assert not re.search(rb'<(?:script|link|img)[^>]+(?:src|href)="?http', page)
        assert len(page) > 500_000  # the libraries are inside
