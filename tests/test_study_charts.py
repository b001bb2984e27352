"""Studies → figures: what is drawn, checked against Vega-Lite's own rules and against the numbers that went in."""

from __future__ import annotations

from typing import Any

import pytest

from prolip_core import charts, study_charts
from prolip_core.study_charts import Bin, CurvePoint, CurveTexts, Ranked, ReliabilityTexts

CURVE_TEXTS = CurveTexts("photos", "right", "ProLIP", "zero-shot", "forecast", "likely")
POINTS = [CurvePoint(1, 0.4, 0.3, 0.5), CurvePoint(2, 0.6, 0.5, 0.7), CurvePoint(4, 0.7, None, None)]
FORECAST = CurvePoint(8, 0.75, 0.7, 0.8)


def made(chart: charts.Chart) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Checked by Vega-Lite's schema; the specification as it is drawn, and the rows of its data."""
    chart.to_dict()
    specification, data = charts.apart(chart)
    rows: Any = data.to_dict("records")
    return specification, rows


def test_the_curve_has_its_points_its_band_zero_shot_and_the_forecast() -> None:
    specification, rows = made(study_charts.learning_curve(POINTS, 0.35, FORECAST, CURVE_TEXTS))
    of = {name: [row for row in rows if row["series"] == name] for name in ("ProLIP", "zero-shot", "forecast")}
    assert [(row["photos"], row["accuracy"], row["low"], row["high"]) for row in of["ProLIP"][:2]] == [
        (1, 0.4, 0.3, 0.5),
        (2, 0.6, 0.5, 0.7),
    ]
    assert [(row["photos"], row["accuracy"]) for row in of["zero-shot"]] == [(1, 0.35), (8, 0.35)]
    assert [(row["photos"], row["accuracy"]) for row in of["forecast"]] == [(4, 0.7), (8, 0.75)]
    assert {row["series"]: row["kind"] for row in rows} == {"ProLIP": 0, "zero-shot": 1, "forecast": 2}
    assert specification["layer"][2]["encoding"]["y"]["scale"]["domain"] == [0.2, 0.9]


def test_without_a_forecast_the_curve_ends_with_the_photos_that_there_are() -> None:
    specification, rows = made(study_charts.learning_curve(POINTS, 0.35, None, CURVE_TEXTS))
    assert {row["series"] for row in rows} == {"ProLIP", "zero-shot"}
    assert max(row["photos"] for row in rows) == 4
    assert specification["layer"][0]["encoding"]["x"]["axis"]["values"] == [1, 2, 4]


@pytest.mark.parametrize(
    ("low", "high", "expected"), [(0.33, 0.87, [0.3, 0.9]), (0.0, 1.0, [0.0, 1.0]), (0.91, 0.99, [0.8, 1.0])]
)
def test_the_axis_holds_all_values_with_a_little_room(low: float, high: float, expected: list[float]) -> None:
    specification, _ = made(study_charts.ranking([Ranked("a", (low + high) / 2, low, high, True)], "right"))
    domain = specification["layer"][0]["encoding"]["x"]["scale"]["domain"]
    assert domain == pytest.approx(expected)
    assert domain[0] <= low and high <= domain[1]


def test_methods_keep_their_order_and_names_are_no_expressions() -> None:
    hostile = '"] + evil + ["'
    rows = [Ranked(hostile, 0.9, 0.8, 1.0, False), Ranked("ProLIP", 0.8, 0.7, 0.9, True)]
    specification, data = made(study_charts.ranking(rows, "right"))
    assert [row["name"] for row in data] == [hostile, "ProLIP"]
    assert [row["ours"] for row in data] == [False, True]
    labels = specification["layer"][0]["encoding"]["y"]["axis"]["labelExpr"]
    assert labels == charts.label_expression([hostile, "ProLIP"])
    assert hostile not in labels


def test_learning_rates_have_a_line_for_each_lam_and_gaps_where_nothing_came_out() -> None:
    lines: list[tuple[str, list[tuple[float, float | None]]]] = [
        ("no pull", [(1e-6, 0.5), (1e-4, 0.4), (1e-2, None)]),
        ("1/N", [(1e-6, 0.6), (1e-4, 0.6), (1e-2, 0.7)]),
    ]
    specification, rows = made(study_charts.learning_rates(lines, ("zero-shot", 0.45), ("rate", "right")))
    found = {(row["series"], row["rate"]): row["accuracy"] for row in rows}
    assert found["1/N", 1e-2] == 0.7
    assert found["no pull", 1e-2] != found["no pull", 1e-2]  # not a number: no point
    assert [found["zero-shot", rate] for rate in (1e-6, 1e-2)] == [0.45, 0.45]
    scale = specification["layer"][0]["encoding"]["color"]["scale"]
    assert scale["domain"] == ["zero-shot", "no pull", "1/N"]
    assert len(set(scale["range"])) == 3


def test_the_reliability_diagram_has_its_bins_and_the_slanted_line() -> None:
    texts = ReliabilityTexts("sure", "right", "photos", "perfect")
    _, rows = made(study_charts.reliability([Bin(0.85, 0.75, 0.5, 0.9, 8)], texts))
    assert (rows[0]["x"], rows[0]["y"], rows[0]["count"]) == (0.85, 0.75, 8)
    assert [(row["x"], row["y"]) for row in rows[1:]] == [(0, 0), (1, 1)]


def test_risk_against_coverage_marks_what_is_chosen() -> None:
    _, rows = made(study_charts.risk_coverage([0.5, 1.0], [0.1, 0.3], (0.75, 0.2), ("alone", "wrong")))
    assert [(row["coverage"], row["risk"]) for row in rows if row["chosen"]] == [(0.75, 0.2)]
    specification, rows = made(study_charts.risk_coverage([0.5, 1.0], [0.1, 0.3], None, ("alone", "wrong")))
    assert not any(row["chosen"] for row in rows)
    assert specification["layer"][0]["encoding"]["y"]["scale"]["domain"] == [0, pytest.approx(0.33)]
